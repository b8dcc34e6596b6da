"""Time goes on in all conversations, whatever cannot be done in one of them."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import groups
from conclave.chat.groups import Sealed
from conclave.chat.work import Work
from conclave.errors import LocalError
from tests.chat.desks import Table

SEAL = groups.seal


def test_a_lobby_that_stands_still_keeps_nothing_else_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    still = table.lobby("ayse", "burak", name="still")
    table.lobby("burak", "ayse", name="ops")

    def seal(work: Work, group: bytes, content: bytes, authenticated_data: bytes = b"") -> Sealed:
        if group == still and work.me == "ayse":
            raise LocalError("nothing more is said here")
        return SEAL(work, group, content, authenticated_data)

    monkeypatch.setattr(groups, "seal", seal)
    table.say("ayse", "#still", "one")
    table.say("ayse", "#ops", "two")
    table.cut("ayse", "burak")
    for _ in range(20):
        table.now += 30
        table.put("ayse", ev.Tick())
    assert "#still stands still: nothing more is said here" in table.troubles("ayse")
    assert table.wants("ayse") == {"burak"}  # nobody is heard: each Tick sees to that
    table.restart("ayse")
    table.restart("burak")
    table.link("ayse", "burak")
    table.run(30)
    assert "two" in table.words("burak")
    monkeypatch.setattr(groups, "seal", SEAL)
    table.run(30)
    assert "one" in table.words("burak", "#still")  # it was not lost meanwhile
