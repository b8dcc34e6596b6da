"""What waits for somebody who is away goes, sealed, to that person's mailbox at the authority.

Posts of the outbox, what a lobby's leader has ordered since somebody went, and what we have to hand in to a leader
who is away: the same frames as on a link, so whoever fetches them takes them as if they had come by one, and
repetitions are told as ever. Nothing leaves the outbox for it: that happens when its receiver says so. Left out:
seals and sending (``node.mail.mailroom``).
"""

from __future__ import annotations

from collections.abc import Sequence

from conclave.chat import delivery, groups, links
from conclave.chat.deeds import Deposit, DepositEntries, DepositPosts, MailDone
from conclave.chat.delivery import Inbound, Place
from conclave.chat.events import Deposited, DepositFailed
from conclave.chat.lobbies import audience, speaking
from conclave.chat.lobby_state import Lobby, Mailed, Stage, Step
from conclave.chat.notices import Trouble
from conclave.chat.state import Peer
from conclave.chat.words.line import Status
from conclave.chat.work import Work
from conclave.lobby import order as orders
from conclave.lobby.leader import FETCH_ENTRIES, Follower
from conclave.values import replace
from conclave.wire.delivery import Ack, Post, PostKind
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.order import LAST_SEQ, Head, Ordered, Refusal, Refused, Submit

POSTS_AT_ONCE = 32
"""Posts that are mailed in one go."""
RETRY_SECONDS = {"away": 30.0, "full": 900.0}
"""After what did not go; for any other reason an hour."""
RETRY_ELSE = 3600.0
OWED_MOST = 64
"""Of what somebody's mail is to be answered with no more is remembered, where it cannot be left: the latest."""
_WHY = {
    "full": "{0}'s mailbox is full",
    "unknown": "no mail can be left for {0}: the authority has no account or no key for that name",
    "refused": "no mail can be left for {0}: it, or its key, is refused",
    "ours": "no mail can be left for {0}: your own certificate does not count now (conclave doctor)",
    "fault": "no mail can be left for {0}, by a fault of the program (see the node's log)",
    "too-large": "what was said to {0} is too large for a mailbox",
}
"""What people are told; that the authority is away, they are told by the directory."""


def taken(work: Work, handle: str, frames: Sequence[Frame], envelope: int) -> None:
    """An envelope's frames are taken: say so by mail to who is not linked; the authority may forget it."""
    peer = work.peer(handle)
    posts = [frame for frame in frames if isinstance(frame, Post)]
    told: list[Frame] = []
    if not peer.linked:
        told += _acks(peer.inbound, posts) if posts else []
        told += _heads(work, handle, [frame for frame in frames if isinstance(frame, Ordered)])
        told += _refused(work, handle, [frame for frame in frames if isinstance(frame, Submit)])
    if told:
        _answer(work, handle, told)
    work.deed(MailDone(envelope))


def _answer(work: Work, handle: str, told: Sequence[Frame] = ()) -> None:
    """What somebody's mail is answered with is left for it: one after the other, and again where it cannot be."""
    peer = work.peer(handle)
    owed, telling = _latest((*peer.owed, *told)), peer.telling
    if owed and not telling:
        work.deed(Deposit(handle, 0, tuple(encode_frame(frame) for frame in owed)))
        owed, telling = (), owed
    work.keep(replace(peer, owed=owed, telling=telling))


