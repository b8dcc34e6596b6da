"""Coming into another order than ours: what we have keeps its place or not, and what we say of that order.

Whoever lets us in names a place and the terms before it, and may lie about both: to be given what was said before it
came in itself. Left out: how we come in (``chat.lobbies.rejoining``, ``chat.lobbies.membership``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from conclave.chat.effects import UnplaceLines
from conclave.chat.lobbies import lacks, receipts
from conclave.chat.lobby_state import Healing, Lobby
from conclave.chat.words.line import Status
from conclave.chat.work import Work
from conclave.lobby import order as orders
from conclave.values import replace
from conclave.wire.order import Head, Run


def lacking(
    me: str, lobby: Lobby, people: Collection[str], lines: Sequence[tuple[str, bytes, int]]
) -> dict[tuple[str, bytes], tuple[str, ...]]:
    """Who of these ``people`` was in for certain when which line was said, and does not tell to have it."""
    healing, marks = lobby.healing, lobby.ears.marks

    def lacks_it(one: str, seq: int) -> bool:
        mark, unseen = marks.get(one), healing.unseen.get(one, ())
        return healing.since(one) < seq and not lacks.within(unseen, seq) and not (mark and mark.covers(seq))

    return {
        (author, identity): tuple(one for one in people if one not in (me, author) and lacks_it(one, seq))
        for author, identity, seq in lines
    }


def owed(healing: Healing, lacking: Mapping[tuple[str, bytes], tuple[str, ...]]) -> Healing:
    """The same where who lacks which line is to be given it, once it is kept back: ours to give, not handed on."""
    apart = dict(healing.apart)
    for line, to in lacking.items():
        if to or line in apart:
            apart[line] = tuple(dict.fromkeys((*apart.get(line, ()), *to)))
    return replace(healing, apart=apart, handed=healing.handed - lacking.keys())


def kept_back(work: Work, lobby: Lobby, was: Collection[str], people: Collection[str], place: int) -> Lobby:
    """The same where we are in with ``people``, behind entry ``place``: what we have has no place behind that one.

    Else whoever names one of long ago makes of what was before it what was said since. Nothing is said again where
    somebody is in who came in behind it, or of whom we did not see whether it was in then: by a lie about another
    half, or where it parted, it would hear it. Who ``was`` in with us when it was said, and may lack it, is given it
    alone.
    """
    if place < lobby.healing.common:
        work.record(UnplaceLines(lobby.label, place))
        pull, untold = lacks.until(lobby.healing.pull, place), lacks.of_each_until(lobby.healing.untold, place)
        healing = replace(lobby.healing, common=place, pull=pull, untold=untold)
        lobby = replace(lobby, healing=healing, ears=receipts.cut(lobby.ears, place))
    healing = lobby.healing
    others = [one for one in people if one != work.me]
    floor = max(map(healing.since, others), default=0)
    hidden = [ends for one in others for ends in healing.unseen.get(one, ())]
    back = {one for one, seq in healing.places.items() if seq <= floor or lacks.within(hidden, seq)}
    for author, identity in back:
        if author == work.me:
            work.mark_line(lobby.label, identity, Status.SENT)
    there = {*was} & {*people}
    due = {line: handles for line, handles in healing.apart.items() if line in back or line not in healing.places}
    apart = {line: here for line, handles in due.items() if (here := tuple(one for one in handles if one in there))}
    work.pending |= len(apart) > 0
    orphans = tuple(one for one in healing.orphans if one not in back)
    unseen = {one: lacks.until(ranges, healing.common) for one, ranges in healing.unseen.items() if one in people}
    return replace(lobby, healing=replace(healing, orphans=orphans, places={}, unseen=unseen, apart=apart))


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
