"""What was dropped is told so, though the acknowledgement was lost and mail of an older home came since."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.work import Work
from conclave.wire.delivery import Ack
from tests.chat.desks import Table, acquainted


@pytest.fixture
def table() -> Table:
    """burak lost a home that had left something for ayse, which is still there."""
    table = acquainted()
    table.cut("ayse", "burak")
    table.say("burak", "@ayse", "by mail, of the first home")
    table.wait(10)
    assert table.mail["ayse"]
    table.lose_home("burak")
    table.stock("burak")
    return table


def linked_unheard(table: Table) -> None:
    """A link over which ayse takes what there is, and nothing that it acknowledges arrives."""
    table.drop = lambda _one, _other, frame: isinstance(frame, Ack)
    table.link("ayse", "burak")
    table.cut("ayse", "burak")
    table.drop = lambda *_: False


def statuses(table: Table) -> dict[str, str]:
    return {one.text: one.status.value for one in table.lines("burak", "@ayse")}


@pytest.mark.parametrize("late", [False, True])
def test_what_somebody_blocked_said_is_not_called_delivered(table: Table, *, late: bool) -> None:
    table.link("ayse", "burak")
    table.say("burak", "@ayse", "my home is another")
    table.cut("ayse", "burak")
    table.put("ayse", ev.AnswerRequest("burak", accept=False, block=True))
    table.say("burak", "@ayse", "dropped by ayse")
    linked_unheard(table)
    if late:
        table.collect("ayse")
    table.link("ayse", "burak")
    table.wait(20)
    assert "dropped by ayse" not in table.words("ayse", "@burak")
    assert statuses(table)["dropped by ayse"] == "not sent"


@pytest.mark.parametrize("late", [False, True])
def test_what_could_not_be_read_is_said_again(table: Table, *, late: bool) -> None:
    table.say("burak", "@ayse", "by a home that nobody knows yet")
    work = Work(table.desks["ayse"], table.now, table.random)
    for reference, _ in work.packages():  # the one that it is said to is used up
        work.drop_package(reference)
    table.desks["ayse"], *_ = work.done()
    linked_unheard(table)
    assert "by a home that nobody knows yet" not in table.words("ayse", "@burak")
    if late:
        table.collect("ayse")
    table.link("ayse", "burak")
    table.run(100, 5)
    assert "by a home that nobody knows yet" in table.words("ayse", "@burak")
    assert statuses(table)["by a home that nobody knows yet"] == "delivered"
