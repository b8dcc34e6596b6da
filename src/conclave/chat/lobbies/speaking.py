"""What we say in a lobby, from our lips to its place in the order.

Words wait until somebody leads whom we can reach, and until nobody is to be put out first; then they are protected,
get a number and fly: they are handed in, again and again, until they come back in the order. A leader hands in to
itself. What flies is on disk before it is sent, and keeps its number; where its epoch has become too old, or its
group another one, it is protected anew. Left out: what an entry means (``chat.lobbies.opening``).
"""

from __future__ import annotations

from conclave.chat import groups, records
from conclave.chat.deeds import Send
from conclave.chat.effects import DropState, KeepOriginal
from conclave.chat.hearing import Heard, hear, line_of
from conclave.chat.lobbies import (
    asking,
    audience,
    backups,
    catching_up,
    ending,
    healing,
    ordering,
    refusing,
    rejoining,
)
from conclave.chat.lobbies.voice import from_here, put_off_commit, sealed_before, wait, without_commit
from conclave.chat.lobby_state import Flying, Lobby, Stage, Step
from conclave.chat.words.content import Body, Content, Offer, Text, Unsaid, encode_content
from conclave.chat.words.line import Status
from conclave.chat.work import Work
from conclave.errors import LocalError, Refused
from conclave.lobby.order import Order
from conclave.mls.group import Staged
from conclave.values import replace
from conclave.wire.order import EntryKind, Refusal, Submit
from conclave.wire.order import Refused as RefusedFrame


def say(work: Work, lobby: Lobby, identity: bytes, body: Body, *, counted: bool = True) -> None:
    """Something of ours for a lobby. Raises ``Refused`` where we are not in, or too much waits already."""
    if lobby.awaited:
        raise LocalError(
            f"you are not in {lobby.label} yet", remedy=f"accept the invitation; {lobby.inviter} lets you in"
        )
    if not lobby.follows:
        raise Refused(f"you are not in {lobby.label} any more", reason="not-a-member", remedy="ask to be invited")
    if len(lobby.voice.waiting) >= work.settings.outbox_posts:
        raise Refused(
            f"{work.settings.outbox_posts} messages already wait for {lobby.label}",
            reason="outbox-full",
            remedy=f"wait until {lobby.leader} is online again",
        )
    count = lobby.voice.count + 1 if counted else 0
    if isinstance(body, Text | Offer) and not body.expires and lobby.timer:
        body = replace(body, expires=lobby.timer)
    content = Content(identity, count, work.now, body)
    heard = Heard(lobby.label, work.me, content, b"", 0, Status.WAITING)
    line = line_of(work, heard)
    if line is not None:
        work.add_line(lobby.label, line)
    else:
        hear(work, heard)
    if counted:
        lobby = replace(lobby, voice=replace(lobby.voice, count=count))
    wait(work, lobby, identity, encode_content(content))
    work.stir(lobby.group)


def commit(work: Work, lobby: Lobby, staged: Staged, epoch: int) -> None:
    """A commit of ours flies like words do; a group has one under way at most."""
    voice = lobby.voice
    flying = Flying(voice.next, EntryKind.COMMIT, epoch, payload=staged.message)
    voice = replace(voice, next=voice.next + 1, flying=(*voice.flying, flying), staged=staged)
    work.keep_lobby(replace(lobby, voice=voice))
    work.stir(lobby.group)


def take_term(work: Work, lobby: Lobby, body: Body) -> None:
    """The first entry of our own term: ordered at once, ahead of all that waits."""
    content = encode_content(Content(groups.new_id(work), 0, work.now, body))
    voice = lobby.voice
    flying = Flying(voice.next, EntryKind.TERM, 0, content=content)
    work.keep_lobby(replace(lobby, voice=replace(voice, next=voice.next + 1, flying=(flying, *voice.flying))))
    work.stir(lobby.group)


