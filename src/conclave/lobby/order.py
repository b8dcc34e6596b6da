"""Where a lobby's order stands, and by which leaders it came there: what halves compare when they meet.

An order is a chain of entries in *runs*: what one leader ordered in one term. A leader orders one chain in a term,
so two members who both know a run have the same entries up to the shorter of its two ends, and the newest run that
both know tells where their orders part. Of two orders the one of the higher term counts, then the one whose leader
comes first in the succession.

All of this is blind: of an entry it needs the sender, the sender's number, the epoch and the kind. Left out: who
gets entries (``lobby.followers``), when a term begins (``lobby.succession``), and what entries say (``chat``).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from hashlib import sha256

from conclave.errors import VerificationError
from conclave.lobby import chain
from conclave.lobby.shelf import Shelf
from conclave.values import dataclass, field, replace
from conclave.wire.limits import HASH_BYTES
from conclave.wire.order import LAST_SEQ, RUNS, EntryKind, Head, Ordered, Run, encode_ordered

RECENT = 64
"""Hashes of the latest entries that are kept in memory, to compare with the heads that others name."""
LAST_TERM = 1 << 31
"""No honest lobby has so many leaders; whoever claims more leads nobody."""
FAR = 1 << 40
"""How many entries more than ours a member may claim: far too few to use up ``LAST_SEQ`` by a lie."""
FIRST_EACH_SECOND = 1 << 29
"""So many entries more a newcomer believes for each second since 1970; half of all that there are it leaves."""
WORDS_BYTES = 512 * 1024
"""No honest words are longer, those that share others' neither; much longer ones fit no envelope."""


@dataclass(frozen=True, slots=True)
class Order:
    """A position in a lobby's order. ``runs`` are the latest ones, the newest first; never empty.

    ``epoch`` counts the group's commits; ``numbers`` are the last that were ordered of each sender, as it said
    itself. ``doubted`` are places and names of the latest entries whose numbers nobody proved. ``recent`` and
    ``doubted`` are not kept on disk.
    """

    group: bytes
    seq: int
    hash: bytes
    runs: tuple[Run, ...]
    epoch: int = 0
    numbers: Shelf[str, int] = field(default_factory=Shelf)
    recent: tuple[tuple[int, bytes], ...] = ()
    base: int = 0  # entries up to this one are not kept here: we came in by it
    doubted: tuple[tuple[int, bytes], ...] = ()

    @property
    def run(self) -> Run:
        """The present run."""
        return self.runs[0]


def part(order: Order, seq: int) -> Head:
    """What somebody who is not in any more may know: the order up to entry ``seq``, and no hash but that one's.

    And who leads now, in which term, by which it sees whose order counts.
    """
    runs = tuple(replace(run, last=min(run.last, seq)) for run in order.runs if run.first <= seq)
    if order.run.first > seq:
        now = order.run if runs else order.runs[-1]
        runs = (replace(now, first=seq + 1, last=seq), *runs)[:RUNS]
    return Head(order.group, seq, dict(order.recent).get(seq, bytes(HASH_BYTES)), runs)


class Place(Enum):
    """What is numbered, a post or something that is handed in, is to whoever takes it."""

    NEXT = "next"
    REPEATED = "repeated"
    AHEAD = "ahead"


def begin(group: bytes, leader: str) -> Order:
    """An order without entries, of term 1."""
    return Order(group, 0, chain.start(group, leader), (Run(1, 0, leader, 1, 0),))


def head(order: Order) -> Head:
    """How far the order goes, for others."""
    return Head(order.group, order.seq, order.hash, order.runs)


def handed_in(order: Order, sender: str, base: int, number: int, name: bytes = b"") -> Place:
    """Where what ``sender`` hands in under ``number`` stands; below ``base`` it hands in nothing any more.

    ``name`` is as ``name_of`` gives it.
    """
    if not 1 <= base <= number:
        return Place.AHEAD
    last = max(order.numbers.get(sender) or 0, base - 1)
    if number <= last or any(name == one for _, one in order.doubted):
        return Place.REPEATED
    return Place.NEXT if number == last + 1 else Place.AHEAD


