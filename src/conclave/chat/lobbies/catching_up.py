"""Catching up with a lobby's order: where others stand, and fetching what is missing of whoever has it.

Whose order counts is seen by the heads that they show; who leads is believed of itself alone. Left out: entries
(``chat.lobbies.following``), and what to do where orders part (``chat.lobbies.healing``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.deeds import Send
from conclave.chat.links import send
from conclave.chat.lobbies import audience, backups, healing, meaning, rejoining, terms
from conclave.chat.lobby_state import Lobby, Step
from conclave.chat.work import Work
from conclave.lobby import followers as positions
from conclave.lobby import order as orders
from conclave.values import replace
from conclave.wire.order import Fetch, Head, Refusal, Refused

DEAF = (Step.UNWIND, Step.TALLY, Step.REJOIN)
"""Steps of healing in which no entry is taken."""
VAIN_FETCHES = 4
"""A leader that gives nothing of what it shows is asked so often before all others are too."""


def head_arrived(work: Work, handle: str, head: Head) -> None:
    """Somebody tells where its order stands."""
    lobby = work.lobby(head.group)
    state = work.session(head.group)
    if lobby is None or lobby.order is None or lobby.lead is None or not lobby.inside:
        meaning.unknown_head(work, handle, head)
        return
    if work.envelope is not None:  # who leads is not believed of a Head: see ``handover``
        audience.mail_untaken(work, lobby, handle, head)
        return
    top, lead = head.runs[0], lobby.lead
    if not terms.believed(work, lobby, handle, top.term):
        work.trouble(handle, f"{lobby.label}: {handle} claims a term that no lobby comes to so soon")
        return
    lobby = work.lobby(head.group) or lobby
    if state is None:
        if head.seq and handle in lobby.watch.keyless:  # who has no keys has no entry either
            keyless = {one: at for one, at in lobby.watch.keyless.items() if one != handle}
            lobby = replace(lobby, watch=replace(lobby.watch, keyless=keyless))
            work.keep_lobby(lobby)
        anew = lobby.healing.step is Step.REJOIN or orders.counts_before(top, lead)
        if anew and backups.vouched(work, lobby, handle, top):
            healing.adopt(work, work.lobby(head.group) or lobby, handle, head)
        elif lobby.healing.step is Step.ENTER and handle == lobby.leader:
            _shown(work, lobby, handle, head)
        return
    if handle != lobby.leader and handle not in groups.roster(state):
        _outsider(work, lobby, handle, head)
        return
    if handle == lobby.leader and orders.same(top, lead):
        lobby = leader_heard(work, lobby)
    assert lobby.order is not None
    if orders.counts_before(top, lead):
        if handle == top.leader:
            healing.adopt(work, lobby, handle, head)
        else:
            healing.rumoured(work, lobby, handle, head)
        return
    if orders.counts_before(lead, top):
        if lobby.healing.step is Step.SOUND and orders.same(lobby.order.run, lead):
            send(work, handle, orders.head(lobby.order))
        common = orders.parting(lobby.order, head)
        if lobby.watch.followers is not None and common == head.seq:
            audience.heard_from(work, lobby, handle, common)
        elif handle == lobby.leader and lobby.watch.handed != lead:  # it came from a backup, and forgot its term
            work.keep_lobby(replace(lobby, watch=replace(lobby.watch, handed=lead)))
        return
    if lobby.watch.followers is not None:
        if orders.parting(lobby.order, head) == head.seq:
            audience.heard_from(work, lobby, handle, head.seq)
        return
    _shown(work, lobby, handle, head)


def _shown(work: Work, lobby: Lobby, handle: str, head: Head) -> None:
    """Who follows as we do, or our leader, shows how far it is. A leader with another order came to us otherwise."""
    order = lobby.order
    assert order is not None
    parted = orders.parting(order, head) < order.seq <= head.seq
    ahead = head.seq < order.seq == order.base  # we were let in at a place to which nobody has come
    if handle == lobby.leader and (parted or ahead):
        if lobby.healing.step is Step.SOUND:
            healing.adopt(work, lobby, handle, head)
            return
        rejoining.ask_again(work, head.group)
        lobby = work.lobby(head.group) or lobby
    if handle == lobby.leader and head.seq <= order.seq and lobby.watch.vain[1]:
        lobby = replace(lobby, watch=replace(lobby.watch, vain=("", 0)))  # that there is more was only supposed
        work.keep_lobby(lobby)
    noticed(work, lobby, handle, head.seq)
    work.have(head.group)


def unwanted(work: Work, lobby: Lobby) -> bool:
    """Whether our leader is to be put out, or is out: it may have ordered that itself, and lead on."""
    state = work.session(lobby.group)
    out = lobby.leader in lobby.healing.gone and state is not None and lobby.leader not in groups.roster(state)
    return out or lobby.leader in lobby.intents.removes


def leader_heard(work: Work, lobby: Lobby) -> Lobby:
    """The leader gave a sign, and is not lost.

    Whom we want out counts as lost nevertheless, or it would lead on by not ordering that it is to go, or though it
    did. Only who is on the way into its half needs it: others there put it out.
    """
    if not unwanted(work, lobby) or lobby.healing.step is not Step.SOUND:
        lobby = replace(lobby, watch=replace(lobby.watch, heard=work.now))
        work.keep_lobby(lobby)
    return lobby


def _outsider(work: Work, lobby: Lobby, handle: str, head: Head) -> None:
    """Somebody who is not in, as far as we know, shows an order of our lobby.

    Somebody who is in may have said that it leads. Or it came in behind what we have, and leads by now: then what we
    have is a beginning of what it has, and the entries prove the rest. Or we put it out, while it went on in another
    half: it is told, and not believed; so is whom we ask in, which may ask us.
    """
    assert lobby.order is not None
    top = head.runs[0]
    if top.leader == handle and any(orders.same(top, run) for run, _ in lobby.watch.rumours.values()):
        healing.adopt(work, lobby, handle, head)
        return
    common = orders.parting(lobby.order, head)
    if common == lobby.order.seq:
        if not leads_us(work, lobby):
            noticed(work, lobby, handle, head.seq)
    elif common >= 0:
        if handle in lobby.healing.gone or (head.seq and handle in lobby.invited):
            out_by, _ = lobby.healing.gone.get(handle, (0, ""))
            send(work, handle, Refused(head.group, out_by, lobby.order.epoch, Refusal.OUTSIDER))
        if orders.counts_before(lobby.order.run, top):
            audience.show_head(work, lobby, handle)  # it may follow us to where it was put out, or be asked in anew


def noticed(work: Work, lobby: Lobby, handle: str, seq: int) -> None:
    """``handle`` has the order up to ``seq``."""
    assert lobby.order is not None
    if seq > max(lobby.order.seq, lobby.watch.ahead.get(handle, 0)):
        ahead = {one: at for one, at in lobby.watch.ahead.items() if at > lobby.order.seq}
        work.keep_lobby(replace(lobby, watch=replace(lobby.watch, ahead={**ahead, handle: seq})))
    catch_up(work, lobby.group)


def leads_us(work: Work, lobby: Lobby) -> bool:
    """Whether our leader is there, and heard: then nobody else is believed of what has a place, or has none."""
    silent = 0.0 < lobby.watch.heard < work.now - work.settings.patience.silence
    return work.peer(lobby.leader).linked and not unwanted(work, lobby) and not silent


def catch_up(work: Work, group: bytes) -> None:
    """Fetch what is missing, of whoever has it, one bounded fetch at a time."""
    lobby = work.lobby(group)
    if lobby is None or lobby.order is None or not lobby.follows or lobby.healing.step in DEAF:
        return
    watch, seq = lobby.watch, lobby.order.seq
    sources = _sources(work, lobby, seq)
    if not sources:
        return
    work.pending = True
    under_way = watch.fetching > seq and watch.source in sources
    if under_way and abs(work.now - watch.fetched) < work.settings.resend_after:
        return
    source = next((one for one in sources if one > watch.source), sources[0])
    vain = watch.vain
    if source == lobby.leader and leads_us(work, lobby):
        vain = source, (vain[1] if vain[0] == source else 0) + 1
    watch = replace(watch, source=source, fetching=seq + positions.FETCH_ENTRIES, fetched=work.now, vain=vain)
    work.keep_lobby(replace(lobby, watch=watch))
    work.deed(Send(source, Fetch(group, seq + 1, positions.FETCH_ENTRIES)))


def withheld(work: Work, lobby: Lobby) -> bool:
    """Whether our leader is heard, and gives nothing of what it shows."""
    who, vain = lobby.watch.vain
    return who == lobby.leader and vain >= VAIN_FETCHES and leads_us(work, lobby)


def _sources(work: Work, lobby: Lobby, seq: int) -> list[str]:
    """Who may give what follows entry ``seq``: the leader alone while it leads us, and on the way in.

    Else whoever showed that it has more, in turn: that costs nothing to say, and who says it may give nothing. Where
    the leader itself shows more, and gives nothing of it, all who are in may have that.
    """
    there = [one for one, at in lobby.watch.ahead.items() if at > seq and work.peer(one).linked]
    state, entering = work.session(lobby.group), lobby.healing.step is Step.ENTER
    if entering or leads_us(work, lobby):
        there = [one for one in there if one == lobby.leader]
        if entering or not there or state is None or not withheld(work, lobby):
            return there
        there = [one for one in groups.roster(state) if work.peer(one).linked]
    return sorted(one for one in there if one not in lobby.intents.removes)
