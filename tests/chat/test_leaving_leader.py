"""A leader that leaves, and nobody is there who would put it out."""

from __future__ import annotations

from conclave.chat import events as ev
from tests.chat.desks import Table, together

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
