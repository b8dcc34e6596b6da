"""Delivery between two peers: what is posted arrives once and in order, whatever links and processes do.

Each side numbers its posts to the other from 1 in a *stream* (8 random bytes). A post stays in the outbox until the
other side has committed it and says so; a link that opens, or on which nothing moves, is sent the outbox again from
``base``, the lowest number that is not acknowledged. The receiver takes the next number only: what is at or below
its last is acknowledged again and dropped, what is above is ignored, because it comes again.

A receiver may *leave* the next post (a busy person, a stranger who said too much): it is not acknowledged, and
everything behind it waits with it. It may also *decline* it (from somebody rejected, or in keys that are lost): it
is dropped, and the acknowledgement says so, so that the sender's line is marked as not sent and never as delivered.
Declined numbers are repeated in every acknowledgement until the sender's base shows that it knows; those of somebody
rejected are named twice, so that they are taken for no sign that keys were lost.

A peer that lost its home comes back with a new stream. The last few streams of a peer are remembered with their
numbers, so late posts of an old one are known as repeated, and take nothing from what the present one is yet to be
told. Left out: what posts say, and when to link.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import NamedTuple

from conclave.chat.fifo import Fifo
from conclave.lobby.order import Place
from conclave.values import dataclass, field, replace
from conclave.wire.delivery import DECLINED_POSTS, Ack, Post

STREAM_BYTES = 8
STREAMS_KEPT = 4
"""Streams of one peer that are remembered, the present one included."""
PATIENCE_DOUBLINGS = 5
"""An open link without progress is tried after 1, 2, 4 ... 32 times ``resend_after``."""
PROBES_AFTER = 2
"""So many tries in vain send all that is in flight; the later ones send a single post."""
ANEW_SECONDS = 60.0
"""Between two times that mail is left anew for what its receiver says; doubled each time, until a quiet day."""
ANEW_MOST_SECONDS = 3600.0
ANEW_QUIET_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A post in the outbox that carries a line of ours."""

    number: int
    id: bytes


@dataclass(frozen=True, slots=True)
class Outbound:
    """Our stream to a peer: ``next`` is the number of the next post, ``base`` the lowest unacknowledged."""

    stream: bytes = b""
    next: int = 1
    base: int = 1
    lines: Fifo[Waiting] = field(default_factory=Fifo)

    @property
    def count(self) -> int:
        """Posts in the outbox."""
        return self.next - self.base


@dataclass(frozen=True, slots=True)
class Flight:
    """What the present link has done. ``window`` 0: there is none. Not kept on disk."""

    window: int = 0
    sent: int = 0  # highest number sent on this link
    moved: float = 0.0  # UNIX seconds of the last progress, or of the last try
    tries: int = 0
    handed: bytes = b""  # reference of our key package that went over it
    device: str = ""  # the label of the device at its other end
    version: int = 1  # of the link's protocol, as both ends speak it


@dataclass(frozen=True, slots=True)
class Anew:
    """When a peer was last mailed its outbox once more because of what it said, and when it next is. Not kept."""

    due: float = 0.0  # UNIX seconds; 0: it has not asked for it since
    last: float = 0.0  # UNIX seconds
    wait: float = 0.0  # seconds from the last to the next


class Stream(NamedTuple):
    """One stream of a peer's to us: its name, and the last number taken."""

    name: bytes
    last: int
    declined: tuple[int, ...] = ()  # numbers that were dropped, and that the peer may not know of, as they are named


@dataclass(frozen=True, slots=True)
class Inbound:
    """A peer's streams to us, the one that came on last first."""

    streams: tuple[Stream, ...] = ()

    def of(self, name: bytes) -> Stream | None:
        """What we have of this stream; None where it is not known."""
        return next((one for one in self.streams if one.name == name), None)


class Fate(Enum):
    """What became of the next post."""

    TAKEN = "taken"
    DECLINED = "declined"
    REJECTED = "rejected"  # declined, because its author is rejected
    LEFT = "left"


def enqueue(out: Outbound, identity: bytes = b"") -> tuple[Outbound, int]:
    """Give a post its number. ``identity`` is that of the line it carries, if any. The stream must be named."""
    lines = out.lines.push(Waiting(out.next, identity)) if identity else out.lines
    return Outbound(out.stream, out.next + 1, out.base, lines), out.next


