"""Where we stand with whom: the state of ``desk``, immutable, and the names of its conversations."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from conclave.classic.events import Answer
from conclave.classic.lobby import Lobby
from conclave.values import dataclass, field, replace

LEGACY = "legacy:"
"""What the names of classic conversations begin with; those of all others begin with ``@`` or ``#``."""


class Stage(Enum):
    """Where we stand with a peer."""

    CALLING = auto()  # we dial, or wait for its answer
    ASKING = auto()  # it waits for ours
    OPEN = auto()


@dataclass(frozen=True, slots=True)
class Line:
    """A text that waits for its link. ``order`` is its place among all that were given to links."""

    order: int
    conversation: str
    id: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A link to a peer, or one that is being made. ``lobby``: the lobby of ours that it is for, or empty."""

    peer: str
    stage: Stage
    initiator: bool
    since: float
    lobby: str = ""
    waiting: tuple[Line, ...] = ()

    @property
    def conversation(self) -> str:
        """Where what is said on it belongs."""
        return LEGACY + (f"#{self.lobby}" if self.lobby else f"@{self.peer}")


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything of one user's classic conversations. Immutable."""

    me: str
    accepted: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()
    calls: Mapping[int, Call] = field(default_factory=dict)
    lobbies: Mapping[str, Lobby] = field(default_factory=dict)
    snubbed: Mapping[str, tuple[float, Answer]] = field(default_factory=dict)
    """Whom we answer at once for a while, until when, and what."""
    dialled: int = 0
    said: int = 0  # texts given to links, or to those that are being made

    def call_of(self, peer: str) -> tuple[int, Call | None]:
        """The link with ``peer``, and its number."""
        return next(((link, call) for link, call in self.calls.items() if call.peer == peer), (0, None))

    def put(self, link: int, call: Call) -> Desk:
        """With this call."""
        return replace(self, calls={**self.calls, link: call})

    def wait(self, link: int, line: Line) -> Desk:
        """With ``line`` waiting for this link, in its place: one that could not leave goes before later ones."""
        call = self.calls[link]
        return self.put(link, replace(call, waiting=tuple(sorted((*call.waiting, line), key=lambda one: one.order))))

    def drop(self, link: int) -> Desk:
        """Without it."""
        return replace(self, calls={number: call for number, call in self.calls.items() if number != link})
