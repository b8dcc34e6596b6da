"""Sections 7.1, 7.9.2, 11 and 12.4.3 of RFC 9420: each rule about Welcomes and group infos, broken once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conclave.crypto.labels import encrypt_with_label
from conclave.crypto.suite import SUITES
from conclave.errors import LocalError
from conclave.mls import group
from conclave.mls.extensions import Extension
from conclave.mls.keypackage import OwnKeyPackage
from conclave.mls.leafnode import LeafNode, Source
from conclave.mls.message import decode_message, encode_message
from conclave.mls.proposals import ReInit
from conclave.mls.psk import PreSharedKeyID, Usage
from conclave.mls.state import State
from conclave.mls.tree import Node, ParentNode, Tree
from conclave.mls.treekem import HPKECiphertext
from conclave.mls.welcome import GroupInfo, GroupSecrets, Welcome
from conclave.values import replace
from tests.mls.forge import RANDOM, FakeGroup, not_joined
from tests.mls.test_rules_leaves import suspicious
from tests.mls.world import NOW, World, trusting


class Trap:
    """An inviter with a tree of its own making: four leaves, of which ours is the last."""

    def __init__(self) -> None:
        self.world = World("trap")
        self.own = {name: self.world.package(name) for name in ("ayse", "burak", "cem", "deniz")}
        self.leaves: list[LeafNode | None] = [each.package.leaf for each in self.own.values()]

    @property
    def deniz(self) -> OwnKeyPackage:
        return self.own["deniz"]

    def tree(self, **parents: Node | None) -> Tree:
        """The four leaves, with parents ``n1``, ``n3``, ``n5`` where they are given."""
        nodes: list[Node | None] = [None] * 7
        nodes[::2] = self.leaves
        for name, node in parents.items():
            nodes[int(name[1:])] = node
        return Tree(nodes)

    def invite(self, tree: Tree | None = None, *, inviter: str = "ayse", **arguments: object) -> FakeGroup:
        place = list(self.own).index(inviter)
        return FakeGroup(tree or self.tree(), self.own[inviter], place, **arguments)  # type: ignore[arg-type]

    def refused(self, rule: str, tree: Tree | None = None) -> None:
        not_joined(rule, self.invite(tree).welcome(self.deniz.package, 3), self.deniz)


@pytest.fixture
def trap() -> Trap:
    return Trap()


def some_key() -> bytes:
    return World().suite.kem.public(RANDOM(32))


def test_a_trap_without_a_fault_is_joined(trap: Trap) -> None:
    joined = group.join(trap.invite().welcome(trap.deniz.package, 3), trap.deniz, verify=trusting, now=NOW)
    assert joined.epoch.me == 3


# --- the Welcome itself ---


def test_12_4_3_1_suite(trap: Trap) -> None:
    welcome = decode_message(trap.invite().welcome(trap.deniz.package, 3))
    assert isinstance(welcome, Welcome)
    not_joined("12.4.3.1-suite", encode_message(replace(welcome, cipher_suite=3)), trap.deniz)


def test_12_4_3_1_for_us(trap: Trap) -> None:
    welcome = trap.invite().welcome(trap.own["cem"].package, 2)
    not_joined("12.4.3.1-for-us", welcome, trap.deniz)


def resealed(trap: Trap, secrets: bytes) -> bytes:
    """A Welcome whose secrets for us are these bytes."""
    welcome = decode_message(trap.invite().welcome(trap.deniz.package, 3))
    assert isinstance(welcome, Welcome)
    sealed = encrypt_with_label(
        trap.world.suite, trap.deniz.package.init_key, b"Welcome", welcome.encrypted_info, secrets, RANDOM
    )
    share = replace(welcome.secrets[0], sealed=HPKECiphertext(*sealed))
    return encode_message(replace(welcome, secrets=(share,)))


def test_12_4_3_1_secrets_open(trap: Trap) -> None:
    welcome = decode_message(trap.invite().welcome(trap.deniz.package, 3))
    assert isinstance(welcome, Welcome)
    bent = replace(welcome, encrypted_info=welcome.encrypted_info + b"x")
    not_joined("12.4.3.1-secrets-open", encode_message(bent), trap.deniz)
    not_joined("12.4.3.1-secrets-open", resealed(trap, b"\xff"), trap.deniz)


def test_12_4_3_1_secrets_size(trap: Trap) -> None:
    not_joined("12.4.3.1-secrets-size", resealed(trap, GroupSecrets(bytes(31), None, ()).encode()), trap.deniz)
    not_joined("12.4.3.1-secrets-size", resealed(trap, GroupSecrets(bytes(32), b"x", ()).encode()), trap.deniz)


def test_12_4_3_1_info_opens(trap: Trap) -> None:
    not_joined("12.4.3.1-info-opens", resealed(trap, GroupSecrets(bytes(32), None, ()).encode()), trap.deniz)


def test_12_4_3_1_one_resumption(trap: Trap) -> None:
    names = [PreSharedKeyID.resumption(Usage.BRANCH, b"old", epoch, RANDOM(32)) for epoch in (1, 2)]
    fake = trap.invite(psks=[(name, b"key") for name in names])
    not_joined("12.4.3.1-one-resumption", fake.welcome(trap.deniz.package, 3), trap.deniz, psk=lambda _: b"key")


def test_12_4_2_psk_available_to_a_joiner(trap: Trap) -> None:
    fake = trap.invite(psks=[(PreSharedKeyID.external(b"unheard of", RANDOM(32)), b"key")])
    not_joined("12.4.2-psk-available", fake.welcome(trap.deniz.package, 3), trap.deniz)


# --- the group info ---


def test_12_4_3_info_signature(trap: Trap) -> None:
    """A group info counts only with the signature of the member whom it names."""
    fake = trap.invite()
    for signer in (trap.own["burak"].signature_key, RANDOM(32)):
        welcome = fake.welcome(trap.deniz.package, 3, edit_info=lambda info: info, signer=signer)
        not_joined("12.4.3-info-signature", welcome, trap.deniz)
    named = fake.welcome(trap.deniz.package, 3, edit_info=lambda info: replace(info, signer=1))
    not_joined("12.4.3-info-signature", named, trap.deniz)


def test_12_4_3_1_signer_member(trap: Trap) -> None:
    trap.leaves[1] = None

    def named(signer: int) -> Callable[[GroupInfo], GroupInfo]:
        return lambda info: replace(info, signer=signer)

    for signer in (1, 9, 1 << 31):
        welcome = trap.invite().welcome(trap.deniz.package, 3, edit_info=named(signer))
        not_joined("12.4.3.1-signer-member", welcome, trap.deniz)


def test_12_4_3_1_signer_other(trap: Trap) -> None:
    """Our own key package cannot have invited us."""
    fake = trap.invite(inviter="deniz")
    welcome = fake.welcome(trap.deniz.package, 3, path_secrets={6: RANDOM(32)})
    not_joined("12.4.3.1-signer-other", welcome, trap.deniz)


def test_12_4_3_1_info_suite(trap: Trap) -> None:
    def other_suite(info: GroupInfo) -> GroupInfo:
        return replace(info, context=replace(info.context, cipher_suite=3))

    welcome = trap.invite().welcome(trap.deniz.package, 3, edit_info=other_suite)
    not_joined("12.4.3.1-info-suite", welcome, trap.deniz)


def test_12_4_3_group_new(trap: Trap) -> None:
    welcome = trap.invite().welcome(trap.deniz.package, 3)
    not_joined("12.4.3-group-new", welcome, trap.deniz, known_groups={b"trap"})


def test_13_4_join_supported(trap: Trap) -> None:
    fake = trap.invite(extensions=(Extension(0xF00D, b""),))
    not_joined("13.4-join-supported", fake.welcome(trap.deniz.package, 3), trap.deniz)


def test_12_4_3_1_confirmation_tag(trap: Trap) -> None:
    def untagged(info: GroupInfo) -> GroupInfo:
        return replace(info, confirmation_tag=bytes(32))

    welcome = trap.invite().welcome(trap.deniz.package, 3, edit_info=untagged)
    not_joined("12.4.3.1-confirmation-tag", welcome, trap.deniz)


# --- the tree ---


def test_12_4_3_3_tree(trap: Trap) -> None:
    welcome = trap.invite().welcome(trap.deniz.package, 3, with_tree=False)
    not_joined("12.4.3.3-tree", welcome, trap.deniz)
    group.join(welcome, trap.deniz, verify=trusting, now=NOW, tree=trap.tree().encode())


def test_12_4_3_1_tree_hash(trap: Trap) -> None:
    not_joined("12.4.3.1-tree-hash", trap.invite(tree_hash=bytes(32)).welcome(trap.deniz.package, 3), trap.deniz)
    welcome = trap.invite().welcome(trap.deniz.package, 3, with_tree=False)
    trap.leaves[1] = trap.world.package("intruder").package.leaf
    not_joined("12.4.3.1-tree-hash", welcome, trap.deniz, tree=trap.tree().encode())


def test_7_9_2_parent_hash(trap: Trap) -> None:
    """A parent whose key nobody signed for: the inviter could read what is meant for others."""
    trap.refused("7.9.2-parent-hash", trap.tree(n5=ParentNode(some_key())))
    trap.refused("7.9.2-parent-hash", trap.tree(n3=ParentNode(some_key(), b"", (1, 2, 3))))


def test_7_9_2_parent_hash_of_a_real_tree() -> None:
    """A tree that was true, with one parent's key replaced."""
    world = World.of("ayse", "burak", "cem")
    for name in ("ayse", "burak", "cem"):
        world.commit(name)
    tree = world["ayse"].epoch.tree
    deniz = world.package("deniz")
    good, (place,) = tree.add([deniz.package.leaf])
    ayse = world["ayse"].epoch
    inviter = OwnKeyPackage(deniz.package, b"", b"", ayse.signature_key)
    fake = FakeGroup(good, inviter, 0, group_id=b"ward-7")
    joined = group.join(fake.welcome(deniz.package, place), deniz, verify=trusting, now=NOW)
    assert joined.epoch.me == place
    root = good.parent(3)
    assert root is not None
    bad = good.replace([(3, replace(root, encryption_key=some_key()))])
    fake = FakeGroup(bad, inviter, 0, group_id=b"ward-7")
    not_joined("7.9.2-parent-hash", fake.welcome(deniz.package, place), deniz)


