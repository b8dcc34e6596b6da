"""A home that came from a backup is taken up again: the same people, blocks and lobbies, with keys that are new.

Its old keys are gone on purpose. In each lobby its old leaf still stands, so it comes in again by an external commit,
as a member of a half that lost does; others are told of the new certificate by that commit. Where it led, it asks
those who were in to let another lead; where nobody else was, or it was leaving, it is out. Who did not hear that it
closed a lobby is told, and no more. With people it speaks in new groups. Left out: what a backup keeps
(``chat.restoring``).
"""

from __future__ import annotations

from conclave.chat.effects import DropState
from conclave.chat.hearing import own_notice
from conclave.chat.lobbies.ending import end
from conclave.chat.lobby_state import Healing, Lobby, Stage, Step
from conclave.chat.pair import Pair
from conclave.chat.restoring import RESTORED_KEY
from conclave.chat.words.content import FOR_GOOD, Timer
from conclave.chat.words.line import Status
from conclave.chat.work import Work
from conclave.lobby.order import Order
from conclave.values import replace
from conclave.wire.limits import HASH_BYTES
from conclave.wire.order import Run


def revive(work: Work) -> None:
    """Take up what remained, once, as soon as there is a certificate to do it with."""
    remains = work.remains
    if remains is None or work.own is None:
        return
    for handle, ours in remains.peers:
        peer = work.peer(handle)
        if peer.pair == Pair():
            work.keep(replace(peer, pair=Pair(ours)))
    for handle, seconds in remains.timers:
        peer = work.peer(handle)
        if peer.timer == FOR_GOOD:  # any that the other says counts before it
            work.keep(replace(peer, timer=Timer(seconds)))
    for one in remains.lobbies:
        if work.lobby(one.group) is None and one.stage is not Stage.MEMBER:
            if one.stage is Stage.LEAVING:  # those who did not hear so are told when they show their order
                own_notice(work, one.label, f"{work.me} left")
            closed = Run(0, 0, one.leader, 0, one.closed) if one.closed else None
            ended = Lobby(one.group, one.name, one.label, Stage.ENDED, one.leader, ended=work.now, lead=closed)
            work.keep_lobby(ended, reworded=True)
        elif work.lobby(one.group) is None:
            lobby = Lobby(
                one.group,
                one.name,
                one.label,
                Stage.MEMBER,
                inviter=one.leader,
                asked=one.people,
                # Where it stood when the backup was made: by it is seen where others' parted from it.
                order=Order(one.group, one.runs[0].last, bytes(HASH_BYTES), one.runs),
                lead=Run(0, 0, one.leader, 0, 0),
                healing=Healing(
                    step=Step.REJOIN,
                    common=one.common,
                    pull=one.lost,
                    orphans=one.orphans,
                    entered=dict(one.entered),
                    met=dict(one.met),
                    places=dict(one.places),
                    unseen=dict(one.unseen),
                    apart=dict(one.apart),
                    untold=dict(one.untold),
                ),
            )
            work.keep_lobby(lobby, reworded=True)
            for author, identity in one.orphans:
                if author == work.me:
                    work.mark_line(one.label, identity, Status.WAITING)
            if one.people == (work.me,):
                own_notice(work, one.label, "nobody was in with you: whoever came since the backup can ask you in")
                end(work, lobby)
            work.stir(one.group)
    work.record(DropState(RESTORED_KEY))
    work.remains = None
