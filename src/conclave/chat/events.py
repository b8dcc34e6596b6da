"""What happens to the core: links come and go, frames arrive, time passes, and people want things.

Commands (the second half) raise ``Refused`` or ``LocalError`` from ``step`` and leave the state as it was; nothing
that a peer sends can make ``step`` raise. Conversations are named as people write them: ``@burak``, ``#ops``.
"""

from __future__ import annotations

from typing import NamedTuple

from conclave.chat.state import Judges, Own
from conclave.chat.words.content import About, Body
from conclave.values import dataclass
from conclave.wire.frames import Frame
from conclave.wire.order import EntryKind


@dataclass(frozen=True, slots=True)
class Linked:
    """A link to ``peer`` is open; it takes at most ``window`` unacknowledged posts.

    ``device`` is the label of the device at its other end, empty where it is not known; ``made`` is when the
    certificate that it showed was made (UNIX seconds; 0: not known), ``version`` the protocol's that both speak.
    """

    peer: str
    window: int
    device: str = ""
    made: float = 0.0
    version: int = 1


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
    """The authority revoked or suspended ``peer``: it leaves every lobby that we are in, and gets nothing more.

    ``skew`` is how far the authority's clock is ahead of ours (seconds).
    """

    peer: str
    reason: str
    skew: float = 0.0


@dataclass(frozen=True, slots=True)
class Readmitted:
    """The authority lets ``peer`` in again: it is online there, by a certificate that holds."""

    peer: str


@dataclass(frozen=True, slots=True)
class OwnChanged:
    """Our certificate for conversations is another one from now on."""

    own: Own


@dataclass(frozen=True, slots=True)
class JudgesChanged:
    """Whom we believe changed: a new revocation list."""

    judges: Judges


@dataclass(frozen=True, slots=True)
class PackageFound:
    """The authority has a key package of ``peer`` (an ``MLSMessage``)."""

    peer: str
    package: bytes


@dataclass(frozen=True, slots=True)
class PackageMissing:
    """No key package of ``peer`` is there: ``away`` (the authority), ``unknown``, ``none``, ``ours``, ``refused``."""

    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class StockTold:
    """The authority has so many single-use key packages of ours."""

    count: int


@dataclass(frozen=True, slots=True)
class Deposited:
    """What was to be left in ``peer``'s mailbox up to ``upto``, of a lobby's order from ``entry`` on, is there.

    ``until`` is when it goes from there (UNIX seconds; 0: not known).
    """

    peer: str
    upto: int
    group: bytes = b""
    entry: int = 0
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class DepositFailed:
    """It is not: ``away`` (the authority), ``full``, ``unknown``, ``refused``, ``too-large``, ``ours``, ``fault``."""

    peer: str
    upto: int
    reason: str
    group: bytes = b""
    entry: int = 0


@dataclass(frozen=True, slots=True)
class Mailed:
    """Frames of ``peer`` were in our mailbox, in envelope ``mail``.

    ``device`` is the label of the device that left them; empty where it is not known.
    """

    peer: str
    frames: tuple[Frame, ...]
    mail: int
    device: str = ""


class Cut(NamedTuple):
    """An entry of a half that may lose: what it holds, and all of it, by their names alone.

    A name is as ``groups.payload_name`` gives it.
    """

    seq: int
    sender: str
    number: int
    kind: EntryKind
    payload: bytes
    entry: bytes


@dataclass(frozen=True, slots=True)
class Unwound:
    """What the store has behind entry ``common``, whose hash is ``hash``.

    ``cut`` are the entries, ``lines`` what they made: author, id, place.
    """

    group: bytes
    common: int
    hash: bytes
    cut: tuple[Cut, ...]
    lines: tuple[tuple[str, bytes, int], ...]


@dataclass(frozen=True, slots=True)
class Recollected:
    """Originals that the store has, with their certificates: author, id, ``originals.Signed`` encoded.

    ``missing``: authors and ids of those that it has no more.
    """

    group: bytes  # empty in a pair
    conversation: str
    items: tuple[tuple[str, bytes, bytes], ...]
    missing: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Say:
    """Say ``text`` in ``conversation``; ``id`` (16 random bytes) names the message for good.

    ``expires``: seconds after which it is to disappear; 0: never; None: as the conversation has it.
    """

    conversation: str
    id: bytes
    text: str
    reply: About | None = None
    expires: int | None = None


@dataclass(frozen=True, slots=True)
class Utter:
    """Say something else than words: an edit, a deletion, a reaction, a pin, a timer, a file's offer."""

    conversation: str
    id: bytes
    body: Body


@dataclass(frozen=True, slots=True)
class MarkRead:
    """Our person has read ``conversation`` up to the line whose ``seq`` this is."""

    conversation: str
    seq: int


@dataclass(frozen=True, slots=True)
class OpenLobby:
    """Open a lobby that we lead; ``group`` is 16 random bytes, ``name`` is without the ``#``.

    ``deputies`` lead first when we are gone.
    """

    name: str
    group: bytes
    invited: tuple[str, ...]
    deputies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InviteTo:
    """Ask more people into a lobby that we are in."""

    lobby: str
    invited: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShareHistory:
    """Show ``member``, who came in after us, ``count`` lines from before: these, and what was said about them since.

    ``originals`` are signed words (``chat.words.originals.Signed``) in the lobby's order.
    """

    lobby: str
    member: str
    count: int
    originals: tuple[bytes, ...]


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
    """Leave a lobby."""

    lobby: str


@dataclass(frozen=True, slots=True)
class CloseLobby:
    """Close a lobby that we lead, for everybody."""

    lobby: str


@dataclass(frozen=True, slots=True)
class RemoveFrom:
    """Put somebody out of a lobby."""

    lobby: str
    member: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SetDeputies:
    """Name who leads first when the leader is gone."""

    lobby: str
    deputies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallRoll:
    """Ask everybody in a lobby for a signed answer now; ``nonce`` is 16 random bytes."""

    lobby: str
    nonce: bytes


Command = (
    Say | Utter | MarkRead | OpenLobby | InviteTo | AnswerRequest | Unblock | SetBusy | LeaveLobby | CloseLobby
    | RemoveFrom | SetDeputies | CallRoll | ShareHistory
)  # fmt: skip
Event = (
    Linked | Unlinked | Arrived | Tick | Expelled | Readmitted | OwnChanged | JudgesChanged | PackageFound
    | PackageMissing | StockTold | Deposited | DepositFailed | Mailed | Unwound | Recollected | Command
)  # fmt: skip
