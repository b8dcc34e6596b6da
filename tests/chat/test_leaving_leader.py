"""A leader that leaves, and nobody is there who would put it out."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from tests.chat.desks import Table, together
from tests.chat.halves import ask_in, take_terms

MOST = 20
"""Entries, and envelopes, within the hour."""


def _hour(table: Table, name: str) -> tuple[int, int]:
    """How many entries ``name`` puts in order, and how many envelopes are left by all, within the hour."""
    entries, mails = table.view(name).seq, table.mails
    table.run(3600, 5)
    return table.view(name).seq - entries, table.mails - mails


def test_a_leader_that_leaves_does_not_fill_the_mailbox_of_who_is_away() -> None:
    table = together("ayse", "burak")
    table.stock()
    table.part({"ayse"}, {"burak"})
    table.run(20)
    table.put("ayse", ev.LeaveLobby("ops"))
    assert max(_hour(table, "ayse")) <= MOST
    assert table.stages()["ayse"] == "leaving"
    table.part()
    table.run(60)
    assert table.stages() == {"ayse": "ended", "burak": "leading"}
    assert table.view("burak").roster == ("burak",)


def test_who_leaves_and_takes_a_term_does_not_fill_the_mailboxes_of_who_is_away() -> None:
    """burak and cem leave, and nobody else is there: burak takes a term, puts cem out, and goes on alone."""
    table = together("ayse", "burak", "cem", "deniz")
    table.stock()
    table.part({"ayse"}, {"burak", "cem"}, {"deniz"})
    for name in ("burak", "cem"):
        table.put(name, ev.LeaveLobby("ops"))
    table.run(180, 5)
    assert max(_hour(table, "burak")) <= MOST
    table.part()
    table.run(60)
    assert table.stages() == {"ayse": "leading", "burak": "ended", "cem": "ended", "deniz": "member"}
    assert table.view("ayse").roster == ("ayse", "deniz")


def test_a_leader_that_leaves_goes_though_all_who_are_there_follow_a_half_that_never_met_it() -> None:
    """elif and fatma came in in ayse's half, which counts and which ayse has left; burak and cem lead the other."""
    table = together("ayse", "burak", "cem", beside=("elif", "fatma"))
    half, other = {"ayse", "elif", "fatma"}, {"burak", "cem"}
    table.part(half, other)
    table.run(30)
    for newcomer in ("elif", "fatma"):
        ask_in(table, "ayse", newcomer)
    take_terms(table, "ayse", "elif", half, other)
    table.put("ayse", ev.LeaveLobby("ops"))
    table.run(60)
    assert table.view("elif").term > table.view("burak").term
    for name in ("fatma", "elif"):
        table.put(name, ev.LeaveLobby("ops"))
        table.part({"elif", "burak", "cem"}, {"ayse"}, {"fatma"})
    seq = table.view("elif").seq
    table.run(100)
    assert table.view("elif").seq - seq <= MOST
    table.run(60)
    assert table.stages()["elif"] == "ended"


@pytest.fixture
def hung() -> Table:
    """ayse, who leads, said something and leaves; who alone is there, cem, keeps its link and takes nothing."""
    table = together("ayse", "burak", "cem", "deniz")
    table.stock()
    table.part({"ayse", "cem"}, {"burak", "deniz"})
    table.cut("ayse", "cem")
    table.drop = lambda one, _, __: one == "cem"
    table.run(3)
    table.say("ayse", "#ops", "the last thing that I say")
    table.run(3)
    assert table.statuses("ayse", "#ops")[-1] == "sent"
    return table


@pytest.mark.parametrize("mail", [False, True], ids=["", "by mail"])
def test_a_leader_that_leaves_takes_nothing_along_that_it_said_was_sent(hung: Table, *, mail: bool) -> None:
    table = hung
    table.authority = mail
    table.put("ayse", ev.LeaveLobby("ops"))
    assert max(_hour(table, "ayse")) <= MOST
    assert table.stages()["ayse"] == "leaving"
    assert table.statuses("ayse", "#ops")[-1] == "sent"
    table.drop = lambda one, other, _: "cem" in (one, other)
    table.part({"ayse", "burak", "deniz"}, {"cem"})
    table.run(120)
    assert table.stages()["ayse"] == "ended"
    for name in ("burak", "deniz"):
        assert table.view(name).roster == ("burak", "cem", "deniz")
        assert table.words(name)[-1] == "the last thing that I say"


def test_a_leader_that_leaves_goes_from_who_takes_nothing_once_all_have_what_was_said(hung: Table) -> None:
    table = hung
    table.drop = lambda *_: False
    table.run(60)
    table.drop = lambda one, _, __: one == "cem"
    table.run(60)
    table.put("ayse", ev.LeaveLobby("ops"))
    table.cut("ayse", "cem")
    table.run(300, 2)
    assert table.stages()["ayse"] == "ended"
