"""Worlds with a member that lies to the end (``stubborn``): it is shut out, and leaves the others one lobby.

Run one again: python -m tests.world.test_stubborn_worlds SEED.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.world.playing import Family
from tests.world.stubborn import StubbornTown

WORLDS = 10
MANY_WORLDS = 1000
CHUNK = 50
FAMILY = Family(StubbornTown, "tests.world.test_stubborn_worlds")


def test_who_lies_to_the_end_leaves_the_others_one_lobby(record_property: Callable[[str, object], None]) -> None:
    FAMILY.check(range(WORLDS), record_property)


@pytest.mark.parametrize("seed", [785, 722, 234, 1521])
def test_stubborn_worlds_that_went_wrong_once(seed: int) -> None:
    """A newcomer followed somebody who never was in, as its Welcome said; a leader was asked for nothing any more;
    an order that began anew by lies was taken to go on from the old places: what was said in it was not asked for."""
    assert not FAMILY.outcome(seed)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(WORLDS, MANY_WORLDS, CHUNK))
def test_many_more_worlds_with_a_stubborn_liar(first: int, record_property: Callable[[str, object], None]) -> None:
    FAMILY.check(range(first, min(first + CHUNK, MANY_WORLDS)), record_property)


if __name__ == "__main__":
    FAMILY.by_hand()
