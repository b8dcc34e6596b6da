"""Two people: asking, accepting, rejecting, blocking, being busy."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.content import TEXT_BYTES
from conclave.chat.desk import Settings
from conclave.chat.effects import Resend, Send, Status
from conclave.chat.notices import LineMarked, RequestAnswered, RequestArrived
from conclave.chat.pair import OURS, THEIRS, Act, Input, Ours, Theirs
from conclave.errors import LocalError, Refused
from conclave.wire.frames import Ack, Post
from tests.chat.desks import Table


@pytest.fixture
def table() -> Table:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    return table


def answers(table: Table, name: str) -> list[str]:
    return [one.answer for one in table.notices(name, RequestAnswered) if isinstance(one, RequestAnswered)]


def test_the_tables_are_whole() -> None:
    assert {state for state, _ in OURS} == set(Ours)
    assert {state for state, _ in THEIRS} == set(Theirs)
    for state in Ours:
        for what in (Input.MESSAGE, Input.MESSAGE_WHILE_BUSY):
            _, act = OURS[state, what]
            assert sum(flag in act for flag in (Act.TAKE, Act.LEAVE, Act.DROP)) == 1
    for (state, what), (after, _) in OURS.items():
        if what is Input.BLOCK:
            assert after is Ours.BLOCKED
        if state is Ours.BLOCKED:
            assert after is Ours.BLOCKED or what is Input.UNBLOCK


def test_a_first_message_is_a_request_that_can_be_read(table: Table) -> None:
    table.say("ayse", "@burak", "hello")
    assert table.texts("burak", "@ayse") == ["hello"]
    assert table.statuses("ayse", "@burak") == ["delivered"]
    assert views.requests(table.desks["burak"]) == (views.Request("ayse", ""),)
    assert table.notices("burak", RequestArrived) == [RequestArrived("ayse", "")]


def test_accepting_is_told_and_remembered(table: Table) -> None:
    table.say("ayse", "@burak", "hello")
    table.put("burak", ev.AnswerRequest("ayse", accept=True))
    assert answers(table, "ayse") == ["accepted"]
    table.restart("burak")
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "again")
    assert views.requests(table.desks["burak"]) == ()
    assert table.texts("burak", "@ayse") == ["hello", "again"]


def test_answering_with_words_accepts_too(table: Table) -> None:
    table.say("ayse", "@burak", "hello")
    table.say("burak", "@ayse", "hi")
    assert answers(table, "ayse") == ["accepted"]
    assert views.requests(table.desks["ayse"]) == views.requests(table.desks["burak"]) == ()


def test_two_who_write_at_once_accept_each_other() -> None:
    table = Table("ayse", "burak")
    table.say("ayse", "@burak", "one")
    table.say("burak", "@ayse", "two")
    table.link("ayse", "burak")
    assert table.texts("burak", "@ayse") == ["two", "one"]
    assert views.requests(table.desks["burak"]) == ()


def test_a_stranger_says_only_so_much_before_an_answer(table: Table) -> None:
    for number in range(14):
        table.say("ayse", "@burak", str(number))
    assert len(table.texts("burak", "@ayse")) == 10
    assert table.statuses("ayse", "@burak") == ["delivered"] * 10 + ["waiting"] * 4
    table.put("burak", ev.AnswerRequest("ayse", accept=True))
    assert table.texts("burak", "@ayse") == [str(number) for number in range(14)]
    assert set(table.statuses("ayse", "@burak")) == {"delivered"}


def test_rejecting_fails_what_waits_and_what_follows(table: Table) -> None:
    for number in range(12):
        table.say("ayse", "@burak", str(number))
    table.put("burak", ev.AnswerRequest("ayse", accept=False))
    assert answers(table, "ayse") == ["rejected"]
    assert table.statuses("ayse", "@burak") == ["delivered"] * 10 + ["not sent"] * 2
    with pytest.raises(Refused) as caught:
        table.say("ayse", "@burak", "but")
    assert caught.value.reason == "rejected"
    assert caught.value.remedy
    table.wait(10)
    assert views.queued(table.desks["ayse"]) == {}
    assert len(table.texts("burak", "@ayse")) == 10


@pytest.mark.parametrize("how", ["talk", "accept"])
def test_a_rejection_is_taken_back_by_talking_or_accepting(table: Table, how: str) -> None:
    table.say("ayse", "@burak", "hello")
    table.put("burak", ev.AnswerRequest("ayse", accept=False))
    if how == "talk":
        table.say("burak", "@ayse", "sorry")
    else:
        table.put("burak", ev.AnswerRequest("ayse", accept=True))
    table.say("ayse", "@burak", "thanks")
    assert table.texts("burak", "@ayse")[-1] == "thanks"


def test_what_is_dropped_is_never_called_delivered() -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "hello")
    table.cut("ayse", "burak")
    table.say("ayse", "@burak", "lost on the way")
    table.put("burak", ev.AnswerRequest("ayse", accept=False, block=True))
    table.drop = lambda one, _other, frame: one == "burak" and isinstance(frame, Post)  # the rejection is late
    table.link("ayse", "burak")
    assert table.statuses("ayse", "@burak") == ["delivered", "not sent"]
    table.drop = lambda _one, _other, _frame: False
    table.wait(10)
    assert answers(table, "ayse") == ["rejected"]
    assert views.queued(table.desks["ayse"]) == {}


def test_a_failed_line_stays_failed_over_a_restart() -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "hello")
    table.cut("ayse", "burak")
    table.say("ayse", "@burak", "late")
    table.put("burak", ev.AnswerRequest("ayse", accept=False, block=True))
    table.drop = lambda _one, _other, frame: isinstance(frame, Ack)
    table.link("ayse", "burak")
    table.put("burak", ev.Unblock("ayse"))
    table.drop = lambda _one, _other, _frame: False
    table.restart("ayse")
    table.link("ayse", "burak")
    table.wait(20)
    assert table.statuses("ayse", "@burak") == ["delivered", "not sent"]
    assert views.queued(table.desks["ayse"]) == {}


def test_blocked_until_unblocked(table: Table) -> None:
    table.say("ayse", "@burak", "hello")
    table.put("burak", ev.AnswerRequest("ayse", accept=False, block=True))
    for event in (ev.Say("@ayse", b"i" * 16, "hm"), ev.AnswerRequest("ayse", accept=True)):
        with pytest.raises((Refused, LocalError)):
            table.put("burak", event)
    table.put("burak", ev.Unblock("ayse"))
    assert answers(table, "ayse") == ["rejected", "free"]
    table.say("ayse", "@burak", "may I?")
    assert views.requests(table.desks["burak"]) == (views.Request("ayse", ""),)


def test_a_stranger_blocked_beforehand_hears_so_when_it_writes(table: Table) -> None:
    table.put("burak", ev.AnswerRequest("ayse", accept=False, block=True))
    assert table.frames == []
    table.say("ayse", "@burak", "hello")
    assert table.texts("burak", "@ayse") == []
    assert table.statuses("ayse", "@burak") == ["not sent"]


def test_busy_turns_new_requests_away_until_free(table: Table) -> None:
    table.put("burak", ev.SetBusy(on=True))
    table.say("ayse", "@burak", "hello")
    table.say("ayse", "@burak", "hello?")
    assert answers(table, "ayse") == ["busy"]
    assert table.statuses("ayse", "@burak") == ["waiting", "waiting"]
    assert views.turned_away(table.desks["burak"]) == ("ayse",)
    before = len(table.frames)
    for _ in range(20):
        table.wait(60)
    assert len(table.frames) == before
    table.restart("burak")
    table.link("ayse", "burak")
    table.put("burak", ev.SetBusy(on=False))
    assert answers(table, "ayse") == ["busy", "free"]
    assert table.texts("burak", "@ayse") == ["hello", "hello?"]
    assert views.requests(table.desks["burak"]) == (views.Request("ayse", ""),)


def test_busy_does_not_touch_accepted_people(table: Table) -> None:
    table.say("burak", "@ayse", "hello")
    table.put("burak", ev.SetBusy(on=True))
    table.say("ayse", "@burak", "hi")
    assert table.texts("burak", "@ayse") == ["hello", "hi"]


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


def test_the_outbox_is_bounded() -> None:
    table = Table("ayse", "burak", settings=Settings(outbox_posts=5))
    for number in range(5):
        table.say("ayse", "@burak", str(number))
    before = table.desks["ayse"]
    with pytest.raises(Refused) as caught:
        table.say("ayse", "@burak", "one too many")
    assert caught.value.reason == "outbox-full"
    assert table.desks["ayse"] is before
    assert len(table.lines("ayse", "@burak")) == 5


def test_a_peer_that_lost_its_home_is_heard_again(table: Table) -> None:
    table.say("ayse", "@burak", "hello")
    table.put("burak", ev.AnswerRequest("ayse", accept=True))
    fresh = Table("ayse")
    table.cut("ayse", "burak")
    table.desks["ayse"], table.stores["ayse"] = fresh.desks["ayse"], fresh.stores["ayse"]
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "new home")
    assert table.texts("burak", "@ayse") == ["hello", "new home"]
    table.say("burak", "@ayse", "welcome")
    assert table.texts("ayse", "@burak") == ["new home", "welcome"]


def test_a_new_home_of_somebody_rejected_hears_of_it_again(table: Table) -> None:
    table.say("ayse", "@burak", "hello")
    table.put("burak", ev.AnswerRequest("ayse", accept=False))
    fresh = Table("ayse")
    table.cut("ayse", "burak")
    table.desks["ayse"], table.stores["ayse"] = fresh.desks["ayse"], fresh.stores["ayse"]
    table.effects["ayse"].clear()
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "it is me again")
    assert table.statuses("ayse", "@burak") == ["not sent"]
    assert answers(table, "ayse") == ["rejected"]


def test_who_turned_to_us_and_away_again_is_not_written_to(table: Table) -> None:
    table.put("burak", ev.OpenLobby("ops", b"g" * 16, ("ayse",)))
    table.put("burak", ev.AnswerRequest("ayse", accept=False, block=True))
    with pytest.raises(Refused):
        table.say("ayse", "@burak", "what happened?")


@pytest.mark.parametrize(
    "event",
    [
        ev.Say("@burak", b"short", "hello"),
        ev.Say("@burak", b"i" * 16, "  \n"),
        ev.Say("@burak", b"i" * 16, "x" * (TEXT_BYTES + 1)),
        ev.Say("@burak", b"i" * 16, "\ud800"),
        ev.Say("@ayse", b"i" * 16, "to myself"),
        ev.Say("@bu rak", b"i" * 16, "hello"),
        ev.Say("#nothing", b"i" * 16, "hello"),
        ev.AnswerRequest("burak", accept=True),
        ev.AnswerRequest("burak", accept=True, block=True),
        ev.AnswerRequest("burak", accept=True, lobby="ops"),
        ev.Unblock("burak"),
        ev.LeaveLobby("ops"),
        ev.CloseLobby("ops"),
        ev.InviteTo("ops", ("burak",)),
        ev.OpenLobby("Ops!", b"g" * 16, ()),
        ev.OpenLobby("ops", b"g", ()),
        ev.OpenLobby("ops", b"g" * 16, ("ayse",)),
        ev.OpenLobby("ops", b"g" * 16, ("B",)),
    ],
)
def test_a_wrong_command_is_refused_in_words_and_changes_nothing(table: Table, event: ev.Event) -> None:
    before = table.desks["ayse"]
    with pytest.raises((LocalError, Refused)) as caught:
        table.put("ayse", event)
    assert str(caught.value)
    assert table.desks["ayse"] is before


def test_a_message_costs_small_records(table: Table) -> None:
    table.say("burak", "@ayse", "hello")
    table.say("ayse", "@burak", "hi")
    effects = table.put("ayse", ev.Say("@burak", b"i" * 16, "hello"))
    assert [type(one).__name__ for one in effects if not isinstance(one, Send)][:3] == [
        "AddLine",
        "PutPost",
        "PutState",
    ]
    sizes = [len(one.value) for one in effects if type(one).__name__ == "PutState"]  # type: ignore[union-attr]
    assert len(sizes) == 1
    assert sizes[0] < 100
