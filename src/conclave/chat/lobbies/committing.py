"""The commits of a lobby's group: whatever is to change goes into one, when one of ours can be ordered.

Left out: what is to change (``chat.lobbies.membership``, ``chat.lobbies.departing``, ``chat.lobbies.purging``).
"""

from __future__ import annotations

from collections.abc import Sequence

from conclave.chat import groups
from conclave.chat.lobbies import audience, purging, speaking
from conclave.chat.lobbies.voice import RETRY_SECONDS
from conclave.chat.lobby_state import Lobby, Stage, Step
from conclave.chat.work import Work
from conclave.errors import LocalError, RemoteError
from conclave.lobby.order import Order
from conclave.mls import group as mls
from conclave.mls.group import Proposal, Staged, State
from conclave.values import replace
from conclave.wire.limits import PAYLOAD_BYTES
from conclave.wire.posts import Answer, Choice, Welcome


def act(work: Work, group: bytes) -> None:
    """Commit what is to change, if a commit of ours can be ordered now."""
    lobby = work.lobby(group)
    state = work.session(group)
    if lobby is None or state is None or lobby.healing.step is not Step.SOUND:
        return
    lobby = purging.withdraw(work, lobby)
    if lobby.stage is not Stage.MEMBER and not (lobby.stage is Stage.LEAVING and lobby.intents.removes):
        return  # who leaves puts out first whom it wanted out: until then nothing is said, not even good-bye
    leading = audience.leads(work, lobby)
    if not leading and not work.peer(lobby.leader).linked:
        return
    if lobby.voice.staged is not None or not all(one.id for one in lobby.voice.flying):
        return  # one is under way, or what fills the place of one: a leader that orders neither gets no more of them
    refusals = lobby.refusals
    if not leading and refusals.epoch == state.number and 0 < refusals.at - work.now <= refusals.pause:
        work.wake(refusals.at)
        return
    lobby = _due(work, lobby)
    if not lobby.intents.some and not groups.spoilt(state):
        return  # as after every word that is said
    proposals, reasons, late = _proposals(work, lobby, state, leading=leading)
    if late:
        work.wake(late)
    if lobby.intents.deputies == groups.deputies(state) and not groups.spoilt(state):
        lobby = replace(lobby, intents=replace(lobby.intents, deputies=None))
        work.keep_lobby(lobby, reworded=True)
    if not proposals and not lobby.intents.update:
        return
    try:
        staged = _stage(work, state, proposals, groups.write_reasons(reasons, lobby.voice.next))
    except (LocalError, RemoteError) as error:
        _could_not(work, lobby, state, error)
        return
    if staged.state is not None:
        work.keep_session(staged.state)
    renew = work.now + work.settings.update_spread * work.chance()  # if another's commit comes first
    intents = replace(lobby.intents, update=False)
    work.keep_lobby(replace(lobby, intents=intents, watch=replace(lobby.watch, renew=renew)), reworded=True)
    speaking.commit(work, work.lobby(group) or lobby, staged, state.number)


