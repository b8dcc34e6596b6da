"""Sections 7.5, 7.6, 7.9 and 12.4.2 of RFC 9420: every rule about a commit's path, broken once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conclave.crypto.labels import encrypt_with_label
from conclave.errors import LocalError
from conclave.mls import group, treekem
from conclave.mls.commit import provisional_context
from conclave.mls.evolution import evolve
from conclave.mls.limits import MAX_EPOCH, MAX_LEAVES
from conclave.mls.proposallist import Judged
from conclave.mls.rules import RuleError
from conclave.mls.tree import Tree
from conclave.mls.treekem import HPKECiphertext, UpdatePath, merge_path
from conclave.values import replace
from tests.mls.forge import RANDOM, forge_commit, refused
from tests.mls.world import NOW, World, find_psk, trusting


@pytest.fixture
def trio() -> World:
    return World.of("ayse", "burak", "cem")


def sealed_anew(world: World, path: UpdatePath, secret: Callable[[int], bytes]) -> UpdatePath:
    """A path of ayse's whose secrets are replaced, each sealed as it must be."""
    epoch = world["ayse"].epoch
    evolved = evolve(epoch, Judged(epoch.context.extensions))
    tree = merge_path(world.suite, evolved.tree, 0, path)
    context = provisional_context(epoch, evolved, tree).encoded
    nodes = []
    for at, (_, copath) in enumerate(tree.filtered_path(0)):
        keys = [tree.nodes[each] for each in tree.resolution(copath)]
        sealed = tuple(
            HPKECiphertext(
                *encrypt_with_label(world.suite, key.encryption_key, b"UpdatePathNode", context, secret(at), RANDOM)
            )
            for key in keys
            if key is not None
        )
        nodes.append(replace(path.nodes[at], secrets=sealed))
    return replace(path, nodes=tuple(nodes))


def re_leafed(world: World, path: UpdatePath, **changes: object) -> UpdatePath:
    """A path of ayse's with a changed leaf, signed."""
    leaf = replace(path.leaf, **changes)  # type: ignore[arg-type]
    return replace(path, leaf=leaf.sign(world.suite, world["ayse"].epoch.signature_key, b"ward-7", 0))


def test_7_6_path_length(trio: World) -> None:
    shorter = forge_commit(trio["ayse"], edit_path=lambda path: replace(path, nodes=path.nodes[:-1]))
    refused("7.6-path-length", trio, "burak", shorter)
    longer = forge_commit(trio["ayse"], edit_path=lambda path: replace(path, nodes=(*path.nodes, path.nodes[0])))
    refused("7.6-path-length", trio, "burak", longer)


def test_12_4_2_path_keys_new(trio: World) -> None:
    trio.commit("burak")
    known = trio["burak"].epoch.tree.nodes[1]
    assert known is not None

    def twice(path: UpdatePath) -> UpdatePath:
        first = replace(path.nodes[0], encryption_key=path.nodes[1].encryption_key)
        return replace(path, nodes=(first, *path.nodes[1:]))

    taken = another_root(known.encryption_key)
    refused("12.4.2-path-keys-new", trio, "burak", forge_commit(trio["cem"], edit_path=taken))
    refused("12.4.2-path-keys-new", trio, "burak", forge_commit(trio["ayse"], edit_path=twice))


def another_root(key: bytes) -> Callable[[UpdatePath], UpdatePath]:
    return lambda path: replace(path, nodes=(*path.nodes[:-1], replace(path.nodes[-1], encryption_key=key)))


@pytest.mark.parametrize("key", [b"", bytes(32)], ids=["none", "small order"])
def test_7_6_path_keys_valid(trio: World, key: bytes) -> None:
    refused("7.6-path-keys-valid", trio, "burak", forge_commit(trio["ayse"], edit_path=another_root(key)))


def test_7_9_2_leaf_parent_hash(trio: World) -> None:
    def bound_to(wrong: bytes) -> Callable[[UpdatePath], UpdatePath]:
        return lambda path: re_leafed(trio, path, parent_hash=wrong)

    for wrong in (b"", bytes(32)):
        refused("7.9.2-leaf-parent-hash", trio, "burak", forge_commit(trio["ayse"], edit_path=bound_to(wrong)))
    fresh = trio.suite.kem.public(RANDOM(32))
    refused("7.9.2-leaf-parent-hash", trio, "burak", forge_commit(trio["ayse"], edit_path=another_root(fresh)))


def test_12_4_2_leaf_key_fresh(trio: World) -> None:
    old = trio["ayse"].epoch.leaf(0).encryption_key
    message = forge_commit(trio["ayse"], edit_path=lambda path: re_leafed(trio, path, encryption_key=old))
    refused("12.4.2-leaf-key-fresh", trio, "burak", message)


def test_7_6_ciphertext_count(trio: World) -> None:
    def fewer(path: UpdatePath) -> UpdatePath:
        return replace(path, nodes=tuple(replace(node, secrets=node.secrets[1:]) for node in path.nodes))

    def more(path: UpdatePath) -> UpdatePath:
        return replace(
            path, nodes=tuple(replace(node, secrets=(*node.secrets, node.secrets[0])) for node in path.nodes)
        )

    for edit in (fewer, more):
        refused("7.6-ciphertext-count", trio, "burak", forge_commit(trio["ayse"], edit_path=edit))


