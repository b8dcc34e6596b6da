"""Trees by hand: the figures of RFC 9420, growing and shrinking, and hashes that notice every change."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.crypto.suite import CLASSICAL
from conclave.mls import group, treemath
from conclave.mls.leafnode import LeafNode
from conclave.mls.proposals import Add
from conclave.mls.tree import ParentNode, Tree
from tests.mls.world import NOW, World, trusting


def leaves(count: int) -> list[LeafNode]:
    world = World("leaves")
    return [world.package(str(number)).package.leaf for number in range(count)]


LEAVES = leaves(9)


def grown(count: int) -> Tree:
    return Tree([LEAVES[0]]).add(LEAVES[1:count])[0]


def test_the_arrays_of_appendix_c() -> None:
    assert [treemath.level(node) for node in range(15)] == [0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0]
    assert treemath.direct_path(0, 8) == (1, 3, 7)
    assert treemath.direct_path(7, 8) == ()
    assert treemath.common_ancestor(0, 6) == 3
    assert treemath.common_ancestor(4, 4) == 4
    assert list(treemath.leaves_below(11)) == [4, 5, 6, 7]
    assert [treemath.width(leaf) for leaf in (0, 1, 2, 3, 4, 7, 8)] == [1, 2, 4, 4, 8, 8, 16]


def test_the_resolutions_of_section_4_1_1() -> None:
    """Figure 10: the resolution of X is X and B, of the blank right half its two leaves."""
    tree = grown(4).replace([(1, ParentNode(b"x", b"", (1,))), (4, None)])
    assert tree.resolution(1) == [1, 2]
    assert tree.resolution(5) == [6]
    assert tree.resolution(4) == []
    assert tree.resolution(3) == [1, 2, 6]


def test_the_filtered_path_of_section_4_1_2() -> None:
    """A node whose other side is empty is left out."""
    tree = grown(4).replace([(2, None)])
    assert tree.filtered_path(0) == [(3, 5)]
    assert tree.filtered_path(3) == [(5, 4), (3, 1)]


def test_a_tree_grows_and_shrinks() -> None:
    tree = grown(5)
    assert tree.leaves == 8
    assert tree.remove(4).leaves == 4
    assert tree.remove(3).leaves == 8
    assert tree.remove(3).remove(4).leaves == 4
    assert tree.remove(0).first_blank() == 0
    assert grown(1).remove(0).leaves == 1


def test_newcomers_take_the_leftmost_places_and_are_unmerged() -> None:
    tree = grown(4).remove(1).remove(2).replace([(3, ParentNode(b"root"))])
    tree, places = tree.add(LEAVES[4:8])
    assert places == [1, 2, 4, 5]
    root = tree.parent(3)
    assert root is not None
    assert root.unmerged == (1, 2)


@given(st.lists(st.integers(0, 8), max_size=12))
@settings(max_examples=60, deadline=None)
def test_hashes_are_the_same_however_a_tree_came_to_be(removed: list[int]) -> None:
    """The hash kept along the way is the hash of the tree read anew."""
    tree = grown(9)
    for leaf in removed:
        tree.hash(CLASSICAL.kdf)
        if tree.leaf(leaf) is not None and len(list(tree.members())) > 1:
            tree = tree.remove(leaf)
        else:
            tree, _ = tree.add([LEAVES[leaf]])
    again = Tree.decode(tree.encode())
    assert again.hash(CLASSICAL.kdf) == tree.hash(CLASSICAL.kdf)
    assert (again.leaves, again) == (tree.leaves, tree)


def test_a_leaf_added_after_a_commit_is_left_out_of_the_hash_that_it_signed() -> None:
    """The original tree hash of section 7.9, where the newcomer is unmerged below the node that is verified, too."""
    names = [f"member-{number}" for number in range(7)]
    world = World.of(*names)
    for committer in ("member-4", "member-0"):
        world.commit(committer)
    own = world.package("late")
    staged = world.commit("member-1", [Add(own.package)], path=False)
    tree = world["member-0"].epoch.tree
    assert [node.unmerged for at in (7, 11) if (node := tree.parent(at))] == [(7,), (7,)]
    assert group.join(staged.welcome, own, verify=trusting, now=NOW).number == world["member-0"].number


def test_every_node_is_in_the_hash() -> None:
    tree = grown(4)
    before = tree.hash(CLASSICAL.kdf)
    changed = {tree.replace([(at, None)]).hash(CLASSICAL.kdf) for at in (0, 2, 4, 6)}
    changed |= {tree.replace([(at, ParentNode(b"key"))]).hash(CLASSICAL.kdf) for at in (1, 3, 5)}
    assert len(changed | {before}) == 8
