"""What our half of a lobby had, where another one counts: it is read, leaves its places, and is kept in mind.

What was said behind the last entry that both have is said again or shared, removals and invitations are carried over,
ciphertexts known again. Where that part held no commit, the other order is followed from there; else we come in anew.
Left out: which half counts (``chat.lobbies.healing``), and coming in (``chat.lobbies.rejoining``).
"""

from __future__ import annotations

from collections.abc import Sequence

from conclave.chat import groups
from conclave.chat.deeds import Unwind
from conclave.chat.effects import CutEntries, UnplaceLines
from conclave.chat.events import Cut
from conclave.chat.lobbies import coming_in, lacks, receipts, sharing, timers
from conclave.chat.lobbies.voice import without_commit, without_receipts
from conclave.chat.lobby_state import Lobby, Mark, Step
from conclave.chat.words.line import Status
from conclave.chat.work import Work
from conclave.lobby import order as orders
from conclave.values import replace
from conclave.wire.order import EntryKind, Ordered, encode_ordered

KNOWN_MOST = 1024
"""Ciphertexts of a half that lost that are known again."""
TALLIED_MOST = 4096
"""So many lines, the last, are given alone where two orders share no entry."""
LOOKING = (Step.UNWIND, Step.TALLY)
"""Steps in which what we have is read."""


def read_behind(work: Work, lobby: Lobby) -> None:
    """What we have behind the last common entry is read; where none is, behind what all others told to have."""
    if lobby.healing.step is Step.UNWIND:
        work.deed(Unwind(lobby.group, lobby.label, lobby.healing.common))
    elif lobby.healing.step is Step.TALLY:
        work.deed(Unwind(lobby.group, lobby.label, with_all(work, lobby)))


def with_all(work: Work, lobby: Lobby) -> int:
    """The entry up to which everybody who is in told to have all since it came in."""
    state, place = work.session(lobby.group), lobby.healing.common
    for one in groups.roster(state) if state is not None else ():
        mark = lobby.ears.marks.get(one) or Mark()
        since = lobby.healing.since(one)
        has = min([mark.has, *(first - 1 for first, _ in lacks.behind(mark.missing, since))])
        place = place if one == work.me else min(place, max(has, since))
    return place


def unwound(
    work: Work,
    group: bytes,
    common: int,
    digest: bytes,
    cut: Sequence[Cut],
    lines: Sequence[tuple[str, bytes, int]],
) -> None:
    """What we had behind the last common entry is known."""
    lobby = work.lobby(group)
    if lobby is not None and lobby.healing.step is Step.TALLY:
        if common == with_all(work, lobby):
            _tallied(work, lobby, lines)
        else:
            read_behind(work, lobby)  # it is of another time: look again
        return
    if lobby is None or lobby.order is None or lobby.healing.step is not Step.UNWIND:
        return
    if lobby.healing.common != common:
        work.deed(Unwind(group, lobby.label, lobby.healing.common))  # a better order came between: look again
        return
    digest = digest or dict(lobby.order.recent).get(common, b"")
    handed = ((one.sender, one.number) for one in cut)
    order = orders.rewind(lobby.order, common, digest or lobby.order.hash, lobby.order.epoch, handed)
    said = [(author, identity) for author, identity, _ in lines]
    orphans = lobby.healing.orphans
    both = (*said, *orphans) if lobby.healing.forked else (*orphans, *said)  # as they were said
    orphans = tuple(dict.fromkeys(both))
    state = work.session(group)
    was = tuple(groups.roster(state)) if state is not None else lobby.asked
    places = {**lobby.healing.places, **{(author, identity): seq for author, identity, seq in lines}}
    lacking = coming_in.lacking(work.me, lobby, was, lines)
    for author, identity in said:
        if author == work.me:
            work.mark_line(lobby.label, identity, Status.WAITING)
    work.record(CutEntries(group, common))
    work.record(UnplaceLines(lobby.label, common))
    entered = {handle: seq for handle, seq in lobby.healing.entered.items() if seq <= common}
    late = {handle: seq for handle, seq in lobby.healing.entered.items() if seq > common}
    # Who came in by an entry, or went on alone with its half's keys, has none of what was before it.
    other = common <= lobby.order.base or any(entry.kind is EntryKind.COMMIT for entry in cut)
    forked = lobby.healing.forked or other or not digest
    step = Step.REJOIN if forked else Step.SOUND
    ours = {one.entry: (work.me, b"") for one in cut if (one.kind, one.sender) == (EntryKind.TERM, work.me)}
    known = {**lobby.healing.known, **_known(cut, lines), **timers.known(lobby, cut), **ours}
    known = dict(list(known.items())[-KNOWN_MOST:])
    pull, had = lacks.until(lobby.healing.pull, common), lobby.healing.had
    untold = lacks.of_each_until(lobby.healing.untold, common)
    if work.me in late and 0 < had < common:  # for those of the half that counts we were never out
        pull = lacks.added(pull, had + 1, common)
        untold = lacks.of_each(untold, (one for one in was if one != work.me), had + 1, common)
    lobby = _carry_over(work, timers.lost(work, lobby, common), common, set(late))
    healing = replace(
        lobby.healing,
        step=step,
        pull=pull,
        untold=untold,
        had=0 if work.me in late else had,
        orphans=orphans,
        entered=entered,
        outlived={handle: seq for handle, seq in lobby.healing.outlived.items() if seq <= common},
        known=known,
        asked=0.0,
        unknown=0.0,
        met={**lobby.healing.met, **late},
        forked=forked,
        places=places,
    )
    healing = coming_in.owed(healing, lacking)
    ears, voice = receipts.cut(lobby.ears, common), without_receipts(work, lobby)
    if work.me in late and not had:  # there we were never out, and came into ours without our home
        ears = replace(ears, lost=lacks.added(ears.lost, 1, common))
    voice = without_commit(work, voice) if forked else voice
    lobby = replace(lobby, order=order, healing=healing, ears=ears, voice=replace(voice, sent=0))
    if not forked:  # nobody came in behind ``common`` but who leads by now, maybe
        lobby = coming_in.kept_back(work, lobby, was, {*was, lobby.leader}, common)
    work.keep_lobby(lobby, reworded=True)
    if not forked:
        sharing.begin(work, group)
    work.stir(group)


