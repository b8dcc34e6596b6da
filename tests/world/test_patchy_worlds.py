"""Patchy worlds (``patchy``), which become one again as well, and of which the same holds.

Run one again: python -m tests.world.test_patchy_worlds SEED
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.world.patchy import PatchyTown
from tests.world.playing import Family

WORLDS = 5
MANY_WORLDS = 305
CHUNK = 50
FAMILY = Family(PatchyTown, "tests.world.test_patchy_worlds")


def test_pairs_who_do_not_reach_each_other_leave_one_lobby(
    record_property: Callable[[str, object], None],
) -> None:
    FAMILY.check(range(WORLDS), record_property)


def test_who_came_from_a_backup_asks_no_faster_than_it_is_answered(
    record_property: Callable[[str, object], None],
) -> None:
    """Two vouched over and over for one who had left, and each time all were asked at once for keys."""
    FAMILY.check(range(122, 123), record_property)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(WORLDS, MANY_WORLDS, CHUNK))
def test_many_more_patchy_worlds(first: int, record_property: Callable[[str, object], None]) -> None:
    FAMILY.check(range(first, first + CHUNK), record_property)


if __name__ == "__main__":
    FAMILY.by_hand()
