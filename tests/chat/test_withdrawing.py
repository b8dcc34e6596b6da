"""An invitation that waits for its answer, and is none any more: the lobby closed, or who asked took it back."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.notices import RequestAnswered, RequestArrived
from conclave.wire.delivery import Post
from conclave.wire.posts import Answer, Choice, pack_parcel
from tests.chat.desks import Table
from tests.chat.test_leaving import table

__all__ = ["table"]


@pytest.mark.parametrize("how", ["closed", "by the leader, of another", "left", "taken back"])
def test_who_did_not_answer_hears_that_it_is_not_asked_in_any_more(table: Table, how: str) -> None:
    table.link("burak", "deniz")
    table.lobby("ayse", "burak", "cem")
    inviter = "burak" if how in ("by the leader, of another", "left") else "ayse"
    table.put(inviter, ev.InviteTo("ops", ("deniz",)))
    assert views.requests(table.desks["deniz"]) == (views.Request(inviter, "#ops"),)
    match how:
        case "left":
            table.put("burak", ev.LeaveLobby("ops"))
        case "taken back":
            table.put("ayse", ev.RemoveFrom("ops", "deniz"))
        case _:
            table.put("ayse", ev.CloseLobby("ops"))
    table.run(5)
    assert views.requests(table.desks["deniz"]) == ()
    assert "deniz" not in table.stages()
    assert table.notices("deniz", RequestAnswered) == [RequestAnswered(inviter, "#ops", "withdrawn")]
    table.lobby("ayse", "deniz", name="next")


def test_of_another_than_who_asked_nobody_hears_that_it_is_not_asked_in_any_more(table: Table) -> None:
    table.link("cem", "deniz")
    group = table.lobby("ayse", "burak", "cem")
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    kind, body = pack_parcel(Answer(group, Choice.REJECT))
    table.put("deniz", ev.Arrived("cem", Post(bytes(8), 1, 1, kind, body)))
    assert views.requests(table.desks["deniz"]) == (views.Request("ayse", "#ops"),)


def test_who_is_busy_is_not_told_of_an_invitation_that_went_meanwhile(table: Table) -> None:
    table.put("deniz", ev.SetBusy(on=True))
    table.lobby("ayse", "burak")
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    table.put("ayse", ev.CloseLobby("ops"))
    table.put("deniz", ev.SetBusy(on=False))
    assert views.requests(table.desks["deniz"]) == ()
    assert not table.notices("deniz", RequestArrived) + table.notices("deniz", RequestAnswered)
