"""Who is removed is out, though somebody that asked it in while it was in has the answer of its device."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import packages
from conclave.chat.work import Work
from conclave.node.door.progress import in_lobby
from conclave.wire.delivery import Post, PostKind
from conclave.wire.posts import Invite
from tests.chat.desks import Table, together
from tests.chat.halves import ask_in


def _asked_while_in(by: str) -> tuple[Table, bytes]:
    """The invitation of somebody comes to burak, who is in already: his device answers it by itself."""
    table = together("ayse", "burak", "cem")
    ((group, _),) = table.desks["ayse"].lobbies.items()
    work = Work(table.desks[by], table.now, table.random)
    work.post("burak", Invite(group, "ops", ("ayse", "cem")))
    table.desks[by], records, _ = work.done()
    table.stores[by].commit(records)
    table.cut("burak", by)
    return table, group


def _holders(table: Table, group: bytes, name: str = "burak") -> list[str]:
    return packages.holders(Work(table.desks[name], table.now, table.random), group)


def _removed(table: Table) -> None:
    table.put("ayse", ev.RemoveFrom("ops", "burak", "spam"))
    table.run(60)
    assert table.stages()["burak"] == "ended"
    assert table.texts("burak", "#ops")[-1] == "you were removed: spam"


def test_who_says_no_to_an_answer_lets_in_no_more() -> None:
    table, group = _asked_while_in("cem")
    table.link("cem", "burak")
    table.run(60)
    assert _holders(table, group) == []
    _removed(table)


@pytest.mark.parametrize("how", ["leaves", "is removed"])
def test_who_goes_lets_in_no_more(how: str) -> None:
    table, group = _asked_while_in("cem")
    table.drop = lambda one, other, _frame: (one, other) == ("cem", "burak") and bool(_holders(table, group))
    table.link("cem", "burak")
    table.run(10)
    assert _holders(table, group) == ["cem"]
    gone = ev.LeaveLobby("ops") if how == "leaves" else ev.RemoveFrom("ops", "cem")
    table.put("cem" if how == "leaves" else "ayse", gone)
    table.run(30)
    assert _holders(table, group) == []
    _removed(table)


def test_who_never_answered_in_a_day_is_not_waited_for() -> None:
    table, group = _asked_while_in("cem")
    table.drop = lambda one, other, _frame: (one, other) == ("cem", "burak") and bool(_holders(table, group))
    table.link("cem", "burak")
    table.run(10)
    table.part({"ayse", "burak"}, {"cem"})
    table.run(packages.HANDED_SECONDS, 3600)
    assert _holders(table, group) == ["cem"]
    _removed(table)


def test_who_let_in_somebody_that_was_in_by_itself_by_then_lets_in_no_more() -> None:
    table = together("ayse", "burak", "cem", "deniz", beside=("elif",))
    ((group, _),) = table.desks["ayse"].lobbies.items()
    table.part({"ayse", "burak", "elif"}, {"cem", "deniz"})
    table.run(20)
    ask_in(table, "ayse", "elif")
    table.put("cem", ev.SetDeputies("ops", ("deniz",)))
    table.drop = lambda _, other, frame: (
        other == "elif" and isinstance(frame, Post) and frame.kind is PostKind.WELCOME
    )
    table.part()
    table.run(30)
    assert table.view("elif").leader == "cem"
    (holder,) = _holders(table, group, "elif")
    table.drop = lambda *_: False
    troubles = len(table.troubles("elif"))
    table.cut("elif", holder)
    table.link("elif", holder)  # its welcome comes
    table.run(5)
    assert _holders(table, group, "elif") == []
    assert len(table.troubles("elif")) == troubles


def test_of_what_all_had_it_is_not_said_that_it_may_have_arrived_by_who_was_out_and_is_in_again() -> None:
    table = together("ayse", "burak", "cem")
    identity = table.say("burak", "#ops", "mine")
    table.run(30)

    def words() -> str:
        (stored,) = [one for one in table.stores["burak"].lines("#ops", limit=99) if one.line.id == identity]
        return in_lobby(table.view("burak"), stored, "burak").words

    assert words() == "delivered"
    table.put("ayse", ev.RemoveFrom("ops", "burak"))
    table.run(10)
    ask_in(table, "ayse", "burak")
    table.run(10)
    assert words() == "how far it came is not heard any more"
