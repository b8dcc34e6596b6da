"""Who comes into a lobby and who goes: asking others in, and coming in by a Welcome.

Any member may ask somebody in. Who accepts sends a key package along; the one who asked commits it, together with
whatever else is to change, and posts the Welcome once that commit has its place in the order. What somebody is to be
put out for is everybody's intent: the leader commits it at once, the others if it has not. Left out: being asked
(``chat.lobbies.answering``), the commits (``chat.lobbies.committing``) and going (``chat.lobbies.departing``).
"""

from __future__ import annotations

from conclave.chat import allowed, groups, packages
from conclave.chat.delivery import Fate
from conclave.chat.effects import DropEntries, UnplaceLines
from conclave.chat.events import InviteTo, OpenLobby
from conclave.chat.hearing import own_notice
from conclave.chat.lobbies import answering, asking, audience, coming_in, terms, timers
from conclave.chat.lobbies.healing import adopt
from conclave.chat.lobbies.invitations import shown_of
from conclave.chat.lobbies.labels import active, demand_in, free_label, own_handle, own_name
from conclave.chat.lobbies.purging import purge_expelled
from conclave.chat.lobbies.rejoining import POLICY, compare_rosters
from conclave.chat.lobbies.unwinding import LOOKING
from conclave.chat.lobbies.voice import fly_again
from conclave.chat.lobby_state import Lobby, Stage, Step
from conclave.chat.notices import RequestAnswered
from conclave.chat.pairs import certificates
from conclave.chat.pairs.talk import WORDS, trust
from conclave.chat.state import Holder
from conclave.chat.work import Work
from conclave.errors import ConclaveError, LocalError, Refused, RemoteError, VerificationError
from conclave.lobby import order as orders
from conclave.lobby.names import check_name
from conclave.lobby.shelf import Shelf
from conclave.mls import group as mls
from conclave.mls.group import State
from conclave.values import replace
from conclave.wire.limits import ID_BYTES
from conclave.wire.order import Head, Run
from conclave.wire.posts import Answer, Choice, Leave, Welcome

GATHER_SECONDS = 0.25
"""So long is waited for others who accept, so that one commit lets in many."""


def open_lobby(work: Work, command: OpenLobby) -> None:
    """A new lobby with ourselves in it, leading."""
    name = own_name(command.name.removeprefix("#"))
    if len(command.group) != ID_BYTES or work.lobby(command.group) is not None:
        raise LocalError("a new lobby needs 16 random bytes of its own")
    if any(one.name == name and one.stage is Stage.MEMBER and one.leader == work.me for one in work.lobbies()):
        raise LocalError(f"you lead a lobby #{name} already", remedy="choose another name, or close that one")
    if active(work) >= work.settings.lobbies:
        raise Refused("there are too many lobbies here", reason="too-many-lobbies", remedy="leave some of them")
    deputies = tuple(own_handle(one) for one in command.deputies)
    if len(deputies) > groups.DEPUTIES_MOST:
        raise LocalError(f"a lobby has at most {groups.DEPUTIES_MOST} deputies")
    state = mls.create(
        groups.package(work),
        command.group,
        verify=work.judges.members,
        now=work.now,
        random=work.random,
        extensions=(groups.deputies_extension(deputies),),
        policy=POLICY,
    )
    work.keep_session(state)
    order = orders.begin(command.group, work.me)
    label = free_label(work, name, work.me, command.group)
    lobby = Lobby(command.group, name, label, Stage.MEMBER, work.me, order=order, lead=Run(1, 0, work.me, 0, 0))
    lobby = replace(lobby, watch=replace(lobby.watch, followers=audience.followers(work, lobby)))
    work.keep_lobby(lobby, reworded=True)
    own_notice(work, label, f"{work.me} opened the lobby")
    _invite(work, command.group, command.invited)
    work.stir(command.group)


# --- asking in ---


def invite(work: Work, command: InviteTo) -> None:
    """More people into a lobby that we are in."""
    _invite(work, demand_in(work, command.lobby).group, command.invited)


def _invite(work: Work, group: bytes, invited: tuple[str, ...]) -> None:
    lobby = work.lobby(group)
    if lobby is None:
        return
    people = groups.roster(groups.need_session(work, group))
    handles = [own_handle(one) for one in dict.fromkeys(invited)]
    if work.me in handles:
        raise LocalError("you are in the lobby yourself")
    there = [handle for handle in handles if handle in people]
    if there:
        raise LocalError(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} in {lobby.label} already",
            remedy="invite those who are not; who leaves is in until its device has told yours",
        )
    if len(people) - 1 + len(lobby.invited | set(handles)) > work.settings.lobby_members:
        raise Refused(
            f"a lobby has at most {work.settings.lobby_members} members and invitations",
            reason="lobby-full",
            remedy="open a second lobby",
        )
    for handle in handles:
        work.check_room(handle)
        trust(work, handle)
    asking.invite(work, work.lobby(group) or lobby, handles, people)


