"""Sealed pair messages a second: committed on the sender's disk, on the receiver's, and marked delivered again.

Ours: two processes, each with a node's pump, its SQLCipher database and a link over mutual TLS on loopback; a
thousand ``Say`` commands of 200 bytes in flight. A message counts once the sender has DELIVERED on disk. The
floor: the bare libraries (``cryptography`` with what MLS needs for a message, sqlcipher3, ``ssl``), with the same
rows in groups of the size that ours came to.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks._ends import Realm
from benchmarks.rows import Row

NAME = "durable"
COUNT = 20_000
FLYING = 1_000
ROUNDS = 3
TARGET = 0.5


class End:
    """A process of ``_node_end``; ``cpu`` are the CPU seconds that its messages took it, once it has ended."""

    cpu = 0.0

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def said(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@contextmanager
def end(realm: Realm, kind: str, database: Path, *numbers: int) -> Iterator[End]:
    """A process of ``_node_end``; it is told to finish when the block ends."""
    command = [sys.executable, "-m", "benchmarks._node_end", kind, str(database), *map(str, numbers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        try:
            process.stdin.write(realm.dumps() + "\n")
            process.stdin.flush()
            yield (one := End(process))
            process.stdin.close()
            one.cpu = one.said()["cpu"]
            process.wait(timeout=60)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise RuntimeError(f"{kind} failed")


class Measured(NamedTuple):
    """Messages a second, for each second of CPU of both ends together, and in one commit."""

    rate: float
    effort: float
    group: int


def nodes(realm: Realm, folder: Path, count: int) -> Measured:
    """What a node measured that says ``count`` lines to another."""
    with (
        end(realm, "hear", folder / "burak.db", count) as hearing,
        end(realm, "say", folder / "ayse.db", hearing.said()["port"], count, FLYING) as saying,
    ):
        told = saying.said()
    return Measured(told["rate"], count / (hearing.cpu + saying.cpu), round(told["group"]))


def bare(realm: Realm, folder: Path, count: int, group: int) -> Measured:
    """What the bare drivers come to with as many lines in commits of ``group``."""
    count -= count % group
    with (
        end(realm, "bare-hear", folder / "bare-burak.db", count, group) as hearing,
        end(realm, "bare-say", folder / "bare-ayse.db", hearing.said()["port"], count, FLYING, group) as saying,
    ):
        told = saying.said()
    return Measured(told["rate"], count / (hearing.cpu + saying.cpu), group)


def run(*, quick: bool = False) -> list[Row]:
    realm = Realm.make()
    measured, floors = [], []
    count, rounds = (COUNT // 4, 1) if quick else (COUNT, ROUNDS)
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="conclave-") as name:
            measured.append(nodes(realm, Path(name), count))
            floors.append(bare(realm, Path(name), count, measured[-1].group))
    rate, effort, group = map(statistics.median, zip(*measured, strict=True))
    rate_floor, effort_floor, _ = map(statistics.median, zip(*floors, strict=True))
    name = f"sealed pair messages, on disk at both ends, in groups of {group:.0f}"
    return [
        Row(name, rate, "per s", rate_floor, TARGET),
        Row("  the same, for the CPU of both ends", effort, "per CPU s", effort_floor, TARGET),
    ]
