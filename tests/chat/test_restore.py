"""A desk comes back from its store as it was, and without having all of an outbox in memory."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.delivery import Inbound, Stream
from conclave.chat.desk import Desk, restore, step
from conclave.chat.effects import PutState
from conclave.chat.lobby_state import Healing, Lobby, Mailed, Stage
from conclave.chat.peer_records import PEER_VERSION, decode_peer, encode_peer
from conclave.chat.records import (
    VERSION,
    decode_lobby,
    encode_lobby,
    encode_place,
)
from conclave.chat.resuming import RESTORED_POSTS
from conclave.chat.state import PairGroup, Peer
from conclave.chat.words.content import Timer
from conclave.errors import DecodeError, StorageError
from conclave.store.memory import MemoryStore
from conclave.values import replace
from tests.chat.desks import Table

LINES = 3 * RESTORED_POSTS + 5


def test_an_outbox_is_read_in_slices_and_nothing_of_it_is_missed() -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.say("burak", "@ayse", "hello")
    table.cut("ayse", "burak")
    for number in range(LINES):
        table.say("ayse", "@burak", str(number))
        if number % 50 == 0:
            table.put("ayse", ev.OpenLobby(f"l{number}", table.random(16), ("burak",)))  # a post without a line
    store, slices = table.stores["ayse"], list[int]()

    def posts(peer: str, first: int, count: int) -> list[tuple[int, int, bytes]]:
        found = store.posts(peer, first, count)
        slices.append(len(found))
        return found

    before = table.desks["ayse"].peers.get("burak")
    after = restore("ayse", store.states(), posts).peers.get("burak")
    assert before is not None
    assert after is not None
    assert max(slices) == RESTORED_POSTS
    assert sum(slices) == before.out.count
    assert list(after.out.lines) == list(before.out.lines)
    assert len(after.out.lines) == LINES


@pytest.mark.parametrize(
    "key",
    ["desk", "peer/burak", "lobby/" + "00" * 16, "lobby/xyz", "out/@burak/w/0", "mls/00/epoch", "package/00"],
)
@pytest.mark.parametrize("value", [b"", b"\x07", b"\x01", b"\x02\x63" + bytes(90), b"\x02\xff"])
def test_a_state_that_cannot_be_read_is_a_storage_error(key: str, value: bytes) -> None:
    if (key, value) == ("desk", b"\x02\xff"):
        value = b"\x02"  # there any other byte says busy
    states = [(key, value)]
    if key.startswith("out/"):
        states.append(("peer/burak", encode_peer(Peer("burak"))))
    with pytest.raises(StorageError) as caught:
        restore("ayse", states, MemoryStore().posts)
    assert caught.value.remedy


def test_a_key_package_of_another_version_is_a_storage_error() -> None:
    table = Table("ayse")
    table.stock()
    key, value = next(one for one in table.stores["ayse"].states() if one[0].startswith("package/"))
    assert restore("ayse", [(key, value)], MemoryStore().posts).packages
    with pytest.raises(StorageError):
        restore("ayse", [(key, b"\x07" + value[1:])], MemoryStore().posts)


def test_keys_of_which_half_is_missing_are_a_storage_error() -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "hello")
    states = [(key, value) for key, value in table.stores["ayse"].states() if not key.endswith("/traffic")]
    with pytest.raises(StorageError):
        restore("ayse", states, table.stores["ayse"].posts)


def test_a_peer_of_before_timers_is_read() -> None:
    peer = Peer("burak", count=3, counts=5, told=4, mailed=2)
    new = encode_peer(peer)
    assert decode_peer("burak", new) == peer
    old = bytes((VERSION,)) + new[1:-16]
    assert decode_peer("burak", old) == peer
    later = replace(peer, read=3, timer=Timer(60, 2))
    assert decode_peer("burak", encode_peer(later)) == later
    with pytest.raises(DecodeError):
        decode_peer("burak", bytes((VERSION,)) + new[1:])


def test_a_peer_of_before_it_was_kept_which_post_began_its_group_is_read() -> None:
    peer = Peer("burak", groups=(PairGroup(b"g" * 16, ours=True, turn=False, begun=7),))
    new = encode_peer(peer)
    assert decode_peer("burak", new) == peer
    assert decode_peer("burak", new[:-8]) == replace(peer, groups=(replace(peer.groups[0], begun=0),))
    for groups in ((), peer.groups):
        mailed = replace(peer, groups=groups, mailed=3, mail_until=1_000_000)
        assert decode_peer("burak", encode_peer(mailed)) == mailed
        assert decode_peer("burak", encode_peer(mailed) + bytes(8)) == mailed  # with what a rejection had dropped


def test_what_was_declined_of_each_stream_is_kept() -> None:
    streams = (Stream(b"stream-1", 3, (2, 2)), Stream(b"stream-2", 7, (5,)), Stream(b"stream-3", 1))
    peer = Peer("burak", inbound=Inbound(streams))
    new = encode_peer(peer)
    assert decode_peer("burak", new) == peer
    before = Inbound((streams[0], streams[1]._replace(declined=()), streams[2]))
    assert len(encode_peer(Peer("burak", inbound=before))) < len(new)  # as a home from before has it
    assert decode_peer("burak", encode_peer(Peer("burak", inbound=before))).inbound == before


def test_what_is_to_be_said_again_is_kept() -> None:
    again = Peer("burak", unread=(b"l" * 16, b"m" * 16))
    held = Peer("burak", held=(3, 7))
    for peer in (again, held):
        assert decode_peer("burak", encode_peer(peer)) == peer
        assert len(encode_peer(Peer("burak"))) < len(encode_peer(peer))  # as a home from before has it


def test_a_place_of_before_it_was_kept_what_was_mailed_is_read() -> None:
    lobby = Lobby(b"g" * 16, "ops", "#ops", Stage.MEMBER)
    assert decode_lobby(lobby.group, encode_lobby(lobby), encode_place(lobby)).mailed == {}
    kept = replace(lobby, mailed={"burak": Mailed(7, 4, 1_000_000), "cem": Mailed(9)})
    assert decode_lobby(lobby.group, encode_lobby(kept), encode_place(kept)).mailed == kept.mailed
    assert len(encode_place(kept)) > len(encode_place(lobby))  # who has nobody away writes what it wrote before


def test_a_lobby_of_before_it_was_kept_who_asked_too_is_read() -> None:
    lobby = Lobby(b"g" * 16, "ops", "#ops", Stage.INVITED, "cem")
    kept = replace(lobby, inviters=("deniz", "elif"))
    assert decode_lobby(lobby.group, encode_lobby(kept), b"").inviters == kept.inviters
    assert decode_lobby(lobby.group, encode_lobby(lobby)[:-2], b"").inviters == ()


def test_a_lobby_of_before_it_was_kept_since_when_we_are_asked_is_read() -> None:
    healing = Healing(orphans=(("cem", b"o" * 16),))
    lobby = Lobby(b"g" * 16, "ops", "#ops", Stage.INVITED, "cem", healing=healing, since=1_000_000)
    read = decode_lobby(lobby.group, encode_lobby(lobby), b"")
    assert (read.since, read.healing) == (1_000_000, healing)
    before = replace(lobby, since=0)
    assert decode_lobby(lobby.group, encode_lobby(before), b"").since == 0
    assert len(encode_lobby(before)) < len(encode_lobby(lobby))  # who was not asked writes what it wrote before


def test_states_carry_their_version() -> None:
    assert encode_peer(Peer("burak"))[0] == PEER_VERSION
    _, effects = step(Desk("ayse"), ev.SetBusy(on=True), 1.0, bytes)
    assert effects == (PutState("desk", bytes((VERSION, 1))),)
    assert restore("ayse", [("desk", bytes((VERSION, 1)))], MemoryStore().posts).busy
