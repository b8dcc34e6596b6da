"""Which certificate somebody shows: another one is said in the conversation in which it is shown.

Each renewal makes a new key, so a key alone does not tell a renewal from somebody else. What tells is how it came: a
commit in a group is signed with the key of before, which so vouches for the new one; in another group nothing does.
What somebody shows in a pair is remembered. Of somebody with whom we have no pair, we remember the first certificate
that is vouched for in a lobby, while no other lobby shows a different one; and what it showed in a lobby that it, or
we, have left. Where nothing is remembered, what all our lobbies show is compared, because any member may let anybody
in. Left out: whether a certificate holds (``pki.verify``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from conclave.chat import groups, records
from conclave.chat.effects import PutState
from conclave.chat.hearing import own_notice
from conclave.chat.lobby_state import Lobby
from conclave.chat.pairs import safety
from conclave.chat.state import Peer
from conclave.chat.words.originals import FINGERPRINT_BYTES, fingerprint
from conclave.chat.work import Work
from conclave.mls.group import Changes, State
from conclave.values import replace
from conclave.wire.codec import Reader, Writer

CERTIFICATES_KEPT = 8
"""Certificates of one peer that are known again, the last ones: what is known is not said twice."""
NOBODYS = bytes(FINGERPRINT_BYTES)
"""Remembered of somebody who shows different certificates: whatever is shown next counts as another one."""
RENEWED = "{0} has a renewed certificate"
KNOWN = "{0} has a new certificate, known from elsewhere"
ANOTHER = "{0} has a new certificate (another key): compare safety numbers: conclave verify @{0}"


def met(work: Work, handle: str, state: State, *, vouched: bool) -> bool:
    """The peer is in ``state``, which is not kept yet: say so where its certificate there is another than before.

    ``vouched``: its key of before has signed that. Whether it was said.
    """
    peer, name = work.peer(handle), fingerprint(_shown(handle, state))
    if name in peer.certificates:
        return False
    known = peer.certificates
    other = _is_other(name, known, () if known else _elsewhere(work, {handle})[handle])
    _remember(work, peer, (*(one for one in known if one != name), name))
    if other:
        own_notice(work, "@" + handle, (RENEWED if vouched else ANOTHER).format(handle))
    return other


def shown_in(work: Work, lobby: Lobby, seq: int, before: State | None, after: State, changes: Changes | None) -> None:
    """By entry ``seq`` a lobby is otherwise: say who shows another certificate than before, there or elsewhere.

    ``changes`` are those of its commit; None where we came in, past what changed since ``before``.
    """
    was, now = groups.roster(before) if before is not None else {}, groups.roster(after)
    signed: set[int] = set()
    if changes is not None:
        signed = {*changes.updated, *(() if changes.external else (changes.committer,))}
        now = {handle: leaf for handle, leaf in now.items() if leaf in {*signed, changes.committer, *changes.added}}
    newcomers = [handle for handle in now if handle not in was and not work.peer(handle).certificates]
    elsewhere = _elsewhere(work, newcomers, lobby.group) if newcomers else {}
    for handle, leaf in now.items():
        peer, name, vouched = work.peer(handle), fingerprint(groups.certificate(after, leaf)), leaf in signed
        former: tuple[bytes, ...] = ()
        if before is not None and handle in was:
            former = (fingerprint(groups.certificate(before, was[handle])),)
        known = peer.certificates
        other = _is_other(name, former or known, elsewhere.get(handle, ()))
        if not other or (handle == work.me and not vouched):
            continue
        said = (RENEWED if vouched else KNOWN if {*former, name} <= {*known} else ANOTHER).format(handle)
        if said == ANOTHER.format(handle):
            safety.warn(work, handle, lobby.label, name, said, seq)
        else:
            own_notice(work, lobby.label, said, seq)
        if not known and {*_elsewhere(work, {handle}, lobby.group)[handle]} <= {*former, name}:
            known = former  # else who is met next under that handle may be either
        if vouched and handle != work.me and known[-1:] == former:
            _remember(work, peer, (*known, name))
            if peer.groups:
                own_notice(work, "@" + handle, said)


def went_from(work: Work, before: State, handles: Iterable[str]) -> None:
    """They are out of a lobby, or we are: should we meet again, they are known."""
    leaves = groups.roster(before)
    unknown = [one for one in handles if one != work.me and not work.peer(one).certificates]
    elsewhere = _elsewhere(work, unknown, before.group_id) if unknown else {}
    for handle in unknown:
        name = fingerprint(groups.certificate(before, leaves[handle]))
        _remember(work, work.peer(handle), (of_several((name, *elsewhere[handle])),))


def of_several(names: Collection[bytes]) -> bytes:
    """What is to be remembered of somebody who shows these in our lobbies, of which none vouches for another."""
    return next(iter(names)) if len(set(names)) == 1 else NOBODYS


def _is_other(name: bytes, known: Collection[bytes], elsewhere: Collection[bytes]) -> bool:
    """Whether a certificate is none of those ``known``, or, where there are none, other than any shown elsewhere."""
    return name not in known if known else any(one != name for one in elsewhere)


def _remember(work: Work, peer: Peer, known: tuple[bytes, ...]) -> None:
    known = known[-CERTIFICATES_KEPT:]
    work.keep(replace(peer, certificates=known))
    work.record(PutState(records.MET_KEY + peer.handle, encode_met(known)))


def _elsewhere(work: Work, handles: Collection[str], but: bytes = b"") -> dict[str, tuple[bytes, ...]]:
    """What these people show in our lobbies, one of them left out."""
    found: dict[str, tuple[bytes, ...]] = dict.fromkeys(handles, ())
    for lobby in work.lobbies():
        state = work.session(lobby.group) if lobby.group != but else None
        if state is None:
            continue
        for handle, leaf in groups.roster(state).items():
            if handle in found:
                found[handle] = (*found[handle], fingerprint(groups.certificate(state, leaf)))
    return found


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