def test_12_4_3_1_unmerged_member(trap: Trap) -> None:
    trap.refused("12.4.3.1-unmerged-member", trap.tree(n5=ParentNode(some_key(), b"", (1,))))
    trap.leaves[1] = None
    trap.refused("12.4.3.1-unmerged-member", trap.tree(n3=ParentNode(some_key(), b"", (1,))))


def test_12_4_3_1_unmerged_between(trap: Trap) -> None:
    parents = {"n3": ParentNode(some_key(), b"", (3,)), "n5": ParentNode(some_key())}
    trap.refused("12.4.3.1-unmerged-between", trap.tree(**parents))


def test_12_4_3_1_unique_keys(trap: Trap) -> None:
    taken = trap.own["burak"].package.leaf.encryption_key
    trap.refused("12.4.3.1-unique-keys", trap.tree(n1=ParentNode(taken)))


def test_7_1_unmerged_sorted(trap: Trap) -> None:
    for unmerged in ((3, 2), (2, 2)):
        trap.refused("7.1-unmerged-sorted", trap.tree(n3=ParentNode(some_key(), b"", unmerged)))


def test_12_4_3_3_last_node(trap: Trap) -> None:
    for data in (b"\x00", b"\x01\x00"):
        not_joined("12.4.3.3-last-node", trap.invite().welcome(trap.deniz.package, 3), trap.deniz, tree=data)


