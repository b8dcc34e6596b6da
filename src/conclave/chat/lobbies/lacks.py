"""Entries that somebody lacks, as ranges: the lowest first, apart from each other, both ends among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from conclave.chat.lobby_state import Lobby, Step

Ranges = tuple[tuple[int, int], ...]

RANGES = 64
"""So many are named; more are made fewer by naming what is between the first two as well."""


def known(lobby: Lobby) -> Ranges:
    """What we lack, as far as we know: what we could not open, or gave up, and what we ask for."""
    return both(lobby.ears.lost, lobby.healing.pull)


def none(lobby: Lobby, after: int, before: int) -> bool:
    """Whether we lack nothing, as far as we know, of what was said between two entries."""
    return (
        lobby.healing.step is Step.SOUND
        and lobby.order is not None
        and lobby.order.seq >= before - 1
        and not any_between(known(lobby), after, before)
    )


def added(ranges: Ranges, first: int, last: int) -> Ranges:
    """The same, and those from ``first`` to ``last``; nothing where that is no range."""
    if first > last:
        return ranges
    beside = [one for one in ranges if one[1] >= first - 1 and one[0] <= last + 1]
    whole = min([first, *(one[0] for one in beside)]), max([last, *(one[1] for one in beside)])
    found = tuple(sorted((*(one for one in ranges if one not in beside), whole)))
    return found if len(found) <= RANGES else ((found[0][0], found[1][1]), *found[2:])


def less(ranges: Ranges, other: Ranges) -> Ranges:
    """The same without those of ``other``."""
    for first, last in other:
        ranges = without(ranges, first - 1, last + 1)
    return ranges


def of_each(ranges: Mapping[str, Ranges], people: Iterable[str], first: int, last: int) -> dict[str, Ranges]:
    """The same, and for each of these ``people`` those from ``first`` to ``last``."""
    if first > last:
        return dict(ranges)
    return {**ranges, **{one: added(ranges.get(one, ()), first, last) for one in people}}


def until(ranges: Ranges, seq: int) -> Ranges:
    """The same up to entry ``seq``."""
    return tuple((first, min(last, seq)) for first, last in ranges if first <= seq)


def behind(ranges: Ranges, seq: int) -> Ranges:
    """The same behind entry ``seq``."""
    return tuple((max(first, seq + 1), last) for first, last in ranges if last > seq)


def of_each_until(ranges: Mapping[str, Ranges], seq: int) -> dict[str, Ranges]:
    """The same up to entry ``seq``, of whom any are left."""
    return {one: left for one, his in ranges.items() if (left := until(his, seq))}


def both(ranges: Ranges, more: Ranges) -> Ranges:
    """Those of either."""
    for first, last in more:
        ranges = added(ranges, first, last)
    return ranges


def without(ranges: Ranges, after: int, before: int) -> Ranges:
    """The same without what is between two entries; as it is where that is nothing, or would make too many."""
    left: list[tuple[int, int]] = []
    if after + 1 >= before:
        return ranges
    for first, last in ranges:
        left += [(first, min(last, after)), (max(first, before), last)]
    found = tuple((first, last) for first, last in left if first <= last)
    return found if len(found) <= max(RANGES, len(ranges)) else ranges


def between(ranges: Ranges) -> tuple[int, int]:
    """Between which entries all of them are; there is one range or more."""
    return ranges[0][0] - 1, ranges[-1][1] + 1


def any_between(ranges: Ranges, after: int, before: int) -> bool:
    """Whether any of them is between two entries."""
    return any(first < before and last > after for first, last in ranges)


def within(ranges: Iterable[tuple[int, int]], seq: int) -> bool:
    """Whether an entry is in one of them."""
    return any(first <= seq <= last for first, last in ranges)


def of(ranges: Ranges, items: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Those of the items, each with its entry, whose entries are in the ranges."""
    return [one for one in items if within(ranges, one[0])]
