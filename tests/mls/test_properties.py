"""Random groups doing random valid things: all agree, the removed are blind, joiners know nothing of before.

100 seeds of 2 to 40 members in the default run; ``slow`` runs 2,000 longer ones.
"""

from __future__ import annotations

import random as deterministic  # noqa: TID251 - seeded choices of a test, nothing secret

import pytest

from conclave.crypto.suite import HYBRID, SUITES
from conclave.errors import ConclaveError
from conclave.mls import group
from conclave.mls.extensions import EXTERNAL_SENDERS, Extension
from conclave.mls.proposals import Add, ExternalInit, GroupContextExtensions, PreSharedKey, Proposal, Remove
from conclave.mls.psk import PreSharedKeyID
from conclave.mls.staged import Opened
from conclave.mls.state import State
from conclave.values import replace
from tests.mls.world import NOW, World, find_psk, trusting
from tests.once import remember


class Play(World):
    """A world in which members do what comes to mind."""

    def __init__(self, seed: int, size: int) -> None:
        super().__init__(seed)
        self.dice = deterministic.Random(seed)
        self.size = size
        self.gone: list[State] = []
        self.early: list[bytes] = []
        self.born = 0
        self.policy = replace(self.policy, external_joins=True)
        name = self.name()
        self.states[name] = group.create(
            self.package(name), b"ward-7", verify=trusting, now=NOW, random=self.random, policy=self.policy
        )

    def name(self) -> str:
        self.born += 1
        return f"member-{self.born}"

    def someone(self, *but: str) -> str:
        return self.dice.choice([name for name in self.states if name not in but])

    def newcomers(self, by: str, count: int) -> None:
        earlier = self.say(by, b"before you came")
        for name in self.states:
            if name != by:
                self.process(name, earlier)
        names = [self.name() for _ in range(count)]
        self.add(by, *names)
        assert all(blind(self.states[name], earlier) for name in names)

    def stranger(self) -> None:
        name = self.name()
        host = self.someone()
        info = group.group_info(self.states[host], random=self.random, external_pub=True)
        staged = group.begin_external(
            info, self.package(name), verify=trusting, now=NOW, random=self.random, psk=find_psk
        )
        for each in list(self.states):
            self.follow(each, staged.message)
        self.states[name] = staged.begin(self.policy)

    def come_back(self) -> None:
        """A member who lost its state takes its own place, and what it had is worth nothing."""
        name = self.someone()
        info = group.group_info(self.states[self.someone(name)], random=self.random, external_pub=True)
        former = self.states.pop(name)
        self.gone.append(former)
        staged = group.begin_external(
            info, self.package(name), verify=trusting, now=NOW, random=self.random, psk=find_psk
        )
        assert (staged.changes.external, staged.changes.replaced) == (True, former.epoch.me)
        for each in list(self.states):
            self.follow(each, staged.message)
        self.states[name] = staged.begin(self.policy)

    def change_key(self, by: str) -> None:
        staged = group.commit(
            self.states[by],
            verify=trusting,
            now=NOW,
            random=self.random,
            psk=find_psk,
            signature_key=self.random(self.suite.signature.private_size),
        )
        for each in [name for name in self.states if name != by]:
            self.follow(each, staged.message)
        self.states[by] = group.merge(self.states[by], staged)

    def junk(self, by: str) -> Proposal:
        """What cannot be committed, or not with the rest."""
        return self.dice.choice(
            (
                Remove(self.states[by].epoch.tree.leaves),
                Add(self.package(self.someone()).package),
                GroupContextExtensions((Extension(EXTERNAL_SENDERS, b"junk"),)),
                GroupContextExtensions((Extension(0xF00D, b""),)),
                ExternalInit(b""),
                group.ReInit(b"next", 0, 1),
            )
        )

    def leave(self, by: str) -> None:
        victim = self.someone(by)
        self.gone.append(self.states[victim])
        self.commit(by, [Remove(self.index(victim))])

    def by_reference(self, by: str) -> None:
        for _ in range(self.dice.randint(1, 3)):
            who = self.someone()
            match self.dice.randrange(4):
                case 0:
                    self.update(who)
                case 1:
                    self.propose(who, psk(self))
                case 2:
                    self.propose(who, GroupContextExtensions(()))
                case 3:
                    self.propose(who, self.junk(who))
        self.commit(by)

    def act(self) -> None:
        by, count = self.someone(), len(self.states)
        options = ["path", "reference", "psk", "talk", "key"]
        if count < self.size:
            options += ["add", "add", "stranger"]
        if count > 2:
            options += ["leave", "back"]
        match self.dice.choice(options):
            case "path":
                self.commit(by)
            case "reference":
                self.by_reference(by)
            case "psk":
                self.commit(by, [psk(self)], path=self.dice.random() < 0.5)
            case "talk":
                self.talk(by)
            case "add":
                self.newcomers(by, min(self.dice.randint(1, 6), self.size - count))
            case "stranger":
                self.stranger()
            case "leave":
                self.leave(by)
            case "key":
                self.change_key(by)
            case "back":
                self.come_back()

    def talk(self, by: str) -> None:
        """Messages arrive in any order; who was removed reads none of them."""
        messages = [self.say(by, bytes([number])) for number in range(3)]
        self.dice.shuffle(messages)
        for name in self.states:
            if name != by:
                got = [self.process(name, message) for message in messages]
                assert sorted(each.data for each in got if isinstance(each, Opened)) == [b"\0", b"\1", b"\2"]
        assert all(blind(state, messages[0]) for state in self.gone)

    def written(self) -> None:
        """Somebody's state goes through its two parts."""
        name = self.someone()
        self.states[name] = State.join_parts(self.states[name].epoch_part, self.states[name].traffic_part)


