"""What a lobby leaves in mailboxes: what its leader ordered since somebody went, and what is handed in to a leader.

Whoever fetches it takes it as if it had come by a link. Left out: a person's outbox, and what is told of mailboxes
(``chat.mail``, ``chat.lobbies.boxes``).
"""

from __future__ import annotations

from collections.abc import Sequence

from conclave.chat import groups
from conclave.chat.deeds import Deposit, DepositEntries
from conclave.chat.events import Deposited, DepositFailed
from conclave.chat.lobbies import audience, speaking
from conclave.chat.lobby_state import Lobby, Reach, Stage, Step
from conclave.chat.words.line import Status
from conclave.chat.work import Work
from conclave.lobby import order as orders
from conclave.lobby.followers import FETCH_ENTRIES, Follower
from conclave.values import replace
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.order import LAST_SEQ, Head, Ordered, Refusal, Refused, Submit


def told(work: Work, handle: str, frames: Sequence[Frame]) -> list[Frame]:
    """What a member's mail is answered with: how far our orders go, and what was not ordered in its turn."""
    heads = _heads(work, handle, [frame for frame in frames if isinstance(frame, Ordered)])
    return [*heads, *_refused(work, handle, [frame for frame in frames if isinstance(frame, Submit)])]


def _heads(work: Work, handle: str, entries: Sequence[Ordered]) -> list[Head]:
    """Where our orders stand that a member left us something of, and that did not come so far by it."""
    heads = []
    for group, seq in {entry.group: entry.seq for entry in entries}.items():
        lobby, state = work.lobby(group), work.session(group)
        if lobby is None or lobby.order is None or lobby.stage is not Stage.MEMBER or state is None:
            continue
        if lobby.order.seq < seq and handle in groups.roster(state):
            heads.append(orders.head(lobby.order))
    return heads


def _refused(work: Work, handle: str, submits: Sequence[Submit]) -> list[Refused]:
    """What tells a member, at most once, of something that it handed in and that was not ordered in its turn."""
    for one in submits:
        lobby, state = work.lobby(one.group), work.session(one.group)
        if lobby is None or lobby.order is None or state is None or not audience.leads(work, lobby):
            continue
        name = orders.name_of(handle, one.number, one.epoch, one.kind, one.payload)
        turn = orders.handed_in(lobby.order, handle, one.base, one.number, name) is orders.Place.NEXT
        if turn and handle in groups.roster(state):
            return [Refused(one.group, one.number, state.number, Refusal.STALE)]
    return []


def unlinked(work: Work, handle: str) -> None:
    """Somebody went: what we order from now on will be mailed."""
    for lobby in work.lobbies():
        people = lobby.watch.followers
        if people is not None and handle in people and lobby.order is not None:
            _there(work, lobby, handle, Reach(audience.has(lobby, handle)))
            if lobby.watch.mailing.get(handle) == LAST_SEQ:  # the link may have brought what fits no envelope
                _on_its_way(work, lobby.group, handle, 0)


def deposited(work: Work, event: Deposited) -> None:
    """It is in the mailbox."""
    if event.entry:
        _entries_deposited(work, event)
        return
    lobby = work.lobby(event.group)
    if lobby is None or not _mails_to(lobby, event.peer):
        return
    voice = replace(lobby.voice, mail_until=lobby.voice.mail_until or event.until)
    work.keep_lobby(replace(lobby, voice=voice))
    for one in lobby.voice.flying:
        if one.id and one.number <= event.upto:
            work.mark_line(lobby.label, one.id, Status.MAILED)


def _entries_deposited(work: Work, event: Deposited) -> None:
    lobby = work.lobby(event.group)
    if lobby is None or lobby.order is None or lobby.watch.followers is None:
        return
    has = audience.has(lobby, event.peer)
    if event.peer not in lobby.watch.followers or not event.entry <= has + 1 <= event.upto:
        return  # what is before it is not there, and is mailed from there on; or it is there already
    _there(work, lobby, event.peer, Reach(event.upto, has + 1, int(event.until)))


def _there(work: Work, lobby: Lobby, handle: str, now: Reach) -> None:
    """A follower, or its mailbox, has the order up to here: kept, so that a restart goes on from there."""
    old = lobby.mailed.get(handle, Reach(0))
    if old.first:  # what is in there longest goes first
        now = Reach(max(old.upto, now.upto), old.first, old.until)
    if now != old:
        work.keep_lobby(replace(lobby, mailed={**lobby.mailed, handle: now}))


def too_large(work: Work, event: DepositFailed) -> None:
    """An entry fits no envelope: a link brings it; nobody takes what is behind it before."""
    _on_its_way(work, event.group, event.peer, LAST_SEQ)


def failed(work: Work, event: DepositFailed, at: float) -> None:
    """It is not in the mailbox; again ``at`` that time, an order from ``entry`` on."""
    lobby = work.lobby(event.group)
    if event.entry and (lobby is None or event.peer not in lobby.watch.mailing):
        return
    work.keep(replace(work.peer(event.peer), mail_at=at))
    work.wake(at)
    if lobby is None:
        return
    if event.entry:
        _on_its_way(work, event.group, event.peer, min(lobby.watch.mailing[event.peer], event.entry - 1))
    elif _mails_to(lobby, event.peer):
        work.keep_lobby(replace(lobby, voice=replace(lobby.voice, mailed=0, mail_until=0.0)))


