"""A lobby as people meet it: all come in at once, and then somebody speaks.

Three processes: the leader, a whole node; two members with cores, stores and links, one of whom speaks while the
other listens; and a crowd of links whose members accept, acknowledge and tell how far they are, but open nothing. So
what each member does for itself on a device of its own is done twice here, and not five hundred times. There is no
floor.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from benchmarks._crowd_end import Wires, handles
from benchmarks._ends import HERE, Realm, allow_sockets, dialled
from benchmarks._members import LABEL, TEXT, key_package
from benchmarks.rows import Row
from conclave.chat import events as ev
from conclave.chat.notices import LineAdded, RequestArrived
from conclave.chat.state import Own
from conclave.chat.words.line import LineKind
from conclave.crypto.suite import HYBRID_CODE
from conclave.mls import group as mls
from conclave.node.notices import Notice
from conclave.pki.profile import Profile

NAME = "crowd"
SIZES = (50, 200, 500)
RATE = 10
"""Words a second."""
SECONDS = 30
SETTLING = 6.0
"""After they came in, the two with cores renew their keys within this time (seconds)."""


class Measured(NamedTuple):
    """Seconds until a word was with all, and the leader's CPU; then of each word until shown, and until with all."""

    joined: float
    cpu: float
    shown: list[float]
    spread: list[float]


class End:
    """Another process: what it says, and what it is told."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    def send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")

    async def said(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(await self.process.stdout.readline())


@asynccontextmanager
async def end(*words: object) -> AsyncIterator[End]:
    command = [sys.executable, "-m", "benchmarks._crowd_end", *map(str, words)]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield End(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


class Member(Wires):
    """Accepts whatever it is asked into; ``shown``: when each line was, and its entry, by its id."""

    def __init__(self, realm: Realm, handle: str, folder: Path) -> None:
        assert realm.enrol is not None
        held = realm.enrol(handle, Profile.IM)
        leaf = mls.Credential.x509((held.certificate.der,))
        own = Own(leaf, held.key.raw(), HYBRID_CODE, held.certificate.not_after)
        super().__init__(handle, own, realm.judges(), folder / f"{handle}.db", SETTLING / 2)
        self.shown: dict[bytes, tuple[float, int]] = {}
        self.entered = asyncio.Event()

    def told(self, notice: Notice) -> None:
        match notice:
            case RequestArrived(peer, lobby):
                self.pump.put(ev.AnswerRequest(peer, accept=True, lobby=lobby))
            case LineAdded(_, line) if line.kind is LineKind.NOTICE:
                self.entered.set()
            case LineAdded(_, line):
                self.shown[line.id] = time.monotonic(), line.seq

    async def say(self) -> tuple[bytes, float]:
        identity, start = os.urandom(16), time.monotonic()
        await self.pump.ask(ev.Say(LABEL, identity, TEXT))
        return identity, start


async def measure(realm: Realm, folder: Path, size: int, seconds: int) -> Measured:
    packages = [key_package(realm, handle).hex() for handle in handles(size)[2:]]
    async with AsyncExitStack() as stack:
        leader = await stack.enter_async_context(end("lead", folder / "burak.db", size))
        leader.send(realm.dumps())
        port = (await leader.said())["port"]
        ayse, cem = (Member(realm, handle, folder) for handle in ("ayse", "cem"))
        for one in (ayse, cem):
            stack.push_async_callback(one.end)
            one.linked("burak", await dialled(realm, one, (HERE, port)))
        crowd = await stack.enter_async_context(end("crowd", port, size - 3))
        crowd.send(realm.dumps())
        crowd.send(json.dumps(packages))
        await crowd.said()
        spread: dict[int, float] = {}
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        reading = tasks.create_task(read(crowd, spread))
        stack.callback(reading.cancel)

        async def all_have(identity: bytes) -> tuple[float, float]:
            """When cem was shown it, and when the crowd had it."""
            async with asyncio.timeout(60):
                await until(lambda: identity in cem.shown and cem.shown[identity][1] in spread)
            shown, seq = cem.shown[identity]
            return shown, spread[seq]

        leader.send("cpu")
        before = (await leader.said())["cpu"]
        leader.send("open")
        opened = (await leader.said())["opened"]
        async with asyncio.timeout(60):
            await asyncio.gather(ayse.entered.wait(), cem.entered.wait())
        word, _ = await ayse.say()
        joined = max(await all_have(word)) - opened
        leader.send("cpu")
        cpu = (await leader.said())["cpu"] - before
        await asyncio.sleep(SETTLING)
        words = []
        start = time.monotonic()
        for number in range(RATE * seconds):
            await asyncio.sleep(max(0.0, start + number / RATE - time.monotonic()))
            words.append(await ayse.say())
        times = [(await all_have(identity), said) for identity, said in words]
        leader.send("links")
        assert (await leader.said())["links"] == size - 1
    return Measured(
        joined, cpu, [shown - said for (shown, _), said in times], [there - said for (_, there), said in times]
    )


async def read(crowd: End, spread: dict[int, float]) -> None:
    """Note when the crowd has which entry."""
    while True:
        told = await crowd.said()
        spread[told["all"]] = told["at"]


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - it happens in other processes
        await asyncio.sleep(0.01)


def run(*, quick: bool = False) -> list[Row]:
    allow_sockets()
    realm = Realm.make()
    rows = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for size in SIZES[:1] if quick else SIZES:
            with tempfile.TemporaryDirectory(prefix="conclave-") as name:
                measured = runner.run(measure(realm, Path(name), size, SECONDS // 5 if quick else SECONDS))
            rows += [
                Row(
                    f"lobby of {size}: all come in at once, until a word is with all",
                    measured.joined,
                    "s",
                    better="less",
                ),
                Row("  of it the leader's CPU", measured.cpu, "s", better="less"),
            ]
            for what, times in (("shown", measured.shown), ("with all", measured.spread)):
                cuts = statistics.quantiles(times, n=100)
                rows += [
                    Row(
                        f"lobby of {size}: from Say until {what}, {RATE} a second, p50",
                        1000 * cuts[49],
                        "ms",
                        better="less",
                    ),
                    Row("  p99", 1000 * cuts[98], "ms", better="less"),
                ]
    return rows
