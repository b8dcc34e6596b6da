"""A line of a conversation's history, as it is stored and shown."""

from __future__ import annotations

from enum import StrEnum

from conclave.values import dataclass


class Status(StrEnum):
    """How far a message of ours has come, in the words that fronts show.

    In a lobby *sent* means that it has its place in the order; who has it on their own device is told by the
    members' receipts (``views.LobbyView.marks``), and *delivered* that all of them have.
    """

    WAITING = "waiting"  # in the outbox: the peer is away, busy, or not linked yet
    MAILED = "in mailbox"  # sealed at the authority, until the peer comes
    SENT = "sent"  # in a lobby: in its order; on a legacy link: given to it, which confirms nothing; else unheard of
    DELIVERED = "delivered"  # committed on the peer's device; in a lobby, on everybody's
    READ = "read"  # in a pair, where the peer allows it to be told
    FAILED = "not sent"  # refused: rejected, blocked, lobby closed
    RECEIVED = "received"  # not ours


class LineKind(StrEnum):
    """What a line of history is."""

    TEXT = "text"
    FILE = "file"  # the text is the file's name
    ABOUT = "about"  # an edit, a deletion, a reaction, a pin: kept for its signature, shown at the line it is about
    NOTICE = "notice"  # somebody entered, left, was removed; a lobby closed


@dataclass(frozen=True, slots=True)
class Line:
    """One line of history. Times are UNIX seconds."""

    id: bytes  # 16 bytes, the message's own
    sender: str
    kind: LineKind
    text: str
    sent: float  # by the sender's clock
    stored: float  # by ours
    status: Status
    seq: int = 0  # place in the lobby's order; in a pair the sender's counter; 0 until ordered
    reply: tuple[str, bytes] | None = None  # author and id of what it answers; of a line ABOUT: what it is about
    expires: float = 0.0  # when it is to disappear; 0: never
