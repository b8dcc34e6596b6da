"""Hundreds of small worlds, each from its seed: one order, nothing lost, nothing twice, nothing invented.

Run one again: python -m tests.world.test_worlds SEED

A world that is not one again in time is wrong; how many rounds the others took is printed when the run is over. Most
worlds have a stand-in for the signatures, every tenth has Ed25519; a seed always takes the same.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from conclave.chat import delivery
from conclave.chat.lobbies import membership, recalling
from conclave.chat.lobby_state import Healing, Lobby
from conclave.chat.work import Work
from conclave.crypto.suite import CLASSICAL
from conclave.lobby.order import Place
from conclave.wire.posts import Welcome
from tests.world.playing import check_all, play
from tests.world.script import Town
from tests.world.standin import standing_in

WORLDS = 500
MANY_WORLDS = int(os.environ.get("CONCLAVE_WORLDS", "20000"))
"""With ``-m slow``: an hour and more on one core."""
CHUNK = 10
BROKEN_WORLDS = 40
REAL_EVERY = 10
"""One world of so many has real signatures."""


def outcome(seed: int, *, send_before_commit: bool = False, rounds: list[int] | None = None) -> list[str]:
    """Play the world of ``seed``; what was wrong in the end. ``rounds`` takes how many it needed to heal."""
    with nullcontext(CLASSICAL.code) if seed % REAL_EVERY == 0 else standing_in() as suite:
        town = Town(seed, suite=suite, send_before_commit=send_before_commit)
        return play(town, rounds)


def check(seeds: range, record_property: Callable[[str, object], None]) -> None:
    check_all(seeds, lambda seed, rounds: outcome(seed, rounds=rounds), "tests.world.test_worlds", record_property)


@pytest.mark.parametrize("first", range(0, WORLDS, CHUNK))
def test_one_order_nothing_lost_nothing_twice(first: int, record_property: Callable[[str, object], None]) -> None:
    check(range(first, first + CHUNK), record_property)


@pytest.mark.parametrize("seed", [11074, 14168, 6717, 4228, 5846])
def test_worlds_that_went_wrong_once(seed: int) -> None:
    """Asked in again by a half that then lost; leaving with words where everybody leaves; following who is out.

    Closing a lobby while who is out goes on in a half of its own.
    """
    assert outcome(seed) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(WORLDS, MANY_WORLDS, 5 * CHUNK))
def test_many_more_worlds(first: int, record_property: Callable[[str, object], None]) -> None:
    check(range(first, first + 5 * CHUNK), record_property)


def _broken(
    *, worlds: int = BROKEN_WORLDS, enough: int = BROKEN_WORLDS // 10, send_before_commit: bool = False
) -> bool:
    """Whether ``enough`` of so many worlds show that something is wrong, be it at the end or on the way."""
    count = 0
    for seed in range(worlds):
        try:
            count += bool(outcome(seed, send_before_commit=send_before_commit))
        except Exception:  # noqa: BLE001 - a store or a core that gives up has noticed too
            count += 1
        if count >= enough:
            return True
    return False


def test_the_checks_notice_sending_before_the_commit() -> None:
    assert _broken(send_before_commit=True)


def test_the_checks_notice_duplicates_that_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(inbound: delivery.Inbound, post: object) -> tuple[delivery.Inbound, Place]:
        after, place = right(inbound, post)  # type: ignore[arg-type]
        return after, Place.NEXT if place is Place.REPEATED else place

    right = delivery.place
    monkeypatch.setattr(delivery, "place", careless)
    assert _broken(worlds=4 * BROKEN_WORLDS, enough=2)  # MLS opens nothing twice: it shows seldom


def test_the_checks_notice_gaps_that_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(inbound: delivery.Inbound, post: object) -> tuple[delivery.Inbound, Place]:
        after, place = right(inbound, post)  # type: ignore[arg-type]
        return after, Place.NEXT if place is Place.AHEAD else place

    right = delivery.place
    monkeypatch.setattr(delivery, "place", careless)
    assert _broken()


def test_the_checks_notice_what_a_newcomer_has_of_the_time_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is let in asks for all that was ever said there, and is given it."""

    def curious(work: Work, lobby: Lobby, handle: str, welcome: Welcome, *rest: Any) -> None:
        enter(work, lobby, handle, welcome, *rest)
        for seq in (1, welcome.seq):
            recalling.want(work, lobby.group, handle, seq)

    enter = membership._enter
    monkeypatch.setattr(membership, "_enter", curious)
    monkeypatch.setattr(Healing, "since", lambda *_: 0)
    found = itertools.chain.from_iterable(outcome(seed) for seed in range(BROKEN_WORLDS))
    assert any("before it came in" in wrong for wrong in found)


if __name__ == "__main__":
    print("\n".join(outcome(int(sys.argv[1]))) or "nothing is wrong")  # noqa: T201 - it is run by hand
