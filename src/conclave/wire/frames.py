"""Every frame that two peers exchange over an open link, and what a post carries.

A frame on a link is ``uint8 kind; opaque body<V>``. The kinds fall into three groups: the link's own (hello,
heartbeat, close), delivery (a *post* is resent until acknowledged), and a lobby's order (pushed by the leader,
repaired by fetch). Everything is bounded by the constants below; ``decode_frame`` raises only ``DecodeError``.
Left out: who may send which frame when (``link``, ``chat.delivery``, ``lobby``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception class

from conclave.errors import DecodeError, LocalError
from conclave.wire.codec import Reader, Writer, decode, encode_varint
from conclave.wire.files import DECODERS as FILE_DECODERS
from conclave.wire.files import FileFrame, file_body

HANDLE_BYTES = 63
"""A handle is one DNS label."""
TEXT_BYTES = 1024
"""Reasons, names of lobbies, agents: short human text."""
PAYLOAD_BYTES = 3 * 1024 * 1024
"""A protected message: mostly 64 KiB of content and what protection adds, but the commit that lets hundreds of people
in carries a key package of each."""
FRAME_BYTES = 4 * 1024 * 1024
"""The largest frame body that anything here makes; the default of the limit announced in the hello."""
RUNS = 64
"""Latest terms of a lobby's order that are remembered and told."""
RUNS_BYTES = RUNS * (4 + 4 + 1 + 63 + 16)
ROSTER_BYTES = 64 * 1024
"""A roster of 1,000 handles of 63 bytes fits."""
DECLINED_POSTS = 256
"""Declined posts that one acknowledgement names."""
ID_BYTES = 16
HASH_BYTES = 32
_STREAM_BYTES = 8


class Kind(IntEnum):
    """What a frame is. Numbers below 16 belong to the link itself and never reach the conversation tier."""

    HELLO = 1
    PING = 2
    PONG = 3
    CLOSE = 4
    POST = 16
    ACK = 17
    ORDERED = 32
    FETCH = 33
    HEAD = 34
    HAVE = 35
    SUBMIT = 36
    REFUSED = 37
    ASK_INFO = 38
    INFO = 39
    RECALL = 40
    ORIGINALS = 41
    ASK_PACKAGE = 42
    PACKAGE = 43


class CloseReason(IntEnum):
    """Why a link ends. The name in kebab case is the word that errors and logs use."""

    DONE = 0
    GOING_AWAY = 1
    DUPLICATE = 2
    VERSION = 3
    PROTOCOL = 4
    TIMEOUT = 5
    OVERLOADED = 6
    TRUNCATED = 7  # never sent: how the side that is left names an end without a close frame
    BAD_CERTIFICATE = 16
    UNKNOWN_AUTHORITY = 17
    EXPIRED = 18
    NOT_YET_VALID = 19
    REVOKED = 20
    UNEXPECTED_HANDLE = 21
    BLOCKED = 22

    @property
    def word(self) -> str:
        """``UNEXPECTED_HANDLE`` as ``unexpected-handle``."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Hello:
    """First frame of either side. ``frame_bytes``: largest body that we read; ``window``: posts in flight."""

    version: int
    oldest: int
    frame_bytes: int
    window: int
    agent: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Heartbeat; the answer repeats the token."""

    token: int


@dataclass(frozen=True, slots=True)
class Pong:
    """Answer to a heartbeat."""

    token: int


@dataclass(frozen=True, slots=True)
class Close:
    """Last frame of either side: an end without it is a truncation."""

    reason: CloseReason
    text: str


class PostKind(IntEnum):
    """What a post carries."""

    MESSAGE = 1
    ANSWER = 2
    INVITE = 3
    WELCOME = 5
    LEAVE = 6
    BEGIN = 7
    HANDSHAKE = 8


@dataclass(frozen=True, slots=True)
class Post:
    """One item of a stream that its sender resends until acknowledged.

    ``stream`` (8 bytes, random, made once per sender and receiver) and ``number`` (from 1, no gaps) are together
    the message id of 16 bytes by which duplicates are dropped. ``base`` is the sender's lowest unacknowledged
    number: a receiver that knows less of the stream may start there.
    """

    stream: bytes
    number: int
    base: int
    kind: PostKind
    body: bytes


