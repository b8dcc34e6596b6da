"""A commit has its place in a lobby's order: the group is another, and people come and go.

Left out: making commits (``chat.lobbies.committing``), who is to come and go (``chat.lobbies.membership``), and the
commit by which one comes in oneself (``chat.lobbies.rejoining``).
"""

from __future__ import annotations

from conclave.chat import allowed, groups, packages
from conclave.chat.hearing import own_notice
from conclave.chat.lobbies import audience, ending, rejoining, timers
from conclave.chat.lobbies.purging import purge_expelled
from conclave.chat.lobbies.voice import landed, without_commit
from conclave.chat.lobby_state import Lobby, Step
from conclave.chat.pairs import certificates
from conclave.chat.work import Work
from conclave.errors import DecodeError, VerificationError
from conclave.lobby import followers as positions
from conclave.lobby import order as orders
from conclave.mls import group as mls
from conclave.mls.group import Changes, Staged, State, Verify
from conclave.values import replace
from conclave.wire.order import EntryKind, Ordered
from conclave.wire.posts import Answer, Choice


def taken(work: Work, lobby: Lobby, entry: Ordered) -> Staged | None:
    """What becomes of the group by the next entry, where it is a commit that we have yet to examine.

    Raises ``RemoteError`` or ``LocalError`` where we cannot take it, as one of ours whose keys we gave up, or one
    that is spoilt for us alone: the others may go on by it, and we come in anew.
    """
    state = work.session(entry.group)
    if entry.kind is not EntryKind.COMMIT or state is None or lobby.healing.step is Step.ENTER:
        return None
    if under_way(work, lobby, entry) is not None:
        return None
    return examine(work, state, entry.sender, entry.number, entry.payload, work.judges.members)


def under_way(work: Work, lobby: Lobby, entry: Ordered) -> Staged | None:
    """The commit of ours that is under way, where ``entry`` is that one."""
    _, ours = landed(lobby, entry.number, work.now) if entry.sender == work.me else (lobby, None)
    mine = ours is not None and ours.kind is EntryKind.COMMIT and ours.payload == entry.payload
    return lobby.voice.staged if mine else None


def examine(
    work: Work, state: State, handle: str, number: int, payload: bytes, verify: Verify, *, lifetimes: bool = False
) -> Staged:
    """Somebody's commit on ``state``, checked, its number and all that it holds too.

    ``lifetimes`` are for who puts it in order: those who take it later are not to judge otherwise by their clocks.
    Raises ``RemoteError`` or ``LocalError``.
    """
    staged = mls.process(state, payload, verify=verify, now=work.now, lifetimes=lifetimes)
    if not isinstance(staged, Staged):
        raise DecodeError("it is no commit")
    changes = staged.changes
    if changes.external:
        if changes.replaced is None:
            raise VerificationError("a stranger lets itself in", reason="not-a-member")
        author = mls.members(state)[changes.replaced].identity
    else:
        author = mls.members(state)[changes.committer].identity
    if author.decode() != handle:
        raise VerificationError(f"it is {author.decode()}'s", reason="not-a-member")
    allowed.demand_in_lobby(state, staged, len(payload))  # before its reasons are read: they are some of its size
    if _reasons(staged)[1] not in (0, number):
        raise VerificationError("it has another number inside than outside")
    return staged


def committed(work: Work, lobby: Lobby, entry: Ordered, staged: Staged | None) -> None:
    """The next entry is a commit: ours, or somebody's, which ``staged`` is (none where we have no keys for it)."""
    state = work.session(entry.group)
    if lobby.healing.step is Step.ENTER:
        rejoining.committed(work, lobby, entry)
        return
    if state is None:
        return
    ours = under_way(work, lobby, entry)
    if ours is not None:
        staged, (flown, _) = ours, landed(lobby, entry.number, work.now)
        before, after = state, mls.merge(state, staged)
        done = lobby.intents.deputies == groups.deputies(after)
        intents = replace(lobby.intents, deputies=None) if done else lobby.intents
        watch = replace(lobby.watch, renew=work.now + work.settings.update_every)
        lobby = replace(flown, voice=replace(flown.voice, staged=None), intents=intents, watch=watch)
        work.keep_lobby(lobby)
        if staged.welcome and lobby.order is not None:
            # By leaf: who is in by one key package may have answered with another since.
            awaited = {leaf: one for one, leaf in groups.roster(after).items() if one in lobby.intents.adds}
            work.welcome(lobby.order, staged.welcome, [awaited.get(leaf, "") for leaf in staged.changes.added])
    else:
        assert staged is not None
        if staged.removes_us:
            if staged.changes.external:
                own_notice(work, lobby.label, "another device of yours took the place of this one")
                ending.end(work, lobby)
            else:
                ending.out(work, lobby, _reasons(staged)[0].get(work.me, ""))
            return
        before = state
        after = mls.merge(staged.state or state, staged)
        lobby = replace(lobby, voice=without_commit(work, lobby.voice))
    assert lobby.order is not None
    work.keep_session(after)
    order = orders.begun_anew(replace(lobby.order, epoch=after.number), _came(after, staged.changes))
    if _reasons(staged)[1] == entry.number:
        order = orders.counted(order, entry)
    work.keep_lobby(replace(lobby, order=order))
    changed(work, entry, before, after, staged)


