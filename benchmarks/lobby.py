"""A lobby of 50 and of 500: what its leader pays to bring a message to everybody, and how all come in at once.

500 real processes do not fit two cores. So the leader is whole (the real core, real MLS, its SQLCipher database, a
link over TLS to each member, the far ends in another process), and one member who speaks has a real core too. Of all
others the leader sees what it would see of real ones: the key package with which they accept, and after each turn how
far they are. CPU seconds are the leader's alone. The floor: the same bytes, ready, over as many bare TLS sockets, one
record for a turn; and as a second floor a record for each message.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import uvloop

from benchmarks._ends import HERE, Bare, Owner, Realm, allow_sockets, far_end, listening
from benchmarks._members import Table
from benchmarks.rows import Row
from conclave.net.streams import LinkStream

NAME = "lobby"
SIZES = (50, 200, 500)
JOINED = 10
"""Messages of a turn."""
TURNS = 20


class Measured(NamedTuple):
    """Of one lobby: deliveries per second of the leader's CPU, bytes of one, and what letting all in took."""

    rate: float
    size: int
    joining: float


async def written(streams: Sequence[LinkStream]) -> float:
    """Wait until everything has left; the CPU seconds that looking took."""
    looked = 0.0
    while True:
        await asyncio.sleep(0.001)
        start = time.process_time()
        waiting = any(stream.unsent for stream in streams)
        looked += time.process_time() - start
        if not waiting:
            return looked


async def ours(realm: Realm, folder: Path, size: int, turns: int) -> Measured:
    owner = Owner()
    listener = await listening(realm, owner)
    loop = asyncio.get_running_loop()
    table = Table(realm, folder, size - 2)
    joining = table.open()  # before there are links: for so long nobody would answer them
    with far_end("links", listener.address, size - 1, realm) as process:
        assert process.stdout is not None
        await loop.run_in_executor(None, process.stdout.readline)
        streams = dict(zip(table.handles, owner.streams, strict=True))
        seconds, length = 0.0, 0
        for _ in range(turns):
            submits = table.speaker.say(JOINED)
            start = time.process_time()
            frames = table.leader.turn(submits)
            for handle, data in frames:
                streams[handle].send_encoded(data)
            looked = await written(owner.streams)
            seconds += time.process_time() - start - looked
            length = max(len(data) for _, data in frames) // JOINED
            answers = table.heard(frames)
            start = time.process_time()
            table.leader.turn(answers)
            seconds += time.process_time() - start
        assert all(stream.open for stream in owner.streams)
        for stream in owner.streams:
            stream.abort()
        await asyncio.sleep(0.1)
    listener.close()
    table.close()
    assert table.delivered == (size - 1) * JOINED * turns, f"{table.delivered} deliveries"
    return Measured(table.delivered / seconds, length, joining)


def floor(realm: Realm, size: int, length: int, turns: int, joined: int) -> float:
    """As many messages over bare TLS, so many ``joined`` in one record."""
    with (
        socket.create_server((HERE, 0), backlog=64) as door,
        far_end("bare", door.getsockname(), size - 1, realm) as process,
    ):
        ends = []
        for _ in range(size - 1):
            end = Bare(realm.server, door.accept()[0], server_side=True)
            while not end.shake():
                end.hear()
            ends.append(end)
        assert process.stdout is not None
        process.stdout.readline()
        start = time.process_time()
        for _ in range(turns * JOINED // joined):
            for end in ends:
                end.write(bytes(length * joined))
        seconds = time.process_time() - start
        for end in ends:
            end.sock.close()
    return (size - 1) * JOINED * turns / seconds


def run(*, quick: bool = False) -> list[Row]:
    allow_sockets()
    realm = Realm.make()
    rows = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for size in SIZES[:1] if quick else SIZES:
            with tempfile.TemporaryDirectory(prefix="conclave-") as name:
                measured = runner.run(ours(realm, Path(name), size, TURNS))
            bare, single = (floor(realm, size, measured.size, TURNS, joined) for joined in (JOINED, 1))
            rows += [
                Row(f"lobby of {size}: deliveries, {JOINED} a turn", measured.rate, "per CPU s", bare, 0.4),
                Row("  the same, to a bare record for each message", measured.rate, "per CPU s", single),
                Row(f"lobby of {size}: letting all in, the leader's CPU", measured.joining, "s", better="less"),
            ]
    return rows
