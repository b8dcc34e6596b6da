"""Those who follow an order that we lead, and what they are told and given; and what any member gives another.

Left out: what is put in order (``chat.lobbies.ordering``).
"""

from __future__ import annotations

from collections.abc import Iterable

from conclave.chat import groups
from conclave.chat.deeds import Replay
from conclave.chat.links import send
from conclave.chat.lobby_state import Lobby, Stage, Step
from conclave.chat.work import Work
from conclave.lobby import followers as positions
from conclave.lobby import order as orders
from conclave.lobby.followers import Follower, Followers
from conclave.lobby.shelf import Shelf
from conclave.values import replace
from conclave.wire.limits import HASH_BYTES
from conclave.wire.order import EntryKind, Fetch, Have, Head, Ordered, Refusal, Refused, Run

TELL_SECONDS = 0.5
"""Within so long of telling how far we are, few words more are not told."""
UNTAKEN_SECONDS = 3600.0
"""What a follower fetched as mail, and could not take, is left anew after so long; doubled each time ..."""
UNTAKEN_MOST_SECONDS = 86_400.0
"""... up to so much, and until it has not said so for as long."""
RUMOUR_KEPT_SECONDS = 60.0
"""What a member says of who leads is believed, and looked into, for so long, unless it says so again."""


def leads(work: Work, lobby: Lobby) -> bool:
    """Whether we lead a lobby, here and now."""
    return (
        lobby.order is not None
        and lobby.leader == work.me
        and lobby.watch.followers is not None
        and lobby.healing.step is Step.SOUND
        and lobby.inside
    )


def followers(work: Work, lobby: Lobby) -> Followers:
    """Everybody who is in but us, nothing known of how far they are."""
    found: Followers = Shelf()
    state = work.session(lobby.group)
    for handle in groups.roster(state) if state is not None else ():
        if handle != work.me:
            since = lobby.healing.entered.get(handle, 0) + 1
            until = lobby.order.seq if lobby.stage is Stage.CLOSING and lobby.order is not None else 0
            found = found.put(
                handle, Follower(since, until, linked=follows(work, lobby.group, handle), moved=work.now)
            )
    for handle in lobby.healing.owed:
        if handle in lobby.healing.gone and handle not in found:
            until = lobby.healing.gone[handle][0]
            found = found.put(handle, Follower(1, until, linked=work.peer(handle).linked, moved=work.now))
    return found


def known(work: Work, lobby: Lobby, handle: str) -> bool:
    """Whether somebody is in, leads (in another half), or was put out and may not know it."""
    if lobby.watch.followers is not None and handle in lobby.watch.followers:
        return True  # they are the members, and who was put out and may not know it
    state = work.session(lobby.group)
    return (
        handle == lobby.leader
        or handle in lobby.healing.gone
        or (state is not None and handle in groups.roster(state))
    )


def better(work: Work, lobby: Lobby, rumour: tuple[Run, float]) -> bool:
    """Whether a member said a short while ago that it follows whom counts before our leader."""
    run, at = rumour
    recent = abs(work.now - at) < RUMOUR_KEPT_SECONDS
    return recent and lobby.lead is not None and orders.counts_before(run, lobby.lead)


def elsewhere(work: Work, lobby: Lobby, handle: str) -> bool:
    """Whether somebody follows an order that counts before ours: its places are not those of ours."""
    told = lobby.watch.rumours.get(handle)
    return told is not None and better(work, lobby, told)


def reachable(work: Work, lobby: Lobby) -> bool:
    """Whether what we say can be ordered now."""
    return leads(work, lobby) or (lobby.leader != work.me and work.peer(lobby.leader).linked)


def linked(work: Work, lobby: Lobby, handle: str, *, up: bool) -> None:
    """The link to somebody who follows us came or went."""
    people = lobby.watch.followers
    if people is not None and lobby.order is not None:
        up = up and follows(work, lobby.group, handle)
        people = positions.link(people, handle, lobby.order.seq, work.now, up=up)
        work.keep_lobby(replace(lobby, watch=replace(lobby.watch, followers=people)))


