"""What a backup forgets, and what it knows still."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.chat import lobby_records, peer_records, records
from conclave.chat.effects import DropEntries, DropPosts, DropState, MarkLine, PutState
from conclave.chat.lobby_state import Healing, Lobby, Stage, Step
from conclave.chat.pair import Ours, Pair
from conclave.chat.restoring import (
    GONE,
    RESTORED_KEY,
    decode_remains,
    encode_remains,
    forget,
)
from conclave.chat.state import Peer, RemainingLobby, Remains
from conclave.chat.words.content import Timer
from conclave.chat.words.line import Status
from conclave.errors import DecodeError, NotReady
from conclave.lobby import order as orders
from conclave.values import replace

KEPT = {records.DESK_KEY, records.MET_KEY, records.SAFETY_KEY}
"""States that a restored home goes on with."""
OPS, OLD, AGAIN = b"g" * 16, b"h" * 16, b"i" * 16


def states() -> list[tuple[str, bytes]]:
    lobby = Lobby(OPS, "ops", "#ops", Stage.MEMBER, "burak")
    asked = Lobby(b"a" * 16, "new", "#new", Stage.INVITED, "burak")
    ended = Lobby(OLD, "old", "#old", Stage.ENDED, "burak")
    again = Lobby(AGAIN, "past", "#past", Stage.INVITED, "cem", former="burak")
    return [
        ("desk", records.encode_busy(busy=True)),
        ("lobby/" + OPS.hex(), lobby_records.encode_lobby(lobby)),
        ("lobby/" + OLD.hex(), lobby_records.encode_lobby(ended)),
        ("lobby/" + AGAIN.hex(), lobby_records.encode_lobby(again)),
        ("lobby/" + asked.group.hex(), lobby_records.encode_lobby(asked)),
        ("mls/00/epoch", b"keys"),
        ("out/@burak/w/0", b"words"),
        ("package/00", b"keys"),
        ("peer/burak", peer_records.encode_peer(Peer("burak", pair=Pair(Ours.BLOCKED)))),
        ("peer/cem", peer_records.encode_peer(Peer("cem", pair=Pair(Ours.ACCEPTED)))),
        ("peer/deniz", b"\xff of a version that is not known here"),
        ("staged/00", b"keys"),
    ]


def test_every_kind_of_state_is_dropped_or_kept_on_purpose() -> None:
    kinds = {value for name, value in vars(records).items() if name.endswith("_KEY")}
    assert kinds <= set(GONE) | KEPT


def test_what_is_dropped_and_what_remains() -> None:
    made = forget(states(), ["burak"], [OPS], [("@burak", "ayse", b"i" * 16)])
    dropped = {record.key for record in made if isinstance(record, DropState)}
    assert dropped == {key for key, _ in states()} - {"desk"}
    [put] = [record for record in made if isinstance(record, PutState)]
    assert put.key == RESTORED_KEY
    assert decode_remains(put.value) == Remains(
        (("burak", Ours.BLOCKED), ("cem", Ours.ACCEPTED)),
        (
            RemainingLobby(OPS, "ops", "#ops", "burak"),
            RemainingLobby(OLD, "old", "#old", "burak", stage=Stage.ENDED),
            RemainingLobby(AGAIN, "past", "#past", "burak", stage=Stage.ENDED),
        ),
    )
    assert made[-3:] == [
        DropPosts("burak", (1 << 63) - 1),
        DropEntries(OPS),
        MarkLine("@burak", "ayse", b"i" * 16, Status.SENT),
    ]


def test_the_timers_of_pairs_remain() -> None:
    peers = [Peer("burak", timer=Timer(60, 3)), Peer("cem", timer=Timer(0, 2)), Peer("deniz", timer=Timer(30, 1))]
    held = [("peer/" + one.handle, peer_records.encode_peer(one)) for one in peers]
    before = (RESTORED_KEY, encode_remains(Remains(timers=(("cem", 9), ("elif", 5)))))
    put = next(one for one in forget([before, *held], [], [], []) if isinstance(one, PutState))
    assert decode_remains(put.value).timers == (("burak", 60), ("deniz", 30), ("elif", 5))


def test_done_again_it_changes_nothing() -> None:
    [restored] = [record for record in forget(states(), [], [], []) if isinstance(record, PutState)]
    assert forget([("desk", b""), (RESTORED_KEY, restored.value)], [], [], []) == []
    later = [
        (RESTORED_KEY, restored.value),
        ("peer/cem", peer_records.encode_peer(Peer("cem", pair=Pair(Ours.BLOCKED)))),
    ]
    [_, put] = forget(later, [], [], [])
    assert isinstance(put, PutState)
    assert decode_remains(put.value).peers == (("burak", Ours.BLOCKED), ("cem", Ours.BLOCKED))
    assert decode_remains(put.value).lobbies == decode_remains(restored.value).lobbies
    assert forget([], [], [], []) == [PutState(RESTORED_KEY, encode_remains(Remains()))]


def test_what_is_kept_back_from_whom_is_in_a_backup() -> None:
    """What is to be said again, where it stood, who lacks it, and who may have been out when."""
    line = ("ayse", b"i" * 16)
    healing = Healing(
        Step.REJOIN, 7, orphans=(line,), places={line: 5}, apart={line: ("burak",)}, unseen={"cem": ((3, 4), (6, 7))}
    )
    lobby = Lobby(OPS, "ops", "#ops", Stage.MEMBER, healing=healing, order=orders.begin(OPS, "burak"))
    held = [
        ("lobby/" + OPS.hex(), lobby_records.encode_lobby(lobby)),
        ("place/" + OPS.hex(), lobby_records.encode_place(lobby)),
    ]
    [put] = [record for record in forget(held, [], [], []) if isinstance(record, PutState)]
    [one] = decode_remains(put.value).lobbies
    assert (dict(one.places), dict(one.unseen), dict(one.apart)) == (healing.places, healing.unseen, healing.apart)


def test_who_is_yet_to_be_asked_is_in_a_backup_and_one_of_before_that_opens() -> None:
    untold = {"cem": ((3, 4), (6, 9)), "deniz": ((8, 9),)}
    lobby = Lobby(OPS, "ops", "#ops", Stage.MEMBER, order=orders.begin(OPS, "burak"))
    lobby = replace(lobby, healing=Healing(Step.REJOIN, 7, untold=untold))
    held = [
        ("lobby/" + OPS.hex(), lobby_records.encode_lobby(lobby)),
        ("place/" + OPS.hex(), lobby_records.encode_place(lobby)),
    ]
    [put] = [record for record in forget(held, [], [], []) if isinstance(record, PutState)]
    remains = decode_remains(put.value)
    assert remains.lobbies[0].untold == (("cem", ((3, 4), (6, 7))),)
    none = replace(remains, lobbies=(replace(remains.lobbies[0], untold=()),))
    assert decode_remains(encode_remains(none)[:-1]) == none


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_remains_of_any_bytes(data: bytes) -> None:
    with suppress(DecodeError, NotReady):
        remains = decode_remains(data)
        assert decode_remains(encode_remains(remains)) == remains
        assert encode_remains(remains) == data


@pytest.mark.parametrize("bad", [b"", b"\x07\x00\x00\x00", b"\x06\x03\x01a\x09\x00\x00", b"\x06\x00\x00\x00x"])
def test_remains_that_are_none(bad: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_remains(bad)
