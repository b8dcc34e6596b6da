"""Who leads a lobby, and what becomes of it when the leader is gone.

``lobby.succession`` decides; this knows who is linked and how far they are, wants links accordingly, and takes the
term when it is our turn. Left out: two leaders who meet (``chat.lobbies.healing``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.lobbies import (
    audience,
    backups,
    boxes,
    coming_in,
    ending,
    healing,
    lacks,
    recalling,
    sharing,
    speaking,
    terms,
)
from conclave.chat.lobbies.voice import without_commit
from conclave.chat.lobby_state import Lobby, Stage, Step
from conclave.chat.words.content import Term
from conclave.chat.work import Work
from conclave.lobby import order as orders
from conclave.lobby import succession
from conclave.values import replace
from conclave.wire.order import Run
from conclave.wire.posts import Leave

HEAL_FIRST = 20.0
"""Who was about to come into another half waits so much longer (seconds) for somebody of that half to lead."""
LEAVING_LAST = 60.0
"""Who leaves waits so much longer (seconds): it leads where others follow an order that counts behind its own."""
ALONE_LAST = 60.0
"""Who reaches nobody follows a leader that left so much later (seconds), and again for each before it in the
succession: others may lead by now, and say so by mail."""


def settle(work: Work, group: bytes) -> None:
    """Lead where it is ours to lead, and want the links that the lobby needs."""
    lobby = work.lobby(group)
    if lobby is None:
        return
    if lobby.inside and lobby.leader == work.me and lobby.healing.step is Step.SOUND:
        if lobby.watch.followers is None and lobby.order is not None and _ours(lobby):
            watch = replace(lobby.watch, followers=audience.followers(work, lobby), ahead={}, fetching=0)
            work.keep_lobby(replace(lobby, watch=watch))
            _show_all(work, group)
        work.wake(work.now + work.settings.patience.beat)
    elif lobby.watch.followers is not None or lobby.mailed:
        work.keep_lobby(replace(lobby, mailed={}, watch=replace(lobby.watch, followers=None, mailing={})))
    _tie(work, group)
    _watch(work, group)


def _watch(work: Work, group: bytes) -> float:
    """Be woken in time to miss the leader. Seconds for which it has been lost; negative while it is not."""
    lobby = work.lobby(group)
    if lobby is None or lobby.order is None or not lobby.follows or audience.leads(work, lobby):
        return -1.0
    if not 0.0 < lobby.watch.heard <= work.now:  # since our start, or since the clock was set back
        lobby = replace(lobby, watch=replace(lobby.watch, heard=work.now))
        work.keep_lobby(lobby)
    lost_for = _lost_for(work, lobby)
    work.wake(work.now - lost_for if lost_for < 0 else work.now + work.settings.patience.step / 2)
    return lost_for


def _ours(lobby: Lobby) -> bool:
    return lobby.order is not None and lobby.lead is not None and orders.same(lobby.order.run, lobby.lead)


def _show_all(work: Work, group: bytes) -> None:
    lobby = work.lobby(group)
    if lobby is not None and lobby.watch.followers is not None:
        for handle in lobby.watch.followers:
            audience.show_head(work, lobby, handle)


def _tie(work: Work, group: bytes) -> None:
    lobby = work.lobby(group)
    if lobby is None:
        return
    wanted, never = _wanted(work, lobby), {work.me, *work.expelled}  # to these there is no link any more
    if not wanted.isdisjoint(never):
        wanted -= never
    if wanted == lobby.watch.tied:
        return
    for handle in sorted(wanted - lobby.watch.tied):
        work.tie(handle, group, tied=True)
    for handle in sorted(lobby.watch.tied - wanted):
        work.tie(handle, group, tied=False)
    work.keep_lobby(replace(work.lobby(group) or lobby, watch=replace(lobby.watch, tied=wanted)))


def _wanted(work: Work, lobby: Lobby) -> frozenset[str]:
    if lobby.stage is Stage.JOINING:
        return frozenset((lobby.inviter,))
    if not lobby.inside:
        return frozenset()
    rumoured = healing.sought(work, lobby)
    if lobby.watch.followers is not None:
        followed = frozenset(lobby.watch.followers)
        return followed | rumoured if rumoured else followed
    lost_for = _lost_for(work, lobby)
    if work.session(lobby.group) is None:  # from a backup: whoever was in may say who leads
        alone = not (backups.leaderless(work, lobby) or lobby.watch.claims)
        asked = [one for one in lobby.asked if one != work.me and not alone]
        return frozenset((lobby.leader,)) | succession.dialled(asked, work.me, lost_for, work.settings.patience)
    if lost_for < 0:
        return frozenset((lobby.leader,)) | rumoured | recalling.wanted(work, lobby)
    return frozenset((lobby.leader,)) | succession.dialled(
        _succession(work, lobby), work.me, lost_for, work.settings.patience
    )


def _lost_for(work: Work, lobby: Lobby) -> float:
    """Seconds since the leader was to be heard at the latest; negative while there is no reason to worry."""
    if lobby.leader == work.me and _ours(lobby):
        return -1.0
    return work.now - lobby.watch.heard - work.settings.patience.silence


def _succession(work: Work, lobby: Lobby) -> list[str]:
    """Who may follow the leader: everybody who is in and is not to be put out."""
    state = work.session(lobby.group)
    if state is None:
        return []
    leaving = set(lobby.intents.removes) | {lobby.leader}
    return [one for one in groups.succession(state) if one not in leaving]


def linked(work: Work, handle: str, *, up: bool) -> None:
    """A link came or went: two who are in the same lobby tell each other where their orders stand.

    So is whoever leads its other half, as members say, though we never met it.
    """
    for lobby in work.lobbies():
        if lobby.order is None or not lobby.inside:
            continue
        if not audience.known(work, lobby, handle) and handle not in healing.sought(work, lobby):
            continue
        audience.linked(work, lobby, handle, up=up)
        current = work.lobby(lobby.group) or lobby
        if handle == lobby.leader and current.watch.vain[1]:  # what it gave may be lost with the link
            current = replace(current, watch=replace(current.watch, vain=("", 0)))
            work.keep_lobby(current)
        if up:
            audience.show_head(work, current, handle)
            boxes.linked(work, current, handle)
        if handle == lobby.leader:
            watch = replace(current.watch, fetching=0)
            if up and current.lead is not None:
                watch = replace(watch, renew=_soon(work, watch.renew), boxes=None)  # it tells those that it has
            work.keep_lobby(replace(current, watch=watch))
            speaking.again(work, lobby.group)
        elif up and not current.watch.renew and audience.leads(work, current):  # since our start we have led
            work.keep_lobby(replace(current, watch=replace(current.watch, renew=_soon(work, 0.0))))
        work.stir(lobby.group)


def _soon(work: Work, renew: float) -> float:
    soon = work.now + work.settings.update_spread * work.chance()
    renew = min(renew or soon, soon)
    work.wake(renew)
    return renew


def passed(work: Work, group: bytes) -> None:
    """Time passed: see whether the leader is still there, and if not, whether it is our turn."""
    lobby = work.lobby(group)
    if lobby is None or lobby.order is None or not lobby.follows:
        return
    if lobby.watch.rumours:
        _tie(work, group)  # some may have grown old
    if lobby.stage is Stage.LEAVING and _all_leave(work, lobby):
        if lobby.leader != work.me and lobby.intents.removes.get(lobby.leader) != groups.LEFT:
            work.post(lobby.leader, Leave(group))  # one that left hears so when it shows us its order
        ending.out(work, lobby, groups.LEFT)
        return
    if work.session(group) is None:
        backups.forlorn(work, work.lobby(group) or lobby)
    if audience.leads(work, lobby):
        return
    lost_for = _watch(work, group)
    if lost_for < 0:
        return
    _tie(work, group)
    _prod(work, group)
    lobby = work.lobby(group) or lobby
    if lobby.healing.step in (Step.UNWIND, Step.TALLY) or work.session(group) is None:
        return
    if lobby.healing.step is not Step.SOUND:
        lost_for -= HEAL_FIRST
    leaving = lobby.stage is Stage.LEAVING  # where the leader left too, it waits for others alone
    if leaving:
        lost_for -= LEAVING_LAST
    people = _succession(work, lobby)
    left = lobby.intents.removes.get(lobby.leader) == groups.LEFT
    handed = lobby.watch.handed == lobby.lead or (left and not leaving)
    if people == [work.me] and _leads_on(work, lobby) and not handed:
        return  # two who do not reach each other: what we say waits for it
    linked_now = {one for one in people if work.peer(one).linked}
    if work.me in people and people != [work.me] and not linked_now:
        lost_for -= ALONE_LAST * (1 + people.index(work.me))
    assert lobby.order is not None
    behind = max(lobby.watch.ahead.values(), default=0) > lobby.order.seq
    patience = work.settings.patience
    if succession.is_our_turn(people, work.me, linked_now, lost_for, patience, behind=behind, handed=handed):
        _take(work, group)


def _leads_on(work: Work, lobby: Lobby) -> bool:
    """Whether the leader may lead on unheard; not if it is to be out, or is not in the group that we are in."""
    state = work.session(lobby.group)
    there = lobby.healing.step is not Step.SOUND or (state is not None and lobby.leader in groups.roster(state))
    return there and lobby.leader not in lobby.intents.removes


def _prod(work: Work, group: bytes) -> None:
    """Nothing is heard of the leader: whoever is linked is shown where we are, and tells if it is further, or out."""
    lobby = work.lobby(group)
    if lobby is None or abs(work.now - lobby.watch.beat) < work.settings.patience.beat:
        return
    work.keep_lobby(replace(lobby, watch=replace(lobby.watch, beat=work.now)))
    state = work.session(group)
    people = groups.roster(state) if state is not None else {}
    for handle in dict.fromkeys((lobby.leader, *people)):
        if handle != work.me and work.peer(handle).linked:
            audience.show_head(work, lobby, handle)


def _all_leave(work: Work, lobby: Lobby) -> bool:
    """Whether all others are to be out too: then nobody is left to put us out."""
    state = work.session(lobby.group)
    return state is not None and set(groups.roster(state)) - {work.me} <= set(lobby.intents.removes)


def _take(work: Work, group: bytes) -> None:
    """Our term begins where our order ends.

    Where we were to come into the half that counts, and nobody is left in it, it begins with our own half's keys: who
    has others cannot open its first entry, and comes in anew.
    """
    lobby = work.lobby(group)
    state = work.session(group)
    if lobby is None or lobby.order is None or lobby.lead is None or state is None:
        return
    alone = lobby.healing.step is not Step.SOUND
    term = max(lobby.order.run.term, lobby.lead.term) + 1
    if term > orders.LAST_TERM:
        return  # somebody has used up all terms: the others find each other in another lobby
    run = Run(term, groups.rank(state, work.me), work.me, 0, 0)
    body = Term(run.term, lobby.order.seq, lobby.order.hash)
    order = orders.new_term(lobby.order, run)
    if alone:
        place = order.seq  # what has a place behind it from now on is not what our half had there
        lobby = coming_in.kept_back(work, lobby, groups.roster(state), groups.roster(state), place)
        order = replace(order, epoch=state.number, base=order.seq)  # its keys are not those that it had there
        common = lobby.healing.common
        pull = lacks.added(lobby.healing.pull, common + 1, place)
        met = {handle: seq if seq <= common else place for handle, seq in lobby.healing.met.items()}
        gone = {handle: (min(seq, place + 1), why) for handle, (seq, why) in lobby.healing.gone.items()}
        unseen = lacks.of_each(lobby.healing.unseen, groups.roster(state), common + 1, place)
        healing = replace(lobby.healing, step=Step.SOUND, pull=pull, poor={}, met=met, gone=gone, unseen=unseen)
        healing = recalling.doubted(work, healing, groups.roster(state), pull)
        lobby = replace(lobby, healing=healing, voice=without_commit(work, lobby.voice))
    watch = replace(lobby.watch, followers=audience.followers(work, lobby), ahead={}, fetching=0, beat=0.0)
    lobby = terms.spent(work, lobby, term)
    lobby = replace(lobby, lead=run, order=order, watch=watch)
    work.keep_lobby(lobby, reworded=True)
    speaking.take_term(work, lobby, body)
    speaking.flush(work, group)
    if alone:
        sharing.begin(work, group)
    _show_all(work, group)
    work.stir(group)


def expelled(work: Work, handle: str) -> None:
    """Nobody waits for somebody whom the authority put out."""
    for lobby in work.lobbies():
        if lobby.leader == handle and lobby.inside:
            heard = work.now - work.settings.patience.silence
            work.keep_lobby(replace(lobby, watch=replace(lobby.watch, heard=heard)))
            work.wake(work.now)
            work.stir(lobby.group)
