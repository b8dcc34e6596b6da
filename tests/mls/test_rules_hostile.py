"""What one hostile member, or an inviter, tries against all others: to stop them, wear them out, pass for them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from conclave.errors import LocalError
from conclave.mls import group
from conclave.mls.credentials import Credential
from conclave.mls.extensions import (
    EXTERNAL_SENDERS,
    REQUIRED_CAPABILITIES,
    Extension,
    ExternalSender,
    external_senders_extension,
)
from conclave.mls.keypackage import OwnKeyPackage
from conclave.mls.leafnode import Source
from conclave.mls.limits import MAX_EXTERNAL_SENDERS, MAX_MESSAGE_SIZE, MAX_MESSAGES, MAX_PSKS
from conclave.mls.parenthash import verify_unmerged
from conclave.mls.proposals import Add, GroupContextExtensions, Proposal, Remove, Update
from conclave.mls.psk import PreSharedKeyID
from conclave.mls.rules import RuleError
from conclave.mls.secrettree import APPLICATION, Fork, Member, Ratchet, SecretTree
from conclave.mls.staged import Staged
from conclave.mls.tree import Node, ParentNode, Tree
from conclave.mls.welcome import GroupSecrets
from conclave.values import replace
from tests.mls.forge import RANDOM, forge_commit, forge_proposal, not_joined, refused
from tests.mls.test_rules_joining import Trap, resealed
from tests.mls.test_rules_leaves import add_refused, certificate_for
from tests.mls.world import LIFETIME, NOW, World, trusting


@pytest.fixture
def trio() -> World:
    return World.of("ayse", "burak", "cem")


def junk(world: World) -> list[Proposal]:
    """Proposals that nobody may commit, each rightly signed by a member."""
    deniz = world.package("deniz").package
    future = unreadable(world)
    return [
        GroupContextExtensions((Extension(EXTERNAL_SENDERS, b"junk"),)),
        GroupContextExtensions((Extension(REQUIRED_CAPABILITIES, b"\xff"),)),
        Add(replace(deniz, signature=bytes(64))),
        Add(replace(deniz, cipher_suite=0x0A0A)),
        Add(future.package),
        Remove(1 << 31),
    ]


def unreadable(world: World) -> OwnKeyPackage:
    """A key package whose certificate is of X.509 version 88, which there is not."""
    der = certificate_for(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key(), "deniz")
    bent = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x57", 1)
    assert bent != der
    return OwnKeyPackage.create(world.suite, Credential.x509((bent,)), bytes(32), LIFETIME, RANDOM)


def test_no_junk_keeps_others_from_committing(trio: World) -> None:
    """Whatever a member proposes, the next commit leaves out what cannot be committed, and takes the rest."""
    for bad in junk(trio):
        message = forge_proposal(trio["cem"], bad)
        for name in ("ayse", "burak"):
            trio.process(name, message)
        trio.propose("burak", Add(trio.package(f"guest-{trio['ayse'].number}").package))
        staged = trio.stage("ayse")
        assert len(staged.changes.added) == 1
        trio.follow("burak", staged.message)
        trio.follow("cem", staged.message)
        trio.states["ayse"] = group.merge(trio["ayse"], staged)
        trio.agree()


def test_no_junk_given_inline_is_a_foreign_error(trio: World) -> None:
    for bad in junk(trio):
        with pytest.raises(LocalError):
            trio.stage("ayse", [bad])


def test_5_3_certificate_readable_of_another_version(trio: World) -> None:
    """A certificate of a version that there is not is refused as any other that cannot be read."""
    add_refused("5.3-certificate-readable", trio, unreadable(trio).package)


@pytest.mark.parametrize("key", [bytes(32), b"\1" + bytes(31)], ids=["order 4", "the neutral element"])
def test_7_3_leaf_signature_of_a_key_of_small_order(trio: World, key: bytes) -> None:
    """With such a key a signature of zeros holds for every message, or for one in four: it is nobody's."""
    own = trio.package("deniz")
    for attempt in range(16):
        leaf = replace(own.package.leaf, signature_key=key, lifetime=(int(NOW) - attempt, int(NOW) + 1000))
        for signature in (bytes(64), b"\1" + bytes(63)):
            package = replace(own.package, leaf=replace(leaf, signature=signature), signature=signature)
            refused("7.3-leaf-signature", trio, "burak", forge_commit(trio["ayse"], [Add(package)]))


# --- coming back from outside ---


