"""Signs at a line, and when who said the last of each: so that old words of somebody, heard again, change nothing.

What was taken off leaves its time behind. Of one person the last few are kept; below the newest one that went, what
is said of other signs counts as too old. Left out: keeping all this (``memory_history``, ``peer_rows``).
"""

from __future__ import annotations

from collections.abc import Mapping

SIGNS_OF_ONE = 8
"""Different signs that one person may put at one line; of as many taken off the time is kept."""
SIGNS_OF_ALL = 64
"""Different signs at one line."""

Reactions = tuple[tuple[str, ...], ...]
"""Signs at a line, sorted; each with who put it, sorted."""
Times = Mapping[str, tuple[float, Mapping[str, float]]]
"""By who said it: up to when all else is too old, and when the last was said of each sign."""

NEVER = -1.0
"""Before all times."""


def reacted(
    reactions: Reactions, times: Times, by: str, sign: str, at: float, *, on: bool
) -> tuple[Reactions, Times]:
    """Both with ``by``'s ``sign`` put or taken off; the same where it is too old, or one too many."""
    floor, known = times.get(by, (NEVER, {}))
    last = known.get(sign, floor)
    if at < last or (at == last and (on or sign not in known)):
        return reactions, times
    signs = {one: set(people) for one, *people in reactions}
    if on and by not in signs.get(sign, ()):
        full = sign not in signs and len(signs) >= SIGNS_OF_ALL
        if full or sum(by in people for people in signs.values()) >= SIGNS_OF_ONE:
            return reactions, times
        signs.setdefault(sign, set()).add(by)
    elif not on:
        signs.get(sign, set()).discard(by)
    known = {**known, sign: at}
    off = sorted((said, one) for one, said in known.items() if by not in signs.get(one, ()))
    for said, one in off[:-SIGNS_OF_ONE]:
        floor = max(floor, said)
        del known[one]
    kept = tuple((one, *sorted(people)) for one, people in sorted(signs.items()) if people)
    return kept, {**times, by: (floor, known)}
