"""Coming into the half of a lobby that counts, by an external commit that replaces our own leaf.

The leader that counts is asked for the group's state, and lets in one after the other; the old keys are erased. Who
was let in in our half alone is asked in anew, by whoever of that half is in again first. Left out: which half counts
(``chat.lobbies.healing``), and what was said meanwhile (``chat.lobbies.sharing``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from conclave.chat import allowed, groups
from conclave.chat.deeds import Send
from conclave.chat.effects import DropEntries
from conclave.chat.hearing import own_notice
from conclave.chat.links import send
from conclave.chat.lobbies import asking, audience, coming_in, ending, lacks, recalling, sharing, timers
from conclave.chat.lobbies.backups import KEYLESS_AGAIN, keyless_too, leaderless
from conclave.chat.lobbies.healing import followed
from conclave.chat.lobbies.purging import purge_expelled
from conclave.chat.lobbies.unwinding import LOOKING, read_behind, with_all
from conclave.chat.lobbies.voice import fly_again
from conclave.chat.lobby_state import Flying, Lobby, Stage, Step
from conclave.chat.pairs import certificates
from conclave.chat.work import Work
from conclave.errors import ConclaveError, RemoteError
from conclave.lobby import order as orders
from conclave.mls import group as mls
from conclave.mls.group import Policy
from conclave.values import replace
from conclave.wire.limits import PAYLOAD_BYTES
from conclave.wire.order import AskInfo, EntryKind, Head, Info, Ordered, Refusal, Refused

POLICY = Policy(lifetimes_at_join=False)
"""A lobby's: who was in may come in again by itself; that it is no stranger, ``chat.lobbies.changing`` checks."""
ASK_AGAIN = 2.0
"""What is asked of the leader that counts is asked again after so long (seconds), and some chance."""
TURN_SECONDS = 3.0
"""One member after the other comes in: so long is waited for its commit."""
ANEW_SPREAD = 10.0
"""Those who came in again ask newcomers of their half in within so long (seconds), where they are many."""
ANEW_LAST = 60.0
"""What was said before they came in is to be said again before: for so long at most."""
UNKNOWN_SECONDS = 300.0
"""A newcomer of a half that lost waits so long to be asked into the other."""


def passed(work: Work, group: bytes) -> None:
    """Time passed, or something changed: ask for what is missing."""
    lobby = work.lobby(group)
    if lobby is None:
        return
    if lobby.healing.step is Step.SOUND:
        _ask_in_anew(work, lobby)
        return
    work.wake(work.now + ASK_AGAIN)
    # Who does not lead tells whom it follows.
    others = (*lobby.asked, *lobby.watch.vouched) if leaderless(work, lobby) else ()
    there = [one for one in dict.fromkeys((lobby.leader, *others)) if work.peer(one).linked]
    rarely = lobby.healing.step is Step.REJOIN and there and lobby.watch.keyless.keys() >= set(there)
    if abs(work.now - lobby.healing.asked) < (KEYLESS_AGAIN if rarely else ASK_AGAIN):
        return
    work.keep_lobby(
        replace(lobby, healing=replace(lobby.healing, asked=work.now + ASK_AGAIN * (work.chance() - 0.5)))
    )
    if lobby.healing.step in LOOKING:
        read_behind(work, lobby)
    elif lobby.healing.step is Step.REJOIN:
        for handle in there:
            work.deed(Send(handle, AskInfo(group)))
    elif leaderless(work, lobby):
        ask_again(work, group)  # nobody puts in order what brings us in


