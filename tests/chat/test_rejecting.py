"""Who is rejected hears of it, and nothing that was under way is lost unseen or takes the rejection back."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.pairs.duet import ASK_AGAIN
from conclave.errors import Refused
from conclave.values import replace
from conclave.wire.delivery import Ack, Post
from conclave.wire.packages import Package
from tests.chat.desks import Table
from tests.chat.test_pair import BEGIN, answers


@pytest.fixture
def table() -> Table:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    return table


@pytest.mark.parametrize("how", ["words", "receipts", "receipts once both know"])
@pytest.mark.parametrize("block", [False, True])
def test_two_who_reject_each_other_while_apart_both_hear_of_it(table: Table, how: str, *, block: bool) -> None:
    table.say("ayse", "@burak", "hello")
    table.say("burak", "@ayse", "hi")
    rejections = (("ayse", "burak"), ("burak", "ayse"))
    if how == "receipts once both know":
        for one, other in rejections:
            table.put(one, ev.AnswerRequest(other, accept=False, block=block))
    table.cut("ayse", "burak")
    for one, other in rejections:
        if how == "words":
            table.say(one, f"@{other}", "my last word")
        else:
            table.put(one, ev.MarkRead(f"@{other}", 1))
        table.put(one, ev.AnswerRequest(other, accept=False, block=block))
    table.link("ayse", "burak")
    for one, other in rejections:
        assert table.statuses(one, f"@{other}") == ["delivered", "not sent"][: 2 if how == "words" else 1]
        assert answers(table, one)[-1] == "rejected"
        assert views.queued(table.desks[one]) == {}
    for one, other in rejections:
        table.put(one, ev.Unblock(other) if block else ev.AnswerRequest(other, accept=True))
    for one, other in rejections:
        table.say(one, f"@{other}", "again")
        assert table.statuses(one, f"@{other}")[-1] == "delivered"


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


@pytest.mark.parametrize("unblocked", [False, True])
def test_what_a_block_dropped_is_known_after_a_restart_and_not_said_again_to_who_unblocked(
    *, unblocked: bool
) -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "hello")
    table.cut("ayse", "burak")
    table.say("ayse", "@burak", "late")
    table.put("burak", ev.AnswerRequest("ayse", accept=False, block=True))
    table.drop = lambda _one, _other, frame: isinstance(frame, Ack)
    table.link("ayse", "burak")
    if unblocked:
        table.put("burak", ev.Unblock("ayse"))
    table.drop = lambda _one, _other, _frame: False
    table.restart("ayse")
    table.link("ayse", "burak")
    table.wait(20)
    assert table.statuses("ayse", "@burak") == ["delivered", "not sent"]
    assert views.requests(table.desks["burak"]) == ()
    assert views.queued(table.desks["ayse"]) == {}


def test_words_keep_their_order_where_a_rejection_is_taken_back_before_all_of_it_is_heard(table: Table) -> None:
    """What was dropped meanwhile is not said again behind what is taken since."""
    table.say("ayse", "@burak", "hello")
    table.cut("ayse", "burak")
    table.say("ayse", "@burak", "dropped")
    table.put("burak", ev.AnswerRequest("ayse", accept=False))
    table.drop = lambda one, _other, frame: one == "burak" and isinstance(frame, Ack)
    table.link("ayse", "burak")
    table.put("burak", ev.AnswerRequest("ayse", accept=True))
    table.say("ayse", "@burak", "taken")
    table.drop = lambda _one, _other, _frame: False
    table.run(2 * ASK_AGAIN)
    assert table.words("burak", "@ayse") == ["hello", "taken"]
    assert table.statuses("ayse", "@burak") == ["delivered", "not sent", "delivered"]
    burak = table.desks["ayse"].peers.get("burak")
    assert burak is not None
    assert [one.dead for one in burak.groups] == [False], "it was no sign that keys were lost"


def test_a_rejection_that_comes_behind_its_first_acknowledgement_is_no_sign_that_keys_were_lost(table: Table) -> None:
    table.say("ayse", "@burak", "hello")
    table.drop = lambda one, _other, frame: one == "burak" and isinstance(frame, Post | Package)
    table.put("burak", ev.AnswerRequest("ayse", accept=False))
    table.say("ayse", "@burak", "but")
    assert table.statuses("ayse", "@burak") == ["delivered", "not sent"]
    table.drop = lambda _one, _other, _frame: False
    table.run(2 * ASK_AGAIN)
    assert answers(table, "ayse") == ["rejected"]
    assert len([one for *_, one in table.frames if isinstance(one, Post) and one.kind is BEGIN]) == 1


def test_a_rejection_ends_the_wait_for_keys(table: Table) -> None:
    table.drop = lambda one, _other, frame: one == "burak" and isinstance(frame, Post | Package)
    table.put("burak", ev.OpenLobby("ops", b"g" * 16, ("ayse",)))
    table.put("burak", ev.AnswerRequest("ayse", accept=False, block=True))
    table.say("ayse", "@burak", "hello")
    assert table.statuses("ayse", "@burak") == ["waiting"]
    table.drop = lambda _one, _other, _frame: False
    table.run(2 * ASK_AGAIN)
    assert answers(table, "ayse") == ["rejected"]
    assert table.statuses("ayse", "@burak") == ["not sent"]


def test_what_waits_for_keys_when_its_author_rejects_does_not_take_that_back(table: Table) -> None:
    table.say("burak", "@ayse", "hello")
    table.say("ayse", "@burak", "hi")
    table.lose_home("ayse")
    table.link("ayse", "burak")
    table.drop = lambda _one, _other, frame: isinstance(frame, Package)
    table.put("ayse", ev.OpenLobby("ops", b"g" * 16, ("burak",)))  # its new home shows that the keys are lost
    table.say("burak", "@ayse", "my last word")
    assert table.statuses("burak", "@ayse")[-1] == "waiting"
    table.put("burak", ev.AnswerRequest("ayse", accept=False))
    assert table.statuses("burak", "@ayse")[-1] == "not sent"
    table.drop = lambda _one, _other, _frame: False
    table.run(2 * ASK_AGAIN)
    with pytest.raises(Refused):
        table.say("ayse", "@burak", "what?")


def test_what_a_lost_home_did_not_read_is_not_said_to_it_by_who_rejected_it_since(table: Table) -> None:
    table.say("burak", "@ayse", "hello")
    table.say("ayse", "@burak", "hi")
    table.put("burak", ev.AnswerRequest("ayse", accept=False))
    table.lose_home("ayse")
    burak = table.desks["burak"].peers.get("ayse")
    assert burak is not None
    line = table.lines("burak", "@ayse")[0].id
    table.desks["burak"] = replace(
        table.desks["burak"], peers=table.desks["burak"].peers.put("ayse", replace(burak, unread=(line,)))
    )
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "it is me again")
    table.run(2 * ASK_AGAIN)
    assert answers(table, "ayse") == ["rejected"]
    assert table.texts("ayse", "@burak")[-1] == "it is me again"


@pytest.mark.parametrize("block", [False, True])
def test_reading_what_somebody_rejected_has_said_tells_it_nothing(table: Table, *, block: bool) -> None:
    table.say("ayse", "@burak", "hello")
    table.say("burak", "@ayse", "hi")
    table.say("ayse", "@burak", "something rude")
    table.put("burak", ev.AnswerRequest("ayse", accept=False, block=block))
    table.put("burak", ev.MarkRead("@ayse", 2))
    assert answers(table, "ayse") == ["accepted", "rejected"]
    assert views.pair(table.desks["ayse"], "burak").read == 0


def test_reading_a_request_does_not_answer_it_and_is_told_once_it_is_accepted(table: Table) -> None:
    table.say("ayse", "@burak", "hello")
    table.put("burak", ev.MarkRead("@ayse", 1))
    assert answers(table, "ayse") == []
    table.put("burak", ev.AnswerRequest("ayse", accept=True))
    table.put("burak", ev.MarkRead("@ayse", 1))
    assert answers(table, "ayse") == ["accepted"]
    assert views.pair(table.desks["ayse"], "burak").read == 1
