"""What a restored home has and others lack is theirs again, and what it lacks it asks for, and no more."""

from __future__ import annotations

import copy

import pytest

from conclave.chat import events as ev
from conclave.chat.deeds import Tell
from conclave.chat.notices import LineMarked
from conclave.chat.words.content import Edit
from conclave.chat.words.line import LineKind
from conclave.values import replace
from conclave.wire.order import Ordered, Recall, Submit
from tests.chat.desks import Table, together
from tests.chat.halves import restored

TAIL = "told that it is sent"


def _tail() -> Table:
    """burak's words have their place in ayse's order; cem and deniz lack the entry, and go on without the two."""
    table = together("ayse", "burak", "cem", "deniz")
    table.run(60)
    table.drop = lambda _one, other, frame: other in ("cem", "deniz") and isinstance(frame, Ordered)
    table.say("burak", "#ops", TAIL)
    table.run(2)
    assert table.statuses("burak", "#ops")[-1] == "sent"
    table.part({"ayse"}, {"burak"}, {"cem", "deniz"})
    table.drop = lambda *_: False
    return table


def _recalled(table: Table) -> list[int]:
    """Behind which places it is asked for all that was said."""
    return [frame.after for _, _, frame in table.frames if isinstance(frame, Recall) and not frame.own]


def _places(table: Table, name: str) -> dict[bytes, int]:
    return {one.id: one.seq for one in table.lines(name, "#ops") if one.kind is LineKind.TEXT}


@pytest.mark.parametrize("name", ["burak", "ayse"], ids=["its author", "its leader"])
def test_what_was_sent_reaches_those_who_lack_it_by_who_comes_from_a_backup(name: str) -> None:
    table = _tail()
    restored(table, name)
    table.run(30)
    table.part({"ayse", "burak"} - {name}, {name, "cem", "deniz"})  # the other is never back
    table.run(120)
    for one in (name, "cem", "deniz"):
        assert table.words(one) == ["together", TAIL]
    assert name != "burak" or table.statuses("burak", "#ops")[-1] == "sent"


def test_what_was_sent_reaches_those_who_ask_its_restored_author_in_anew() -> None:
    table = _tail()
    restored(table, "burak")
    table.put("cem", ev.RemoveFrom("ops", "burak"))  # he hears of it after he was asked in
    table.run(30)
    table.put("cem", ev.InviteTo("ops", ("burak",)))
    table.part({"ayse"}, {"burak", "cem", "deniz"})
    table.run(120)
    for one in ("burak", "cem", "deniz"):
        assert table.words(one) == ["together", TAIL]


def test_what_lay_in_a_mailbox_when_the_backup_was_made_is_said_again() -> None:
    table = together("ayse", "burak", "cem")
    table.stock()
    table.part({"burak"}, {"cem"}, {"ayse"})
    table.say("burak", "#ops", "by mail")
    table.run(60)
    assert table.statuses("burak", "#ops")[-1] == "in mailbox"
    restored(table, "burak")
    table.part()
    table.run(60)
    for name in table.desks:
        table.collect(name)
    table.run(60)
    assert table.statuses("burak", "#ops")[-1] == "sent"
    for name in table.desks:
        assert table.words(name) == ["together", "by mail"]


def test_what_was_on_its_way_when_the_backup_was_made_is_said_again_and_what_was_nowhere_is_not_sent() -> None:
    table = together("ayse", "burak", "cem")
    table.drop = lambda _one, _other, frame: isinstance(frame, Submit)
    table.say("burak", "#ops", "handed in")
    table.part({"burak"}, {"ayse", "cem"})
    table.drop = lambda *_: False
    table.say("burak", "#ops", "not handed in")
    assert table.statuses("burak", "#ops")[-2:] == ["waiting", "waiting"]
    restored(table, "burak")
    table.part()
    table.run(60)
    states = {one.text: one.status.value for one in table.lines("burak", "#ops") if one.kind is LineKind.TEXT}
    assert (states["handed in"], states["not handed in"]) == ("sent", "not sent")
    for name in ("ayse", "cem"):
        assert table.words(name) == ["together", "handed in"]


def _sent_since(how: str) -> Table:
    """burak's words wait, or lie in a mailbox, when his backup is made, and are read by the others after it."""
    table = together("ayse", "burak", "cem")
    table.stock()
    table.run(70, 5)
    if how == "handed in":
        table.drop = lambda _one, _other, frame: isinstance(frame, Submit)
        table.say("burak", "#ops", "sent since")
    table.part({"ayse", "cem"}, {"burak"})
    if how != "handed in":
        table.say("burak", "#ops", "sent since")
    if how == "in a mailbox":
        table.run(60)
    assert table.statuses("burak", "#ops")[-1] == ("in mailbox" if how == "in a mailbox" else "waiting")
    backup = copy.deepcopy(table.stores["burak"])
    table.drop = lambda *_: False
    table.part()
    table.collect("ayse")
    table.run(60)
    assert table.words("cem") == ["together", "sent since"]
    table.part({"ayse", "cem"}, {"burak"})
    table.stores["burak"] = backup
    return table


