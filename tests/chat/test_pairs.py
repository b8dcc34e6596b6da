"""Two people do anything in any order, linked or by mail: no word waits for good, is lost unseen or heard twice."""

from __future__ import annotations

import random  # noqa: TID251 - each world's chance is seeded
from contextlib import suppress

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.pair import Ours, Theirs
from conclave.chat.state import Peer
from conclave.errors import ConclaveError
from tests.chat.desks import Table

NAMES = ("ayse", "cem")
ENDS = (NAMES, NAMES[::-1])
DEEDS = {
    "say": 30, "link": 20, "wait": 8, "collect": 8, "reject": 10, "block": 6, "unblock": 8, "accept": 8, "restart": 4,
    "read": 4, "busy": 1, "free": 1, "lose": 5, "lose nothing": 5,
}  # fmt: skip
"""What may happen, and how often."""


class World:
    """A table for two and what was said at it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.table = Table(*NAMES)
        self.table.mail_life = 3 * 86_400.0
        self.table.stock()
        self.said = 0

    def put(self, one: str, event: ev.Event) -> None:
        with suppress(ConclaveError):  # not everything may be said to everybody
            self.table.put(one, event)

    def say(self, one: str, other: str) -> None:
        self.said += 1
        self.put(one, ev.Say("@" + other, self.table.random(16), f"{self.said}"))

    def act(self) -> None:
        """Something happens."""
        one, other = self.chance.choice(ENDS)
        commands: dict[str, ev.Event] = {
            "reject": ev.AnswerRequest(other, accept=False),
            "block": ev.AnswerRequest(other, accept=False, block=True),
            "unblock": ev.Unblock(other),
            "accept": ev.AnswerRequest(other, accept=True),
            "read": ev.MarkRead("@" + other, self.said),
            "busy": ev.SetBusy(on=True),
            "free": ev.SetBusy(on=False),
        }
        match self.chance.choices(tuple(DEEDS), tuple(DEEDS.values()))[0]:
            case "say":
                self.say(one, other)
            case "link":
                (self.table.cut if self.table.links else self.table.link)(one, other)
            case "lose" | "lose nothing" as how:
                self.lose(0.4 if how == "lose" else 0.0)
            case "wait":
                self.wait(self.chance.choice((3, 20, 200)))
            case "collect":
                self.table.collect(one)
            case "restart":
                self.table.restart(one)
            case command:
                self.put(one, commands[command])

    def lose(self, share: float) -> None:
        """Of the frames on the link so many are lost from now on."""
        self.table.drop = lambda *_: self.chance.random() < share

    def wait(self, seconds: float) -> None:
        for _ in range(int(seconds / 5) + 1):
            self.table.wait(5)

    def meet(self, *, by_mail: bool) -> None:
        """All that is under way arrives."""
        self.lose(0.0)
        if bool(self.table.links) is by_mail:
            (self.table.cut if by_mail else self.table.link)(*NAMES)
        for _ in range(8 if by_mail else 1):
            self.wait(10 if by_mail else 400)
            for one in NAMES if by_mail else ():
                self.table.collect(one)

    def check(self) -> None:
        for one, other in ENDS:
            mine, its = (
                self.table.desks[who].peers.get(whom) or Peer(whom) for who, whom in ((one, other), (other, one))
            )
            assert views.queued(self.table.desks[one]) == {}
            told = its.pair.told and its.pair.ours in (Ours.REJECTED, Ours.BLOCKED)
            assert (mine.pair.theirs is Theirs.REJECTED) == told
            ours = [line for line in self.table.lines(one, "@" + other) if line.sender == one]
            theirs = [int(line.text) for line in self.table.lines(other, "@" + one) if line.sender == one]
            assert theirs == sorted(set(theirs)), "heard twice, or in another order"
            assert theirs == [int(line.text) for line in ours if line.status.value == "delivered"]
            assert {line.status.value for line in ours} <= {"delivered", "not sent"}


@pytest.mark.parametrize("by_mail", [False, True])
@pytest.mark.parametrize("seed", [*range(19), 20, 54])
def test_every_word_is_delivered_or_not_sent_and_who_is_accepted_again_is_heard(seed: int, *, by_mail: bool) -> None:
    world = World(seed)
    for _ in range(40):
        world.act()
    for one, other in ENDS:
        world.put(one, ev.SetBusy(on=False))
        peer = world.table.desks[one].peers.get(other)
        if peer is not None and peer.pair.ours is Ours.REQUEST:
            world.put(one, ev.AnswerRequest(other, accept=True))
    world.meet(by_mail=by_mail)
    world.check()
    for one, other in ENDS:
        world.put(one, ev.Unblock(other))
        world.put(one, ev.AnswerRequest(other, accept=True))
    world.meet(by_mail=by_mail)
    for one, other in ENDS:
        world.say(one, other)
    world.meet(by_mail=by_mail)
    for one, other in ENDS:
        assert world.table.statuses(one, "@" + other)[-1] == "delivered"
    world.check()
