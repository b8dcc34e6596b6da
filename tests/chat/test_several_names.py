"""A lobby that its members call by several names: a yes or a no holds for what people were shown."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.notices import RequestAnswered
from conclave.chat.state import Desk
from conclave.store.memory import MemoryStore
from conclave.values import replace
from conclave.wire.delivery import Post
from conclave.wire.posts import Invite, pack_parcel
from tests.chat.desks import Table
from tests.chat.people import JUDGES, own
from tests.chat.room import Room
from tests.chat.test_sharing import room

__all__ = ["room"]


def other_name(room: Room, name: str, peer: str = "burak", number: int = 1) -> None:
    """burak asks deniz in under another name than the one that all know."""
    kind, body = pack_parcel(Invite(room.group, name, ("ayse", "burak", "cem")))
    room.table.put("deniz", ev.Arrived(peer, Post(b"evilevil", number, 1, kind, body)))


@pytest.fixture
def table(room: Room) -> Table:
    table = room.table
    table.desks["deniz"], table.own["deniz"] = Desk("deniz", table.settings, own("deniz"), JUDGES), own("deniz")
    table.stores["deniz"], table.effects["deniz"] = MemoryStore(), []
    for one in ("ayse", "burak", "cem"):
        table.link(one, "deniz")
    other_name(room, "board")
    return table


def asked(table: Table) -> list[tuple[str, str]]:
    return [(one.peer, one.lobby) for one in views.requests(table.desks["deniz"])]


def ask(table: Table, *names: str) -> None:
    for name in names:
        table.put(name, ev.InviteTo("ops", ("deniz",)))
    table.run(3)


@pytest.mark.parametrize("restart", [False, True])
def test_a_no_is_none_to_who_calls_the_lobby_otherwise(table: Table, *, restart: bool) -> None:
    ask(table, "ayse", "cem")
    if restart:
        table.restart("deniz")
        for one in ("ayse", "cem"):
            table.link(one, "deniz")
    assert asked(table) == [("burak", "#board")]
    table.put("deniz", ev.AnswerRequest("burak", accept=False, lobby="#board"))
    table.run(3)
    assert not [one for one in table.notices("ayse", RequestAnswered) if one.peer == "deniz"]  # type: ignore[attr-defined]
    assert asked(table) == [("ayse", "#ops")]
    assert "#board" not in table.desks["deniz"].labels
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))  # and so to cem, who calls it the same
    table.run(10)
    assert asked(table) == []
    assert "deniz" in table.view("ayse").roster
    assert table.view("deniz").name == "ops"


def test_a_no_is_one_to_all_who_call_the_lobby_the_same(table: Table) -> None:
    ask(table, "ayse", "cem")
    table.put("deniz", ev.AnswerRequest("burak", accept=False, lobby="#board"))
    table.put("deniz", ev.AnswerRequest("ayse", accept=False, lobby="#ops"))
    table.run(3)
    assert asked(table) == []
    assert "deniz" not in table.stages() | table.stages("#board")
    for name in ("ayse", "cem"):
        assert RequestAnswered("deniz", "#ops", "rejected") in table.notices(name, RequestAnswered)


@pytest.mark.parametrize("before", [False, True], ids=["asks later", "asked before"])
def test_a_yes_is_none_to_who_calls_the_lobby_otherwise(table: Table, *, before: bool) -> None:
    if before:
        ask(table, "ayse")
    table.drop = lambda one, other, _: {one, other} == {"burak", "deniz"}
    table.put("deniz", ev.AnswerRequest("burak", accept=True, lobby="#board"))
    if not before:
        ask(table, "ayse")
    table.run(10)
    assert "deniz" not in table.view("ayse").roster
    assert asked(table) == [("ayse", "#board")]
    assert table.troubles("deniz") == ["ayse, who asks you into #board, calls it #ops: another called it otherwise"]
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="#board"))
    table.run(10)
    assert "deniz" in table.view("ayse").roster
    assert table.stages()["deniz"] == "member"
    assert "deniz" not in table.stages("#board")
    table.say("deniz", "#ops", "hello")
    table.run(3)
    assert "hello" in table.words("ayse")


def test_a_no_after_a_yes_is_none_to_who_calls_the_lobby_otherwise(table: Table) -> None:
    table.drop = lambda one, other, _: {one, other} == {"burak", "deniz"}
    table.put("deniz", ev.AnswerRequest("burak", accept=True, lobby="#board"))
    ask(table, "ayse")
    table.put("deniz", ev.LeaveLobby("#board"))
    assert asked(table) == [("ayse", "#ops")]
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
    table.run(10)
    assert table.stages()["deniz"] == "member"


def test_where_one_had_been_before_the_name_of_its_history_stays(room: Room, table: Table) -> None:
    table.put("deniz", ev.AnswerRequest("burak", accept=False, lobby="#board"))
    ask(table, "ayse")
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
    table.run(10)
    table.say("deniz", "#ops", "hello")
    table.put("deniz", ev.LeaveLobby("ops"))
    table.run(10)
    assert table.stages()["deniz"] == "ended"
    other_name(room, "board", number=2)
    assert asked(table) == [("burak", "#ops")]
    assert "burak, who asks you into #ops, calls it #board: another called it otherwise" in table.troubles("deniz")
    table.put("deniz", ev.AnswerRequest("burak", accept=False, lobby="#ops"))
    assert (table.stages()["deniz"], table.view("deniz").name) == ("ended", "ops")


def test_people_read_where_a_welcome_calls_the_lobby_otherwise(room: Room, table: Table) -> None:
    table.put("deniz", ev.AnswerRequest("burak", accept=False, lobby="#board"))
    ask(table, "ayse")
    desk, lobby = table.desks["ayse"], table.state("ayse", room.group)
    table.desks["ayse"] = replace(desk, lobbies=desk.lobbies.put(room.group, replace(lobby, name="board")))
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
    table.run(10)
    assert table.stages()["deniz"] == "member"
    assert "ayse calls this lobby #board" in table.texts("deniz", "#ops")
