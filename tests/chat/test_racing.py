"""Two change a lobby at once: one commit comes first, and what the other was to change is done all the same, once."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import groups
from conclave.mls import group as mls
from conclave.values import replace
from conclave.wire import order as f
from conclave.wire.frames import Frame
from tests.chat.desks import Table, together
from tests.chat.people import JUDGES
from tests.chat.test_hostile_commits import package

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


def test_whoever_lets_somebody_in_and_out_again_and_again_makes_nobody_mute() -> None:
    """Three commits of burak come while words of cem are on their way to the leader, each time."""
    table = together("ayse", "burak", "cem", beside=("deniz",))
    group, deniz = table.desks["ayse"].labels["#ops"], package(table, "deniz", 0)
    state = table.desks["burak"].sessions.get(group)
    assert state is not None
    begun = state.number
    late: list[f.Submit] = []

    def slow(one: str, other: str, frame: Frame) -> bool:
        if (one, other) == ("cem", "ayse") and isinstance(frame, f.Submit):
            late.append(frame)
        return "burak" in (one, other) or frame in late

    def commit(state: mls.State) -> mls.State:
        """The group as it is by the next commit of burak's, if that is ordered."""
        order, leaf = table.state("ayse", group).order, groups.roster(state).get("deniz")
        assert order is not None
        number = (order.numbers.get("burak") or 0) + 1
        staged = mls.commit(
            state, [mls.Add(deniz) if leaf is None else mls.Remove(leaf)], verify=JUDGES.members, now=table.now,
            random=table.random, authenticated_data=groups.write_reasons({}, number),
        )  # fmt: skip
        handed = f.Submit(group, number, number, state.number, f.EntryKind.COMMIT, staged.message)
        table.put("ayse", ev.Arrived("burak", handed))
        return mls.merge(staged.state or state, staged) if table.view("ayse").epoch > state.number else state

    table.drop = slow
    table.say("cem", "#ops", "can anybody hear me")
    for _ in range(10):
        for _ in range(3):
            state = commit(state)
        handed, late[:] = late[:], []
        for one in handed:
            table.put("ayse", ev.Arrived("cem", one))
        table.wait(0.5)
    assert state.number > begun  # some were ordered
    assert "can anybody hear me" in table.words("ayse")


def test_whom_somebody_lets_in_is_in_though_it_comes_right_behind_others() -> None:
    """burak lets in one after the other: none of them is turned away for it."""
    table = together("ayse", "burak", beside=("cem", "deniz", "elif", "fatma"))
    for name in ("cem", "deniz", "elif", "fatma"):
        table.link("burak", name)
        table.put("burak", ev.InviteTo("#ops", (name,)))
        table.put(name, ev.AnswerRequest("burak", accept=True, lobby="#ops"))
        table.run(0.5, 0.5)
    assert "fatma" not in table.view("ayse").roster
    table.run(6)
    assert table.view("ayse").roster == ("ayse", "burak", "cem", "deniz", "elif", "fatma")
    assert not table.troubles("burak")
