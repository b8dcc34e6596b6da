"""What was said while we could not hear it is asked for, and given, in its authors' own signed words.

Who comes into the half of a lobby that counts asks its leader for what was said there, and others where the leader
lacks some too; so does who has no key for an entry. Left out: what becomes of an answer (``chat.lobbies.sharing``),
and what is lacked (``chat.lobbies.lacks``).
"""

from __future__ import annotations

from itertools import pairwise

from conclave.chat import groups
from conclave.chat.deeds import SendOriginals
from conclave.chat.links import send
from conclave.chat.lobbies import audience, lacks, receipts, sharing
from conclave.chat.lobby_state import Lobby, Step
from conclave.chat.work import Work
from conclave.values import replace
from conclave.wire.order import Originals, Recall

ASKED_MOST = 3
"""Where all others answer so often that they lack some too, nobody has them."""
SILENT_MOST = 12
"""Who said so, or did not answer so often in a row, is asked half as often from then on each time ..."""
RARELY = 5
"""... so many times: it may get them, or come here from another half."""
TIED_MOST = 3
"""Members to whom we want links at once to ask them, where the leader lacks it too."""


def want(work: Work, group: bytes, seq: int) -> None:
    """We have no key for this entry: its author's own signed words are asked for."""
    lobby = work.lobby(group)
    if lobby is None:
        return
    healing = replace(lobby.healing, pull=lacks.added(lobby.healing.pull, seq, seq), poor={})
    work.keep_lobby(replace(lobby, healing=healing), reworded=True)
    work.pending = True


def ask(work: Work, group: bytes) -> None:
    """Ask the leader, then the others, for what was said while our half was another one."""
    lobby = work.lobby(group)
    state = work.session(group)
    if lobby is None or not lobby.healing.pull or state is None or lobby.healing.step is not Step.SOUND:
        return
    after, before = lacks.between(lobby.healing.pull)
    poor, silent, people = lobby.healing.poor, dict(lobby.healing.silent), _others(work, lobby)
    if all(poor.get(one, 0) >= ASKED_MOST for one in people):
        ears = replace(lobby.ears, lost=lacks.known(lobby))
        healing = replace(lobby.healing, pull=(), poor={}, silent={}, source="")
        work.keep_lobby(replace(lobby, healing=healing, ears=ears), reworded=True)
        return
    linked = [one for one in people if work.peer(one).linked and not _elsewhere(work, lobby, one)]
    if not linked:
        return
    if lobby.healing.source:
        silent[lobby.healing.source] = silent.get(lobby.healing.source, 0) + 1

    def rarely(one: str) -> int:
        return min(RARELY, max(0, silent.get(one, 0) - SILENT_MOST, poor.get(one, 0) - ASKED_MOST + 1))

    source = min(linked, key=lambda one: (rarely(one), poor.get(one, 0) + silent.get(one, 0)))
    pause = work.settings.resend_after * 2 ** rarely(source)
    if abs(work.now - lobby.healing.pulled) < pause:
        work.wake(lobby.healing.pulled + pause)
        return
    work.pending = True
    healing = replace(lobby.healing, pulled=work.now, source=source, silent=silent)
    work.keep_lobby(replace(lobby, healing=healing))
    audience.show_head(work, lobby, source)  # the places are of this order: it may have another
    send(work, source, Recall(group, after, before))


def _others(work: Work, lobby: Lobby) -> list[str]:
    """All others who are in, the leader first."""
    state = work.session(lobby.group)
    people = dict.fromkeys((lobby.leader, *groups.roster(state))) if state is not None else {}
    return [one for one in people if one != work.me]


def wanted(work: Work, lobby: Lobby) -> frozenset[str]:
    """To whom we want links because the leader lacks it too, or does not answer: last to those who do not either."""
    if not lobby.healing.pull or lobby.healing.step is not Step.SOUND:
        return frozenset()
    poor, silent = lobby.healing.poor, lobby.healing.silent
    people = sorted(
        (one for one in _others(work, lobby) if poor.get(one, 0) < ASKED_MOST),
        key=lambda one: silent.get(one, 0) >= SILENT_MOST or _elsewhere(work, lobby, one),
    )
    return frozenset(people[:TIED_MOST] if lobby.leader not in people[:1] else ())


