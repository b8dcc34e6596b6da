"""Two change a lobby at once: one commit comes first, and what the other was to change is done all the same, once."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import groups
from conclave.values import replace
from conclave.wire import order as f
from conclave.wire.frames import Frame
from tests.chat.desks import Table, together

ALL = ("ayse", "burak", "cem", "deniz")


@pytest.fixture
def table() -> Table:
    return together(*ALL)


def _keys(table: Table) -> dict[str, bytes]:
    """Everybody's encryption key, as ayse has it."""
    state = table.desks["ayse"].sessions.get(table.desks["ayse"].labels["#ops"])
    assert state is not None
    return {handle: state.epoch.leaf(leaf).encryption_key for handle, leaf in groups.roster(state).items()}


def test_deputies_that_lose_a_race_are_set_all_the_same(table: Table) -> None:
    epoch = table.view("ayse").epoch
    table.step("burak", ev.RemoveFrom("ops", "deniz", ""))
    table.step("cem", ev.SetDeputies("ops", ("cem",)))
    table.run(30)
    assert table.view("ayse").roster == ("ayse", "cem", "burak")
    assert table.view("ayse").deputies == ("cem",)
    table.run(300)
    assert table.view("ayse").epoch == epoch + 2


def test_deputies_that_are_named_while_a_commit_flies_are_set_too(table: Table) -> None:
    table.step("cem", ev.SetDeputies("ops", ("cem",)))
    table.step("cem", ev.SetDeputies("ops", ("deniz",)))
    table.run(30)
    assert table.view("ayse").deputies == ("deniz",)
    table.put("burak", ev.SetDeputies("ops", ("burak",)))
    table.run(300)
    assert table.view("ayse").deputies == ("burak",)


def test_keys_that_lose_a_race_are_renewed_all_the_same(table: Table) -> None:
    """Three come back at one moment, as after a restart of their leader."""
    before, epoch = _keys(table), table.view("ayse").epoch
    table.now += 30
    for name in ALL[1:]:
        desk = table.desks[name]
        lobby = table.state(name, desk.labels["#ops"])
        lobby = replace(lobby, watch=replace(lobby.watch, renew=table.now))
        table.desks[name] = replace(desk, lobbies=desk.lobbies.put(lobby.group, lobby))
    for name in ALL[1:]:
        table.step(name, ev.Tick())
    table.run(600, 5)
    assert {name for name, key in _keys(table).items() if key != before[name]} == set(ALL[1:])
    assert table.view("ayse").epoch == epoch + 3


@pytest.mark.parametrize("deputies", [False, True])
def test_whoever_changes_the_group_again_and_again_keeps_nobody_from_changing_it(
    table: Table, *, deputies: bool
) -> None:
    """burak commits a little before each commit of cem, who puts him out: it is not the one for its epoch."""
    group = table.desks["ayse"].labels["#ops"]
    lost: list[bytes] = []

    def first(one: str, other: str, frame: Frame) -> bool:
        if (one, other) != ("cem", "ayse") or not isinstance(frame, f.Submit) or frame.payload in lost:
            return False
        if frame.kind is not f.EntryKind.COMMIT or table.view("burak").stage != "member":
            return False
        assert len(lost) < 5
        lost.append(frame.payload)
        desk, lobby = table.desks["burak"], table.state("burak", group)
        named = (f"somebody-{len(lost)}",) if deputies else None
        lobby = replace(lobby, intents=replace(lobby.intents, update=True, deputies=named))
        table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
        table.step("burak", ev.Tick())
        table._wire.append((one, other, frame))
        return True

    table.drop = first
    table.put("cem", ev.RemoveFrom("ops", "burak", ""))
    table.run(30)
    assert lost
    assert "burak" not in table.view("ayse").roster