def info_asked(work: Work, handle: str, frame: AskInfo) -> None:
    """A member of a half that lost wants in: one after the other, so that their commits do not compete."""
    lobby = work.lobby(frame.group)
    state = work.session(frame.group)
    if lobby is not None and state is None and lobby.lead is not None and handle in (lobby.leader, *lobby.asked):
        keyless_too(work, lobby, handle)
    if lobby is None or state is None or lobby.order is None:
        return
    # Nobody comes into a lobby that closes; a device is out by the commit of a later one that is in.
    if lobby.stage is Stage.CLOSING or groups.outlived(work, state, handle, work.device(handle)):
        send(work, handle, Refused(frame.group, lobby.order.seq, state.number, Refusal.OUTSIDER))
        return
    if handle == lobby.leader and handle in groups.roster(state) and lobby.watch.handed != lobby.lead:
        leaderless = replace(lobby.watch, handed=lobby.lead, heard=work.now - work.settings.patience.silence)
        work.keep_lobby(replace(lobby, watch=leaderless))  # it lost its home: another leads, and lets it in
        work.stir(frame.group)
    if handle not in groups.roster(state):
        if lobby.healing.step is Step.SOUND:  # else we are on our way in ourselves
            out_by, _ = lobby.healing.gone.get(handle, (0, ""))
            send(work, handle, Refused(frame.group, out_by, state.number, Refusal.OUTSIDER))
        return
    if not audience.leads(work, lobby):
        audience.show_head(work, lobby, handle)  # and so whom we follow
        return
    turn, until = lobby.watch.turn
    queue = [one for one in lobby.watch.queue if work.peer(one).linked]
    if handle != turn or work.now >= until:
        first = queue[0] if queue and work.now < until + TURN_SECONDS else handle
        if (turn and work.now < until) or first != handle:
            queue += [handle] if handle not in queue else []
            work.keep_lobby(replace(lobby, watch=replace(lobby.watch, queue=tuple(queue))))
            return
        turn, until = handle, work.now + TURN_SECONDS
        queue = [one for one in queue if one != handle]
    watch = replace(lobby.watch, turn=(turn, until), queue=tuple(queue))
    work.keep_lobby(followed(replace(lobby, watch=watch), handle))
    data = mls.group_info(state, random=work.random, external_pub=True)
    if len(data) > PAYLOAD_BYTES:  # nobody reads that: the link would end each time that it is asked for
        work.trouble(work.me, f"{lobby.label} is too large for {handle} to come in again")
        return
    send(work, handle, Info(frame.group, lobby.order.seq, lobby.order.hash, lobby.order.runs, data))


def info_arrived(work: Work, handle: str, info: Info) -> None:
    """The group's state as the leader that counts has it: commit ourselves into it."""
    lobby = work.lobby(info.group)
    if lobby is None or lobby.lead is None or lobby.healing.step is not Step.REJOIN or handle != lobby.leader:
        return
    if not orders.same(info.runs[0], lobby.lead):
        return
    number = max(lobby.voice.next, int(work.now * 1000))
    try:
        own = groups.package(work)
        staged = mls.begin_external(
            info.info,
            own,
            verify=work.judges.members,
            now=work.now,
            random=work.random,
            policy=POLICY,
            authenticated_data=groups.write_reasons({}, number),
        )
        assert staged.epoch is not None
        orders.demand_near(lobby.order, info.seq, staged.epoch.context.epoch, work.now)
        if staged.epoch.context.group_id != info.group or staged.changes.replaced is None:
            raise RemoteError("it is another group, or we are not in it")
        allowed.demand_group(staged.begin(POLICY))
    except ConclaveError as error:
        work.trouble(handle, f"{lobby.label} could not be entered again: {error}")
        return
    head = Head(info.group, info.seq, info.hash, info.runs)
    order = orders.Order(
        info.group,
        info.seq,
        info.hash,
        coming_in.taken_over(work, lobby, head),
        staged.epoch.context.epoch - 1,
        base=info.seq,
    )
    if lobby.order is not None:  # our half goes on from one of these where nobody is left in that one
        recent = tuple(one for one in lobby.order.recent if one[0] <= lobby.healing.common)
        order = replace(order, recent=recent)
    work.record(DropEntries(info.group))
    commit = Flying(number, EntryKind.COMMIT, order.epoch, payload=staged.message)
    voice = fly_again(lobby.voice, number + 1)  # what flew is said again in the new group
    voice = replace(voice, flying=(commit, *voice.flying), staged=staged, moved=work.now)
    pull = lobby.healing.pull
    if lobby.order is not None and orders.parting(lobby.order, head) < 0:  # ``common`` is no place of theirs
        pull = lacks.added(pull, min(info.runs[-1].first, with_all(work, lobby) + 1), info.seq)
    healing = replace(lobby.healing, step=Step.ENTER, pull=pull, asked=work.now)
    watch = replace(lobby.watch, ahead={handle: info.seq}, fetching=0)
    work.keep_lobby(replace(lobby, order=order, voice=voice, healing=healing, watch=watch), reworded=True)
    work.stir(info.group)