def recall_arrived(work: Work, handle: str, recall: Recall) -> None:
    """A member asks for what was said between two entries: only while it was in, and what is not taken back.

    The answer is cut at what we lack, so that each part between is answered as whole; and at the entries of which we
    did not see whether the asker was in, which are answered with its own words alone.
    """
    lobby, state = work.lobby(recall.group), work.session(recall.group)
    if lobby is None or state is None or handle not in groups.roster(state) or _elsewhere(work, lobby, handle):
        return
    if lobby.healing.step is not Step.SOUND:  # what has a place behind it is of an order that we leave
        recall = replace(recall, before=min(recall.before, lobby.healing.common + 1))
        if recall.before <= recall.after:
            return
    since, ours = lobby.healing.since(handle), lobby.healing.since(work.me)
    edge = max(since, ours)  # of what was before us we know little, of what was before it came in it gets nothing
    unseen = lobby.healing.unseen.get(handle, ())
    inner = {edge, *(place for first, last in (*lacks.known(lobby), *unseen) for place in (first - 1, last))}
    inner = {place for place in inner if recall.after < place < recall.before - 1}
    for after, before in pairwise((recall.after, *sorted(inner), recall.before)):
        end = before if before == recall.before else before + 1
        seen = all(last <= after or first >= end for first, last in unseen)
        whole = seen and after >= edge and lacks.none(lobby, after, end)
        work.deed(SendOriginals(handle, recall.group, lobby.label, after, end, since, whole, own=not seen))


def _elsewhere(work: Work, lobby: Lobby, handle: str) -> bool:
    """Whether somebody follows an order that counts before ours: its places are not those of ours."""
    told = lobby.watch.rumours.get(handle)
    return told is not None and audience.better(work, lobby, told)


def originals_arrived(work: Work, handle: str, frame: Originals) -> None:
    """What we asked for, or a part of it. Who lacks some too leaves us asking others."""
    lobby, state = work.lobby(frame.group), work.session(frame.group)
    if lobby is None or not lobby.healing.pull or state is None or handle not in groups.roster(state):
        return
    if handle != lobby.healing.source:
        return  # nobody asked it
    if _elsewhere(work, lobby, handle):  # it answers of other places
        work.keep_lobby(replace(lobby, healing=replace(lobby.healing, source="")))
        return
    after, before = lacks.between(lobby.healing.pull)
    asked = [one for one in frame.items if after < one[0] < before]
    given = lacks.of(lacks.known(lobby), asked)  # the rest came through the order, and keeps its place in it
    sharing.take(work, lobby, handle, given, ordered=False)
    lobby = work.lobby(frame.group) or lobby
    pull, poor, pulled = lobby.healing.pull, dict(lobby.healing.poor), lobby.healing.pulled
    source = "" if frame.before >= before else handle
    if frame.whole:
        ends = max(after, frame.after), min(before, frame.before)
        pull, lost = lacks.without(pull, *ends), lacks.without(lobby.ears.lost, *ends)
        if (pull, lost) != (lobby.healing.pull, lobby.ears.lost):
            pulled = work.now if pull else pulled
            lobby = receipts.regained(work, lobby, lost, [seq for seq, _ in given])
    elif not source:
        poor[handle] = poor.get(handle, 0) + 1
    silent = {one: times for one, times in lobby.healing.silent.items() if one != handle}
    if not pull:
        poor, silent, source = {}, {}, ""
    healing = replace(lobby.healing, pull=pull, poor=poor, silent=silent, source=source, pulled=pulled)
    work.keep_lobby(replace(lobby, healing=healing), reworded=True)
    if pull:
        work.pending = True
