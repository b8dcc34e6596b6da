"""Receipts of who was out and in again: what was said before it came in it does not have, whoever saw it come."""

from __future__ import annotations

from conclave.chat import events as ev
from conclave.node.door import progress
from tests.chat.desks import Table
from tests.chat.halves import ALL, ask_in
from tests.chat.halves import table as halves

__all__ = ["halves"]


def far(table: Table, identity: bytes, author: str = "ayse") -> dict[str, str]:
    """How far a line has come, as its author reads it."""
    stored = table.stores[author].line("#ops", author, identity)
    assert stored is not None
    return dict(progress.in_lobby(table.view(author), stored, author).members)


def out_and_in(table: Table) -> None:
    """burak's half puts out deniz, who loses its home, and lets it in again; ayse comes in anew, and saw neither."""
    table.part({"ayse", "elif"}, {"burak", "cem"})
    table.run(25)
    assert table.view("burak").leader == "burak"
    ask_in(table, "ayse", "elif")  # a commit in her half: its keys are others
    table.put("burak", ev.RemoveFrom("#ops", "deniz", "away"))
    table.run(5)
    table.lose_home("deniz")
    table.part({"ayse", "elif"}, {"burak", "cem", "deniz"})
    table.run(20)
    table.put("burak", ev.InviteTo("#ops", ("deniz",)))
    table.run(2)
    table.put("deniz", ev.AnswerRequest("burak", accept=True, lobby="#ops"))
    table.run(20)
    assert "deniz" in table.view("burak").roster
    table.part()
    table.run(200)
    table.say("cem", "#ops", "later")
    table.run(60)
    assert {table.view(one).leader for one in ALL} == {"burak"}


def test_what_was_said_before_somebody_came_in_again_is_not_delivered_to_it(halves: Table) -> None:
    table = halves
    table.part({"ayse", "burak", "cem"}, {"deniz"}, {"elif"})
    before = table.say("ayse", "#ops", "before")  # deniz does not hear it
    table.run(8)
    out_and_in(table)
    assert "before" not in table.words("deniz")
    assert far(table, before) == {"burak": "delivered", "cem": "delivered", "deniz": "sent"}
    after = table.say("ayse", "#ops", "after")
    table.run(20)
    assert set(far(table, after).values()) == {"delivered"}


def test_who_was_let_in_in_a_half_that_lost_has_nothing_of_before_for_the_other(halves: Table) -> None:
    table = halves
    table.part({"ayse", "burak", "cem"}, {"deniz"}, {"elif"})
    before = table.say("burak", "#ops", "before")
    table.run(8)
    table.part({"ayse"}, {"burak", "cem"}, {"deniz"})
    table.run(25)
    table.put("ayse", ev.RemoveFrom("#ops", "deniz", "away"))
    table.run(5)
    table.lose_home("deniz")
    table.part({"ayse", "deniz"}, {"burak", "cem"})
    table.run(10)
    ask_in(table, "ayse", "deniz")
    table.run(20)
    assert "deniz" in table.view("ayse").roster
    table.part()
    table.run(200)
    table.say("cem", "#ops", "later")
    table.run(60)
    assert {table.view(one).leader for one in ALL} == {"burak"}
    assert table.words("deniz") == ["later"]
    assert far(table, before, "burak") == {"ayse": "delivered", "cem": "delivered", "deniz": "sent"}
    after = table.say("burak", "#ops", "after")
    table.run(20)
    assert set(far(table, after, "burak").values()) == {"delivered"}


def test_what_somebody_told_to_have_before_it_was_out_is_delivered_still(halves: Table) -> None:
    table = halves
    had = table.say("ayse", "#ops", "had")
    table.run(20)
    assert far(table, had)["deniz"] == "delivered"
    table.part({"ayse", "burak", "cem"}, {"deniz"}, {"elif"})
    table.run(8)
    out_and_in(table)
    assert far(table, had)["deniz"] == "delivered"


def test_who_came_in_later_lacks_nothing_for_those_who_saw_it_come(halves: Table) -> None:
    table = halves
    ask_in(table, "ayse", "elif")
    table.say("burak", "#ops", "later")
    table.run(20)
    for name in ALL:
        assert table.view(name).marks["elif"].missing == ()
        assert progress.has(table.view(name).marks["elif"], table.view(name).words)