def _came(after: State, changes: Changes) -> list[str]:
    """Who entered by a commit, or entered anew."""
    leaves = {*changes.added, *((changes.committer,) if changes.external else ())}
    return [handle for handle, leaf in groups.roster(after).items() if leaf in leaves]


def changed(work: Work, entry: Ordered, before: State, after: State, staged: Staged) -> None:
    """Who is in is otherwise: say so in the conversation, and lead accordingly."""
    lobby = work.lobby(entry.group)
    if lobby is None:
        return
    was, now = groups.roster(before), groups.roster(after)
    came = [one for one in now if one not in was]
    went = [one for one in was if one not in now]
    entered, gone = dict(lobby.healing.entered), dict(lobby.healing.gone)
    reasons, _ = _reasons(staged)
    counts, marks, outlived = lobby.ears.counts, lobby.ears.marks, dict(lobby.healing.outlived)
    for handle in came:
        entered[handle] = entry.seq
        counts = counts.drop(handle)  # it counts from the beginning, as somebody new
        if handle in gone:
            outlived[handle], _ = gone.pop(handle)
        own_notice(work, lobby.label, f"{handle} entered", entry.seq)
    if staged.changes.external and entry.sender not in came and groups.replaced(before, after, entry.sender):
        counts = counts.drop(entry.sender)  # of a home from a backup that does too
        outlived[entry.sender] = entry.seq
    for handle in went:
        why = reasons.get(handle, "")
        gone[handle] = (entry.seq, why)
        entered.pop(handle, None)
        marks = marks.drop(handle)
        packages.taken_back(work, lobby.group, handle)
        own_notice(work, lobby.label, f"{handle} {_went(lobby, handle, why, entry.sender)}", entry.seq)
    if (named := groups.deputies(after)) != groups.deputies(before):
        own_notice(work, lobby.label, f"{entry.sender} set the deputies: {', '.join(named) or 'none'}", entry.seq)
    certificates.shown_in(work, lobby, entry.seq, before, after, staged.changes)
    certificates.went_from(work, before, went)
    people = lobby.watch.followers
    if people is not None:
        for handle in came:
            people = positions.admit(
                people, handle, entry.seq, work.now, linked=audience.follows(work, entry.group, handle)
            )
        for handle in went:
            people = positions.part(people, handle, entry.seq)
    intents = lobby.intents
    for handle in sorted(intents.adds.keys() & now.keys()) if entry.sender != work.me else ():
        work.post(handle, Answer(lobby.group, Choice.REJECT))  # another let it in: ours is no welcome to wait for
    intents = intents.keep_in(intents.removes.keys() - now.keys()).let_in_no_more(now)
    lobby = replace(
        lobby,
        intents=intents,
        invited=lobby.invited - set(came),
        healing=replace(
            lobby.healing,
            entered=entered,
            gone=gone,
            outlived=outlived,
            owed=(lobby.healing.owed | set(went)) - set(came),
            anew=lobby.healing.anew - set(came),
        ),
        watch=replace(lobby.watch, followers=people),
        ears=replace(lobby.ears, counts=counts, marks=marks),
    )
    work.keep_lobby(lobby, reworded=True)
    purge_expelled(work, entry.group)
    if came or staged.changes.external:
        timers.tell(work, entry.group)


def _went(lobby: Lobby, handle: str, why: str, by: str) -> str:
    """How somebody went: that it wanted to is said where we heard so of itself, else it is the word of ``by``."""
    if why != groups.LEFT:
        return "was removed" + (f": {why}" if why else "")
    return "left" if lobby.intents.removes.get(handle) == groups.LEFT else f"left, as {by} says"


def _reasons(staged: Staged) -> tuple[dict[str, str], int]:
    try:
        return groups.read_reasons(staged.authenticated_data)
    except DecodeError:
        return {}, 0
