"""What posts carry: messages, answers to requests, and a lobby's membership traffic.

Each is the body of a ``Post`` of the kind of the same name. Protected payloads are opaque here. Left out: delivery
(``chat.delivery``) and meaning (``chat``, ``lobby``).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from conclave.errors import DecodeError
from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer, decode
from conclave.wire.delivery import Post, PostKind
from conclave.wire.limits import HANDLE_BYTES, HASH_BYTES, ID_BYTES, PAYLOAD_BYTES, TEXT_BYTES
from conclave.wire.order import Run, read_place, write_runs

ROSTER_BYTES = 64 * 1024
"""A roster of 1,000 handles of 63 bytes fits."""


@dataclass(frozen=True, slots=True)
class Begin:
    """A group of two begins: ``welcome`` is its MLS Welcome."""

    welcome: bytes


@dataclass(frozen=True, slots=True)
class Handshake:
    """A commit or a proposal in a group of two."""

    group: bytes
    message: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """Words for the receiver alone: ``id`` is the message's own, ``payload`` the group's MLS message."""

    id: bytes
    group: bytes
    payload: bytes


class Choice(IntEnum):
    """An answer to a chat request or a lobby invitation."""

    ACCEPT = 1
    REJECT = 2
    BUSY = 3
    FREE = 4  # of a pair: no longer busy or blocked, ask again; of a lobby: to who leaves and is no member here


@dataclass(frozen=True, slots=True)
class Answer:
    """``group`` is empty for the pair, else the 16 bytes of the lobby that the invitation was for.

    Whoever accepts an invitation sends a key package (an ``MLSMessage``) along, to be added by.
    """

    group: bytes
    choice: Choice
    package: bytes = b""


@dataclass(frozen=True, slots=True)
class Invite:
    """The sender asks the receiver into a lobby that it is in."""

    group: bytes
    name: str
    roster: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Welcome:
    """The receiver was added by entry ``seq`` of the order; ``welcome`` is the MLS Welcome, ``runs`` as in a head."""

    group: bytes
    name: str
    seq: int
    hash: bytes
    runs: tuple[Run, ...]
    welcome: bytes


@dataclass(frozen=True, slots=True)
class Leave:
    """Somebody who accepted an invitation, and is not in yet, does not want to be any more."""

    group: bytes


Parcel = Begin | Handshake | Message | Answer | Invite | Welcome | Leave


def _handle(r: Reader) -> str:
    return r.text(HANDLE_BYTES)


def _group_or_none(r: Reader) -> bytes:
    group = r.opaque(ID_BYTES)
    if len(group) not in (0, ID_BYTES):
        raise DecodeError("a group id has 16 bytes")
    return group


_DECODERS: dict[PostKind, Callable[[Reader], Parcel]] = {
    PostKind.BEGIN: lambda r: Begin(r.opaque(PAYLOAD_BYTES)),
    PostKind.HANDSHAKE: lambda r: Handshake(r.fixed(ID_BYTES), r.opaque(PAYLOAD_BYTES)),
    PostKind.MESSAGE: lambda r: Message(r.fixed(ID_BYTES), r.fixed(ID_BYTES), r.opaque(PAYLOAD_BYTES)),
    PostKind.ANSWER: lambda r: Answer(_group_or_none(r), r.enum(Choice), r.opaque(PAYLOAD_BYTES)),
    PostKind.INVITE: lambda r: Invite(r.fixed(ID_BYTES), r.text(TEXT_BYTES), r.vector(_handle, ROSTER_BYTES)),
    PostKind.WELCOME: lambda r: Welcome(
        r.fixed(ID_BYTES), r.text(TEXT_BYTES), *read_place(r), r.opaque(PAYLOAD_BYTES)
    ),
    PostKind.LEAVE: lambda r: Leave(r.fixed(ID_BYTES)),
}


def open_post(post: Post) -> Parcel:
    """What the post carries. Raises ``DecodeError``."""
    return decode(post.body, _DECODERS[post.kind])


def pack_parcel(parcel: Parcel) -> tuple[PostKind, bytes]:
    """The kind and body of the post that carries ``parcel``."""
    w = Writer()
    match parcel:
        case Message():
            w.fixed(parcel.id, ID_BYTES).fixed(parcel.group, ID_BYTES)
            return PostKind.MESSAGE, w.opaque(parcel.payload).done()
        case Begin():
            return PostKind.BEGIN, w.opaque(parcel.welcome).done()
        case Handshake():
            return PostKind.HANDSHAKE, w.fixed(parcel.group, ID_BYTES).opaque(parcel.message).done()
        case Answer():
            return PostKind.ANSWER, w.opaque(parcel.group).uint8(parcel.choice).opaque(parcel.package).done()
        case Invite():
            w.fixed(parcel.group, ID_BYTES).text(parcel.name).vector(parcel.roster, Writer.text)
            return PostKind.INVITE, w.done()
        case Welcome():
            w.fixed(parcel.group, ID_BYTES).text(parcel.name).uint64(parcel.seq).fixed(parcel.hash, HASH_BYTES)
            return PostKind.WELCOME, write_runs(w, parcel.runs).opaque(parcel.welcome).done()
        case Leave():
            return PostKind.LEAVE, w.fixed(parcel.group, ID_BYTES).done()