def acknowledged(out: Outbound, ack: Ack) -> tuple[Outbound, tuple[Waiting, ...]]:
    """The stream after ``ack``, and the lines that have arrived. What was never sent cannot be acknowledged."""
    if ack.stream != out.stream or not out.base <= ack.number < out.next:
        return out, ()
    lines = out.lines
    arrived: list[Waiting] = []
    while len(lines):
        lines = lines.settled()
        first = lines.peek()
        if first is None or first.number > ack.number:
            break
        arrived.append(first)
        lines = lines.pop()
    return Outbound(out.stream, out.next, ack.number + 1, lines), tuple(arrived)


def place(inbound: Inbound, post: Post) -> tuple[Inbound, Place]:
    """Where ``post`` stands, and the streams with its own in front if it is to be taken."""
    if not 1 <= post.base <= post.number:
        return inbound, Place.AHEAD
    known = inbound.of(post.stream) or Stream(post.stream, 0)
    last = max(known.last, post.base - 1)
    if post.number <= last:
        return inbound, Place.REPEATED
    declined = known.declined
    if declined:
        declined = tuple(number for number in declined if number >= post.base)
    if post.number > last + 1 or full(declined):
        return inbound, Place.AHEAD
    others = tuple(one for one in inbound.streams if one.name != post.stream)
    return Inbound((Stream(post.stream, last, declined), *others[: STREAMS_KEPT - 1])), Place.NEXT


def taken(inbound: Inbound, post: Post) -> Inbound:
    """The post that ``place`` called next is done."""
    known = inbound.of(post.stream) or Stream(post.stream, 0)
    return Inbound((known._replace(last=post.number), *inbound.streams[1:]))


def declined(inbound: Inbound, post: Post, *, rejected: bool = False) -> Inbound:
    """The post that is done was dropped, be it because its sender is ``rejected``, and its sender is to know."""
    done, *others = inbound.streams
    dropped = (*done.declined, *(post.number,) * (2 if rejected else 1))
    return Inbound((done._replace(declined=dropped), *others))


def full(declined: tuple[int, ...]) -> bool:
    """Whether one more declined post may find no room among these: nothing is taken then."""
    return len(declined) > DECLINED_POSTS - 2


def unread(ack: Ack) -> frozenset[int]:
    """The numbers that ``ack`` declines though their sender is not rejected."""
    return frozenset(number for number, times in Counter(ack.declined).items() if times == 1)


def ack_for(inbound: Inbound, stream: bytes) -> Ack | None:
    """The acknowledgement of what we have of ``stream``; None where there is nothing to say."""
    known = inbound.of(stream)
    return Ack(stream, known.last, known.declined) if known is not None and known.last > 0 else None


def asked_anew(anew: Anew, now: float) -> Anew:
    """What a peer says shows that mail was lost: it is mailed once more, at once or when the pause is over."""
    return anew if anew.due else replace(anew, due=now + max(0.0, anew.wait - abs(now - anew.last)))


def left_anew(anew: Anew, now: float) -> Anew:
    """It was mailed once more: the next pause is twice as long, or the first one again after a quiet day."""
    if not anew.due:
        return anew
    quiet = not anew.wait or abs(now - anew.last) >= ANEW_QUIET_SECONDS
    return Anew(0.0, now, ANEW_SECONDS if quiet else min(2 * anew.wait, ANEW_MOST_SECONDS))


def opened(out: Outbound, window: int, now: float) -> Flight:
    """A link opened: nothing of the outbox was sent on it yet."""
    return Flight(window, out.base - 1, now)


def share(out: Outbound, flight: Flight, window: int, now: float) -> tuple[Flight, int, int]:
    """What of the outbox to send now: the flight after it, the first number, and how many (0: nothing).

    ``window`` is the flight's own, or less: a peer that asked us to wait is sent one post, in case it has forgotten.
    """
    first = max(flight.sent, out.base - 1) + 1
    last = min(out.next - 1, out.base + min(window, flight.window) - 1)
    under_way = first - out.base
    if last < first or (under_way > 1 and under_way > window // 2):
        return flight, 0, 0  # half the window must be free, so that refills are few and large
    return replace(flight, sent=last, moved=now), first, last - first + 1


def retried(out: Outbound, flight: Flight, now: float, after: float) -> tuple[Flight, int] | None:
    """Nothing moved for long enough: the flight to send again, and the window to use. None: not yet."""
    if not flight.window or not out.count or flight.sent < out.base:
        return None
    if abs(now - flight.moved) < after * (1 << min(flight.tries, PATIENCE_DOUBLINGS)):
        return None
    tries = flight.tries + 1
    return replace(flight, sent=out.base - 1, moved=now, tries=tries), 1 if tries > PROBES_AFTER else flight.window
