"""The peer's store: durable messages a second in group commits, a history of 100,000 messages, and searches in it.

The floor is the bare driver: the same tables, settings and rows handed to ``executemany`` with nothing of ours
around, once by sqlcipher3 and once by plain sqlite3, in the same run and folder, in turns.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.rows import Row
from conclave.chat.effects import AddLine, DropPosts, EraseLine, MarkLine, PutPost, PutState, Record
from conclave.chat.words.line import Line, LineKind, Status
from conclave.store.peer import PeerDatabase
from conclave.store.peer_schema import STEPS
from conclave.store.schema import migrate
from conclave.store.sqlcipher import connect

GROUP = 100
"""Messages that share a commit."""
ROUNDS = 60
HISTORY = 100_000
SEARCHES = 50


def text(number: int) -> str:
    """A message of about 200 bytes."""
    return (
        f"message {number} about word{number % 1000} and word{number % 997}: " + "some ordinary words in a row, " * 5
    )


def messages(first: int, count: int = GROUP) -> list[Record]:
    """What the core stores for ``count`` messages said, and as many acknowledged."""
    records: list[Record] = []
    for number in range(first, first + count):
        line = Line(number.to_bytes(16), "ayse", LineKind.TEXT, text(number), number, number, Status.WAITING)
        records += [
            PutState("pair/burak", bytes(200)),
            AddLine("@burak", line),
            PutPost("burak", number, 1, bytes(260)),
        ]
        if number > GROUP:
            records.append(MarkLine("@burak", "ayse", (number - GROUP).to_bytes(16), Status.DELIVERED))
    return [*records, DropPosts("burak", first - 1)]


class Bare:
    """The same rows for a bare connection."""

    def __init__(self, connection: Any, steps: Sequence[str] = STEPS) -> None:
        migrate(connection, steps)
        connection.execute("INSERT INTO conversations (name) VALUES ('@burak')")
        self.connection = connection

    def commit(self, first: int, count: int = GROUP) -> None:
        """What ``messages`` says, with the rows made here too, as any program must."""
        numbers = range(first, first + count)
        db = self.connection
        db.execute("BEGIN IMMEDIATE")
        db.execute(
            "INSERT INTO states VALUES ('pair/burak', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (bytes(200),),
        )
        db.executemany(
            "INSERT INTO lines (conversation, sender, id, kind, text, sent, stored, status, seq) "
            "VALUES (1, 'ayse', ?, 'text', ?, ?, ?, 'waiting', 0)",
            [(number.to_bytes(16), text(number), number, number) for number in numbers],
        )
        db.executemany(
            "UPDATE lines SET status = 'delivered' WHERE conversation = 1 AND sender = 'ayse' AND id = ?",
            [((number - GROUP).to_bytes(16),) for number in numbers if number > GROUP],
        )
        db.executemany(
            "INSERT INTO posts VALUES ('burak', ?, 1, ?, NULL)", [(number, bytes(260)) for number in numbers]
        )
        db.execute("DELETE FROM posts WHERE peer = 'burak' AND number <= ?", (first - 1,))
        db.execute("COMMIT")


def plain(path: Path) -> Bare:
    """Plain sqlite3 with the same settings."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    thorough = sqlite3.sqlite_version_info >= (3, 42)  # what older ones lack only makes erasing slower
    secure = "INSERT INTO words (words, rank) VALUES ('secure-delete', 1);"
    return Bare(connection, STEPS if thorough else [step.replace(secure, "") for step in STEPS])


def seconds(work: Callable[[], object]) -> float:
    """How long ``work`` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def group_commits(folder: Path) -> list[Row]:
    """Messages a second in commits of ``GROUP``: median of rounds, ours and the floors in turns."""
    ours = PeerDatabase(folder / "ours.db", os.urandom(32))
    bare = Bare(connect(folder / "bare.db", os.urandom(32)))
    open_ = plain(folder / "plain.db")
    times: tuple[list[float], list[float], list[float]] = ([], [], [])
    for turn in range(ROUNDS):
        first = turn * GROUP + 1
        times[0].append(seconds(lambda first=first: ours.commit(messages(first))))  # type: ignore[misc]
        times[1].append(seconds(lambda first=first: bare.commit(first)))  # type: ignore[misc]
        times[2].append(seconds(lambda first=first: open_.commit(first)))  # type: ignore[misc]
    ours.close()
    rate, floor, unencrypted = (GROUP / statistics.median(one) for one in times)
    return [
        Row(f"durable messages, {GROUP} a commit, to bare sqlcipher3", rate, "messages/s", floor, 0.5),
        Row(f"durable messages, {GROUP} a commit, to plain sqlite3", rate, "messages/s", unencrypted),
    ]


def single_commits(folder: Path) -> list[Row]:
    """Messages a second where each is committed alone."""
    ours = PeerDatabase(folder / "alone.db", os.urandom(32))
    bare = Bare(connect(folder / "bare-alone.db", os.urandom(32)))
    rate = statistics.median(seconds(lambda n=n: ours.commit(messages(n, 1))) for n in range(1, 200))  # type: ignore[misc]
    floor = statistics.median(seconds(lambda n=n: bare.commit(n, 1)) for n in range(1, 200))  # type: ignore[misc]
    ours.close()
    return [Row("durable messages, 1 a commit, to bare sqlcipher3", 1 / rate, "messages/s", 1 / floor)]


def history(folder: Path) -> list[Row]:
    """A long history: filled in commits of 1,000, then searched and leafed."""
    ours = PeerDatabase(folder / "long.db", os.urandom(32))
    bare = Bare(connect(folder / "bare-long.db", os.urandom(32)))
    filled = floor = 0.0
    for first in range(1, HISTORY + 1, 1000):
        filled += seconds(lambda first=first: ours.commit(messages(first, 1000)))  # type: ignore[misc]
        floor += seconds(lambda first=first: bare.commit(first, 1000))  # type: ignore[misc]
    found = _median(lambda n: ours.search(f"word{n * 7} ordinary", 50))
    leafed = _median(lambda n: ours.lines("@burak", before=HISTORY - n * 500, limit=50))
    listed = _median(lambda _: ours.conversations())
    erased = statistics.median(
        seconds(lambda n=n: ours.commit([EraseLine("@burak", "ayse", (n * 1999 + 1).to_bytes(16))]))  # type: ignore[misc]
        for n in range(SEARCHES)
    )
    size = sum(file.stat().st_size for file in folder.glob("long.db*"))
    ours.close()
    return [
        Row(f"{HISTORY:,} messages filled in, to bare sqlcipher3", HISTORY / filled, "messages/s", HISTORY / floor),
        Row(f"search in {HISTORY:,} messages, 50 newest", 1000 * found, "ms", better="less"),
        Row("50 lines of history from anywhere", 1000 * leafed, "ms", better="less"),
        Row("list of conversations", 1000 * listed, "ms", better="less"),
        Row("a line erased without a trace, and committed", 1000 * erased, "ms", better="less"),
        Row("size on disk, with index", size / HISTORY, "bytes/message", better="less"),
    ]


def _median(work: Callable[[int], Sequence[object]]) -> float:
    times = []
    for turn in range(SEARCHES):
        start = time.perf_counter()
        if not work(turn):
            raise RuntimeError("nothing was found")
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def run(*, quick: bool = False) -> list[Row]:
    """All of it, in a temporary folder of its own; ``quick`` leaves the long history out."""
    with tempfile.TemporaryDirectory(prefix="conclave-") as name:
        folder = Path(name)
        short = [*group_commits(folder), *single_commits(folder)]
        return short if quick else [*short, *history(folder)]
