"""What somebody showed in a lobby, and nobody vouched for, makes it known nowhere else."""

from __future__ import annotations

import itertools

import pytest

from conclave.chat import events as ev
from conclave.chat.effects import AddLine
from conclave.chat.pairs import certificates
from conclave.chat.work import Work
from tests.chat.desks import Table
from tests.chat.people import own
from tests.chat.test_certificates import ANOTHER, RENEWED, said, somebody_else


@pytest.fixture
def four() -> Table:
    """ayse knows deniz, mallory and two who are certified as cem: the true one, and a false one."""
    table = Table("ayse", "deniz", "mallory", "cem")
    for one, other in itertools.combinations(table.desks, 2):
        table.link(one, other)
    return table


def becomes(table: Table, serial: int) -> None:
    """It is the other cem from now on."""
    somebody_else(table, own("cem", serial))
    for name in ("deniz", "mallory"):
        table.link(name, "cem")


def let_in(table: Table, label: str) -> None:
    """mallory lets cem in."""
    table.put("mallory", ev.InviteTo(label, ("cem",)))
    table.put("cem", ev.AnswerRequest("mallory", accept=True, lobby=label))
    table.run(5)
    assert "cem" in table.view("ayse", label).roster


def test_who_was_in_another_lobby_alone_is_not_known_where_it_takes_a_members_place(four: Table) -> None:
    becomes(four, 2)
    four.lobby("mallory", "cem", "ayse", name="evil")
    becomes(four, 1)
    four.lobby("deniz", "cem", "ayse", "mallory")
    assert said(four, "ayse", "#ops") == [ANOTHER]  # ayse compares safety numbers
    four.put("mallory", ev.RemoveFrom("ops", "cem"))
    four.run(5)
    becomes(four, 2)
    let_in(four, "#ops")
    assert said(four, "ayse", "#ops") == [ANOTHER, ANOTHER]


def test_who_shows_one_key_in_a_pair_and_another_in_a_lobby_is_known_by_the_pairs_alone(four: Table) -> None:
    four.say("ayse", "@cem", "hello")
    four.say("cem", "@ayse", "hi")
    four.lobby("deniz", "cem", "ayse", "mallory")
    becomes(four, 2)
    four.lobby("mallory", "cem", "ayse", name="evil")
    assert said(four, "ayse", "#evil") == [ANOTHER]
    let_in(four, "#ops")
    assert said(four, "ayse", "#ops") == [ANOTHER]


def test_who_renews_in_one_lobby_is_not_known_where_it_takes_the_place_of_another_key(four: Table) -> None:
    becomes(four, 2)
    evil = four.lobby("mallory", "cem", "ayse", name="evil")
    four.own["cem"] = own("cem", 3)
    four.put("cem", ev.OwnChanged(four.own["cem"]))
    four.run(5)
    assert said(four, "ayse", "#evil") == [RENEWED]
    becomes(four, 1)
    ops = four.lobby("deniz", "cem", "ayse", "mallory")
    assert said(four, "ayse", "#ops") == [ANOTHER]
    desk = four.desks["ayse"]
    work = Work(desk, four.now, four.random)  # ayse comes in anew, where cem shows by now what it shows in #evil
    before, after = desk.sessions.get(ops), desk.sessions.get(evil)
    assert after is not None
    certificates.shown_in(work, four.state("ayse", ops), 9, before, after, None)
    assert [one.line.text for one in work.done()[1] if isinstance(one, AddLine)] == [ANOTHER]


@pytest.mark.parametrize("where", ["@cem", "#more"])
def test_who_renews_in_one_lobby_while_another_shows_another_key_is_not_known(four: Table, where: str) -> None:
    four.lobby("deniz", "cem", "ayse")
    four.run(70, 10)
    four.part({"ayse", "deniz", "mallory"}, {"cem", "mallory"})  # the true one stays in there, away
    four.own["cem"] = own("cem", 2)
    four.lose_home("cem")
    four.published.pop("cem", None)
    four.link("mallory", "cem")
    four.lobby("mallory", "cem", "ayse", name="evil")
    four.own["cem"] = own("cem", 3)
    four.put("cem", ev.OwnChanged(four.own["cem"]))
    four.run(5)
    assert said(four, "ayse", "#evil") == [ANOTHER, RENEWED]
    assert "cem" in four.view("ayse").roster
    if where == "@cem":
        four.part()
        four.link("ayse", "cem")
        four.say("cem", "@ayse", "it is me")
    else:
        four.lobby("mallory", "cem", "ayse", name="more")
    assert said(four, "ayse", where) == [ANOTHER]


def test_who_was_in_a_lobby_that_we_left_is_not_known_while_another_shows_another_key(four: Table) -> None:
    four.lobby("deniz", "cem", "ayse", "mallory")
    becomes(four, 2)
    four.lobby("mallory", "cem", "ayse", name="evil")
    assert said(four, "ayse", "#evil") == [ANOTHER]
    four.put("ayse", ev.LeaveLobby("evil"))
    four.run(5)
    four.say("cem", "@ayse", "it is me")
    assert said(four, "ayse", "@cem") == [ANOTHER]


@pytest.mark.parametrize("first", [1, 2])
def test_who_is_two_in_our_lobbies_is_known_from_neither(four: Table, first: int) -> None:
    four.lobby("deniz", "cem", "ayse", "mallory")
    becomes(four, 2)
    four.lobby("mallory", "cem", "ayse", name="evil")
    assert said(four, "ayse", "#evil") == [ANOTHER]
    four.lobby("mallory", "cem", "ayse", name="more")
    assert said(four, "ayse", "#more") == [ANOTHER]
    for times, serial in enumerate((first, 3 - first), 1):
        becomes(four, serial)
        four.say("cem", "@ayse", "it is me")
        assert said(four, "ayse", "@cem") == [ANOTHER] * times
