"""Messages that disappear: what was agreed in a pair, and the words in which a conversation says so.

In a pair either may set the timer, and nobody orders what the two say. So timers are numbered: a higher number
counts, and of two that crossed each other, which have the same, the shorter one. Words that come without a timer,
from who did not know it yet, go by the one that is set where they arrive. Left out: lobbies
(``chat.lobbies.timers``), and the lines that go (``Work.expire``).
"""

from __future__ import annotations

from conclave.chat.hearing import own_notice
from conclave.chat.state import Peer
from conclave.chat.words.content import LAST_NUMBER, Body, Offer, Text, Timer
from conclave.chat.work import Work
from conclave.values import replace

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def words(author: str, seconds: int) -> str:
    """What a conversation says of its new timer: ``ayse set messages to disappear after 1 hour``."""
    if not seconds:
        return f"{author} set messages to be kept"
    return f"{author} set messages to disappear after {_in_words(seconds)}"


def phrase(seconds: int) -> str:
    """How long what is said is kept, where fronts name a conversation: ``lines disappear after 1 hour``."""
    return f"lines disappear after {_in_words(seconds)}" if seconds else "lines are kept"


def _in_words(seconds: int) -> str:
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    many = seconds // size
    return f"{many} {unit}{'s' if many > 1 else ''}"


def stamped(peer: Peer, body: Body) -> Body:
    """``body`` as it is said to ``peer`` now: words get the pair's timer, and a new timer the next number."""
    if isinstance(body, Timer) and not body.number:
        return replace(body, number=min(peer.timer.number + 1, LAST_NUMBER))
    if isinstance(body, Text | Offer) and not body.expires:
        return replace(body, expires=peer.timer.seconds)
    return body


def set_by_us(work: Work, handle: str, timer: Timer) -> None:
    """Our person's choice counts here at once."""
    peer = work.peer(handle)
    if timer != peer.timer:
        work.keep(replace(peer, timer=timer))
        own_notice(work, "@" + handle, words(work.me, timer.seconds))


def set_by_peer(work: Work, handle: str, timer: Timer) -> None:
    """The peer's choice counts unless ours came after it, or crossed it and is the shorter one."""
    peer = work.peer(handle)
    crossed = timer.number == peer.timer.number
    if timer.number < peer.timer.number or (crossed and _length(timer) >= _length(peer.timer)):
        return
    work.keep(replace(peer, timer=timer))
    if timer.seconds != peer.timer.seconds:  # else it is said to who may not know it, and does
        own_notice(work, "@" + handle, words(handle, timer.seconds))


def _length(timer: Timer) -> float:
    return timer.seconds or float("inf")
