"""Fresh keys for a group of two, in turns.

The posts of a pair arrive once and in order, so nobody has to order its commits: the two commit in turns, the maker
first, and a commit takes the turn to the other. One that is declined ends the group for both: its author is in an
epoch that the other is not, and another group has fresh keys. Left out: which group is spoken in (``duet``).
"""

from __future__ import annotations

from conclave.chat import allowed
from conclave.chat.delivery import Fate
from conclave.chat.pairs import certificates, duet, lost, safety
from conclave.chat.state import PairGroup, Peer
from conclave.chat.work import Work
from conclave.errors import DecodeError, LocalError, RemoteError, VerificationError
from conclave.mls import group as mls
from conclave.mls.group import Staged
from conclave.values import replace
from conclave.wire.posts import Handshake


def handshake(work: Work, handle: str, shake: Handshake) -> Fate:
    """The peer's commit: fresh keys of its own, and nothing else."""
    found = duet.group_of(work, handle, shake.group)
    if found is None:
        return Fate.DECLINED
    known, state = found
    try:
        staged = mls.process(state, shake.message, verify=work.judges.members, now=work.now)
        if not isinstance(staged, Staged) or staged.state is None:
            raise DecodeError("it is no commit")
        if known.turn:
            raise VerificationError("it is not the turn of its author")
        allowed.demand_in_pair(staged)
    except RemoteError as error:
        work.trouble(handle, f"{handle} could not renew its keys: {error}")
        if not known.turn:  # its author has gone on to where we cannot follow
            lost.end(work, handle, {known.id})
        return Fate.DECLINED
    before, state = state, mls.merge(staged.state, staged)
    certificates.met(work, handle, state, vouched=True)
    safety.renewed(work, handle, before, state)
    work.keep_session(state)
    _keep(work, handle, replace(known, turn=True, answered=known.answered or known.ours))
    peer = work.peer(handle)
    latest = work.now + work.settings.update_every
    duet.due(work, peer, min(peer.updated or latest, latest))
    return Fate.TAKEN


def _keep(work: Work, handle: str, group: PairGroup) -> None:
    peer = work.peer(handle)
    work.keep(replace(peer, groups=tuple(group if one.id == group.id else one for one in peer.groups)))


def came_back(work: Work, handle: str) -> None:
    """A link opened: keys are renewed soon."""
    peer = work.peer(handle)
    if peer.groups:
        at = work.now + work.settings.update_spread * work.chance()
        duet.due(work, peer, min(peer.updated or at, at))


def renewed(work: Work) -> None:
    """Our certificate is another: every leaf of ours is to show it, where it is our turn at once."""
    for peer in work.peers():
        if peer.groups:
            duet.due(work, peer, work.now)


def passed(work: Work, peer: Peer) -> None:
    """Time passed: renew keys that are due: they stay so until it is our turn."""
    group = duet.spoken(peer)
    if group is None or not peer.updated:
        return
    if work.now < peer.updated:
        work.wake(peer.updated)
        return
    if not peer.linked:
        work.keep(replace(peer, updated=0.0))  # the next link asks for it again
        return
    if group.turn:
        duet.due(work, peer, work.now + work.settings.update_every)
        _renew(work, peer.handle, group)


def _renew(work: Work, handle: str, group: PairGroup) -> None:
    state = work.session(group.id)
    if state is None or work.own is None:
        return
    own = work.own
    try:
        staged = mls.commit(
            state,
            verify=work.judges.members,
            now=work.now,
            random=work.random,
            credential=own.credential,
            signature_key=own.signature_key,
        )
    except LocalError as error:
        work.trouble(handle, f"keys were not renewed: {error}")
        return
    assert staged.state is not None
    after = mls.merge(staged.state, staged)
    safety.renewed(work, handle, state, after)
    work.keep_session(after)
    number = work.post(handle, Handshake(group.id, staged.message))
    _keep(work, handle, replace(group, turn=False, renewed=number))
