"""Fetching one file from whoever has it: what is missing, who is asked for what, and how far ahead.

A machine without IO. Whoever drives it tells which sources are there, hands in what arrives, checks on a thread what
is to be checked (``tree.check_leaves``, ``offer.open_chunk``), reports how that went, sends ``asks``, and calls
``tick`` when ``timer`` is due. Time is any clock in seconds that does not step.

::

    LEAVES --trust--> CHUNKS --last chunk kept--> WHOLE

LEAVES: one source at a time gives the list of leaf hashes, so that a list that does not have the root is one
source's lie. CHUNKS: each chunk is *missing*, *asked* for, *held* (arrived, being checked and written) or *kept*.

A source's window follows its answers: it grows while they come within ``PROMPT_SECONDS`` and shrinks while they do
not, so that what waits on its link, chat messages among it, waits behind little of a file. Near the end, idle sources
are asked for what slow ones owe. A source that is silent rests, longer each time; one that sent what is not the file
is not asked again. Left out: what is done with the bytes (``node.files.fetching``).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from conclave.files.limits import FileLimits
from conclave.files.offer import Offered
from conclave.files.tree import LeafList
from conclave.values import dataclass, field
from conclave.wire.files import ASK_CHUNKS, ASK_LEAVES, DIGEST_BYTES, Ask, Chunk, Leaves, Part, Why

HELD_CHUNKS = 128
"""Chunks of one file that are asked for or being written at once, from all sources together (8 MiB)."""
FIRST_WINDOW = 4
PROMPT_SECONDS = 0.25
"""An answer that takes longer than this has waited behind others: the window shrinks."""
REST_SECONDS = {Why.UNKNOWN: 60.0, Why.BUSY: 1.0, Why.CHANGED: 600.0, Why.OTHER: 60.0}
"""How long a source is left alone after it lacked something."""
MOST_REST_SECONDS = 600.0
_REASKED = 2


class State(IntEnum):
    """Where a chunk stands."""

    MISSING = 0
    ASKED = 1
    HELD = 2
    KEPT = 3


@dataclass(slots=True)
class _Source:
    window: float = FIRST_WINDOW
    owes: dict[int, float] = field(default_factory=dict)  # chunk: when it was asked for
    late: set[int] = field(default_factory=set)  # asked for, then asked of others: welcome all the same
    heard: float = 0.0
    rests_until: float = 0.0
    silences: int = 0
    lacks: Why | None = None


class Fetch:
    """One file on its way to us."""

    def __init__(self, offered: Offered, limits: FileLimits) -> None:
        self.offered = offered
        self._limits = limits
        self._chunks = bytearray(offered.chunks)
        self._scan = 0  # below it nothing is missing
        self._kept = 0
        self._busy = 0  # asked or held
        self._leaves: LeafList | None = None
        self._joined = bytearray()
        self._asked_leaves: tuple[str, float] | None = None
        self.checking = ""
        """Whose list of leaves is being checked."""
        self._sources: dict[str, _Source] = {}
        self._liars: set[str] = set()

    # How far it is.

    @property
    def kept_bytes(self) -> int:
        """Plain bytes that are on disk and checked."""
        return min(self._kept * self.offered.chunk, self.offered.size)

    @property
    def whole(self) -> bool:
        """Whether every chunk is kept."""
        return self._leaves is not None and self._kept == len(self._chunks)

    @property
    def leaves(self) -> LeafList | None:
        """The leaves, once they are checked."""
        return self._leaves

    @property
    def sources(self) -> list[str]:
        """Who is asked, or will be after a rest."""
        return list(self._sources)

    def awake(self, now: float) -> bool:
        """Whether anybody can be asked now, or owes something."""
        return any(source.rests_until <= now for source in self._sources.values())

    def lacking(self) -> dict[str, Why]:
        """Which sources said that they lack the file, and why."""
        return {peer: source.lacks for peer, source in self._sources.items() if source.lacks is not None}

    # Sources come and go.

    def found(self, peer: str, now: float) -> None:
        """A peer that may have the file can be asked."""
        if peer not in self._sources and peer not in self._liars:
            self._sources[peer] = _Source(heard=now)

    def lost(self, peer: str) -> None:
        """The link to a peer ended: what it owes is missing again."""
        source = self._sources.pop(peer, None)
        if source is None:
            return
        for number in source.owes:
            self._again(number)
        if self._asked_leaves is not None and self._asked_leaves[0] == peer:
            self._asked_leaves = None
            self._joined.clear()

    def lied(self, peer: str) -> None:
        """A peer sent what is not the file: it is not asked again."""
        self._liars.add(peer)
        self.lost(peer)

    def lacked(self, peer: str, why: Why, now: float) -> None:
        """A peer has nothing for us for now: it rests, and what it owes is missing again."""
        source = self._sources.get(peer)
        if source is not None:
            rest = max(source.rests_until, now + REST_SECONDS[why])
            silences = source.silences
            self.lost(peer)
            self._sources[peer] = _Source(heard=now, rests_until=rest, silences=silences, lacks=why)

    # What arrives.

    def leaves_arrived(self, peer: str, frame: Leaves, now: float) -> bytes | None:
        """Take leaf hashes; the joined list once all are there, for ``check_leaves`` and then ``trust``."""
        source = self._sources.get(peer)
        if source is None or self._asked_leaves is None or self._asked_leaves[0] != peer:
            return None
        have = len(self._joined) // DIGEST_BYTES
        count = len(frame.hashes) // DIGEST_BYTES
        if frame.first != have or count != min(ASK_LEAVES, len(self._chunks) - have):
            return None  # the late answer to an earlier ask, at best
        source.heard, source.lacks = now, None
        self._joined += frame.hashes
        self._asked_leaves = None
        if have + count < len(self._chunks):
            self._asked_leaves = (peer, 0.0)  # the same goes on: asked with the next asks
            return None
        self.checking = peer
        return bytes(self._joined)

    def trust(self, leaves: LeafList, kept: Iterable[int] = ()) -> None:
        """The list holds, whoever gave it; the chunks of ``kept`` are on disk from an earlier life."""
        self._leaves = leaves
        self._joined.clear()
        self._asked_leaves = None
        self.checking = ""
        for number in kept:
            self._chunks[number] = State.KEPT
            self._kept += 1

    def mistrust(self) -> None:
        """The list that was checked does not have the root."""
        peer, self.checking = self.checking, ""
        self._joined.clear()
        self.lied(peer)

    def chunk_arrived(self, peer: str, frame: Chunk, now: float) -> bytes | None:
        """Take a chunk; the leaf (32 bytes) to check it against, or None where it is not wanted (any more)."""
        source = self._sources.get(peer)
        if source is None or self._leaves is None:
            return None
        number = frame.number
        asked = source.owes.pop(number, None)
        if asked is None:
            if number not in source.late:
                return None
            source.late.discard(number)
        else:
            self._pace(source, now - asked)
        source.heard, source.silences, source.lacks = now, 0, None
        state = self._chunks[number]
        if state >= State.HELD:
            return None
        if state == State.MISSING:
            self._busy += 1
        self._chunks[number] = State.HELD
        return self._leaves[number]

    def kept(self, number: int) -> None:
        """A chunk was checked and written."""
        if self._chunks[number] == State.HELD:
            self._chunks[number] = State.KEPT
            self._kept += 1
            self._busy -= 1

    def wrong(self, peer: str, number: int) -> None:
        """A chunk from ``peer`` is not the one that was offered."""
        if self._chunks[number] == State.HELD:
            self._chunks[number] = State.MISSING
            self._busy -= 1
            self._scan = min(self._scan, number)
        self.lied(peer)

    # What to ask, and when.

    def asks(self, now: float) -> list[tuple[str, Ask]]:
        """What to ask whom now; it counts as asked."""
        if self.checking or self.whole:
            return []
        if self._leaves is None:
            return self._ask_leaves(now)
        given: list[tuple[str, Ask]] = []
        ready = sorted(
            ((peer, s) for peer, s in self._sources.items() if s.rests_until <= now),
            key=lambda each: len(each[1].owes),
        )
        for peer, source in ready:
            room = min(int(source.window) - len(source.owes), HELD_CHUNKS - self._busy)
            if room <= 0 or (room < source.window / 2 and source.owes):
                continue
            numbers = self._missing(room) or self._owed_by_others(peer, room, now)
            if numbers and not source.owes:
                source.heard = now
            for number in numbers:
                source.owes[number] = now
            given += ((peer, ask) for ask in _runs(self.offered.root, numbers))
        return given

    def tick(self, now: float) -> None:
        """Time passed: whoever is silent for too long rests, and others get its share."""
        patience = self._limits.patience_seconds
        for peer, source in list(self._sources.items()):
            if source.rests_until <= now:
                source.rests_until = 0.0
            waits = bool(source.owes) or (self._asked_leaves is not None and self._asked_leaves[0] == peer)
            if not waits or now < source.heard + patience:
                continue
            rest = min(MOST_REST_SECONDS, patience * 2**source.silences)
            late = set(source.owes) | source.late
            silences = source.silences + 1
            self.lost(peer)
            self._sources[peer] = _Source(
                window=1, heard=now, rests_until=now + rest, silences=silences, late=late if silences == 1 else set()
            )

    def timer(self) -> float | None:
        """When to call ``tick`` and ``asks`` though nothing happens, or None."""
        due = [s.heard + self._limits.patience_seconds for s in self._sources.values() if s.owes]
        if self._asked_leaves is not None and (source := self._sources.get(self._asked_leaves[0])):
            due.append(source.heard + self._limits.patience_seconds)
        due += [s.rests_until for s in self._sources.values() if s.rests_until and not s.owes]
        return min(due, default=None)

    # How it works.

    def _pace(self, source: _Source, took: float) -> None:
        step = 1.0 if took < PROMPT_SECONDS else -0.5
        source.window = max(1.0, min(source.window + step, self._limits.window_chunks))

    def _ask_leaves(self, now: float) -> list[tuple[str, Ask]]:
        if self._asked_leaves is not None and self._asked_leaves[1]:
            return []
        if self._asked_leaves is not None:
            peer = self._asked_leaves[0]
        else:
            self._joined.clear()
            ready = [peer for peer, source in self._sources.items() if source.rests_until <= now]
            if not ready:
                return []
            peer = min(ready, key=lambda each: self._sources[each].silences)
        first = len(self._joined) // DIGEST_BYTES
        self._asked_leaves = (peer, now or 1e-9)
        self._sources[peer].heard = now
        count = min(ASK_LEAVES, len(self._chunks) - first)
        return [(peer, Ask(self.offered.root, Part.LEAVES, first, count))]

    def _missing(self, most: int) -> list[int]:
        found: list[int] = []
        at = self._scan
        while len(found) < most and (at := self._chunks.find(State.MISSING, at)) >= 0:
            self._chunks[at] = State.ASKED
            found.append(at)
            at += 1
        self._scan = len(self._chunks) if at < 0 else at
        self._busy += len(found)
        return found

    def _owed_by_others(self, peer: str, most: int, now: float) -> list[int]:
        """Near the end: what others owe for longest, each asked of two at most."""
        owed: dict[int, float] = {}
        owers: dict[int, int] = {}
        for other, source in self._sources.items():
            for number, asked in source.owes.items():
                owers[number] = owers.get(number, 0) + (_REASKED if other == peer else 1)
                owed[number] = min(asked, owed.get(number, now))
        slow = [n for n, asked in owed.items() if owers[n] < _REASKED and now - asked > PROMPT_SECONDS]
        return sorted(sorted(slow, key=owed.__getitem__)[:most])

    def _again(self, number: int) -> None:
        """A chunk that a lost source owed is missing, unless somebody else owes it too."""
        if self._chunks[number] == State.ASKED and not any(number in s.owes for s in self._sources.values()):
            self._chunks[number] = State.MISSING
            self._busy -= 1
            self._scan = min(self._scan, number)


def _runs(root: bytes, numbers: list[int]) -> list[Ask]:
    """As few asks as there are runs of neighbours."""
    asks: list[Ask] = []
    first, count = 0, 0
    for number in [*numbers, -1]:
        if count and number == first + count and count < ASK_CHUNKS:
            count += 1
            continue
        if count:
            asks.append(Ask(root, Part.CHUNKS, first, count))
        first, count = number, 1
    return asks
