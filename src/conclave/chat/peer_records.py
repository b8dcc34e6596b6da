"""What is kept of a peer, under ``peer/<handle>``: both streams, the pair and its groups.

It is rewritten for every message. Left out: lobbies, keys, and what waits to be said (``records``).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from conclave.chat.delivery import STREAM_BYTES, STREAMS_KEPT, Inbound, Outbound, Stream, ack_for
from conclave.chat.effects import DropState, PutState
from conclave.chat.pair import Ours, Pair, Theirs
from conclave.chat.records import PEER_KEY, VERSION, read
from conclave.chat.state import PairGroup, Peer
from conclave.chat.words.content import FOR_GOOD, Timer
from conclave.values import replace
from conclave.wire.codec import Reader, Writer
from conclave.wire.limits import ID_BYTES

PEER_VERSION = 3
"""Of ``peer/<handle>``; version 2 has neither what the peer has read nor a timer."""


def peer_part(peer: Peer) -> tuple[Any, ...]:
    """What of a peer is kept; equal where nothing is to be written."""
    out = peer.out
    return (
        out.stream, out.next, out.base, peer.inbound, peer.pair, peer.groups, peer.count, peer.counts, peer.told,
        _mailed(peer), peer.read, peer.timer, peer.mail_until, _owes(peer), peer.passed,
        peer.unread, peer.held,
    )  # fmt: skip


def _mailed(peer: Peer) -> int:
    return 0 if peer.anew.due else peer.mailed  # a restart leaves it anew at once


def _owes(peer: Peer) -> bool:
    """Whether it may not have heard by mail what we have of its stream."""
    return bool(peer.inbound.streams) and bool(peer.owed or peer.telling)


def blank(peer: Peer) -> bool:
    """Whether there is nothing of a peer to be kept."""
    used = peer.out.stream or peer.inbound.streams or len(peer.waiting)
    return not used and peer_part(peer) == peer_part(Peer(peer.handle))


def _write_group(w: Writer, group: PairGroup) -> None:
    w.fixed(group.id, ID_BYTES).uint8(group.ours).uint8(group.turn).uint8(group.dead)


def encode_peer(peer: Peer) -> bytes:
    """The state under ``peer/<handle>``."""
    out, inbound, pair = peer.out, peer.inbound, peer.pair
    w = Writer().uint8(PEER_VERSION).opaque(out.stream).uint64(out.next).uint64(out.base)
    w.uint8(len(inbound.streams))
    for stream in inbound.streams:
        w.fixed(stream.name, STREAM_BYTES).uint64(stream.last)
    w.vector(inbound.streams[0].declined if inbound.streams else (), Writer.uint64)
    w.uint8(pair.ours).uint8(pair.theirs).uint32(pair.lines).uint8(pair.told)
    w.vector(peer.groups, _write_group).uint64(peer.count).uint64(peer.counts).uint64(peer.told)
    w.uint64(_mailed(peer)).uint64(peer.read).uint32(peer.timer.seconds).uint32(peer.timer.number)
    for one in peer.groups:
        w.uint64(one.begun)
    again = peer.unread or any(peer.held)
    late = again or any(one.declined for one in inbound.streams[1:])
    passed = peer.passed or late
    owes, answered = _owes(peer), passed or any(one.answered for one in peer.groups)
    if peer.mail_until or owes or answered:
        w.uint64(peer.mail_until)
    if owes or answered:
        w.uint64(0).uint8(owes)
    if answered:
        for one in peer.groups:
            w.uint8(one.answered)
    if passed:
        w.vector(peer.passed.items(), lambda each, it: each.fixed(it[0], ID_BYTES).uint8(it[1]))
    if late:
        for stream in inbound.streams[1:]:
            w.vector(stream.declined, Writer.uint64)
    if again:
        w.vector(peer.unread, lambda each, one: each.fixed(one, ID_BYTES)).uint64(peer.held[0]).uint64(peer.held[1])
    return w.done()


def decode_peer(handle: str, data: bytes) -> Peer:
    """The inverse of ``encode_peer``, of its older version too. Raises ``DecodeError``."""
    old = data[:1] == bytes((VERSION,))

    def group(r: Reader) -> PairGroup:
        return PairGroup(r.fixed(ID_BYTES), *(bool(r.uint8()) for _ in range(3)))

    def peer(r: Reader) -> Peer:
        out = Outbound(r.opaque(STREAM_BYTES), r.uint64(), r.uint64())
        streams = [Stream(r.fixed(STREAM_BYTES), r.uint64()) for _ in range(min(r.uint8(), STREAMS_KEPT))]
        declined = r.vector(Reader.uint64)
        streams[:1] = [one._replace(declined=declined) for one in streams[:1]]
        pair = Pair(Ours(r.uint8()), Theirs(r.uint8()), r.uint32(), bool(r.uint8()))
        groups, count, counts, told = r.vector(group), r.uint64(), r.uint64(), r.uint64()
        mailed = r.uint64()
        seen, timer = (0, FOR_GOOD) if old else (r.uint64(), Timer(r.uint32(), r.uint32()))
        if r.remaining:  # a home from before has none
            groups = tuple(replace(one, begun=r.uint64()) for one in groups)
        until = r.uint64() if r.remaining and not old else 0
        if r.remaining and not old:  # some homes have the highest post that a rejection may have dropped
            r.uint64()
        owes = bool(r.uint8()) if r.remaining and not old else False
        if r.remaining and not old:
            groups = tuple(replace(one, answered=bool(r.uint8())) for one in groups)
        passed = r.vector(lambda each: (each.fixed(ID_BYTES), bool(each.uint8()))) if r.remaining and not old else ()
        if r.remaining and not old:
            streams[1:] = [one._replace(declined=r.vector(Reader.uint64)) for one in streams[1:]]
        inbound = Inbound(tuple(streams))
        again = r.remaining and not old
        unread = r.vector(lambda each: each.fixed(ID_BYTES)) if again else ()
        held = (r.uint64(), r.uint64()) if again else (0, 0)
        ack = ack_for(inbound, streams[0].name) if owes and streams else None
        return Peer(
            handle, out, inbound, pair, groups, count, counts, told, seen, timer, mailed=mailed, mail_until=until,
            owed=(ack,) if ack is not None else (), passed=dict(passed), unread=unread, held=held,
        )  # fmt: skip

    return read(data, peer, VERSION if old else PEER_VERSION)


def peer_records(peer: Peer, before: Peer | None) -> Iterator[PutState | DropState]:
    """What is to be written of somebody: nothing of who is nothing to us."""
    kept = before is not None and not blank(before)
    if blank(peer):
        if kept:
            yield DropState(PEER_KEY + peer.handle)
    elif before is None or not kept or peer_part(before) != peer_part(peer):
        yield PutState(PEER_KEY + peer.handle, partial(encode_peer, peer))
