"""Which of an author's counted messages lack, as ranges: an author that jumps costs one range, not one for each.

Left out: when messages are counted (``chat.lobbies.opening``, ``chat.lobbies.sharing``), and when people are told
(``chat.lobbies.receipts``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conclave.values import dataclass, replace

GAPS_OF_ONE = 64
"""Ranges of one author that are remembered; what lacks beyond them is not told."""
GAPS_OF_ALL = 1024
"""Ranges of all authors of a lobby: nobody's gaps are forgotten because of another's who has more."""
RANGES_TOLD = 8
"""Ranges that are told by number; the others by how many they are."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages ``first`` to ``last`` of an author lack since ``since`` (UNIX seconds; 0: before our start)."""

    first: int
    last: int
    since: float


Gaps = Mapping[str, tuple[Gap, ...]]
"""By author, in order of their numbers."""


def opened(gaps: Gaps, author: str, gap: Gap) -> Gaps:
    """The same with another gap behind those of the author. Where they are too many, who has most loses its last."""
    there = gaps.get(author, ())
    if len(there) >= GAPS_OF_ONE:
        return gaps
    return _bounded({**gaps, author: (*there, gap)})


def filled(gaps: Gaps, author: str, count: int) -> Gaps:
    """The same where a message came after all."""
    there = gaps.get(author, ())
    if not any(gap.first <= count <= gap.last for gap in there):
        return gaps
    left: list[Gap] = []
    for gap in there:
        if not gap.first <= count <= gap.last:
            left.append(gap)
            continue
        if gap.first < count:
            left.append(replace(gap, last=count - 1))
        if count < gap.last:
            left.append(replace(gap, first=count + 1))
    return _bounded(_with(gaps, author, left[:GAPS_OF_ONE]))


def dated(gaps: Gaps, now: float) -> Gaps:
    """The same where those of before we were started lack since ``now``: what fills them could not come before."""
    if all(gap.since for there in gaps.values() for gap in there):
        return gaps
    return {author: tuple(replace(gap, since=gap.since or now) for gap in there) for author, there in gaps.items()}


def split(gaps: Gaps, now: float, after: float) -> tuple[Gaps, Gaps]:
    """Those that lack for ``after`` seconds or longer at ``now`` (UNIX seconds), and the others."""
    late: Gaps = {}
    rest = gaps
    for author, there in gaps.items():
        old = [gap for gap in there if now - gap.since >= after]
        if old:
            late = {**late, author: tuple(old)}
            rest = _with(rest, author, [gap for gap in there if now - gap.since < after])
    return late, rest


def oldest(gaps: Gaps) -> float:
    """Since when the first of them lacks (UNIX seconds)."""
    return min(gap.since for there in gaps.values() for gap in there)


def numbers(gaps: Sequence[Gap]) -> str:
    """As people read them: ``2, 5 to 9 and 30 more``."""
    told = ", ".join(
        str(gap.first) if gap.first == gap.last else f"{gap.first} to {gap.last}" for gap in gaps[:RANGES_TOLD]
    )
    more = sum(gap.last - gap.first + 1 for gap in gaps[RANGES_TOLD:])
    return f"{told} and {more} more" if more else told


def _bounded(gaps: Gaps) -> Gaps:
    if sum(map(len, gaps.values())) <= GAPS_OF_ALL:
        return gaps
    most = max(gaps, key=lambda one: len(gaps[one]))
    return _with(gaps, most, gaps[most][:-1])


def _with(gaps: Gaps, author: str, left: Sequence[Gap]) -> Gaps:
    if left:
        return {**gaps, author: tuple(left)}
    return {name: there for name, there in gaps.items() if name != author}
