"""A peer killed at any commit or send of a conversation: nothing is lost, nothing comes twice, order holds."""

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

from tests.node.crashing import AYSE, BURAK, CEM, NEVER, PLAYS
from tests.node.homes import SOURCE, make_home, open_store

SAMPLED = 6
"""Points tried for each role in the default run; with ``-m slow`` all are."""


class Theatre:
    """The program of ``crashing``, and homes for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for handle in ("ayse", "burak", "cem"):
            make_home(folder / "enrolled" / handle, handle)
            open_store(folder / "enrolled" / handle, handle).close()  # its tables are made once
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.node.crashing"],
            cwd=SOURCE,
            env=os.environ | {"PYTHONPATH": "src:."},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lengths: dict[tuple[str, str], int] = {}

    def perform(self, play: str, who: str, point: int) -> dict[str, Any]:
        """One play in fresh homes; what it came to is checked."""
        stage = self.folder / f"{play}-{who}-{point}"
        shutil.copytree(self.folder / "enrolled", stage)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        task = {"folder": str(stage), "play": play, "who": who, "point": point}
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        told = [
            (stage / f"{role}.failed").read_text() for role in answer["failed"] if (stage / f"{role}.failed").exists()
        ]
        assert not answer["failed"], (play, who, point, answer, *told)
        check(stage, play)
        shutil.rmtree(stage)
        return answer

    def length(self, play: str, who: str) -> int:
        """How many points a play without a death has for ``who``; it differs a little from run to run."""
        if (play, who) not in self.lengths:
            answer = self.perform(play, who, NEVER)
            assert not answer["died"]
            self.lengths[play, who] = answer["passed"]
        return self.lengths[play, who]


def check(stage: Path, play: str) -> None:
    """Everybody has every line once, in one order; nothing waits."""
    orders = []
    for role in PLAYS[play]:
        store = open_store(stage / role, role)
        try:
            assert store.outbox() == {}
            for conversation in store.conversations():
                stored = [s.line for s in store.lines(conversation.name, limit=1000) if s.line.kind.value == "text"]
                said = [(line.sender, line.text) for line in stored]
                assert len(said) == len(set(said)), (role, said)
                for sender, texts in (("ayse", AYSE), ("burak", BURAK), ("cem", CEM if play == "lobby" else [])):
                    assert [text for by, text in said if by == sender] == texts, (role, sender, said)
                arrived = "sent" if conversation.name.startswith("#") else "delivered"
                for line in stored:
                    assert line.status.value == (arrived if line.sender == role else "received"), (role, line)
                if conversation.name.startswith("#"):
                    numbered = sorted((line.seq, line.sender, line.text) for line in stored)
                    assert len({seq for seq, _, _ in numbered}) == len(stored)
                    orders.append(numbered)
        finally:
            store.close()
    assert all(order == orders[0] for order in orders)
    assert len(orders) == (len(PLAYS[play]) if play == "lobby" else 0)


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    theatre = Theatre(tmp_path_factory.mktemp("crashes"))
    yield theatre
    assert theatre.process.stdin is not None
    theatre.process.stdin.close()
    assert theatre.process.wait(10) == 0
    assert theatre.process.stdout is not None
    theatre.process.stdout.close()


DEATHS = [(play, who) for play, roles in PLAYS.items() for who in roles]


@pytest.mark.parametrize(("play", "who"), DEATHS)
def test_a_chat_outlives_a_death_at_some_points(theatre: Theatre, play: str, who: str) -> None:
    points = range(1, theatre.length(play, who) + 1)
    assert len(points) > 25
    chosen = random.Random(who).sample(points, SAMPLED)
    died = [theatre.perform(play, who, point)["died"] for point in chosen]
    assert sum(died) >= SAMPLED // 2  # the last points are not reached in every run


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("play", "who"), DEATHS)
def test_a_chat_outlives_a_death_at_every_point(theatre: Theatre, play: str, who: str) -> None:
    point = 1
    while theatre.perform(play, who, point)["died"]:
        point += 1
    assert point > 25
