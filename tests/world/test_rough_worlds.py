"""Rougher worlds (``rough``), which become one again as well, and of which the same holds.

Run one again: python -m tests.world.test_rough_worlds SEED
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.world.playing import Family
from tests.world.rough import RoughTown

WORLDS = 10
MANY_WORLDS = 510
CHUNK = 5
FAMILY = Family(RoughTown, "tests.world.test_rough_worlds")


@pytest.mark.parametrize("first", range(0, WORLDS, CHUNK))
def test_halves_suspensions_and_clocks_that_are_off_leave_one_lobby(
    first: int, record_property: Callable[[str, object], None]
) -> None:
    FAMILY.check(range(first, first + CHUNK), record_property)


@pytest.mark.parametrize("seed", [118, 467, 508, 866])
def test_rough_worlds_that_went_wrong_once(seed: int) -> None:
    assert not FAMILY.outcome(seed)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(WORLDS, MANY_WORLDS, 10 * CHUNK))
def test_many_more_rough_worlds(first: int, record_property: Callable[[str, object], None]) -> None:
    FAMILY.check(range(first, first + 10 * CHUNK), record_property)


if __name__ == "__main__":
    FAMILY.by_hand()
