"""Two halves of a lobby meet, and one of them gives in: the higher term counts, then the leader who comes first.

Who hears of a half that counts before its own follows that from then on; who is told to be out hears it of enough of
the others, or puts out who says so. Left out: what becomes of what the half had that gives in
(``chat.lobbies.unwinding``), and when a term begins (``chat.lobbies.leadership``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.effects import UnplaceLines
from conclave.chat.hearing import own_notice
from conclave.chat.lobbies import audience, ending, terms
from conclave.chat.lobbies.purging import purge
from conclave.chat.lobbies.unwinding import LOOKING, read_behind
from conclave.chat.lobbies.voice import without_commit
from conclave.chat.lobby_state import Lobby, Stage, Step, Waited
from conclave.chat.work import Work
from conclave.lobby import order as orders
from conclave.values import replace
from conclave.wire.order import Head, Run

RUMOUR_SECONDS = 5.0
"""A member's rumour gives way to its next after so long: where halves meet, who leads may change twice in seconds."""
OUTSIDE_SECONDS = 60.0
"""Who leads us has so long to give us what put us out, where it says that we are not in."""
SHUNNED_SECONDS = 60.0
"""A member in whose half we are out has so long to follow the order that counts ..."""
SHUNNED_STEP_SECONDS = 10.0
"""... of which so much passes at most between two times that it says so: either may have slept."""
SHUNNED_AGAIN_SECONDS = 600.0
"""It says so again at heads of ours, which come ever more rarely; not said for so long, it is forgotten."""


def rumoured(work: Work, lobby: Lobby, handle: str, head: Head) -> None:
    """A member follows a leader that counts before ours: we want to hear that from itself.

    A name costs nothing, and each is looked for: so of one member one is kept, and another once in a while. What one
    tells takes no place of what others do.
    """
    run, old = _told(lobby, head), lobby.watch.rumours.get(handle)
    if run.leader == work.me:
        return
    kept = audience.RUMOUR_KEPT_SECONDS
    if old is not None and abs(work.now - old[1]) < (kept / 2 if orders.same(run, old[0]) else RUMOUR_SECONDS):
        return
    told = {one: known for one, known in lobby.watch.rumours.items() if abs(work.now - known[1]) < kept}
    lobby = replace(lobby, watch=replace(lobby.watch, rumours={**told, handle: (run, work.now)}))
    work.keep_lobby(lobby)
    if work.peer(run.leader).linked:
        audience.show_head(work, lobby, run.leader)  # one that never met us shows its own only for ours
    work.wake(work.now + kept)
    work.stir(lobby.group)


def _told(lobby: Lobby, head: Head) -> Run:
    """Who leads by a head, up to the last entry that is in our order too; where none is known up to our last."""
    assert lobby.order is not None
    common = orders.parting(lobby.order, head)
    return replace(head.runs[0], first=0, last=common if common >= 0 else lobby.order.seq)


def _introduced(work: Work, lobby: Lobby, handle: str, head: Head) -> Lobby:
    """The same lobby; a leader whom we never met is noted as met, by the last entry that its half has of ours.

    How far that goes we believe of other members, not of the leader: it would be given all that is behind. A member
    who lies about it gives away no more than it could show itself, which is what was said since it came in.
    """
    state, lead = work.session(lobby.group), head.runs[0]
    if lobby.order is None or lead.leader in (groups.roster(state) if state is not None else lobby.asked):
        return lobby
    told = {one: run.last for one, (run, _) in lobby.watch.rumours.items() if orders.same(run, lead)}
    if handle != lead.leader:
        told[handle] = _told(lobby, head).last
    told = {one: max(last, lobby.healing.since(one)) for one, last in told.items()}
    met = lobby.healing.met
    place = max(met.get(lead.leader, 0), min(told.values())) if told else met.get(lead.leader, lobby.order.seq)
    return replace(lobby, healing=replace(lobby.healing, met={**met, lead.leader: place}))


