"""Frames that deliver: a *post* is resent until it is acknowledged.

Left out: what a post carries (``wire.posts``), streams and their numbers (``chat.delivery``).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception class

from conclave.errors import DecodeError, LocalError
from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer, encode_varint
from conclave.wire.kinds import Kind
from conclave.wire.limits import FRAME_BYTES

DECLINED_POSTS = 256
"""Numbers of declined posts in one acknowledgement."""
_STREAM_BYTES = 8


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
    all that the sender may not know of yet, which are those from the ``base`` of the sender's latest post on. One
    that is named twice was dropped because the sender is rejected. By mail alone, ``number`` 0: of a stream that is
    not known here, posts came without those before them; or a Welcome came that could not be taken yet.
    """

    stream: bytes
    number: int
    declined: tuple[int, ...] = ()


DeliveryFrame = Post | Ack


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


DECODERS: dict[int, Callable[[Reader], DeliveryFrame]] = {
    Kind.POST: _post,
    Kind.ACK: lambda r: Ack(r.fixed(8), r.uint64(), r.vector(Reader.uint64, 8 * DECLINED_POSTS)),
}
"""What ``wire.frames`` adds to its own table."""


def delivery_body(frame: DeliveryFrame) -> tuple[int, bytes]:
    """The kind and the body of a frame."""
    if isinstance(frame, Post):
        return Kind.POST, _post_body(frame)
    w = Writer().fixed(frame.stream, _STREAM_BYTES).uint64(frame.number)
    return Kind.ACK, w.vector(frame.declined, Writer.uint64).done()
