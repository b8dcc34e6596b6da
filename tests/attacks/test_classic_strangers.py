"""What strangers do to the port of a node that takes legacy links: it costs them their own connection at most."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from conclave.classic.frames import put_frame
from conclave.classic.handshake import HELLO
from conclave.classic.limits import ClassicLimits
from tests.node.classics import asking, befriend_classic, classic_of, classic_texts, people
from tests.node.homes import Running


async def dialled(one: Running) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = one.address.rsplit(":", 1)
    return await asyncio.open_connection(host, int(port))


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Everything until the other side hangs up."""
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""


async def test_whoever_says_nothing_is_let_go(tmp_path: Path) -> None:
    async with people(tmp_path, "burak", classic=ClassicLimits(handshake_seconds=0.3)) as (burak,):
        reader, writer = await dialled(burak)
        writer.write(b"0")
        assert await ended(reader) == b""
        slow, writer_of_slow = await dialled(burak)
        writer_of_slow.write(put_frame(HELLO))
        assert await ended(slow) == put_frame(b"OK")
        for one in (writer, writer_of_slow):
            one.close()


async def test_half_open_connections_are_bounded(tmp_path: Path) -> None:
    async with people(tmp_path, "burak") as (burak,):
        opened = [await dialled(burak) for _ in range(24)]
        for _, writer in opened:
            writer.write(put_frame(HELLO))
        await asyncio.sleep(0.2)
        answers = [await asyncio.wait_for(reader.read(8), 5) for reader, _ in opened[:16]]
        assert answers == [put_frame(b"OK")] * 16
        for reader, _ in opened[16:]:
            assert await ended(reader) == b""
        for _, writer in opened:
            writer.close()


async def thrown(burak: Running, data: bytes) -> None:
    """Send it, and be hung up on."""
    reader, writer = await dialled(burak)
    writer.write(data)
    await ended(reader)
    writer.close()


async def test_rubbish_and_then_a_chat(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with people(tmp_path, "ayse", "burak") as (ayse, burak):
        for seed in range(40):
            await thrown(burak, b"0:" + bytes((seed * 7 + at) % 256 for at in range(seed * 5)))
        for second in (b"x" * 8000, b"-----BEGIN CERTIFICATE-----\nAAAA", b"HELLO", b""):
            await thrown(burak, put_frame(HELLO) + put_frame(second))
        await thrown(burak, put_frame(HELLO) + b"008193")
        assert not asking(burak)
        await befriend_classic(ayse, burak)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_reset_in_the_middle_is_an_end(tmp_path: Path) -> None:
    async with people(tmp_path, "ayse", "burak") as (ayse, burak):
        await befriend_classic(ayse, burak)
        (stream,) = classic_of(ayse).streams.values()
        assert stream._transport is not None
        raw = stream._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        stream._transport.abort()
        await burak.until(lambda: burak.told("legacy-closed"))
        assert classic_texts(burak, "@ayse") == ["may I?"]


async def test_a_peer_that_does_not_read_is_cut_off(tmp_path: Path) -> None:
    limits = ClassicLimits(outgoing_bytes=1024 * 1024)
    async with people(tmp_path, "ayse", "burak", classic=limits) as (ayse, burak):
        await befriend_classic(ayse, burak)
        (stream,) = classic_of(burak).streams.values()
        assert stream._transport is not None
        stream._transport.pause_reading()
        (ours,) = classic_of(ayse).streams.values()
        for _ in range(200):
            if not ours.send(b"x" * 100_000):
                break
            await asyncio.sleep(0)
        await ayse.until(lambda: ayse.told("legacy-closed"))
        assert ayse.told("legacy-closed")[0]["reason"] == "overloaded"
