"""A leader that orders what nobody takes, and then shows the group so to whoever comes in anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conclave.chat import allowed, groups
from conclave.chat import events as ev
from conclave.chat.lobbies import changing, committing, speaking
from conclave.chat.lobby_state import Step
from conclave.chat.work import Work
from conclave.errors import LocalError, VerificationError
from conclave.mls import group as mls
from conclave.mls.group import Add, Extension, GroupContextExtensions
from conclave.values import replace
from conclave.wire.frames import Frame
from conclave.wire.order import EntryKind, Submit
from tests.chat.halves import ask_in
from tests.chat.people import JUDGES, own
from tests.chat.test_hostile_commits import Committer

Spoil = Callable[..., None]
LARGE = Extension(groups.DEPUTIES, bytes(300_000))


def without_deputies(state: mls.State) -> mls.State:
    """The same with an own leaf that lists no deputies."""
    epoch = state.epoch
    leaf = epoch.tree.leaf(epoch.me)
    assert leaf is not None
    leaf = replace(leaf, capabilities=replace(leaf.capabilities, extensions=()))
    return replace(state, epoch=replace(epoch, tree=epoch.tree.update(epoch.me, leaf)))


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Spoil:
    """ayse puts in order that all agree on this, and commits nothing else: else it is she who sets it right."""
    act = committing.act

    def order(room: Committer, state: mls.State, *extensions: Extension) -> None:
        table = room.table
        staged = mls.commit(
            state, [GroupContextExtensions(extensions)], verify=JUDGES.members, now=table.now, random=table.random
        )
        work = Work(table.desks["ayse"], table.now, table.random)
        speaking.commit(work, table.state("ayse", room.group), staged, state.number)
        table.desks["ayse"] = work.done()[0]
        monkeypatch.setattr(committing, "act", lambda work, group: None if work.me == "ayse" else act(work, group))
        table.put("ayse", ev.Tick())

    return order


def test_a_group_that_its_leader_made_large_is_well_again_with_the_next_change(spoil: Spoil) -> None:
    """Nobody takes what ayse orders of its own; all come in anew, by the group as it shows it."""
    room = Committer()
    table = room.table
    spoil(room, room.state("ayse"), LARGE)
    table.run(60)
    table.say("cem", "#ops", "hello")
    table.run(30)
    assert "hello" in table.words("burak")
    for name in ("burak", "cem"):
        allowed.demand_context(room.state(name).epoch.context.extensions)
    table.link("cem", "deniz")
    ask_in(table, "cem", "deniz")
    table.run(30)
    assert "deniz" in table.view("burak").roster


def test_who_sets_a_group_right_takes_no_deputies_away_that_somebody_named(spoil: Spoil) -> None:
    room = Committer()
    table = room.table
    table.run(60)
    table.part({"ayse", "burak"}, {"cem"})
    table.put("cem", ev.SetDeputies("ops", ("burak",)))
    slow = True

    def held(one: str, other: str, frame: Frame) -> bool:
        commits = isinstance(frame, Submit) and frame.kind is EntryKind.COMMIT
        sound = table.state("burak", room.group).healing.step is Step.SOUND
        return slow and (one, other) == ("burak", "ayse") and commits and sound

    table.drop = held
    spoil(room, room.state("ayse"), LARGE)
    while not (groups.spoilt(room.state()) and table.state("burak", room.group).voice.staged is not None):
        table.run(1)
    table.part()
    while groups.deputies(room.state("cem")) != ("burak",):
        table.run(1)
    slow = False
    table.run(60)
    assert groups.deputies(room.state("cem")) == ("burak",)


@pytest.fixture
def for_good(spoil: Spoil) -> Committer:
    """All agree on nothing, and by ayse's leaf they can on nothing else: MLS allows it to nobody (RFC 9420 13.4)."""
    room = Committer()
    table = room.table
    table.link("cem", "deniz")
    ask_in(table, "cem", "deniz")
    table.run(60)
    spoil(room, without_deputies(room.state("ayse")))
    table.run(60)
    table.say("burak", "#ops", "hello")
    table.run(20)
    assert "hello" in table.words("cem")
    assert groups.spoilt(room.state())
    assert any("while ayse is in" in one for one in table.texts("burak", "#ops"))
    return room


