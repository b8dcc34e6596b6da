"""Who leads refuses a change, for whom it is to let in: what else is to change does not wait for that."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.errors import VerificationError
from conclave.mls.group import Credential
from conclave.values import replace
from tests.chat.desks import Table, together
from tests.chat.halves import ask_in
from tests.chat.people import JUDGES, judge, own


def refuse(table: Table, *handles: str) -> None:
    """ayse lets none of these in: her clock is slow."""
    bad = [table.own[handle].credential.certificates[0] for handle in handles]

    def newcomers(credential: Credential, key: bytes, now: float) -> bytes:
        if credential.certificates[0] in bad:
            raise VerificationError("it is not valid yet")
        return judge(credential, key, now)

    table.put("ayse", ev.JudgesChanged(replace(JUDGES, newcomers=newcomers)))


@pytest.fixture
def table() -> Table:
    return together("ayse", "burak", "cem", beside=("deniz", "elif"))


def test_who_is_to_be_put_out_is_though_somebody_is_not_let_in(table: Table) -> None:
    refuse(table, "deniz")
    table.put("burak", ev.InviteTo("ops", ("deniz",)))
    table.run(2)
    table.put("deniz", ev.AnswerRequest("burak", accept=True, lobby="ops"))
    table.put("burak", ev.RemoveFrom("ops", "cem"))
    table.say("burak", "#ops", "between us")
    table.run(30)
    assert table.view("ayse").roster == ("ayse", "burak")
    assert "between us" in table.words("ayse")
    assert "between us" not in table.words("cem")


def test_who_is_refused_alone_is_turned_away_and_who_is_not_comes_in(table: Table) -> None:
    refuse(table, "deniz")
    table.put("burak", ev.InviteTo("ops", ("deniz", "elif")))
    table.run(2)
    for newcomer in ("deniz", "elif"):
        table.put(newcomer, ev.AnswerRequest("burak", accept=True, lobby="ops"))
    table.run(60)
    assert set(table.view("burak").roster) == {"ayse", "burak", "cem", "elif"}
    assert "deniz could not be let into #ops: ayse, who leads it, refuses" in table.troubles("burak")
    assert table.stages()["deniz"] == "ended"
    view = table.view("burak")
    assert not view.invited
    epoch = view.epoch
    table.run(120)
    assert table.view("burak").epoch == epoch


def test_nobody_is_turned_away_where_the_leader_refuses_us(table: Table) -> None:
    table.own["burak"] = own("burak", 2)
    refuse(table, "burak")
    table.put("burak", ev.OwnChanged(table.own["burak"]))
    ask_in(table, "burak", "deniz")
    table.run(200)
    assert "deniz" not in table.view("ayse").roster
    assert table.view("burak").invited == ("deniz",)
    refuse(table)
    table.run(120)
    assert "deniz" in table.view("ayse").roster


def renewed(table: Table) -> None:
    """burak has a new certificate, which ayse does not take: she refuses whatever he changes."""
    table.own["burak"] = own("burak", 2)
    refuse(table, "burak")
    table.put("burak", ev.OwnChanged(table.own["burak"]))


def test_whoever_leads_next_is_asked_at_once_for_what_the_one_before_refused() -> None:
    table = together("ayse", "burak", "cem", "deniz")
    table.put("ayse", ev.SetDeputies("ops", ("deniz",)))
    table.run(5)
    renewed(table)
    table.put("burak", ev.RemoveFrom("ops", "cem"))
    group = table.desks["burak"].labels["#ops"]
    seconds = 0
    while table.state("burak", group).refusals.at - table.now < 55:
        table.run(1)
        seconds += 1
        assert seconds < 400
    table.part({"burak", "cem", "deniz"}, {"ayse"})
    table.run(20)
    assert table.view("burak").leader == "deniz"
    assert "cem" not in table.view("deniz").roster


def test_whom_one_leader_refuses_to_let_in_the_next_lets_in_with_the_others(table: Table) -> None:
    renewed(table)
    for newcomer in ("deniz", "elif"):
        ask_in(table, "burak", newcomer)
    table.run(20)
    group = table.desks["burak"].labels["#ops"]
    assert table.state("burak", group).refusals.doubted == {"deniz", "elif"}
    table.part({"burak", "cem", "deniz", "elif"}, {"ayse"})
    table.run(40)
    assert table.view("burak").leader in ("burak", "cem")
    assert not table.state("burak", group).refusals.doubted
    assert {"deniz", "elif"} <= set(table.view("burak").roster)