def come_back(world: World, name: str, **arguments: object) -> Staged:
    info = group.group_info(world["ayse"], random=world.random, external_pub=True)
    settings: dict[str, object] = {"verify": trusting, "now": NOW, "random": world.random, **arguments}
    return group.begin_external(info, world.package(name), **settings)  # type: ignore[arg-type]


def test_a_member_who_lost_its_state_comes_back(trio: World) -> None:
    """Where resync is on, as it is at first, no stranger needs to be let in for it."""
    assert trio.policy.resync
    assert not trio.policy.external_joins
    back = come_back(trio, "cem")
    for name in ("ayse", "burak"):
        trio.follow(name, back.message)
    trio.states["cem"] = back.begin(trio.policy)
    trio.agree()
    refused("policy-external-joins", trio, "burak", come_back(trio, "deniz").message)
    trio.relax(resync=False)
    refused("policy-external-joins", trio, "burak", come_back(trio, "cem").message)


def test_5_3_1_successor_without_identities(trio: World) -> None:
    """Where nobody has an identity a key is one, and a stranger with another key takes nobody's place."""

    def nameless(_: Credential, __: bytes, ___: float) -> bytes:
        return b""

    trio.relax(external_joins=True)
    for name, state in trio.states.items():
        roster = {index: member._replace(identity=b"") for index, member in state.epoch.roster.items()}
        trio.states[name] = replace(state, epoch=replace(state.epoch, roster=roster))
    message = forge_commit(trio["ayse"], [Remove(2)], joiner=trio.package("deniz"))
    refused("5.3.1-successor", trio, "burak", message, verify=nameless)


def test_a_member_without_identity_changes_its_key() -> None:
    """Its former key signs the commit, so it is the same member."""

    def nameless(_: Credential, __: bytes, ___: float) -> bytes:
        return b""

    world = World()
    own = {name: world.package(name) for name in ("ayse", "burak")}
    start = group.create(own["ayse"], b"ward-7", verify=nameless, now=NOW, random=world.random)
    staged = group.commit(start, [Add(own["burak"].package)], verify=nameless, now=NOW, random=world.random)
    ayse = group.merge(start, staged)
    burak = group.join(staged.welcome, own["burak"], verify=nameless, now=NOW)
    changed = group.commit(ayse, verify=nameless, now=NOW, random=world.random, signature_key=world.random(32))
    seen = group.process(burak, changed.message, verify=nameless, now=NOW)
    assert isinstance(seen, Staged)
    assert group.merge(burak, seen).authenticator == group.merge(ayse, changed).authenticator


def test_members_without_identities_are_told_apart_by_their_keys() -> None:
    def nameless(_: Credential, __: bytes, ___: float) -> bytes:
        return b""

    world = World()
    own = {name: world.package(name) for name in ("ayse", "burak", "cem")}
    state = group.create(own["ayse"], b"ward-7", verify=nameless, now=NOW, random=world.random)
    adds = [Add(own[name].package) for name in ("burak", "cem")]
    staged = group.commit(state, adds, verify=nameless, now=NOW, random=world.random)
    joined = group.join(staged.welcome, own["cem"], verify=nameless, now=NOW)
    assert len(group.members(joined)) == 3


# --- keys that stand somewhere else ---


def test_12_4_3_1_unique_keys_in_a_group() -> None:
    """A leaf with a parent's key is refused when it comes in: later nobody could join."""
    trio = World.of("ayse", "burak", "cem", "ece", "filiz")
    trio.commit("ece")
    taken = trio["burak"].epoch.tree.parent(5)
    assert taken is not None
    own = trio.package("deniz")
    leaf = replace(own.package.leaf, encryption_key=taken.encryption_key).sign(own.suite, own.signature_key)
    package = replace(own.package, leaf=leaf).sign(own.suite, own.signature_key)
    refused("12.4.3.1-unique-keys", trio, "burak", forge_commit(trio["ayse"], [Add(package)]))
    filiz = trio["filiz"]
    stolen = replace(filiz.epoch.leaf(4), source=Source.UPDATE, encryption_key=taken.encryption_key)
    message = forge_proposal(filiz, Update(stolen.sign(trio.suite, filiz.epoch.signature_key, filiz.group_id, 4)))
    for name in ("ayse", "burak"):
        trio.process(name, message)
    (reference,) = trio["ayse"].held
    refused("12.4.3.1-unique-keys", trio, "burak", forge_commit(trio["ayse"], [reference]))
    assert trio.stage("ayse").changes.updated == ()


