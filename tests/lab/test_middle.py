"""The man in the middle does what lessons say that he does."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave.errors import Truncated
from conclave.lab.classic_wire import FragmentCutter
from conclave.lab.middle import Middle, Unit, Way, answering, between, more, play, until
from conclave.lab.tls_wire import RecordCutter


class Lines:
    """Cuts at line ends."""

    def __init__(self, way: Way) -> None:
        del way
        self.waiting = b""

    def cut(self, data: bytes) -> list[bytes]:
        *whole, self.waiting = (self.waiting + data).split(b"\n")
        return [line + b"\n" for line in whole]


class Scribe:
    """Writes down what reaches it, and answers each line with OK."""

    def __init__(self) -> None:
        self.heard = b""
        self.over = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            self.heard += line
            writer.write(b"OK\n")
        self.over = True


async def test_nothing_is_put_behind_an_end_that_was_passed_on() -> None:
    hanging = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write_eof()
        await hanging.wait()
        del reader

    async with answering(serve) as port, between(port, Lines) as middle:
        reader, writer = await asyncio.open_connection("127.0.0.1", middle.port)
        try:
            assert await reader.read() == b""
            assert middle.ended == {Way.BACK}
            middle.send(Way.BACK, b"behind")
        finally:
            hanging.set()
            writer.close()


async def test_what_passes_is_written_down() -> None:
    scribe = Scribe()
    async with answering(scribe.serve) as port, between(port, Lines) as middle:
        assert await play(middle.port, [b"a\nb", b"b\n"], wait=0.1) == b"OK\nOK\n"
        assert scribe.heard == b"a\nbb\n"
        assert middle.passed(Way.THERE) == [Unit(Way.THERE, 1, b"a\n"), Unit(Way.THERE, 2, b"bb\n")]
        assert [unit.data for unit in middle.passed(Way.BACK)] == [b"OK\n", b"OK\n"]


async def test_units_are_held_repeated_swallowed_and_put_in_another_order() -> None:
    scribe = Scribe()
    async with answering(scribe.serve) as port, between(port, Lines) as middle:
        middle.holding.add(Way.THERE)
        _, writer = await asyncio.open_connection("127.0.0.1", middle.port)
        writer.write(b"one\ntwo\nthree\n")
        one, _, three = [await middle.take(Way.THERE) for _ in range(3)]
        assert scribe.heard == b""
        middle.send(Way.THERE, three.data, one.data, one.data)
        await until(lambda: scribe.heard == b"three\none\none\n")
        writer.close()


async def test_units_are_rewritten() -> None:
    scribe = Scribe()
    async with answering(scribe.serve) as port, between(port, Lines) as middle:
        middle.rule = lambda unit: [unit.data.upper(), b"and more\n"] if unit.way is Way.THERE else []
        assert await play(middle.port, [b"a\n"], wait=0.1) == b""
        assert scribe.heard == b"A\nand more\n"


async def test_a_mirror_gives_back_what_came() -> None:
    scribe = Scribe()
    async with answering(scribe.serve) as port, between(port, Lines) as middle:
        middle.holding.update(Way)
        middle.mirror = True
        assert await play(middle.port, [b"a\n"], wait=0.1) == b"a\n"
        assert scribe.heard == b""


async def test_hanging_up_ends_both_sides() -> None:
    scribe = Scribe()
    async with answering(scribe.serve) as port, between(port, Lines) as middle:
        reader, writer = await asyncio.open_connection("127.0.0.1", middle.port)
        writer.write(b"a\n")
        assert await reader.readexactly(3) == b"OK\n"  # else the answer may be on its way, and is lost
        assert scribe.heard == b"a\n"
        middle.hang_up()
        assert await reader.read() == b""
        with pytest.raises(Truncated):
            await more(reader)
        await until(lambda: scribe.over)
        writer.close()


async def test_a_second_call_is_counted_and_not_carried() -> None:
    scribe = Scribe()
    async with answering(scribe.serve) as port, between(port, Lines) as middle:
        await play(middle.port, [b"a\n"], wait=0.1)
        assert await play(middle.port, [b"b\n"], wait=0.5) == b""
        assert middle.connections == 2
        assert scribe.heard == b"a\n"


async def test_nobody_at_the_far_end_is_no_trouble() -> None:
    async with answering(Scribe().serve) as port:
        pass
    async with between(port, Lines) as middle:
        assert isinstance(middle, Middle)
        assert await play(middle.port, [b"a\n"], wait=1.0) == b""


@given(st.binary(max_size=400), st.lists(st.integers(1, 50), max_size=20))
def test_cutters_lose_nothing_however_bytes_come(data: bytes, sizes: list[int]) -> None:
    for make in (RecordCutter, FragmentCutter):
        whole = list(make(Way.THERE).cut(data))
        assert data.startswith(b"".join(whole))
        if make is RecordCutter:
            cutter, at = make(Way.THERE), 0
            pieces: list[bytes] = []
            for size in [*sizes, len(data)]:
                pieces += cutter.cut(data[at : at + size])
                at += size
            assert pieces == whole