@dataclass(frozen=True, slots=True)
class Ack:
    """The receiver is done with everything of ``stream`` up to and including ``number``, and has committed that.

    ``declined`` are the numbers among these that it did not want: what they carry was dropped. It names at least
    all that the sender may not know of yet, which are those from the ``base`` of the sender's latest post on.
    """

    stream: bytes
    number: int
    declined: tuple[int, ...] = ()


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
    GONE = 4  # not refused: what was to be fetched is older than all that there is here


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
    """What was said between two entries (both exclusive) is asked for in its authors' own signed words."""

    group: bytes
    after: int
    before: int


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
class AskPackage:
    """A key package of the receiver's is asked for, so that a group of two can begin without the authority."""


@dataclass(frozen=True, slots=True)
class Package:
    """A key package of the sender's (an ``MLSMessage``)."""

    package: bytes


Frame = (
    Hello | Ping | Pong | Close | Post | Ack | Ordered | Fetch | Head | Have | Submit | Refused | AskInfo | Info
    | Recall | Originals | AskPackage | Package | FileFrame
)  # fmt: skip


def _enum(reader: Reader, kind: type[IntEnum]) -> int:
    value = reader.uint8()
    try:
        return kind(value)
    except ValueError as error:
        raise DecodeError(f"{value} is no {kind.__name__}") from error


def _entry_kind(reader: Reader) -> EntryKind:
    return EntryKind(_enum(reader, EntryKind))


def _flag(r: Reader) -> bool:
    value = r.uint8()
    if value > 1:
        raise DecodeError("a flag that is neither 0 nor 1")
    return bool(value)


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


def write_runs(w: Writer, runs: tuple[Run, ...]) -> Writer:
    """The latest terms of an order, the newest first."""

    def run(each: Writer, one: Run) -> None:
        each.uint32(one.term).uint32(one.rank).text(one.leader).uint64(one.first).uint64(one.last)

    return w.vector(runs[:RUNS], run)


def _item(r: Reader) -> tuple[int, bytes]:
    return r.uint64(), r.opaque(PAYLOAD_BYTES)


def _close_reason(value: int) -> CloseReason:
    try:
        return CloseReason(value)
    except ValueError:
        return CloseReason.PROTOCOL  # a newer peer may know more reasons; the text still tells


_POST_HEAD = Struct(">8sQQB")  # posts are what a link mostly carries: their fixed fields are read and written at once
_POST_KINDS = {int(kind): kind for kind in PostKind}


def _post(reader: Reader) -> Post:
    stream, number, base, value = _POST_HEAD.unpack(reader.fixed(_POST_HEAD.size))
    kind = _POST_KINDS.get(value)
    if kind is None:
        raise DecodeError(f"{value} is no PostKind")
    return Post(stream, number, base, kind, reader.opaque(FRAME_BYTES))


def _post_body(post: Post) -> bytes:
    if len(post.stream) != _STREAM_BYTES:
        raise LocalError(f"a stream of {len(post.stream)} bytes where the format wants {_STREAM_BYTES}")
    try:
        head = _POST_HEAD.pack(post.stream, post.number, post.base, post.kind)
    except StructError as error:
        raise LocalError(f"a post's number does not fit: {error}") from error
    return head + encode_varint(len(post.body)) + post.body


