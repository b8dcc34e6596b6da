"""Coming into another order than ours: what we have keeps its place or not, and what we say of that order.

Whoever lets us in names a place and the terms before it, and may lie about both: to be given what was said before it
came in itself. Left out: how we come in (``chat.lobbies.rejoining``, ``chat.lobbies.membership``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from conclave.chat import groups
from conclave.chat.effects import UnplaceLines
from conclave.chat.lobbies import lacks, receipts
from conclave.chat.lobby_state import Lobby
from conclave.chat.words.line import Status
from conclave.chat.work import Work
from conclave.lobby import order as orders
from conclave.values import replace
from conclave.wire.order import Head, Run


def had_by_all(
    work: Work, lobby: Lobby, lines: Sequence[tuple[str, bytes, int]], floor: int
) -> dict[tuple[str, bytes], int]:
    """Lines, with their places, that all members of then have by their receipts, and behind which somebody came in.

    They are not to be said again, for the newcomer would hear them: members who are in another half by now took them
    there. Of the time when we were in another half ourselves we do not know who was in; those who were there have it.
    """
    state = work.session(lobby.group)
    since = {one: lobby.healing.since(one) for one in groups.roster(state) if one != work.me} if state else {}
    unseen = {one: ranges for one, ranges in lobby.healing.unseen.items() if one in since and ranges}
    latest = max((*since.values(), *(ranges[-1][1] for ranges in unseen.values())), default=0)

    def has(one: str, seq: int) -> bool:
        mark = lobby.ears.marks.get(one)
        return since[one] >= seq or (mark is not None and mark.covers(seq))

    def known(author: str, seq: int) -> bool:
        others = (one for one in since if one != author)
        return any(lacks.within(ranges, seq) for ranges in unseen.values()) or all(has(one, seq) for one in others)

    return {
        (author, identity): seq for author, identity, seq in lines if floor < seq <= latest and known(author, seq)
    }  # fmt: skip


def kept_back(work: Work, lobby: Lobby, people: Iterable[str], place: int) -> Lobby:
    """The same where we are in with ``people``, behind entry ``place``: what we have has no place behind that one.

    Else whoever names one of long ago makes of what was before it what was said since. Nothing is said again that all
    have who were in, where somebody is in who came in behind it, or of whom we did not see whether it was in then: by
    a lie about another half, or where it parted, it would hear it. What one of them may lack is said again.
    """
    if place < lobby.healing.common:
        work.record(UnplaceLines(lobby.label, place))
        healing = replace(lobby.healing, common=place, pull=lacks.until(lobby.healing.pull, place))
        lobby = replace(lobby, healing=healing, ears=receipts.cut(lobby.ears, place))
    places = lobby.healing.places
    floor = max((lobby.healing.since(one) for one in people if one != work.me), default=0)
    unseen = lobby.healing.unseen
    hidden = [ends for one in people for ends in unseen.get(one, ())]
    back = {one for one, seq in places.items() if seq <= floor or lacks.within(hidden, seq)}
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
