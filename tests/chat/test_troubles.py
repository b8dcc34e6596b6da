"""What is told of who misbehaves: once in a while, and no noise hides that words were kept back or changed."""

from __future__ import annotations

from conclave.chat import events as ev
from conclave.chat.lobby_state import Lobby
from conclave.chat.words.content import Content, Seen, encode_content
from conclave.values import replace
from conclave.wire.order import Head, Ordered, Run
from tests.chat.desks import Table
from tests.chat.room import Room
from tests.chat.test_hostile_leader import held, table
from tests.chat.test_sharing import room

__all__ = ["room", "table"]


def shown(table: Table, entry: Ordered) -> None:
    """burak has it of the leader, behind what it has."""
    order = table.state("burak", entry.group).order
    assert order is not None
    table.step("burak", ev.Arrived("ayse", replace(entry, seq=order.seq + 1, previous=order.hash)))


def test_a_leader_hides_by_no_noise_that_it_shows_two_orders(table: Table) -> None:
    (entry,) = held(table, "burak", "ayse", "for cem alone")
    shown(table, replace(entry, payload=entry.payload[:-1] + bytes([entry.payload[-1] ^ 1])))
    noise = Head(entry.group, 1, bytes(32), (Run(1 << 31, 0, "ayse", 1, 1),))
    for _ in range(3):
        table.now += 100
        honest = [one for one in held(table, "burak", "cem", "where I stand") if one.sender == "cem"][-1]
        for _ in range(5):
            table.step("burak", ev.Arrived("ayse", noise))
        shown(table, honest)
    assert table.words("burak")[-1] == "where I stand"
    told = table.troubles("burak")
    assert any("claims a term" in one for one in told)
    assert any("another order than we" in one for one in told)


def test_a_member_hides_by_no_lies_that_another_was_shown_another_order(room: Room) -> None:
    table = room.table
    table.run(70, 10)
    for _ in range(4):
        ours = table.state("burak", room.group).order
        assert ours is not None
        lie = Content(table.random(16), 0, table.now, Seen())
        room.submit(encode_content(lie), order=replace(ours, hash=b"y" * 32))
        kept = table.state("cem", room.group)
        assert kept.order is not None
        _has(
            table, replace(kept, order=replace(kept.order, hash=b"x" * 32))
        )  # what its leader, ayse's device, shows it
        drop, table.drop = table.drop, lambda one, other, _frame: (one, other) == ("ayse", "cem")
        table.say("cem", "#ops", "said")
        table.drop = drop
        _has(table, replace(table.state("cem", room.group), order=kept.order))
        table.run(61, 1)
    assert any("cem says that it was shown another order" in one for one in table.troubles("ayse"))


def _has(table: Table, lobby: Lobby) -> None:
    desk = table.desks["cem"]
    table.desks["cem"] = replace(desk, lobbies=desk.lobbies.put(lobby.group, lobby))
