"""A desk comes back from its store as it was, and without having all of an outbox in memory."""

from __future__ import annotations

from typing import Any

import pytest

from conclave.chat import events as ev
from conclave.chat.delivery import Inbound, Outbound, Stream
from conclave.chat.desk import Desk, restore, step
from conclave.chat.effects import PutState
from conclave.chat.lobby_records import (
    decode_flying,
    decode_lobby,
    encode_flying,
    encode_lobby,
    encode_place,
    flying_key,
)
from conclave.chat.lobby_state import Ears, Flying, Healing, Intents, Lobby, Mark, Reach, Stage, Step, Voice
from conclave.chat.pair import Ours, Pair, Theirs
from conclave.chat.peer_records import decode_peer, encode_peer
from conclave.chat.records import VERSION
from conclave.chat.restoring import encode_remains
from conclave.chat.resuming import RESTORED_POSTS
from conclave.chat.state import PairGroup, Peer, Remains
from conclave.chat.words.content import Timer
from conclave.chat.words.gaps import Gap
from conclave.errors import DecodeError, NotReady, StorageError
from conclave.lobby import order as orders
from conclave.lobby.shelf import Shelf
from conclave.store.memory import MemoryStore
from conclave.values import replace
from conclave.wire.order import EntryKind, Run
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
@pytest.mark.parametrize("value", [b"", b"\x00", b"\x07", b"\x06\x63" + bytes(90), b"\x06\xff"])
def test_a_state_that_cannot_be_read_is_a_storage_error(key: str, value: bytes) -> None:
    states = [(key, value)]
    if key.startswith("out/"):
        states.append(("peer/burak", encode_peer(Peer("burak"))))
    with pytest.raises(StorageError) as caught:
        restore("ayse", states, MemoryStore().posts)
    assert caught.value.remedy


@pytest.mark.parametrize("version", range(1, VERSION))
@pytest.mark.parametrize("key", ["desk", "peer/burak", "lobby/" + "00" * 16, "met/burak", "safety/burak", "restored"])
def test_a_state_from_before_the_first_release_is_refused_and_it_is_said_what_to_do(key: str, version: int) -> None:
    with pytest.raises(NotReady, match="from before the first release") as caught:
        restore("ayse", [(key, bytes((version, 1)))], MemoryStore().posts)
    assert "begin anew" in caught.value.remedy


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


def test_all_that_is_kept_of_a_peer_is_read() -> None:
    groups = (
        PairGroup(b"g" * 16, ours=True, turn=False, begun=7),
        PairGroup(b"h" * 16, ours=False, turn=True, dead=True, begun=3, answered=True),
    )
    streams = (Stream(b"stream-1", 3, (2, 2)), Stream(b"stream-2", 7, (5,)), Stream(b"stream-3", 1))
    every: tuple[dict[str, Any], ...] = (
        {"out": Outbound(b"stream-0", 9, 4)},
        {"inbound": Inbound(streams)},
        {"pair": Pair(Ours.ACCEPTED, Theirs.REJECTED, 3, told=True)},
        {"groups": groups},
        {"count": 3, "counts": 5, "told": 4, "read": 2},
        {"timer": Timer(60, 2)},
        {"unread": (b"l" * 16, b"m" * 16)},
        {"held": (3, 7)},
        {"mailed": 3, "mail_until": 1_000_000},
        {"passed": {b"o" * 16: True, b"p" * 16: False}},
    )
    everything: dict[str, Any] = {}
    for some in every:
        for fields in (some, everything := everything | some):
            peer = replace(Peer("burak"), **fields)
            assert decode_peer("burak", encode_peer(peer)) == peer
            with pytest.raises(DecodeError):
                decode_peer("burak", encode_peer(peer)[:-1])


def test_all_that_is_kept_of_a_lobby_is_read() -> None:
    line, run = ("cem", b"o" * 16), Run(2, 5, "burak", 3, 9)
    bare = Lobby(b"g" * 16, "ops", "#ops", Stage.INVITED)
    counts, marks = Shelf[str, int]().put("cem", 3), Shelf[str, Mark]().put("cem", Mark(4, 2, ((3, 3),)))
    every: tuple[dict[str, Any], ...] = (
        {"inviter": "cem", "former": "burak", "inviters": ("deniz", "elif"), "asked": ("cem", "burak")},
        {"since": 1_000_000, "hushed": True, "ended": 5.0, "forsaken": 40, "lead": run},
        {"invited": frozenset({"elif"}), "invites": {"elif": 7}},
        {"timer": 60, "timed": 8, "timers_before": ((30, 2),), "timers_ours": (8,), "timers_heard": (2, 8)},
        {"intents": Intents({"elif": b"p"}, {"cem": "by burak"}, ("deniz",), update=True, judged={"cem": 5})},
        {"intents": Intents(deputies=())},
        {
            "healing": Healing(
                step=Step.ENTER, common=4, forked=True, had=3, terms=6, terms_at=7, pull=((2, 3), (7, 7)),
                orphans=(line, ("elif", b"p" * 16)), places={line: 5}, entered={"elif": 3}, met={"cem": 2},
                gone={"deniz": (6, "left")}, owed=frozenset({"deniz"}), anew=frozenset({"elif"}),
                known={b"i" * 16: ("cem", b"o" * 16), b"j" * 16: ("cem", b"")}, unseen={"cem": ((3, 4),)},
                apart={line: ("burak",)},
                untold={"burak": ((4, 5),)},
            )
        },
        {"order": replace(orders.begin(b"g" * 16, "burak"), seq=3, epoch=2, base=1)},
        {"voice": Voice(5, 4)},
        {"ears": Ears(counts, marks, 2, ((1, 1),), 4)},
        {"ears": Ears(counts, marks, 2, ((1, 1),), 4, {"cem": (Gap(2, 2, 0.0), Gap(5, 9, 0.0))})},
        {"mailed": {"burak": Reach(7, 4, 1_000_000), "cem": Reach(9)}},
    )  # fmt: skip
    everything: dict[str, Any] = {}
    for some in every:
        for fields in (some, everything := everything | some):
            lobby = replace(bare, **fields)
            data, place = encode_lobby(lobby), encode_place(lobby)
            found = decode_lobby(lobby.group, data, place)
            assert (encode_lobby(found), encode_place(found)) == (data, place)
            assert replace(found, order=lobby.order, ears=lobby.ears) == lobby  # of these shelves are a part
            for one, other in ((data[:-1], place), (data, place[:-1])):
                with pytest.raises(DecodeError):
                    decode_lobby(lobby.group, one, other)


def test_what_is_handed_in_is_read() -> None:
    flying = Flying(7, EntryKind.COMMIT, 3, b"i" * 16, b"content", b"payload", b"original", (b"f" * 16, b"g" * 16))
    for one in (flying, replace(flying, former=(), id=b"")):
        assert decode_flying(flying_key(b"g" * 16, 7), encode_flying(one)) == one


def test_states_carry_their_version() -> None:
    assert encode_peer(Peer("burak"))[0] == encode_remains(Remains())[0] == VERSION
    _, effects = step(Desk("ayse"), ev.SetBusy(on=True), 1.0, bytes)
    assert effects == (PutState("desk", bytes((VERSION, 1))),)
    assert restore("ayse", [("desk", bytes((VERSION, 1)))], MemoryStore().posts).busy
