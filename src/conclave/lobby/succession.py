"""Who leads when the leader is gone: the next in the order of succession that can be reached takes the next term.

The succession is the group's own: its deputies first, then the members by their leaves, so that everybody computes
the same. A member that has not heard its leader for ``silence`` seconds takes it for lost. It then wants links to
the first few candidates; a candidate wants links to everybody, collects what those who are linked have, and takes
the term when nobody before it in the succession can be reached. With every ``step`` without a new leader a further
candidate may. Whoever reaches nobody waits, for there is nobody to lead; only the last one who is not to be put out
leads alone. Left out: links, and what a term says (``chat``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from conclave.values import dataclass

CANDIDATES = 3
"""So many candidates, the first ones, are dialled at once."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds.

    ``beat``: how often a leader is to be heard; ``silence``: when it is taken for lost; ``gather``: what a candidate
    waits for links at least; ``step``: how much longer each later candidate waits.
    """

    beat: float = 3.0
    silence: float = 10.0
    gather: float = 1.5
    step: float = 2.0


def dialled(succession: Sequence[str], me: str, lost_for: float, patience: Patience) -> frozenset[str]:
    """Whom to have links to while the leader is lost. ``succession`` is without the leader, and with us."""
    reach = CANDIDATES * (1 + int(max(0.0, lost_for) // (patience.step * CANDIDATES + patience.gather)))
    candidates = succession[:reach]
    return frozenset(succession if me in candidates else candidates) - {me}


def is_our_turn(
    succession: Sequence[str],
    me: str,
    linked: Collection[str],
    lost_for: float,
    patience: Patience,
    *,
    behind: bool,
    handed: bool = False,
) -> bool:
    """Whether to take the term, now that the leader has been lost for ``lost_for`` seconds.

    ``behind``: somebody linked has more, which is fetched first, for a while. ``handed``: the leader itself leaves,
    so that even who reaches nobody else takes the term.
    """
    if list(succession) == [me]:  # the others are to be put out, and nobody else is there to do it
        turn = patience.beat + patience.gather  # who came in behind what we have, and leads, is heard by then
    elif me not in succession or not (handed or any(one in linked for one in succession if one != me)):
        return False
    else:
        place = succession.index(me)
        before = sum(one in linked for one in succession[:place])
        turn = patience.gather + patience.step * min(place, before + CANDIDATES - 1) + 2 * patience.step * before
    return lost_for >= turn + (2 * patience.step if behind else 0.0)
