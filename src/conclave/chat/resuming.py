"""The desk as it was committed, read from the store's states and its outbox.

Left out: links, windows, and how far others are, which are learnt again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from conclave.chat import lobby_records, package_records, peer_records, records
from conclave.chat.delivery import Waiting
from conclave.chat.fifo import Fifo
from conclave.chat.lobbies.purging import SUSPENDED
from conclave.chat.lobby_state import Flying, Lobby
from conclave.chat.pairs.certificates import decode_met
from conclave.chat.pairs.safety import decode_safety
from conclave.chat.restoring import RESTORED_KEY, decode_remains
from conclave.chat.settings import Settings
from conclave.chat.state import Desk, Holder, Judges, Own, Peer, Word
from conclave.chat.words.content import Unsaid
from conclave.crypto.certificate import subject_key
from conclave.errors import DecodeError, StorageError
from conclave.lobby.shelf import Shelf
from conclave.mls.group import OwnKeyPackage, Staged, State
from conclave.values import replace
from conclave.wire.delivery import PostKind
from conclave.wire.limits import ID_BYTES

Posts = Callable[[str, int, int], Iterable[tuple[int, int, bytes]]]
RESTORED_POSTS = 64
"""Posts of an outbox that are in memory at once while a desk is restored."""


def restore(
    me: str,
    states: Iterable[tuple[str, bytes]],
    posts: Posts,
    settings: Settings | None = None,
    own: Own | None = None,
    judges: Judges | None = None,
    certificates: Callable[[], Iterable[bytes]] = tuple,
) -> Desk:
    """The desk as it was committed: ``states`` are all states of the store, ``posts`` its read of the outbox.

    ``certificates`` gives those (DER) that the store has; it is asked only where some of them are needed. Raises
    ``StorageError`` for a state that cannot be read, and ``NotReady`` for one from before the first release.
    """
    kept = dict(sorted(states))
    desk = Desk(me, settings or Settings(), own, judges or Judges())
    try:
        desk = _people(desk, kept, posts)
        desk = _lobbies(desk, kept)
        desk = _authors(_keys(desk, kept), certificates)
        remains = decode_remains(kept[RESTORED_KEY]) if RESTORED_KEY in kept else None
        busy = records.decode_busy(kept[records.DESK_KEY]) if records.DESK_KEY in kept else False
    except (DecodeError, ValueError) as error:
        raise StorageError(
            f"a conversation's state cannot be read: {error}", remedy="restore the home from a backup"
        ) from error
    return replace(desk, busy=busy, remains=remains)


def _under(kept: dict[str, bytes], prefix: str) -> list[tuple[str, bytes]]:
    return [(key.removeprefix(prefix), value) for key, value in kept.items() if key.startswith(prefix)]


def _people(desk: Desk, kept: dict[str, bytes], posts: Posts) -> Desk:
    peers = desk.peers
    for handle, value in _under(kept, records.PEER_KEY):
        peer = _with_posts(peer_records.decode_peer(handle, value), posts)
        waiting: Fifo[Unsaid] = Fifo()
        for key, data in _under(kept, f"{records.OUT_KEY}@{handle}/w/"):
            waiting = waiting.push(records.decode_unsaid(key, data))
        peer = replace(peer, waiting=waiting)
        if not peer_records.blank(peer):
            peers = peers.put(handle, peer)
    for handle, value in _under(kept, records.MET_KEY):
        peers = peers.put(handle, replace(peers.get(handle) or Peer(handle), certificates=decode_met(value)))
    for handle, value in _under(kept, records.SAFETY_KEY):
        numbers, warned = decode_safety(value)
        peers = peers.put(handle, replace(peers.get(handle) or Peer(handle), numbers=numbers, warned=warned))
    return replace(desk, peers=peers)


def _with_posts(peer: Peer, posts: Posts) -> Peer:
    """What waits in the outbox, lines and fresh keys, read from the heads of the posts that carry them."""
    lines: Fifo[Waiting] = Fifo()
    renewed: dict[bytes, int] = {}
    first = peer.out.base
    while first < peer.out.next:
        number = peer.out.next
        for number, kind, body in posts(peer.handle, first, min(RESTORED_POSTS, peer.out.next - first)):
            if kind == PostKind.MESSAGE:
                lines = lines.push(Waiting(number, body[:ID_BYTES]))
            elif kind == PostKind.HANDSHAKE:
                renewed[body[:ID_BYTES]] = number
        first = number + 1
    groups = tuple(replace(one, renewed=renewed.get(one.id, 0)) for one in peer.groups)
    return replace(peer, out=replace(peer.out, lines=lines), groups=groups)


def _lobbies(desk: Desk, kept: dict[str, bytes]) -> Desk:
    lobbies, labels = desk.lobbies, dict(desk.labels)
    for name, value in _under(kept, records.LOBBY_KEY):
        group = bytes.fromhex(name)
        lobby = lobby_records.decode_lobby(group, value, kept.get(records.PLACE_KEY + name, b""))
        lobby = _with_voice(lobby, kept, name)
        lobbies = lobbies.put(group, lobby)
        labels[lobby.label] = group
    expelled = {
        handle: Word(at, lobby.intents.removes.get(handle) == SUSPENDED)
        for lobby in lobbies.values()
        for handle, at in lobby.intents.judged.items()
        if at
    }  # until the authority says otherwise
    return replace(desk, lobbies=lobbies, labels=labels, expelled=expelled)


def _with_voice(lobby: Lobby, kept: dict[str, bytes], name: str) -> Lobby:
    waiting: Fifo[Unsaid] = Fifo()
    for key, data in _under(kept, f"{records.OUT_KEY}{name}/w/"):
        waiting = waiting.push(records.decode_unsaid(key, data))
    flying: list[Flying] = [
        lobby_records.decode_flying(key, data) for key, data in _under(kept, f"{records.OUT_KEY}{name}/f/")
    ]
    staged = kept.get(records.STAGED_KEY + name)
    voice = replace(
        lobby.voice,
        waiting=waiting,
        flying=tuple(flying),
        staged=None if staged is None else Staged.decode(staged),
    )
    return replace(lobby, voice=voice)


def _authors(desk: Desk, certificates: Callable[[], Iterable[bytes]]) -> Desk:
    """Certificates of who spoke in a past epoch and has another one now, or is out: late words of theirs may come."""
    missing: set[bytes] = set()
    for state in desk.sessions.values():
        now = {one.signature_key for one in state.epoch.roster.values()}
        missing |= {one.signature_key for past in state.past for one in past.roster.values()} - now
    found = {subject_key(der): der for der in certificates()} if missing else {}
    return replace(desk, certificates={key: der for key, der in found.items() if key in missing})


def _keys(desk: Desk, kept: dict[str, bytes]) -> Desk:
    sessions: Shelf[bytes, State] = Shelf()
    for key, value in _under(kept, records.SESSION_KEY):
        if key.endswith(records.EPOCH):
            name = key.removesuffix(records.EPOCH)
            traffic = kept.get(f"{records.SESSION_KEY}{name}{records.TRAFFIC}", b"")
            sessions = sessions.put(bytes.fromhex(name), State.join_parts(value, traffic))
    packages: Shelf[bytes, OwnKeyPackage] = Shelf()
    holders: Shelf[bytes, Holder] = Shelf()
    last: list[tuple[int, bytes]] = []
    for name, value in _under(kept, records.PACKAGE_KEY):
        package, holder, is_last = package_records.decode_package(value)
        reference = bytes.fromhex(name)
        packages = packages.put(reference, package)
        if holder is not None:
            holders = holders.put(reference, holder)
        if is_last:
            last.append((package.package.leaf.lifetime[0], reference))
    names = tuple(reference for _, reference in sorted(last, reverse=True))
    return replace(desk, sessions=sessions, packages=packages, last=names, holders=holders)
