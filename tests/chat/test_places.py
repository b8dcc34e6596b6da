"""Whoever comes into a lobby again may have lines with places of another half's order."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from tests.chat.desks import Table, together
from tests.chat.halves import ask_in

REST = ("burak", "cem", "deniz", "elif")
APART = {f"between us {number}" for number in range(60)}


@pytest.fixture
def table() -> Table:
    """burak talked with ayse alone in her half, and is in cem's now; elif came into that one only then."""
    table = together("ayse", "burak", "cem", "deniz", beside=("elif",))
    table.part({"ayse", "burak"}, {"cem", "deniz", "elif"})
    table.run(30)
    for number in range(60):
        table.say("burak", "#ops", f"between us {number}")
    table.run(5)
    table.put("burak", ev.LeaveLobby("ops"))
    table.run(10)
    assert table.stages()["burak"] == "ended"
    table.part({"ayse"}, set(REST))  # ayse is never back
    table.run(30)
    ask_in(table, "cem", "burak")
    table.run(70)
    ask_in(table, "cem", "elif")
    table.run(70)
    assert len({table.view(name).hash for name in REST}) == 1
    assert not APART & {*table.words("elif"), *table.words("deniz")}
    return table


def test_what_was_said_in_another_half_is_not_said_again_where_the_one_come_into_loses(table: Table) -> None:
    table.put("cem", ev.SetDeputies("ops", ("deniz",)))
    table.run(5)
    table.part({"ayse"}, {"burak", "cem"}, {"deniz", "elif"})
    table.say("burak", "#ops", "after all")
    table.run(30)
    assert table.view("elif").leader == "deniz"
    table.part({"ayse"}, set(REST))
    table.run(120)
    assert len({table.view(name).hash for name in REST}) == 1
    assert all("after all" in table.words(name) for name in REST)
    assert not APART & {*table.words("elif"), *table.words("deniz")}


def test_what_was_said_in_another_half_is_not_given_to_who_came_in_later(table: Table) -> None:
    """elif comes in anew, and asks burak, who leads, for what was said meanwhile."""
    table.put("cem", ev.SetDeputies("ops", ("burak",)))
    table.run(5)
    table.part({"ayse"}, {"cem"}, {"burak", "deniz"}, {"elif"})
    table.run(30)
    table.put("burak", ev.SetDeputies("ops", ("burak", "deniz")))
    for number in range(20):
        table.say("burak", "#ops", f"meanwhile {number}")
    table.part({"ayse"}, {"cem", "elif"}, {"burak", "deniz"})
    table.run(30)
    table.put("cem", ev.SetDeputies("ops", ("cem", "elif")))
    table.run(5)
    for half in ({"burak"}, {"deniz"}), ({"burak", "deniz"},):
        table.part({"ayse"}, {"cem", "elif"}, *half)
        table.run(40)
    table.part({"ayse"}, {"cem"}, {"burak", "deniz", "elif"})
    table.run(120)
    assert {f"meanwhile {number}" for number in range(20)} <= set(table.words("elif"))
    assert not APART & set(table.words("elif"))
