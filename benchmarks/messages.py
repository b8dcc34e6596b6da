"""200-byte messages one way, and round trips, over one link; both ends in one thread.

Ours: posts are encoded, sent 10 a turn of the loop, and decoded into posts at the other end. There are two floors,
bare TLS driven by hand over blocking loopback sockets, which knows no frames at all: one record and one system call
a message; and 10 messages joined into one record. For round trips the floor is a bare protocol on the same uvloop.
"""

# ruff: noqa: ASYNC110 - a benchmark polls, so that waiting costs what is measured nothing

from __future__ import annotations

import asyncio
import socket
import ssl
import statistics
import time
from typing import cast

import uvloop

from benchmarks._ends import HERE, Owner, Realm, bare_pair, dialled, listening
from benchmarks.rows import Row
from conclave.wire.delivery import Post, PostKind

NAME = "messages"
JOINED = 10
ROUNDS = 3
"""In turns, the best of each counts: other work on the machine can only slow either down."""
BODY = 200 - 29  # a post of 171 bytes is 200 bytes on the link


async def one_way(realm: Realm, count: int) -> float:
    there, here = Owner(), Owner()
    listener = await listening(realm, there)
    stream = await dialled(realm, here, listener.address)
    posts = [Post(bytes(8), number + 1, 1, PostKind.MESSAGE, bytes(BODY)) for number in range(JOINED)]
    start = time.perf_counter()
    sent = 0
    while sent < count:
        for post in posts:
            stream.send(post)
        sent += JOINED
        await asyncio.sleep(0)
        while sent - there.count > 2000:
            await asyncio.sleep(0)
    while there.count < sent:
        await asyncio.sleep(0)
    seconds = time.perf_counter() - start
    stream.close()
    listener.close()
    await asyncio.sleep(0.05)
    return sent / seconds


def bare_one_way(realm: Realm, count: int, joined: int) -> float:
    with socket.create_server((HERE, 0)) as door:
        client, server = bare_pair(realm, door)
        data = bytes(200 * joined)
        start = time.perf_counter()
        for _ in range(count // joined):
            client.write(data)
            left = len(data)
            while left:
                left -= server.read()
        seconds = time.perf_counter() - start
        for end in (client, server):
            end.sock.close()
    return count / seconds


async def round_trips(realm: Realm, count: int) -> float:
    there, here = Owner(echo=True), Owner()
    listener = await listening(realm, there)
    stream = await dialled(realm, here, listener.address)
    post = Post(bytes(8), 1, 1, PostKind.MESSAGE, bytes(BODY))
    loop = asyncio.get_running_loop()
    times = []
    for _ in range(count):
        here.arrived = loop.create_future()
        start = time.perf_counter()
        stream.send(post)
        await here.arrived
        times.append(time.perf_counter() - start)
    stream.close()
    listener.close()
    await asyncio.sleep(0.05)
    return statistics.median(times)


class BareEnd(asyncio.BufferedProtocol):
    """TLS by hand on the loop: no frames, limits, states or timers."""

    def __init__(self, context: ssl.SSLContext, *, server_side: bool) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server_side)
        self.echo = server_side
        self.buffer = memoryview(bytearray(262_144))
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.shaken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.shake()

    def shake(self) -> None:
        try:
            self.tls.do_handshake()
            self.shaken = True
            self.ready.set_result(None)
        except ssl.SSLWantReadError:
            pass
        self.transport.write(self.outgoing.read())

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.incoming.write(self.buffer[:nbytes])
        if not self.shaken:
            self.shake()
        while self.shaken and self.incoming.pending:
            try:
                data = self.tls.read(16_384)
            except ssl.SSLWantReadError:
                break
            if self.echo:
                self.send(data)
            else:
                self.ready.set_result(None)

    def send(self, data: bytes) -> None:
        self.tls.write(data)
        self.transport.write(self.outgoing.read())


async def bare_round_trips(realm: Realm, count: int) -> float:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: BareEnd(realm.server, server_side=True), HERE, 0)
    address = server.sockets[0].getsockname()
    transport, end = await loop.create_connection(lambda: BareEnd(realm.client, server_side=False), *address)
    await end.ready
    await asyncio.sleep(0.05)
    times = []
    data = bytes(200)
    for _ in range(count):
        end.ready = loop.create_future()
        start = time.perf_counter()
        end.send(data)
        await end.ready
        times.append(time.perf_counter() - start)
    transport.close()
    server.close()
    await asyncio.sleep(0.05)
    return statistics.median(times)


def run(*, quick: bool = False) -> list[Row]:
    realm = Realm.make()
    count = 10_000 if quick else 50_000
    rates, trips = [], []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for _ in range(ROUNDS):
            rates.append(
                (runner.run(one_way(realm, count)), bare_one_way(realm, count, 1), bare_one_way(realm, count, JOINED))
            )
            trips.append(
                (runner.run(round_trips(realm, count // 20)), runner.run(bare_round_trips(realm, count // 20)))
            )
    rate, single, joined = (max(values) for values in zip(*rates, strict=True))
    trip, bare = (min(values) for values in zip(*trips, strict=True))
    return [
        Row("200-byte messages one way, to a bare record each", rate, "per s", single, 0.5),
        Row(f"200-byte messages one way, to {JOINED} in a bare record", rate, "per s", joined, 0.5),
        Row("round trip, median, to bare TLS on the same loop", trip * 1e6, "us", bare * 1e6, 2.0, "less"),
    ]
