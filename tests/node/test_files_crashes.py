"""Whoever sends or fetches a file is killed at any write: it arrives whole, once, with nothing left over."""

from __future__ import annotations

import json
import os
import random  # noqa: TID251 - a seed chooses what the default run tries
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conclave.files.record import PREFIX, Stage, decode_record
from conclave.store.peer import PeerDatabase
from conclave.wire.files import CHUNK_BYTES
from tests.node.files_crashing import NEVER
from tests.node.homes import SOURCE

CHUNKS = 5
SAMPLED = 8
"""Points tried of each kind in the default run; with ``-m slow`` all are."""


class Theatre:
    """The program of ``files_crashing``, and folders for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.node.files_crashing"],
            cwd=SOURCE,
            env=os.environ | {"PYTHONPATH": "src:."},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def perform(
        self, who: str, point: int, *, links: bool, chunks: int = CHUNKS, size: int = NEVER
    ) -> dict[str, Any]:
        stage = self.folder / f"{who}-{point}-{size}-{links}"
        stage.mkdir()
        content = os.urandom(chunks * CHUNK_BYTES - 100)
        (stage / "report.pdf").write_bytes(content)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        task = {"folder": str(stage), "who": who, "point": point, "size": size, "links": links}
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        told = [path.read_text() for path in stage.glob("*.failed")]
        assert not answer["failed"], (who, point, answer, *told)
        check(stage, content, answer)
        answer["first"] = int((stage / "burak.first").read_text())
        shutil.rmtree(stage)
        return answer


def check(stage: Path, content: bytes, answer: object) -> None:
    """One file, whole, under its own name, and the record says so."""
    got = sorted(path.name for path in (stage / "burak" / "got").iterdir())
    if got == ["report (1).pdf", "report.pdf"]:
        # The one thing that a kill may leave, on a disk without hard links alone: the name that was just taken.
        assert (stage / "burak" / "got" / "report.pdf").stat().st_size == 0, answer
        got = got[:1]
    assert got in (["report.pdf"], ["report (1).pdf"]), (got, answer)
    assert (stage / "burak" / "got" / got[0]).read_bytes() == content
    store = PeerDatabase(stage / "burak.db", b"k" * 32)
    try:
        [(_, value)] = store.states(PREFIX)
    finally:
        store.close()
    record = decode_record(value)
    assert record.stage is Stage.HERE
    assert record.path == str(stage / "burak" / "got" / got[0])


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    theatre = Theatre(tmp_path_factory.mktemp("crashes"))
    yield theatre
    assert theatre.process.stdin is not None
    theatre.process.stdin.close()
    assert theatre.process.wait(10) == 0
    assert theatre.process.stdout is not None
    theatre.process.stdout.close()


KINDS = [("burak", True), ("burak", False), ("ayse", True)]


@pytest.mark.parametrize(("who", "links"), KINDS)
def test_a_file_outlives_a_death_at_some_points(theatre: Theatre, who: str, links: bool) -> None:
    passed = theatre.perform(who, NEVER, links=links)["passed"]
    points = range(1, passed + 1)
    assert len(points) >= (20 if who == "burak" else 4)
    chosen = random.Random(f"{who}{links}").sample(points, min(SAMPLED, len(points)))
    died = [theatre.perform(who, point, links=links)["died"] for point in chosen]
    assert sum(died) >= len(chosen) - 2


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("who", "links"), KINDS)
def test_a_file_outlives_a_death_at_every_point(theatre: Theatre, who: str, links: bool) -> None:
    point = 1
    while theatre.perform(who, point, links=links)["died"]:
        point += 1
    assert point > (20 if who == "burak" else 4)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_hundred_megabytes_go_on_where_they_were(theatre: Theatre, share: float) -> None:
    """Killed in the middle of a write: the next life begins with what is on disk, and sends for the rest alone."""
    chunks = 100_000_000 // CHUNK_BYTES
    written = int(chunks * share)
    answer = theatre.perform("burak", NEVER, links=True, chunks=chunks, size=written * CHUNK_BYTES)
    assert answer["died"]
    assert answer["first"] >= (written - 20) * CHUNK_BYTES
