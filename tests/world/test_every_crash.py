"""One crash at each point of a short life of a lobby: before a commit, behind it, and before each deed of several.

Four scenes of three people are played again and again, each time with the crash one point further on: whoever has
the turn there dies, and comes back from what is on its disk. Left out: everything else that may go wrong, of which
``test_worlds`` draws some.

Play one again: python -m tests.world.test_every_crash SCENE POINT
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from tests.world.invariants import violations
from tests.world.network import Crashed, Faults, Node
from tests.world.script import QUIET_SECONDS, ROUND_SECONDS, Town
from tests.world.standin import standing_in

PEOPLE = ("ayse", "burak", "cem")
SEED = 8
STRIDE = 37
"""The default run takes one point of so many; with ``-m slow`` all are."""
CHUNKS = 20
SCRIPT_SECONDS = 60.0


class Scene(Town):
    """Three people and a lobby that ayse leads. ``at`` is the point at which whoever has the turn dies; 0: none."""

    def __init__(self, suite: int, at: int, seed: int = SEED) -> None:
        super().__init__(seed, suite=suite)
        self.nodes = {name: Node(name, self) for name in PEOPLE}
        self.unfriendly, self.faults = False, Faults()
        self.at, self.points = at, 0
        for node in self.nodes.values():
            node.put(ev.StockTold(0))

    def perhaps_crash(self, share: float = 1.0) -> None:
        """Every point where a node may crash is counted."""
        self.points += 1
        if self.points == self.at:
            raise Crashed

    def does(self, seconds: float, name: str, action: Callable[[Node], None]) -> None:
        """What somebody does at a time, or as soon as it is up again and in the lobby."""

        def act() -> None:
            node = self.nodes[name]
            view = views.lobby(node.desk, "#ops")
            if node.up and view is not None and view.stage in ("leading", "member"):
                action(node)
            elif self.now < start + SCRIPT_SECONDS:
                self.later(1.0, act)

        start = self.now
        self.later(seconds, act)

    def says(self, seconds: float, name: str) -> None:
        """Somebody says something in the lobby."""
        self.does(seconds, name, lambda node: self._say(node, "#ops"))

    def opens(self) -> None:
        """The lobby is there, and everybody has said something."""
        opening = ev.OpenLobby("ops", b"g" * 16, PEOPLE[1:])
        self.later(0.5, partial(self.nodes["ayse"].put, opening))
        for at, name in enumerate(PEOPLE):
            self.says(14.0 + at / 2, name)

    def play_scene(self, scene: str) -> bool:
        """True: it became quiet."""
        self.opens()
        SCENES[scene](self)
        self.run(self.now + SCRIPT_SECONDS)
        self.heal()
        healed = self.now
        while self.now < healed + QUIET_SECONDS:
            self._tidy()
            self.run(self.now + ROUND_SECONDS)
            if self.settled():
                return True
        return False


def commits(scene: Scene) -> None:
    """Changes of the group, with words before and behind."""
    scene.does(16, "ayse", lambda node: node.put(ev.SetDeputies("ops", ("burak",))))
    scene.says(16.01, "burak")
    scene.does(18, "ayse", lambda node: node.put(ev.RemoveFrom("ops", "cem")))
    scene.says(18.01, "burak")
    scene.does(24, "burak", lambda node: node.put(ev.InviteTo("ops", ("cem",))))
    scene.says(34, "cem")


def handover(scene: Scene) -> None:
    """The leader leaves; another one leads, and words go on."""
    scene.says(16, "cem")
    scene.does(16.01, "ayse", lambda node: node.put(ev.LeaveLobby("ops")))
    scene.says(16.02, "burak")
    scene.says(30, "cem")


def lost_leader(scene: Scene) -> None:
    """The leader is cut off and comes back to a lobby that another one leads."""
    scene.later(16, partial(scene.partition, {"ayse": 1}))
    scene.says(17, "burak")
    scene.says(45, "cem")
    scene.later(47, partial(scene.partition, {}))
    scene.says(50, "ayse")


def halves(scene: Scene) -> None:
    """The lobby goes on in two halves, each of which commits, and becomes one again."""
    scene.later(16, partial(scene.partition, {"ayse": 1}))
    scene.says(17, "ayse")
    scene.does(18, "ayse", lambda node: node.put(ev.SetDeputies("ops", ("cem",))))
    scene.says(40, "burak")
    scene.does(41, "burak", lambda node: node.put(ev.SetDeputies("ops", ("cem", "burak"))))
    scene.says(42, "cem")
    scene.later(45, partial(scene.partition, {}))


SCENES: dict[str, Callable[[Scene], None]] = {
    one.__name__: one for one in (commits, handover, lost_leader, halves)
}  # fmt: skip


def outcome(scene: str, at: int, seed: int = SEED) -> tuple[int, list[str]]:
    """Play a scene with a crash at that point: how many points were passed, and what was wrong in the end."""
    with standing_in() as suite:
        town = Scene(suite, at, seed)
        wrong = violations(town) if town.play_scene(scene) else ["it never became quiet"]
        return town.points, wrong


def check(scene: str, points: range) -> None:
    for at in points:
        wrong = outcome(scene, at)[1]
        assert not wrong, f"again: python -m tests.world.test_every_crash {scene} {at}\n" + "\n".join(wrong)


@pytest.mark.parametrize("scene", SCENES)
def test_a_crash_at_some_points_loses_nothing(scene: str) -> None:
    points, wrong = outcome(scene, 0)
    assert not wrong
    check(scene, range(1, points + 1, STRIDE))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("scene", SCENES)
def test_a_crash_at_every_point_loses_nothing(scene: str, chunk: int) -> None:
    points, _ = outcome(scene, 0)
    check(scene, range(1 + chunk, points + 1, CHUNKS))


if __name__ == "__main__":
    print("\n".join(outcome(sys.argv[1], int(sys.argv[2]))[1]) or "nothing is wrong")  # noqa: T201 - run by hand
