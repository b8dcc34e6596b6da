"""Who is in a lobby changes only by entries of its order, written by the leader: this is what such an entry says.

Every member therefore sees the same people at the same place of the order. Left out: who is asked (the leader
keeps that to itself) and how the entry is ordered (``lobby.leader``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from conclave.errors import DecodeError
from conclave.lobby.names import check_handle
from conclave.wire.codec import Reader, Writer, decode
from conclave.wire.frames import HANDLE_BYTES, TEXT_BYTES

VERSION = 1
REASON_LETTERS = 200
"""Longer reasons are cut: they stand in one line of history."""


class Turn(IntEnum):
    """What became of a member, or of the lobby."""

    ENTERED = 1
    LEFT = 2
    REMOVED = 3
    CLOSED = 4  # the handle is the leader's


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the roster; ``at`` is the leader's clock in UNIX seconds, ``reason`` is often empty."""

    turn: Turn
    handle: str
    at: float
    reason: str = ""

    @property
    def words(self) -> str:
        """The line of history that people read."""
        match self.turn:
            case Turn.ENTERED:
                return f"{self.handle} entered"
            case Turn.LEFT:
                return f"{self.handle} left"
            case Turn.REMOVED:
                return f"{self.handle} was removed" + (f": {self.reason}" if self.reason else "")
            case Turn.CLOSED:
                return f"the lobby was closed by {self.handle}"


def encode_change(change: Change) -> bytes:
    """The payload of a roster entry."""
    w = Writer().uint8(VERSION).uint8(change.turn).text(change.handle).uint64(max(0, round(change.at * 1000)))
    return w.text(_plain(change.reason)).done()


def _plain(reason: str) -> str:
    return "".join(letter for letter in reason if letter.isprintable())[:REASON_LETTERS]


def _change(r: Reader) -> Change:
    if r.uint8() != VERSION:
        raise DecodeError("a roster entry of an unknown version")
    try:
        turn = Turn(r.uint8())
    except ValueError as error:
        raise DecodeError("an unknown change of the roster") from error
    handle, at, reason = r.text(HANDLE_BYTES), r.uint64() / 1000, r.text(TEXT_BYTES)
    return Change(turn, check_handle(handle), at, _plain(reason))


def decode_change(payload: bytes) -> Change:
    """What a roster entry says. Raises ``DecodeError``, or ``VerificationError`` for a handle that is none."""
    return decode(payload, _change)
