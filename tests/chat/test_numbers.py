"""Under which number somebody said something is believed of nobody else: a lie about it makes nobody mute."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.lobby.order import Order
from conclave.values import replace
from conclave.wire.frames import Frame
from conclave.wire.order import EntryKind, Ordered, Refusal, Refused, Submit
from tests.chat.desks import Table
from tests.chat.halves import restored

ALL = ("ayse", "burak", "cem", "deniz")
HUGE = 1 << 63


@pytest.fixture
def table() -> Table:
    """ayse leads; what she makes up is made in the tests."""
    table = Table(*ALL, "elif")
    for one in ALL[1:]:
        table.link("ayse", one)
    table.lobby("ayse", *ALL[1:])
    for one in ALL[1:]:
        table.say(one, "#ops", f"{one} is here")
    table.run(70, 5)
    return table


def order_of(table: Table, name: str) -> Order:
    order = table.state(name, table.desks["ayse"].labels["#ops"]).order
    assert order is not None
    return order


def forged(table: Table, name: str, number: int, kind: EntryKind, payload: bytes) -> Ordered:
    """The next entry as ayse makes it up."""
    order = order_of(table, "burak")
    return Ordered(order.group, order.run.term, order.seq + 1, order.hash, name, number, order.epoch, kind, payload)


def show(table: Table, entry: Ordered, *names: str) -> None:
    table.now += 100  # people are told of every trouble
    for name in names:
        table.put(name, ev.Arrived("ayse", entry))


def handed_in(table: Table, name: str, event: ev.Event) -> Submit:
    """What ``name`` hands in by this event, and nobody orders."""
    caught: list[Submit] = []

    def drop(one: str, _: str, frame: Frame) -> bool:
        if one == name and isinstance(frame, Submit):
            caught.append(frame)
        return isinstance(frame, Submit | Ordered)

    table.drop = drop
    table.put(name, event)
    return caught[0]


def let_go(table: Table) -> None:
    """ayse is gone for good, and the others find a leader."""
    table.drop = lambda _one, _other, _frame: False
    table.part(set(ALL[1:]), {"ayse"})
    table.run(40)


@pytest.mark.parametrize("kind", [EntryKind.MESSAGE, EntryKind.COMMIT])
def test_junk_under_a_huge_number_makes_nobody_mute(table: Table, kind: EntryKind) -> None:
    show(table, forged(table, "deniz", HUGE, kind, b"junk"), *ALL[1:])
    let_go(table)
    assert table.view("burak").leader == "burak"
    table.say("deniz", "#ops", "can anybody hear me?")
    table.run(10)
    assert table.words("burak")[-1] == table.words("cem")[-1] == "can anybody hear me?"
    assert table.statuses("deniz", "#ops")[-1] in ("sent", "delivered")


def test_words_that_were_shown_under_a_wrong_number_are_read_once_they_are_shown_under_their_own(
    table: Table,
) -> None:
    submit = handed_in(table, "deniz", ev.Say("#ops", b"i" * 16, "said once"))
    show(table, forged(table, "deniz", HUGE, submit.kind, submit.payload), *ALL[1:])
    assert "another number inside than outside" in table.troubles("burak")[-1]
    assert "said once" not in table.words("burak")
    let_go(table)
    for name in ("burak", "cem"):
        assert table.words(name).count("said once") == 1
    assert table.statuses("deniz", "#ops")[-1] in ("sent", "delivered")


def test_a_change_of_the_lobby_that_is_shown_under_a_wrong_number_is_no_change(table: Table) -> None:
    submit = handed_in(table, "cem", ev.RemoveFrom("ops", "deniz"))
    assert submit.kind is EntryKind.COMMIT
    show(table, forged(table, "cem", HUGE, submit.kind, submit.payload), *ALL[1:])
    assert "another number inside than outside" in table.troubles("burak")[-1]
    for name in ALL[1:]:
        assert "deniz" in table.view(name).roster
        assert order_of(table, name).epoch == submit.epoch
    let_go(table)
    for name in ("burak", "cem"):
        assert "deniz" not in table.view(name).roster
    table.say("cem", "#ops", "after the change")
    table.run(10)
    assert table.words("burak")[-1] == "after the change"


def test_whose_commit_was_replaced_by_junk_does_not_take_it_for_ordered(table: Table) -> None:
    submit = handed_in(table, "cem", ev.RemoveFrom("ops", "deniz"))
    show(table, forged(table, "cem", submit.number, submit.kind, b"junk"), *ALL[1:])
    assert "deniz" in table.view("cem").roster
    assert {order_of(table, name).epoch for name in ALL[1:]} == {submit.epoch}


@pytest.mark.parametrize("kind", [EntryKind.MESSAGE, EntryKind.COMMIT])
def test_what_is_shown_as_another_kind_than_it_was_handed_in_as_is_still_to_be_ordered(
    table: Table, kind: EntryKind
) -> None:
    says = ev.Say("#ops", b"i" * 16, "said once") if kind is EntryKind.COMMIT else ev.RemoveFrom("ops", "cem")
    submit = handed_in(table, "deniz", says)
    assert submit.kind is not kind
    show(table, forged(table, "deniz", submit.number, kind, submit.payload), *ALL[1:])
    let_go(table)
    if kind is EntryKind.MESSAGE:
        assert "cem" not in table.view("burak").roster
        table.say("deniz", "#ops", "said once")
        table.run(10)
    assert table.words("burak").count("said once") == 1
    table.put("deniz", ev.SetDeputies("ops", ("deniz",)))
    table.run(10)
    assert table.view("burak").deputies == ("deniz",)


def test_who_comes_in_anew_is_in_by_its_own_commit_alone(table: Table) -> None:
    group = table.desks["ayse"].labels["#ops"]
    submit = handed_in(table, "burak", ev.Arrived("ayse", Refused(group, 0, 0, Refusal.GONE)))
    assert submit.kind is EntryKind.COMMIT
    show(table, forged(table, "burak", submit.number, submit.kind, b"junk"), "burak")
    assert table.view("burak").healing
    assert table.view("burak").authenticator == table.view("cem").authenticator  # as before: it is not in by junk
    table.drop = lambda _one, _other, _frame: False
    table.run(20)
    assert not table.view("burak").healing
    assert table.view("burak").authenticator == table.view("ayse").authenticator


def comes_again(table: Table) -> tuple[Order, Submit]:
    """elif came in while its clock was ahead, and comes in again with a new home and the right time.

    The order as it was before, and words of then that nobody ordered.
    """
    table.link("ayse", "elif")
    table.now += 3000.0
    table.put("ayse", ev.InviteTo("ops", ("elif",)))
    table.put("elif", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.wait(1)
    table.say("elif", "#ops", "one")
    table.run(60, 5)
    before = order_of(table, "cem")
    submit = handed_in(table, "elif", ev.Say("#ops", b"i" * 16, "held back"))
    table.drop = lambda _one, _other, _frame: False
    table.lose_home("elif")
    table.now -= 3000.0
    table.run(20)
    assert "elif" not in table.view("ayse").roster
    table.put("ayse", ev.InviteTo("ops", ("elif",)))
    table.run(1)
    table.put("elif", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(2)
    assert "elif" in table.view("cem").roster
    return before, submit


def test_whose_clock_was_ahead_when_it_came_in_is_heard_when_it_comes_in_again(table: Table) -> None:
    before, _ = comes_again(table)
    table.say("elif", "#ops", "two")
    assert table.words("cem")[-1] == "two"
    for name in ("ayse", "cem"):
        assert (order_of(table, name).numbers.get("elif") or 0) < (before.numbers.get("elif") or 0)


def test_old_words_that_were_held_back_until_their_author_came_in_anew_make_it_mute_no_more(table: Table) -> None:
    before, submit = comes_again(table)
    entry = replace(forged(table, "elif", submit.number, submit.kind, submit.payload), epoch=submit.epoch)
    show(table, entry, *ALL[1:], "elif")
    assert table.words("cem")[-1] == "held back"
    assert submit.number > (before.numbers.get("elif") or 0)
    table.part({*ALL[1:], "elif"}, {"ayse"})
    table.run(40)
    table.say("elif", "#ops", "two")
    table.run(10)
    assert table.words("cem")[-1] == "two"


def test_whose_clock_was_ahead_comes_in_anew_by_itself_too(table: Table) -> None:
    """Its home comes back from a backup, and its numbers begin with the time."""
    table.now += 3000
    table.link("ayse", "elif")
    table.put("ayse", ev.InviteTo("ops", ("elif",)))
    table.put("elif", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(3)
    table.say("elif", "#ops", "one")
    table.run(5)
    restored(table, "elif")
    table.now -= 3000
    table.link("ayse", "elif")
    table.run(120)
    table.say("elif", "#ops", "two")
    table.run(30)
    assert not table.view("elif").healing
    assert table.words("cem")[-2:] == ["one", "two"]
