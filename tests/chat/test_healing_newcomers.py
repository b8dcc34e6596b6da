"""Somebody came in in a half, behind words that the other half lacks: these reach it all the same."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from tests.chat.desks import together
from tests.chat.test_healing_again import ALL, APART, ask_in, half_that_counts_is_gone
from tests.chat.test_succession import agreed


def test_words_said_before_a_newcomer_came_reach_the_half_that_asked_it_in_too() -> None:
    """ayse says something alone, and lets elif in, whom burak asks in as well while ayse is away."""
    table = together("ayse", "burak", "cem", beside=("elif",))
    table.part({"ayse", "elif"}, {"burak", "cem"})
    table.run(60)
    table.say("ayse", "#ops", "alone")
    ask_in(table, "ayse", "elif")
    table.run(10)
    table.part({"ayse"}, {"burak", "cem", "elif"})
    table.run(60)
    table.put("burak", ev.InviteTo("ops", ("elif",)))
    table.run(30)
    assert "elif" in table.view("burak").roster
    table.part()
    table.run(300)
    for name in ("burak", "cem"):
        assert "alone" in table.words(name)


@pytest.mark.parametrize("leader", ["burak", "elif"])
def test_words_said_before_a_newcomer_came_reach_all_where_the_half_that_counts_is_gone(leader: str) -> None:
    table = together(*ALL, beside=("elif",))
    half_that_counts_is_gone(table, leader)
    table.say(leader, "#ops", "since")
    table.run(60)
    table.part()
    table.run(400)
    agreed(table, *ALL, "elif", lines=False)
    for name in ALL:
        assert [text for text in sorted(table.words(name)) if text != "together"] == sorted([*APART, "since"])
