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
from conclave.chat.words.content import Timer
from conclave.values import replace
from conclave.wire.codec import Reader, Writer
from conclave.wire.limits import ID_BYTES


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


def _write_stream(w: Writer, stream: Stream) -> None:
    w.fixed(stream.name, STREAM_BYTES).uint64(stream.last).vector(stream.declined, Writer.uint64)


def _stream(r: Reader) -> Stream:
    return Stream(r.fixed(STREAM_BYTES), r.uint64(), r.vector(Reader.uint64))


def _write_group(w: Writer, group: PairGroup) -> None:
    w.fixed(group.id, ID_BYTES).uint8(group.ours).uint8(group.turn).uint8(group.dead)
    w.uint64(group.begun).uint8(group.answered)


def _group(r: Reader) -> PairGroup:
    return PairGroup(
        r.fixed(ID_BYTES), ours=r.flag(), turn=r.flag(), dead=r.flag(), begun=r.uint64(), answered=r.flag()
    )


def encode_peer(peer: Peer) -> bytes:
    """The state under ``peer/<handle>``."""
    out, inbound, pair = peer.out, peer.inbound, peer.pair
    w = Writer().uint8(VERSION).opaque(out.stream).uint64(out.next).uint64(out.base)
    w.vector(inbound.streams, _write_stream).uint8(pair.ours).uint8(pair.theirs).uint32(pair.lines).uint8(pair.told)
    w.vector(peer.groups, _write_group).uint64(peer.count).uint64(peer.counts).uint64(peer.told).uint64(peer.read)
    w.uint32(peer.timer.seconds).uint32(peer.timer.number)
    w.vector(peer.unread, lambda each, one: each.fixed(one, ID_BYTES))
    w.optional(peer.held if any(peer.held) else None, lambda each, held: each.uint64(held[0]).uint64(held[1]))
    w.uint64(_mailed(peer)).uint64(peer.mail_until).uint8(_owes(peer))
    return w.vector(peer.passed.items(), lambda each, it: each.fixed(it[0], ID_BYTES).uint8(it[1])).done()


def decode_peer(handle: str, data: bytes) -> Peer:
    """The inverse of ``encode_peer``. Raises ``DecodeError``."""

    def peer(r: Reader) -> Peer:
        found = Peer(
            handle,
            out=Outbound(r.opaque(STREAM_BYTES), r.uint64(), r.uint64()),
            inbound=Inbound(r.vector(_stream)[:STREAMS_KEPT]),
            pair=Pair(r.enum(Ours), r.enum(Theirs), r.uint32(), r.flag()),
            groups=r.vector(_group),
            count=r.uint64(),
            counts=r.uint64(),
            told=r.uint64(),
            read=r.uint64(),
            timer=Timer(r.uint32(), r.uint32()),
            unread=r.vector(lambda each: each.fixed(ID_BYTES)),
            held=r.optional(lambda each: (each.uint64(), each.uint64())) or (0, 0),
            mailed=r.uint64(),
            mail_until=r.uint64(),
        )
        streams = found.inbound.streams
        ack = ack_for(found.inbound, streams[0].name) if r.flag() and streams else None
        passed = dict(r.vector(lambda each: (each.fixed(ID_BYTES), each.flag())))
        return replace(found, owed=(ack,) if ack is not None else (), passed=passed)

    return read(data, peer)


def peer_records(peer: Peer, before: Peer | None) -> Iterator[PutState | DropState]:
    """What is to be written of somebody: nothing of who is nothing to us."""
    kept = before is not None and not blank(before)
    if blank(peer):
        if kept:
            yield DropState(PEER_KEY + peer.handle)
    elif before is None or not kept or peer_part(before) != peer_part(peer):
        yield PutState(PEER_KEY + peer.handle, partial(encode_peer, peer))
