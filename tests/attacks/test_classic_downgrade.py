"""Nobody is talked down from TLS to the legacy suite, nor up into it, by whoever rewrites the first bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conclave.classic.frames import put_frame
from conclave.classic.handshake import HELLO
from conclave.classic.limits import ClassicLimits
from conclave.node.classic import commands as ask
from tests.node.classics import asking, classic_of, classic_texts, people
from tests.node.homes import make_home, running

QUICK = ClassicLimits(handshake_seconds=1)
Rewrite = Callable[[bytes], bytes]


@asynccontextmanager
async def between(target: str, upwards: Rewrite) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A man in the middle that rewrites the first bytes which a dialler sends; and all that the target answered."""
    host, port = target.rsplit(":", 1)
    answered: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: list[bytes] | None) -> None:
        while data := await reader.read(65_536):
            if heard is not None:
                heard.append(data)
            writer.write(data)
        writer.close()

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writers.extend((writer, far_writer))
        far_writer.write(upwards(await reader.read(65_536)))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(carry(reader, far_writer, None))
                tasks.create_task(carry(far_reader, writer, answered))
        except* ConnectionError:
            pass
        finally:
            far_writer.close()
            writer.close()

    server = await asyncio.start_server(met, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    try:
        yield f"{address[0]}:{address[1]}", answered
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


@pytest.mark.parametrize(
    "upwards",
    [lambda _: put_frame(HELLO), lambda data: put_frame(HELLO) + data, lambda data: b"0" + data[1:], lambda _: b"0"],
    ids=["replaced", "before", "first byte", "alone"],
)
async def test_a_tls_dialler_never_speaks_classic(tmp_path: Path, upwards: Rewrite) -> None:
    async with (
        people(tmp_path, "ayse", "burak", classic=QUICK) as (ayse, burak),
        between(burak.address, upwards) as (middle, said),
    ):
        ayse.node.peers.at("burak", middle)
        await ayse.say("@burak", "over TLS, or not at all")
        await ayse.until(lambda: ayse.node.peers.why_not("burak"))
        assert not burak.texts("@ayse")
        assert not classic_texts(burak, "@ayse")
        assert not asking(burak)
        assert not classic_of(ayse).streams
        assert ayse.waiting() == 1  # it waits for a link that is TLS
        assert not any(b"over TLS" in data for data in said)


@pytest.mark.parametrize(
    "upwards", [lambda data: b"\x16" + data[1:], lambda _: b"\x16\x03\x01"], ids=["first", "all"]
)
async def test_a_classic_dialler_is_not_taken_for_another(tmp_path: Path, upwards: Rewrite) -> None:
    async with (
        people(tmp_path, "ayse", "burak", classic=QUICK) as (ayse, burak),
        between(burak.address, upwards) as (middle, _),
    ):
        classic_of(ayse).hints["burak"] = middle
        answer = await ayse.serve(ask.ClassicSay("@burak", "hello", wait=True, timeout=10))
        assert answer["status"] == "not sent"
        assert not ayse.node.peers.linked()
        assert not asking(burak)


async def test_a_listener_without_the_suite_answers_nothing_classic(tmp_path: Path) -> None:
    make_home(tmp_path / "burak", "burak")
    async with running(tmp_path / "burak") as burak:
        host, port = burak.address.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(put_frame(HELLO))
        answer = await reader.read()
        writer.close()
        assert put_frame(b"OK") not in answer
        assert put_frame(b"BUSY") not in answer
        assert answer[:1] in (b"", b"\x15")  # nothing, or a TLS alert