def committed(work: Work, lobby: Lobby, entry: Ordered) -> None:
    """A commit in the half that counts while we come in: ours brings us in, any other makes us ask again."""
    voice = lobby.voice
    ours = voice.staged is not None and any(
        one.kind is EntryKind.COMMIT and (one.number, one.payload) == (entry.number, entry.payload)
        for one in voice.flying
    )
    if entry.sender != work.me or not ours or voice.staged is None or lobby.order is None:
        ask_again(work, lobby.group)
        return
    state, before, order = voice.staged.begin(POLICY), work.session(lobby.group), lobby.order
    work.keep_session(state)
    rest = tuple(one for one in voice.flying if one.number != entry.number)
    people = groups.roster(state)
    known = tuple(groups.roster(before)) if before is not None else lobby.asked
    lobby = coming_in.kept_back(work, lobby, known, people, order.base)
    pull = lacks.added(lobby.healing.pull, lobby.healing.common + 1, entry.seq - 1)
    anew = lobby.healing.anew - set(people)
    joined, always = "you were let in again as a new device", frozenset[int]()  # of a backup: no half was ours
    if before is not None:
        joined, always = (
            f"this half of the lobby joined {lobby.leader}'s again",
            state.epoch.tree.untouched(before.epoch.tree),
        )
    doubted = [one for one, leaf in people.items() if leaf not in always and one in known and one != work.me]
    unseen = lobby.healing.unseen
    for ends in pull:
        unseen = lacks.of_each(unseen, doubted, *ends)
    met = _met(lobby, entry.seq, {*known} - ({work.me} if before is None else set()), people)
    lobby = asking.in_already(work, lobby, people)
    intents = lobby.intents.keep_in(lobby.intents.removes.keys() - people.keys())
    recent = tuple(one for one in order.recent if one[0] > order.base)
    order = replace(order, epoch=state.number, recent=recent)
    own_notice(work, lobby.label, joined, entry.seq)
    culprit = groups.in_the_way(state) if groups.spoilt(state) else ""
    if culprit:
        own_notice(work, lobby.label, f"the lobby cannot be set right while {culprit} is in", entry.seq)
    certificates.shown_in(work, lobby, entry.seq, before, state, None)
    lobby = compare_rosters(work, lobby, known, people, lobby.healing.common, order.base, entry.seq)
    healing = replace(
        lobby.healing, step=Step.SOUND, pull=pull, pulled=0.0, poor={}, anew=anew, met=met, unknown=0.0, unseen=unseen
    )
    healing = recalling.doubted(work, healing, people, pull)
    lobby = replace(
        lobby,
        order=order,
        healing=healing,
        voice=replace(voice, flying=rest, staged=None),
        intents=intents,
        asked=(),
    )
    work.keep_lobby(timers.anew(lobby), reworded=True)
    purge_expelled(work, lobby.group)
    sharing.begin(work, lobby.group, at_once=before is not None)
    recalling.ask(work, lobby.group)
    work.stir(lobby.group)


