"""What a lost home could not read is said to the next one again: not sent where it cannot be, read once it is."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.deeds import Recollect
from conclave.chat.effects import EraseLine, PutPost
from conclave.chat.reading import recollected
from conclave.node.door import progress
from conclave.values import replace
from conclave.wire.delivery import Ack
from tests.chat.desks import Table, acquainted


@pytest.fixture
def table() -> Table:
    """What burak said to a home that ayse lost is declined by the next one, and burak has not heard so."""
    table = acquainted()
    table.cut("ayse", "burak")
    table.say("burak", "@ayse", "to your lost home")
    table.lose_home("ayse")
    table.published.pop("ayse", None)
    table.stock("ayse")
    table.drop = lambda one, _, frame: one == "ayse" and isinstance(frame, Ack)
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "I lost everything")
    table.say("burak", "@ayse", "oh")
    table.run(5)
    assert table.words("ayse", "@burak") == ["I lost everything", "oh"]
    return table


def told(table: Table, text: str) -> str:
    """How far burak's line came, as burak is shown it."""
    lines = table.stores["burak"].lines("@ayse", limit=100)
    (line,) = [one for one in lines if one.line.text == text]
    return progress.in_pair(line, "ayse", "burak", views.pair(table.desks["burak"], "ayse").read).words


def reads(table: Table) -> None:
    """ayse reads all that is on the screen."""
    table.put("ayse", ev.MarkRead("@burak", max(one.seq for one in table.lines("ayse", "@burak"))))


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_it_is_read_no_sooner_than_something_that_was_said_behind_it(
    table: Table, *, late: bool, restarted: bool
) -> None:
    if not late:
        reads(table)
        table.drop = lambda *_: False
    else:  # while it is under way
        table.drop = lambda one, other, frame: other == "ayse" and not isinstance(frame, Ack)
        table.run(30, 5)
        reads(table)
        table.drop = lambda *_: False
    if restarted:
        table.restart("burak")
    table.run(60, 5)
    assert table.words("ayse", "@burak") == ["I lost everything", "oh", "to your lost home"]
    assert told(table, "to your lost home") == "delivered"
    table.say("burak", "@ayse", "all is well")
    assert told(table, "to your lost home") == "delivered"
    reads(table)
    assert {told(table, one) for one in ("oh", "to your lost home", "all is well")} == {"read"}


def test_what_is_kept_no_more_is_not_sent(table: Table) -> None:
    (line,) = [one.id for one in table.lines("burak", "@ayse") if one.text == "to your lost home"]
    table.stores["burak"].commit([EraseLine("@ayse", "burak", line)])
    table.drop = lambda *_: False
    table.run(60, 5)
    assert [one.status.value for one in table.lines("burak", "@ayse") if one.id == line] == ["not sent"]


@pytest.mark.parametrize("event", [ev.AnswerRequest("ayse", accept=False), ev.Expelled("ayse", "removed")])
def test_to_who_is_rejected_or_shut_out_meanwhile_it_is_not_said(event: ev.Event) -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "hello")
    line = table.say("burak", "@ayse", "hi")
    desk = table.desks["burak"]
    ayse = desk.peers.get("ayse")
    assert ayse is not None
    ayse = replace(ayse, unread=(line,), recollecting=True)  # it is being read
    table.desks["burak"] = replace(desk, peers=desk.peers.put("ayse", ayse))
    table.put("burak", event)
    items = recollected(table.stores["burak"], Recollect(b"", "@ayse", (("burak", line),)))
    table.effects["burak"].clear()
    table.put("burak", items)
    assert table.statuses("burak", "@ayse") == ["not sent"]
    assert not any(isinstance(one, PutPost) for one in table.effects["burak"])
