"""Two-way sessions with another implementation: ``rfc9420`` 1.2.0, the release that passes the published vectors.

It is in the group ``interop`` of pyproject.toml alone; where it is not installed these tests are skipped, loudly.
Where it is wrong a test says so: its commits with a path carry a leaf that was changed and not signed again, it drops
nodes of a path beside newcomers, and it sends and takes words without a signature.
"""

from __future__ import annotations

import random as deterministic  # noqa: TID251 - a test's dice
from typing import Any

import pytest

from conclave.mls import group
from conclave.mls.keypackage import OwnKeyPackage
from conclave.mls.proposals import Add, GroupContextExtensions, PreSharedKey, Remove
from conclave.mls.psk import PreSharedKeyID
from conclave.mls.staged import Opened
from tests.mls.forge import refused
from tests.mls.world import NOW, PSKS, World, trusting

rfc9420: Any = pytest.importorskip(
    "rfc9420", reason="NO OTHER IMPLEMENTATION: pip install rfc9420==1.2.0, the group interop of pyproject.toml"
)
pytestmark = pytest.mark.filterwarnings("ignore")

PUBLIC, PRIVATE, WELCOME = (b"\x00\x01" + code.to_bytes(2) for code in (1, 2, 3))


class Other:
    """A member who runs the other implementation; messages cross as bytes."""

    def __init__(self, world: World, name: str, inviter: str) -> None:
        from rfc9420.messages.data_structures import Welcome
        from rfc9420.messages.key_packages import KeyPackage
        from rfc9420.messages.messages import MLSCiphertext, MLSPlaintext

        self.reads, self.read_sealed, self.read_package = MLSPlaintext, MLSCiphertext, KeyPackage
        self.world, self.own = world, world.package(name)
        staged = world.commit(inviter, [Add(self.own.package)])
        self.group = rfc9420.ProtocolMLSGroup.from_welcome(
            Welcome.deserialize(staged.welcome[4:]),
            self.own.init_key,
            rfc9420.DefaultCryptoProvider(suite_id=1),
            key_package=self.package(self.own),
            encryption_private_key=self.own.encryption_key,
        )
        self.group.set_external_psk_provider(lambda _: PSKS[b"shared"])
        self.leaf: int = self.group.get_own_leaf_index()

    def package(self, own: OwnKeyPackage) -> Any:
        """One of our key packages, as it reads it."""
        read = self.read_package.deserialize(own.package.encode())
        assert read.serialize() == own.package.encode()
        return read

    def sender(self, index: int) -> Any:
        return rfc9420.Sender(index, rfc9420.SenderType.MEMBER)

    def follow(self, message: bytes, committer: int) -> None:
        self.group.process_commit(self.reads.deserialize(message[4:]), committer)

    def hear(self, message: bytes, proposer: int) -> None:
        self.group.process_proposal(self.reads.deserialize(message[4:]), self.sender(proposer))

    def propose(self, made: Any) -> None:
        """Its own proposal, to itself and to all of us."""
        self.group.process_proposal(made, self.sender(self.leaf))
        for name in self.world.states:
            self.world.process(name, PUBLIC + made.serialize())

    def open(self, message: bytes) -> tuple[int, bytes]:
        found: tuple[int, bytes] = self.group.unprotect(self.read_sealed.deserialize(message[4:]))
        return found

    def say(self, words: bytes, *, signed: bool = True) -> bytes:
        key = self.own.signature_key if signed else None
        return PRIVATE + bytes(self.group.protect(words, key).serialize())

    def agrees(self) -> bool:
        return bool(self.group.get_epoch_authenticator() == self.world.agree())


@pytest.fixture
def world() -> World:
    made = World.of("ayse", "burak", seed="interop")
    made.relax(private_handshakes=False, application_padding=0)
    return made


@pytest.fixture
def other(world: World) -> Other:
    return Other(world, "deniz", "ayse")


def committed(world: World, other: Other, by: str, proposals: list[Any], *, path: bool = True) -> None:
    staged = world.commit(by, proposals, path=path)
    other.follow(staged.message, world.index(by))
    assert other.agrees()


