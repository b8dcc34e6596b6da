"""What the core tells the fronts, as data; ``deeds.Tell`` carries one of these."""

from __future__ import annotations

from conclave.chat.words.line import Line, Status
from conclave.values import dataclass


@dataclass(frozen=True, slots=True)
class LineAdded:
    """A line of history is on disk: words of somebody or of ours, or a notice about the lobby."""

    conversation: str
    line: Line


@dataclass(frozen=True, slots=True)
class LineMarked:
    """A line of ours came further."""

    conversation: str
    id: bytes
    status: Status


@dataclass(frozen=True, slots=True)
class LineChanged:
    """A line was edited, deleted, pinned, or somebody reacted to it: read it again."""

    conversation: str
    author: str
    id: bytes


@dataclass(frozen=True, slots=True)
class RequestArrived:
    """Somebody asks to chat (``lobby`` empty) or invites us to a lobby."""

    peer: str
    lobby: str


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """``peer`` answered what we asked: ``accepted``, ``rejected``, ``busy`` or ``free``.

    ``withdrawn`` is no answer: it does not ask us in any more.
    """

    peer: str
    lobby: str
    answer: str


@dataclass(frozen=True, slots=True)
class Receipted:
    """A member has everything of ``conversation`` up to entry ``has``, and its person read up to ``read``."""

    conversation: str
    member: str
    has: int
    read: int


@dataclass(frozen=True, slots=True)
class LeaderChanged:
    """Somebody else leads a lobby, from term ``term`` on."""

    lobby: str
    leader: str
    term: int


@dataclass(frozen=True, slots=True)
class RollCalled:
    """Somebody called the roll, or answered: who has answered so far."""

    lobby: str
    nonce: bytes
    by: str
    present: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something was refused or caught: a lobby leader that showed two orders, junk from a peer."""

    peer: str
    text: str


Notice = (
    LineAdded | LineMarked | LineChanged | RequestArrived | RequestAnswered | Receipted | LeaderChanged
    | RollCalled | Trouble
)  # fmt: skip
