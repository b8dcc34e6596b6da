"""A crash at every commit: what is on disk is the desk, and going on from there loses and doubles nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from conclave.chat import events as ev
from conclave.chat import lobby_records, peer_records
from conclave.chat.deeds import Deed
from conclave.chat.effects import Effect
from conclave.chat.state import Desk
from conclave.chat.words import content as c
from tests.chat.desks import Table
from tests.chat.people import own

Script = Callable[[Table], None]


def kept(desk: Desk) -> dict[str, Any]:
    """All of a desk that is on disk, as it is written."""
    found: dict[str, Any] = {"busy": desk.busy, "labels": dict(desk.labels)}
    for peer in desk.peers.values():
        if peer.out.stream or peer.inbound.streams or peer.groups or len(peer.waiting):
            found["peer " + peer.handle] = peer_records.encode_peer(peer), tuple(peer.waiting), tuple(peer.out.lines)
    for lobby in desk.lobbies.values():
        voice = lobby.voice
        found["lobby " + lobby.label] = (
            lobby_records.encode_lobby(lobby),
            lobby_records.encode_place(lobby),
            tuple(voice.waiting),
            tuple(sorted(voice.flying, key=lambda one: one.number)),
            None if voice.staged is None else voice.staged.encode(),
        )
    for group, state in desk.sessions.items():
        found["keys " + group.hex()] = state.epoch_part, state.traffic_part
    for reference, package in desk.packages.items():
        found["package " + reference.hex()] = package.encode()
    found["last"] = desk.last
    return found


class Checked(Table):
    """A table where what is on disk is compared with the desk after every commit."""

    def step(self, name: str, event: ev.Event) -> list[Effect]:
        effects = super().step(name, event)
        if any(not isinstance(one, Deed) for one in effects):
            assert kept(self.restored(name)) == kept(self.desks[name]), f"after {event}"
        return effects


class Crashing(Table):
    """A table where ``victim`` dies right after its commit number ``at``, before anything of it is sent."""

    def __init__(self, *names: str, victim: str, at: int) -> None:
        super().__init__(*names)
        self.victim, self.at, self.commits = victim, at, 0

    def do(self, name: str, deeds: Iterable[Deed], *, committed: bool) -> None:
        if name == self.victim and committed:
            self.commits += 1
            if self.commits == self.at:
                self._wire = deque(one for one in self._wire if name not in one[:2])
                self.restart(name)
                self.dial()
                return
        super().do(name, deeds, committed=committed)


def pair(table: Table) -> None:
    table.stock()
    table.say("ayse", "@burak", "one")
    table.dial()
    table.put("burak", ev.AnswerRequest("ayse", accept=True))
    table.say("burak", "@ayse", "two")
    identity = table.say("ayse", "@burak", "thre")
    table.put("ayse", ev.Utter("@burak", table.random(16), c.Edit(identity, "three")))
    table.run(140, 10)
    table.say("burak", "@ayse", "four")


def lost(table: Table) -> None:
    """burak comes with an empty home, twice, and cannot read what was said to the one before."""
    table.stock()
    table.say("ayse", "@burak", "hello")
    table.dial()
    table.say("burak", "@ayse", "hi")
    for home in ("second", "third"):
        table.part({"ayse"}, {"burak"})
        table.lose_home("burak")
        table.stock("burak")
        table.say("ayse", "@burak", f"before the {home}")
        table.part()
        table.run(40, 5)
        table.say("burak", "@ayse", f"my {home}")
        table.run(40, 5)


def lobby(table: Table) -> None:
    table.put("ayse", ev.OpenLobby("ops", b"g" * 16, ("burak", "cem")))
    table.dial()
    for name in ("burak", "cem"):
        table.put(name, ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(3)
    table.say("burak", "#ops", "one")
    table.own["cem"] = own("cem", 2)
    table.put("cem", ev.OwnChanged(table.own["cem"]))
    table.say("cem", "#ops", "two")
    table.put("ayse", ev.SetDeputies("ops", ("cem",)))
    table.put("cem", ev.MarkRead("#ops", 3))
    table.run(20, 2)
    table.part({"ayse"}, {"burak", "cem"})
    table.say("ayse", "#ops", "alone")
    table.run(20)
    table.say("burak", "#ops", "apart")
    table.part()
    table.run(30)
    table.put("burak", ev.LeaveLobby("ops"))
    table.run(5)


@pytest.mark.parametrize("script", [pair, lost, lobby])
def test_after_every_commit_the_store_gives_the_same_desk_back(script: Script) -> None:
    table = Checked("ayse", "burak", "cem")
    script(table)
    assert sum(len(one) for one in table.effects.values()) > 20


def play(script: Script, victim: str, at: int) -> Table | None:
    """The script, with a crash of ``victim`` at its commit number ``at``; None: it has not so many."""
    table = Crashing("ayse", "burak", "cem", victim=victim, at=at)
    script(table)
    if table.commits < at:
        return None
    for _ in range(3):
        table.run(40, 5)
        for name in table.desks:
            table.collect(name)
    return table


def test_a_crash_of_either_at_any_commit_of_a_pair_loses_and_doubles_nothing() -> None:
    crashes = 0
    for victim in ("ayse", "burak"):
        for at in range(1, 60):
            table = play(pair, victim, at)
            if table is None:
                break
            crashes += 1
            for name, other in (("ayse", "burak"), ("burak", "ayse")):
                words = sorted(table.words(name, "@" + other))
                assert words == ["four", "one", "three", "two"], f"{victim} crashed at {at}"
                assert set(table.statuses(name, "@" + other)) == {"delivered"}, f"{victim} crashed at {at}"
    assert crashes > 20


def test_a_crash_at_any_commit_loses_nothing_that_a_lost_home_could_not_read() -> None:
    crashes = 0
    for at in range(1, 60):
        table = play(lost, "ayse", at)
        if table is None:
            break
        crashes += 1
        said = ["hello", "before the second", "before the third"]
        assert [
            one.text for one in table.lines("ayse", "@burak") if one.sender == "ayse" and one.text in said
        ] == said
        assert table.words("burak", "@ayse").count("before the third") == 1, f"ayse crashed at {at}"
        assert set(table.statuses("ayse", "@burak")) == {"delivered"}, f"ayse crashed at {at}"
    assert crashes > 10


@pytest.mark.parametrize("every", [pytest.param(7, id="some"), pytest.param(1, id="all", marks=pytest.mark.slow)])
@pytest.mark.parametrize("victim", ["ayse", "burak", "cem"])
def test_a_crash_of_anybody_at_any_commit_of_a_lobby_loses_and_doubles_nothing(victim: str, every: int) -> None:
    crashes = 0
    for at in range(1, 200, every):
        table = play(lobby, victim, at)
        if table is None:
            break
        crashes += 1
        seen = {(one.hash, one.authenticator, one.roster) for one in (table.view("ayse"), table.view("cem"))}
        assert len(seen) == 1, f"{victim} crashed at {at}"
        assert table.stages()["burak"] == "ended", f"{victim} crashed at {at}"
        for name in ("ayse", "cem"):
            assert sorted(table.words(name)) == ["alone", "apart", "one", "two"], f"{victim} crashed at {at}"
    assert crashes * every > 20
