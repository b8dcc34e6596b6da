"""What a step of the core wants done, as data. The pump commits, then sends, then tells; nothing else acts.

*Records* are what one transaction commits, in order. *Deeds* are what happens only after that transaction is on disk.
Left out: the deeds, one by one (``chat.deeds``).
"""

from __future__ import annotations

from collections.abc import Callable

from conclave.chat.deeds import Deed
from conclave.chat.words.line import Line, Status
from conclave.values import dataclass, field


@dataclass(frozen=True, slots=True)
class PutState:
    """A core's own state under its key, e.g. ``pair/burak``.

    ``source`` may be a function that gives the value: of the states of a key in one commit only the last is written,
    so only that one need be encoded.
    """

    key: str
    source: bytes | Callable[[], bytes] = field(repr=False)

    @property
    def value(self) -> bytes:
        """What is to be kept."""
        return self.source if isinstance(self.source, bytes) else self.source()


@dataclass(frozen=True, slots=True)
class AddState:
    """A state under its key where there is none yet: one that is there stays as it is."""

    key: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DropState:
    """Forget a state."""

    key: str


@dataclass(frozen=True, slots=True)
class AddLine:
    """Append to a conversation's history (``@burak``, or ``#`` and the lobby's label).

    A line with the same sender and id that is there already is left as it is, but for its place in the order.
    ``ordered``: it has this place for everybody, so whatever else is there under its name gives way to it, with its
    edits, unless it was erased; words are shown as edited then. ``original`` is what its author signed, as
    ``chat.words.originals`` writes it; empty for a notice.
    """

    conversation: str
    line: Line
    original: bytes = b""
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class MarkLine:
    """A line came further; ``seq`` is its place in a lobby's order once known; of several the first one counts."""

    conversation: str
    sender: str
    id: bytes
    status: Status
    seq: int = 0


@dataclass(frozen=True, slots=True)
class KeepOriginal:
    """What a line's author signed, of a line of ours that was there before it was protected; the first one stays."""

    conversation: str
    sender: str
    id: bytes
    original: bytes


@dataclass(frozen=True, slots=True)
class AmendLine:
    """Other words for a line of the kind *text*, said at ``at``; the newest ones count, of two at once the greater.

    ``alone``: some may have them alone, so they count less than any that are in the order, however they are dated.
    Where there is no such line yet, it is kept until the line comes, as are the three that follow (the last 64 of one
    person in one conversation).
    """

    conversation: str
    sender: str
    id: bytes
    text: str
    at: float
    alone: bool = False


@dataclass(frozen=True, slots=True)
class EraseLine:
    """A line's words, its original, and what was said of it go; that it was there stays (deleted)."""

    conversation: str
    sender: str
    id: bytes


@dataclass(frozen=True, slots=True)
class SetReaction:
    """``by`` puts ``sign`` at a line, or takes it off, said at ``at``. A line takes 8 signs of one person, 64 of all.

    Of what one person said of one sign the newest counts, of two at once that which takes it off: so what was said
    before and is heard again changes nothing.
    """

    conversation: str
    sender: str
    id: bytes
    by: str
    sign: str
    on: bool
    at: float


@dataclass(frozen=True, slots=True)
class SetPin:
    """A line is pinned, or no longer, said at ``at``; the newest counts, of two at once what takes the pin off."""

    conversation: str
    sender: str
    id: bytes
    on: bool
    at: float


@dataclass(frozen=True, slots=True)
class ExpireLine:
    """A line is to disappear at ``at``, unless it is to already, or is erased."""

    conversation: str
    sender: str
    id: bytes
    at: float


@dataclass(frozen=True, slots=True)
class DropExpired:
    """Lines that were to disappear at or before ``now`` go, with everything of them but their names.

    So what is said of them later goes too.
    """

    now: float


@dataclass(frozen=True, slots=True)
class PassLine:
    """A line that would have disappeared before it came: where it is not here, what was and is said of it goes."""

    conversation: str
    sender: str
    id: bytes


@dataclass(frozen=True, slots=True)
class PutPost:
    """Into the outbox: the post's kind and body under its number in our stream to ``peer``."""

    peer: str
    number: int
    kind: int
    body: bytes


@dataclass(frozen=True, slots=True)
class DropPosts:
    """Out of the outbox: every post to ``peer`` up to and including ``number``."""

    peer: str
    number: int


@dataclass(frozen=True, slots=True)
class PutEntry:
    """Append to a lobby's order: ``entry`` is ``wire.order.encode_ordered``'s bytes."""

    group: bytes
    seq: int
    entry: bytes


@dataclass(frozen=True, slots=True)
class DropEntries:
    """Forget a lobby's order (it was closed and everybody has it, or we left)."""

    group: bytes


@dataclass(frozen=True, slots=True)
class CutEntries:
    """Forget a lobby's entries after number ``seq``: they were of a half that lost."""

    group: bytes
    seq: int


@dataclass(frozen=True, slots=True)
class UnplaceLines:
    """Lines behind entry ``seq`` have no place in the lobby's order any more (``seq`` 0): their half lost."""

    conversation: str
    seq: int


@dataclass(frozen=True, slots=True)
class PutCertificate:
    """Keep a member's certificate (DER), under its SHA-256: originals name it."""

    der: bytes


Record = (
    PutState | AddState | DropState | AddLine | MarkLine | KeepOriginal | AmendLine | EraseLine | SetReaction
    | SetPin | ExpireLine | PassLine | DropExpired | PutPost | DropPosts | PutEntry | DropEntries | CutEntries
    | UnplaceLines | PutCertificate
)  # fmt: skip

Effect = Record | Deed
