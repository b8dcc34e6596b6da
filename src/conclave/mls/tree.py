"""The ratchet tree: who is in the group and which keys stand above them (RFC 9420 sections 4, 7 and 12.4.3.3).

A tree is immutable: every change gives another tree that shares the nodes and the hashes that did not change.
Left out: parent hashes (``parenthash``) and secrets (``treekem``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Self

from conclave.crypto.kdf import Kdf
from conclave.errors import DecodeError
from conclave.mls import treemath
from conclave.mls.leafnode import LeafNode, Source
from conclave.mls.limits import MAX_LEAVES
from conclave.mls.rules import RuleError
from conclave.mls.struct import Struct
from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer, encode_varint


@dataclass(frozen=True, slots=True)
class ParentNode(Struct):
    """A key that is known to the members below, unmerged leaves excepted (RFC 9420 section 7.1)."""

    encryption_key: bytes
    parent_hash: bytes = b""
    unmerged: tuple[int, ...] = ()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``ParentNode``."""
        node = cls(reader.opaque(), reader.opaque(), reader.vector(Reader.uint32))
        if any(later <= earlier for earlier, later in zip(node.unmerged, node.unmerged[1:], strict=False)):
            raise RuleError("7.1-unmerged-sorted", "a parent's unmerged leaves are not in increasing order")
        return node

    def write(self, writer: Writer) -> Writer:
        """A ``ParentNode``."""
        writer.opaque(self.encryption_key).opaque(self.parent_hash)
        return writer.opaque(b"".join(leaf.to_bytes(4) for leaf in self.unmerged))


Node = LeafNode | ParentNode

_LEAF, _PARENT = 1, 2


def _read_node(reader: Reader) -> Node:
    kind = reader.uint8()
    if kind == _LEAF:
        return LeafNode.read(reader)
    if kind == _PARENT:
        return ParentNode.read(reader)
    raise DecodeError(f"a node of type {kind}")


def _write_optional(writer: Writer, node: Node | None) -> Writer:
    if node is None:
        return writer.uint8(0)
    return node.write(writer.uint8(1).uint8(_LEAF if isinstance(node, LeafNode) else _PARENT))


