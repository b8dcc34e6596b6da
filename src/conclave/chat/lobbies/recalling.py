"""What was said while we could not hear it is asked for, and given, in its authors' own signed words.

Who comes into the half of a lobby that counts asks its leader for what was said there, and others where the leader
lacks some too; so does who has no key for an entry. That it gave all is its word alone: so all are asked for what
they said themselves. Left out: what becomes of an answer (``chat.lobbies.sharing``), and what is lacked
(``chat.lobbies.lacks``).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from conclave.chat import groups
from conclave.chat.deeds import SendOriginals
from conclave.chat.links import send
from conclave.chat.lobbies import audience, lacks, receipts, sharing
from conclave.chat.lobby_state import Healing, Lobby, Step
from conclave.chat.work import Work
from conclave.values import replace
from conclave.wire.order import OWN_SINCE, Originals, Recall

ASKED_MOST = 3
"""Where all others answer so often that they lack some too, nobody has them."""
SILENT_MOST = 12
"""Who said so, or did not answer so often in a row, is asked half as often from then on each time ..."""
RARELY = 5
"""... so many times: it may get them, or come here from another half."""
TIED_MOST = 3
"""Members to whom we want links at once to ask them, where the leader lacks it too ..."""
TIED_SECONDS = 60
"""... or for their own words, and others of them so much later."""


def want(work: Work, group: bytes, author: str, seq: int) -> None:
    """We have no key for this entry: its author's own signed words are asked for. Who it is is its leader's word."""
    lobby, state = work.lobby(group), work.session(group)
    if lobby is None or state is None:
        return
    people = (author,) if author in groups.roster(state) else ()
    healing = replace(lobby.healing, pull=lacks.added(lobby.healing.pull, seq, seq), poor={})
    work.keep_lobby(replace(lobby, healing=doubted(work, healing, people, ((seq, seq),))), reworded=True)
    work.pending = True


def doubted(work: Work, healing: Healing, people: Iterable[str], ranges: lacks.Ranges) -> Healing:
    """The same, and each of these ``people`` is to say itself what it has of these entries."""
    untold, others = healing.untold, [one for one in people if one != work.me]
    for ends in ranges:
        untold = lacks.of_each(untold, others, *ends)
    return replace(healing, untold=untold)


def ask(work: Work, group: bytes) -> None:
    """Ask the leader, then the others, for what was said while our half was another one."""
    lobby = work.lobby(group)
    if lobby is None or work.session(group) is None or lobby.healing.step is not Step.SOUND:
        return
    people, poor, silent = _others(work, lobby), lobby.healing.poor, dict(lobby.healing.silent)
    if lobby.healing.pull and all(poor.get(one, 0) >= ASKED_MOST for one in people):
        ears = replace(lobby.ears, lost=lacks.known(lobby))
        healing = replace(lobby.healing, pull=(), poor={}, silent={}, source="")
        lobby = replace(lobby, healing=healing, ears=ears)
        work.keep_lobby(lobby, reworded=True)
    pull, own = lobby.healing.pull, {one: ranges for one in people if (ranges := _own(lobby, one))}
    people = [one for one in people if pull or one in own]
    linked = [one for one in people if work.peer(one).linked and not audience.elsewhere(work, lobby, one)]
    if not linked:
        return
    if lobby.healing.source:
        silent[lobby.healing.source] = silent.get(lobby.healing.source, 0) + 1

    def rarely(one: str) -> int:
        return min(RARELY, max(0, silent.get(one, 0) - SILENT_MOST, poor.get(one, 0) - ASKED_MOST + 1))

    source = min(linked, key=lambda one: (rarely(one), poor.get(one, 0) + silent.get(one, 0), one not in own))
    pause = work.settings.resend_after * 2 ** rarely(source)
    if abs(work.now - lobby.healing.pulled) < pause:
        work.wake(lobby.healing.pulled + pause)
        return
    work.pending = True
    healing = replace(lobby.healing, pulled=work.now, source=source, silent=silent, own=source in own)
    work.keep_lobby(replace(lobby, healing=healing))
    audience.show_head(work, lobby, source)  # the places are of this order: it may have another
    alone = healing.own and work.peer(source).flight.version >= OWN_SINCE
    send(work, source, Recall(group, *lacks.between(own.get(source, pull)), alone))


def _own(lobby: Lobby, handle: str) -> lacks.Ranges:
    """Of which entries somebody is to give its own words: another has answered for these that it gave all."""
    return lacks.less(lobby.healing.untold.get(handle, ()), lobby.healing.pull)


def _others(work: Work, lobby: Lobby) -> list[str]:
    """All others who are in, the leader first."""
    state = work.session(lobby.group)
    people = dict.fromkeys((lobby.leader, *groups.roster(state))) if state is not None else {}
    return [one for one in people if one != work.me]


def wanted(work: Work, lobby: Lobby) -> frozenset[str]:
    """To whom we want links because the leader lacks it too, or does not answer: last to those who do not either."""
    if lobby.healing.step is not Step.SOUND or not (lobby.healing.pull or lobby.healing.untold):
        return frozenset()
    poor, silent = lobby.healing.poor, lobby.healing.silent
    people = sorted(
        _others(work, lobby),
        key=lambda one: silent.get(one, 0) >= SILENT_MOST or audience.elsewhere(work, lobby, one),
    )
    own = [one for one in people if _own(lobby, one)]
    turn = int(work.now / TIED_SECONDS) % len(own) if own else 0  # the first of them may be away for long
    own = [*own[turn:], *own[:turn]]
    rich = [one for one in people if lobby.healing.pull and poor.get(one, 0) < ASKED_MOST]
    return frozenset((*own[:TIED_MOST], *(rich[:TIED_MOST] if lobby.leader not in rich[:1] else ())))


def recall_arrived(work: Work, handle: str, recall: Recall) -> None:
    """A member asks for what was said between two entries: only while it was in, and what is not taken back.

    The answer is cut at what we lack, so that each part between is answered as whole; and at the entries of which we
    did not see whether the asker was in, which are answered with its own words alone, as are those of which it asks
    for ours alone with ours.
    """
    lobby, state = work.lobby(recall.group), work.session(recall.group)
    if (
        lobby is None
        or state is None
        or handle not in groups.roster(state)
        or audience.elsewhere(work, lobby, handle)
    ):
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
        by = (work.me if recall.own else "") if seen else handle
        whole = seen and after >= edge and lacks.none(lobby, after, end)
        work.deed(SendOriginals(handle, recall.group, lobby.label, after, end, since, whole, by))


def originals_arrived(work: Work, handle: str, frame: Originals) -> None:
    """What we asked for, or a part of it. Who lacks some too leaves us asking others."""
    lobby, state = work.lobby(frame.group), work.session(frame.group)
    if lobby is None or state is None or handle not in groups.roster(state):
        return
    own, untold = lobby.healing.own, dict(lobby.healing.untold)
    wanted = _own(lobby, handle) if own else lobby.healing.pull
    if handle != lobby.healing.source or not wanted:
        return  # nobody asked it
    if audience.elsewhere(work, lobby, handle):  # it answers of other places
        work.keep_lobby(replace(lobby, healing=replace(lobby.healing, source="")))
        return
    after, before = lacks.between(wanted)
    asked = [one for one in frame.items if after < one[0] < before]
    lacked = lacks.both(lacks.known(lobby), wanted)
    given = lacks.of(lacked, asked)  # the rest came through the order, and keeps its place in it
    sharing.take(work, lobby, handle, given, ordered=False)
    lobby = work.lobby(frame.group) or lobby
    pull, poor, pulled = lobby.healing.pull, dict(lobby.healing.poor), lobby.healing.pulled
    source = "" if frame.before >= before else handle
    ends, lost, seqs = (
        (max(after, frame.after), min(before, frame.before)),
        lobby.ears.lost,
        [seq for seq, _ in given],
    )
    untold[handle] = lacks.without(untold.get(handle, ()), *ends)
    untold = {one: ranges for one, ranges in untold.items() if ranges and one in groups.roster(state)}
    if frame.whole and not own:
        pull, lost = lacks.without(pull, *ends), lacks.without(lost, *ends)
    elif not own and not source:
        poor[handle] = poor.get(handle, 0) + 1
    # Whose answer ends, and is not for all that it was asked, is as one silent; but who says that it lacks some.
    rest = lacks.less(untold.get(handle, ()), pull) if own else pull
    lacking = not own and not frame.whole
    answers = rest != wanted if source else lacking or not lacks.any_between(rest, after, before)
    if (pull, lost) != (lobby.healing.pull, lobby.ears.lost):
        pulled = work.now if pull else pulled
        lobby = receipts.regained(work, lobby, lost, seqs)
    elif own and max(seqs, default=0) > lobby.ears.words:
        lobby = receipts.regained(work, lobby, lost, seqs)
    silent = {one: times for one, times in lobby.healing.silent.items() if one != handle or not answers}
    if not (answers or source):
        silent[handle] = silent.get(handle, 0) + 1
    if not pull:
        poor = {}
        silent, source = (silent, source) if untold else ({}, "")
    at_once = answers and not source and bool(untold) and (own or not pull)  # the next one
    healing = replace(
        lobby.healing, pull=pull, untold=untold, poor=poor, silent=silent, source=source,
        pulled=0.0 if at_once else pulled,
    )  # fmt: skip
    work.keep_lobby(replace(lobby, healing=healing), reworded=True)
    if lobby.ears.due:  # it may have waited for this answer
        work.wake(lobby.ears.due)
    if pull:
        work.pending = True
    if at_once:
        ask(work, frame.group)
