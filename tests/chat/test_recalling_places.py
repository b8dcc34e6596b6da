"""Who is asked for what is lacked names places: words have none by that from before they were said."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.effects import UnplaceLines
from conclave.node.door.progress import Progress, in_lobby
from conclave.wire.order import Originals
from tests.chat.desks import Table
from tests.chat.room import Room, lacking, shared, signed
from tests.chat.test_said_again import lost
from tests.chat.test_sharing import room

__all__ = ["room"]


def far(table: Table, name: str, identity: bytes) -> Progress:
    """How far a line of ``name`` has come, as its front shows it."""
    (stored,) = [one for one in table.stores[name].lines("#ops", limit=99) if one.line.id == identity]
    return in_lobby(table.view(name), stored, name)


@pytest.mark.parametrize("author", ["ayse", "cem"])
def test_what_has_its_place_by_the_order_gets_none_by_an_answer_from_before_it_was_said(
    room: Room, author: str
) -> None:
    """The place that is named is one that is lacked; the words are not."""
    table, group = room.table, room.group
    table.run(30)
    identity = table.say(author, "#ops", "mine")
    place = {one.id: one.seq for one in table.lines("ayse", "#ops")}[identity]
    original = signed(table, "burak", "#ops", author, identity).encode()
    lacking(table, group, "ayse", (1, 3), source="burak")
    table.put("ayse", ev.Arrived("burak", Originals(group, 1, 3, ((2, original),), whole=True)))
    assert {one.id: one.seq for one in table.lines("ayse", "#ops")}[identity] == place


def test_nobody_is_said_to_have_words_by_what_another_answers(room: Room) -> None:
    """cem is away since before they were said."""
    table, group = room.table, room.group
    table.say("burak", "#ops", "two")
    table.run(30)
    table.reach = lambda one, other: "cem" not in (one, other)
    for other in ("ayse", "burak"):
        table.cut("cem", other)
    identity = table.say("ayse", "#ops", "mine")
    table.run(10)
    assert far(table, "ayse", identity).members["cem"] == "in mailbox"
    original = signed(table, "burak", "#ops", "ayse", identity).encode()
    had = table.view("ayse").marks["cem"].has
    lacking(table, group, "ayse", (had - 1, had + 1), source="burak")
    table.put("ayse", ev.Arrived("burak", Originals(group, had - 1, had + 1, ((had, original),), whole=True)))
    assert far(table, "ayse", identity).members["cem"] == "in mailbox"


def test_words_of_ours_that_are_said_again_get_no_place_by_an_answer_from_before_they_were_said(room: Room) -> None:
    table, group = room.table, room.group
    table.run(30)
    identity = table.say("ayse", "#ops", "mine")
    original = signed(table, "burak", "#ops", "ayse", identity).encode()
    lost(table, group, "ayse", ("ayse", identity))
    table.stores["ayse"].commit([UnplaceLines("#ops", table.view("ayse").seq - 1)])
    lacking(table, group, "ayse", (1, 3), source="burak")
    table.put("ayse", ev.Arrived("burak", Originals(group, 1, 3, ((2, original),), whole=True)))
    shared(room, original)
    assert {one.id: one.seq for one in table.lines("ayse", "#ops")}[identity] == table.view("ayse").seq