def sought(work: Work, lobby: Lobby) -> frozenset[str]:
    """Whom members say to follow, and who would count before our leader: each is looked for, for a while."""
    return frozenset(
        rumour[0].leader for rumour in lobby.watch.rumours.values() if audience.better(work, lobby, rumour)
    )


def adopt(work: Work, lobby: Lobby, handle: str, head: Head) -> None:
    """``handle`` shows an order that counts before ours: from now on we follow that one."""
    lead = replace(head.runs[0], first=0, last=0)
    told_again = lobby.lead is not None and orders.same(lobby.lead, lead)
    lobby = _introduced(work, terms.spent(work, lobby, lead.term), handle, head)
    assert lobby.order is not None
    common, state = orders.parting(lobby.order, head), work.session(lobby.group)
    if common < 0 and state is not None and lead.leader in groups.roster(state):
        common = 0 if orders.from_the_first(lobby.order) and orders.from_the_first(head) else common
    if common < 0 < lobby.order.seq and work.session(lobby.group) is None:
        work.record(UnplaceLines(lobby.label, 0))  # from a backup: whose places its lines have nobody can tell
        healing = replace(lobby.healing, common=0)
        none = replace(lobby.order, seq=0, runs=(replace(lobby.order.run, first=1, last=0),))
        lobby, common = replace(lobby, order=none, healing=healing), 0
    rumours = {
        one: (replace(run, last=min(run.last, max(0, common))), at)
        for one, (run, at) in lobby.watch.rumours.items()
        if orders.counts_before(run, lead)
    }  # with what we follow from now on they have no more in common
    watch = replace(
        lobby.watch, followers=None, ahead={handle: head.seq}, fetching=0, heard=work.now, rumours=rumours,
        boxes=None,
    )  # fmt: skip
    lobby = replace(lobby, lead=lead, watch=watch, voice=replace(lobby.voice, sent=0))
    if lobby.stage is Stage.CLOSING:
        own_notice(work, lobby.label, f"the lobby goes on under {lead.leader}: it was not closed for everybody")
        lobby = replace(lobby, stage=Stage.MEMBER, ended=0.0)
    assert lobby.order is not None
    place = lobby.order.seq
    again = lobby.healing.step is Step.UNWIND and lobby.healing.forked
    anew = again or lobby.healing.step in (Step.REJOIN, Step.ENTER)
    if common == place and not again:
        if lobby.healing.step in LOOKING:
            lobby = replace(lobby, healing=replace(lobby.healing, step=Step.SOUND))
        work.keep_lobby(lobby, reworded=True)
        work.stir(lobby.group)
        return
    strange = common < 0 and not anew
    if strange:
        anew, common = True, place  # we cannot tell what they have of ours, and say nothing of it again
        lobby = replace(lobby, timed=0, timers_before=(), timers_ours=(), timers_heard=())
    elif anew:
        before = lobby.healing.common
        common = min(before, common) if common >= 0 else before
        again = again or common < before  # what we have between the two is in neither half
    if anew:
        lobby = replace(lobby, voice=without_commit(work, lobby.voice))
        asked = lobby.healing.asked if told_again else 0.0  # at once, but not at each answer
        lobby = replace(lobby, healing=replace(lobby.healing, asked=asked, unknown=0.0))
    step = Step.REJOIN if anew and not again else Step.UNWIND
    step = Step.TALLY if strange and state is not None else step
    healing = replace(lobby.healing, step=step, common=common, forked=anew)
    work.keep_lobby(replace(lobby, healing=healing), reworded=True)
    read_behind(work, work.lobby(lobby.group) or lobby)
    work.stir(lobby.group)


