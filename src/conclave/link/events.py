"""What a link tells whoever drives it, as data. Left out: how it came about (``link.machine``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from conclave.values import dataclass
from conclave.wire.frames import Frame
from conclave.wire.link import CloseReason, Hello


class Peer(Protocol):
    """Whoever is at the other end, as the caller's ``verify`` found it: what a link needs to know of it."""

    @property
    def handle(self) -> str:
        """The account's name in the realm."""

    @property
    def device(self) -> str:
        """The label of the account's device; empty where it is not known."""

    @property
    def not_before(self) -> float:
        """When its certificate begins (UNIX seconds)."""

    @property
    def not_after(self) -> float:
        """When its certificate ends (UNIX seconds); an open link ends with it."""


Verify = Callable[[bytes, float], Peer]
"""``verify(leaf, now)``: the peer whose leaf certificate (DER) this is; raises ``VerificationError``."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Both certificates hold and both hellos agree. ``initiator``: we dialled."""

    peer: Peer
    hello: Hello
    initiator: bool


@dataclass(frozen=True, slots=True)
class FramesArrived:
    """Frames of the conversation tier, in their order: all that one reading gave."""

    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """The link is over; nothing comes after this.

    ``clean``: the other side's close frame arrived, so nothing that it sent is missing. Where it did not, whatever
    was under way must be taken as cut short, and a stream that just ended has the reason ``TRUNCATED``.
    ``by_us``: the decision was ours. ``text`` is for people.
    """

    reason: CloseReason
    text: str
    clean: bool
    by_us: bool


Event = Opened | FramesArrived | Closed
