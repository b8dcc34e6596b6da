"""Following an order: catching up from whoever has it, slow members, gaps, and what a revoked one means."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.deeds import Deposit, DepositEntries, Send
from conclave.chat.settings import Settings
from conclave.lobby import order as orders
from conclave.values import replace
from conclave.wire.order import EntryKind, Fetch, Ordered
from tests.chat.desks import Table, together

ALL = ("ayse", "burak", "cem", "deniz")


def order_of(table: Table, name: str) -> orders.Order:
    order = table.state(name, table.desks[name].labels["#ops"]).order
    assert order is not None
    return order


@pytest.fixture
def table() -> Table:
    table = Table(*ALL)
    for one in ALL[1:]:
        table.link("ayse", one)
    table.lobby("ayse", "burak", "cem")
    return table


def test_a_member_that_was_away_catches_up(table: Table) -> None:
    table.cut("ayse", "burak")
    for number in range(600):
        table.say("ayse", "#ops", str(number))
    table.restart("burak")
    table.link("ayse", "burak")
    assert table.words("burak") == table.words("cem") == [str(number) for number in range(600)]
    table.run(10, 2)
    assert table.view("ayse").marks["burak"].has >= 600


def test_a_member_catches_up_from_any_member_while_the_leader_is_gone(table: Table) -> None:
    table.cut("ayse", "burak")
    table.say("ayse", "#ops", "while burak was away")
    table.cut("ayse", "cem")
    table.restart("burak")
    table.link("burak", "cem")
    table.wait(1)
    assert table.words("burak") == ["while burak was away"]
    assert table.view("burak").leader == "ayse"


def test_a_slow_member_costs_nothing_and_the_others_notice_nothing() -> None:
    table = Table(*ALL, settings=Settings(push_window=8))
    for one in ALL[1:]:
        table.link("ayse", one)
    table.lobby("ayse", "burak", "cem")
    table.run(90, 10)
    table.drop = lambda _one, other, frame: other == "burak" and isinstance(frame, Ordered)
    sent = 0
    for number in range(50):
        effects = table.put("ayse", ev.Say("#ops", table.random(16), str(number)))
        sent += sum(isinstance(one, Send) and one.peer == "burak" for one in effects)
    assert sent <= 9
    assert len(table.words("cem")) == 50
    table.drop = lambda _one, _other, _frame: False
    table.run(12, 3)
    assert table.words("burak") == table.words("cem")
    table.say("ayse", "#ops", "live again")
    assert table.words("burak")[-1] == "live again"


def test_a_gap_is_fetched_once_and_again_after_a_while(table: Table) -> None:
    table.run(90, 10)
    lost = [True]
    table.drop = lambda _one, other, frame: other == "burak" and isinstance(frame, Ordered) and lost[0]
    table.say("ayse", "#ops", "lost")
    gap = table.view("ayse").seq
    lost[0] = False
    table.drop = lambda _one, other, frame: (
        (other == "ayse" and isinstance(frame, Fetch))
        or (other == "burak" and isinstance(frame, Ordered) and frame.seq == gap)
    )
    before = sum(isinstance(one, Send) and isinstance(one.frame, Fetch) for one in table.effects["burak"])
    for number in range(5):
        table.say("ayse", "#ops", str(number))
    after = sum(isinstance(one, Send) and isinstance(one.frame, Fetch) for one in table.effects["burak"])
    assert after - before == 1
    table.drop = lambda _one, _other, _frame: False
    table.wait(10)
    assert table.words("burak") == ["lost", "0", "1", "2", "3", "4"]


def far_ahead(table: Table, name: str, by: str) -> None:
    """``by`` shows ``name`` a head of much more than there is."""
    order = order_of(table, name)
    runs = (replace(order.run, last=order.seq + 1000), *order.runs[1:])
    table.put(name, ev.Arrived(by, replace(orders.head(order), seq=order.seq + 1000, hash=bytes(32), runs=runs)))


def test_what_one_claims_to_have_and_does_not_give_is_asked_of_the_leader(table: Table) -> None:
    """burak misses something, and cem, who says to have much more, hangs."""
    table.link("burak", "cem")
    table.cut("ayse", "burak")
    far_ahead(table, "burak", "cem")
    table.say("ayse", "#ops", "while burak is away")
    table.drop = lambda one, other, _: {one, other} == {"burak", "cem"}
    table.link("ayse", "burak")
    table.run(60)
    table.say("burak", "#ops", "back")
    assert table.words("burak") == table.words("cem") == ["while burak is away", "back"]


def test_nor_does_who_was_put_out_make_anybody_deaf_by_such_a_claim(table: Table) -> None:
    table.put("ayse", ev.RemoveFrom("ops", "cem"))
    table.run(30)
    table.link("burak", "cem")
    table.drop = lambda one, other, _: {one, other} == {"burak", "cem"}
    table.cut("ayse", "burak")
    far_ahead(table, "burak", "cem")
    table.say("ayse", "#ops", "while burak is away")
    table.link("ayse", "burak")
    table.run(60)
    assert table.words("burak") == ["while burak is away"]


def test_while_the_leader_is_gone_all_who_say_to_have_more_are_asked_in_turn() -> None:
    """cem says so first, and gives nothing; deniz has it."""
    table = together("ayse", "burak", "cem", "deniz")
    for one in ("cem", "deniz"):
        table.link("burak", one)
    table.cut("ayse", "burak")
    table.say("ayse", "#ops", "while burak is away")
    table.part({"burak", "cem", "deniz"}, {"ayse"})
    table.drop = lambda one, other, _: {one, other} == {"burak", "cem"}
    far_ahead(table, "burak", "cem")
    table.put("burak", ev.Arrived("deniz", orders.head(order_of(table, "deniz"))))
    table.wait(table.settings.resend_after)
    assert table.words("burak")[-1] == "while burak is away"


@pytest.mark.parametrize("first", ["ayse", "cem"])
def test_whoever_sees_a_revocation_first_removes(table: Table, first: str) -> None:
    table.put(first, ev.Expelled("burak", "certificate revoked"))
    table.run(8, 1)
    for name in ("ayse", "cem"):
        assert "burak" not in table.view(name).roster
        assert "burak was removed: certificate revoked" in table.texts(name, "#ops")


@pytest.mark.parametrize("who", ["burak", "ayse"])
def test_who_is_expelled_is_neither_dialled_nor_mailed_to_any_more(table: Table, who: str) -> None:
    others = {"ayse", "burak", "cem"} - {who}
    table.part(others, {who, "deniz"})  # a node cuts the links of whoever is revoked
    for name in others:
        table.put(name, ev.Expelled(who, "certificate revoked"))
    table.run(40)
    table.say(min(others), "#ops", "without you")
    for name in others:
        assert who not in table.view(name).roster
        assert who not in views.wanted(table.desks[name])
        assert who not in table.wants(name)
        table.effects[name].clear()
        group = table.desks[name].labels["#ops"]
        table.put(name, ev.DepositFailed(who, 0, "refused", group, 1))  # what was on its way to the mailbox
    table.run(7_300, 60)
    deposits = [one for name in others for one in table.effects[name] if isinstance(one, DepositEntries | Deposit)]
    assert not [one for one in deposits if one.peer == who]


def test_a_lobby_that_is_closed_does_not_wait_for_who_is_expelled(table: Table) -> None:
    table.part({"ayse", "cem", "deniz"}, {"burak"})
    table.put("ayse", ev.CloseLobby("ops"))
    table.run(5)
    assert table.stages()["ayse"] == "closing"
    table.put("ayse", ev.Expelled("burak", "certificate revoked"))
    table.run(5)
    assert table.stages()["ayse"] == "ended"


def test_words_wait_until_who_is_expelled_is_out(table: Table) -> None:
    table.put("cem", ev.Expelled("burak", "certificate revoked"))
    table.say("cem", "#ops", "not for burak")
    assert table.statuses("cem", "#ops")[-1] == "waiting"
    assert "burak" in table.view("ayse").roster
    table.run(8, 1)
    assert table.words("ayse") == ["not for burak"]
    assert table.words("burak") == []
    assert table.statuses("cem", "#ops")[-1] in ("sent", "delivered")


def test_who_is_expelled_gets_nothing_more_in_a_pair_and_is_not_invited(table: Table) -> None:
    table.cut("ayse", "burak")
    table.say("ayse", "@burak", "waiting")
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    table.put("ayse", ev.Expelled("burak", "certificate revoked"))
    table.put("ayse", ev.Expelled("deniz", "suspended"))
    assert table.view("ayse").roster == ("ayse", "cem")
    assert table.view("ayse").invited == ()
    assert table.statuses("ayse", "@burak") == ["not sent"]
    table.say("cem", "#ops", "not for burak")
    before = len(table.frames)
    table.link("ayse", "burak")
    table.run(30, 3)
    late = [frame for _, other, frame in table.frames[before:] if other == "burak" and isinstance(frame, Ordered)]
    assert {one.kind for one in late} <= {EntryKind.COMMIT}  # the one that says that it is out
    assert table.words("burak", "@ayse") == table.words("burak") == []


def test_people_who_are_strangers_to_each_other_need_no_link_while_somebody_leads(table: Table) -> None:
    table.run(60, 3)
    assert frozenset(("burak", "cem")) not in table.links
    assert table.wants("burak") == {"ayse"}


def test_a_device_that_forgot_what_it_was_shown_last_is_shown_it_again(table: Table) -> None:
    table.say("ayse", "#ops", "one")
    table.restart("burak")
    table.restart("ayse")
    table.link("ayse", "burak")
    table.link("ayse", "cem")
    table.say("cem", "#ops", "two")
    assert [table.words(name) for name in ("ayse", "burak", "cem")] == [["one", "two"]] * 3
