"""The whole state of one user's conversations, as values that never change.

Left out: what changes it (``chat.desk`` and the rooms below it) and how it is kept on disk (``chat.records``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from conclave.chat.delivery import Anew, Flight, Inbound, Outbound
from conclave.chat.fifo import Fifo
from conclave.chat.lobby_state import Lobby, Stage
from conclave.chat.pair import Ours, Pair
from conclave.chat.settings import Settings
from conclave.chat.words.content import FOR_GOOD, Timer, Unsaid
from conclave.errors import VerificationError
from conclave.lobby.shelf import Shelf
from conclave.mls.group import Credential, OwnKeyPackage, State, Verify
from conclave.pki.revocation import Revocation
from conclave.values import dataclass, field
from conclave.wire.frames import Frame
from conclave.wire.order import Run


@dataclass(frozen=True, slots=True)
class Own:
    """Who we are in every group: our certificate, its raw private key, and the realm's cipher suite.

    ``until`` is when the certificate ends (UNIX seconds).
    """

    credential: Credential
    signature_key: bytes = field(repr=False)
    suite: int
    until: float


def unrevoked(_: bytes) -> Revocation | None:
    """No certificate is on a list."""
    return None


def nobody(_: Credential, __: bytes, ___: float) -> bytes:
    """Believes no credential: what a desk has until it is told whom to believe."""
    raise VerificationError("no credential can be judged here yet")


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a key package of ours was handed to, and the lobby that it is to let us into; empty: a group of two."""

    handle: str
    group: bytes = b""


@dataclass(frozen=True, slots=True)
class Judges:
    """Who is believed. ``newcomers`` judges who comes anew, ``members`` who is in and may have been away.

    The second one takes a certificate that has ended or was revoked since: who is in is put out by a commit.
    ``revoked`` tells why a certificate (DER) does not count any more; None where it is on no list.
    """

    newcomers: Verify = nobody
    members: Verify = nobody
    revoked: Callable[[bytes], Revocation | None] = unrevoked


