"""Who leads a lobby by now, by the mail that it leaves: an order that continues ours, in which it takes a term.

By a link a leader's Head is believed, and where nothing comes behind it others lead on. By mail nobody is asked, and
who believed a Head would be deaf to all that others leave. So entries alone are believed, and only all those of an
envelope that lead up to its sender's own term: who lies can take a term, as any member may, and no more. Left out:
taking the entries (``chat.lobbies.following``).
"""

from __future__ import annotations

from collections.abc import Sequence

from conclave.chat import groups
from conclave.chat.lobbies import changing, following, healing
from conclave.chat.lobby_state import Lobby, Step
from conclave.chat.work import Work
from conclave.errors import LocalError, RemoteError
from conclave.lobby import order as orders
from conclave.lobby.order import Order
from conclave.mls import group as mls
from conclave.mls.group import State
from conclave.wire.frames import Frame
from conclave.wire.order import EntryKind, Ordered


def opened(work: Work, handle: str, frames: Sequence[Frame]) -> None:
    """An envelope of ``handle`` is about to be taken: follow it from now on where it leads by what is in there."""
    left: dict[bytes, list[Ordered]] = {}
    for frame in frames:
        if isinstance(frame, Ordered):
            left.setdefault(frame.group, []).append(frame)
    for group, entries in left.items():
        lobby, state = work.lobby(group), work.session(group)
        if lobby is None or lobby.order is None or lobby.lead is None or state is None or not lobby.follows:
            continue
        if lobby.healing.step is not Step.SOUND or _beside(work, lobby):
            continue
        order = _led(work, lobby, lobby.order, state, handle, entries)
        if order is None or not orders.counts_before(order.run, lobby.lead):
            continue
        head = orders.head(order)
        if orders.parting(lobby.order, head) == lobby.order.seq:
            healing.adopt(work, lobby, handle, head)


def _beside(work: Work, lobby: Lobby) -> bool:
    """Whether we are linked to who leads us, or to somebody whom we lead.

    Two halves that reach each other by mail alone would else follow each other's leaders in turn, without end.
    """
    followers = lobby.watch.followers
    if followers is not None:
        return any(one.linked for one in followers.values())
    return work.peer(lobby.leader).linked


def _led(
    work: Work, lobby: Lobby, order: Order, state: State, handle: str, entries: Sequence[Ordered]
) -> Order | None:
    """The order where ``handle`` takes its latest term in ``entries``, all of which up to there hold; or None."""
    led: Order | None = None
    own = [at for at, one in enumerate(entries, 1) if one.kind is EntryKind.TERM and one.sender == handle]
    upto = entries[: own[-1]] if own else ()
    if handle not in groups.roster(state) and not any(one.kind is EntryKind.COMMIT for one in upto):
        return led  # nobody let it in
    for entry in upto:
        if entry.seq <= order.seq:
            continue
        try:
            order, _ = orders.take(order, entry)
            if entry.kind is EntryKind.COMMIT:
                state = _merged(work, lobby, state, entry)
            elif entry.kind is EntryKind.TERM:
                if not following.takes_term(work, lobby, state, entry):
                    break
                led = order if entry.sender == handle else led
        except (LocalError, RemoteError):
            break
    return led


def _merged(work: Work, lobby: Lobby, state: State, entry: Ordered) -> State:
    """The group behind a commit, as taking it makes it. Raises ``LocalError`` or ``RemoteError``."""
    ours = changing.under_way(work, lobby, entry)
    if ours is not None:
        return mls.merge(state, ours)
    staged = changing.examine(work, state, entry.sender, entry.number, entry.payload, work.judges.members)
    if staged.removes_us:
        raise LocalError("it puts us out")
    return mls.merge(staged.state or state, staged)
