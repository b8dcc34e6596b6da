"""What strangers on the wire can do to a node: cost themselves a connection, and nobody else anything."""

from __future__ import annotations

import asyncio
import random  # noqa: TID251 - a seed chooses what strangers send
import socket
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conclave.link.tls import ALPN
from tests.node.homes import Running, befriend, make_home, running

CROWD = 1500
"""Connections at once; half of them may stand in the door of one address at most 16 at a time."""


@dataclass
class Scene:
    """ayse and burak chat while somebody does something to ayse's port."""

    ayse: Running
    burak: Running
    said: int = 0

    @property
    def where(self) -> tuple[str, int]:
        host, _, port = self.ayse.address.rpartition(":")
        return host, int(port)

    async def goes_on(self) -> None:
        """Both ways, over the link that was there before."""
        self.said += 1
        await asyncio.gather(self.ayse.say("@burak", f"a{self.said}"), self.burak.say("@ayse", f"b{self.said}"))
        await self.ayse.until(lambda: not self.ayse.waiting() and not self.burak.waiting())
        assert not self.ayse.told("link-closed")


@pytest.fixture
async def scene(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Scene]:
    for handle in ("ayse", "burak"):
        make_home(tmp_path / handle, handle)
    async with running(tmp_path / "ayse", handshake_seconds=1.0) as ayse, running(tmp_path / "burak") as burak:
        await befriend(ayse, burak)
        yield Scene(ayse, burak)
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


async def send(where: tuple[str, int], data: bytes, *, half: bool = False) -> bytes:
    """Connect, send, and read until the other side ends it."""
    reader, writer = await asyncio.open_connection(*where)
    try:
        writer.write(data)
        if half:
            writer.write_eof()
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_raw_bytes(scene: Scene) -> None:
    chance = random.Random(7)
    junk = [b"", b"\x00", b"GET / HTTP/1.1\r\nHost: ayse\r\n\r\n", b"SSH-2.0-x\r\n", b"\x16\x03\x01\xff\xff" * 100]
    junk += [chance.randbytes(chance.randrange(1, 3000)) for _ in range(40)]
    junk += [b"\x16\x03\x03" + len(body).to_bytes(2) + body for body in (chance.randbytes(300) for _ in range(20))]
    for start in range(0, len(junk), 12):
        await asyncio.gather(*(send(scene.where, data, half=True) for data in junk[start : start + 12]))
    await scene.goes_on()


async def test_a_hello_that_never_ends_is_cut_in_time(scene: Scene) -> None:
    reader, writer = await asyncio.open_connection(*scene.where)
    began = time.monotonic()
    with pytest.raises(ConnectionError):  # noqa: PT012 - whichever byte it is that is too late
        for byte in b"\x16\x03\x01\x40\x00" + bytes(16_000):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)
            if reader.at_eof():
                raise ConnectionResetError
    assert 0.9 < time.monotonic() - began < 4
    writer.close()
    await scene.goes_on()


async def test_more_before_tls_than_a_handshake_has_is_cut(scene: Scene) -> None:
    record = b"\x16\x03\x01\x40\x00" + b"\x01\x00\xff\xff" + bytes(16_380)
    began = time.monotonic()
    await send(scene.where, record * 20)
    assert time.monotonic() - began < 1
    await scene.goes_on()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_thousands_of_connections_stand_outside(scene: Scene) -> None:
    opened: list[socket.socket] = []
    try:
        for _ in range(CROWD):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(scene.where)
            opened.append(one)
            if len(opened) % 100 == 0:
                await asyncio.sleep(0)
        began = time.monotonic()
        await scene.goes_on()
        assert time.monotonic() - began < 5
        assert descriptors() < CROWD + 200  # ours; of theirs hardly any are left
    finally:
        for one in opened:
            one.close()
    await asyncio.sleep(0.1)
    await scene.goes_on()


async def test_a_crowd_at_the_door_does_not_lock_a_friend_out_for_long(scene: Scene) -> None:
    """From one address 16 may stand half open; they are put out after the handshake's time."""
    crowd = [await asyncio.open_connection(*scene.where) for _ in range(16)]
    assert await send(scene.where, b"") == b""  # the seventeenth is dropped at once
    await asyncio.sleep(1.2)
    scene.burak.node.peers.at("ayse", scene.ayse.address)
    await scene.goes_on()
    for _, writer in crowd:
        writer.close()


def no_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([ALPN])
    return context


@pytest.mark.parametrize("what", [b"", b"\x01\x05hello", b"\x10" + b"\xbf\xff\xff\xff" * 9000])
async def test_a_client_without_a_certificate_gets_nowhere(scene: Scene, what: bytes) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):  # noqa: PT012 - TLS 1.3 tells only at the first read
        reader, writer = await asyncio.open_connection(*scene.where, ssl=no_certificate())
        try:
            writer.write(what)
            async with asyncio.timeout(5):
                if not await reader.read():
                    raise ConnectionResetError
        finally:
            writer.transport.abort()
    assert len(scene.ayse.node.peers.linked()) == 1
    assert len(scene.ayse.told("link-opened")) == 1
    await scene.goes_on()


async def test_old_tls_is_not_spoken(scene: Scene) -> None:
    context = no_certificate()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(*scene.where, ssl=context)
    await scene.goes_on()