@dataclass(frozen=True, slots=True)
class PairGroup:
    """An MLS group of two. Its members commit in turns, its maker first, so that no two commits ever compete."""

    id: bytes
    ours: bool  # we made it
    turn: bool  # it is ours to commit
    dead: bool = False  # the peer has lost it with its home, or never had it: it is not spoken in any more
    begun: int = 0  # the number of the first post of ours behind its beginning, or that is its beginning
    answered: bool = False  # the peer said something in it, or renewed its keys in one of ours: it has that one
    renewed: int = 0  # the number of our latest commit in it; 0: none that waits in the outbox after a restart


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody we talk to, share a lobby with, or are linked to; of it is kept what ``peer_records`` names."""

    handle: str
    out: Outbound = field(default_factory=Outbound)
    inbound: Inbound = field(default_factory=Inbound)
    pair: Pair = field(default_factory=Pair)
    groups: tuple[PairGroup, ...] = ()  # the first one is spoken in, the others are only heard
    count: int = 0  # our messages here
    counts: int = 0  # the peer's latest counter
    told: int = 0  # the peer's counter up to which our person has read
    read: int = 0  # our counter up to which the peer told that it read
    timer: Timer = FOR_GOOD  # what was agreed last, of either
    unread: tuple[bytes, ...] = ()  # lines that the peer could not read, and that are not said again yet
    held: tuple[int, int] = (0, 0)  # the least counter that was said again, and our latest by then: see ``duet``
    waiting: Fifo[Unsaid] = field(default_factory=Fifo)  # until there is a group
    certificates: tuple[bytes, ...] = ()  # fingerprints of those that it showed in our groups, the latest last
    numbers: tuple[bytes, ...] = ()  # safety numbers of before, the latest last
    warned: tuple[bytes, ...] = ()  # of which certificates people were told in which lobbies, hashed, the latest last
    flight: Flight = field(default_factory=Flight)
    ties: frozenset[bytes] = frozenset()  # lobbies because of which we want a link
    wanted: bool = False
    troubled: Mapping[str, float] = field(default_factory=dict)  # when we last told people of what misbehaviour
    withdrawn: tuple[float, ...] = ()  # UNIX seconds when it took invitations back, of the last hour
    sought: float = 0.0  # UNIX seconds when we last asked for a key package
    away: float = 0.0  # UNIX seconds since when it is not linked, though wanted
    mailed: int = 0  # the highest post that is in the peer's mailbox
    mail_until: int = 0  # UNIX seconds until when all of these are there; 0: not known
    mailing: int = 0  # the highest post that is on its way there
    mail_at: float = 0.0  # UNIX seconds before which nothing is mailed: the last try failed
    unmailed: str = ""  # why nothing can be left in the peer's mailbox, in words: people were told so
    owed: tuple[Frame, ...] = ()  # what its mail is to be answered with, and is not on its way to its mailbox
    telling: tuple[Frame, ...] = ()  # what is
    anew: Anew = field(default_factory=Anew)  # how often what was left there is left anew for what it says
    updated: float = 0.0  # UNIX seconds when our keys are next to be renewed
    again: frozenset[bytes] = frozenset()  # lines in the outbox, or waiting, that are said again: not once more
    recollecting: bool = False  # what is ``unread`` is being read from the store
    passed: Mapping[bytes, bool] = field(default_factory=dict)
    """Lobbies it was asked into once more, as it answered before it acknowledged that; True: it did so again."""

    @property
    def linked(self) -> bool:
        """Whether a link is open."""
        return self.flight.window > 0

    @property
    def needed(self) -> bool:
        """Whether we want a link to it: something waits for it, or a lobby does."""
        return self.out.count > 0 or bool(self.ties) or len(self.waiting) > 0


@dataclass(frozen=True, slots=True)
class RemainingLobby:
    """A lobby that we were in: its MLS group's id (16 bytes), its name, what it is called here, who led, and all.

    Not in ``MEMBER`` we were on our way out of it, or out; ``closed`` is its last entry, where we closed it. ``runs``
    are those of the order that we followed. Lines have its places up to
    entry ``common``, but for those that are ``lost``, as ranges. ``orphans`` are authors and ids of what is to be
    said again. Who came in by which entry ``entered`` says, ``met`` who by that one at the latest; the last four are
    as in ``Healing``.
    """

    group: bytes
    name: str
    label: str
    leader: str
    people: tuple[str, ...] = ()
    stage: Stage = Stage.MEMBER
    closed: int = 0
    runs: tuple[Run, ...] = ()
    common: int = 0
    lost: tuple[tuple[int, int], ...] = ()
    orphans: tuple[tuple[str, bytes], ...] = ()
    entered: tuple[tuple[str, int], ...] = ()
    met: tuple[tuple[str, int], ...] = ()
    places: tuple[tuple[tuple[str, bytes], int], ...] = ()
    unseen: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = ()
    apart: tuple[tuple[tuple[str, bytes], tuple[str, ...]], ...] = ()
    untold: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Remains:
    """Whom we knew and how we held them, our lobbies, and the timers (seconds) of pairs that had one."""

    peers: tuple[tuple[str, Ours], ...] = ()
    lobbies: tuple[RemainingLobby, ...] = ()
    timers: tuple[tuple[str, int], ...] = ()


class Word(NamedTuple):
    """The authority said that somebody is out."""

    at: float  # UNIX seconds by its clock; 0: a list came since, and says of each certificate whether it holds
    suspended: bool  # until it is resumed; else only another certificate counts


@dataclass(frozen=True, slots=True)
class Desk:
    """All conversations of ``me``. ``alarm`` is when the core asked to be woken (UNIX seconds; 0: not)."""

    me: str
    settings: Settings = field(default_factory=Settings)
    own: Own | None = None
    judges: Judges = field(default_factory=Judges)
    busy: bool = False
    peers: Shelf[str, Peer] = field(default_factory=Shelf)
    lobbies: Shelf[bytes, Lobby] = field(default_factory=Shelf)
    labels: Mapping[str, bytes] = field(default_factory=dict)
    sessions: Shelf[bytes, State] = field(default_factory=Shelf)
    packages: Shelf[bytes, OwnKeyPackage] = field(default_factory=Shelf)  # by reference
    last: tuple[bytes, ...] = ()  # references of our last-resort packages, the newest first
    holders: Shelf[bytes, Holder] = field(default_factory=Shelf)  # who has those that are not the authority's stock
    certificates: Mapping[bytes, bytes] = field(default_factory=dict)  # kept by this process, by signature key
    expelled: Mapping[str, Word] = field(default_factory=dict)  # by handle, as told since our start or not done yet
    remains: Remains | None = None  # of a home that came from a backup, until it is taken up again
    alarm: float = 0.0