def too_late(work: Work, lobby: Lobby, handle: str) -> None:
    """What we lack is not given us, not even by the leader: come in anew, and ask for it in its authors' words.

    By mail nobody lets us in: what came is dropped, and a link tells.
    """
    if lobby.order is None or lobby.healing.step is not Step.SOUND or work.envelope is not None:
        return
    if handle != lobby.leader:
        ahead = {one: seq for one, seq in lobby.watch.ahead.items() if one != handle}
        work.keep_lobby(replace(lobby, watch=replace(lobby.watch, ahead=ahead, fetching=0)))
        return
    healing = replace(lobby.healing, step=Step.REJOIN, common=lobby.order.seq, asked=0.0, unknown=0.0)
    work.keep_lobby(replace(lobby, healing=healing, voice=without_commit(work, lobby.voice)), reworded=True)
    work.stir(lobby.group)


def outside(work: Work, lobby: Lobby, handle: str) -> None:
    """Our leader says that we are not in, and gives us no entry that put us out: that may be from before it came in.

    Where it goes on to say so, we ask to come in anew, and hear that we are out. Until then it is not lost.
    """
    if lobby.leader not in lobby.intents.removes:
        lobby = replace(lobby, watch=replace(lobby.watch, heard=work.now))
        work.keep_lobby(lobby)
    waited = work.now - lobby.healing.unknown
    if waited > OUTSIDE_SECONDS and waited < 10 * OUTSIDE_SECONDS:
        too_late(work, lobby, handle)
    elif not 0 <= waited <= OUTSIDE_SECONDS:
        work.keep_lobby(replace(lobby, healing=replace(lobby.healing, unknown=work.now)))


def shunned(work: Work, lobby: Lobby, handle: str, out_by: int) -> None:
    """A member says that we, who lead, are out in its half, by entry ``out_by`` (0: it names none).

    Others of ours may show it the order that counts; it comes in then, and puts us out. Else it is put out here.
    Where most of all who are in name an entry that put us out since we came in, that stands: removals of either half
    do.
    """
    state, followers = work.session(lobby.group), lobby.watch.followers
    if state is None:
        return
    if handle not in groups.roster(state):
        if followers is not None and handle in followers and handle in lobby.healing.gone:
            _estranged(work, lobby, handle, alone=len(groups.roster(state)) == 1)
        return
    people = set(groups.roster(state)) - {work.me}
    said = {
        one: at
        for one, at in lobby.watch.shunned.items()
        if one in people and abs(work.now - at.last) < SHUNNED_AGAIN_SECONDS
    }
    waited = said[handle] = said.get(handle, Waited()).seen(work.now, SHUNNED_STEP_SECONDS)
    counts = out_by > lobby.healing.since(work.me)
    put_out = (lobby.watch.put_out & said.keys()) - {handle} | ({handle} if counts else set())
    lobby = replace(lobby, watch=replace(lobby.watch, shunned=said, put_out=put_out))
    work.keep_lobby(lobby)
    if len(people) > 1 and waited.seconds < SHUNNED_SECONDS:
        return
    if 2 * len(put_out) > len(people):
        ending.out(work, lobby, "in the other half of the lobby")
    else:
        purge(work, lobby, handle, "went on in another half of the lobby", delay=0.0)


def _estranged(work: Work, lobby: Lobby, handle: str, *, alone: bool) -> None:
    """Each has put out the other, and has heard so: it is shown our order ever more rarely, by one alone never."""
    watch = lobby.watch
    if alone and watch.followers is not None:
        watch = replace(watch, followers=watch.followers.drop(handle))
    elif handle not in watch.estranged:
        watch = replace(watch, estranged=watch.estranged | {handle})
    work.keep_lobby(replace(lobby, watch=watch))


def followed(lobby: Lobby, handle: str) -> Lobby:
    """The same where a member hands something in, or comes in: for it we are in, whatever it said before."""
    if handle not in lobby.watch.shunned:
        return lobby
    said = {one: at for one, at in lobby.watch.shunned.items() if one != handle}
    return replace(lobby, watch=replace(lobby.watch, shunned=said, put_out=lobby.watch.put_out - {handle}))
