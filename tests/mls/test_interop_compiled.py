"""Two-way sessions with mls-rs, compiled Rust, through its Python binding: one that checks what it reads.

It is in the group ``interop`` of pyproject.toml alone; where it is not installed these tests are skipped, loudly. Its
binding has suite 1, Welcomes with the tree, adds, removes, commits with a path, words and the exporter; no updates,
pre-shared keys, external commits or re-initialisation. It takes the machine's clock, so these tests do too.
"""

from __future__ import annotations

import random as deterministic  # noqa: TID251 - a test's dice
import time
from typing import Any

import pytest

from conclave.mls import group
from conclave.mls.keypackage import OwnKeyPackage
from conclave.mls.proposals import Add, Proposal, Remove
from conclave.mls.staged import Held, Opened
from tests.mls import world as worlds
from tests.mls.world import World

mls_rs: Any = pytest.importorskip(
    "mls_rs_uniffi", reason="NO OTHER IMPLEMENTATION: ./run interop, the group interop of pyproject.toml"
)


class Session:
    """A group of ours and theirs by name; what one says, all others take as bytes."""

    def __init__(self, seed: str) -> None:
        self.world = World(seed)
        self.world.policy = group.Policy(private_handshakes=False, max_lifetime=400 * 86400)
        self.theirs: dict[str, Any] = {}
        self.identities: dict[str, Any] = {}
        self.dice = deterministic.Random(seed)
        self.made = 0

    @property
    def names(self) -> list[str]:
        return sorted([*self.world.states, *self.theirs])

    def found(self, *, ours: bool) -> None:
        """Somebody begins a group."""
        name = self.name(ours=ours)
        if ours:
            settings: Any = {"verify": worlds.trusting, "now": worlds.NOW, "random": self.world.random}
            self.world.states[name] = group.create(
                self.package(name), b"ward-7", policy=self.world.policy, **settings
            )
        else:
            self.theirs[name] = self.client(name).create_group(b"ward-7")

    def name(self, *, ours: bool) -> str:
        self.made += 1
        return f"{'ayse' if ours else 'deniz'}-{self.made}"

    def package(self, name: str) -> OwnKeyPackage:
        now = int(time.time())
        return self.world.package(name, lifetime=(now - 3600, now + 86400))

    def client(self, name: str) -> Any:
        keys = mls_rs.generate_signature_keypair(mls_rs.CipherSuite.CURVE25519_AES128)
        made = mls_rs.Client(name.encode(), keys, mls_rs.client_config_default())
        self.identities[name] = made.signing_identity()
        return made

    def leaf(self, name: str) -> int:
        """Where one of ours knows somebody to stand."""
        members = group.members(next(iter(self.world.states.values())))
        return next(index for index, member in members.items() if member.identity == name.encode())

    # --- commits ---

    def add(self, by: str, *names: str) -> None:
        """Somebody adds others, ours and theirs, in one commit; they join by its Welcome."""
        own = {name: self.package(name) for name in names if name.startswith("ayse")}
        clients = {name: self.client(name) for name in names if name.startswith("deniz")}
        offers = [group.write_key_package(each.package) for each in own.values()]
        offers += [each.generate_key_package_message().to_bytes() for each in clients.values()]
        welcome = self.commit(by, offers)
        for name, each in own.items():
            self.world.states[name] = group.join(
                welcome, each, verify=worlds.trusting, now=worlds.NOW, policy=self.world.policy
            )
        for name, each in clients.items():
            self.theirs[name] = each.join_group(None, mls_rs.Message.from_bytes(welcome)).group

    def commit(
        self, by: str, offers: list[bytes] | None = None, *, removed: str | None = None, gone: str | None = None
    ) -> bytes:
        """Somebody commits, with a path; all others follow. The Welcome, where there is one.

        ``gone`` is whom a proposal removes that waits, ``removed`` whom this commit removes by itself.
        """
        if by in self.world.states:
            proposals: list[Proposal] = [Add(group.read_key_package(offer)) for offer in offers or []]
            proposals += [Remove(self.leaf(removed))] if removed else []
            staged = self.world.stage(by, proposals)
            message, welcome = staged.message, staged.welcome
        else:
            member = self.theirs[by]
            if offers:
                made = member.add_members([mls_rs.Message.from_bytes(offer) for offer in offers])
            elif removed:
                made = member.remove_members([self.identities[removed]])
            else:
                made = member.commit()
            message = made.commit_message.to_bytes()
            welcome = made.welcome_message.to_bytes() if made.welcome_message else b""
        for name in [each for each in self.world.states if each != by]:
            self.world.follow(name, message)
        for name in [each for each in self.theirs if each not in (removed, gone)]:
            got = self.theirs[name].process_incoming_message(mls_rs.Message.from_bytes(message))
            assert isinstance(got, mls_rs.ReceivedMessage.COMMIT)
        if by in self.world.states:
            self.world.states[by] = group.merge(self.world.states[by], staged)
        for left in (removed, gone):
            self.theirs.pop(left or "", None)
        return welcome

    def propose(self, by: str, victim: str) -> None:
        """One of theirs proposes that somebody goes; whoever commits next takes it along."""
        for made in self.theirs[by].propose_remove_members([self.identities[victim]]):
            message = made.to_bytes()
            for name in self.world.states:
                assert isinstance(self.world.process(name, message), Held)
            for name in [each for each in self.theirs if each != by]:
                got = self.theirs[name].process_incoming_message(mls_rs.Message.from_bytes(message))
                assert isinstance(got, mls_rs.ReceivedMessage.RECEIVED_PROPOSAL)

    # --- words ---

    def say(self, by: str, words: bytes) -> None:
        """Somebody says something; everybody else reads it, and whose it is."""
        if by in self.world.states:
            sending = group.protect(self.world[by], words, random=self.world.random)
            self.world.states[by], message = sending.state, sending.message
        else:
            message = self.theirs[by].encrypt_application_message(words).to_bytes()
        for name in [each for each in self.world.states if each != by]:
            opened = self.world.process(name, message)
            assert isinstance(opened, Opened)
            assert (opened.data, opened.identity) == (words, by.encode())
        for name in [each for each in self.theirs if each != by]:
            got = self.theirs[name].process_incoming_message(mls_rs.Message.from_bytes(message))
            assert isinstance(got, mls_rs.ReceivedMessage.APPLICATION_MESSAGE)
            assert got.data == words
            self.identities[by] = got.sender

    def agree(self) -> None:
        """All export the same secret, so all have the same epoch."""
        secrets = {group.export(state, b"label", b"context", 32) for state in self.world.states.values()}
        secrets |= {each.export_secret(b"label", b"context", 32) for each in self.theirs.values()}
        assert len(secrets) == 1

    def step(self) -> None:
        """Anything that all are able to do, by anybody."""
        by, others = self.dice.choice(self.names), self.names
        others.remove(by)
        kinds = [sum(name.startswith(kind) for name in self.names) for kind in ("ayse", "deniz")]
        victims = [name for name in others if kinds[name.startswith("deniz")] > 1]
        match self.dice.choice(("add", "add", "remove", "propose", "path", "talk")):
            case "add" if len(others) < 12:
                names = [self.name(ours=self.dice.random() < 0.5) for _ in range(self.dice.choice((1, 1, 3)))]
                self.add(by, *names)
                for name in names:
                    self.say(name, b"hello from " + name.encode())
            case "remove" if victims:
                self.commit(by, removed=self.dice.choice(victims))
            case "propose" if victims and by in self.theirs:
                victim = self.dice.choice(victims)
                self.propose(by, victim)
                self.commit(self.dice.choice([name for name in self.names if name != victim]), gone=victim)
            case "talk":
                for name in self.names:
                    self.say(name, b"words of " + name.encode())
            case _:
                self.commit(by)


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other implementation takes the machine's clock; ours is a minute ahead: no package is of the future."""
    monkeypatch.setattr(worlds, "NOW", time.time() + 60)


def begun(seed: str, *, ours: bool) -> Session:
    session = Session(seed)
    session.found(ours=ours)
    (first,) = session.names
    session.add(first, *(session.name(ours=each) for each in (True, False, True, False)))
    session.agree()
    for name in session.names:
        session.say(name, b"hello from " + name.encode())
    return session


@pytest.mark.parametrize("ours", [True, False], ids=["in our group", "in their group"])
def test_both_join_and_speak(ours: bool) -> None:
    begun("both", ours=ours)


@pytest.mark.parametrize("ours", [True, False], ids=["in our group", "in their group"])
@pytest.mark.parametrize("seed", range(4))
def test_fifty_random_steps_together(seed: int, ours: bool) -> None:
    """Whoever commits, all follow; who joins by a Welcome of the other's stands where the other says."""
    session = begun(f"steps {seed}", ours=ours)
    for _ in range(50):
        session.step()
        session.agree()