def flush(work: Work, group: bytes) -> None:
    """Protect what can be said now, and hand it in."""
    lobby = work.lobby(group)
    if lobby is None or lobby.order is None or not lobby.follows:
        return
    leading = audience.leads(work, lobby)
    if not leading and not work.peer(lobby.leader).linked:
        return
    if lobby.healing.step is Step.SOUND:
        _protect(work, lobby, lobby.order)
    elif lobby.healing.step is not Step.ENTER:
        return
    if leading:
        _order_own(work, group)
    else:
        _hand_in(work, group)


def protect(work: Work, lobby: Lobby) -> None:
    """Protect what waits, as far as it may fly, and anew what no leader orders any more, as its epoch is too old."""
    state, order, voice = work.session(lobby.group), lobby.order, lobby.voice
    if state is None or order is None:
        return
    oldest = min((one.epoch for one in voice.flying if one.payload), default=state.number)
    if oldest < state.number - ordering.FRESH_EPOCHS:
        lobby = replace(lobby, voice=sealed_before(voice, state.number))
        work.keep_lobby(lobby)
    _protect(work, lobby, order)


def _protect(work: Work, lobby: Lobby, order: Order) -> None:
    voice = lobby.voice
    state = work.session(lobby.group)
    if state is None:
        return
    flying, said = [], list[Unsaid]()
    for one in voice.flying:
        again = one.kind is not EntryKind.COMMIT and not one.payload
        flying.append(_sealed(work, lobby, order, one) if again else one)
    waiting, number = voice.waiting, voice.next
    removed = set(lobby.intents.removes) - {work.me}
    barred = removed and removed.intersection(groups.roster(state))
    while len(waiting) and len(flying) < work.settings.flying and not barred:
        waiting = waiting.settled()
        unsaid = waiting.peek()
        assert unsaid is not None
        waiting = waiting.pop()
        said.append(unsaid)
        one = Flying(number, EntryKind.MESSAGE, 0, unsaid.id, unsaid.content)
        flying.append(_sealed(work, lobby, order, one))
        number += 1
    if number != voice.next or any(new is not old for new, old in zip(flying, voice.flying, strict=False)):
        voice = replace(voice, next=number, waiting=waiting, flying=tuple(flying), moved=work.now)
        work.keep_lobby(replace(lobby, voice=voice))
    for unsaid in said:  # not before: where one of them cannot be protected, all wait on
        work.record(DropState(records.waiting_key(lobby.group.hex(), unsaid.key)))


def _sealed(work: Work, lobby: Lobby, order: Order, one: Flying) -> Flying:
    sealed = groups.seal(work, lobby.group, one.content, groups.write_stand(order, one.number))
    if one.id:
        work.record(KeepOriginal(lobby.label, work.me, one.id, sealed.original))
    return replace(one, epoch=sealed.epoch, payload=sealed.payload, original=sealed.original)


def _order_own(work: Work, group: bytes) -> None:
    """We lead: what flies lands at once."""
    while True:
        lobby = work.lobby(group)
        if lobby is None or not audience.leads(work, lobby) or not lobby.voice.flying:
            return
        one = lobby.voice.flying[0]
        state = work.session(group)
        if one.kind is EntryKind.COMMIT and (
            lobby.voice.staged is None or state is None or state.number != one.epoch
        ):
            work.keep_lobby(replace(lobby, voice=without_commit(work, lobby.voice)))  # another one came first
            work.stir(group)
            return
        if not one.payload:
            return
        epoch = lobby.order.run.rank if one.kind is EntryKind.TERM and lobby.order is not None else one.epoch
        ordering.put_in_order(work, lobby, work.me, one.number, epoch, one.kind, one.payload)


def _hand_in(work: Work, group: bytes) -> None:
    lobby = work.lobby(group)
    if lobby is None or not lobby.voice.flying:
        return
    voice = lobby.voice
    base = voice.flying[0].number
    for one in voice.flying:
        if one.number <= voice.sent:
            continue
        if not one.payload:
            break
        submit = Submit(group, base, one.number, one.epoch, one.kind, one.payload)
        work.deed(Send(lobby.leader, submit))
        voice = replace(voice, sent=one.number)
        work.pending = True
    if voice is not lobby.voice:
        work.keep_lobby(replace(lobby, voice=replace(voice, moved=work.now)))