def _on_its_way(work: Work, group: bytes, handle: str, upto: int) -> None:
    lobby = work.lobby(group)
    if lobby is not None and handle in lobby.watch.mailing:
        mailing = {**lobby.watch.mailing, handle: upto}
        work.keep_lobby(replace(lobby, watch=replace(lobby.watch, mailing=mailing)))


def passed(work: Work, group: bytes) -> None:
    """Time passed: mail what was ordered to who is away, and what we hand in to a leader who is."""
    lobby = work.lobby(group)
    if lobby is None or lobby.order is None or work.own is None:
        return
    if audience.leads(work, lobby):
        if work.now < lobby.watch.mail_at:
            work.wake(lobby.watch.mail_at)
        else:
            _mail_followers(work, lobby)
    elif lobby.stage is Stage.MEMBER and lobby.healing.step is Step.SOUND:
        _mail_leader(work, lobby)


def _mail_followers(work: Work, lobby: Lobby) -> None:
    lobby = _forgotten(work, lobby)
    people, order = lobby.watch.followers, lobby.order
    if people is None or order is None:
        return
    mailing = dict(lobby.watch.mailing)
    for handle, one in people.items():
        if one.linked or handle in work.expelled:
            continue
        has = audience.has(lobby, handle)
        if not _lacks(lobby, handle, one, has):
            continue
        first = max(has, mailing.get(handle, 0)) + 1
        count = min(FETCH_ENTRIES, (one.until or order.seq) - first + 1)
        due = max(max(work.peer(handle).away, one.moved) + work.settings.mail_after, work.peer(handle).mail_at)
        if count > 0 and work.now < due:
            work.wake(due)
        elif count > 0:
            work.deed(DepositEntries(handle, lobby.group, first, count))
            mailing[handle] = first + count - 1
    if mailing != lobby.watch.mailing:
        watch = replace(lobby.watch, mailing=mailing, mail_at=work.now + work.settings.mail_after)
        work.keep_lobby(replace(lobby, watch=watch))


def _forgotten(work: Work, lobby: Lobby) -> Lobby:
    """What has waited in a mailbox for as long as it may is there no more."""
    over = {handle: one for handle, one in lobby.mailed.items() if one.first and 0 < one.until <= work.now}
    if not over:
        return lobby
    mailing = {handle: upto for handle, upto in lobby.watch.mailing.items() if handle not in over}
    mailed = {**lobby.mailed, **{handle: Reach(one.first - 1) for handle, one in over.items()}}
    lobby = replace(lobby, mailed=mailed, watch=replace(lobby.watch, mailing=mailing))
    work.keep_lobby(lobby)
    for handle in over:
        work.keep(replace(work.peer(handle), mail_at=0.0))
    return lobby


def _lacks(lobby: Lobby, handle: str, one: Follower, has: int) -> bool:
    """Whether somebody is to be mailed to: of whom nothing is kept only where words, or that we lead, are new to it.

    Where we do not know how far somebody came who went out before, only a link can tell.
    """
    if handle in lobby.mailed or one.have:
        return True
    assert lobby.order is not None
    return not one.until and has < max(lobby.ears.words, lobby.order.run.first)


def _mails_to(lobby: Lobby, handle: str) -> bool:
    """Whether what we hand in was left in this mailbox last."""
    return lobby.voice.mail_to is not None and lobby.voice.mail_to.leader == handle


def _mail_leader(work: Work, lobby: Lobby) -> None:
    leader = work.peer(lobby.leader)
    voice = lobby.voice
    if leader.linked or lobby.leader in {work.me, *work.expelled} or not (voice.flying or len(voice.waiting)):
        return
    due = max(lobby.watch.heard + work.settings.mail_after + work.settings.patience.silence, leader.mail_at)
    if work.now < due:
        work.wake(due)
        return
    speaking.protect(work, lobby)
    lobby = work.lobby(lobby.group) or lobby
    voice = lobby.voice
    if voice.mail_to != lobby.lead or (voice.flying and voice.flying[0].number > voice.mailed):
        voice = replace(voice, mail_to=lobby.lead, mailed=0, mail_until=0.0)  # nothing of it is there
    elif 0 < voice.mail_until <= work.now:
        for one in voice.flying:
            if one.id and one.number <= voice.mailed:
                work.mark_line(lobby.label, one.id, Status.WAITING)
        voice = replace(voice, mailed=0, mail_until=0.0)
    fresh = [one for one in voice.flying if one.number > voice.mailed and one.payload]
    if not fresh:
        return
    base = voice.flying[0].number
    frames = tuple(
        encode_frame(Submit(lobby.group, base, one.number, one.epoch, one.kind, one.payload)) for one in fresh
    )
    work.deed(Deposit(lobby.leader, fresh[-1].number, frames, lobby.group))
    work.keep_lobby(replace(lobby, voice=replace(voice, mailed=fresh[-1].number)))
