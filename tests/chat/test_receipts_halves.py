"""Receipts count entries of an order: those of a half that lost say nothing of the one that counts."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.lobby_state import Mark
from conclave.chat.words.content import Receipt, decode_content
from conclave.node.door.progress import has
from conclave.wire.order import Originals, Recall, Submit
from tests.chat.desks import Table, together
from tests.chat.test_recalling import lost

ONE, OTHER = {"ayse", "burak"}, {"cem", "deniz"}

forked = pytest.mark.parametrize("forked", [False, True], ids=["same keys", "other keys"])


def apart(*, forked: bool) -> Table:
    """ayse and burak are a half that will lose; much was said in it."""
    table = together("ayse", "burak", "cem", "deniz")
    table.part(ONE, OTHER)
    table.run(30)
    if forked:
        table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    for number in range(20):
        table.say("burak", "#ops", f"here {number}")
    table.run(10)
    return table


def place(table: Table, name: str, text: str) -> int:
    """The entry in which that was said, as ``name`` has it."""
    return {one.text: one.seq for one in table.lines(name, "#ops")}[text]


def mark(table: Table, name: str, member: str) -> Mark:
    """What ``name`` knows that ``member`` has."""
    return table.view(name).marks.get(member) or Mark()


@forked
def test_who_is_away_has_nothing_of_the_half_that_counts(forked: bool) -> None:
    table = apart(forked=forked)
    assert mark(table, "ayse", "burak").has > 20
    table.part({"ayse", *OTHER}, {"burak"})
    table.run(60)
    table.say("ayse", "#ops", "new")
    table.run(20)
    assert not has(mark(table, "ayse", "burak"), place(table, "ayse", "new"))


@forked
def test_nobody_has_read_what_the_other_half_said(forked: bool) -> None:
    table = apart(forked=forked)
    table.put("burak", ev.MarkRead("#ops", table.view("burak").seq))
    table.run(10)
    table.say("cem", "#ops", "apart")
    table.run(3)
    table.part()
    table.run(90)
    for number in range(3):
        table.say("deniz", "#ops", f"later {number}")
    table.run(20)
    assert mark(table, "cem", "burak").read < place(table, "cem", "apart") < mark(table, "cem", "burak").has


@forked
def test_what_could_not_be_opened_before_the_halves_parted_lacks_still(forked: bool) -> None:
    table = together("ayse", "burak", "cem", "deniz")
    seq = place(table, "ayse", "together")
    lost(table, table.desks["ayse"].labels["#ops"], "burak", (seq, seq))
    table.part(ONE, OTHER)
    table.run(30)
    table.say("ayse", "#ops", "apart")
    if forked:
        table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    table.run(5)
    table.drop = lambda _one, _other, frame: isinstance(frame, Recall | Originals)
    table.part()
    table.run(60)
    table.say("cem", "#ops", "after")
    table.run(20)
    assert mark(table, "cem", "burak").has > seq
    assert not has(mark(table, "cem", "burak"), seq)


def test_a_receipt_names_what_is_still_asked_for_and_another_says_that_it_came() -> None:
    table = apart(forked=True)
    table.say("cem", "#ops", "apart")
    table.run(3)
    table.drop = lambda one, other, frame: "burak" in (one, other) and isinstance(frame, Recall | Originals)
    table.part()
    table.run(40)
    table.say("deniz", "#ops", "later")
    table.run(30)
    seq = place(table, "cem", "apart")
    assert mark(table, "cem", "burak").has > seq
    assert not has(mark(table, "cem", "burak"), seq)
    assert not has(mark(table, "burak", "burak"), seq)
    table.drop = lambda *_: False
    table.run(60)
    assert "apart" in table.words("burak")
    assert mark(table, "cem", "burak").missing == ()


@forked
def test_a_receipt_that_was_not_ordered_is_not_said_in_another_order(forked: bool) -> None:
    table = apart(forked=forked)
    group = table.desks["ayse"].labels["#ops"]
    table.drop = lambda one, _other, frame: one == "burak" and isinstance(frame, Submit)
    table.say("ayse", "#ops", "another")
    table.run(10)

    def receipts() -> list[bytes]:
        voice = table.state("burak", group).voice
        contents = [one.content for one in (*voice.flying, *voice.waiting) if one.content]
        return [one for one in contents if isinstance(decode_content(one).body, Receipt)]

    (before,) = receipts()
    table.part()
    table.run(30)
    assert table.view("burak").leader == "cem"
    assert before not in receipts()
    table.drop = lambda *_: False
    table.run(60)
    assert mark(table, "cem", "burak").has > place(table, "cem", "another")


def test_what_nobody_could_open_makes_no_line_lack_that_is_there_beside_it() -> None:
    """ayse and burak come in anew where cem and deniz could not open one entry of many."""
    table = together("ayse", "burak", "cem", "deniz")
    group = table.desks["ayse"].labels["#ops"]
    table.part(ONE, OTHER)
    table.run(30)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    words = [f"{number}" for number in range(20)]
    for text in (*words[:10], "unread", *words[10:]):
        table.say("cem", "#ops", text)
    table.run(3)
    unread = place(table, "cem", "unread")
    for name in OTHER:
        lost(table, group, name, (unread, unread))
    table.run(20)
    table.part()
    table.run(120)
    table.say("cem", "#ops", "and now")
    table.run(60)
    for name in ONE:
        seen = mark(table, "cem", name)
        assert [text for text in words if not has(seen, place(table, "cem", text))] == []
        assert not has(seen, unread)