def follows(work: Work, group: bytes, handle: str) -> bool:
    """Whether somebody is linked, and not by a device in whose place a later one is in: what that has, this lacks."""
    peer, state = work.peer(handle), work.session(group)
    return peer.linked and (state is None or not groups.outlived(work, state, handle, peer.flight.device))


def _outlived(work: Work, people: Followers, handle: str) -> bool:
    """The same of a follower, as it was when its link came."""
    one = people.get(handle)
    return one is not None and not one.linked and work.peer(handle).linked


def show_head(work: Work, lobby: Lobby, handle: str) -> None:
    """Tell somebody where our order stands: who is out, up to its end; whom we never knew, nothing to build on."""
    if lobby.order is None:
        return
    one = lobby.watch.followers.get(handle) if lobby.watch.followers is not None else None
    until = one.until if one is not None else lobby.healing.gone.get(handle, (0, ""))[0]
    if work.session(lobby.group) is None and lobby.healing.step is not Step.ENTER:
        send(work, handle, orders.part(lobby.order, 0))  # from a backup: of what we had we have no entry
    elif until and until < lobby.order.seq:
        send(work, handle, orders.part(lobby.order, until))
    elif not known(work, lobby, handle):
        send(work, handle, replace(orders.head(lobby.order), hash=bytes(HASH_BYTES)))
    else:
        send(work, handle, orders.head(lobby.order))


def progressed(work: Work, lobby: Lobby, entry: Ordered) -> None:
    """We take an entry, and the leader is told at once, or with a later one: by its next head at the latest.

    Of many words one in a quarter of its window is told, or one in ``TELL_SECONDS``: telling it each time costs the
    leader more than saying them. Whatever changes the group or the leader is told, because that is waited for.
    """
    few = entry.seq - lobby.watch.told < work.settings.push_window // 4
    if entry.kind is not EntryKind.MESSAGE or not few or abs(work.now - lobby.watch.told_at) >= TELL_SECONDS:
        work.have(entry.group)


def has(lobby: Lobby, handle: str) -> int:
    """Up to which entry a follower has the order for certain, or its mailbox does."""
    one = lobby.watch.followers.get(handle) if lobby.watch.followers is not None else None
    if one is None or lobby.order is None:
        return 0
    mark, mailed = lobby.ears.marks.get(handle), lobby.mailed.get(handle)
    told = min(mark.has, lobby.order.seq) if mark is not None else 0
    return max(one.have, told, one.since - 1, lobby.order.base, mailed.upto if mailed is not None else 0)


def have_arrived(work: Work, handle: str, have: Have) -> None:
    """A follower tells how far it is."""
    haves_arrived(work, [(handle, have)])


def haves_arrived(work: Work, haves: Iterable[tuple[str, Have]]) -> None:
    """Followers tell how far they are: many at once, as they do where many are in."""
    told: dict[bytes, list[tuple[str, int]]] = {}
    for handle, have in haves:
        told.setdefault(have.group, []).append((handle, have.seq))
    for group, some in told.items():
        lobby = work.lobby(group)
        if lobby is not None:
            _heard(work, lobby, some)


def heard_from(work: Work, lobby: Lobby, handle: str, seq: int) -> None:
    """A follower has everything up to ``seq``."""
    _heard(work, lobby, [(handle, seq)])


def mail_untaken(work: Work, lobby: Lobby, handle: str, head: Head) -> None:
    """A follower's mail tells how far it got by mail: what was mailed behind that goes again, ever more seldom."""
    if lobby.order is None or lobby.watch.followers is None or orders.parting(lobby.order, head) != head.seq:
        return
    one = lobby.mailed.get(handle)
    if one is None or not one.first or head.seq >= one.upto or 0 < one.until <= work.now:
        return  # in the last case it is about to be left anew
    due, wait = lobby.watch.untaken.get(handle, (0, 0.0))
    if not 0 < due - work.now <= wait:  # it was left anew since, or the clock was set back
        quiet = not wait or abs(work.now - due) >= UNTAKEN_MOST_SECONDS
        wait = UNTAKEN_SECONDS if quiet else min(2 * wait, UNTAKEN_MOST_SECONDS)
        due = int(work.now + wait)
    at = min(one.until, due) if one.until else due
    watch = replace(lobby.watch, untaken={**lobby.watch.untaken, handle: (due, wait)})
    mailed = {**lobby.mailed, handle: one._replace(first=head.seq + 1, until=at)}
    work.keep_lobby(replace(lobby, mailed=mailed, watch=watch))


