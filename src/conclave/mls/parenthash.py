"""Parent hashes: proof that the keys in the tree were put there by members (RFC 9420 section 7.9)."""

from __future__ import annotations

from collections.abc import Collection

from conclave.crypto.kdf import Kdf
from conclave.mls import treemath
from conclave.mls.leafnode import LeafNode, Source
from conclave.mls.rules import RuleError
from conclave.mls.tree import ParentNode, Tree, hash_input
from conclave.wire.codec import Writer


def parent_hash(kdf: Kdf, node: ParentNode, sibling_hash: bytes) -> bytes:
    """The parent hash of a node, with the original tree hash of the copath child."""
    return kdf.hash(Writer().opaque(node.encryption_key).opaque(node.parent_hash).opaque(sibling_hash).done())


def chain(kdf: Kdf, tree: Tree, path: list[tuple[int, int]], keys: list[bytes]) -> tuple[list[ParentNode], bytes]:
    """New nodes for a filtered direct path, bound to each other from the root down, and the leaf's parent hash."""
    nodes: list[ParentNode] = []
    above = b""
    for (_, copath), key in zip(reversed(path), reversed(keys), strict=True):
        node = ParentNode(key, above)
        above = parent_hash(kdf, node, tree.hash(kdf, copath))
        nodes.append(node)
    return nodes[::-1], above


def original_hash(kdf: Kdf, tree: Tree, at: int, without: Collection[int]) -> bytes:
    """The tree hash of a node as if the leaves ``without`` had not been added (RFC 9420 section 7.9)."""
    inside = [leaf for leaf in without if treemath.in_subtree(2 * leaf, at)]
    if not inside:
        return tree.hash(kdf, at)
    if at % 2 == 0:
        return kdf.hash(hash_input(at, None))
    node = tree.parent(at)
    if node is not None:
        kept = tuple(leaf for leaf in node.unmerged if leaf not in inside)
        node = ParentNode(node.encryption_key, node.parent_hash, kept)
    below = (original_hash(kdf, tree, child, inside) for child in (treemath.left(at), treemath.right(at)))
    return kdf.hash(hash_input(at, node, *below))


def verify_parent_hashes(kdf: Kdf, tree: Tree) -> None:
    """Every parent was set by exactly one chain of its descendants (RFC 9420 section 7.9.2). Raises ``RuleError``."""
    for at in range(1, 2 * tree.leaves - 1, 2):
        node = tree.parent(at)
        if node is None:
            continue
        left, right = treemath.left(at), treemath.right(at)
        if _descendants(kdf, tree, node, left, right) + _descendants(kdf, tree, node, right, left) != 1:
            raise RuleError("7.9.2-parent-hash", "a parent's key cannot be traced to a member's signature")


def _descendants(kdf: Kdf, tree: Tree, node: ParentNode, child: int, sibling: int) -> int:
    """How many nodes in the resolution of ``child`` are parent-hash valid with respect to ``node``."""
    resolution = tree.resolution(child)
    unmerged = {2 * leaf for leaf in node.unmerged if treemath.in_subtree(2 * leaf, child)}
    if len(resolution) != len(unmerged) + 1 or not unmerged <= set(resolution):
        return 0
    (candidate,) = set(resolution) - unmerged
    found = tree.node(candidate)
    if isinstance(found, LeafNode) and found.source is not Source.COMMIT:
        return 0
    expected = parent_hash(kdf, node, original_hash(kdf, tree, sibling, node.unmerged))
    return int(found is not None and found.parent_hash == expected)


def verify_unmerged(tree: Tree) -> None:
    """Unmerged leaves are members below, known to every node between, and no key stands twice in the tree.

    RFC 9420 section 12.4.3.1, integrity of the ratchet tree. Raises ``RuleError``.
    """
    keys: set[bytes] = set()
    listed = {at: frozenset(node.unmerged) for at, node in enumerate(tree.nodes) if isinstance(node, ParentNode)}
    for at, node in enumerate(tree.nodes):
        if node is None:
            continue
        if node.encryption_key in keys:
            raise RuleError("12.4.3.1-unique-keys", "one encryption key stands in two nodes of the tree")
        keys.add(node.encryption_key)
        for leaf in listed.get(at, ()):
            if tree.leaf(leaf) is None or not treemath.in_subtree(2 * leaf, at):
                raise RuleError("12.4.3.1-unmerged-member", "an unmerged leaf that is blank, or not below its parent")
    for leaf, _ in tree.members():
        merged = False
        for at in treemath.direct_path(2 * leaf, tree.leaves):
            if at in listed and leaf not in listed[at]:
                merged = True
            elif at in listed and merged:
                raise RuleError("12.4.3.1-unmerged-between", "an unmerged leaf that a node between does not list")