def test_12_4_3_3_node_kind(trap: Trap) -> None:
    leaf = trap.own["ayse"].package.leaf
    swapped = Tree([leaf, leaf, leaf])
    not_joined("12.4.3.3-node-kind", trap.invite().welcome(trap.deniz.package, 3), trap.deniz, tree=swapped.encode())
    swapped = Tree([ParentNode(some_key())])
    not_joined("12.4.3.3-node-kind", trap.invite().welcome(trap.deniz.package, 3), trap.deniz, tree=swapped.encode())


def test_every_leaf_of_the_tree_is_validated(trap: Trap) -> None:
    """Each rule about leaves holds for those whom we find when we join."""
    own = trap.own["burak"]

    def broken(change: Callable[[LeafNode], LeafNode], signed: bool = True) -> Trap:
        fresh = Trap()
        leaf = change(own.package.leaf)
        fresh.leaves[1] = leaf.sign(own.suite, own.signature_key) if signed else leaf
        return fresh

    broken(lambda leaf: replace(leaf, signature=bytes(64)), signed=False).refused("7.3-leaf-signature")
    broken(lambda leaf: replace(leaf, extensions=(Extension(0xF00D, b""),))).refused("7.3-leaf-extensions")
    broken(lambda leaf: replace(leaf, lifetime=(0, 1))).refused("7.3-lifetime")
    broken(lambda leaf: replace(leaf, encryption_key=bytes(32))).refused("10-leaf-keys")
    elsewhere = replace(own.package.leaf, source=Source.UPDATE)
    fresh = Trap()
    fresh.leaves[1] = elsewhere.sign(own.suite, own.signature_key, b"other", 1)
    fresh.refused("7.3-leaf-signature")


