"""Frames of a lobby's order: entries pushed by its leader, repaired by fetch, and what joins its halves again.

Left out: what makes a chain of the entries (``lobby.order``), who may send what when (``chat``).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from itertools import pairwise

from conclave.errors import DecodeError
from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer, decode
from conclave.wire.kinds import Kind
from conclave.wire.limits import HANDLE, HANDLE_BYTES, HASH_BYTES, ID_BYTES, PAYLOAD_BYTES

RUNS = 64
"""Latest terms of a lobby's order that are remembered and told."""
RUNS_BYTES = RUNS * (4 + 4 + 1 + HANDLE_BYTES + 16)
LAST_SEQ = 1 << 62
"""No honest order comes so far; numbers behind it would fit neither a store nor, in the end, a frame."""
BOXES = 64
"""Mailboxes at most of which a leader tells."""
ORIGINALS = 1024
"""Signed words in one frame at most; each is looked at, and verified."""
BOXES_SINCE = 2
"""The version of the link's protocol from which on it is told of them: an older peer would end the link."""
OWN_SINCE = 2
"""The version of the protocol from which on somebody is asked for its own words alone."""


class EntryKind(IntEnum):
    """What an entry of a lobby's order is: all that its leader must know of it."""

    MESSAGE = 1
    COMMIT = 2
    TERM = 3  # the first of a new leader; a protected message too


@dataclass(frozen=True, slots=True)
class Ordered:
    """One entry of a lobby's order, numbered and chained by the leader of ``term``.

    ``number`` is the sender's own, by which a repetition is told; ``payload`` an MLS message of epoch ``epoch``.
    """

    group: bytes
    term: int
    seq: int
    previous: bytes
    sender: str
    number: int
    epoch: int
    kind: EntryKind
    payload: bytes


@dataclass(frozen=True, slots=True)
class Run:
    """What one leader ordered in one term: entries ``first`` to ``last``. ``rank`` is its place in the succession."""

    term: int
    rank: int
    leader: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Fetch:
    """At most ``count`` entries from ``first`` on are asked for, of whoever has them."""

    group: bytes
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Head:
    """How far the sender's order goes, and by which leaders it came there (the latest run first)."""

    group: bytes
    seq: int
    hash: bytes
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Have:
    """A member tells that it has committed everything up to ``seq``."""

    group: bytes
    seq: int


@dataclass(frozen=True, slots=True)
class Submit:
    """A member hands its leader an entry to be ordered; ``base`` is the lowest number that it has yet to hand in."""

    group: bytes
    base: int
    number: int
    epoch: int
    kind: EntryKind
    payload: bytes


class Refusal(IntEnum):
    """Why a leader does not order something."""

    STALE = 1  # a commit that is not the first of its epoch, or words of an epoch too long ago
    OUTSIDER = 2  # from no member
    NO_LEADER = 3  # by somebody who does not lead
    GONE = 4  # not refused: what was to be fetched is older than all that there is here, or than the asker is in
    NOT_IN = 5  # not refused: whoever says so is not in the lobby


@dataclass(frozen=True, slots=True)
class Refused:
    """The leader, in epoch ``epoch``, does not order what was handed in under ``number``."""

    group: bytes
    number: int
    epoch: int
    reason: Refusal


@dataclass(frozen=True, slots=True)
class AskInfo:
    """A member whose half of the lobby lost asks for what it needs to come in again."""

    group: bytes


@dataclass(frozen=True, slots=True)
class Info:
    """The group's ``GroupInfo`` at entry ``seq``, of whoever leads."""

    group: bytes
    seq: int
    hash: bytes
    runs: tuple[Run, ...]
    info: bytes


@dataclass(frozen=True, slots=True)
class Recall:
    """What was said between two entries (both exclusive) is asked for in its authors' own signed words.

    ``own``: only what the one who is asked said itself.
    """

    group: bytes
    after: int
    before: int
    own: bool = False