class Tree(Struct):
    """``nodes`` in array order, None for a blank one; always a full tree, so ``2^(d+1) - 1`` of them."""

    __slots__ = ("_hashes", "nodes")

    def __init__(self, nodes: Iterable[Node | None], hashes: list[bytes | None] | None = None) -> None:
        self.nodes = tuple(nodes)
        self._hashes: list[bytes | None] = [None] * len(self.nodes) if hashes is None else hashes

    # --- encoding: the ratchet_tree extension, RFC 9420 section 12.4.3.3 ---

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``ratchet_tree``, extended with blank nodes to a full tree."""
        nodes = list(reader.vector(lambda each: each.optional(_read_node)))
        if not nodes or nodes[-1] is None:
            raise RuleError("12.4.3.3-last-node", "a ratchet tree that is empty or ends with a blank node")
        leaves = treemath.width(len(nodes) // 2)
        if leaves > MAX_LEAVES:
            raise DecodeError(f"a tree of {leaves} leaves, at most {MAX_LEAVES} allowed")
        if any(node is not None and isinstance(node, LeafNode) is bool(at % 2) for at, node in enumerate(nodes)):
            raise RuleError("12.4.3.3-node-kind", "a ratchet tree with a leaf where a parent stands, or the reverse")
        return cls(nodes + [None] * (2 * leaves - 1 - len(nodes)))

    def write(self, writer: Writer) -> Writer:
        """A ``ratchet_tree``, without the blank nodes at its end."""
        end = len(self.nodes)
        while end and self.nodes[end - 1] is None:
            end -= 1
        return writer.vector(self.nodes[:end], _write_optional)

    # --- looking ---

    def __eq__(self, other: object) -> bool:
        """Whether all nodes are equal."""
        return isinstance(other, Tree) and self.nodes == other.nodes

    def __hash__(self) -> int:
        """Trees are compared, never keys of a mapping; their size is hash enough."""
        return len(self.nodes)

    @property
    def leaves(self) -> int:
        """Leaves of the full tree, blank ones included."""
        return (len(self.nodes) + 1) // 2

    def node(self, at: int) -> Node | None:
        """The node at a place; None where it is blank or beyond the tree."""
        return self.nodes[at] if at < len(self.nodes) else None

    def leaf(self, index: int) -> LeafNode | None:
        """The leaf of an index; None where it is blank or beyond the tree."""
        node = self.node(2 * index)
        return node if isinstance(node, LeafNode) else None

    def parent(self, at: int) -> ParentNode | None:
        """The parent at an odd place; None where it is blank."""
        node = self.node(at)
        return node if isinstance(node, ParentNode) else None

    def members(self) -> Iterator[tuple[int, LeafNode]]:
        """Leaf index and leaf of everyone in the group."""
        for at in range(0, len(self.nodes), 2):
            node = self.nodes[at]
            if isinstance(node, LeafNode):
                yield at // 2, node

    def untouched(self, before: Tree) -> frozenset[int]:
        """Leaves that were the same all the while since ``before``: nobody was taken out and added again.

        One of a key package is none of them, as that may be used twice.
        """
        leaves = dict(before.members())
        return frozenset(
            index for index, leaf in self.members()
            if leaf.source is not Source.KEY_PACKAGE and index in leaves and leaves[index].encoded == leaf.encoded
        )  # fmt: skip

    def resolution(self, at: int) -> list[int]:
        """The fewest non-blank nodes that cover the leaves below a node (RFC 9420 section 4.1.1)."""
        node = self.nodes[at]
        if isinstance(node, ParentNode):
            return [at, *(2 * leaf for leaf in node.unmerged)]
        if node is not None:
            return [at]
        if at % 2 == 0:
            return []
        return self.resolution(treemath.left(at)) + self.resolution(treemath.right(at))

    def _is_empty(self, at: int) -> bool:
        half = (1 << treemath.level(at)) - 1
        return all(node is None for node in self.nodes[at - half : at + half + 1])

    def filtered_path(self, leaf: int) -> list[tuple[int, int]]:
        """The filtered direct path of a leaf (RFC 9420 section 4.1.2), each node with its child on the copath."""
        path, child = [], 2 * leaf
        for node in treemath.direct_path(child, self.leaves):
            other = treemath.sibling(child)
            if not self._is_empty(other):
                path.append((node, other))
            child = node
        return path

    # --- hashes: RFC 9420 section 7.8 ---

    def hash(self, kdf: Kdf, at: int | None = None) -> bytes:
        """The tree hash of a node; of the root where none is named. Kept until something below changes."""
        place = treemath.root(self.leaves) if at is None else at
        found = self._hashes[place]
        if found is None:
            below: tuple[bytes, ...] = ()
            if place % 2:
                below = self.hash(kdf, treemath.left(place)), self.hash(kdf, treemath.right(place))
            found = self._hashes[place] = kdf.hash(hash_input(place, self.nodes[place], *below))
        return found

    # --- changing ---

    def replace(self, changes: Iterable[tuple[int, Node | None]]) -> Tree:
        """Another tree with some nodes replaced."""
        nodes, hashes = list(self.nodes), list(self._hashes)
        for at, node in changes:
            nodes[at] = node
            for stale in (at, *treemath.direct_path(at, self.leaves)):
                hashes[stale] = None
        return Tree(nodes, hashes)

    def blank_path(self, leaf: int) -> list[tuple[int, Node | None]]:
        """The changes that blank a leaf's direct path."""
        path = treemath.direct_path(2 * leaf, self.leaves)
        return [(node, None) for node in path if self.nodes[node] is not None]

    def update(self, index: int, leaf: LeafNode) -> Tree:
        """Replace a leaf and blank the nodes above it (RFC 9420 section 12.1.2)."""
        return self.replace([*self.blank_path(index), (2 * index, leaf)])

    def remove(self, *indices: int) -> Tree:
        """Blank leaves and the nodes above them, then shorten the tree (RFC 9420 section 12.1.3)."""
        changes: dict[int, Node | None] = {}
        for index in indices:
            changes |= {2 * index: None, **dict(self.blank_path(index))}
        return self.replace(changes.items()).shorten() if changes else self

    def shorten(self) -> Tree:
        """Drop right halves that hold no leaf (RFC 9420 section 7.7)."""
        last = max((index for index, _ in self.members()), default=0)
        end = 2 * treemath.width(last) - 1
        return Tree(self.nodes[:end], self._hashes[:end])

    def first_blank(self, start: int = 0) -> int:
        """Index of the leftmost blank leaf from ``start`` on; one past the last leaf where there is none."""
        for at in range(2 * start, len(self.nodes), 2):
            if self.nodes[at] is None:
                return at // 2
        return self.leaves

    def extend(self) -> Tree:
        """Double the tree: a blank root above it and a blank half to its right (RFC 9420 section 7.7)."""
        if 2 * self.leaves > MAX_LEAVES:
            raise RuleError("limit-tree-size", f"a tree has at most {MAX_LEAVES} leaves")
        blank = [None] * (len(self.nodes) + 1)
        return Tree([*self.nodes, *blank], [*self._hashes, *blank])

    def add(self, leaves: Iterable[LeafNode]) -> tuple[Tree, list[int]]:
        """Put leaves into the leftmost blank places, in order (RFC 9420 section 12.1.1); their indices."""
        tree, indices, free = self, [], 0
        changes: dict[int, Node | None] = {}
        for leaf in leaves:
            free = tree.first_blank(free)
            if free == tree.leaves:
                tree = tree.extend()
            for at in treemath.direct_path(2 * free, tree.leaves):
                node = changes.get(at, tree.nodes[at])
                if isinstance(node, ParentNode):
                    unmerged = tuple(sorted((*node.unmerged, free)))
                    changes[at] = ParentNode(node.encryption_key, node.parent_hash, unmerged)
            changes[2 * free] = leaf
            indices.append(free)
            free += 1
        return tree.replace(changes.items()), indices


def hash_input(at: int, node: Node | None, *below: bytes) -> bytes:
    """``TreeHashInput`` (RFC 9420 section 7.8) of the node at ``at``, over its children's hashes."""
    if at % 2 == 0:
        head = b"\x01" + (at // 2).to_bytes(4)
        return head + b"\x00" if node is None else head + b"\x01" + node.encode()
    head = b"\x02\x00" if node is None else b"\x02\x01" + node.encode()
    left, right = below
    size = encode_varint(len(left))
    return head + size + left + size + right
