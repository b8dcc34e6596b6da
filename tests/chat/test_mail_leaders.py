"""What a lobby's members and leaders leave for each other while leaders, and epochs, change."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.wire.order import Submit
from tests.chat.desks import Table, together


@pytest.fixture
def table() -> Table:
    """A lobby of four that ayse leads, with an authority that keeps mail for two weeks."""
    table = together("ayse", "burak", "cem", "deniz")
    table.mail_life = 14 * 86_400.0
    table.stock()
    table.run(10)
    return table


def fetched(table: Table, *names: str) -> None:
    """Each in turn fetches what was left for it by now, twice."""
    for name in names * 2:
        table.run(60, 5)
        table.collect(name)


@pytest.mark.parametrize("commits", [1, 6])
def test_words_left_for_the_leader_in_an_epoch_that_is_over_come(table: Table, commits: int) -> None:
    table.part({"ayse", "cem", "deniz"}, {"burak"})
    table.say("burak", "#ops", "one")
    table.run(60, 2)
    for number in range(commits):
        table.put("ayse", ev.SetDeputies("ops", (("cem",), ("deniz",))[number % 2]))
        table.run(2)
    fetched(table, "ayse", "burak", "ayse")
    table.say("burak", "#ops", "two")
    fetched(table, "ayse", "burak")
    assert table.words("cem")[-2:] == ["one", "two"]
    assert table.statuses("burak", "#ops")[-2:] == ["sent", "sent"]


def test_words_behind_a_commit_that_came_too_late_come(table: Table) -> None:
    """burak's link breaks with a commit of his under way, and another is ordered before it."""
    table.drop = lambda one, _, frame: one == "burak" and isinstance(frame, Submit)
    table.put("burak", ev.SetDeputies("ops", ("deniz",)))
    table.part({"ayse", "cem", "deniz"}, {"burak"})
    table.drop = lambda *_: False
    table.put("ayse", ev.SetDeputies("ops", ("cem",)))
    table.say("burak", "#ops", "one")
    table.run(60, 2)
    fetched(table, "ayse", "burak", "ayse")
    assert table.words("cem")[-1] == "one"