def talked(world: World, other: Other, words: bytes) -> None:
    for name in list(world.states):
        message = world.say(name, words)
        assert other.open(message) == (world.index(name), words)
        for each in world.states:
            if each != name:
                world.process(each, message)
    answer = other.say(words + b"!")
    for name in world.states:
        got = world.process(name, answer)
        assert isinstance(got, Opened)
        assert (got.data, got.identity) == (words + b"!", b"deniz")


def test_it_joins_by_our_welcome_and_both_speak(world: World, other: Other) -> None:
    assert other.agrees()
    assert other.group.export_secret(b"label", b"context", 32) == group.export(
        world["ayse"], b"label", b"context", 32
    )
    talked(world, other, b"words")


def test_fifty_random_steps_together(world: World, other: Other) -> None:
    """Our commits of every kind, their proposals, words both ways; all agree after each."""
    dice = deterministic.Random(9420)
    for step in range(50):
        by = dice.choice(sorted(world.states))
        match dice.choice(("path", "add", "remove", "update", "psk", "their proposal", "talk", "extensions")):
            case "path":
                committed(world, other, by, [])
            case "add":
                name = f"member-{step}"
                own = world.package(name)
                staged = world.commit(by, [Add(own.package)], path=False)
                other.follow(staged.message, world.index(by))
                world.states[name] = group.join(staged.welcome, own, verify=trusting, now=NOW, policy=world.policy)
            case "remove" if len(world.states) > 2:
                victim = dice.choice(sorted(set(world.states) - {by}))
                committed(world, other, by, [Remove(world.index(victim))])
            case "update":
                who = dice.choice(sorted(set(world.states) - {by}))
                other.hear(world.update(who), world.index(who))
                committed(world, other, by, [])
            case "psk":
                name_of_key = PreSharedKeyID.external(b"shared", world.random(32))
                committed(world, other, by, [PreSharedKey(name_of_key)], path=False)
            case "their proposal" if len(world.states) > 2:
                victim = dice.choice(sorted(set(world.states) - {by}))
                made = other.group.create_remove_proposal(world.index(victim), other.own.signature_key)
                other.propose(made)
                committed(world, other, by, [])
            case "extensions":
                committed(world, other, by, [GroupContextExtensions(())])
            case _:
                talked(world, other, b"step")
        assert other.agrees()


def test_we_follow_its_commit_and_join_by_its_welcome(world: World, other: Other) -> None:
    own = world.package("cem")
    other.propose(other.group.create_add_proposal(other.package(own), other.own.signature_key))
    pending = other.group.create_commit(other.own.signature_key)
    for name in world.states:
        world.follow(name, PUBLIC + pending.commit_message.serialize())
    other.group.apply_own_commit(pending)
    welcome = WELCOME + pending.welcomes[0].serialize()
    world.states["cem"] = group.join(welcome, own, verify=trusting, now=NOW, policy=world.policy)
    assert other.agrees()


def test_its_commits_with_a_path_are_wrong_and_refused(world: World, other: Other) -> None:
    """RFC 9420 section 7.5: the committer signs its new leaf. It changes the leaf and keeps the old signature."""
    pending = other.group.create_commit(other.own.signature_key)
    refused("7.3-leaf-signature", world, "ayse", PUBLIC + pending.commit_message.serialize())


def test_it_loses_a_path_beside_a_newcomer() -> None:
    """RFC 9420 section 4.1.2: a node stays in the filtered path though only newcomers are on its other side.

    It drops the node, and so refuses a commit that adds somebody into a half of the tree where nobody else is.
    """
    world = World.of("ayse", seed="beside")
    world.relax(private_handshakes=False, application_padding=0)
    alone = Other(world, "deniz", "ayse")
    committed(world, alone, "ayse", [])
    staged = world.commit("ayse", [Add(world.package("cem").package)])
    with pytest.raises(Exception, match="filtered direct path"):
        alone.follow(staged.message, world.index("ayse"))


def test_its_unsigned_words_are_wrong_and_refused(world: World, other: Other) -> None:
    """RFC 9420 section 6.1: every message is signed. By default it sends none, and takes words without."""
    refused("6.1-signature", world, "ayse", other.say(b"words", signed=False))
