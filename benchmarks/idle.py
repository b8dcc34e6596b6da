"""Memory of an idle link: resident bytes of a fresh process that accepted 1,000, over one with plain sockets.

Both run uvloop; the one with plain sockets holds the same number of asyncio transports with an empty protocol.
"""

# ruff: noqa: ASYNC110 - a benchmark polls, so that waiting costs what is measured nothing

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys

import uvloop

from benchmarks._ends import HERE, Owner, Realm, allow_sockets, far_end, listening, rss
from benchmarks.rows import Row

NAME = "idle"
TARGET_KB = 45


class Plain(asyncio.Protocol):
    def __init__(self, held: list[Plain]) -> None:
        self.held = held

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.held.append(self)


async def measure(kind: str, count: int) -> float:
    """Bytes that each of ``count`` connections takes in this process."""
    loop = asyncio.get_running_loop()
    realm = Realm.make() if kind == "links" else None
    owner = Owner()
    held: list[Plain] = []
    if realm is not None:
        listener = await listening(realm, owner)
        address = listener.address
        with far_end(kind, address, 20, realm) as process:  # code and tables are loaded before the count begins
            assert process.stdout is not None
            await loop.run_in_executor(None, process.stdout.readline)
        while owner.closed < 20:
            await asyncio.sleep(0.01)
        owner.streams.clear()
    else:
        server = await loop.create_server(lambda: Plain(held), HERE, 0, backlog=1024)
        address = server.sockets[0].getsockname()
    gc.collect()
    before = rss()
    with far_end(kind, address, count, realm) as process:
        assert process.stdout is not None
        await loop.run_in_executor(None, process.stdout.readline)
        while max(len(held), len(owner.streams)) < count:
            await asyncio.sleep(0.01)
        gc.collect()
        return (rss() - before) / count


def apart(kind: str, count: int) -> float:
    command = [sys.executable, "-c", f"from benchmarks.idle import alone; alone({kind!r}, {count})"]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)


def alone(kind: str, count: int) -> None:
    allow_sockets()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(runner.run(measure(kind, count)))


def run(*, quick: bool = False) -> list[Row]:
    count = 200 if quick else 1000
    plain, links = apart("plain", count), apart("links", count)
    return [
        Row(
            f"memory of an idle link, {count:,} links, over plain sockets",
            (links - plain) / 1000,
            "KB",
            None,
            TARGET_KB,
            "less",
        )
    ]