def test_who_cannot_set_a_group_right_puts_others_out(for_good: Committer) -> None:
    table = for_good.table
    table.put("burak", ev.RemoveFrom("ops", "deniz"))
    table.say("burak", "#ops", "deniz is out")
    table.run(120)
    assert "deniz" not in table.view("burak").roster
    assert "deniz is out" in table.words("cem")


def test_whoever_is_let_in_waits_until_the_group_can_be_set_right(for_good: Committer) -> None:
    """It would not take the Welcome of such a group."""
    table = for_good.table
    table.put("deniz", ev.LeaveLobby("ops"))
    table.run(60)
    ask_in(table, "cem", "deniz")
    table.run(60)
    assert table.stages()["deniz"] == "joining"
    table.put("burak", ev.RemoveFrom("ops", "ayse"))
    table.run(60)
    assert "deniz" in table.view("burak").roster


def test_who_cannot_set_a_group_right_renews_its_keys(for_good: Committer) -> None:
    table, number = for_good.table, for_good.state().number
    lobby = table.state("burak", for_good.group)
    lobby = replace(lobby, watch=replace(lobby.watch, renew=table.now + 1))
    desk = table.desks["burak"]
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(lobby.group, lobby))
    table.run(60)
    assert for_good.state().number > number


def test_who_cannot_set_a_group_right_leaves(for_good: Committer) -> None:
    table = for_good.table
    table.put("burak", ev.RemoveFrom("ops", "deniz"))
    table.put("burak", ev.LeaveLobby("ops"))
    table.run(600, 5)
    assert table.stages()["burak"] == "ended"


def test_who_cannot_set_a_group_right_names_no_deputies_nor_tries_on_and_on(
    for_good: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, tried = for_good.table, list[float]()
    commit: Callable[..., mls.Staged] = mls.commit

    def counted(*args: object, **kwargs: object) -> mls.Staged:
        tried.append(table.now)
        return commit(*args, **kwargs)

    monkeypatch.setattr(mls, "commit", counted)
    with pytest.raises(LocalError, match="ayse"):
        table.put("burak", ev.SetDeputies("ops", ("cem",)))
    table.run(60)
    assert not tried


def test_a_group_is_right_again_once_who_keeps_it_from_that_is_out(for_good: Committer) -> None:
    table = for_good.table
    table.put("burak", ev.RemoveFrom("ops", "ayse"))
    table.run(60)
    assert not groups.spoilt(for_good.state("cem"))
    table.put("burak", ev.SetDeputies("ops", ("cem",)))
    table.run(20)
    assert groups.deputies(for_good.state("cem")) == ("cem",)


@pytest.mark.parametrize("what", ["a newcomer", "its own leaf"])
def test_nobody_else_keeps_a_spoilt_group_from_being_set_right(what: str) -> None:
    """MLS itself demands of a leaf what the group has now, and no more."""
    room = Committer()
    table, who = room.table, own("deniz")
    burak, cem = (
        replace(state, epoch=replace(state.epoch, context=replace(state.epoch.context, extensions=())))
        for state in (room.state("burak"), room.state("cem"))
    )
    life = (int(table.now) - 10, int(table.now) + 86_400)
    unable = mls.OwnKeyPackage.create(
        mls.cipher_suite(who.suite), who.credential, who.signature_key, life, table.random
    ).package
    add, author = ([Add(unable)], burak) if what == "a newcomer" else ([], without_deputies(burak))
    message = mls.commit(author, add, verify=JUDGES.newcomers, now=table.now, random=table.random).message
    work = Work(table.desks["cem"], table.now, table.random)
    with pytest.raises(VerificationError, match="lists no deputies"):
        changing.examine(work, cem, "burak", 0, message, JUDGES.newcomers)
