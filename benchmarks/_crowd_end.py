"""The leader of a lobby, or its crowd, in a process of its own: ``python -m benchmarks._crowd_end KIND ...``.

``lead DATABASE SIZE`` is a whole node's pump, store and links. It knows who dials by the order in which they come,
and opens the lobby when its input says so. ``crowd PORT COUNT`` are members without a core, one link each: they
accept with the key packages of the input, acknowledge, tell how far they are after each turn, and open nothing. Both
write lines of JSON; times in them are the machine's monotonic clock.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import uvloop

from benchmarks._ends import HERE, Owner, Realm, allow_sockets, dialled, listening
from benchmarks._members import GROUP, LABEL, WINDOW
from conclave.chat import events as ev
from conclave.chat.desk import Settings, restore
from conclave.chat.state import Judges, Own
from conclave.net.streams import LinkStream
from conclave.node.notices import Notice
from conclave.node.pump import Pump
from conclave.store.peer import PeerDatabase
from conclave.wire.delivery import Ack, Post, PostKind
from conclave.wire.frames import Frame
from conclave.wire.order import EntryKind, Have, Ordered
from conclave.wire.posts import Answer, Choice, pack_parcel


def tell(**values: object) -> None:
    print(json.dumps(values), flush=True)


def handles(size: int) -> tuple[str, ...]:
    """Whom burak asks in: two with cores, and the crowd."""
    return ("ayse", "cem", *(f"m{number:03}" for number in range(size - 3)))


class Wires(Owner):
    """One node's pump over its links, by the handles of those at their other ends."""

    def __init__(self, me: str, own: Own, judges: Judges, database: Path, spread: float) -> None:
        super().__init__()
        self.store = PeerDatabase(database, os.urandom(32))
        settings = Settings(update_spread=spread)
        desk = restore(me, (), self.store.posts, settings, own, judges)
        self.names: dict[LinkStream, str] = {}
        self.links: dict[str, LinkStream] = {}
        self.pump = Pump(desk, self.store, self, self.told, time.time, os.urandom)
        self.running = asyncio.get_running_loop().create_task(self.pump.run())

    def told(self, notice: Notice) -> None:
        """Something that people should know."""

    def linked(self, handle: str, stream: LinkStream) -> None:
        self.names[stream], self.links[handle] = handle, stream
        self.pump.put(ev.Linked(handle, WINDOW))

    # As the links' owner.

    def on_frames(self, stream: LinkStream, frames: tuple[Frame, ...]) -> None:
        for frame in frames:
            self.pump.put(ev.Arrived(self.names[stream], frame))

    def on_drained(self, stream: LinkStream) -> None:
        self.pump.drained(self.names[stream])

    # What the pump asks.

    def send(self, peer: str, frame: bytes) -> None:
        if peer in self.links:
            self.links[peer].send_encoded(frame)

    def want(self, peer: str, wanted: bool) -> None:  # noqa: FBT001 - as ``pump.Links`` has it
        """Whoever is wanted is there."""

    def hold(self, held: bool) -> None:  # noqa: FBT001
        for stream in self.links.values():
            (stream.pause if held else stream.resume)()

    def slow(self, peer: str) -> bool:
        return peer in self.links and self.links[peer].slow

    async def end(self) -> None:
        self.running.cancel()
        await asyncio.wait([self.running])
        for stream in self.links.values():
            stream.abort()
        self.store.close()


class Leader(Wires):
    """Whoever dials is the next of those who will be asked in."""

    def __init__(self, realm: Realm, database: Path, size: int) -> None:
        super().__init__("burak", realm.own("burak"), realm.judges(), database, 60.0)
        self.expected = list(handles(size))

    def on_link(self, stream: LinkStream) -> None:
        super().on_link(stream)
        self.linked(self.expected[len(self.names)], stream)


async def lead(realm: Realm, database: Path, size: int) -> None:
    leader = Leader(realm, database, size)
    listener = await listening(realm, leader)
    tell(port=listener.address[1])
    loop = asyncio.get_running_loop()
    while asked := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if asked == "open":
            opened = time.monotonic()
            await leader.pump.ask(ev.OpenLobby(LABEL[1:], GROUP, handles(size)))
            tell(opened=opened)
        else:
            tell(cpu=time.process_time(), links=sum(stream.open for stream in leader.streams))
    listener.close()
    await leader.end()


class Crowd(Owner):
    """Members without a core; it is told when all of them have a word."""

    def __init__(self, packages: Sequence[bytes]) -> None:
        super().__init__()
        self.packages = dict(enumerate(packages))
        self.number: dict[LinkStream, int] = {}
        self.got: Counter[int] = Counter()

    def on_frames(self, stream: LinkStream, frames: tuple[Frame, ...]) -> None:
        for frame in frames:
            match frame:
                case Post(stream=name, number=number):
                    stream.send(Ack(name, number, ()))
                    if frame.kind is PostKind.INVITE:
                        kind, body = pack_parcel(Answer(GROUP, Choice.ACCEPT, self.packages[self.number[stream]]))
                        stream.send(Post(os.urandom(8), 1, 1, kind, body))
                case Ordered(seq=seq, kind=EntryKind.MESSAGE):
                    self.got[seq] += 1
                    if self.got[seq] == len(self.number):
                        tell(all=seq, at=time.monotonic())
        if isinstance(frames[-1], Ordered):
            stream.send(Have(GROUP, frames[-1].seq))


async def crowd(realm: Realm, port: int, count: int, packages: Sequence[bytes]) -> None:
    owner = Crowd(packages)
    for number in range(count):
        stream = await dialled(realm, owner, (HERE, port))
        owner.number[stream] = number
    tell(ready=count)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for stream in owner.number:
        stream.abort()


def main() -> None:
    allow_sockets()
    realm = Realm.loads(sys.stdin.readline())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if sys.argv[1] == "lead":
            runner.run(lead(realm, Path(sys.argv[2]), int(sys.argv[3])))
        else:
            packages = [bytes.fromhex(one) for one in json.loads(sys.stdin.readline())]
            runner.run(crowd(realm, int(sys.argv[2]), int(sys.argv[3]), packages))


if __name__ == "__main__":
    main()
