"""Which certificate a peer shows in a pair: another one is said in the conversation.

Each renewal makes a new key, so a key alone does not tell a renewal from somebody else. What tells is how it came: a
commit in a group is signed with the key of before, which so vouches for the new one; in another group nothing does.
Left out: whether a certificate holds (``pki.verify``), and lobbies, whose commits say it (``chat.following``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from conclave.chat import groups, records
from conclave.chat.effects import PutState
from conclave.chat.hearing import own_notice
from conclave.chat.originals import FINGERPRINT_BYTES, fingerprint
from conclave.chat.state import Peer
from conclave.chat.work import Work
from conclave.lobby.values import replace
from conclave.mls.group import State
from conclave.wire.codec import Reader, Writer

CERTIFICATES_KEPT = 8
"""Certificates of one peer that are known again, the last ones: what is known is not said twice."""


def met(work: Work, handle: str, state: State, *, vouched: bool) -> None:
    """The peer is in ``state``, which is not kept yet: say so where its certificate there is another than before.

    ``vouched``: its key of before has signed that.
    """
    peer = work.peer(handle)
    shown = _shown(handle, state)
    name = fingerprint(shown)
    known = peer.certificates or tuple(fingerprint(one) for one in _held(work, peer))  # a home from before has none
    if name in known:
        if peer.certificates:
            return
        known = tuple(one for one in known if one != name)
        said = ""
    elif not known:
        said = ""
    elif vouched:
        said = f"{handle} has a renewed certificate"
    else:
        said = (
            f"{handle} has a new certificate (another key): compare safety numbers again: conclave verify @{handle}"
        )
    known = (*known, name)[-CERTIFICATES_KEPT:]
    work.keep(replace(peer, certificates=known))
    work.record(PutState(records.MET_KEY + handle, encode_met(known)))
    if said:
        own_notice(work, "@" + handle, said)


def encode_met(fingerprints: Iterable[bytes]) -> bytes:
    """The state under ``met/<handle>``."""
    w = Writer().uint8(records.VERSION)
    for one in fingerprints:
        w.fixed(one, FINGERPRINT_BYTES)
    return w.done()


def decode_met(data: bytes) -> tuple[bytes, ...]:
    """The inverse of ``encode_met``. Raises ``DecodeError``."""

    def met(r: Reader) -> tuple[bytes, ...]:
        found = []
        while r.remaining:
            found.append(r.fixed(FINGERPRINT_BYTES))
        return tuple(found[-CERTIFICATES_KEPT:])

    return records.read(data, met)


def revoked_in(work: Work, state: State | None) -> bool:
    """Whether anybody in a group shows a revoked certificate."""
    leaves: Iterable[int] = groups.roster(state).values() if state is not None else ()
    return state is not None and any(work.judges.revoked(groups.certificate(state, leaf)) for leaf in leaves)


def _shown(handle: str, state: State) -> bytes:
    return groups.certificate(state, groups.roster(state)[handle])


def _held(work: Work, peer: Peer) -> Iterator[bytes]:
    """What the peer shows in the groups that we hold, the present one last."""
    for one in reversed(peer.groups):
        state = work.session(one.id)
        if state is not None:
            yield _shown(peer.handle, state)