def psk(world: World) -> PreSharedKey:
    return PreSharedKey(PreSharedKeyID.external(b"shared", world.random(world.suite.kdf.size)))


def blind(state: State, message: bytes) -> bool:
    try:
        group.process(state, message, verify=trusting, now=NOW, psk=find_psk)
    except ConclaveError:
        return True
    return False


def play(seed: int, size: int, steps: int) -> None:
    world = Play(seed, size)
    world.newcomers(world.someone(), max(1, size // 2))
    for _ in range(steps):
        world.act()
        world.written()
    world.talk(world.someone())
    world.agree()


@pytest.mark.parametrize("decade", range(10))
def test_random_groups(decade: int, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(monkeypatch)  # what one member found out, holds for the forty others
    for seed in range(10 * decade, 10 * decade + 10):
        play(seed, size=2 + seed % 39, steps=6)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("hundred", range(20))
def test_many_random_groups(hundred: int) -> None:
    for seed in range(10_000 + 100 * hundred, 10_000 + 100 * hundred + 100):
        play(seed, size=2 + seed % 39, steps=12)


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: str(suite.name))
def test_every_suite_from_creation_to_resumption(suite: object) -> None:
    """Create, add, update, speak, remove, join from outside, come back, branch, re-initialise."""
    assert suite in SUITES.values()
    world = World.of("ayse", "burak", "cem", suite=suite)  # type: ignore[arg-type]
    world.relax(external_joins=True)
    world.update("cem")
    world.commit("burak")
    assert isinstance(world.process("ayse", world.say("cem", b"words")), Opened)
    world.commit("ayse", [Remove(world.index("cem"))])
    for name in ("deniz", "burak"):  # a newcomer, then a member who lost its state
        info = group.group_info(world["ayse"], random=world.random, external_pub=True)
        staged = group.begin_external(info, world.package(name), verify=trusting, now=NOW, random=world.random)
        for each in list(world.states):
            world.follow(each, staged.message)
        world.states[name] = staged.begin(world.policy)
    world.agree()
    resumed(world)


def resumed(world: World) -> None:
    own = {name: world.package(name) for name in ("ayse", "burak", "deniz")}
    settings = {"verify": trusting, "now": NOW, "random": world.random}
    branch = group.branch(world["ayse"], own["ayse"], [own["burak"].package], b"some", **settings)  # type: ignore[arg-type]
    joined = group.join(branch.welcome, own["burak"], verify=trusting, now=NOW, parent=world["burak"])
    assert joined.epoch.secrets.authenticator == branch.begin(world.policy).epoch.secrets.authenticator
    world.commit("ayse", [group.ReInit(b"next", 1, world.suite.code)])
    packages = [own[name].package for name in ("burak", "deniz")]
    following = group.reinitialise(world["ayse"], own["ayse"], packages, **settings)  # type: ignore[arg-type]
    joined = group.join(following.welcome, own["deniz"], verify=trusting, now=NOW, parent=world["deniz"])
    assert joined.epoch.secrets.authenticator == following.begin(world.policy).epoch.secrets.authenticator


def test_the_hybrid_suite_is_the_hybrid_one() -> None:
    world = World.of("ayse", "burak", suite=HYBRID)
    assert len(world["ayse"].epoch.leaf(0).encryption_key) == 1216
    world.commit("ayse", [Add(world.package("cem").package)])
