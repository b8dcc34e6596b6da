"""Ranges of entries that somebody lacks."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from conclave.chat.lobbies.lacks import RANGES, Ranges, added, without

ends = st.tuples(st.integers(1, 40), st.integers(1, 40))


def places(ranges: Ranges) -> set[int]:
    return {place for first, last in ranges for place in range(first, last + 1)}


@given(st.lists(ends, max_size=9), ends)
def test_ranges_are_those_of_the_entries_in_them_apart_and_in_their_order(
    some: list[tuple[int, int]], cut: tuple[int, int]
) -> None:
    ranges: Ranges = ()
    for first, last in some:
        ranges = added(ranges, first, last)
    assert places(ranges) == places(tuple(some))
    for found in (ranges, without(ranges, *cut)):
        assert all(first <= last for first, last in found)
    assert all(one[1] + 1 < other[0] for one, other in pairwise(ranges))
    assert places(without(ranges, *cut)) == places(ranges) - set(range(cut[0] + 1, cut[1]))


def test_of_too_many_ranges_more_is_said_to_lack_and_never_less() -> None:
    ranges: Ranges = ()
    for first in range(1, 4 * RANGES, 2):
        ranges = added(ranges, first, first)
    assert len(ranges) == RANGES
    assert places(ranges) > set(range(1, 4 * RANGES, 2))
