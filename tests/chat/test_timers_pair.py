"""A pair's timer holds for what is said by who does not know it: a home that was lost, or came from a backup."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.words.content import NEVER, Text, Timer
from tests.chat.desks import Table, acquainted
from tests.chat.halves import restored

HOUR = 3600


@pytest.fixture
def table() -> Table:
    table = acquainted()
    set_timer(table, "ayse", "@burak", HOUR)
    table.run(10)
    return table


def set_timer(table: Table, name: str, where: str, seconds: int) -> None:
    table.put(name, ev.Utter(where, table.random(16), Timer(seconds)))


def another_home(table: Table, how: str) -> None:
    """ayse comes with another home, which has keys to be had."""
    if how == "restored":
        restored(table, "ayse")
    else:
        table.lose_home("ayse")
    table.published.pop("ayse", None)
    table.stock("ayse")


def expiring(table: Table, name: str, other: str) -> dict[str, bool]:
    return {one.text: one.expires > 0 for one in table.lines(name, "@" + other) if one.text in ("a secret", "ours")}


def timers(table: Table) -> list[int]:
    pairs = (("ayse", "burak"), ("burak", "ayse"))
    return [one.timer.seconds for name, other in pairs if (one := table.desks[name].peers.get(other)) is not None]


@pytest.mark.parametrize("how", ["restored", "lost"])
def test_what_another_home_says_first_disappears(table: Table, how: str) -> None:
    another_home(table, how)
    table.say("ayse", "@burak", "a secret")
    table.link("ayse", "burak")
    table.run(100, 5)
    table.say("burak", "@ayse", "ours")
    assert timers(table) == [HOUR, HOUR]
    assert expiring(table, "burak", "ayse") == {"a secret": True, "ours": True}
    assert expiring(table, "ayse", "burak") == {"a secret": how == "restored", "ours": True}
    assert sum("disappear" in text for text in table.texts("ayse", "@burak")) == 1  # as it was set, or said again


@pytest.mark.parametrize("since", [0, 60, 2 * HOUR])
def test_what_was_agreed_since_the_backup_counts(table: Table, since: int) -> None:
    table.cut("ayse", "burak")
    set_timer(table, "burak", "@ayse", since)
    another_home(table, "restored")
    table.say("ayse", "@burak", "a secret")
    table.link("ayse", "burak")
    table.run(100, 5)
    table.say("ayse", "@burak", "ours")
    assert timers(table) == [since, since]
    assert expiring(table, "ayse", "burak")["ours"] is (since > 0)


def test_what_is_said_to_be_kept_is(table: Table) -> None:
    table.put("burak", ev.Utter("@ayse", table.random(16), Text("a secret", None, NEVER)))
    assert expiring(table, "ayse", "burak") == {"a secret": False}
