"""Members are told by their leader in whose mailbox lies what was said; it is shown, and decides nothing."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.words.line import Status
from conclave.node.door.progress import in_lobby
from conclave.wire.order import Boxes
from tests.chat.desks import Table

EVERYBODY = ("ayse", "burak", "cem")


def _told(version: int = 2) -> Table:
    """ayse leads; burak says something while cem is away."""
    table = Table(*EVERYBODY)
    table.version = version
    for one in ("burak", "cem"):
        table.link("ayse", one)
    table.lobby(*EVERYBODY)
    table.run(5)
    table.part({"ayse", "burak"}, {"cem"})
    table.say("burak", "#ops", "for cem too")
    table.run(20)
    return table


def _words(table: Table, name: str = "burak") -> tuple[str, str]:
    """What ``name`` is shown of the last text, and of cem."""
    [*_, stored] = [one for one in table.stores[name].lines("#ops", limit=99) if one.line.text == "for cem too"]
    how = in_lobby(table.view(name), stored, name)
    return how.words, how.members["cem"]


def _frames(table: Table) -> list[Boxes]:
    return [frame for _, _, frame in table.frames if isinstance(frame, Boxes)]


def test_whose_mailbox_has_it_is_told_who_said_it_until_it_is_there() -> None:
    table = _told()
    assert _words(table) == ("delivered to 1 of 2, in the mailboxes of 1", Status.MAILED.value)
    table.run(90, 3)  # keys are renewed after linking
    told = len(_frames(table))
    table.run(90, 3)
    assert len(_frames(table)) == told  # the same is not told again
    table.part()
    table.collect("cem")
    table.run(20)
    assert _words(table) == ("delivered", Status.DELIVERED.value)
    assert not table.view("burak").mailed


def test_who_comes_later_is_told_too() -> None:
    table = _told()
    table.restart("burak")
    assert _words(table)[1] == Status.SENT.value
    table.run(10)
    assert _words(table)[1] == Status.MAILED.value


def test_boxes_that_became_empty_before_their_leader_restarted_are_shown_no_more() -> None:
    table = _told()
    table.part({"ayse", "cem"}, {"burak"})
    assert table.view("burak").mailed
    table.collect("cem")
    table.run(3)
    table.restart("ayse")
    table.part()
    table.run(30)
    assert (table.view("burak").term, table.view("burak").leader) == (1, "ayse")
    assert not table.view("burak").mailed


def test_an_older_peer_is_told_nothing() -> None:
    table = _told(version=1)
    assert _frames(table) == []
    assert _words(table) == ("delivered to 1 of 2", Status.SENT.value)


@pytest.mark.parametrize(
    ("by", "term"), [("ayse", 2), ("cem", 1), ("deniz", 1)], ids=["of another term", "by a member", "by a stranger"]
)
def test_it_is_heard_of_the_leader_alone(by: str, term: int) -> None:
    table = _told(version=1)
    group = table.desks["burak"].labels["#ops"]
    for seq in (group, b"n" * 16):
        table.put("burak", ev.Arrived(by, Boxes(seq, term, (("cem", 1, 99),))))
    assert not table.view("burak").mailed


def test_what_one_leader_told_is_not_shown_under_another() -> None:
    table = _told()
    assert table.view("burak").mailed
    table.part({"ayse"}, {"burak", "cem"})
    table.run(40)
    assert table.view("burak").leader == table.view("cem").leader != "ayse"
    assert not any(box == "cem" for name in ("burak", "cem") for box in table.view(name).mailed)
