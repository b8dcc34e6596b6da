"""Messages that disappear in a lobby, whose order settles what was agreed.

Whoever leads says it again for who comes in, right behind the commit, and where it was ordered late. What was said by
who did not know it disappears all the same. Left out: pairs, and the words for it (``chat.timers``).
"""

from __future__ import annotations

from collections.abc import Iterable

from conclave.chat.deeds import LookAtFile
from conclave.chat.effects import ExpireLine
from conclave.chat.events import Cut
from conclave.chat.hearing import own_notice
from conclave.chat.lobbies import audience
from conclave.chat.lobbies.voice import say_content
from conclave.chat.lobby_state import Lobby
from conclave.chat.timers import phrase, words
from conclave.chat.words.content import LAST_NUMBER, Content, Offer, Text, Timer
from conclave.chat.work import Work
from conclave.values import replace

SECONDS_BYTES = 4
"""Of a timer where otherwise the id of a line is."""
TIMERS_KEPT = 8
"""Timers of a lobby before the present one, in case that the half in which later ones were set loses."""


def set_in_lobby(work: Work, lobby: Lobby, author: str, timer: Timer, seq: int) -> None:
    """Entry ``seq`` sets the timer; or who leads, or led, says again by it what an earlier one set."""
    led = {run.leader for run in lobby.order.runs} if lobby.order is not None else set()
    again = timer.number > 0 and author in led  # it may be ordered under the next leader
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
    lobby = replace(lobby, timer=timer.seconds, timed=timed, timers_before=before)
    if not again:
        lobby = replace(lobby, timers_heard=(*lobby.timers_heard, seq)[-TIMERS_KEPT:])
        if author == work.me:
            lobby = replace(lobby, timers_ours=(*lobby.timers_ours, seq)[-TIMERS_KEPT:])
    work.keep_lobby(lobby, reworded=True)


def hold(work: Work, group: bytes, author: str, said: Content) -> None:
    """Something has its place: where it stands here already, said by who did not know of the timer, it goes too."""
    lobby, body = work.lobby(group), said.body
    if lobby is not None and lobby.timer and lobby.timed and isinstance(body, Text | Offer) and not body.expires:
        at = work.now + lobby.timer
        work.record(ExpireLine(lobby.label, author, said.id, at))
        work.deed(LookAtFile(lobby.label, said.id))
        work.wake(at)


def tell(work: Work, group: bytes) -> None:
    """Somebody came in, or came in anew: where we lead, we say what is set here.

    By no entry where that does not fit, as in a lobby that somebody opened far ahead: we set the same again.
    """
    lobby = work.lobby(group)
    if lobby is not None and (lobby.timer or lobby.timed) and audience.leads(work, lobby):
        say_content(work, group, Timer(lobby.timer, max(lobby.timed, 1) if lobby.timed <= LAST_NUMBER else 0))


def tell_late(work: Work, group: bytes, content: Content, epoch: int) -> None:
    """A timer that was sealed in an epoch that is over has its place: who came in since cannot open it."""
    state = work.session(group)
    if isinstance(content.body, Timer) and state is not None and epoch < state.number:
        tell(work, group)


def known(lobby: Lobby, cut: Iterable[Cut]) -> dict[bytes, tuple[str, bytes]]:
    """Who set which timer by what is cut, as ``Healing.known`` has it: not what a leader alone says of an entry."""
    timers = (*lobby.timers_before, (lobby.timer, lobby.timed))
    seconds = {seq: one for one, seq in timers if seq in lobby.timers_heard}
    set_by = ((one, seconds[one.seq]) for one in cut if one.seq in seconds)
    return {one.payload: (one.sender, timer.to_bytes(SECONDS_BYTES)) for one, timer in set_by}


def lost(work: Work, lobby: Lobby, common: int) -> Lobby:
    """What was set behind entry ``common`` was set in a half that lost: who set it says it again in the other.

    Until then the one before it counts, where that was set before.
    """
    if lobby.timed <= common:
        return _until(lobby, common)
    if lobby.timed in lobby.timers_ours:
        say_content(work, lobby.group, Timer(lobby.timer))
    before = tuple(one for one in lobby.timers_before if one[1] <= common)
    timer, timed = before[-1] if before else (0, 0)
    lobby = _until(work.lobby(lobby.group) or lobby, common)
    return replace(lobby, timer=timer, timed=timed, timers_before=before[:-1])


def anew(lobby: Lobby) -> Lobby:
    """We are in anew, and whoever leads says what is set: what was set by no entry that we know counts no more.

    What we set before the halves parted is ours still.
    """
    lobby = _until(lobby, lobby.healing.common)
    return replace(lobby, timer=lobby.timer if lobby.timed else 0, timed=0)


def _until(lobby: Lobby, common: int) -> Lobby:
    """The same, and no entry behind ``common`` is known to have set a timer."""
    ours = tuple(seq for seq in lobby.timers_ours if seq <= common)
    return replace(lobby, timers_ours=ours, timers_heard=tuple(seq for seq in lobby.timers_heard if seq <= common))
