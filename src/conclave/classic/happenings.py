"""What can happen to classic conversations, and what is to be done about it, as data (``desk`` decides).

A link is known by its number: positive where it was accepted, negative where the desk asked for it to be dialled.
*Records* are committed before any *deed* is done. Times are UNIX seconds.
"""

from __future__ import annotations

from enum import StrEnum

from conclave.classic.events import Answer, Ending
from conclave.values import dataclass

# What people ask.


@dataclass(frozen=True, slots=True)
class Say:
    """Say ``text`` to ``@handle``, or in the lobby ``#name`` that we lead; ``id`` (16 bytes) names its line."""

    to: str
    id: bytes
    text: str


@dataclass(frozen=True, slots=True)
class AnswerCall:
    """Accept or reject ``peer``, who asks to chat; ``block`` refuses all that follows."""

    peer: str
    accept: bool
    block: bool = False


@dataclass(frozen=True, slots=True)
class Unblock:
    """Take a block back."""

    peer: str


@dataclass(frozen=True, slots=True)
class Gather:
    """Ask people into the lobby that we lead, which is opened where there is none of that name."""

    lobby: str
    invited: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CloseLobby:
    """Close a lobby that we lead."""

    lobby: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the link with ``peer``: out of a lobby that it leads, or out of a chat."""

    peer: str


Command = Say | AnswerCall | Unblock | Gather | CloseLobby | HangUp


# What links tell.


@dataclass(frozen=True, slots=True)
class Called:
    """Somebody's handshake came to the question; ``busy``: our person wants no new requests now."""

    link: int
    peer: str
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Connected:
    """A link is open."""

    link: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A message arrived, as text."""

    link: int
    text: str


@dataclass(frozen=True, slots=True)
class Unsent:
    """A text for ``peer`` could not leave: the link's numbers are used up, or it had just ended."""

    peer: str
    text: str
    conversation: str
    id: bytes
    order: int
    again: bool
    """Whether it goes out on the next link: the numbers were used up, and nobody was cut off."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A link is over, or could not be had."""

    link: int
    ending: Ending
    text: str


Event = Command | Called | Connected | Heard | Unsent | Ended


# What is to be done.


class Status(StrEnum):
    """How far a line of ours came. Nothing confirms a message on a classic link."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "not sent"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class Keep:
    """Append to history; a ``notice`` is about the conversation, not in it. Empty ``id``: any fresh one will do."""

    conversation: str
    sender: str
    text: str
    status: Status
    id: bytes = b""
    notice: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A line of ours came further."""

    conversation: str
    id: bytes
    status: Status


@dataclass(frozen=True, slots=True)
class Remember:
    """Whom we accept, and whom we blocked, from now on and after a restart."""

    accepted: frozenset[str]
    blocked: frozenset[str]


@dataclass(frozen=True, slots=True)
class Dial:
    """Have a link to ``peer``, as the sender; its number is ``link``."""

    link: int
    peer: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer whoever asks on ``link``."""

    link: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class Send:
    """Send a text; ``conversation`` and ``id`` name its line, where it has one of its own.

    ``order`` is its place among all texts: what could not leave comes back with it, and keeps its place.
    """

    link: int
    text: str
    order: int
    conversation: str = ""
    id: bytes = b""


@dataclass(frozen=True, slots=True)
class Hang:
    """End a link."""

    link: int


@dataclass(frozen=True, slots=True)
class TellAsked:
    """``peer`` asks to chat."""

    peer: str


@dataclass(frozen=True, slots=True)
class TellAnswered:
    """``peer`` answered our call: ``accepted``, ``rejected`` or ``busy``."""

    peer: str
    answer: str


Record = Keep | Mark | Remember
Deed = Dial | Reply | Send | Hang | TellAsked | TellAnswered
Effect = Record | Deed
