"""Groups of a pair in which nothing is said any more: the peer has lost them, or a certificate in them is revoked.

Left out: how another one is begun (``chat.pairs.duet``).
"""

from __future__ import annotations

from collections.abc import Collection

from conclave.chat import delivery
from conclave.chat.pair import Ours, Theirs
from conclave.chat.pairs import certificates, safety
from conclave.chat.state import PairGroup
from conclave.chat.work import Work
from conclave.errors import VerificationError
from conclave.values import replace
from conclave.wire.delivery import Ack


def in_order(work: Work, handle: str, every: tuple[PairGroup, ...]) -> tuple[PairGroup, ...]:
    """The newest first, but the one that both choose before all."""
    ours_first = work.me < handle
    chosen = min(every, key=lambda one: (one.dead, one.ours is not ours_first, every.index(one)))
    return (chosen, *(one for one in every if one is not chosen))


def declined(work: Work, handle: str, ack: Ack) -> None:
    """Groups that the peer could not enter, has lost, or in which it could not take our fresh keys, are dead.

    Who declines words, and not because it rejects us, holds no group that was there when they were said.
    """
    peer = work.peer(handle)
    if ack.stream != peer.out.stream or not ack.declined:
        return
    refused = {number for number in delivery.unread(ack) if peer.out.base <= number <= ack.number}
    said = max((one.number for one in peer.out.lines if one.number in refused), default=-1)
    if peer.pair.theirs is Theirs.REJECTED:
        said = -1
    ended = {
        one.id
        for one in peer.groups
        if one.begun <= said or one.renewed in refused or (one.ours and one.begun in refused)
    }
    if any(one.id in ended and not one.dead for one in peer.groups):
        again = any(one.dead for one in peer.groups)  # it may go on like this: no faster than so
        end(work, handle, ended)
        work.keep(replace(work.peer(handle), sought=work.now if again else 0.0))


def end(work: Work, handle: str, ended: Collection[bytes]) -> None:
    """Nothing more is said in these groups: what is said next begins another one."""
    peer = work.peer(handle)
    groups = tuple(replace(one, dead=one.dead or one.id in ended) for one in peer.groups)
    groups = in_order(work, handle, groups)
    safety.moved(work, peer, groups[0])
    work.keep(replace(work.peer(handle), groups=groups))


def demand_way(work: Work, handle: str, group: bytes) -> None:
    """A lobby into which ``handle`` asks us may have this id. Raises ``VerificationError`` where a pair keeps it.

    No lobby has that of a group that we made; and the id of any stands in records, so that strangers know it.
    """
    for peer in work.peers():
        kept = next((one for one in peer.groups if one.id == group), None)
        if kept is not None and (kept.ours or work.peer(handle).pair.ours is not Ours.ACCEPTED):
            raise VerificationError(f"its id is that of what you and {peer.handle} say to each other")


def give_way(work: Work, group: bytes) -> None:
    """A lobby has this id: a peer that knew it began a pair by it, so that we would not get into the lobby."""
    for peer in work.peers():
        if any(one.id == group for one in peer.groups):
            end(work, peer.handle, {group})
            ended = work.peer(peer.handle)
            work.keep(replace(ended, groups=tuple(one for one in ended.groups if one.id != group)))
            work.drop_session(group)


def judged(work: Work) -> None:
    """Who is believed changed: a group in which either shows a revoked certificate is dead."""
    for peer in work.peers():
        ended = {
            one.id for one in peer.groups if not one.dead and certificates.revoked_in(work, work.session(one.id))
        }
        if ended:
            end(work, peer.handle, ended)