def test_7_5_path_secret_opens(trio: World) -> None:
    def garble(path: UpdatePath) -> UpdatePath:
        return replace(
            path,
            nodes=tuple(
                replace(node, secrets=tuple(replace(each, ciphertext=bytes(48)) for each in node.secrets))
                for node in path.nodes
            ),
        )

    refused("7.5-path-secret-opens", trio, "burak", forge_commit(trio["ayse"], edit_path=garble))


def test_7_5_path_secret_size(trio: World) -> None:
    message = forge_commit(trio["ayse"], edit_path=lambda path: sealed_anew(trio, path, lambda _: b"short"))
    refused("7.5-path-secret-size", trio, "burak", message)


def test_7_5_path_key_matches(trio: World) -> None:
    """A committer who gives some of the group another secret than the keys in its path is caught by them."""
    message = forge_commit(trio["ayse"], edit_path=lambda path: sealed_anew(trio, path, lambda _: RANDOM(32)))
    refused("7.5-path-key-matches", trio, "burak", message)
    refused("7.5-path-key-matches", trio, "cem", message)


def test_7_5_no_key(trio: World) -> None:
    """A path that leaves us no secret: our state lacks every key, or no node of the path is above us."""
    message = forge_commit(trio["ayse"])
    poor = replace(trio["burak"], epoch=replace(trio["burak"].epoch, keys={}))
    trio.states["burak"] = poor
    refused("7.5-no-key", trio, "burak", message)
    tree = trio["ayse"].epoch.tree
    path = UpdatePath(trio["ayse"].epoch.leaf(0), ())
    with pytest.raises(RuleError) as caught:
        treekem.open_path(trio.suite, tree.remove(2).remove(1), 0, path, 1, {2: bytes(32)}, b"", ())
    assert caught.value.rule == "7.5-no-key"


def test_limit_epoch(trio: World) -> None:
    world = World.of("ayse", "burak")
    epoch = world["burak"].epoch
    last = replace(epoch, context=replace(epoch.context, epoch=MAX_EPOCH))
    with pytest.raises(RuleError) as caught:
        provisional_context(last, evolve(last, Judged(())), last.tree)
    assert caught.value.rule == "limit-epoch"


def test_limit_tree_size(trio: World) -> None:
    leaf = trio["ayse"].epoch.leaf(0)
    full = Tree([leaf, *[None] * (2 * MAX_LEAVES - 2)])
    with pytest.raises(RuleError) as caught:
        full.extend()
    assert caught.value.rule == "limit-tree-size"


def test_a_junk_commit_does_not_block_the_real_one(trio: World) -> None:
    """One member's bad commit is refused, and the real commit for the same epoch still counts."""
    refused("12.4.2-leaf-key-fresh", trio, "burak", junk(trio))
    trio.commit("cem")
    trio.agree()


def junk(world: World) -> bytes:
    old = world["ayse"].epoch.leaf(0).encryption_key
    return forge_commit(world["ayse"], edit_path=lambda path: re_leafed(world, path, encryption_key=old))


def test_every_commit_with_a_path_has_a_fresh_leaf_key(trio: World) -> None:
    before = trio["ayse"].epoch.leaf(0).encryption_key
    trio.commit("ayse")
    assert trio["ayse"].epoch.leaf(0).encryption_key != before


def test_nothing_changes_before_merge(trio: World) -> None:
    """A staged commit, own or other's, is not the state: the epoch goes on until it is merged."""
    staged = trio.stage("ayse")
    got = trio.process("burak", staged.message)
    assert isinstance(got, group.Staged)
    assert trio["ayse"].epoch.context.epoch == trio["burak"].epoch.context.epoch == 1
    opened = trio.process("ayse", trio.say("burak", b"still here"))
    assert isinstance(opened, group.Opened)
    trio.states["burak"] = group.merge(trio["burak"], got)
    assert trio["burak"].epoch.context.epoch == 2


def test_a_commit_for_another_state_is_not_merged(trio: World) -> None:
    """Two commits race: whoever lost drops its own, and cannot merge it by mistake."""
    lost = trio.stage("ayse")
    won = trio.stage("burak")
    trio.follow("ayse", won.message)
    with pytest.raises(LocalError, match="does not follow"):
        group.merge(trio["ayse"], lost)


def test_merging_does_not_bring_back_used_keys(trio: World) -> None:
    """A message opened between stage and merge cannot be opened again after it."""
    staged = trio.stage("ayse")
    message = trio.say("burak", b"once")
    trio.process("ayse", message)
    trio.states["ayse"] = group.merge(trio["ayse"], staged)
    refused("9.2-key-consumed", trio, "ayse", message)


def test_a_staged_commit_survives_being_written_down(trio: World) -> None:
    staged = trio.stage("ayse")
    again = group.Staged.decode(staged.encode())
    trio.follow("burak", staged.message)
    trio.follow("cem", staged.message)
    trio.states["ayse"] = group.merge(trio["ayse"], again)
    trio.agree()


def test_a_commit_without_path_heals_nothing_but_adds(trio: World) -> None:
    own = trio.package("deniz")
    staged = trio.commit("ayse", [group.Add(own.package)], path=False)
    trio.states["deniz"] = group.join(staged.welcome, own, verify=trusting, now=NOW, psk=find_psk)
    trio.agree()
