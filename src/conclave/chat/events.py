"""What happens to the core: links come and go, frames arrive, time passes, and people want things.

Commands (the second half) raise ``Refused`` or ``LocalError`` from ``step`` and leave the state as it was; nothing
that a peer sends can make ``step`` raise. Conversations are named as people write them: ``@burak``, ``#ops``.
"""

from __future__ import annotations

from dataclasses import dataclass

from conclave.wire.frames import Frame


@dataclass(frozen=True, slots=True)
class Linked:
    """A link to ``peer`` is open; it takes at most ``window`` unacknowledged posts."""

    peer: str
    window: int


@dataclass(frozen=True, slots=True)
class Unlinked:
    """The link to ``peer`` is gone."""

    peer: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A frame of the conversation tier came in from ``peer``."""

    peer: str
    frame: Frame


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed; some ``Wake`` is due."""


@dataclass(frozen=True, slots=True)
class Expelled:
    """The authority revoked or suspended ``peer``: it leaves every lobby that we lead, and gets nothing more."""

    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Say:
    """Say ``text`` in ``conversation``; ``id`` (16 random bytes) names the message for good."""

    conversation: str
    id: bytes
    text: str


@dataclass(frozen=True, slots=True)
class OpenLobby:
    """Open a lobby that we lead; ``group`` is 16 random bytes, ``name`` is without the ``#``."""

    name: str
    group: bytes
    invited: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InviteTo:
    """Ask more people into a lobby that we lead."""

    lobby: str
    invited: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """Answer ``peer``'s chat request (``lobby`` empty) or invitation to ``lobby``; perhaps block the peer too."""

    peer: str
    accept: bool
    lobby: str = ""
    block: bool = False


@dataclass(frozen=True, slots=True)
class Unblock:
    """Take a block back: the peer may ask again."""

    peer: str


@dataclass(frozen=True, slots=True)
class SetBusy:
    """While on, new requests are answered *busy*; turning it off tells those who were turned away."""

    on: bool


@dataclass(frozen=True, slots=True)
class LeaveLobby:
    """Leave a lobby that somebody else leads."""

    lobby: str


@dataclass(frozen=True, slots=True)
class CloseLobby:
    """Close a lobby that we lead, for everybody."""

    lobby: str


# What waits at the authority for people who are away (node.mailroom).


@dataclass(frozen=True, slots=True)
class Mailed:
    """Frames that ``peer`` left in our mailbox, proven to be from it. Answer with ``MailDone(mail)`` in that turn."""

    peer: str
    frames: tuple[Frame, ...]
    mail: int


@dataclass(frozen=True, slots=True)
class Deposited:
    """All frames of the ``Deposit`` with this ``upto`` lie in ``peer``'s mailbox."""

    peer: str
    upto: int


@dataclass(frozen=True, slots=True)
class DepositFailed:
    """Not all of them do; ask again when there is reason to.

    ``reason``: ``away`` (the authority cannot be reached, or is busy), ``full`` (the mailbox), ``unknown`` (nobody of
    that name, or without a key package), ``refused`` (the key package does not hold, a frame does not fit, ...).
    """

    peer: str
    upto: int
    reason: str


@dataclass(frozen=True, slots=True)
class PackageFound:
    """A key package (an MLSMessage), proven to be ``peer``'s by its certificate."""

    peer: str
    package: bytes


@dataclass(frozen=True, slots=True)
class PackageMissing:
    """There is none to be had; ``reason`` is ``away``, ``unknown`` or ``refused``, as in ``DepositFailed``."""

    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class StockTold:
    """The authority has ``count`` single-use key packages of ours: told on every contact, and when few are left."""

    count: int


Command = Say | OpenLobby | InviteTo | AnswerRequest | Unblock | SetBusy | LeaveLobby | CloseLobby
Posted = Mailed | Deposited | DepositFailed | PackageFound | PackageMissing | StockTold
Event = Linked | Unlinked | Arrived | Tick | Expelled | Posted | Command