def _stage(work: Work, state: State, proposals: list[Proposal], data: bytes) -> Staged:
    """The commit; of those to be added only some, where all together do not fit. Raises ``ConclaveError``."""
    adds = [one for one in proposals if isinstance(one, mls.Add)]
    try:
        staged = mls.commit(
            state,
            proposals,
            verify=work.judges.newcomers if adds else work.judges.members,
            now=work.now,
            random=work.random,
            credential=work.own.credential if work.own is not None else None,
            signature_key=work.own.signature_key if work.own is not None else None,
            authenticated_data=data,
        )
    except (LocalError, RemoteError):
        if len(adds) < 2 or not all(_fits(work, state, one) for one in adds):
            raise
    else:
        if max(len(staged.message), len(staged.welcome)) <= PAYLOAD_BYTES:
            return staged
        if len(adds) < 2:
            raise LocalError("it is too large for others to read")
    # They are too many for one entry; or two have a key in common: the other fits no more once the first is in.
    fewer = adds[: len(adds) // 2]
    return _stage(work, state, [one for one in proposals if one not in adds or one in fewer], data)


def _fits(work: Work, state: State, add: mls.Add) -> bool:
    """Whether a commit could add this one alone."""
    try:
        mls.commit(
            state, [add], verify=work.judges.newcomers, now=work.now, random=work.random, path=False,
            tree_in_welcome=False,
        )  # fmt: skip
    except (LocalError, RemoteError):
        return False
    return True


def _could_not(work: Work, lobby: Lobby, state: State, error: Exception) -> None:
    """A commit cannot be made: who cannot be added is turned away, and everybody where that is not the reason."""
    adds = lobby.intents.adds
    bad = [handle for handle, data in adds.items() if not _fits(work, state, mls.Add(mls.read_key_package(data)))]
    for handle in bad:
        work.trouble(handle, f"{handle} could not be let into {lobby.label}: {error}")
    if not bad:
        work.trouble(work.me, f"{lobby.label} could not be changed: {error}")
    for handle in bad or adds:
        work.post(handle, Answer(lobby.group, Choice.REJECT))
    intents = lobby.intents.let_in_no_more(bad)
    if not bad:
        intents = replace(intents, adds={}, deputies=None, update=False)
    work.keep_lobby(replace(lobby, intents=intents), reworded=True)
    if bad:
        work.stir(lobby.group)
    else:
        work.wake(work.now + RETRY_SECONDS)


def _due(work: Work, lobby: Lobby) -> Lobby:
    """Our keys are to be renewed at their time, and our leaf has our newest certificate."""
    state = work.session(lobby.group)
    own = work.own
    renewed = (
        own is not None and state is not None and mls.credential(state, state.epoch.me) != own.credential
    )  # fmt: skip
    due = 0.0 < lobby.watch.renew <= work.now
    if lobby.watch.renew > work.now:
        work.wake(lobby.watch.renew)
    if not (renewed or due) or lobby.intents.update:
        return lobby
    lobby = replace(lobby, intents=replace(lobby.intents, update=True))
    work.keep_lobby(lobby, reworded=True)
    return lobby


def _proposals(
    work: Work, lobby: Lobby, state: State, *, leading: bool
) -> tuple[list[Proposal], dict[str, str], float]:
    """What to propose now, why whom is removed, and when there may be more."""
    people = groups.roster(state)
    proposals: list[Proposal] = []
    reasons: dict[str, str] = {}
    late = 0.0
    apart: list[str] = []
    for handle, why in lobby.intents.removes.items():
        due = 0.0 if leading else lobby.watch.purge.get(handle, 0.0)
        if handle not in people or handle == work.me:
            continue
        if due > work.now:
            late = min(late or due, due)
            continue
        proposals.append(mls.Remove(people[handle]))
        reasons[handle] = why
    # Who came in anew took the group as its leader shows it: what does not belong there goes, by who commits first.
    # While somebody's leaf allows nobody to do so, nobody comes in, who would not take it so; all else goes on.
    wanted, spoilt = lobby.intents.deputies, groups.spoilt(state)
    stuck = spoilt and groups.in_the_way(state, [one.removed for one in proposals if isinstance(one, mls.Remove)])
    adds = {} if stuck else lobby.intents.adds
    if adds and (lobby.watch.gather <= work.now or len(adds) == len(lobby.invited)):
        apart = [
            handle for handle in adds if handle in lobby.refusals.doubted and handle not in people and not leading
        ]
        for handle, data in adds.items():
            if handle not in people and handle not in apart:
                proposals.append(mls.Add(mls.read_key_package(data)))
    elif adds:
        late = min(late or lobby.watch.gather, lobby.watch.gather)
    differs = wanted is not None and wanted != groups.deputies(state)
    if not stuck and (differs or spoilt):
        proposals.append(mls.GroupContextExtensions((groups.deputies_extension(wanted or ()),)))
    if apart and not proposals and not lobby.intents.update:
        proposals.append(mls.Add(mls.read_key_package(adds[apart[0]])))
    return proposals, reasons, late


def let_in(work: Work, order: Order, welcome: bytes, added: Sequence[str]) -> None:
    """Our commit has its place: welcome those whom it added, each with its own secrets alone.

    ``added`` are their handles, in the order of the commit; empty where one is to be put out again.
    """
    lobby = work.lobby(order.group)
    if lobby is None:
        return
    for handle, own in zip(added, mls.welcomes(welcome), strict=True):
        if handle:
            work.post(handle, Welcome(order.group, lobby.name, order.seq, order.hash, order.runs, own))
