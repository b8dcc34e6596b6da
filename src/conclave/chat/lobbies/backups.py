"""Coming back from a backup, without keys: whom we believe of who leads by now, and when nobody is left to let us in.

Left out: the commit that lets us in (``chat.lobbies.rejoining``), and what a backup keeps (``chat.restoring``).
"""

from __future__ import annotations

from conclave.chat.hearing import own_notice
from conclave.chat.lobbies import ending
from conclave.chat.lobby_state import Lobby, Step, Waited
from conclave.chat.work import Work
from conclave.lobby import order as orders
from conclave.values import replace
from conclave.wire.order import Run

KEYLESS_AGAIN = 20.0
"""Who comes from a backup asks for keys again after so long where nobody is there but those who ask for the same."""
VOUCHING_SECONDS = 300.0
"""Who comes from a backup waits so long for two who follow the same leader."""
KEYLESS_SECONDS = 300.0
"""Who asks us, who come from a backup, for so long has none."""


def leaderless(work: Work, lobby: Lobby) -> bool:
    """Whether we came from a backup, and the leader that it names is gone, or out, or ourselves."""
    if work.session(lobby.group) is not None:
        return False
    lost = work.now - lobby.watch.heard >= work.settings.patience.silence and not work.peer(lobby.leader).linked
    return lobby.leader == work.me or lost or lobby.watch.handed == lobby.lead


def keyless(work: Work, lobby: Lobby) -> frozenset[str]:
    """Who went on to ask us, who come from a backup, for keys, and asked just now: who asks no more may have some."""
    asking = lobby.watch.keyless.items()
    return frozenset(
        one for one, (waited, last) in asking
        if waited > KEYLESS_SECONDS and abs(work.now - last) <= 3 * KEYLESS_AGAIN
    )  # fmt: skip


def vouched(work: Work, lobby: Lobby, handle: str, run: Run) -> bool:
    """Whether we, who came from a backup, believe that ``run`` counts: its leader says so whom we followed.

    Where there is no such leader, two of those who were in have to say so, if there are two who do not say that they
    are out, or have no keys, and are not out by the authority: one may have been put out since. Where all have said
    something else for a while, as two do who put each other out, that one of the leaders is believed which counts
    first. Who follows ourselves is asked to lead, whoever it is: it may have come in since.
    """
    if handle == lobby.leader:
        return True
    if not leaderless(work, lobby) or (handle not in lobby.asked and run.leader != work.me):
        return False
    since = lobby.watch.vouching if lobby.watch.vouched else work.now
    known = {**lobby.watch.vouched, handle: replace(run, first=0, last=0)}
    watch = replace(lobby.watch, vouched=known, vouching=since, absent=lobby.watch.absent - {handle})
    work.keep_lobby(replace(lobby, watch=watch))
    others = set(lobby.asked) - {work.me, lobby.leader, *work.expelled} - watch.absent - keyless(work, lobby)
    if not work.peer(lobby.inviter).linked:
        others.discard(lobby.inviter)  # who led when the backup was made is gone, though we heard of another since
    if run.leader == work.me:
        return False
    if sum(orders.same(one, run) for one in known.values()) >= min(2, len(others)):
        return True
    if handle != run.leader or not others <= known.keys() or work.now - since <= VOUCHING_SECONDS:
        return False
    told = (known[one] for one in others)
    return not any(orders.counts_before(one, run) for one in told if one.leader not in (work.me, lobby.leader))


def keyless_too(work: Work, lobby: Lobby, handle: str) -> None:
    """We come from a backup, and so may who asks us: one that has keys, and took us for its leader, leads soon."""
    waited = lobby.watch.keyless.get(handle, Waited()).seen(work.now, 2 * KEYLESS_AGAIN)
    watch = replace(lobby.watch, keyless={**lobby.watch.keyless, handle: waited})
    if handle == lobby.leader:
        watch = replace(watch, handed=lobby.lead)
    lobby = replace(lobby, watch=watch)
    work.keep_lobby(lobby)
    forlorn(work, lobby)


def absent(work: Work, handle: str, group: bytes) -> None:
    """Somebody is out, or says that we are, who come from a backup."""
    lobby = work.lobby(group)
    if lobby is None or lobby.healing.step is not Step.REJOIN or work.session(group) is not None:
        return
    vouched = {one: run for one, run in lobby.watch.vouched.items() if one != handle}
    watch = replace(lobby.watch, absent=lobby.watch.absent | {handle}, vouched=vouched)
    lobby = replace(lobby, watch=watch)
    work.keep_lobby(lobby)
    forlorn(work, lobby)


def forlorn(work: Work, lobby: Lobby) -> None:
    """Where all who were in when our backup was made say that they or we are out, or have no keys, we are out.

    So we are where the authority put them out for good; who is suspended may be back.
    """
    if lobby.healing.step is not Step.REJOIN:
        return
    gone = {one for one, word in work.expelled.items() if not word.suspended}
    if {lobby.leader, *lobby.asked} - {work.me} <= lobby.watch.absent | keyless(work, lobby) | gone:
        own_notice(work, lobby.label, "nobody who was in with you lets you in: whoever is in can ask you in")
        ending.end(work, lobby)
