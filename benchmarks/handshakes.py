"""Mutual handshakes a second, both ends in one thread of one process.

Ours: dialling over loopback until both sides hold an open link (TLS, the certificate verified by OpenSSL and again
by ``pki.verify`` on both sides, hello both ways), then an orderly close. The floor: plain ``ssl`` with the same
contexts over loopback sockets, both chains verified by OpenSSL, then the sockets closed.
"""

# ruff: noqa: ASYNC110 - a benchmark polls, so that waiting costs what is measured nothing

from __future__ import annotations

import asyncio
import socket
import time

import uvloop

from benchmarks._ends import HERE, Owner, Realm, bare_pair, dialled, listening
from benchmarks.rows import Row

NAME = "handshakes"
ROUNDS = 3
"""In turns, the best of each counts: other work on the machine can only slow either down."""


async def ours(realm: Realm, count: int) -> float:
    there, here = Owner(), Owner()
    listener = await listening(realm, there)
    start = time.perf_counter()
    for _ in range(count):
        stream = await dialled(realm, here, listener.address)
        stream.close()
    while there.closed < count or here.closed < count:
        await asyncio.sleep(0.001)
    seconds = time.perf_counter() - start
    listener.close()
    return count / seconds


def floor(realm: Realm, count: int) -> float:
    with socket.create_server((HERE, 0)) as door:
        start = time.perf_counter()
        for _ in range(count):
            for end in bare_pair(realm, door):
                end.tls.getpeercert(binary_form=True)
                end.sock.close()
        return count / (time.perf_counter() - start)


def run(*, quick: bool = False) -> list[Row]:
    realm = Realm.make()
    count = 50 if quick else 200
    floor(realm, 20)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(ours(realm, 20))
        rounds = [(floor(realm, count), runner.run(ours(realm, count))) for _ in range(ROUNDS)]
    bare, rate = (max(values) for values in zip(*rounds, strict=True))
    return [Row("mutual handshakes, to plain ssl", rate, "per s", bare, 0.5)]