def test_everyone_whom_we_find_is_shown_to_the_authentication_service(trap: Trap) -> None:
    trap.leaves[1] = trap.world.package("intruder").package.leaf
    not_joined("5.3.1-credential", trap.invite().welcome(trap.deniz.package, 3), trap.deniz, verify=suspicious)


def test_an_expired_neighbour_can_be_allowed(trap: Trap) -> None:
    own = trap.own["burak"]
    leaf = replace(own.package.leaf, lifetime=(0, 1)).sign(own.suite, own.signature_key)
    trap.leaves[1] = leaf
    policy = group.Policy(lifetimes_at_join=False)
    group.join(trap.invite().welcome(trap.deniz.package, 3), trap.deniz, verify=trusting, now=NOW, policy=policy)


def test_12_2_one_client(trap: Trap) -> None:
    trap.leaves[1] = trap.world.package("cem").package.leaf
    trap.refused("12.2-one-client")


def test_12_4_3_1_our_leaf(trap: Trap) -> None:
    trap.leaves[3] = trap.world.package("intruder").package.leaf
    trap.refused("12.4.3.1-our-leaf")


def test_a_welcomes_path_secret_must_give_the_trees_keys(trap: Trap) -> None:
    welcome = trap.invite().welcome(trap.deniz.package, 3, path_secrets={3: RANDOM(32)})
    not_joined("7.5-path-key-matches", welcome, trap.deniz)
    trap.leaves[1] = trap.leaves[2] = None
    tree = trap.tree()
    lonely = trap.invite(tree).welcome(trap.deniz.package, 3, path_secrets={3: RANDOM(32)})
    not_joined("7.5-path-key-matches", lonely, trap.deniz)


# --- one group out of another ---


def linked(parent: State, usage: Usage, names: tuple[str, ...], **changes: object) -> tuple[bytes, OwnKeyPackage]:
    """A Welcome to burak for a group that says that it follows ``parent``."""
    world = World(f"linked{RANDOM(4).hex()}", SUITES[int(str(changes.pop("suite", 1)))])
    own = {name: world.package(name) for name in names}
    tree = Tree([own[names[0]].package.leaf])
    tree, _ = tree.add(own[name].package.leaf for name in names[1:])
    context = parent.epoch.context
    number = int(str(changes.pop("linked_epoch", context.epoch)))
    linked_group = changes.pop("linked_group", context.group_id)
    assert isinstance(linked_group, bytes)
    name = PreSharedKeyID.resumption(usage, linked_group, number, RANDOM(world.suite.kdf.size))
    key = parent.epoch.secrets.resumption
    fake = FakeGroup(tree, own[names[0]], 0, psks=[(name, key)], **changes)  # type: ignore[arg-type]
    place = names.index("burak")
    return fake.welcome(own["burak"].package, place), own["burak"]


