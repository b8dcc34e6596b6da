"""How the core's states are written: small records under plain keys, each with its version in the first byte.

``desk``: busy or not. ``peer/<handle>``: both streams and the pair, rewritten for every message, about 100 bytes.
``lobby/<group>``: what changes when people come and go. ``place/<group>``: where the order stands, rewritten for
every entry, 45 bytes. Left out: links, windows and what followers have, which are learnt again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from conclave.chat.delivery import STREAM_BYTES, STREAMS_KEPT, Inbound, Outbound
from conclave.chat.pair import Ours, Pair, Theirs
from conclave.chat.state import Lobby, Peer, Stage
from conclave.errors import DecodeError
from conclave.lobby.leader import Follower, Leading
from conclave.lobby.member import Following
from conclave.lobby.shelf import Shelf
from conclave.wire.codec import Reader, Writer, decode
from conclave.wire.frames import HANDLE_BYTES, HASH_BYTES, TEXT_BYTES

VERSION = 1
DESK_KEY = "desk"
PEER_KEY = "peer/"
LOBBY_KEY = "lobby/"
PLACE_KEY = "place/"

T = TypeVar("T")


def _read(data: bytes, item: Callable[[Reader], T]) -> T:
    def versioned(r: Reader) -> T:
        if r.uint8() != VERSION:
            raise DecodeError("a state of an unknown version")
        try:
            return item(r)
        except ValueError as error:
            raise DecodeError("a state with an unknown value") from error

    return decode(data, versioned)


def encode_busy(*, busy: bool) -> bytes:
    """The state under ``desk``."""
    return bytes((VERSION, busy))


def decode_busy(data: bytes) -> bool:
    """The inverse of ``encode_busy``. Raises ``DecodeError``."""
    return bool(_read(data, Reader.uint8))


def encode_peer(peer: Peer) -> bytes:
    """The state under ``peer/<handle>``."""
    out, inbound, pair = peer.out, peer.inbound, peer.pair
    w = Writer().uint8(VERSION).opaque(out.stream).uint64(out.next).uint64(out.base)
    w.uint8(len(inbound.streams))
    for stream, last in inbound.streams:
        w.fixed(stream, STREAM_BYTES).uint64(last)
    w.vector(inbound.declined, Writer.uint64)
    return w.uint8(pair.ours).uint8(pair.theirs).uint32(pair.lines).uint8(pair.told).done()


def decode_peer(handle: str, data: bytes) -> Peer:
    """The inverse of ``encode_peer``. Raises ``DecodeError``."""

    def peer(r: Reader) -> Peer:
        out = Outbound(r.opaque(STREAM_BYTES), r.uint64(), r.uint64())
        streams = tuple((r.fixed(STREAM_BYTES), r.uint64()) for _ in range(min(r.uint8(), STREAMS_KEPT)))
        inbound = Inbound(streams, r.vector(Reader.uint64))
        return Peer(handle, out, inbound, Pair(Ours(r.uint8()), Theirs(r.uint8()), r.uint32(), bool(r.uint8())))

    return _read(data, peer)


def _write_follower(w: Writer, item: tuple[str, Follower]) -> None:
    handle, one = item
    w.text(handle).uint64(one.since).uint64(one.until).opaque(one.until_hash)


def _follower(r: Reader) -> tuple[str, Follower]:
    handle = r.text(HANDLE_BYTES)
    return handle, Follower(r.uint64(), r.uint64(), r.opaque(HASH_BYTES))


def encode_lobby(lobby: Lobby) -> bytes:
    """The state under ``lobby/<group>``."""
    w = Writer().uint8(VERSION).uint8(lobby.stage).text(lobby.name).text(lobby.label).text(lobby.leader)
    w.uint8(lobby.hushed).uint64(int(lobby.ended))
    if lobby.leading is not None:
        w.vector(lobby.leading.followers.items(), _write_follower)
        w.vector(sorted(lobby.leading.invited), Writer.text)
    elif lobby.following is not None:
        w.vector(sorted(lobby.following.roster), Writer.text)
    return w.vector(lobby.asked, Writer.text).done()


def encode_place(lobby: Lobby) -> bytes:
    """The state under ``place/<group>``, of a lobby that we lead or are in."""
    at = lobby.leading or lobby.following
    if at is None:
        return b""
    return Writer().uint8(VERSION).uint32(at.term).uint64(at.seq).fixed(at.hash, HASH_BYTES).done()


def decode_lobby(group: bytes, data: bytes, at: bytes) -> Lobby:
    """The inverse of ``encode_lobby`` and ``encode_place`` (empty for the other stages). Raises ``DecodeError``."""

    def place(r: Reader) -> tuple[int, int, bytes]:
        return r.uint32(), r.uint64(), r.fixed(HASH_BYTES)

    def handle(r: Reader) -> str:
        return r.text(HANDLE_BYTES)

    def lobby(r: Reader) -> Lobby:
        stage, name, label, leader = Stage(r.uint8()), r.text(TEXT_BYTES), r.text(TEXT_BYTES), r.text(HANDLE_BYTES)
        hushed, ended = bool(r.uint8()), float(r.uint64())
        if stage in (Stage.LEADING, Stage.CLOSING):
            term, seq, digest = _read(at, place)
            followers: Shelf[str, Follower] = Shelf()
            for key, one in r.vector(_follower):
                followers = followers.put(key, one)
            invited = frozenset(r.vector(handle))
            leading = Leading(group, name, leader, digest, term, seq, followers, invited)
            r.vector(handle)
            return Lobby(group, name, label, leader, stage, leading, hushed=hushed, ended=ended)
        if stage in (Stage.MEMBER, Stage.LEAVING):
            people = r.vector(handle)
            term, seq, digest = _read(at, place)
            following = Following(group, leader, term, seq, digest, frozenset(people), seq)
            asked = r.vector(handle)
            return Lobby(
                group, name, label, leader, stage, following=following, asked=asked, hushed=hushed, ended=ended
            )
        return Lobby(group, name, label, leader, stage, asked=r.vector(handle), hushed=hushed, ended=ended)

    return _read(data, lobby)
