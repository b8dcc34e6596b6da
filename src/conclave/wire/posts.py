"""What posts carry: messages, answers to requests, and a lobby's membership traffic.

Each is the body of a ``Post`` of the kind of the same name. Protected payloads are opaque here. Left out: delivery
(``chat.delivery``) and meaning (``chat``, ``lobby``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from conclave.errors import DecodeError
from conclave.wire.codec import Reader, Writer, decode
from conclave.wire.frames import (
    HANDLE_BYTES,
    HASH_BYTES,
    ID_BYTES,
    PAYLOAD_BYTES,
    ROSTER_BYTES,
    TEXT_BYTES,
    EntryKind,
    Post,
    PostKind,
)


@dataclass(frozen=True, slots=True)
class Message:
    """Words for the receiver alone: ``id`` is the message's own, the same at both ends."""

    id: bytes
    epoch: int
    payload: bytes


class Choice(IntEnum):
    """An answer to a chat request or a lobby invitation."""

    ACCEPT = 1
    REJECT = 2
    BUSY = 3
    FREE = 4  # of a pair: no longer busy or blocked, ask again; of a lobby: to who leaves and is no member here


@dataclass(frozen=True, slots=True)
class Answer:
    """``group`` is empty for the pair, else the 16 bytes of the lobby that the invitation was for."""

    group: bytes
    choice: Choice


@dataclass(frozen=True, slots=True)
class Invite:
    """The sender, who leads the lobby, asks the receiver to enter it."""

    group: bytes
    name: str
    roster: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Submit:
    """A member hands its leader an entry to be ordered."""

    group: bytes
    id: bytes
    epoch: int
    kind: EntryKind
    payload: bytes


@dataclass(frozen=True, slots=True)
class Welcome:
    """The leader lets a member in: its first entry will be ``seq + 1``, chained to ``hash``."""

    group: bytes
    name: str
    term: int
    seq: int
    hash: bytes
    roster: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leave:
    """A member tells its leader that it leaves."""

    group: bytes


Parcel = Message | Answer | Invite | Submit | Welcome | Leave


def _handle(r: Reader) -> str:
    return r.text(HANDLE_BYTES)


def _group_or_none(r: Reader) -> bytes:
    group = r.opaque(ID_BYTES)
    if len(group) not in (0, ID_BYTES):
        raise DecodeError("a group id has 16 bytes")
    return group


def _choice(r: Reader) -> Choice:
    try:
        return Choice(r.uint8())
    except ValueError as error:
        raise DecodeError("unknown answer") from error


def _entry_kind(r: Reader) -> EntryKind:
    try:
        return EntryKind(r.uint8())
    except ValueError as error:
        raise DecodeError("unknown kind of entry") from error


_DECODERS: dict[PostKind, Callable[[Reader], Parcel]] = {
    PostKind.MESSAGE: lambda r: Message(r.fixed(ID_BYTES), r.uint64(), r.opaque(PAYLOAD_BYTES)),
    PostKind.ANSWER: lambda r: Answer(_group_or_none(r), _choice(r)),
    PostKind.INVITE: lambda r: Invite(r.fixed(ID_BYTES), r.text(TEXT_BYTES), r.vector(_handle, ROSTER_BYTES)),
    PostKind.SUBMIT: lambda r: Submit(
        r.fixed(ID_BYTES), r.fixed(ID_BYTES), r.uint64(), _entry_kind(r), r.opaque(PAYLOAD_BYTES)
    ),
    PostKind.WELCOME: lambda r: Welcome(
        r.fixed(ID_BYTES), r.text(TEXT_BYTES), r.uint32(), r.uint64(), r.fixed(HASH_BYTES),
        r.vector(_handle, ROSTER_BYTES),
    ),
    PostKind.LEAVE: lambda r: Leave(r.fixed(ID_BYTES)),
}  # fmt: skip


def open_post(post: Post) -> Parcel:
    """What the post carries. Raises ``DecodeError``."""
    return decode(post.body, _DECODERS[post.kind])


def pack_parcel(parcel: Parcel) -> tuple[PostKind, bytes]:
    """The kind and body of the post that carries ``parcel``."""
    w = Writer()
    match parcel:
        case Message():
            return PostKind.MESSAGE, w.fixed(parcel.id, ID_BYTES).uint64(parcel.epoch).opaque(parcel.payload).done()
        case Submit():
            w.fixed(parcel.group, ID_BYTES).fixed(parcel.id, ID_BYTES).uint64(parcel.epoch)
            return PostKind.SUBMIT, w.uint8(parcel.kind).opaque(parcel.payload).done()
        case Answer():
            return PostKind.ANSWER, w.opaque(parcel.group).uint8(parcel.choice).done()
        case Invite():
            w.fixed(parcel.group, ID_BYTES).text(parcel.name).vector(parcel.roster, Writer.text)
            return PostKind.INVITE, w.done()
        case Welcome():
            w.fixed(parcel.group, ID_BYTES).text(parcel.name).uint32(parcel.term).uint64(parcel.seq)
            return PostKind.WELCOME, w.fixed(parcel.hash, HASH_BYTES).vector(parcel.roster, Writer.text).done()
        case Leave():
            return PostKind.LEAVE, w.fixed(parcel.group, ID_BYTES).done()
