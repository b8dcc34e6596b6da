"""What a backup keeps of conversations, and what it must not: keys and streams that were used would be used twice.

A restored home has its history and knows with whom it spoke, but is nobody in any group: it joins again, as a new
device. Left out: copying and sealing (``node.home.backup``), and what the core does about it when it finds
``restored``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from conclave.chat import groups
from conclave.chat.effects import DropEntries, DropPosts, DropState, MarkLine, PutState, Record
from conclave.chat.lobbies import lacks
from conclave.chat.lobby_records import (
    decode_lobby,
    read_apart,
    read_number,
    read_place,
    read_range,
    read_ranges,
    write_apart,
    write_number,
    write_place,
    write_range,
    write_ranges,
)
from conclave.chat.lobby_state import Lobby, Stage, Step
from conclave.chat.pair import Ours
from conclave.chat.pairs.certificates import encode_met, of_several
from conclave.chat.pairs.safety import decode_safety, encode_safety, number
from conclave.chat.peer_records import decode_peer
from conclave.chat.records import (
    EPOCH,
    LOBBY_KEY,
    MET_KEY,
    PEER_KEY,
    PLACE_KEY,
    SAFETY_KEY,
    SESSION_KEY,
    TRAFFIC,
    VERSION,
    read,
)
from conclave.chat.state import RemainingLobby, Remains
from conclave.chat.words.line import Status
from conclave.chat.words.originals import fingerprint
from conclave.errors import DecodeError
from conclave.mls.group import State
from conclave.values import replace
from conclave.wire.codec import Reader, Writer
from conclave.wire.limits import HANDLE_BYTES, ID_BYTES, TEXT_BYTES
from conclave.wire.order import read_runs, write_runs

RESTORED_KEY = "restored"
"""The state by which the core knows that its home was restored; what it says is ``Remains``."""
GONE = ("mls/", "out/", "package/", "staged/", PLACE_KEY, PEER_KEY, LOBBY_KEY)
"""States that no backup holds, by how their keys begin: keys of conversations and devices, streams, places in orders.
So go the outbox (lines of it are marked as sent: they may have arrived since) and the lobbies' orders. In a lobby all
of them are said again: our next device may come in before they are ordered, and then they are not."""
_ALL = (1 << 63) - 1


def forget(
    states: Iterable[tuple[str, bytes]],
    outbox: Iterable[str],
    orders: Iterable[bytes],
    unsent: Iterable[tuple[str, str, bytes]],
) -> list[Record]:
    """What makes a copy of a store fit to be restored. Done twice it changes nothing more.

    ``outbox`` are the peers with posts, ``orders`` the lobbies with entries, ``unsent`` the lines that wait here or
    in a mailbox: conversation, sender, id.
    """
    held, lines = list(states), list(unsent)
    gone = [key for key, _ in held if key.startswith(GONE)]
    records: list[Record] = [DropState(key) for key in gone]
    if gone or RESTORED_KEY not in dict(held):
        records.append(PutState(RESTORED_KEY, encode_remains(_remains(held, lines))))
    records += _met(dict(held))
    records += _numbers(dict(held))
    records += [DropPosts(peer, _ALL) for peer in outbox]
    records += [DropEntries(group) for group in orders]
    records += [MarkLine(name, sender, identity, Status.SENT) for name, sender, identity in lines]
    return records


def _remains(states: Sequence[tuple[str, bytes]], unsent: Sequence[tuple[str, str, bytes]]) -> Remains:
    """What of the states can be read."""
    held = dict(states)
    before = decode_remains(held[RESTORED_KEY]) if RESTORED_KEY in held else Remains()
    peers = dict(before.peers)
    lobbies = {one.group: one for one in before.lobbies}
    timers = dict(before.timers)
    for key, value in states:
        try:
            if key.startswith(PEER_KEY):
                handle = key.removeprefix(PEER_KEY)
                peer = decode_peer(handle, value)
                peers[handle], timers[handle] = peer.pair.ours, peer.timer.seconds
            elif key.startswith(LOBBY_KEY):
                name = key.removeprefix(LOBBY_KEY)
                lobby = decode_lobby(bytes.fromhex(name), value, held.get(PLACE_KEY + name, b""))
                lobby = lobby.before() or lobby
                lobbies.pop(lobby.group, None)
                if not lobby.awaited:
                    people = _people(held, name) or lobby.asked
                    one = RemainingLobby(
                        lobby.group, lobby.name, lobby.label, lobby.leader, people, lobby.stage, lobby.closed
                    )
                    lines = [line[1:] for line in unsent if line[0] == lobby.label]
                    lobbies[lobby.group] = _with_place(one, lobby, lines)
        except (DecodeError, ValueError):
            continue
    pairs = tuple(sorted((handle, seconds) for handle, seconds in timers.items() if seconds))
    return Remains(tuple(sorted(peers.items())), tuple(lobbies[group] for group in sorted(lobbies)), pairs)


def _with_place(one: RemainingLobby, lobby: Lobby, unsent: Sequence[tuple[str, bytes]]) -> RemainingLobby:
    """Where its order stood, since when the others are in, and what is to be said again there."""
    if lobby.order is None or lobby.stage is not Stage.MEMBER:
        return one
    healing = lobby.healing
    common = healing.common if healing.step in (Step.REJOIN, Step.ENTER) else lobby.order.seq
    lost = lacks.until(lacks.known(lobby), common)
    orphans = tuple(dict.fromkeys((*healing.orphans, *unsent)))
    apart = tuple(item for item in healing.apart.items() if item[0] not in healing.handed)  # else it is ours to mail
    one = replace(one, places=tuple(healing.places.items()), apart=apart)
    one = replace(one, entered=tuple(healing.entered.items()), met=tuple(healing.met.items()))
    untold = lacks.of_each_until(healing.untold, common)
    one = replace(one, unseen=tuple(healing.unseen.items()), untold=tuple(untold.items()))
    return replace(one, runs=lobby.order.runs, common=common, lost=lost, orphans=orphans)


def _people(held: Mapping[str, bytes], name: str) -> tuple[str, ...]:
    key = SESSION_KEY + name
    return tuple(groups.roster(_keys(held, key))) if key + EPOCH in held else ()


def _keys(held: Mapping[str, bytes], key: str) -> State:
    return State.join_parts(held[key + EPOCH], held.get(key + TRAFFIC, b""))


def _met(held: Mapping[str, bytes]) -> Iterator[PutState]:
    """Which certificates those showed whom we knew by what goes alone."""
    shown: dict[str, list[bytes]] = {}
    for key in held:
        if not (key.startswith(SESSION_KEY) and key.endswith(EPOCH)):
            continue
        try:
            state = _keys(held, key.removesuffix(EPOCH))
        except DecodeError:
            continue
        for handle, leaf in groups.roster(state).items():
            if leaf != state.epoch.me and MET_KEY + handle not in held:
                shown.setdefault(handle, []).append(fingerprint(groups.certificate(state, leaf)))
    for handle, names in shown.items():
        yield PutState(MET_KEY + handle, encode_met((of_several(names),)))


def _numbers(held: Mapping[str, bytes]) -> Iterator[PutState]:
    """The safety numbers that people may have compared, of groups that go."""
    for key, value in held.items():
        if not key.startswith(PEER_KEY):
            continue
        handle = key.removeprefix(PEER_KEY)
        try:
            state = _keys(held, SESSION_KEY + decode_peer(handle, value).groups[0].id.hex())
            (me,) = groups.roster(state).keys() - {handle}
            numbers, warned = decode_safety(held[SAFETY_KEY + handle]) if SAFETY_KEY + handle in held else ((), ())
            yield PutState(SAFETY_KEY + handle, encode_safety((*numbers, number(state, me, handle)), warned))
        except (DecodeError, KeyError, IndexError, ValueError):
            continue


def encode_remains(remains: Remains) -> bytes:
    """The state under ``restored``."""
    w = Writer().uint8(VERSION).vector(remains.peers, lambda each, one: each.text(one[0]).uint8(one[1]))
    w.vector(remains.lobbies, _write_lobby)
    w.vector(remains.timers, lambda each, one: each.text(one[0]).uint32(one[1]))
    for one in remains.lobbies:
        w.vector(one.untold, write_ranges)
    return w.done()


def decode_remains(data: bytes) -> Remains:
    """The inverse of ``encode_remains``. Raises ``DecodeError``."""

    def remains(r: Reader) -> Remains:
        found = Remains(
            peers=r.vector(lambda each: (each.text(HANDLE_BYTES), each.enum(Ours))),
            lobbies=r.vector(_lobby),
            timers=r.vector(lambda each: (each.text(HANDLE_BYTES), each.uint32())),
        )
        if not r.remaining:  # of before it was kept
            return found
        return replace(found, lobbies=tuple(replace(one, untold=r.vector(read_ranges)) for one in found.lobbies))

    return read(data, remains)


def _write_lobby(w: Writer, lobby: RemainingLobby) -> None:
    w.fixed(lobby.group, ID_BYTES).text(lobby.name).text(lobby.label).text(lobby.leader)
    w.vector(lobby.people, Writer.text).uint8(lobby.stage).uint64(lobby.closed)
    w.optional(lobby.runs or None, write_runs).uint64(lobby.common)
    w.vector(lobby.lost, write_range)
    w.vector(lobby.orphans, lambda each, it: each.text(it[0]).fixed(it[1], ID_BYTES))
    w.vector(lobby.entered, write_number).vector(lobby.met, write_number)
    w.vector(lobby.places, write_place).vector(lobby.unseen, write_ranges).vector(lobby.apart, write_apart)


def _lobby(r: Reader) -> RemainingLobby:
    return RemainingLobby(
        group=r.fixed(ID_BYTES),
        name=r.text(TEXT_BYTES),
        label=r.text(TEXT_BYTES),
        leader=r.text(HANDLE_BYTES),
        people=r.vector(lambda each: each.text(HANDLE_BYTES)),
        stage=r.enum(Stage),
        closed=r.uint64(),
        runs=r.optional(read_runs) or (),
        common=r.uint64(),
        lost=r.vector(read_range),
        orphans=r.vector(lambda each: (each.text(HANDLE_BYTES), each.fixed(ID_BYTES))),
        entered=r.vector(read_number),
        met=r.vector(read_number),
        places=r.vector(read_place),
        unseen=r.vector(read_ranges),
        apart=r.vector(read_apart),
    )