def _latest(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """Of each stream and each lobby the last word."""
    last: dict[object, Frame] = {}
    for frame in frames:
        match frame:
            case Ack(stream, number):
                about: object = (stream, number > 0)
            case Head(group) | Refused(group):
                about = (type(frame), group)
            case _:
                continue
        last.pop(about, None)
        last[about] = frame
    return tuple(last.values())[-OWED_MOST:]


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


def _acks(inbound: Inbound, posts: Sequence[Post]) -> list[Ack]:
    """What we have of a peer's stream; and 0 where its posts are to be left anew.

    That is of a stream that we do not know, of which we lack what is before them; and where a Welcome was left, as
    nothing that we say later tells that it may be taken by then.
    """
    places = [(post, delivery.place(inbound, post)[1]) for post in posts]
    first, place = places[0]
    if place is Place.AHEAD and inbound.of(first.stream) is None:
        return [Ack(first.stream, 0)]
    ack = delivery.ack_for(inbound, first.stream)
    acks = [ack] if ack is not None else []
    if any(place is Place.NEXT and post.kind is PostKind.WELCOME for post, place in places):
        acks.append(Ack(first.stream, 0))
    return acks


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
    """Somebody went: what is not acknowledged will be mailed."""
    peer = work.peer(handle)
    if peer.out.count:
        work.wake(work.now + work.settings.mail_after)
    for lobby in work.lobbies():
        people = lobby.watch.followers
        if people is not None and handle in people and lobby.order is not None:
            _there(work, lobby, handle, Mailed(audience.has(lobby, handle)))
            if lobby.watch.mailing.get(handle) == LAST_SEQ:  # the link may have brought what fits no envelope
                _on_its_way(work, lobby.group, handle, 0)


def passed(work: Work, peer: Peer) -> None:
    """Time passed: mail the outbox of somebody who has been away for a while."""
    if peer.linked or not (peer.out.count or peer.owed) or work.own is None:
        return
    peer = _lapsed(work, peer)
    if not peer.away:
        peer = replace(peer, away=work.now)
        work.keep(peer)
    due = max(peer.away + work.settings.mail_after, peer.mail_at)
    if work.now < due:
        work.wake(due)
        return
    if peer.owed:
        _answer(work, peer.handle)
        peer = work.peer(peer.handle)
    first = max(peer.out.base, peer.mailed + 1, peer.mailing + 1)
    count = min(POSTS_AT_ONCE, peer.out.next - first)
    if count > 0 and peer.mailing <= peer.mailed:
        work.deed(DepositPosts(peer.handle, peer.out.stream, peer.out.base, first, count))
        work.keep(replace(peer, mailing=first + count - 1))


def _lapsed(work: Work, peer: Peer) -> Peer:
    """Where mail that was left has waited for as long as it may, it is gone, and is left anew; or it went unheard."""
    if peer.anew.due and work.now < peer.anew.due:
        work.wake(peer.anew.due)
    elif peer.anew.due:
        links.mail_anew(work, peer.handle)
        return work.peer(peer.handle)
    if not peer.mail_until or peer.mailed < peer.out.base:
        return peer
    if work.now < peer.mail_until:
        work.wake(peer.mail_until)
        return peer
    links.mail_anew(work, peer.handle)
    peer = replace(work.peer(peer.handle), mail_at=0.0)  # there is room where it was
    work.keep(peer)
    return peer


def deposited(work: Work, event: Deposited) -> None:
    """It is in the mailbox."""
    handle, upto, group = event.peer, event.upto, event.group
    if work.peer(handle).unmailed:
        work.keep(replace(work.peer(handle), unmailed=""))
    if event.entry:
        _entries_deposited(work, event)
        return
    if group:
        lobby = work.lobby(group)
        if lobby is not None and _mails_to(lobby, handle):
            voice = replace(lobby.voice, mail_until=lobby.voice.mail_until or event.until)
            work.keep_lobby(replace(lobby, voice=voice))
            for one in lobby.voice.flying:
                if one.id and one.number <= upto:
                    work.mark_line(lobby.label, one.id, Status.MAILED)
        return
    peer = work.peer(handle)
    if not upto:
        work.keep(replace(peer, telling=()))
        _answer(work, handle)
        return
    if upto > peer.mailing:  # from before what is left anew
        return
    for line in peer.out.lines:
        if peer.mailed < line.number <= upto:
            work.mark_line("@" + handle, line.id, Status.MAILED)
    until = peer.mail_until if peer.mailed >= peer.out.base else int(event.until)
    top = max(peer.mailed, upto)
    work.keep(replace(peer, mailed=top, mailing=top, mail_until=until))
    passed(work, work.peer(handle))


def _entries_deposited(work: Work, event: Deposited) -> None:
    lobby = work.lobby(event.group)
    if lobby is None or lobby.order is None or lobby.watch.followers is None:
        return
    has = audience.has(lobby, event.peer)
    if event.peer not in lobby.watch.followers or not event.entry <= has + 1 <= event.upto:
        return  # what is before it is not there, and is mailed from there on; or it is there already
    _there(work, lobby, event.peer, Mailed(event.upto, has + 1, int(event.until)))


def _there(work: Work, lobby: Lobby, handle: str, now: Mailed) -> None:
    """A follower, or its mailbox, has the order up to here: kept, so that a restart goes on from there."""
    old = lobby.mailed.get(handle, Mailed(0))
    if old.first:  # what is in there longest goes first
        now = Mailed(max(old.upto, now.upto), old.first, old.until)
    if now != old:
        work.keep_lobby(replace(lobby, mailed={**lobby.mailed, handle: now}))


def failed(work: Work, event: DepositFailed) -> None:
    """It is not; later again, a lobby's order from ``entry`` on."""
    handle, reason, group, entry = event.peer, event.reason, event.group, event.entry
    wait = RETRY_SECONDS.get(reason, RETRY_ELSE)
    at = work.now + wait
    if entry and reason == "too-large":  # a link brings it; nobody takes what is behind it before
        _on_its_way(work, group, handle, LAST_SEQ)
        return
    _explain(work, handle, reason, wait)
    if entry:
        _entries_failed(work, handle, group, entry, at)
        return
    work.wake(at)
    if group:
        work.keep(replace(work.peer(handle), mail_at=at))
        lobby = work.lobby(group)
        if lobby is not None and _mails_to(lobby, handle):
            work.keep_lobby(replace(lobby, voice=replace(lobby.voice, mailed=0, mail_until=0.0)))
        return
    peer = work.peer(handle)
    if event.upto:
        work.keep(replace(peer, mailing=peer.mailed, mail_at=at))
    else:
        work.keep(replace(peer, owed=_latest((*peer.telling, *peer.owed)), telling=(), mail_at=at))


def _explain(work: Work, handle: str, reason: str, wait: float) -> None:
    """Tell people, once, that nothing can be left for somebody, and what becomes of it."""
    peer = work.peer(handle)
    if reason not in _WHY or peer.linked:
        return
    why = _WHY[reason].format(handle)
    if why != peer.unmailed:
        work.keep(replace(peer, unmailed=why))
        work.tell(Trouble(handle, f"{why}; it is tried again in {wait / 60:.0f} minutes, or when {handle} is here"))


def _on_its_way(work: Work, group: bytes, handle: str, upto: int) -> None:
    lobby = work.lobby(group)
    if lobby is not None and handle in lobby.watch.mailing:
        mailing = {**lobby.watch.mailing, handle: upto}
        work.keep_lobby(replace(lobby, watch=replace(lobby.watch, mailing=mailing)))


def _entries_failed(work: Work, handle: str, group: bytes, entry: int, at: float) -> None:
    lobby = work.lobby(group)
    if lobby is None or handle not in lobby.watch.mailing:
        return
    _on_its_way(work, group, handle, min(lobby.watch.mailing[handle], entry - 1))
    work.keep(replace(work.peer(handle), mail_at=at))
    work.wake(at)


def lobby_passed(work: Work, group: bytes) -> None:
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
    mailed = {**lobby.mailed, **{handle: Mailed(one.first - 1) for handle, one in over.items()}}
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
