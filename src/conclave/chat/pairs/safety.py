"""The number that two people compare, which former ones there were, and of which certificates people were warned.

It is made of both certificates and the group, so each renewal and each new group makes another. Who compares one that
was noted before is to hear so, and not that somebody stands between them. Both are kept under ``safety/<handle>``, in
a backup too. Left out: which certificate is another one (``certificates``), which group is spoken in (``duet``).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from conclave.chat import groups, records
from conclave.chat.effects import PutState
from conclave.chat.hearing import own_notice
from conclave.chat.state import PairGroup, Peer
from conclave.chat.work import Work
from conclave.mls.group import State
from conclave.values import replace
from conclave.wire.codec import Reader, Writer

KEPT = 32
"""Former numbers of one peer, and warnings of its certificates, that are known again: the last ones."""
NUMBER_BYTES = 32
ANEW = (
    "you and {0} have new keys, as those of before were lost or ended (by a suspension, say): "
    "compare safety numbers again: conclave verify @{0}"
)


def number(state: State, one: str, other: str) -> bytes:
    """32 bytes that two members of a group compute alike from both their certificates and the group.

    Compared by voice or by eye, they show that both see the same two certificates.
    """
    people = groups.roster(state)
    digest = sha256(b"conclave safety number 1")
    for handle in sorted((one, other)):
        digest.update(handle.encode() + b"\0" + sha256(groups.certificate(state, people[handle])).digest())
    digest.update(state.group_id)
    return digest.digest()


def renewed(work: Work, handle: str, before: State, after: State) -> None:
    """From ``before`` to ``after`` the number may be another: the one of before is known again."""
    former = number(before, work.me, handle)
    if former != number(after, work.me, handle):
        peer = work.peer(handle)
        _keep(work, replace(peer, numbers=_last(peer.numbers, former)))


def moved(work: Work, peer: Peer, group: PairGroup, *, told: bool = False) -> None:
    """What the pair says is said in ``group`` from now on: say so, where people may have compared the one before.

    Nobody has where both began at once, or the peer began the one before and said nothing in it: who does that over
    and over, be it blocked, fills no history, and pushes out no number that was compared. ``told``: people were told
    already, of another certificate.
    """
    old = peer.groups[0] if peer.groups else group
    if not (old.ours or old.answered):
        return
    before, after = work.session(old.id), work.session(group.id)
    if group.dead or old.id == group.id or before is None or after is None:
        return
    renewed(work, peer.handle, before, after)
    if old.dead and not told:
        own_notice(work, "@" + peer.handle, ANEW.format(peer.handle))


def warn(work: Work, handle: str, conversation: str, certificate: bytes, text: str, seq: int) -> None:
    """Say in a lobby that somebody has another certificate (its fingerprint), once: who comes and goes is known."""
    peer, name = work.peer(handle), sha256(conversation.encode() + b"\0" + certificate).digest()
    if name not in peer.warned:
        _keep(work, replace(peer, warned=_last(peer.warned, name)))
        own_notice(work, conversation, text, seq)


def _last(known: tuple[bytes, ...], one: bytes) -> tuple[bytes, ...]:
    return (*(each for each in known if each != one), one)[-KEPT:]


def _keep(work: Work, peer: Peer) -> None:
    work.keep(peer)
    work.record(PutState(records.SAFETY_KEY + peer.handle, encode_safety(peer.numbers, peer.warned)))


def encode_safety(numbers: Iterable[bytes], warned: Iterable[bytes]) -> bytes:
    """The state under ``safety/<handle>``."""
    w = Writer().uint8(records.VERSION)
    for many in (numbers, warned):
        w.vector(tuple(many), lambda each, one: each.fixed(one, NUMBER_BYTES))
    return w.done()


def decode_safety(data: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """The inverse of ``encode_safety``. Raises ``DecodeError``."""

    def one(r: Reader) -> bytes:
        return r.fixed(NUMBER_BYTES)

    return records.read(data, lambda r: (r.vector(one)[-KEPT:], r.vector(one)[-KEPT:]))