def compare_rosters(
    work: Work, lobby: Lobby, known: tuple[str, ...], people: Mapping[str, int], common: int, base: int, seq: int
) -> Lobby:
    """We are in anew: say at entry ``seq`` who entered, and who of those that were in for us (``known``) is out.

    No commit told us, and whoever leads may want it unseen. Who was in by entry ``common`` and is out went by entry
    ``base`` at the latest; who was let in in our half alone was never in here, and is asked in.
    """
    gone, entered, marks = dict(lobby.healing.gone), dict(lobby.healing.entered), lobby.ears.marks
    for handle in people:
        if handle not in known:
            own_notice(work, lobby.label, f"{handle} entered", seq)
            if handle not in lobby.intents.removes:  # else our half put it out, and this one is to
                gone.pop(handle, None)
    for handle in known:
        if handle in people or handle == work.me:
            continue
        own_notice(work, lobby.label, f"{handle} is out", seq)
        entered.pop(handle, None)
        marks = marks.drop(handle)
        if handle not in lobby.healing.anew and lobby.healing.since(handle) <= common:
            gone[handle] = (base, "")
    healing = replace(lobby.healing, gone=gone, entered=entered)
    return replace(lobby, healing=healing, ears=replace(lobby.ears, marks=marks))


def _met(lobby: Lobby, seq: int, was: Collection[str], people: Mapping[str, int]) -> dict[str, int]:
    """Who was let in here while we were in another half: we know that it was in by entry ``seq``, and no more."""
    met = lobby.healing.met
    new = {one: seq for one in people if one not in was or met.get(one, 0) > lobby.healing.common}
    return {**{one: at for one, at in met.items() if one in people}, **new}


def _ask_in_anew(work: Work, lobby: Lobby) -> None:
    """Who came in in our half alone is not in this one: the question needs no answer of people there."""
    state, healing = work.session(lobby.group), lobby.healing
    if state is None or not healing.anew or lobby.stage is not Stage.MEMBER:
        return
    people = groups.roster(state)
    if not healing.anew_at:
        spread = min(ANEW_SPREAD, len(people) / 10)
        work.keep_lobby(replace(lobby, healing=replace(healing, anew_at=work.now + spread * work.chance())))
        work.stir(lobby.group)
    elif work.now < healing.anew_at:
        work.wake(healing.anew_at)
    elif healing.orphans and work.now < healing.anew_at + ANEW_LAST:  # said before they came, maybe
        work.wake(healing.anew_at + ANEW_LAST)
    else:
        asked = healing.anew - set(people) - work.expelled.keys()
        healing = replace(healing, anew=frozenset(), anew_at=0.0)
        asking.invite(work, replace(lobby, healing=healing), sorted(asked), people)


def not_in(work: Work, lobby: Lobby, out_by: int) -> None:
    """The half that counts put us out by entry ``out_by``, and that stands.

    An entry before the halves parted, or 0, is none: that half does not know that ours let us in, and we wait.
    """
    since = lobby.healing.unknown or work.now
    if out_by > lobby.healing.common:
        ending.out(work, lobby, f"in the half of the lobby that {lobby.leader} leads")
    elif work.now - since > UNKNOWN_SECONDS:
        ending.out(work, lobby, "nobody asked you into the other half of the lobby")
    else:
        healing, watch = replace(lobby.healing, unknown=since), replace(lobby.watch, heard=work.now)
        work.keep_lobby(replace(lobby, healing=healing, watch=watch))


def ask_again(work: Work, group: bytes) -> None:
    """Our way in did not count: another."""
    lobby = work.lobby(group)
    if lobby is None or lobby.healing.step is not Step.ENTER:
        return
    flying = tuple(one for one in lobby.voice.flying if one.kind is not EntryKind.COMMIT)
    voice = replace(lobby.voice, staged=None, flying=flying)
    asked = work.now - ASK_AGAIN + 0.2 + work.chance()
    healing = replace(lobby.healing, step=Step.REJOIN, asked=asked)
    work.keep_lobby(replace(lobby, voice=voice, healing=healing), reworded=True)
    work.wake(asked + ASK_AGAIN)
