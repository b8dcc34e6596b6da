"""What is inside a protected message: words, and all that people and their devices say about words.

Every content has the same head: its author's own counter in the conversation, by which a gap shows, the author's
clock, and an id of 16 bytes that names it for good. Versioned, so that more can follow. Left out: how it is
protected (``chat.groups``) and what it does (``chat.hearing``).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from conclave.errors import DecodeError
from conclave.values import dataclass, field
from conclave.wire.codec import Reader, Writer, decode
from conclave.wire.limits import HANDLE, HANDLE_BYTES, HASH_BYTES, ID_BYTES, TEXT_BYTES

VERSION = 2
WORDS_BYTES = 64 * 1024
"""The longest text, in bytes of UTF-8."""
REACTION_BYTES = 32
"""One emoji with its modifiers."""
ORIGINALS = 256
"""Signed words of others in one message at most; each is looked at, and verified."""
RANGES_BYTES = 1024
"""At most 64 ranges of what is missing."""
NEVER = (1 << 32) - 1
"""Seconds of what is to be kept whatever the conversation's timer says; devices of before keep it for 136 years."""
LAST_NUMBER = (1 << 32) - 1
"""The highest number of a timer."""
LAST_COUNT = 1 << 62
"""The highest counter; what is behind it would not fit a store."""
LATEST = 1 << 45  # milliseconds: about the year 3084; clocks beyond it are nonsense that fronts cannot show


@dataclass(frozen=True, slots=True)
class About:
    """A message that another one speaks of: its author and its id (16 bytes)."""

    author: str
    id: bytes


@dataclass(frozen=True, slots=True)
class Text:
    """Words. ``reply`` names what they answer.

    ``expires`` is how many seconds they are to be kept; 0: as the conversation has it; ``NEVER``: for good, always.
    """

    text: str
    reply: About | None = None
    expires: int = 0


@dataclass(frozen=True, slots=True)
class Edit:
    """Other words for an earlier text of the author's own."""

    id: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Take back an earlier message of the author's own, on every device."""

    id: bytes


@dataclass(frozen=True, slots=True)
class Reaction:
    """A sign at a message, or no longer."""

    about: About
    sign: str
    on: bool


@dataclass(frozen=True, slots=True)
class Pin:
    """Keep a message in everybody's view, or no longer."""

    about: About
    on: bool


@dataclass(frozen=True, slots=True)
class Timer:
    """From now on what is said here disappears after so many seconds (0: never).

    A pair has no order, so there ``number`` counts the timers that either has set. In a lobby it is 0, or where the
    timer is said again for who came in since, the entry that set it.
    """

    seconds: int
    number: int = 0


FOR_GOOD = Timer(0)
"""What holds where nobody has set a timer."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A file: its name, size in bytes, the root of its chunks' hashes (32 bytes), its key (32 bytes).

    ``expires`` is as of a text: so many seconds it is on offer.
    """

    name: str
    size: int
    chunk: int
    root: bytes
    key: bytes
    expires: int = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """The author's device has everything up to ``has`` but ``missing``; its person read up to ``read``.

    In a lobby these are numbers of the order, in a pair the other's counters.
    """

    has: int
    read: int
    missing: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Leaving:
    """The author leaves the lobby: whoever sees it first removes the author."""


@dataclass(frozen=True, slots=True)
class Closing:
    """The leader closes the lobby for everybody."""


@dataclass(frozen=True, slots=True)
class Term:
    """The author takes the lead in a new term, behind entry ``seq`` of this hash."""

    term: int
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Shared:
    """Originals of others that were said in a half of the lobby that is no more, with their authors' signatures."""

    originals: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class History:
    """Originals from before ``member`` came in, shown to it on purpose: ``count`` lines begin here, or 0 go on."""

    member: str
    count: int
    originals: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Roll:
    """Everybody is asked to answer now; ``nonce`` (16 bytes) names the call."""

    nonce: bytes


@dataclass(frozen=True, slots=True)
class Present:
    """The answer to a roll call."""

    nonce: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """Nothing but that the author is in this epoch."""


Body = (
    Text | Edit | Delete | Reaction | Pin | Timer | Offer | Receipt | Leaving | Closing | Term | Shared | Roll
    | Present | Seen | History
)  # fmt: skip


class _Kind(IntEnum):
    TEXT = 1
    EDIT = 2
    DELETE = 3
    REACTION = 4
    PIN = 5
    TIMER = 6
    OFFER = 7
    NUMBERED_TIMER = 8
    EXPIRING_OFFER = 9
    RECEIPT = 16
    LEAVING = 17
    CLOSING = 18
    TERM = 19
    SHARED = 20
    ROLL = 21
    PRESENT = 22
    SEEN = 23
    HISTORY = 24


@dataclass(frozen=True, slots=True)
class Content:
    """One message. ``count`` numbers its author's messages here from 1; 0 is for what may get lost unmissed.

    ``sent`` is the author's clock in UNIX seconds, to the millisecond.
    """

    id: bytes
    count: int
    sent: float
    body: Body


def _write_about(w: Writer, about: About) -> None:
    w.text(about.author).fixed(about.id, ID_BYTES)


def _about(r: Reader) -> About:
    about = About(r.text(HANDLE_BYTES), r.fixed(ID_BYTES))
    if HANDLE.fullmatch(about.author) is None:  # as its author it is shown: other words there would be a quotation
        raise DecodeError("a message of nobody")
    return about


def _numbered_timer(r: Reader) -> Timer:
    timer = Timer(r.uint32(), r.uint32())
    if not timer.number:
        raise DecodeError("a numbered timer without a number")
    return timer


