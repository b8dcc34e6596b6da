"""Whom the authority puts out of a lobby, and who is not put out for what it does not say any more."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.lobby_state import Stage
from conclave.chat.state import Judges
from conclave.pki.revocation import Revocation
from conclave.values import replace
from tests.chat.desks import Table, together
from tests.chat.halves import hear_of
from tests.chat.people import JUDGES, own

EVERYBODY = ("ayse", "burak", "cem")


@pytest.fixture
def table() -> Table:
    """A lobby that ayse leads, and cem is away from; cem reaches the authority."""
    table = Table(*EVERYBODY)
    for one in ("burak", "cem"):
        table.link("ayse", one)
    table.lobby(*EVERYBODY)
    table.run(5)
    table.part({"ayse", "burak"}, {"cem"})
    table.run(5)
    return table


def _listed(*, suspended: bool = False) -> Judges:
    """A list that names burak's first certificate."""
    first = own("burak").credential.certificates[0]
    why = Revocation("burak's certificate does not count", suspended)
    return replace(JUDGES, revoked=lambda one: why if one == first else None)


def _shows(table: Table, since: float = 0.0) -> None:
    """burak shows another certificate, made then."""
    table.own["burak"] = own("burak", 2, since=since)
    table.put("burak", ev.OwnChanged(table.own["burak"]))
    table.run(10)


def _back(table: Table) -> bool:
    """cem comes back, but is not linked to burak; whether burak is in then."""
    table.part({"ayse", "burak"}, {"ayse", "cem"})
    table.run(60)
    assert table.view("ayse").roster == table.view("cem").roster
    return "burak" in table.view("cem").roster


@pytest.mark.parametrize("restarted", [False, True])
def test_who_shows_another_certificate_by_now_is_not_put_out_for_the_revoked_one(
    table: Table, *, restarted: bool
) -> None:
    _shows(table)
    for name in EVERYBODY:
        table.put(name, ev.JudgesChanged(_listed()))
    if restarted:
        table.restart("cem")
        table.put("cem", ev.JudgesChanged(_listed()))
    table.run(10)
    assert _back(table)


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("told", ["by list", "by list and word"])
@pytest.mark.parametrize("resumed", [True, False])
def test_who_was_resumed_before_anybody_put_it_out_stays(
    table: Table, told: str, *, resumed: bool, restarted: bool
) -> None:
    table.put("cem", ev.JudgesChanged(_listed(suspended=True)))
    if told == "by list and word":
        table.put("cem", ev.Expelled("burak", "suspended"))
    table.run(600, 10)
    if restarted:
        table.restart("cem")
    table.put("cem", ev.JudgesChanged(JUDGES if resumed else _listed(suspended=True)))
    table.run(60, 10)
    assert _back(table) is resumed


@pytest.mark.parametrize("again", [False, True], ids=["went on", "was asked in again"])
@pytest.mark.parametrize("after", [600.0, -600.0], ids=["after the word", "before the word"])
def test_the_word_of_the_authority_is_not_of_a_certificate_that_was_made_since(
    table: Table, after: float, *, again: bool
) -> None:
    table.put("cem", ev.Expelled("burak", "certificate revoked"))
    since = table.now + after
    if again:
        table.put("ayse", ev.RemoveFrom("ops", "burak"))
        table.run(5)
    _shows(table, since)
    if again:
        table.put("ayse", ev.InviteTo("ops", ("burak",)))
        table.put("burak", ev.AnswerRequest("ayse", lobby="ops", accept=True))
        table.run(10)
    assert "burak" in table.view("ayse").roster
    assert _back(table) is (after > 0)


@pytest.mark.parametrize("first", ["people", "the authority"])
def test_whom_people_want_out_goes_though_the_authority_has_nothing_against_it_any_more(
    table: Table, first: str
) -> None:
    removal, judged = ev.RemoveFrom("ops", "burak", "suspended"), ev.JudgesChanged(_listed(suspended=True))
    for event in (removal, judged) if first == "people" else (judged, removal):
        table.put("cem", event)
    table.run(60, 10)
    table.restart("cem")
    table.put("cem", ev.JudgesChanged(JUDGES))
    table.run(60, 10)
    assert not _back(table)


