"""What is to happen once a turn is on disk: sending, reading, asking the authority, telling the fronts.

Left out: what the transaction before it commits (``chat.effects``), and who does it (``node.pump``).
"""

from __future__ import annotations

from conclave.chat.notices import Notice
from conclave.files.record import FileRecord
from conclave.values import dataclass, field
from conclave.wire.frames import Frame


@dataclass(frozen=True, slots=True)
class Send:
    """Give the frame to the peer's link; without one it is dropped, and repaired by resend or fetch."""

    peer: str
    frame: Frame


@dataclass(frozen=True, slots=True)
class Push:
    """Give an entry of a lobby's order, as it is stored, to the links of all these peers; as ``Send`` for each."""

    peers: tuple[str, ...]
    group: bytes
    seq: int
    entry: bytes = field(repr=False)


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
class Unwind:
    """Read what a lobby's order and history have behind entry ``common``; answered by ``events.Unwound``."""

    group: bytes
    conversation: str
    common: int


@dataclass(frozen=True, slots=True)
class Recollect:
    """Read the originals of these lines (author and id); answered by ``events.Recollected``."""

    group: bytes
    conversation: str
    lines: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class SendOriginals:
    """Send ``peer`` the originals of the lines between two entries (both exclusive), a few in a frame.

    None of before ``since`` is sent: the peer was not in. ``whole``: we know of none that we lack. ``by``: nothing
    but the words of this author.
    """

    peer: str
    group: bytes
    conversation: str
    after: int
    before: int
    since: int
    whole: bool
    by: str = ""


@dataclass(frozen=True, slots=True)
class FindPackage:
    """Ask the authority for a key package of ``peer``; answered by ``PackageFound`` or ``PackageMissing``."""

    peer: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Give the authority key packages of ours; ``replace``: those that it has are of no use any more."""

    packages: tuple[bytes, ...]
    last: bytes
    replace: bool


@dataclass(frozen=True, slots=True)
class Deposit:
    """Seal these encoded frames for ``peer``, and leave them in its mailbox.

    ``upto``, ``group`` and ``entry`` come back in the answer: the last post's number, or in a lobby (``group``) our
    last number; of a lobby that we lead, the first (``entry``) and the last entry of its order that are in it.
    """

    peer: str
    upto: int
    frames: tuple[bytes, ...]
    group: bytes = b""
    entry: int = 0


@dataclass(frozen=True, slots=True)
class DepositPosts:
    """As ``Deposit``, of posts of the outbox from ``first`` on, at most ``count``."""

    peer: str
    stream: bytes
    base: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class DepositEntries:
    """As ``Deposit``, of entries of a lobby's order from ``first`` on, at most ``count``."""

    peer: str
    group: bytes
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class MailDone:
    """What was in this envelope is committed: it can go from our mailbox."""

    mail: int


@dataclass(frozen=True, slots=True)
class HearFile:
    """Somebody offers a file: it is on record, and can be fetched."""

    record: FileRecord


@dataclass(frozen=True, slots=True)
class LookAtFile:
    """The line of this message may be another: was a file offered in it, see whether, and until when, that stands."""

    conversation: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Want:
    """Have a link to ``peer`` (dial it, and again with backoff), or need it no longer."""

    peer: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class Tell:
    """Something that the fronts should know; ``notice`` is one of ``chat.notices``."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class Wake:
    """Step again with ``Tick`` no later than ``at`` (UNIX seconds)."""

    at: float


Deed = (
    Send | Push | Resend | Replay | Unwind | Recollect | SendOriginals | FindPackage | Publish | Deposit
    | DepositPosts | DepositEntries | MailDone | HearFile | LookAtFile | Want | Tell | Wake
)  # fmt: skip