# --- invitations ---


def test_12_4_3_1_secrets_size_of_an_empty_path_secret() -> None:
    trap = Trap()
    for joiner, path_secret in ((bytes(32), b""), (bytes(31), bytes(32)), (b"", None)):
        secrets = GroupSecrets(joiner, path_secret, ()).encode()
        not_joined("12.4.3.1-secrets-size", resealed(trap, secrets), trap.deniz)


def test_limit_psks_of_a_welcome() -> None:
    trap = Trap()
    names = tuple(PreSharedKeyID.external(b"shared", number.to_bytes(32)) for number in range(MAX_PSKS + 1))
    not_joined("limit-psks", resealed(trap, GroupSecrets(bytes(32), None, names).encode()), trap.deniz)


def test_limit_external_senders(trio: World) -> None:
    sender = ExternalSender(bytes(32), Credential.basic(b"watchman"))
    many = external_senders_extension((sender,) * (MAX_EXTERNAL_SENDERS + 1))
    refused("limit-external-senders", trio, "burak", forge_commit(trio["ayse"], [GroupContextExtensions((many,))]))
    trap = Trap()
    fake = trap.invite(extensions=(many,))
    not_joined("limit-external-senders", fake.welcome(trap.deniz.package, 3), trap.deniz)


# --- numbers at their end ---


def test_limit_messages(trio: World) -> None:
    """A ratchet that has come to its end goes no further, and the state can still be written."""
    world = World.of("ayse", "burak")
    for generation, opens in ((MAX_MESSAGES - 2, True), (MAX_MESSAGES, False), ((1 << 32) - 1, False)):
        ratchet = Ratchet(bytes(32), generation)
        tree = SecretTree(2, Fork(Member(ratchet, ratchet), Member(ratchet, ratchet)))
        _, key = tree.seek(world.suite, 0, APPLICATION, generation, world.policy) if opens else (None, None)
        if opens:
            assert key is not None
            assert key.generation == generation
            continue
        with pytest.raises(RuleError) as caught:
            tree.seek(world.suite, 0, APPLICATION, generation, world.policy)
        assert caught.value.rule == "limit-messages"


def test_a_message_that_nobody_would_read_is_not_made(trio: World) -> None:
    with pytest.raises(LocalError, match="bytes"):
        trio.say("ayse", bytes(MAX_MESSAGE_SIZE))


# --- wearing out ---


def test_unmerged_leaves_cost_no_square_of_their_number() -> None:
    """Every leaf unmerged at every node above it, as an inviter may claim before anything of it is verified."""
    leaf = World("leaf").package("ayse").package.leaf
    looks = 0

    class Counted(int):
        """A leaf's number that notes when it is looked at."""

        def __eq__(self, other: object) -> bool:
            nonlocal looks
            looks += 1
            return int(self) == other

        def __hash__(self) -> int:
            nonlocal looks
            looks += 1
            return hash(int(self))

    def cost(leaves: int) -> int:
        nonlocal looks
        nodes: list[Node | None] = []
        for at in range(2 * leaves - 1):
            height = (~at & (at + 1)).bit_length() - 1
            half = (1 << height) - 1
            below = tuple(map(Counted, range((at - half) // 2, (at + half) // 2 + 1)))
            key = at.to_bytes(32)
            nodes.append(ParentNode(key, b"", below) if at % 2 else replace(leaf, encryption_key=key))
        tree = Tree(nodes)
        looks = 0
        verify_unmerged(tree)
        return looks

    few = cost(256)
    assert few
    assert cost(2048) < 16 * few


def test_many_junk_proposals_cost_a_committer_little() -> None:
    """One member's sixty-four, half of them junk, are sorted without judging each pair."""
    world = World.of("ayse", "burak")
    packages = [world.package(f"guest-{number}").package for number in range(64)]
    for number, package in enumerate(packages):
        bad = replace(package, signature=bytes(64)) if number % 8 == 0 else package
        world.process("ayse", forge := forge_proposal(world["burak"], Add(bad)))
        world.states["burak"] = replace(world["burak"], traffic=world["burak"].traffic.next(world.suite, 1, 0)[0])
        assert forge
    judged = 0

    def counting(credential: Credential, key: bytes, now: float) -> bytes:
        nonlocal judged
        judged += 1
        return trusting(credential, key, now)

    staged = group.commit(world["ayse"], verify=counting, now=NOW, random=world.random)
    assert len(staged.changes.added) == 56
    assert judged < 64 * 5
