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
from typing import Any

from benchmarks._ends import Realm
from benchmarks.rows import Row

NAME = "durable"
COUNT = 20_000
FLYING = 1_000
ROUNDS = 3
TARGET = 0.5


@contextmanager
def end(realm: Realm, kind: str, database: Path, *numbers: int) -> Iterator[subprocess.Popen[str]]:
    """A process of ``_node_end``; it is told to finish when the block ends."""
    command = [sys.executable, "-m", "benchmarks._node_end", kind, str(database), *map(str, numbers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        try:
            process.stdin.write(realm.dumps() + "\n")
            process.stdin.flush()
            yield process
            process.communicate(timeout=60)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise RuntimeError(f"{kind} failed")


def said(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def nodes(realm: Realm, folder: Path, count: int) -> Any:
    """What a node measured that says ``count`` lines to another."""
    with (
        end(realm, "hear", folder / "burak.db", count) as hearing,
        end(realm, "say", folder / "ayse.db", said(hearing)["port"], count, FLYING) as saying,
    ):
        return said(saying)


def bare(realm: Realm, folder: Path, count: int, group: int) -> Any:
    """What the bare drivers come to with as many lines in commits of ``group``."""
    count -= count % group
    with (
        end(realm, "bare-hear", folder / "bare-burak.db", count, group) as hearing,
        end(realm, "bare-say", folder / "bare-ayse.db", said(hearing)["port"], count, FLYING, group) as saying,
    ):
        return said(saying)


def run(*, quick: bool = False) -> list[Row]:
    realm = Realm.make()
    rates, floors = [], []
    count, rounds = (COUNT // 4, 1) if quick else (COUNT, ROUNDS)
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="conclave-") as name:
            ours = nodes(realm, Path(name), count)
            group = round(ours["group"])
            rates.append(ours["rate"])
            floors.append(bare(realm, Path(name), count, group)["rate"])
    rate, floor = statistics.median(rates), statistics.median(floors)
    return [
        Row(f"sealed pair messages, on disk at both ends, in groups of {group}", rate, "per s", floor, TARGET),
    ]
