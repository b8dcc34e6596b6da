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
PAYLOAD_BYTES = 96 * 1024
"""A protected message: 64 KiB of content and what protection adds."""
FRAME_BYTES = 128 * 1024
"""The largest frame body that anything here makes; the default of the limit announced in the hello."""
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
    SUBMIT = 4
    WELCOME = 5
    LEAVE = 6


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
    """What an entry of a lobby's order is."""

    MESSAGE = 1
    COMMIT = 2  # reserved for MLS
    ROSTER = 3


@dataclass(frozen=True, slots=True)
class Ordered:
    """One entry of a lobby's order, numbered and chained by the leader of ``term``."""

    group: bytes
    term: int
    seq: int
    previous: bytes
    sender: str
    id: bytes
    epoch: int
    kind: EntryKind
    payload: bytes


@dataclass(frozen=True, slots=True)
class Fetch:
    """A member asks for at most ``count`` entries from ``first`` on."""

    group: bytes
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Head:
    """The leader tells where the order stands: the last entry's number and hash."""

    group: bytes
    term: int
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Have:
    """A member tells that it has committed everything up to ``seq``."""

    group: bytes
    seq: int


Frame = Hello | Ping | Pong | Close | Post | Ack | Ordered | Fetch | Head | Have | FileFrame


def _enum(reader: Reader, kind: type[IntEnum]) -> int:
    value = reader.uint8()
    try:
        return kind(value)
    except ValueError as error:
        raise DecodeError(f"{value} is no {kind.__name__}") from error


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
        r.fixed(ID_BYTES), r.uint32(), r.uint64(), r.fixed(HASH_BYTES), r.text(HANDLE_BYTES), r.fixed(ID_BYTES),
        r.uint64(), EntryKind(_enum(r, EntryKind)), r.opaque(PAYLOAD_BYTES),
    ),
    Kind.FETCH: lambda r: Fetch(r.fixed(ID_BYTES), r.uint64(), r.uint16()),
    Kind.HEAD: lambda r: Head(r.fixed(ID_BYTES), r.uint32(), r.uint64(), r.fixed(HASH_BYTES)),
    Kind.HAVE: lambda r: Have(r.fixed(ID_BYTES), r.uint64()),
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
            w.fixed(frame.group, ID_BYTES).uint32(frame.term).uint64(frame.seq).fixed(frame.hash, HASH_BYTES)
            return Kind.HEAD, w.done()
        case Fetch():
            return Kind.FETCH, w.fixed(frame.group, ID_BYTES).uint64(frame.first).uint16(frame.count).done()
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
    w.fixed(entry.previous, HASH_BYTES).text(entry.sender).fixed(entry.id, ID_BYTES)
    return w.uint64(entry.epoch).uint8(entry.kind).opaque(entry.payload).done()


def decode_ordered(data: bytes) -> Ordered:
    """The inverse of ``encode_ordered``, for entries read from the store. Raises ``DecodeError``."""
    entry = decode_frame(Kind.ORDERED, data)
    if not isinstance(entry, Ordered):  # pragma: no cover - the table says so
        raise DecodeError("not an entry")
    return entry
