"""In random groups: a leaked state opens nothing of before, what comes until its member renews its keys, and no more.

The thief has the whole state and follows the group with it, commit by commit, as its member would.
"""

from __future__ import annotations

import pytest

from conclave.errors import ConclaveError
from conclave.mls import group
from conclave.mls.staged import Opened, Staged
from conclave.mls.state import State
from conclave.values import replace
from tests.mls.test_properties import Play, blind
from tests.mls.world import NOW, find_psk, trusting


class Watched(Play):
    """A group of which every message is kept by somebody who reads none."""

    def __init__(self, seed: int, size: int) -> None:
        self.seen: list[bytes] = []
        super().__init__(seed, size)

    def say(self, by: str, words: bytes) -> bytes:
        self.seen.append(super().say(by, words))
        return self.seen[-1]

    def stage(self, *arguments: object, **settings: object) -> Staged:
        staged = super().stage(*arguments, **settings)  # type: ignore[arg-type]
        self.seen.append(staged.message)
        return staged

    def _spread(self, by: str, sending: group.Sending) -> bytes:
        self.seen.append(super()._spread(by, sending))
        return self.seen[-1]


def followed(thief: State, messages: list[bytes]) -> State:
    """As far as the thief gets; it knows the application's pre-shared keys as well."""
    for message in messages:
        try:
            got = group.process(thief, message, verify=trusting, now=NOW, psk=find_psk)
        except ConclaveError:
            continue
        assert got.state is not None
        thief = group.merge(got.state, got) if isinstance(got, Staged) else got.state
    return thief


def reads(thief: State, message: bytes) -> bool:
    got = group.process(thief, message, verify=trusting, now=NOW)
    return isinstance(got, Opened)


def leak(seed: int) -> None:
    world = Watched(seed, size=3 + seed % 6)
    world.newcomers(world.someone(), 2)
    for _ in range(4):
        world.act()
    victim = world.someone()
    thief = State.decode(world[victim].encode())
    assert world.seen
    assert all(blind(thief, message) for message in world.seen)

    other = world.someone(victim)
    start = len(world.seen)
    world.commit(other)
    thief = followed(thief, world.seen[start:])
    assert thief.number == world[victim].number
    assert reads(thief, world.say(other, b"what a thief may read"))

    start = len(world.seen)
    if world.dice.random() < 0.5:
        world.commit(victim)
    else:
        world.update(victim)
        world.commit(other)
    for held in (thief.held, world[other].held):
        with_held = followed(replace(thief, held=held), world.seen[start:])
        assert with_held.number < world[victim].number
    keys = {thief.epoch.suite.kem.public(key) for key in thief.epoch.keys.values()}
    assert keys.isdisjoint(node.encryption_key for node in world[victim].epoch.tree.nodes if node is not None)
    world.commit(other)
    thief = followed(thief, world.seen[start:])
    assert blind(thief, world.say(other, b"what no thief reads"))
    world.agree()


@pytest.mark.parametrize("decade", range(20))
def test_random_leaks(decade: int) -> None:
    for seed in range(10 * decade, 10 * decade + 10):
        leak(seed)
