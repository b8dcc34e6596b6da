"""The man in the middle: a TCP proxy on loopback that has the whole wire in his hand, and no key to it.

What passes is cut into units, as anybody on the network could: records or fragments. Each is written down; it passes,
or is rewritten by ``rule``, or is held until the attacker sends it, twice, later, or never. Left out: what a unit's
bytes mean (``lab.tls_wire``, ``lab.classic_wire``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import Final, Protocol

from conclave.errors import Truncated
from conclave.values import dataclass

LOOPBACK: Final = "127.0.0.1"
PATIENCE_SECONDS: Final = 5.0
"""How long the attacker waits for the next unit before the lesson counts as not given."""
_CHUNK: Final = 65_536


class Way(Enum):
    """Which way bytes go, seen from whoever dialled."""

    THERE = "there"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Unit:
    """What passed as one piece; ``number`` counts from 1 in its direction."""

    way: Way
    number: int
    data: bytes


class Cutter(Protocol):
    """Cuts one direction of a stream into units."""

    def cut(self, data: bytes) -> Iterable[bytes]:
        """Every unit that ``data`` completes; what is left waits."""


Rule = Callable[[Unit], Iterable[bytes]]
"""What goes on in a unit's place: itself, something else, several things, nothing."""


def _pass(unit: Unit) -> Iterable[bytes]:
    return (unit.data,)


class Middle:
    """One connection through the attacker. ``seen`` is everything that passed, in its order."""

    def __init__(self, target: int, cutter: Callable[[Way], Cutter]) -> None:
        self._target = target
        self._cutters = {way: cutter(way) for way in Way}
        self._counts = dict.fromkeys(Way, 0)
        self._queues: dict[Way, asyncio.Queue[Unit]] = {way: asyncio.Queue() for way in Way}
        self._writers: dict[Way, asyncio.StreamWriter] = {}
        self._over: list[asyncio.Event] = []
        self.seen: list[Unit] = []
        self.holding: set[Way] = set()
        self.rule: Rule = _pass
        self.mirror = False
        """Whether what comes from the dialler goes back to it, whatever else is asked for."""
        self.connections = 0
        """How often somebody dialled; only the first is carried on."""
        self.ended: set[Way] = set()
        """Directions in which nothing more will come."""
        self.port = 0

    def passed(self, way: Way) -> list[Unit]:
        """What has come in one direction so far."""
        return [unit for unit in self.seen if unit.way is way]

    async def take(self, way: Way) -> Unit:
        """The next unit that was held. Raises ``TimeoutError`` where none comes."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._queues[way].get()

    async def take_bytes(self, way: Way, least: int) -> list[Unit]:
        """As many held units as have ``least`` bytes together."""
        units: list[Unit] = []
        while sum(len(unit.data) for unit in units) < least:
            units.append(await self.take(way))
        return units

    def send(self, way: Way, *parts: bytes) -> None:
        """Put bytes on the wire; nothing any more in a direction whose end was passed on."""
        writer = self._writers.get(way)
        if writer is not None and way not in self.ended and not writer.is_closing():
            writer.write(b"".join(parts))

    def hang_up(self) -> None:
        """End the connection to both sides, as a network does: without a word of the protocol."""
        for writer in self._writers.values():
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.connections > 1:
            writer.close()
            return
        over = asyncio.Event()
        self._over.append(over)
        try:
            far, onward = await asyncio.open_connection(LOOPBACK, self._target)
            self._writers = {Way.THERE: onward, Way.BACK: writer}
            await asyncio.gather(self._carry(Way.THERE, reader), self._carry(Way.BACK, far))
        except (OSError, asyncio.CancelledError):  # cancelled where the loop ends: nobody waits for this task
            pass
        finally:
            for one in (writer, *self._writers.values()):
                one.close()
            over.set()

    async def _carry(self, way: Way, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                for piece in self._cutters[way].cut(data):
                    self._counts[way] += 1
                    unit = Unit(way, self._counts[way], piece)
                    self.seen.append(unit)
                    if self.mirror and way is Way.THERE:
                        self.send(Way.BACK, piece)
                    if way in self.holding:
                        self._queues[way].put_nowait(unit)
                    else:
                        self.send(way, *self.rule(unit))
        self.ended.add(way)
        with suppress(OSError):
            if not self._writers[way].is_closing():
                self._writers[way].write_eof()

    async def _close(self) -> None:
        for writer in self._writers.values():
            writer.transport.abort()
        for over in self._over:
            await over.wait()


@asynccontextmanager
async def between(target: int, cutter: Callable[[Way], Cutter]) -> AsyncIterator[Middle]:
    """Stand before whoever listens at port ``target``; the victim dials ``Middle.port``."""
    middle = Middle(target, cutter)
    server = await asyncio.start_server(middle._serve, LOOPBACK, 0)  # noqa: SLF001 - of this module
    middle.port = server.sockets[0].getsockname()[1]
    try:
        yield middle
    finally:
        server.close()
        await middle._close()  # noqa: SLF001


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(serve: Serve) -> AsyncIterator[int]:
    """A port on loopback where ``serve`` answers whoever calls; every connection ends with it at the latest."""
    writers: list[asyncio.StreamWriter] = []
    over: list[asyncio.Event] = []

    async def careful(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        over.append(done := asyncio.Event())
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):  # as in Middle
            await serve(reader, writer)
        writer.close()
        done.set()

    server = await asyncio.start_server(careful, LOOPBACK, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        for done in over:
            await done.wait()


async def more(reader: asyncio.StreamReader) -> bytes:
    """What comes next on a connection. Raises ``Truncated`` where it is over."""
    if data := await reader.read(_CHUNK):
        return data
    raise Truncated("the connection was ended in the middle of the attack")


async def until(true: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something to be so. Raises ``TimeoutError``."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - of many things at many ends; a lesson is short
            await asyncio.sleep(0.001)


async def happens(true: Callable[[], bool], seconds: float) -> bool:
    """Whether something comes to be so within ``seconds``."""
    with suppress(TimeoutError):
        await until(true, seconds)
    return true()


async def play(port: int, data: Sequence[bytes], *, wait: float = 1.0) -> bytes:
    """Dial ``port`` as a stranger, send ``data`` and hear what is answered until the other side ends it."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    heard = bytearray()
    try:
        writer.write(b"".join(data))
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(wait):
                while piece := await reader.read(_CHUNK):
                    heard += piece
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()
    return bytes(heard)
