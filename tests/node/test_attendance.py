"""Who has what of a lobby, member by member, as desks around one table know it."""

from __future__ import annotations

from typing import Any, cast

from conclave.chat import events as ev
from conclave.node.door.attendance import member, standing
from conclave.node.door.known import Known
from conclave.node.door.progress import in_lobby
from tests.chat.desks import Table


class Everyone:
    """Links to nobody."""

    @staticmethod
    def linked() -> dict[str, str]:
        return {}


def rows(table: Table, name: str) -> list[dict[str, Any]]:
    """Everybody in the lobby, as ``name`` sees it."""

    class Everybody:
        me = name
        peers = Everyone()

        @staticmethod
        def here(_handle: str) -> bool:
            return True

        @staticmethod
        def away_since(_handle: str) -> float:
            return 0.0

    view = table.view(name)
    return [member(cast("Known", Everybody), view, one) for one in view.roster]


def test_who_came_in_later_lacks_nothing_from_before() -> None:
    table = Table("ayse", "burak", "cem")
    for one, other in (("ayse", "burak"), ("ayse", "cem")):
        table.link(one, other)
    table.lobby("ayse", "burak")
    table.say("ayse", "#ops", "before")
    table.run(10)
    table.put("ayse", ev.InviteTo("#ops", ("cem",)))
    assert standing(table.view("cem"), rows(table, "cem")) == "you are not in yet"
    assert not any(row["has_all"] for row in rows(table, "cem"))
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
    table.drop = lambda one, _other, _frame: one == "cem"  # its receipts
    table.wait(1)
    assert standing(table.view("ayse"), rows(table, "ayse")) == "everybody has everything"
    table.say("ayse", "#ops", "after")
    came = table.view("ayse").entered["cem"]
    assert f"cem has all up to {came} of" in standing(table.view("ayse"), rows(table, "ayse"))
    assert "nothing heard from burak yet" in standing(table.view("cem"), rows(table, "cem"))
    before, after = (
        one for one in table.stores["ayse"].lines("#ops", limit=99) if one.line.text in ("before", "after")
    )
    assert set(in_lobby(table.view("ayse"), before, "ayse").members) == {"burak"}
    assert set(in_lobby(table.view("ayse"), after, "ayse").members) == {"burak", "cem"}
    table.drop = lambda _one, _other, _frame: False
    table.put("ayse", ev.RemoveFrom("#ops", "cem", ""))
    table.run(10)
    assert standing(table.view("cem"), rows(table, "cem")) == "you are not in any more"
