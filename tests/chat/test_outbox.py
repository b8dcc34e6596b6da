"""The outbox: words wait for who is away, leave in windows, and are bounded."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.deeds import Resend
from conclave.chat.desk import Settings
from conclave.chat.effects import AddLine, PutPost, PutState
from conclave.chat.notices import LineMarked
from conclave.chat.words.line import Status
from conclave.errors import Refused
from conclave.wire.delivery import Ack
from tests.chat.desks import Table


@pytest.fixture
def table() -> Table:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    return table


def test_words_for_somebody_away_wait_and_the_link_is_wanted_until_then() -> None:
    table = Table("ayse", "burak")
    table.say("ayse", "@burak", "hello")
    assert table.wants("ayse") == {"burak"}
    table.restart("ayse")
    assert table.wants("ayse") == {"burak"}
    table.link("ayse", "burak")
    assert table.statuses("ayse", "@burak") == ["delivered"]
    assert table.wants("ayse") == set()
    marks = [one for one in table.notices("ayse", LineMarked) if isinstance(one, LineMarked)]
    assert [one.status for one in marks] == [Status.DELIVERED]


def test_a_lost_acknowledgement_shows_nothing_twice(table: Table) -> None:
    table.drop = lambda _one, _other, frame: isinstance(frame, Ack)
    table.say("ayse", "@burak", "hello")
    table.drop = lambda _one, _other, _frame: False
    assert table.statuses("ayse", "@burak") == ["waiting"]
    table.wait(10)
    assert table.statuses("ayse", "@burak") == ["delivered"]
    assert table.texts("burak", "@ayse") == ["hello"]


def test_many_waiting_words_leave_in_windows() -> None:
    table = Table("ayse", "burak")
    table.say("burak", "@ayse", "ask me")
    for number in range(50):
        table.say("ayse", "@burak", str(number))
    table.link("ayse", "burak", window=8)
    assert table.texts("burak", "@ayse")[1:] == [str(number) for number in range(50)]
    resends = [one for one in table.effects["ayse"] if isinstance(one, Resend)]
    assert max(one.count for one in resends) <= 8
    assert len(resends) <= 14


@pytest.mark.parametrize("keys", [False, True], ids=["before there are keys", "with keys"])
def test_the_outbox_is_bounded(*, keys: bool) -> None:
    table = Table("ayse", "burak", settings=Settings(outbox_posts=5))
    if keys:
        table.stock("burak")
    room = 4 if keys else 5  # the group's beginning is a post too
    for number in range(room):
        table.say("ayse", "@burak", str(number))
    before = table.desks["ayse"]
    with pytest.raises(Refused) as caught:
        table.say("ayse", "@burak", "one too many")
    assert caught.value.reason == "outbox-full"
    assert table.desks["ayse"] is before
    assert len(table.lines("ayse", "@burak")) == room


def test_a_message_costs_small_records(table: Table) -> None:
    table.say("burak", "@ayse", "hello")
    table.say("ayse", "@burak", "hi")
    effects = table.put("ayse", ev.Say("@burak", b"i" * 16, "hello"))
    assert [type(one) for one in effects[:2]] == [AddLine, PutPost]
    states = {one.key.partition("/")[0]: len(one.value) for one in effects if isinstance(one, PutState)}
    assert set(states) == {"peer", "mls"}
    assert states["peer"] < 150
    assert states["mls"] < 500