def answered(work: Work, handle: str, answer: Answer) -> None:
    """Somebody answered our invitation, or a question of a lobby that is not ours any more."""
    lobby = work.lobby(answer.group)
    if answer.choice is Choice.REJECT:
        packages.taken_back(work, answer.group, handle)  # our device said yes by itself, as its half may have lost
    if lobby is None or lobby.stage is not Stage.MEMBER or handle not in lobby.invited:
        if answer.choice is Choice.ACCEPT:  # though others may have let it in: who waits for our welcome has none
            work.post(handle, Answer(answer.group, Choice.REJECT))
        return
    state = work.session(answer.group)
    people = groups.roster(state) if state is not None else ()
    if answer.choice is not Choice.BUSY and not asking.heard(work, lobby, handle, people):
        return
    if answer.choice is Choice.ACCEPT and state is not None and handle in groups.roster(state):
        work.keep_lobby(replace(lobby, invited=lobby.invited - {handle}), reworded=True)
        work.post(handle, Answer(answer.group, Choice.REJECT))
        return
    if answer.choice is Choice.ACCEPT:
        if lobby.intents.adds.get(handle) == answer.package:
            return
        try:
            package = mls.read_key_package(answer.package)
            allowed.demand_newcomer(package)
            whose = mls.identify_package(package, verify=work.judges.newcomers, now=work.now, group=state)
            if whose.identity.decode() != handle:
                raise VerificationError(f"it is {whose.identity.decode()[:80]!r}'s")
        except RemoteError as error:
            work.trouble(handle, f"{handle} could not be let into {lobby.label}: {error}")
            work.post(handle, Answer(answer.group, Choice.REJECT))
            return
        adds, gather = lobby.intents.adds, work.now + GATHER_SECONDS
        if not adds or lobby.watch.gather > gather:  # else who accepts again and again keeps all others waiting
            lobby = replace(lobby, watch=replace(lobby.watch, gather=gather))
            work.wake(gather)
        lobby = replace(lobby, intents=replace(lobby.intents, adds={**adds, handle: answer.package}))
    elif answer.choice is Choice.REJECT:
        lobby = replace(lobby, invited=lobby.invited - {handle})
    work.keep_lobby(lobby, reworded=True)
    work.tell(RequestAnswered(handle, lobby.label, WORDS[answer.choice]))
    work.stir(lobby.group)


# --- being let in ---


def welcomed(work: Work, handle: str, welcome: Welcome) -> Fate:
    """Who asked us in has let us in, at a place of the order."""
    lobby = work.lobby(welcome.group)
    healing = lobby is not None and lobby.stage is Stage.MEMBER
    if lobby is None or not (healing or (lobby.stage is Stage.JOINING and answering.waited_for(work, lobby, handle))):
        _not_in(work, handle, welcome.group)
        return Fate.DECLINED
    try:
        check_name(welcome.name)
        reference, own = packages.for_welcome(work, welcome.welcome)
        if healing and work.holder(reference) != Holder(handle, welcome.group):
            raise VerificationError("it answers nothing of ours")  # else anybody moves us into a group of its own
        state = mls.join(
            welcome.welcome,
            own,
            verify=work.judges.members,
            now=work.now,
            known_groups={group for group, _ in work.sessions() if group != welcome.group},
            policy=POLICY,
        )
        if state.group_id != welcome.group or handle not in groups.roster(state):
            raise VerificationError("it is for another lobby, or of somebody who is not in")
        allowed.demand_context(state.epoch.context.extensions)
        allowed.demand_group(state)
        orders.demand_near(lobby.order, welcome.seq, state.number, work.now)
        if not terms.welcome(work, lobby, handle, welcome.runs[0].term):
            raise VerificationError("no lobby comes to so many terms so soon", reason="bad-term")
        if welcome.runs[0].leader == work.me:  # who leads ordered what lets us in
            raise VerificationError("it says that you lead, who were not in", reason="bad-term")
    except ConclaveError as error:
        work.trouble(handle, f"the welcome to {lobby.label} was refused: {error}")
        if not healing:
            _not_in(work, handle, welcome.group)
            answering.not_let_in(work, lobby, handle, f"{handle}'s welcome could not be used: you did not come in")
        return Fate.DECLINED
    lobby, old = work.lobby(welcome.group) or lobby, work.session(welcome.group)
    if healing and old is not None and old.number >= state.number and lobby.healing.step is Step.SOUND:
        packages.used(work, reference)  # we are in by ourselves
        return Fate.DECLINED
    if healing and old is not None and lobby.lead is not None and orders.counts_before(lobby.lead, welcome.runs[0]):
        packages.used(work, reference)
        return Fate.DECLINED  # that half has lost since: we would come back, and be taken there again
    if healing and lobby.healing.step is Step.ENTER:
        return Fate.LEFT  # our own commit may be ordered already: what it begins is not what this Welcome does
    if healing and lobby.order is not None and (old is None or lobby.healing.step in (Step.SOUND, *LOOKING)):
        head = Head(welcome.group, welcome.seq, welcome.hash, welcome.runs)
        parted = orders.parting(lobby.order, head) != lobby.order.seq
        if parted and (lobby.order.seq or lobby.healing.step is not Step.REJOIN):
            if lobby.healing.step not in LOOKING:  # first what our half said is looked up: it is said again there
                adopt(work, lobby, handle, head)
            return Fate.LEFT
    _enter(work, lobby, handle, welcome, state, reference)
    return Fate.TAKEN


