"""Which of its authors' numbered messages a record has, and which are missing.

Whoever comes into a lobby counts its messages from 1: into another one of the same name, or into the same one anew.
So an author's numbers are looked at by device and *stay*. A lobby's group has one stay or more; of a pair the groups
do not matter, as its numbers go on in the next one. Only a commit brings somebody in, so nobody counts anew within an
epoch: two messages under one number there are their author's fault. Left out: who signed what (``transcript_proof``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import count, pairwise

from conclave.chat.words.content import Content
from conclave.mls.group import Said

GAPS_MOST = 1000
"""Stretches of missing numbers that are told."""

Gap = tuple[str, str, int, int]
"""Messages that are not in the record: author, device, first number, last number."""
_Device = tuple[str, str, bytes]
"""Whose: author, device, and of a lobby the group."""


class Numbers:
    """Those of one record."""

    def __init__(self, conversation: str) -> None:
        """None yet."""
        self._lobby = conversation.startswith("#")
        self._seen: dict[_Device, list[tuple[float, int]]] = {}  # when it was said, and the number
        self._epochs: set[tuple[_Device, bytes, bytes, int]] = set()

    def see(self, author: str, device: str, said: Said, content: Content) -> bool:
        """Take one in. Whether no other has its number: of two the first counts. 0 is a number that nobody counts."""
        whose = (author, device, said.group_id if self._lobby else b"")
        if not content.count:
            return True
        place = (whose, said.group_id, said.transcript_hash, content.count)
        if place in self._epochs:
            return False
        self._epochs.add(place)
        self._seen.setdefault(whose, []).append((content.sent, content.count))
        return True

    def gaps(self) -> list[Gap]:
        """What is missing between the first and the last of each stay, in order."""
        found: list[Gap] = []
        for (author, device, _), seen in sorted(self._seen.items()):
            for stay in _stays(sorted(seen)):
                for before, after in pairwise(sorted(stay)):
                    if after > before + 1:
                        found.append((author, device, before + 1, after - 1))
        return found


def told(gaps: Sequence[Gap]) -> list[Gap]:
    """``GAPS_MOST`` of them at most: of each author as many as of any other, so nobody hides what others lack."""
    if len(gaps) <= GAPS_MOST:
        return list(gaps)
    of: defaultdict[str, count[int]] = defaultdict(count)
    turns = sorted(range(len(gaps)), key=[next(of[author]) for author, *_ in gaps].__getitem__)
    return [gaps[one] for one in sorted(turns[:GAPS_MOST])]


def _stays(seen: list[tuple[float, int]]) -> list[set[int]]:
    """The numbers by stay: another one begins where they fell last before one of them comes again.

    Not wherever they fall: an author's clock may be set back.
    """
    stays: list[set[int]] = []
    since: dict[int, int] = {}  # where each number of this stay stands
    fell = 0
    for at, (_, number) in enumerate(seen):
        if at and number <= seen[at - 1][1]:
            fell = at
        if number in since:
            begun = fell if fell > since[number] else at
            stays.append({one for one, where in since.items() if where < begun})
            since = {one: where for one, where in since.items() if where >= begun}
        since[number] = at
    return [*stays, set(since)]