def _marks(table: Table, name: str) -> set[str]:
    told = [one.notice for one in table.effects[name] if isinstance(one, Tell)]
    return {one.status.value for one in told if isinstance(one, LineMarked)}


@pytest.mark.parametrize("how", ["waiting", "handed in", "in a mailbox"])
@pytest.mark.parametrize("end", ["back", "removed", "left"])
def test_of_what_was_sent_since_the_backup_it_is_never_said_that_it_was_not(how: str, end: str) -> None:
    table = _sent_since(how)
    if end == "removed":
        table.put("ayse", ev.RemoveFrom("ops", "burak"))
        table.run(10)
    restored(table, "burak")
    if end == "left":
        table.put("burak", ev.LeaveLobby("ops"))
    table.part()
    table.run(400, 2)
    states = {one.text: one.status.value for one in table.lines("burak", "#ops")}
    assert states["sent since"] == "sent"
    assert "not sent" not in _marks(table, "burak")
    for name in ("ayse", "cem"):
        assert table.words(name) == ["together", "sent since"]


def test_what_a_restored_home_has_it_neither_asks_for_nor_lacks() -> None:
    table = together("ayse", "burak", "cem")
    place = table.view("burak").seq
    restored(table, "burak")
    table.say("cem", "#ops", "since")
    table.run(60)
    assert _recalled(table) == [place]
    assert table.words("burak") == ["together", "since"]
    ((group, lobby),) = table.desks["burak"].lobbies.items()
    assert lobby.ears.lost == ()
    mark = table.state("ayse", group).ears.marks.get("burak")
    assert mark is not None
    assert (mark.has > place, mark.missing) == (True, ())


def test_what_it_lacked_when_the_backup_was_made_it_asks_for() -> None:
    table = together("ayse", "burak", "cem")
    ((group, lobby),) = table.desks["burak"].lobbies.items()
    lost = replace(lobby, ears=replace(lobby.ears, lost=((2, 3),)))
    table.desks["burak"] = replace(table.desks["burak"], lobbies=table.desks["burak"].lobbies.put(group, lost))
    table.say("cem", "#ops", "since")
    restored(table, "burak")
    table.run(60)
    assert _recalled(table) == [1]
    assert table.state("burak", group).ears.lost == ()


def test_what_it_said_itself_since_the_backup_it_gets_too() -> None:
    table = together("ayse", "burak", "cem")
    said = table.say("burak", "#ops", "before")
    backup = copy.deepcopy(table.stores["burak"])
    table.say("burak", "#ops", "since")
    table.put("burak", ev.Utter("#ops", table.random(16), Edit(said, "before, and edited")))
    table.run(5)
    table.stores["burak"] = backup
    restored(table, "burak")
    table.run(60)
    for name in table.desks:
        assert table.words(name) == ["together", "before, and edited", "since"]
    assert table.statuses("burak", "#ops")[-1] == "sent"


def test_lines_of_a_half_that_lost_have_no_place_in_the_order_into_which_a_restored_home_comes() -> None:
    table = together("ayse", "burak", "cem", "deniz")
    table.part({"ayse", "burak"}, {"cem", "deniz"})
    table.say("ayse", "#ops", "of the half that lost")
    table.run(30)
    assert table.words("burak")[-1] == "of the half that lost"
    restored(table, "burak")
    table.part({"ayse"}, {"burak", "cem", "deniz"})
    table.run(120)
    assert _places(table, "burak") == _places(table, "cem") == _places(table, "deniz")


def _unknown(table: Table) -> None:
    """burak's home, from a backup, knows no entry of the order that counts."""
    ((group, lobby),) = table.desks["burak"].lobbies.items()
    assert lobby.order is not None
    runs = tuple(replace(run, leader="zeki") for run in lobby.order.runs)
    lobby = replace(lobby, order=replace(lobby.order, runs=runs))
    table.desks["burak"] = replace(table.desks["burak"], lobbies=table.desks["burak"].lobbies.put(group, lobby))


def test_where_a_restored_home_knows_no_entry_of_the_order_it_says_nothing_again_and_asks_for_all() -> None:
    table = together("ayse", "burak", "cem")
    restored(table, "burak")
    _unknown(table)
    table.run(120)
    assert _recalled(table)[0] == 0
    assert _places(table, "burak") == _places(table, "ayse")
    for name in table.desks:
        assert table.words(name) == ["together"]


def test_what_was_on_its_way_is_said_again_also_by_a_restored_home_that_knows_no_entry_of_the_order() -> None:
    table = together("ayse", "burak", "cem")
    table.drop = lambda _one, _other, frame: isinstance(frame, Submit)
    table.say("burak", "#ops", "handed in")
    restored(table, "burak")
    _unknown(table)
    table.drop = lambda *_: False
    table.run(120)
    assert _recalled(table)[0] == 0
    for name in table.desks:
        assert table.words(name) == ["together", "handed in"]
