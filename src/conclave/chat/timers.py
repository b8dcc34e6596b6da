"""Messages that disappear: what was agreed in a pair, and the words in which a conversation says so.

In a pair either may set the timer, and nobody orders what the two say. So timers are numbered: a higher number
counts, and of two that crossed each other, which have the same, the shorter one. A lobby's timer its order settles;
whoever leads says it again for who comes in, right behind the commit. What was said by who did not know it disappears
all the same. Left out: the lines that go (``Work.expire``).
"""

from __future__ import annotations

from collections.abc import Sequence

from conclave.chat import audience
from conclave.chat.content import Body, Content, Offer, Text, Timer
from conclave.chat.effects import ExpireLine, LookAtFile
from conclave.chat.hearing import own_notice
from conclave.chat.state import Lobby, Peer
from conclave.chat.voice import say_content
from conclave.chat.work import Work
from conclave.lobby.values import replace
from conclave.wire.order import Ordered

TIMERS_KEPT = 8
"""Timers of a lobby before the present one, in case that the half in which later ones were set loses."""
_LAST = (1 << 32) - 1
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
        return replace(body, number=min(peer.timer.number + 1, _LAST))
    if isinstance(body, Text | Offer) and not body.expires:
        return replace(body, expires=peer.timer.seconds)
    return body


# --- pairs ---


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
    own_notice(work, "@" + handle, words(handle, timer.seconds))


# --- lobbies ---


def set_in_lobby(work: Work, lobby: Lobby, author: str, timer: Timer, seq: int) -> None:
    """Entry ``seq`` sets the timer; or whoever leads says again by it what an earlier one set that we do not know."""
    again = timer.number > 0 and lobby.order is not None and author == lobby.order.run.leader
    timed = timer.number if again else seq
    if again and not lobby.timed < timed < seq:
        known = {entry: seconds for seconds, entry in (*lobby.timers_before, (lobby.timer, lobby.timed))}
        if min(known) <= timed <= lobby.timed and known.get(timed) != timer.seconds:  # else a later one came between
            work.trouble(author, f"{lobby.label}: {author} says of the timer what is not so: {phrase(timer.seconds)}")
        return
    if not again or lobby.timed:  # who knew of one is told who says otherwise
        own_notice(work, lobby.label, words(author, timer.seconds), seq)
    elif timer.seconds != lobby.timer:
        own_notice(work, lobby.label, f"{phrase(timer.seconds)} here, says {author}", seq)
    before = ((*lobby.timers_before, (lobby.timer, lobby.timed)) if lobby.timed else ())[-TIMERS_KEPT:]
    work.keep_lobby(replace(lobby, timer=timer.seconds, timed=timed, timers_before=before), reworded=True)


def hold(work: Work, group: bytes, ours: Content) -> None:
    """Something of ours has its place: where we did not know of the timer when we said it, it disappears too."""
    lobby, body = work.lobby(group), ours.body
    if lobby is not None and lobby.timer and lobby.timed and isinstance(body, Text | Offer) and not body.expires:
        at = work.now + lobby.timer
        work.record(ExpireLine(lobby.label, work.me, ours.id, at))
        work.deed(LookAtFile(lobby.label, ours.id))
        work.wake(at)


def tell(work: Work, group: bytes) -> None:
    """Somebody came in, or came in anew: where we lead, we say what is set here."""
    lobby = work.lobby(group)
    if lobby is not None and (lobby.timer or lobby.timed) and audience.leads(work, lobby):
        say_content(work, group, Timer(lobby.timer, max(lobby.timed, 1)))


def lost(work: Work, lobby: Lobby, common: int, cut: Sequence[Ordered]) -> Lobby:
    """What was set behind entry ``common`` was set in a half that lost: who set it says it again in the other.

    Until then the one before it counts, where that was set before.
    """
    if lobby.timed <= common:
        return lobby
    if any(entry.seq == lobby.timed and entry.sender == work.me for entry in cut):
        say_content(work, lobby.group, Timer(lobby.timer))
    before = tuple(one for one in lobby.timers_before if one[1] <= common)
    timer, timed = before[-1] if before else (0, 0)
    return replace(work.lobby(lobby.group) or lobby, timer=timer, timed=timed, timers_before=before[:-1])


def anew(lobby: Lobby) -> Lobby:
    """We are in anew, and whoever leads says what is set: what was set by no entry that we know counts no more."""
    return replace(lobby, timer=lobby.timer if lobby.timed else 0, timed=0)


def _length(timer: Timer) -> float:
    return timer.seconds or float("inf")