def _heard(work: Work, lobby: Lobby, haves: list[tuple[str, int]]) -> None:
    people = lobby.watch.followers
    if people is None or lobby.order is None:
        return
    haves = [(handle, seq) for handle, seq in haves if not _outlived(work, people, handle)]
    people, tell, gone = positions.heard(people, haves, lobby.order.seq, work.now)
    if people is not lobby.watch.followers:
        mailing = lobby.watch.mailing
        if gone:
            mailing = {handle: upto for handle, upto in mailing.items() if handle not in gone}
        lobby = replace(lobby, watch=replace(lobby.watch, followers=people, mailing=mailing))
        work.keep_lobby(lobby)
    if lobby.mailed:
        lobby = _unmailed(work, lobby, haves)
    if lobby.healing.owed.intersection(gone):
        healing = replace(lobby.healing, owed=lobby.healing.owed.difference(gone))
        work.keep_lobby(replace(lobby, healing=healing), reworded=True)
    if gone:
        work.stir(lobby.group)
    for handle in tell:
        show_head(work, lobby, handle)


def _unmailed(work: Work, lobby: Lobby, haves: list[tuple[str, int]]) -> Lobby:
    """Who told that it has what its mailbox has is not waited for any more."""
    done = {handle for handle, seq in haves if handle in lobby.mailed and lobby.mailed[handle].upto <= seq}
    if done:
        lobby = replace(lobby, mailed={handle: one for handle, one in lobby.mailed.items() if handle not in done})
        work.keep_lobby(lobby)
    return lobby


def fetch_arrived(work: Work, handle: str, fetch: Fetch) -> None:
    """Somebody lacks entries: whoever has them gives them, to members only."""
    lobby = work.lobby(fetch.group)
    if lobby is None or lobby.order is None or work.session(fetch.group) is None:
        return  # from a backup we have nothing, and do not know who is in
    people = lobby.watch.followers
    one = people.get(handle) if people is not None else None
    since = one.since if one is not None else lobby.healing.entered.get(handle, 0) + 1
    # Who asks for what was before it entered has keys of a time before: with those it goes on no more.
    if fetch.first < max(since, lobby.order.base + 1) and known(work, lobby, handle):
        send(work, handle, Refused(fetch.group, 0, lobby.order.epoch, Refusal.GONE))
        return
    if people is not None and one is not None and not _outlived(work, people, handle):
        people, first, count = positions.fetched(people, handle, fetch.first, fetch.count, lobby.order.seq, work.now)
        work.keep_lobby(replace(lobby, watch=replace(lobby.watch, followers=people)))
    else:
        if not known(work, lobby, handle):
            send(work, handle, Refused(fetch.group, 0, lobby.order.epoch, Refusal.OUTSIDER))
            return
        last = lobby.healing.gone[handle][0] if handle in lobby.healing.gone else lobby.order.seq
        first = max(fetch.first, since)
        count = min(fetch.count, positions.FETCH_ENTRIES, last - first + 1)
    if count > 0:
        work.deed(Replay(handle, fetch.group, first, count))
        work.pending = True


def passed(work: Work, group: bytes) -> None:
    """Time passed: be heard, and ask those who are linked but do not move."""
    lobby = work.lobby(group)
    if lobby is None or not leads(work, lobby) or lobby.order is None or lobby.watch.followers is None:
        return
    people, silent, behind = positions.unmoved(
        lobby.watch.followers, lobby.order.seq, work.now, work.settings.resend_after
    )
    watch = replace(lobby.watch, followers=people)
    every = work.settings.patience.beat
    if abs(work.now - watch.beat) >= every:
        watch, rarely = replace(watch, beat=work.now), watch.estranged.difference(silent)
        silent = [handle for handle, one in people.items() if one.linked and not (one.until and handle in rarely)]
    work.keep_lobby(replace(lobby, watch=watch))
    for handle in silent:
        show_head(work, lobby, handle)
    if any(one.linked for one in people.values()):
        work.wake(watch.beat + every)
    if behind:
        work.pending = True