@pytest.fixture
def trio() -> World:
    return World.of("ayse", "burak", "cem")


def other(world: World) -> State:
    """A group that nobody spoke of."""
    package = world.package("burak")
    return group.create(package, b"other", verify=trusting, now=NOW, random=world.random)


def test_12_4_3_1_parent(trio: World) -> None:
    welcome, own = linked(trio["burak"], Usage.BRANCH, ("ayse", "burak"))
    key = trio["burak"].epoch.secrets.resumption
    not_joined("12.4.3.1-parent", welcome, own, psk=lambda _: key)
    not_joined("12.4.3.1-parent", welcome, own, psk=lambda _: key, parent=other(trio))
    plain = Trap()
    not_joined("12.4.3.1-parent", plain.invite().welcome(plain.deniz.package, 3), plain.deniz, parent=trio["burak"])
    group.join(welcome, own, verify=trusting, now=NOW, parent=trio["burak"])


def test_12_4_3_1_first_epoch(trio: World) -> None:
    welcome, own = linked(trio["burak"], Usage.BRANCH, ("ayse", "burak"), epoch=2)
    not_joined("12.4.3.1-first-epoch", welcome, own, parent=trio["burak"])


def test_a_branch_with_a_stranger_is_not_made(trio: World) -> None:
    own, stranger = trio.package("ayse"), trio.package("intruder").package
    with pytest.raises(LocalError, match="cannot follow"):
        group.branch(trio["ayse"], own, [stranger], b"some", verify=trusting, now=NOW, random=RANDOM)


def test_12_4_3_1_branch_suite(trio: World) -> None:
    welcome, own = linked(trio["burak"], Usage.BRANCH, ("ayse", "burak"), suite=3)
    not_joined("12.4.3.1-branch-suite", welcome, own, parent=trio["burak"])


def test_12_4_3_1_branch_members(trio: World) -> None:
    welcome, own = linked(trio["burak"], Usage.BRANCH, ("ayse", "burak", "intruder"))
    not_joined("12.4.3.1-branch-members", welcome, own, parent=trio["burak"])
    welcome, own = linked(trio["burak"], Usage.BRANCH, ("ayse", "burak", "cem"))
    assert len(group.members(group.join(welcome, own, verify=trusting, now=NOW, parent=trio["burak"]))) == 3


def test_12_4_3_1_reinit_due(trio: World) -> None:
    welcome, own = linked(trio["burak"], Usage.REINIT, ("ayse", "burak", "cem"), group_id=b"next")
    not_joined("12.4.3.1-reinit-due", welcome, own, parent=trio["burak"])


def test_12_4_3_1_reinit_parameters(trio: World) -> None:
    trio.commit("ayse", [ReInit(b"next", 1, 1)])
    everyone = ("ayse", "burak", "cem")
    welcome, own = linked(trio["burak"], Usage.REINIT, everyone, group_id=b"another")
    not_joined("12.4.3.1-reinit-parameters", welcome, own, parent=trio["burak"])
    welcome, own = linked(trio["burak"], Usage.REINIT, everyone, group_id=b"next", suite=3)
    not_joined("12.4.3.1-reinit-parameters", welcome, own, parent=trio["burak"])
    welcome, own = linked(trio["burak"], Usage.REINIT, everyone, group_id=b"next")
    group.join(welcome, own, verify=trusting, now=NOW, parent=trio["burak"])


def test_12_4_3_1_reinit_members(trio: World) -> None:
    trio.commit("ayse", [ReInit(b"next", 1, 1)])
    welcome, own = linked(trio["burak"], Usage.REINIT, ("ayse", "burak"), group_id=b"next")
    not_joined("12.4.3.1-reinit-members", welcome, own, parent=trio["burak"])