@dataclass(frozen=True, slots=True)
class Originals:
    """All signed words that the sender has between two entries (both exclusive), each with its place.

    ``whole``: it knows of none there that it lacks. A long answer is several, one beginning where the last ended.
    """

    group: bytes
    after: int
    before: int
    items: tuple[tuple[int, bytes], ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class Boxes:
    """In whose mailboxes the leader of ``term`` has left which entries, both ends included: all of it, each time."""

    group: bytes
    term: int
    items: tuple[tuple[str, int, int], ...]


OrderFrame = Ordered | Have | Head | Fetch | Submit | Refused | AskInfo | Info | Recall | Originals | Boxes


def _run(r: Reader) -> Run:
    return Run(r.uint32(), r.uint32(), r.text(HANDLE_BYTES), r.uint64(), r.uint64())


def read_runs(r: Reader) -> tuple[Run, ...]:
    """The latest terms of an order. Raises ``DecodeError`` where they are none."""
    runs = r.vector(_run, RUNS_BYTES)
    for newer, older in pairwise(runs):
        if (newer.term, older.last) != (max(newer.term, older.term + 1), newer.first - 1):
            raise DecodeError("terms of a lobby that do not follow one another")
    if not runs or any(run.first > run.last + 1 for run in runs):
        raise DecodeError("no terms of a lobby")
    return runs


def read_place(r: Reader) -> tuple[int, bytes, tuple[Run, ...]]:
    """How far an order goes, the hash of its last entry, and its latest terms, of which the newest ends there.

    Raises ``DecodeError`` also where a leader's name is no handle: leaders are dialled by it, and shown to people.
    """
    seq, digest, runs = r.uint64(), r.fixed(HASH_BYTES), read_runs(r)
    if runs[0].last != seq:
        raise DecodeError("terms of a lobby that end elsewhere than its order")
    if seq > LAST_SEQ:
        raise DecodeError("no lobby has so many entries")
    if not all(HANDLE.fullmatch(run.leader) for run in runs):
        raise DecodeError("terms of a lobby that nobody led")
    return seq, digest, runs


def write_runs(w: Writer, runs: tuple[Run, ...]) -> Writer:
    """The latest terms of an order, the newest first."""

    def run(each: Writer, one: Run) -> None:
        each.uint32(one.term).uint32(one.rank).text(one.leader).uint64(one.first).uint64(one.last)

    return w.vector(runs[:RUNS], run)


def _between(r: Reader) -> tuple[int, int]:
    """Two entries, between which others are meant."""
    after, before = r.uint64(), r.uint64()
    if after >= before:
        raise DecodeError("a part of a lobby's order that ends before it begins")
    return after, before


def _recall(r: Reader) -> Recall:
    group, (after, before), own = r.fixed(ID_BYTES), _between(r), r.remaining > 0
    if own and not r.flag():
        raise DecodeError("a question that says twice that it is for all")
    return Recall(group, after, before, own)


def _item(r: Reader) -> tuple[int, bytes]:
    return r.uint64(), r.opaque(PAYLOAD_BYTES)


def _box(r: Reader) -> tuple[str, int, int]:
    return r.text(HANDLE_BYTES), r.uint64(), r.uint64()


def _boxes(r: Reader) -> tuple[tuple[str, int, int], ...]:
    return r.vector(_box, BOXES * (1 + HANDLE_BYTES + 16), BOXES)


def _ordered(r: Reader) -> Ordered:
    entry = Ordered(
        r.fixed(ID_BYTES), r.uint32(), r.uint64(), r.fixed(HASH_BYTES), r.text(HANDLE_BYTES), r.uint64(), r.uint64(),
        r.enum(EntryKind), r.opaque(PAYLOAD_BYTES),
    )  # fmt: skip
    if not HANDLE.fullmatch(entry.sender):  # people are shown it
        raise DecodeError("an entry that nobody handed in")
    return entry


DECODERS: dict[int, Callable[[Reader], OrderFrame]] = {
    Kind.ORDERED: _ordered,
    Kind.FETCH: lambda r: Fetch(r.fixed(ID_BYTES), r.uint64(), r.uint16()),
    Kind.HEAD: lambda r: Head(r.fixed(ID_BYTES), *read_place(r)),
    Kind.HAVE: lambda r: Have(r.fixed(ID_BYTES), r.uint64()),
    Kind.SUBMIT: lambda r: Submit(
        r.fixed(ID_BYTES), r.uint64(), r.uint64(), r.uint64(), r.enum(EntryKind), r.opaque(PAYLOAD_BYTES)
    ),
    Kind.REFUSED: lambda r: Refused(r.fixed(ID_BYTES), r.uint64(), r.uint64(), r.enum(Refusal)),
    Kind.ASK_INFO: lambda r: AskInfo(r.fixed(ID_BYTES)),
    Kind.INFO: lambda r: Info(r.fixed(ID_BYTES), *read_place(r), r.opaque(PAYLOAD_BYTES)),
    Kind.RECALL: _recall,
    Kind.ORIGINALS: lambda r: Originals(
        r.fixed(ID_BYTES), *_between(r), r.vector(_item, PAYLOAD_BYTES, ORIGINALS), r.flag()
    ),
    Kind.BOXES: lambda r: Boxes(r.fixed(ID_BYTES), r.uint32(), _boxes(r)),
}
"""What ``wire.frames`` adds to its own table."""


def order_body(frame: OrderFrame) -> tuple[int, bytes]:
    """The kind and the body of a frame."""
    w = Writer()
    match frame:
        case Ordered():
            return Kind.ORDERED, encode_ordered(frame)
        case Have():
            return Kind.HAVE, w.fixed(frame.group, ID_BYTES).uint64(frame.seq).done()
        case Head():
            w.fixed(frame.group, ID_BYTES).uint64(frame.seq).fixed(frame.hash, HASH_BYTES)
            return Kind.HEAD, write_runs(w, frame.runs).done()
        case Fetch():
            return Kind.FETCH, w.fixed(frame.group, ID_BYTES).uint64(frame.first).uint16(frame.count).done()
        case Submit():
            w.fixed(frame.group, ID_BYTES).uint64(frame.base).uint64(frame.number).uint64(frame.epoch)
            return Kind.SUBMIT, w.uint8(frame.kind).opaque(frame.payload).done()
        case Refused():
            w.fixed(frame.group, ID_BYTES).uint64(frame.number).uint64(frame.epoch).uint8(frame.reason)
            return Kind.REFUSED, w.done()
        case AskInfo():
            return Kind.ASK_INFO, w.fixed(frame.group, ID_BYTES).done()
        case Info():
            w.fixed(frame.group, ID_BYTES).uint64(frame.seq).fixed(frame.hash, HASH_BYTES)
            return Kind.INFO, write_runs(w, frame.runs).opaque(frame.info).done()
        case Recall():
            w.fixed(frame.group, ID_BYTES).uint64(frame.after).uint64(frame.before)
            return Kind.RECALL, (w.uint8(1) if frame.own else w).done()
        case Originals():
            w.fixed(frame.group, ID_BYTES).uint64(frame.after).uint64(frame.before)
            w.vector(frame.items, lambda each, it: each.uint64(it[0]).opaque(it[1]))
            return Kind.ORIGINALS, w.uint8(frame.whole).done()
        case Boxes():
            w.fixed(frame.group, ID_BYTES).uint32(frame.term)
            w.vector(frame.items, lambda each, it: each.text(it[0]).uint64(it[1]).uint64(it[2]))
            return Kind.BOXES, w.done()


def encode_ordered(entry: Ordered) -> bytes:
    """An entry as it is sent, stored and hashed."""
    w = Writer().fixed(entry.group, ID_BYTES).uint32(entry.term).uint64(entry.seq)
    w.fixed(entry.previous, HASH_BYTES).text(entry.sender).uint64(entry.number)
    return w.uint64(entry.epoch).uint8(entry.kind).opaque(entry.payload).done()


def decode_ordered(data: bytes) -> Ordered:
    """The inverse of ``encode_ordered``, for entries read from the store. Raises ``DecodeError``."""
    return decode(data, _ordered)