def write(
    order: Order, sender: str, number: int, epoch: int, kind: EntryKind, payload: bytes
) -> tuple[Order, Ordered, bytes]:
    """Give something that its sender itself handed in the next place.

    The order after it, the entry, and the entry as it is stored and hashed.
    """
    entry = Ordered(order.group, order.run.term, order.seq + 1, order.hash, sender, number, epoch, kind, payload)
    encoded = encode_ordered(entry)
    return counted(_extended(order, entry, encoded), entry), entry, encoded


def new_term(order: Order, run: Run) -> Order:
    """The next entry will be the first of ``run``."""
    present = order.runs if order.run.first <= order.run.last else order.runs[1:]
    run = replace(run, first=order.seq + 1, last=order.seq)
    return replace(order, runs=(run, *present)[:RUNS])


def take(order: Order, entry: Ordered) -> tuple[Order, bytes]:
    """The next entry, taken: the order after it, and the entry as it is stored.

    Whose it is, and under which number, is the leader's word until it is ``counted``. The first entry of a term has
    its leader's rank where others have their epoch. Raises ``VerificationError`` where it does not follow what we
    have.
    """
    if entry.seq != order.seq + 1 or entry.seq > LAST_SEQ:
        raise VerificationError(f"entry {entry.seq} where {order.seq + 1} is the next", reason="wrong-place")
    if entry.previous != order.hash:
        raise VerificationError(
            f"entry {entry.seq} does not follow what we have: two different orders are shown",
            reason="forked",
            remedy="compare your check words with the others: conclave lobby who",
        )
    if entry.kind is EntryKind.TERM and order.run.term < entry.term <= LAST_TERM:
        rank = min(entry.epoch, 0xFFFFFFFF)
        order = new_term(order, Run(entry.term, rank, entry.sender, entry.seq, entry.seq))
    elif entry.term != order.run.term or entry.kind is EntryKind.TERM:
        raise VerificationError(f"an entry of term {entry.term} in term {order.run.term}", reason="wrong-term")
    if entry.kind is not EntryKind.COMMIT and len(entry.payload) > WORDS_BYTES:  # nothing behind it would be mailed
        raise VerificationError(f"entry {entry.seq} is larger than any words", reason="too-large")
    encoded = encode_ordered(entry)
    doubt = (entry.seq, name_of(entry.sender, entry.number, entry.epoch, entry.kind, entry.payload))
    return replace(_extended(order, entry, encoded), doubted=(*order.doubted[1 - RECENT :], doubt)), encoded


def counted(order: Order, entry: Ordered) -> Order:
    """The entry just taken is its sender's, under that number: what it hands in up to there is a repetition.

    A number that is believed without proof lets whoever leads make anybody mute.
    """
    doubted = tuple(one for one in order.doubted if one[0] != entry.seq)
    numbers = order.numbers
    if entry.number > (numbers.get(entry.sender) or 0):
        numbers = numbers.put(entry.sender, entry.number)
    return replace(order, numbers=numbers, doubted=doubted)


def begun_anew(order: Order, senders: Iterable[str]) -> Order:
    """These entered anew: their numbers begin where they say, be it lower by a clock that was set right since."""
    numbers = order.numbers
    for sender in senders:
        numbers = numbers.drop(sender)
    return replace(order, numbers=numbers)


def name_of(sender: str, number: int, epoch: int, kind: EntryKind, payload: bytes) -> bytes:
    """By what something that is handed in is known again (32 bytes) where its number is not believed."""
    head = b"".join(one.to_bytes(8) for one in (number, epoch, kind, len(payload)))
    return sha256(head + payload + sender.encode()).digest()


def _extended(order: Order, entry: Ordered, encoded: bytes) -> Order:
    digest = chain.link(encoded)
    run = order.run
    runs = (Run(run.term, run.rank, run.leader, run.first, entry.seq), *order.runs[1:])
    recent = (*order.recent[1 - RECENT :], (entry.seq, digest))
    return Order(
        order.group, entry.seq, digest, runs, order.epoch, order.numbers, recent, order.base, order.doubted
    )  # fmt: skip