def _not_in(work: Work, handle: str, group: bytes) -> None:
    """A welcome is not taken by who is not in: others are not to think that we are."""
    lobby = work.lobby(group)
    if lobby is None or lobby.awaited or lobby.stage is Stage.ENDED:
        work.post(handle, Leave(group))


def _enter(work: Work, lobby: Lobby, handle: str, welcome: Welcome, state: State, reference: bytes) -> None:
    if lobby.stage is Stage.JOINING and lobby.names:
        lobby = shown_of(work, lobby, handle)
    packages.used(work, reference)
    old, people = work.session(lobby.group), groups.roster(state)
    packages.taken_back(work, welcome.group)
    work.keep_session(state)
    if lobby.order is None:  # what we have of when we were in before has places of an order that may be another
        work.record(UnplaceLines(lobby.label, 0))
    else:  # another half's, of which nothing follows any more
        work.record(DropEntries(lobby.group))
    head = Head(welcome.group, welcome.seq, welcome.hash, welcome.runs)
    runs = coming_in.taken_over(work, lobby, head) if lobby.stage is Stage.MEMBER else welcome.runs
    order = orders.Order(
        welcome.group, welcome.seq, welcome.hash, runs, state.number,
        recent=((welcome.seq, welcome.hash),), base=welcome.seq,
    )  # fmt: skip
    number = max(lobby.voice.next, int(work.now * 1000))
    lead = replace(welcome.runs[0], first=0, last=0)
    renew = work.now + work.settings.update_spread * work.chance()
    voice = fly_again(lobby.voice, number)
    own_notice(work, lobby.label, f"{work.me} entered: {handle} let you in", welcome.seq)
    if welcome.name != lobby.name:
        own_notice(work, lobby.label, f"{handle} calls this lobby #{welcome.name}", welcome.seq)
    certificates.shown_in(work, lobby, welcome.seq, old, state, None)
    if lobby.stage is Stage.MEMBER:
        known = tuple(groups.roster(old)) if old is not None else lobby.asked
        lobby = coming_in.kept_back(work, terms.spent(work, lobby, lead.term), known, people, welcome.seq)
        common = lobby.healing.common
        if lobby.healing.step is Step.SOUND and lobby.order is not None:
            common = lobby.order.seq  # what we lack follows what we have
        pull, had = lobby.healing.pull, lobby.healing.had
        had = min(common, pull[0][0] - 1 if pull else common, had or common)
        lobby = replace(lobby, healing=replace(lobby.healing, had=had))
        lobby = compare_rosters(work, lobby, known, people, common, welcome.seq, welcome.seq)
    lobby = asking.in_already(work, lobby, people)
    lobby = replace(
        timers.anew(lobby), stage=Stage.MEMBER, former="", inviters=(), names={}, ended=0.0, order=order, lead=lead,
        asked=(),
        voice=voice,
        healing=replace(
            lobby.healing, step=Step.SOUND, pull=(), untold={}, unknown=0.0,
            entered={work.me: welcome.seq}, met=dict.fromkeys(people, welcome.seq), unseen={},
        ),
        watch=replace(
            lobby.watch, followers=None, ahead={lead.leader: welcome.seq + 1}, heard=work.now, renew=renew,
            shown={},
        ),
        ears=replace(lobby.ears, counts=Shelf(), lost=()),
    )  # fmt: skip
    work.wake(renew)
    work.keep_lobby(lobby, reworded=True)
    purge_expelled(work, lobby.group)
    work.stir(lobby.group)


def absent(work: Work, handle: str, group: bytes) -> None:
    """Somebody to whom we showed our order is not in; who accepted, and is yet to be let in, says so rightly."""
    state, lobby = work.session(group), work.lobby(group)
    if state is not None and handle in groups.roster(state):
        left(work, handle, group)
    elif state is None and lobby is not None and lobby.lead is not None and handle == lobby.leader:
        work.keep_lobby(replace(lobby, watch=replace(lobby.watch, handed=lobby.lead)))  # others say who leads now


def left(work: Work, handle: str, group: bytes) -> None:
    """Somebody who accepted, or who is in for us alone, does not want to be in; an older device does not say so."""
    lobby = work.lobby(group)
    state = work.session(group)
    if lobby is None or not lobby.follows or state is None:
        return
    if groups.outlived(work, state, handle, work.device(handle)):
        return
    intents = lobby.intents.let_in_no_more({handle})
    if handle in groups.roster(state) or lobby.voice.staged is not None:
        intents = intents.put_out(handle, groups.LEFT)
    invited = lobby.invited
    if handle in invited and asking.heard(work, lobby, handle, groups.roster(state)):
        invited -= {handle}
    work.keep_lobby(replace(lobby, intents=intents, invited=invited), reworded=True)
    work.stir(group)