def again(work: Work, group: bytes) -> None:
    """The link or the leader is another one: everything that flies is handed in again."""
    lobby = work.lobby(group)
    if lobby is not None and lobby.voice.sent:
        work.keep_lobby(replace(lobby, voice=replace(lobby.voice, sent=0)))
    work.stir(group)


def refused(work: Work, handle: str, frame: RefusedFrame) -> None:
    """Somebody does not order something of ours, or does not give us what we asked for."""
    lobby = work.lobby(frame.group)
    if lobby is None or lobby.order is None:
        return
    if frame.reason is Refusal.OUTSIDER:
        asking.apart(work, lobby, handle)
        lobby = work.lobby(frame.group) or lobby
    if frame.reason is Refusal.OUTSIDER and audience.leads(work, lobby):
        healing.shunned(work, lobby, handle, frame.number)
    elif frame.reason is Refusal.OUTSIDER and work.session(frame.group) is None and handle != lobby.leader:
        backups.absent(work, handle, frame.group)  # it lets us in as little as one who is out itself
    elif handle == lobby.leader or (handle == lobby.watch.source and not catching_up.leads_us(work, lobby)):
        match frame.reason:
            case Refusal.OUTSIDER:
                _outsiders(work, lobby, handle, frame.number)
            case Refusal.GONE if lobby.healing.step is Step.ENTER and handle == lobby.leader:
                rejoining.ask_again(work, frame.group)  # what is answered then says whether we are out
            case Refusal.GONE:
                healing.too_late(work, lobby, handle)
            case Refusal.NO_LEADER:
                audience.show_head(work, lobby, handle)
                if handle == lobby.leader:
                    rejoining.ask_again(work, frame.group)  # it says whom it follows, or that the lobby is closed
            case Refusal.STALE if handle == lobby.leader:  # nobody else knows whether it is ordered all the same
                _stale(work, lobby, frame)


def _outsiders(work: Work, lobby: Lobby, handle: str, out_by: int) -> None:
    """We are out, says our leader, or whom we asked for entries: that one only gives none."""
    if handle != lobby.leader:
        healing.too_late(work, lobby, handle)
    elif lobby.stage is Stage.LEAVING:
        ending.out(work, lobby, groups.LEFT)
    elif lobby.healing.step is Step.REJOIN:
        rejoining.not_in(work, lobby, out_by)
    elif lobby.healing.step is Step.ENTER:
        rejoining.ask_again(work, lobby.group)  # what is answered then says whether we are out
    else:
        healing.outside(work, lobby, handle)


def _stale(work: Work, lobby: Lobby, frame: RefusedFrame) -> None:
    """What we handed in is of an epoch that is over, or a commit that the leader does not want."""
    state, voice = work.session(frame.group), lobby.voice
    one = next((each for each in voice.flying if each.number == frame.number), None)
    if one is None:
        return
    commit = one.kind is EntryKind.COMMIT
    if commit and lobby.healing.step is Step.ENTER:
        rejoining.ask_again(work, frame.group)
        return
    if state is None or (state.number <= one.epoch and (not commit or frame.epoch > one.epoch)):
        work.pending = True  # we are behind ourselves: the order brings the epoch that is wanted
        return
    if not commit:
        work.keep_lobby(replace(lobby, voice=from_here(sealed_before(voice, state.number), one.number)))
    elif frame.epoch == one.epoch:
        refusing.refused(work, replace(lobby, voice=without_commit(work, voice)), voice.staged, one.epoch)
    else:
        work.keep_lobby(put_off_commit(work, replace(lobby, voice=without_commit(work, voice)), one.epoch))
    work.stir(frame.group)


def passed(work: Work, group: bytes) -> None:
    """Time passed: hand in again what has not come back."""
    lobby = work.lobby(group)
    if lobby is None or not (lobby.voice.flying or len(lobby.voice.waiting)):
        return
    if lobby.voice.flying and abs(work.now - lobby.voice.moved) >= work.settings.resend_after:
        work.keep_lobby(replace(lobby, voice=replace(lobby.voice, sent=0, moved=work.now)))
    work.pending = True
    work.stir(group)
