"""Where nodes stand in the array of a full binary tree (RFC 9420 section 4.1 and appendix C).

Leaves stand at even places, parents at odd ones; a tree of ``leaves`` leaves, always a power of two, has
``2 * leaves - 1`` nodes. A *leaf index* counts leaves, a *node* is a place in the array: node = 2 * leaf index.
"""

from __future__ import annotations


def root(leaves: int) -> int:
    """The root of a tree."""
    return leaves - 1


def level(node: int) -> int:
    """Height of a node: 0 for a leaf."""
    return (~node & (node + 1)).bit_length() - 1


def left(node: int) -> int:
    """Left child of a parent."""
    return node ^ (1 << (level(node) - 1))


def right(node: int) -> int:
    """Right child of a parent."""
    return node ^ (3 << (level(node) - 1))


def parent(node: int) -> int:
    """The parent of a node that is not the root."""
    height = level(node)
    return (node | (1 << height)) & ~(2 << height)


def sibling(node: int) -> int:
    """The other child of the parent of a node that is not the root."""
    return node ^ (2 << level(node))


def direct_path(node: int, leaves: int) -> tuple[int, ...]:
    """The nodes above ``node``, from its parent to the root; none above the root."""
    path = []
    for _ in range(level(root(leaves)) - level(node)):
        node = parent(node)
        path.append(node)
    return tuple(path)


def in_subtree(node: int, ancestor: int) -> bool:
    """Whether ``node`` is ``ancestor`` or stands below it."""
    return abs(node - ancestor) < 1 << level(ancestor)


def common_ancestor(one: int, other: int) -> int:
    """The lowest node that is, or is above, both."""
    while not in_subtree(other, one):
        one = parent(one)
    return one


def leaves_below(node: int) -> range:
    """The leaf indices at or below a node."""
    half = (1 << level(node)) - 1
    return range((node - half) // 2, (node + half) // 2 + 1)


def width(leaf: int) -> int:
    """Leaves of the smallest tree that has a leaf of index ``leaf``."""
    return 1 << leaf.bit_length()
