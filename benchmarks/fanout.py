"""One sender to 500 links: deliveries for each second of the sender's CPU. The receivers are another process.

Ours: a post is encoded once and handed to every link, 10 a turn of the loop. The floor: the same bytes over as many
bare TLS sockets driven by hand, 10 messages joined into one record and one system call, ready beforehand.
"""

# ruff: noqa: ASYNC110 - a benchmark polls, so that waiting costs what is measured nothing

from __future__ import annotations

import asyncio
import socket
import time

import uvloop

from benchmarks._ends import HERE, Bare, Owner, Realm, allow_sockets, far_end, listening
from benchmarks.rows import Row
from conclave.wire.delivery import Post, PostKind
from conclave.wire.frames import encode_frame

NAME = "fanout"
LINKS = 500
JOINED = 10
ROUNDS = 3
"""In turns, the best of each counts: other work on the machine can only slow either down."""
BODY = 200 - 29


async def ours(realm: Realm, turns: int) -> float:
    owner = Owner()
    listener = await listening(realm, owner)
    loop = asyncio.get_running_loop()
    with far_end("links", listener.address, LINKS, realm) as process:
        assert process.stdout is not None
        await loop.run_in_executor(None, process.stdout.readline)
        start = time.process_time()
        for _ in range(turns):
            for number in range(JOINED):
                frame = encode_frame(Post(bytes(8), number + 1, 1, PostKind.MESSAGE, bytes(BODY)))
                for stream in owner.streams:
                    stream.send_encoded(frame)
            await asyncio.sleep(0)
            while any(stream.unsent > 100_000 for stream in owner.streams[::50]):
                await asyncio.sleep(0.001)
        while any(stream.unsent for stream in owner.streams):
            await asyncio.sleep(0.005)
        seconds = time.process_time() - start
        for stream in owner.streams:
            stream.abort()
        await asyncio.sleep(0.1)
    listener.close()
    return LINKS * JOINED * turns / seconds


def floor(realm: Realm, turns: int) -> float:
    with (
        socket.create_server((HERE, 0), backlog=64) as door,
        far_end("bare", door.getsockname(), LINKS, realm) as process,
    ):
        ends = []
        for _ in range(LINKS):
            end = Bare(realm.server, door.accept()[0], server_side=True)
            while not end.shake():
                end.hear()
            ends.append(end)
        assert process.stdout is not None
        process.stdout.readline()
        data = bytes(200 * JOINED)
        start = time.process_time()
        for _ in range(turns):
            for end in ends:
                end.write(data)
        seconds = time.process_time() - start
        for end in ends:
            end.sock.close()
    return LINKS * JOINED * turns / seconds


def run(*, quick: bool = False) -> list[Row]:
    allow_sockets()
    realm = Realm.make()
    turns = 20 if quick else 100
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rounds = [(floor(realm, turns), runner.run(ours(realm, turns))) for _ in range(1 if quick else ROUNDS)]
    bare, rate = (max(values) for values in zip(*rounds, strict=True))
    name = f"deliveries to {LINKS} links, {JOINED} a turn, to bare TLS"
    return [Row(name, rate, "per CPU s", bare, 0.5)]
