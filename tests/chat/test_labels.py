"""A lobby of a name that ended: who asks into another one of that name takes nothing of it until we come in there."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.lobby_state import Stage
from tests.chat.desks import Table


@pytest.fixture
def table() -> Table:
    """burak was put out of ayse's #ops, and she asks it into another one of that name."""
    table = Table("ayse", "burak", "cem")
    table.link("ayse", "burak")
    table.link("cem", "burak")
    table.lobby("ayse", "burak")
    table.say("ayse", "#ops", "what was agreed")
    table.put("ayse", ev.RemoveFrom("#ops", "burak", ""))
    table.wait(2)
    table.put("ayse", ev.LeaveLobby("#ops"))
    ask(table)
    return table


def ask(table: Table) -> None:
    table.put("ayse", ev.OpenLobby("ops", table.random(16), ("burak",)))
    table.wait(1)
    assert views.requests(table.desks["burak"]) == (views.Request("ayse", "#ops"),)


def shown(table: Table) -> list[tuple[str, str]]:
    return [(one.label, one.stage) for one in views.lobbies(table.desks["burak"])]


@pytest.mark.parametrize("how", ["taken back", "declined", "blocked"])
@pytest.mark.parametrize("restart", [False, True])
def test_the_history_of_a_lobby_that_ended_is_found_though_we_come_into_no_other(
    table: Table, how: str, *, restart: bool
) -> None:
    old = {one.group for one in table.desks["burak"].lobbies.values() if one.stage is Stage.ENDED}
    if restart:
        table.restart("burak")
        table.link("ayse", "burak")
        assert shown(table) == [("#ops", "invited")]
    match how:
        case "taken back":
            table.put("ayse", ev.RemoveFrom("#ops", "burak", ""))
        case "declined":
            table.put("burak", ev.AnswerRequest("ayse", accept=False, lobby="#ops"))
        case _:
            table.put("burak", ev.AnswerRequest("ayse", accept=False, block=True))
    table.wait(1)
    for _ in range(2):
        assert shown(table) == [("#ops", "ended")]
        assert table.desks["burak"].labels["#ops"] in old
        table.restart("burak")
    table.link("cem", "burak")
    table.lobby("cem", "burak")  # nobody else's goes on with it
    assert shown(table) == [("#ops", "ended"), ("#ops@cem", "member")]


def test_who_comes_in_goes_on_with_the_history_of_the_one_before(table: Table) -> None:
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
    table.wait(2)
    table.say("ayse", "#ops", "anew")
    for _ in range(2):
        assert table.words("burak") == ["what was agreed", "anew"]
        assert (len(table.desks["burak"].lobbies), shown(table)) == (1, [("#ops", "member")])
        table.restart("burak")


def test_who_said_yes_and_is_not_let_in_goes_on_with_that_history_too(table: Table) -> None:
    table.cut("ayse", "burak")
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
    table.put("ayse", ev.CloseLobby("#ops"))
    table.link("ayse", "burak")
    table.run(5)
    assert (len(table.desks["burak"].lobbies), shown(table)) == (1, [("#ops", "ended")])


def test_who_is_asked_again_into_the_one_that_ended_finds_its_own_history_there() -> None:
    table = Table("ayse", "burak", "cem")
    for one, other in (("ayse", "burak"), ("ayse", "cem"), ("burak", "cem")):
        table.link(one, other)
    old = table.lobby("ayse", "burak", "cem")
    table.say("ayse", "#ops", "what was agreed")
    table.put("cem", ev.RemoveFrom("#ops", "burak", ""))
    table.wait(2)
    table.put("ayse", ev.LeaveLobby("#ops"))
    table.wait(30)
    ask(table)
    table.put("cem", ev.InviteTo("#ops", ("burak",)))
    table.wait(1)
    asked = views.requests(table.desks["burak"])
    assert asked == (views.Request("ayse", "#ops@ayse"), views.Request("cem", "#ops"))
    assert table.desks["burak"].labels["#ops"] == old
    for handle, label in (("ayse", "#ops@ayse"), ("cem", "#ops")):
        table.put("burak", ev.AnswerRequest(handle, accept=False, lobby=label))
    table.restart("burak")
    assert shown(table) == [("#ops", "ended")]
    assert table.desks["burak"].labels["#ops"] == old
