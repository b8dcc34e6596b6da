"""What a step of the core wants done, as data. The pump commits, then sends, then tells; nothing else acts.

*Records* are what one transaction commits. *Deeds* are what happens only after that transaction is on disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from conclave.wire.frames import Frame


class Status(StrEnum):
    """How far a message of ours has come, in the words that fronts show.

    In a lobby *delivered* means: its leader has committed it in the order. That says nothing of the other members
    (``views.LobbyView.have`` does, at the leader), and what the leader says itself is delivered at once, also with
    nobody else in.
    """

    WAITING = "waiting"  # in the outbox: the peer is away, busy, or not linked yet
    SENT = "sent"  # given to a legacy link, which confirms nothing
    DELIVERED = "delivered"  # committed on the peer's device; in a lobby: ordered by the leader
    FAILED = "not sent"  # refused: rejected, blocked, lobby closed
    RECEIVED = "received"  # not ours


class LineKind(StrEnum):
    """What a line of history is."""

    TEXT = "text"
    NOTICE = "notice"  # somebody entered, left, was removed; a lobby closed


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a conversation's history, as it is stored and shown. Times are UNIX seconds."""

    id: bytes  # 16 bytes, the message's own
    sender: str
    kind: LineKind
    text: str
    sent: float  # by the sender's clock
    stored: float  # by ours
    status: Status
    seq: int = 0  # place in the lobby's order; 0 in a pair, and in a lobby until ordered


# Records: committed together, in order.


@dataclass(frozen=True, slots=True)
class PutState:
    """A core's own state under its key, e.g. ``pair/burak``."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class DropState:
    """Forget a state."""

    key: str


@dataclass(frozen=True, slots=True)
class AddLine:
    """Append to a conversation's history (``@burak``, or ``#`` and the lobby's label).

    A line with the same sender and id that is there already is left as it is.
    """

    conversation: str
    line: Line


@dataclass(frozen=True, slots=True)
class MarkLine:
    """Our own line came further; ``seq`` is its place in a lobby's order once known (0 leaves it)."""

    conversation: str
    sender: str
    id: bytes
    status: Status
    seq: int = 0


@dataclass(frozen=True, slots=True)
class PutPost:
    """Into the outbox: the post's kind and body under its number in our stream to ``peer``."""

    peer: str
    number: int
    kind: int
    body: bytes


@dataclass(frozen=True, slots=True)
class DropPosts:
    """Out of the outbox: every post to ``peer`` up to and including ``number``."""

    peer: str
    number: int


@dataclass(frozen=True, slots=True)
class PutEntry:
    """Append to a lobby's order: ``entry`` is ``wire.frames.encode_ordered``'s bytes."""

    group: bytes
    seq: int
    entry: bytes


@dataclass(frozen=True, slots=True)
class DropEntries:
    """Forget a lobby's order (it was closed and everybody has it, or we left)."""

    group: bytes


Record = PutState | DropState | AddLine | MarkLine | PutPost | DropPosts | PutEntry | DropEntries

# Deeds: done after the commit.


@dataclass(frozen=True, slots=True)
class Send:
    """Give the frame to the peer's link; without one it is dropped, and repaired by resend or fetch."""

    peer: str
    frame: Frame


@dataclass(frozen=True, slots=True)
class Resend:
    """Send the outbox's posts to ``peer`` from ``first``, at most ``count``, wrapped with stream and base."""

    peer: str
    stream: bytes
    base: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Replay:
    """Send entries of a lobby's order to ``peer`` from ``first``, at most ``count``."""

    peer: str
    group: bytes
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Want:
    """Have a link to ``peer`` (dial it, and again with backoff), or need it no longer."""

    peer: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class Tell:
    """Something that the fronts should know; ``notice`` is one of ``chat.notices``."""

    notice: object


@dataclass(frozen=True, slots=True)
class Wake:
    """Step again with ``Tick`` no later than ``at`` (UNIX seconds)."""

    at: float


Deed = Send | Resend | Replay | Want | Tell | Wake
Effect = Record | Deed
