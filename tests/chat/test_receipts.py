"""Receipts: who has what, who has read what, in how many messages."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.lobbies import lacks
from conclave.chat.notices import Receipted
from conclave.chat.settings import Settings
from conclave.values import replace
from conclave.wire.order import Have, Ordered, Submit
from tests.chat.desks import Table
from tests.chat.room import Room


def lobby(*members: str, settings: Settings | None = None) -> Table:
    table = Table("ayse", *members, settings=settings)
    for one in members:
        table.link("ayse", one)
    table.lobby("ayse", *members)
    table.run(90, 10)
    return table


def submits(table: Table) -> int:
    return sum(isinstance(frame, Submit) for *_, frame in table.frames)


def test_every_members_device_tells_what_it_has() -> None:
    table = lobby("burak", "cem")
    table.cut("ayse", "cem")
    table.say("ayse", "#ops", "one")
    seq = table.view("ayse").seq
    table.wait(4)
    table.wait(4)
    marks = table.view("ayse").marks
    assert marks["burak"].has >= seq
    assert "cem" not in marks or marks["cem"].has < seq
    told = [one for one in table.notices("ayse", Receipted) if isinstance(one, Receipted)]
    assert [one for one in told if one.member == "burak" and one.has >= seq]
    table.link("ayse", "cem")
    table.run(10, 2)
    assert table.view("ayse").marks["cem"].has >= seq
    assert table.view("burak").marks["cem"].has >= seq


def test_many_messages_are_one_receipt_and_a_receipt_is_for_none() -> None:
    table = lobby("burak", "cem")
    before = submits(table)
    for number in range(40):
        table.say("ayse", "#ops", str(number))
    table.run(60, 2)
    assert submits(table) - before == 2  # one of burak, one of cem
    table.run(600, 10)
    assert submits(table) - before == 2


def test_what_was_read_is_told_to_all() -> None:
    table = lobby("burak", "cem")
    table.say("ayse", "#ops", "one")
    seq = table.lines("burak", "#ops")[-1].seq
    table.put("burak", ev.MarkRead("#ops", seq))
    table.run(10, 2)
    assert table.view("ayse").marks["burak"].read == seq
    assert table.view("cem").marks["burak"].read == seq
    assert table.view("ayse").marks["cem"].read == 0


def test_what_was_read_is_not_told_where_that_is_switched_off() -> None:
    table = lobby("burak", settings=Settings(read_receipts=False))
    table.say("ayse", "#ops", "one")
    table.put("burak", ev.MarkRead("#ops", table.view("burak").seq))
    table.run(20, 2)
    assert table.view("ayse").marks["burak"].read == 0
    assert table.view("ayse").marks["burak"].has > 0


def test_what_could_not_be_opened_is_named() -> None:
    table = lobby("burak", "cem")
    entries: list[Ordered] = []

    def spoil(_: str, other: str, frame: object) -> bool:
        if other == "burak" and isinstance(frame, Ordered):
            entries.append(frame)
            return True
        return False

    table.drop = spoil
    table.say("ayse", "#ops", "spoilt")
    table.drop = lambda _one, _other, _frame: False
    table.step("burak", ev.Arrived("ayse", replace(entries[0], payload=b"junk")))
    assert table.view("burak").marks["burak"].missing == ((entries[0].seq, entries[0].seq),)


def test_a_receipt_claims_no_more_than_there_is() -> None:
    table = lobby("burak")
    table.say("ayse", "#ops", "one")
    table.put("burak", ev.MarkRead("#ops", 1 << 60))
    table.run(10, 2)
    mark = table.view("ayse").marks["burak"]
    assert max(mark.has, mark.read) <= table.view("ayse").seq


@pytest.mark.parametrize("members", [3, 30])
def test_receipts_of_large_lobbies_are_spread_over_more_time(members: int) -> None:
    table = lobby(*(f"p{number}" for number in range(members)))
    table.say("ayse", "#ops", "one")
    dues = [table.state(f"p{n}", table.desks["ayse"].labels["#ops"]).ears.due - table.now for n in range(members)]
    assert max(dues) <= table.settings.receipt_after * 1.5 * max(1.0, (members + 1) / 10)
    assert len(set(dues)) == members


@pytest.mark.parametrize(("window", "most"), [(256, 0), (16, 5)])
def test_of_many_words_at_once_the_leader_is_told_once_and_knows_all_by_its_next_head(window: int, most: int) -> None:
    table = Table("ayse", "burak", settings=Settings(push_window=window))
    table.link("ayse", "burak")
    group = table.lobby("ayse", "burak")
    table.wait(3.0)
    before = len(table.frames)
    for number in range(16):
        table.say("ayse", "#ops", f"{number}")
    told = [frame for one, _, frame in table.frames[before:] if one == "burak" and isinstance(frame, Have)]
    assert len(told) <= most
    for _ in range(3):  # receipts come in between
        table.wait(3.0)
    lobby = table.state("ayse", group)
    people = lobby.watch.followers
    assert lobby.order is not None
    assert people is not None
    assert [one.have for one in people.values()] == [lobby.order.seq]


def test_words_among_anothers_that_are_no_content_are_not_told_as_lacking() -> None:
    room = Room()
    table = room.table
    said = []
    for number in range(lacks.RANGES + 10):
        room.submit(b"sealed and signed rightly, and nothing that can be read")
        said.append(table.say("cem", "#ops", f"word {number}"))
    table.run(50, 5)
    places = {one.id: one.seq for one in table.lines("ayse", "#ops")}
    mark = table.view("cem").marks["ayse"]
    assert mark.missing == ()
    assert all(mark.covers(places[one]) for one in said)
