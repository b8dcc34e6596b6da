"""The whole state of one user's conversations, as values that never change.

Left out: what changes it (``chat.desk`` and the rooms below it) and how it is kept on disk (``chat.records``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from conclave.chat.delivery import Flight, Inbound, Outbound
from conclave.chat.pair import Pair
from conclave.chat.protection import HOP_BY_HOP, Protection
from conclave.chat.settings import Settings
from conclave.lobby.leader import Leading
from conclave.lobby.member import Following
from conclave.lobby.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody we talk to, lead, follow, or are linked to. The second half is not kept on disk."""

    handle: str
    out: Outbound = field(default_factory=Outbound)
    inbound: Inbound = field(default_factory=Inbound)
    pair: Pair = field(default_factory=Pair)
    flight: Flight = field(default_factory=Flight)
    ties: frozenset[bytes] = frozenset()  # lobbies because of which we want a link
    wanted: bool = False
    troubled: float = 0.0  # UNIX seconds when we last told people of its misbehaviour
    protection: Protection = HOP_BY_HOP

    @property
    def linked(self) -> bool:
        """Whether a link is open."""
        return self.flight.window > 0


class Stage(IntEnum):
    """What a lobby is to us. The numbers are stored."""

    LEADING = 1
    CLOSING = 2  # we closed it; some followers do not know yet
    INVITED = 3
    JOINING = 4  # we accepted; the leader's welcome is to come
    MEMBER = 5
    LEAVING = 6  # we said so; the leader's word is to come
    ENDED = 7


@dataclass(frozen=True, slots=True)
class Lobby:
    """A lobby as we know it. ``label`` is what people here call it, with its ``#``."""

    group: bytes
    name: str
    label: str
    leader: str
    stage: Stage
    leading: Leading | None = None  # LEADING, CLOSING
    following: Following | None = None  # MEMBER, LEAVING
    asked: tuple[str, ...] = ()  # who was in when we were invited
    hushed: bool = False  # the invitation came while we were busy: people are told when we are free
    ended: float = 0.0  # UNIX seconds
    protection: Protection = HOP_BY_HOP


@dataclass(frozen=True, slots=True)
class Desk:
    """All conversations of ``me``. ``alarm`` is when the core asked to be woken (UNIX seconds; 0: not)."""

    me: str
    settings: Settings = field(default_factory=Settings)
    busy: bool = False
    peers: Shelf[str, Peer] = field(default_factory=Shelf)
    lobbies: Shelf[bytes, Lobby] = field(default_factory=Shelf)
    labels: dict[str, bytes] = field(default_factory=dict)
    alarm: float = 0.0