def _offer(r: Reader, expires: int = 0) -> Offer:
    return Offer(r.text(TEXT_BYTES), r.uint64(), r.uint32(), r.fixed(HASH_BYTES), r.fixed(32), expires)


def _expiring_offer(r: Reader) -> Offer:
    expires = r.uint32()
    if not expires:
        raise DecodeError("an offer that expires, and does not say when")
    return _offer(r, expires)


def _text(r: Reader) -> Text:
    return Text(r.text(WORDS_BYTES), r.optional(_about), r.uint32())


def read_originals(r: Reader) -> tuple[bytes, ...]:
    """Signed words, of which nothing is proven."""
    return r.vector(Reader.opaque, most=ORIGINALS)


_READ: dict[int, Callable[[Reader], Body]] = {
    _Kind.TEXT: _text,
    _Kind.EDIT: lambda r: Edit(r.fixed(ID_BYTES), r.text(WORDS_BYTES)),
    _Kind.DELETE: lambda r: Delete(r.fixed(ID_BYTES)),
    _Kind.REACTION: lambda r: Reaction(_about(r), r.text(REACTION_BYTES), r.flag()),
    _Kind.PIN: lambda r: Pin(_about(r), r.flag()),
    _Kind.TIMER: lambda r: Timer(r.uint32()),
    _Kind.NUMBERED_TIMER: _numbered_timer,
    _Kind.OFFER: _offer,
    _Kind.EXPIRING_OFFER: _expiring_offer,
    _Kind.RECEIPT: lambda r: Receipt(
        r.uint64(), r.uint64(), r.vector(lambda each: (each.uint64(), each.uint64()), RANGES_BYTES)
    ),
    _Kind.LEAVING: lambda _: Leaving(),
    _Kind.CLOSING: lambda _: Closing(),
    _Kind.TERM: lambda r: Term(r.uint32(), r.uint64(), r.fixed(HASH_BYTES)),
    _Kind.SHARED: lambda r: Shared(read_originals(r)),
    _Kind.ROLL: lambda r: Roll(r.fixed(ID_BYTES)),
    _Kind.PRESENT: lambda r: Present(r.fixed(ID_BYTES)),
    _Kind.SEEN: lambda _: Seen(),
    _Kind.HISTORY: lambda r: History(r.text(HANDLE_BYTES), r.uint32(), read_originals(r)),
}


def _write_body(w: Writer, body: Body) -> Writer:
    match body:
        case Text(text, reply, expires):
            return w.uint8(_Kind.TEXT).text(text).optional(reply, _write_about).uint32(expires)
        case Edit(target, text):
            return w.uint8(_Kind.EDIT).fixed(target, ID_BYTES).text(text)
        case Delete(target):
            return w.uint8(_Kind.DELETE).fixed(target, ID_BYTES)
        case Reaction(about, sign, on):
            _write_about(w.uint8(_Kind.REACTION), about)
            return w.text(sign).uint8(on)
        case Pin(about, on):
            _write_about(w.uint8(_Kind.PIN), about)
            return w.uint8(on)
        case Timer(seconds, 0):
            return w.uint8(_Kind.TIMER).uint32(seconds)
        case Timer(seconds, number):
            return w.uint8(_Kind.NUMBERED_TIMER).uint32(seconds).uint32(number)
        case Offer(name, size, chunk, root, key, expires):
            w = w.uint8(_Kind.EXPIRING_OFFER).uint32(expires) if expires else w.uint8(_Kind.OFFER)
            w.text(name).uint64(size).uint32(chunk)
            return w.fixed(root, HASH_BYTES).fixed(key, 32)
        case Receipt(has, read, missing):
            w.uint8(_Kind.RECEIPT).uint64(has).uint64(read)
            return w.vector(missing, lambda each, pair: each.uint64(pair[0]).uint64(pair[1]))
        case Leaving():
            return w.uint8(_Kind.LEAVING)
        case Closing():
            return w.uint8(_Kind.CLOSING)
        case Term(term, seq, digest):
            return w.uint8(_Kind.TERM).uint32(term).uint64(seq).fixed(digest, HASH_BYTES)
        case Shared(originals):
            return w.uint8(_Kind.SHARED).vector(originals, Writer.opaque)
        case Roll(nonce):
            return w.uint8(_Kind.ROLL).fixed(nonce, ID_BYTES)
        case Present(nonce):
            return w.uint8(_Kind.PRESENT).fixed(nonce, ID_BYTES)
        case Seen():
            return w.uint8(_Kind.SEEN)
        case History(member, count, originals):
            return w.uint8(_Kind.HISTORY).text(member).uint32(count).vector(originals, Writer.opaque)


def encode_content(content: Content) -> bytes:
    """The plain bytes that protection takes."""
    sent = min(max(0, round(content.sent * 1000)), LATEST)
    w = Writer().uint8(VERSION).fixed(content.id, ID_BYTES).uint64(content.count).uint64(sent)
    return _write_body(w, content.body).done()


def _content(r: Reader) -> Content:
    if r.uint8() != VERSION:
        raise DecodeError("a message of a version that is not known here")
    identity, count, sent = r.fixed(ID_BYTES), r.uint64(), min(r.uint64(), LATEST) / 1000
    read = _READ.get(r.uint8())
    if read is None:
        raise DecodeError("a message of a kind that is not known here")
    if count > LAST_COUNT:
        raise DecodeError("nobody has said so much")
    return Content(identity, count, sent, read(r))


def decode_content(plain: bytes) -> Content:
    """What protection gave back, understood. Raises ``DecodeError``."""
    return decode(plain, _content)


@dataclass(frozen=True, slots=True)
class Unsaid:
    """Content of ours that is not protected yet: ``key`` orders it on disk, ``id`` names its line."""

    key: int
    id: bytes
    content: bytes = field(repr=False)