def _tallied(work: Work, lobby: Lobby, lines: Sequence[tuple[str, bytes, int]]) -> None:
    """What others may lack is known: those who were in then are given it alone, as who came in since is not known."""
    state = work.session(lobby.group)
    was = groups.roster(state) if state is not None else {}
    lacking = coming_in.lacking(work.me, lobby, was, lines[-TALLIED_MOST:])
    healing = replace(coming_in.owed(lobby.healing, lacking), step=Step.REJOIN, asked=0.0)
    work.keep_lobby(replace(lobby, healing=healing), reworded=True)
    work.stir(lobby.group)


def entry_name(entry: Ordered) -> bytes:
    """By what a term of ours is known again: all of it, as nobody may take it for another's or at another place."""
    return groups.payload_name(encode_ordered(entry))


def _known(cut: Sequence[Cut], lines: Sequence[tuple[str, bytes, int]]) -> dict[bytes, tuple[str, bytes]]:
    """What was opened already, and cannot be opened again where another leader orders the same ciphertext.

    Several lines may have a place: those of others were shared there.
    """
    at = {(seq, author): identity for author, identity, seq in lines}
    return {one.payload: (one.sender, at.get((one.seq, one.sender), b"")) for one in cut}


def _carry_over(work: Work, lobby: Lobby, common: int, came: set[str]) -> Lobby:
    """Whom our half removed is removed in the other too; whom it let in is asked in anew."""
    gone = lobby.healing.gone
    removes = {handle: why for handle, (seq, why) in gone.items() if seq > common}
    intents = lobby.intents
    for handle, why in removes.items():
        intents = intents.put_out(handle, why)
    due = work.now + 10.0 * work.chance()
    purge = {**lobby.watch.purge, **dict.fromkeys(removes, due)}
    if removes:
        work.wake(due)
    healing = replace(lobby.healing, anew=lobby.healing.anew | (came - {work.me}))
    return replace(lobby, intents=intents, watch=replace(lobby.watch, purge=purge), healing=healing)


def rejoin(work: Work, lobby: Lobby, common: int) -> None:
    """What the leader shows does not follow what we have: come in anew; not by mail, where nobody lets us in."""
    if work.envelope is not None:
        return
    healing = replace(lobby.healing, step=Step.UNWIND, common=common, forked=False)
    work.keep_lobby(replace(lobby, healing=healing), reworded=True)
    work.deed(Unwind(lobby.group, lobby.label, common))
