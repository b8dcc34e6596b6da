"""Worlds with a member that lies (``lying``): nobody is deaf for good, stuck, or shown what is not so by it.

Run one again: python -m tests.world.test_lying_worlds SEED.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conclave.chat.lobby_state import Healing
from tests.world.lying import BEFORE, LyingTown
from tests.world.playing import Family

WORLDS = 20
MANY_WORLDS = 1000
CHUNK = 10
WRONG = 487
"""Known to go wrong, and not mended: see the test of it."""
BROKEN_WORLDS = range(70, 120)
"""Played until one shows what is wrong; of those before them none does."""
FAMILY = Family(LyingTown, "tests.world.test_lying_worlds")


@pytest.mark.parametrize("first", range(0, WORLDS, CHUNK))
def test_who_lies_leaves_the_others_one_lobby(first: int, record_property: Callable[[str, object], None]) -> None:
    FAMILY.check(range(first, first + CHUNK), record_property)


@pytest.mark.parametrize("seed", [232])
def test_lying_worlds_that_went_wrong_once(seed: int) -> None:
    """A commit was shown to its author as another's."""
    assert not FAMILY.outcome(seed)


@pytest.mark.xfail(
    strict=True, reason="who was put out there is not given the words of a half without a common entry"
)
def test_a_lying_world_that_still_goes_wrong() -> None:
    """By lies two orders share no entry; who gives in had put out who leads the other, and tells it nothing."""
    assert not FAMILY.outcome(WRONG)


def test_the_checks_notice_what_a_liar_is_given_of_the_time_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody remembers when somebody came in, and gives it all that it asks for."""
    monkeypatch.setattr(Healing, "since", lambda *_: 0)
    assert any(BEFORE in wrong for seed in BROKEN_WORLDS for wrong in FAMILY.outcome(seed))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(WORLDS, MANY_WORLDS, 5 * CHUNK))
def test_many_more_worlds_with_a_liar(first: int, record_property: Callable[[str, object], None]) -> None:
    end = min(first + 5 * CHUNK, MANY_WORLDS)
    for part in (range(first, min(end, WRONG)), range(max(first, WRONG + 1), end)):
        FAMILY.check(part, record_property)


if __name__ == "__main__":
    FAMILY.by_hand()
