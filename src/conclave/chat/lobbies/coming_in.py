"""Coming into another order than ours: what we have keeps its place or not, and what we say of that order.

Whoever lets us in names a place and the terms before it, and may lie about both: to be given what was said before it
came in itself. Left out: how we come in (``chat.lobbies.rejoining``, ``chat.lobbies.membership``).
"""

from __future__ import annotations

from collections.abc import Iterable

from conclave.chat.effects import UnplaceLines
from conclave.chat.lobbies import lacks, receipts
from conclave.chat.lobby_state import Lobby
from conclave.chat.words.line import Status
from conclave.chat.work import Work
from conclave.lobby import order as orders
from conclave.values import replace
from conclave.wire.order import Head, Run


def kept_back(work: Work, lobby: Lobby, people: Iterable[str], place: int) -> Lobby:
    """The same where we are in with ``people``, behind entry ``place``: what we have has no place behind that one.

    Else whoever names one of long ago makes of what was before it what was said since. Of our half nothing is said
    again from before one of them came in, nor from when we did not see whether it was in.

    Who came in there, and is in here already, was asked in by somebody who had said it all again, or made the half
    up: then the others have what is from before it.
    """
    if place < lobby.healing.common:
        work.record(UnplaceLines(lobby.label, place))
        healing = replace(lobby.healing, common=place, pull=lacks.until(lobby.healing.pull, place))
        lobby = replace(lobby, healing=healing, ears=receipts.cut(lobby.ears, place))
    places = lobby.healing.places
    floor = max((lobby.healing.since(one) for one in people if one != work.me), default=0)
    unseen = lobby.healing.unseen
    hidden = [ends for one in people for ends in unseen.get(one, ())]
    back = {one for one, seq in places.items() if seq <= floor or any(first <= seq <= last for first, last in hidden)}
    for author, identity in back:
        if author == work.me:
            work.mark_line(lobby.label, identity, Status.SENT)
    orphans = tuple(one for one in lobby.healing.orphans if one not in back)
    unseen = {one: lacks.until(ranges, lobby.healing.common) for one, ranges in unseen.items()}
    return replace(lobby, healing=replace(lobby.healing, orphans=orphans, places={}, unseen=unseen))


def taken_over(work: Work, lobby: Lobby, head: Head) -> tuple[Run, ...]:
    """The terms of an order that we come into, as we show them from now on: others believe of us where it parted.

    Who leads may have come in behind the place where it says that ours did: by a lie of that those who were away then
    would say again to it what was before it.
    """
    if lobby.order is None:
        return head.runs
    common, healing = orders.parting(lobby.order, head), lobby.healing
    since = healing.since(head.runs[0].leader) if common >= healing.since(work.me) else 0
    if 0 <= common < max(since, healing.common):
        return head.runs[:1]
    return orders.continued(lobby.order, head)
