"""A commit of ours that whoever leads refuses: it may be ordered all the same, and few more are made."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.lobby import order as orders
from conclave.values import replace
from conclave.wire.frames import Frame
from conclave.wire.order import EntryKind, Ordered, Refusal, Refused, Submit
from tests.chat.desks import Table, together
from tests.chat.people import JUDGES
from tests.chat.test_refused_changes import refuse


class Wire:
    """What burak hands in to ayse: the first ``lost`` of it do not come there, and it is not much in any second."""

    def __init__(self, table: Table, lost: int = 0) -> None:
        self.table, self.lost, self.held, self.second = table, lost, list[Submit](), (0.0, 0)
        table.drop = self

    def __call__(self, one: str, other: str, frame: Frame) -> bool:
        if (one, other) != ("burak", "ayse") or not isinstance(frame, Submit):
            return False
        at, count = self.second
        self.second = (at, count + 1) if at == self.table.now else (self.table.now, 1)
        assert self.second[1] < 10, "much is handed in, and no time passes"
        self.held.append(frame)
        return len(self.held) <= self.lost


@pytest.fixture
def table() -> Table:
    return together("ayse", "burak", "cem", beside=("deniz",))


def handed_in(table: Table) -> Submit:
    """A commit of burak's that is on its way to ayse."""
    wire = Wire(table, lost=1)
    table.put("burak", ev.SetDeputies("ops", ("cem",)))
    (submit,) = wire.held
    assert submit.kind is EntryKind.COMMIT
    return submit


def hears(table: Table) -> None:
    """burak has what cem says, and is heard, be it after a restart."""
    table.run(70)
    table.say("cem", "#ops", "hello burak")
    table.run(30)
    table.restart("burak")
    table.link("ayse", "burak")
    table.run(30)
    assert "hello burak" in table.words("burak")
    table.say("burak", "#ops", "hello cem")
    table.run(30)
    assert table.words("cem")[-1] == "hello cem"
    assert len({table.view(name).epoch for name in ("ayse", "burak", "cem")}) == 1
    assert not table.troubles("burak")


@pytest.mark.parametrize("later", [-1, 0, 1])
def test_whose_commit_the_leader_refuses_and_orders_all_the_same_is_not_deaf(table: Table, later: int) -> None:
    submit = handed_in(table)
    refused = Refused(submit.group, submit.number, submit.epoch + later, Refusal.STALE)
    table.step("burak", ev.Arrived("ayse", refused))
    table.put("ayse", ev.Arrived("burak", submit))
    hears(table)
    assert table.view("burak").deputies == ("cem",)


def test_a_commit_that_was_given_up_is_not_taken_by_mail(table: Table) -> None:
    """Nobody lets burak in there: what is behind it waits for a link."""
    table.mail_life = 14 * 86_400.0
    table.stock()
    submit = handed_in(table)
    table.step("burak", ev.Arrived("ayse", Refused(submit.group, submit.number, submit.epoch, Refusal.STALE)))
    table.step("ayse", ev.Arrived("burak", submit))
    table.part({"ayse", "cem"}, {"burak"})
    before = table.state("burak", submit.group).order
    table.say("cem", "#ops", "hello")
    table.run(60, 2)
    assert table.collect("burak")
    after = table.state("burak", submit.group).order
    assert before is not None
    assert after is not None
    assert after.seq == before.seq
    assert "hello" not in table.words("burak")
    table.part()
    hears(table)
    assert "hello" in table.words("burak")


def test_that_a_commit_is_refused_is_believed_of_who_leads_alone(table: Table) -> None:
    """cem shows a head that goes further, and is asked for it; what burak handed in it does not decide about."""
    table.link("burak", "cem")
    submit = handed_in(table)
    order = table.state("cem", submit.group).order
    assert order is not None
    table.cut("ayse", "burak")
    runs = (replace(order.run, last=order.seq + 5), *order.runs[1:])
    table.step("burak", ev.Arrived("cem", replace(orders.head(order), seq=order.seq + 5, runs=runs)))
    assert table.state("burak", submit.group).watch.source == "cem"
    table.step("burak", ev.Arrived("cem", Refused(submit.group, submit.number, submit.epoch, Refusal.STALE)))
    assert [one.kind for one in table.state("burak", submit.group).voice.flying] == [EntryKind.COMMIT]
    table.link("ayse", "burak")
    table.put("ayse", ev.Arrived("burak", submit))
    assert table.view("burak").deputies == ("cem",)
    hears(table)
    assert "this half of the lobby joined ayse's again" not in table.texts("burak", "#ops")


def test_a_commit_that_was_handed_in_twice_and_refused_once_makes_nobody_deaf(table: Table) -> None:
    """All are honest: deniz's certificate begins in a few seconds, by ayse's clock, and the link is slow."""
    refuse(table, "deniz")
    table.link("burak", "deniz")
    table.put("burak", ev.InviteTo("ops", ("deniz",)))
    wire = Wire(table, lost=1 << 10)
    table.put("deniz", ev.AnswerRequest("burak", accept=True, lobby="ops"))
    table.run(30)
    first, again = [one for one in wire.held if one.kind is EntryKind.COMMIT][:2]
    assert first == again
    wire.lost = 0
    table.step("ayse", ev.Arrived("burak", first))
    table.step("ayse", ev.JudgesChanged(JUDGES))
    table.put("ayse", ev.Arrived("burak", again))
    hears(table)
    table.put("burak", ev.InviteTo("ops", ("deniz",)))
    table.run(2)
    table.put("deniz", ev.AnswerRequest("burak", accept=True, lobby="ops"))
    table.run(10)
    assert "deniz" in table.view("cem").roster


@pytest.mark.parametrize("later", [-1, 0, 1])
def test_a_leader_that_refuses_every_commit_gets_few(table: Table, later: int) -> None:
    """Nor does it order anything else of burak's."""
    group = table.desks["burak"].labels["#ops"]
    numbers = set[int]()

    def drop(one: str, _: str, frame: Frame) -> bool:
        if one != "burak" or not isinstance(frame, Submit):
            return False
        if frame.kind is EntryKind.COMMIT:
            numbers.add(frame.number)
            assert len(numbers) < 10
            refused = Refused(group, frame.number, frame.epoch + later, Refusal.STALE)
            table.step("burak", ev.Arrived("ayse", refused))
        return True

    table.drop = drop
    table.put("burak", ev.SetDeputies("ops", ("cem",)))
    table.run(600, 5)
    assert len(table.state("burak", group).voice.flying) <= 2


def test_what_one_claims_to_have_who_says_that_it_is_out_is_asked_of_the_leader(table: Table) -> None:
    """burak shows cem a head far ahead, and is out then: ayse has what cem lacks, though it is less."""
    table.link("burak", "cem")
    group = table.desks["cem"].labels["#ops"]
    table.drop = lambda one, other, frame: other == "cem" and (one == "burak" or isinstance(frame, Ordered))
    table.say("ayse", "#ops", "hello cem")
    order = table.state("cem", group).order
    assert order is not None
    runs = (replace(order.run, last=order.seq + 1000), *order.runs[1:])
    table.put("cem", ev.Arrived("burak", replace(orders.head(order), seq=order.seq + 1000, runs=runs)))
    table.put("cem", ev.Arrived("burak", Refused(group, 0, 0, Refusal.NOT_IN)))
    table.drop = lambda one, other, _: (one, other) == ("burak", "cem")
    table.run(60)
    assert "hello cem" in table.words("cem")