_DECODERS: dict[int, Callable[[Reader], Frame]] = {
    **FILE_DECODERS,
    Kind.HELLO: lambda r: Hello(r.uint16(), r.uint16(), r.uint32(), r.uint16(), r.text(TEXT_BYTES)),
    Kind.PING: lambda r: Ping(r.uint64()),
    Kind.PONG: lambda r: Pong(r.uint64()),
    Kind.CLOSE: lambda r: Close(_close_reason(r.uint8()), r.text(TEXT_BYTES)),
    Kind.POST: _post,
    Kind.ACK: lambda r: Ack(r.fixed(8), r.uint64(), r.vector(Reader.uint64, 8 * DECLINED_POSTS)),
    Kind.ORDERED: lambda r: Ordered(
        r.fixed(ID_BYTES), r.uint32(), r.uint64(), r.fixed(HASH_BYTES), r.text(HANDLE_BYTES), r.uint64(), r.uint64(),
        _entry_kind(r), r.opaque(PAYLOAD_BYTES),
    ),
    Kind.FETCH: lambda r: Fetch(r.fixed(ID_BYTES), r.uint64(), r.uint16()),
    Kind.HEAD: lambda r: Head(r.fixed(ID_BYTES), r.uint64(), r.fixed(HASH_BYTES), read_runs(r)),
    Kind.HAVE: lambda r: Have(r.fixed(ID_BYTES), r.uint64()),
    Kind.SUBMIT: lambda r: Submit(
        r.fixed(ID_BYTES), r.uint64(), r.uint64(), r.uint64(), _entry_kind(r), r.opaque(PAYLOAD_BYTES)
    ),
    Kind.REFUSED: lambda r: Refused(r.fixed(ID_BYTES), r.uint64(), r.uint64(), Refusal(_enum(r, Refusal))),
    Kind.ASK_INFO: lambda r: AskInfo(r.fixed(ID_BYTES)),
    Kind.INFO: lambda r: Info(
        r.fixed(ID_BYTES), r.uint64(), r.fixed(HASH_BYTES), read_runs(r), r.opaque(PAYLOAD_BYTES)
    ),
    Kind.RECALL: lambda r: Recall(r.fixed(ID_BYTES), r.uint64(), r.uint64()),
    Kind.ASK_PACKAGE: lambda _: AskPackage(),
    Kind.PACKAGE: lambda r: Package(r.opaque(PAYLOAD_BYTES)),
    Kind.ORIGINALS: lambda r: Originals(
        r.fixed(ID_BYTES), r.uint64(), r.uint64(), r.vector(_item, PAYLOAD_BYTES), _flag(r)
    ),
}  # fmt: skip


def decode_frame(kind: int, body: bytes | memoryview) -> Frame:
    """The frame whose kind and body were cut from a link's stream. Raises ``DecodeError``."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise DecodeError(f"frame kind {kind} is unknown")
    return decode(body, decoder)


def _body(frame: Frame) -> tuple[int, bytes]:
    if isinstance(frame, Post):
        return Kind.POST, _post_body(frame)
    if isinstance(frame, FileFrame):
        return file_body(frame)
    w = Writer()
    match frame:
        case Ordered():
            return Kind.ORDERED, encode_ordered(frame)
        case Ack():
            w.fixed(frame.stream, 8).uint64(frame.number).vector(frame.declined, Writer.uint64)
            return Kind.ACK, w.done()
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
            return Kind.RECALL, w.fixed(frame.group, ID_BYTES).uint64(frame.after).uint64(frame.before).done()
        case AskPackage():
            return Kind.ASK_PACKAGE, b""
        case Package():
            return Kind.PACKAGE, w.opaque(frame.package).done()
        case Originals():
            w.fixed(frame.group, ID_BYTES).uint64(frame.after).uint64(frame.before)
            w.vector(frame.items, lambda each, it: each.uint64(it[0]).opaque(it[1]))
            return Kind.ORIGINALS, w.uint8(frame.whole).done()
        case Hello():
            w.uint16(frame.version).uint16(frame.oldest).uint32(frame.frame_bytes).uint16(frame.window)
            return Kind.HELLO, w.text(frame.agent).done()
        case Ping():
            return Kind.PING, w.uint64(frame.token).done()
        case Pong():
            return Kind.PONG, w.uint64(frame.token).done()
        case Close():
            return Kind.CLOSE, w.uint8(frame.reason).text(frame.text).done()


def encode_frame(frame: Frame) -> bytes:
    """The frame as it stands on a link: kind, length, body."""
    kind, body = _body(frame)
    return bytes((kind,)) + encode_varint(len(body)) + body


def encode_ordered(entry: Ordered) -> bytes:
    """An entry as it is sent, stored and hashed."""
    w = Writer().fixed(entry.group, ID_BYTES).uint32(entry.term).uint64(entry.seq)
    w.fixed(entry.previous, HASH_BYTES).text(entry.sender).uint64(entry.number)
    return w.uint64(entry.epoch).uint8(entry.kind).opaque(entry.payload).done()


def decode_ordered(data: bytes) -> Ordered:
    """The inverse of ``encode_ordered``, for entries read from the store. Raises ``DecodeError``."""
    entry = decode_frame(Kind.ORDERED, data)
    if not isinstance(entry, Ordered):  # pragma: no cover - the table says so
        raise DecodeError("not an entry")
    return entry