@pytest.mark.parametrize("heard", ["by list", "by the directory", "not yet"])
def test_who_was_put_out_resumed_and_asked_in_again_stays_once_the_authority_says_so(heard: str) -> None:
    """cem is never linked to burak, whose renewed certificate reaches back to before the suspension."""
    table = Table(*EVERYBODY)
    for one in ("burak", "cem"):
        table.link("ayse", one)
    table.lobby(*EVERYBODY)
    table.run(5)
    table.reach = lambda one, other: "ayse" in (one, other)
    for name in ("ayse", "cem"):
        table.put(name, ev.JudgesChanged(_listed(suspended=True)))
        table.put(name, ev.Expelled("burak", "suspended"))
    told = table.now
    table.run(3600, 10)
    assert "burak" not in table.view("cem").roster
    table.put("ayse", ev.JudgesChanged(JUDGES))
    table.put("ayse", ev.Readmitted("burak"))
    if heard != "not yet":
        table.put("cem", ev.JudgesChanged(JUDGES) if heard == "by list" else ev.Readmitted("burak"))
    _shows(table, told - 20 * 3600)
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    table.run(5)
    [label] = [one.label for one in table.desks["burak"].lobbies.values() if one.stage is Stage.INVITED]
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby=label))
    table.run(60)
    assert ("burak" in table.view("ayse").roster) is (heard != "not yet")


@pytest.mark.parametrize("made", [-600.0, 600.0], ids=["before the word", "after the word"])
def test_a_link_by_a_certificate_from_before_the_word_takes_it_back_not(table: Table, made: float) -> None:
    """cem has no list that names burak, whose certificate for links may be on one."""
    table.put("cem", ev.Expelled("burak", "certificate revoked"))
    table.put("cem", ev.Linked("burak", 64, "d1", table.now + made))
    table.put("cem", ev.Unlinked("burak"))
    assert _back(table) is (made > 0)


@pytest.mark.parametrize("skew", [0.0, -7200.0])
def test_the_time_of_the_word_is_the_authoritys(table: Table, skew: float) -> None:
    """cem's clock is two hours ahead; burak got another certificate ten minutes after it was revoked."""
    table.put("cem", ev.Expelled("burak", "certificate revoked", skew))
    _shows(table, table.now - 6600)
    assert _back(table) is (skew < 0)


@pytest.mark.parametrize("reason", ["certificate revoked", "suspended"])
@pytest.mark.parametrize("then", ["nothing", "another list", "online", "another certificate"])
def test_whom_the_word_alone_names_is_put_out_also_after_a_restart(table: Table, reason: str, then: str) -> None:
    """No list names the certificate in the lobby; cem hears of the authority once it is started anew, or never."""
    table.put("cem", ev.Expelled("burak", reason))
    table.restart("cem")
    table.put("cem", ev.JudgesChanged(table.desks["cem"].judges))
    table.say("cem", "#ops", "not for burak")
    if then == "another list":
        table.put("cem", ev.JudgesChanged(replace(JUDGES)))
    elif then == "online":
        table.put("cem", ev.Readmitted("burak"))
    elif then == "another certificate":
        _shows(table, table.now + 10)
    holds = then == "nothing" or (then == "another list" and reason != "suspended")
    assert _back(table) is not holds
    assert ("not for burak" in table.words("burak")) is not holds


def test_a_word_that_was_taken_back_while_we_come_into_another_half_does_not_come_back_with_a_restart() -> None:
    table = together("ayse", "burak", "cem", "deniz")
    table.part({"ayse", "burak"}, {"cem", "deniz"})
    table.run(30)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    table.run(3)
    table.part({"ayse"}, {"burak"}, {"cem", "deniz"})
    hear_of(table, "ayse", "cem")
    assert table.view("ayse").healing
    table.put("ayse", ev.Expelled("burak", "suspended"))
    table.put("ayse", ev.Readmitted("burak"))
    table.restart("ayse")
    assert not table.desks["ayse"].expelled
    table.part({"ayse", "cem", "deniz"}, {"burak"})
    table.run(60)
    assert "burak" in table.view("ayse").roster
