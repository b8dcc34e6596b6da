"""Somebody came in in a half, behind words that the other half lacks: these reach it all the same."""

from __future__ import annotations

import pytest

from tests.chat.desks import together
from tests.chat.halves import APART, agreed, half_that_counts_is_gone
from tests.chat.test_healing_again import ALL


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