def parting(ours: Order, theirs: Head) -> int:
    """The last entry that our order and another have in common; -1: none is known.

    One leader may have shown us another entry than others: then it is one before, or less.
    """
    for run in ours.runs:
        for other in theirs.runs:
            if same(run, other) and run.first == other.first:
                common = min(run.last, other.last, ours.seq, theirs.seq)
                last = common == theirs.seq and theirs.hash != bytes(HASH_BYTES)  # else its hash is not told
                return common - 1 if last and contradicts(ours, other, common, theirs.hash) else common
    return -1


def demand_near(ours: Order | None, seq: int, epoch: int, now: float) -> None:
    """Raise ``VerificationError`` where no order is entered at entry ``seq``, with keys of ``epoch``.

    A newcomer has no order of its own: what it believes grows faster than any order, so that one may come in later,
    too, wherever it began. Each epoch is begun by an entry; halves that went on alone lost some of those.
    """
    most = LAST_SEQ // 4 + int(now) * FIRST_EACH_SECOND if ours is None else ours.seq + FAR
    if seq > most or epoch > seq + FAR:
        raise VerificationError("no lobby comes to so many entries so soon", reason="bad-place")


def continued(ours: Order, theirs: Head) -> tuple[Run, ...]:
    """The terms of another order that we come into: those before the last one in common are as we have them.

    Where none is in common, its leader's word is all that is known, and only the present one is taken.
    """
    for at, run in enumerate(ours.runs):
        for newer, other in enumerate(theirs.runs):
            if same(run, other) and run.first == other.first:
                return (*theirs.runs[: newer + 1], *ours.runs[at + 1 :])[:RUNS]
    return theirs.runs[:1] if ours.seq else theirs.runs


def from_the_first(order: Order | Head) -> bool:
    """Whether all leaders are known that an order ever had."""
    return order.runs[-1].first == 1


def counts_before(run: Run, other: Run) -> bool:
    """Whether the order whose present run is ``run`` counts first: higher term, then lower rank, then name."""
    if (run.term, run.rank) == (other.term, other.rank):
        return run.leader < other.leader
    return (run.term, -run.rank) > (other.term, -other.rank)


def same(run: Run, other: Run) -> bool:
    """Whether two runs are of one leader in one term."""
    return (run.term, run.rank, run.leader) == (other.term, other.rank, other.leader)


def rewind(order: Order, seq: int, digest: bytes, epoch: int, cut: Iterable[tuple[str, int]]) -> Order:
    """The order as it was at entry ``seq``, of that hash, in that epoch.

    ``cut`` are the entries behind it: who handed them in, under which number.
    """
    numbers = order.numbers
    for sender, number in cut:
        known = numbers.get(sender)
        if known is not None:
            numbers = numbers.put(sender, min(known, max(0, number - 1)))
    kept = tuple(run for run in order.runs if run.first <= seq) or order.runs[-1:]
    # A head may name an entry from before the oldest run that we know.
    runs = tuple(replace(run, first=min(run.first, seq + 1), last=min(run.last, seq)) for run in kept)
    recent = tuple(one for one in order.recent if one[0] <= seq)
    doubted = tuple(one for one in order.doubted if one[0] <= seq)
    base = min(order.base, seq)  # what comes from here on is kept
    return Order(order.group, seq, digest, runs, epoch, numbers, recent, base, doubted)


def has(order: Order, run: Run, seq: int) -> bool:
    """Whether entry ``seq`` of ``run`` is one of the order, as far as we know its leaders."""
    return any(known.first <= seq <= known.last and same(known, run) for known in order.runs)


def contradicts(order: Order, run: Run, seq: int, digest: bytes) -> bool:
    """Whether somebody was shown another entry ``seq`` in ``run`` than we; False also where we cannot tell.

    The hashes that are kept are of entries that follow one another.
    """
    ours = next((known for known in order.runs if known.first <= seq <= known.last), None)
    if ours is None or not same(ours, run):
        return False
    at = seq - order.recent[0][0] if order.recent else -1
    if not 0 <= at < len(order.recent):
        return False
    number, known = order.recent[at]
    return number == seq and known != digest
