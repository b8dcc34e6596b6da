"""A member refuses what is for the leader alone to refuse, after a head far ahead; a leader lets nobody go."""

from __future__ import annotations

from typing import Any

import pytest

from conclave.chat import events as ev
from conclave.chat.lobbies import changing, committing
from conclave.chat.lobby_state import Step
from conclave.chat.work import Work
from conclave.errors import VerificationError
from conclave.mls.group import Staged
from conclave.wire.order import Refusal, Refused, Submit
from tests.chat.desks import Table, together
from tests.chat.test_following import far_ahead
from tests.chat.test_hostile_terms import coming_in


@pytest.fixture
def table() -> Table:
    table = together("ayse", "burak", "cem")
    table.link("burak", "cem")
    return table


def refuse(table: Table, reason: Refusal) -> None:
    """cem refuses burak."""
    far_ahead(table, "burak", "cem")
    table.put("burak", ev.Arrived("cem", Refused(table.desks["burak"].labels["#ops"], 0, 0, reason)))


@pytest.mark.parametrize("reason", [Refusal.GONE, Refusal.OUTSIDER])
def test_it_does_not_break_off_anybodys_way_in(table: Table, reason: Refusal) -> None:
    submit = coming_in(table)
    refuse(table, reason)
    assert table.state("burak", submit.group).healing.step is Step.ENTER
    table.put("ayse", ev.Arrived("burak", submit))
    assert table.state("burak", submit.group).healing.step is Step.SOUND


@pytest.mark.parametrize("linked", [True, False])
def test_it_does_not_end_a_lobby_for_who_leaves_it(table: Table, *, linked: bool) -> None:
    """Nor are burak's last words lost, whether ayse, who leads, hangs or is away for a moment."""
    table.drop = lambda *_: True
    table.say("burak", "#ops", "a last word")
    table.put("burak", ev.LeaveLobby("ops"))
    if not linked:
        table.cut("ayse", "burak")
    refuse(table, Refusal.OUTSIDER)
    assert table.stages()["burak"] == "leaving"
    table.drop = lambda *_: False
    table.run(60)
    assert table.words("cem")[-1] == "a last word"
    assert table.stages()["burak"] == "ended"


def test_who_leaves_goes_though_a_leader_that_beats_orders_nothing_of_it(table: Table) -> None:
    table.drop = lambda one, other, frame: (one, other) == ("burak", "ayse") and isinstance(frame, Submit)
    table.put("burak", ev.LeaveLobby("ops"))
    table.run(60)
    assert table.stages()["burak"] == "leaving"
    table.run(90)
    assert table.stages()["burak"] == "ended"


def test_who_leaves_goes_though_its_leader_refuses_what_it_wants_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes the place of a refused change is ordered, and is no word."""
    table = together("ayse", "burak", "cem")
    examine = changing.examine

    def refuses(work: Work, *args: Any, **kwargs: Any) -> Staged:
        if work.me == "ayse":
            raise VerificationError("as I say")
        return examine(work, *args, **kwargs)

    monkeypatch.setattr(changing, "examine", refuses)
    table.part({"ayse", "burak"}, {"cem"})
    table.put("burak", ev.RemoveFrom("ops", "cem"))
    table.put("burak", ev.LeaveLobby("ops"))
    table.run(600, 5)
    assert table.stages()["burak"] == "ended"


def test_who_leaves_goes_though_its_leader_orders_that_and_puts_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    table = together("ayse", "burak", "cem")
    act = committing.act
    monkeypatch.setattr(committing, "act", lambda work, group: None if work.me == "ayse" else act(work, group))
    table.part({"ayse", "burak"}, {"cem"})
    table.put("burak", ev.LeaveLobby("ops"))
    table.run(600, 5)
    assert table.stages()["burak"] == "ended"
