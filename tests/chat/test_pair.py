"""Two people: asking, accepting, rejecting, blocking, being busy."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.delivery import Fate
from conclave.chat.notices import RequestAnswered, RequestArrived
from conclave.chat.pair import OURS, THEIRS, Act, Input, Ours, Theirs
from conclave.chat.pairs import duet
from conclave.chat.pairs.duet import ASK_AGAIN
from conclave.chat.words.content import WORDS_BYTES
from conclave.errors import LocalError, Refused
from conclave.wire.delivery import Post, PostKind
from conclave.wire.posts import Answer, Choice, Message, open_post, pack_parcel
from tests.chat.desks import Table

BEGIN = PostKind.BEGIN


@pytest.fixture
def table() -> Table:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    return table


def answers(table: Table, name: str) -> list[str]:
    return [one.answer for one in table.notices(name, RequestAnswered) if isinstance(one, RequestAnswered)]


def said(table: Table) -> int:
    """How often words were sent."""
    return sum(isinstance(frame, Post) and frame.kind is PostKind.MESSAGE for *_, frame in table.frames)


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


def test_who_drops_what_is_said_and_never_says_why_is_not_begun_with_without_end(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duet, "heard", lambda *_: Fate.DECLINED)
    for number in range(5):
        table.say("ayse", "@burak", str(number))
    table.run(2 * ASK_AGAIN)
    assert table.statuses("ayse", "@burak") == ["not sent"] * 5
    begun = [one for who, _, one in table.frames if who == "ayse" and isinstance(one, Post) and one.kind is BEGIN]
    assert len({(one.stream, one.number) for one in begun}) <= 1 + 4
    lines = table.lines("ayse", "@burak")
    said = [
        open_post(one)
        for who, _, one in table.frames
        if who == "ayse" and isinstance(one, Post) and one.kind is PostKind.MESSAGE
    ]
    assert all(sum(isinstance(one, Message) and one.id == line.id for one in said) <= 2 for line in lines)


def test_who_was_suspended_before_it_heard_of_its_rejection_hears_of_it(table: Table) -> None:
    table.say("ayse", "@burak", "hello")
    table.cut("ayse", "burak")
    table.put("burak", ev.AnswerRequest("ayse", accept=False))
    table.put("burak", ev.Expelled("ayse", "suspended"))
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "but")
    assert answers(table, "ayse") == ["rejected"]


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
    before = said(table)
    for _ in range(20):
        table.wait(60)
    assert said(table) == before
    table.restart("burak")
    table.link("ayse", "burak")
    table.put("burak", ev.SetBusy(on=False))
    assert answers(table, "ayse") == ["busy", "free"]
    assert table.texts("burak", "@ayse") == ["hello", "hello?"]
    assert views.requests(table.desks["burak"]) == (views.Request("ayse", ""),)


def test_what_nobody_asked_is_told_as_no_answer(table: Table) -> None:
    for first in (Choice.ACCEPT, Choice.BUSY):
        for number, choice in enumerate((first, Choice.BUSY, Choice.FREE, Choice.BUSY, Choice.ACCEPT), 1):
            kind, body = pack_parcel(Answer(b"", choice))
            table.put("ayse", ev.Arrived("burak", Post(first.name.encode().ljust(8), number, number, kind, body)))
    assert answers(table, "ayse") == []


def test_busy_does_not_touch_accepted_people(table: Table) -> None:
    table.say("burak", "@ayse", "hello")
    table.put("burak", ev.SetBusy(on=True))
    table.say("ayse", "@burak", "hi")
    assert table.texts("burak", "@ayse") == ["hello", "hi"]


def test_a_new_home_of_somebody_rejected_hears_of_it_again(table: Table) -> None:
    table.say("ayse", "@burak", "hello")
    table.put("burak", ev.AnswerRequest("ayse", accept=False))
    table.lose_home("ayse")
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
        ev.Say("@burak", b"i" * 16, "x" * (WORDS_BYTES + 1)),
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
