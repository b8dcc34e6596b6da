"""Being in a lobby: taking entries of its order, one after the other, whoever leads.

An entry is taken only where it follows what we have. Left out: what it says, words (``chat.lobbies.opening``) or a
commit (``chat.lobbies.changing``); what to do when two orders meet (``chat.lobbies.healing``) or the leader is gone
(``chat.lobbies.leadership``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.effects import PutEntry
from conclave.chat.lobbies import (
    audience,
    changing,
    healing,
    opening,
    rejoining,
    terms,
    unwinding,
)
from conclave.chat.lobbies.catching_up import DEAF, catch_up, leader_heard, noticed, withheld
from conclave.chat.lobbies.voice import landed, sealed_as
from conclave.chat.lobby_state import Lobby, Step
from conclave.chat.words.content import Term
from conclave.chat.work import Work
from conclave.errors import LocalError, RemoteError, VerificationError
from conclave.lobby import order as orders
from conclave.lobby.order import Order
from conclave.mls import group as mls
from conclave.mls.group import Staged, State
from conclave.values import replace
from conclave.wire.order import EntryKind, Ordered


def entry_arrived(work: Work, handle: str, entry: Ordered) -> None:
    """An entry of the order: pushed by the leader, or fetched of somebody who has it."""
    lobby = work.lobby(entry.group)
    if lobby is None or lobby.order is None or not lobby.follows or lobby.healing.step in DEAF:
        return
    watch = lobby.watch
    if handle != lobby.leader and not (handle == watch.source and watch.fetching >= entry.seq):
        return
    if entry.seq <= lobby.order.seq:
        work.have(entry.group)
        return
    if entry.seq > lobby.order.seq + 1:
        noticed(work, lobby, handle, entry.seq)
        return
    try:
        order, encoded = orders.take(lobby.order, entry)
    except VerificationError as error:
        _does_not_fit(work, lobby, handle, error)
        return
    if not _proven(work, lobby, handle, entry):
        if lobby.healing.step is Step.ENTER and handle == lobby.leader:
            rejoining.ask_again(work, entry.group)  # another leads by now, maybe: it says whom it follows
            return
        text = f"{lobby.label}: {handle} shows an entry that {entry.sender[:80]} did not make"
        work.trouble(handle, text, "entry")
        healing.too_late(work, lobby, handle)
        return
    try:
        staged = changing.taken(work, lobby, entry)
    except (LocalError, RemoteError) as error:
        if entry.sender != work.me:
            text = f"{lobby.label}: a change by {entry.sender[:80]} could not be taken: {error}"
            work.trouble(handle, text, "entry")
        healing.too_late(work, lobby, handle)
        return
    if handle == lobby.leader:
        lobby = leader_heard(work, lobby)  # not before: one that forgot its term may lead on in an older one
        if lobby.healing.unknown:  # who is out for it gets none
            lobby = replace(lobby, healing=replace(lobby.healing, unknown=0.0))
        if lobby.watch.vain[1]:
            lobby = replace(lobby, watch=replace(lobby.watch, vain=("", 0)))
    elif withheld(work, lobby):
        text = f"{lobby.label}: {lobby.leader} keeps from you what {handle} has of the lobby"
        work.trouble(lobby.leader, text, "kept")
    audience.progressed(work, lobby, entry)
    took(work, lobby, order, entry, encoded, staged)
    after = work.lobby(entry.group)
    if after is not None and after.watch.fetching:
        ahead = after.watch.ahead
        last = min(after.watch.fetching, ahead.get(after.watch.source) or max(ahead.values(), default=0))
        if entry.seq >= last:
            work.keep_lobby(replace(after, watch=replace(after.watch, fetching=0)))
    catch_up(work, entry.group)


def _proven(work: Work, lobby: Lobby, handle: str, entry: Ordered) -> bool:
    """Whether an entry is its sender's, where it matters before it is read.

    A term makes its sender the leader; and who does not lead may give what nobody ordered: of it we take no more than
    what its sender said. Where its keys are not ours, or are older ones of ours, we have to come in anew.
    """
    state = work.session(entry.group)
    if state is None or lobby.healing.step is Step.ENTER:
        leads_on = entry.sender == handle and terms.credible(work, lobby, entry.term)  # as by its Head
        return handle == lobby.leader and (entry.kind is not EntryKind.TERM or leads_on)
    people = groups.roster(state)
    if entry.kind is EntryKind.TERM:
        return takes_term(work, lobby, state, entry)
    if handle == lobby.leader:
        return True
    if entry.sender == work.me:
        _, ours = landed(lobby, entry.number, work.now)
        return ours is not None and ours.kind is entry.kind and sealed_as(ours, entry.payload)
    if entry.sender not in people:
        return False
    try:
        if entry.kind is EntryKind.COMMIT:
            changing.examine(work, state, entry.sender, entry.number, entry.payload, work.judges.members)
            return True
        author, _ = groups.look_into(work, state, entry.payload)
    except (RemoteError, LocalError):
        return False
    return author == entry.sender


def takes_term(work: Work, lobby: Lobby, state: State, entry: Ordered) -> bool:
    """Whether by this entry a member takes a term, in the present epoch of ``state``, that it is believed.

    Ours nobody can open. Of it comes back what we ourselves wrote, where it was cut, and another counts by now.
    """
    if entry.sender == work.me:
        later = lobby.lead is not None and entry.term < lobby.lead.term
        return later and unwinding.entry_name(entry) in lobby.healing.known
    if entry.sender not in groups.roster(state) or not terms.credible(work, lobby, entry.term):
        return False
    try:
        author, body = groups.look_into(work, state, entry.payload)
        epoch = mls.read_envelope(entry.payload).epoch
    except (RemoteError, LocalError):
        return False
    return author == entry.sender and epoch == state.number and isinstance(body, Term) and body.term == entry.term


def _does_not_fit(work: Work, lobby: Lobby, handle: str, error: VerificationError) -> None:
    """The leader, or whom we asked, shows what does not follow what we have."""
    work.trouble(handle, f"{lobby.label}: {error}", "order" if error.reason == "forked" else "")
    if handle != lobby.leader or error.reason not in ("forked", "wrong-term", "too-large"):
        return
    if lobby.healing.step is Step.ENTER:
        rejoining.ask_again(work, lobby.group)  # it showed something else where our commit stands, maybe
    elif error.reason != "forked":
        healing.too_late(work, lobby, handle)  # it follows what we have, by what we never take
    elif lobby.healing.step is Step.SOUND:
        unwinding.rejoin(work, lobby, max(0, lobby.order.run.first - 1) if lobby.order is not None else 0)


def took(
    work: Work, lobby: Lobby, order: Order, entry: Ordered, encoded: bytes, staged: Staged | None = None
) -> None:
    """The next entry is in: do what it says. ``staged`` is its commit where it was examined already."""
    if lobby.lead is None or orders.counts_before(order.run, lobby.lead):
        lobby = terms.spent(work, lobby, order.run.term)
        lobby = replace(lobby, order=order, lead=replace(order.run, first=0, last=0))
        work.keep_lobby(lobby, reworded=True)
    else:
        lobby = replace(lobby, order=order)
        work.keep_lobby(lobby)
    work.record(PutEntry(entry.group, entry.seq, encoded))
    if entry.kind is EntryKind.COMMIT:
        changing.committed(work, lobby, entry, staged)
    else:
        opening.words(work, lobby, entry)
    work.stir(entry.group)
