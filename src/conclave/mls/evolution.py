"""What proposals do to a tree and to the group's extensions, and what must come of it (RFC 9420 section 12.3)."""

from __future__ import annotations

from typing import NamedTuple

from conclave.mls.epoch import Epoch, Member
from conclave.mls.extensions import Extensions
from conclave.mls.leafnode import check_capabilities, check_neighbours
from conclave.mls.proposallist import Judged
from conclave.mls.rules import RuleError
from conclave.mls.tree import Tree


class Evolved(NamedTuple):
    """A group after the proposals of a commit and before its path. ``added`` are the new members' leaf indices."""

    tree: Tree
    roster: dict[int, Member]
    extensions: Extensions
    added: list[int]


def evolve(epoch: Epoch, judged: Judged) -> Evolved:
    """Apply proposals in the order that RFC 9420 section 12.3 prescribes: updates, removes, adds."""
    tree, roster = epoch.tree, dict(epoch.roster)
    for index, (leaf, member) in judged.updates.items():
        tree = tree.update(index, leaf)
        roster[index] = member
    tree = tree.remove(*judged.removes)
    for index in judged.removes:
        del roster[index]
    tree, added = tree.add(package.leaf for package in judged.adds)
    roster.update(zip(added, judged.members, strict=True))
    return Evolved(tree, roster, judged.extensions, added)


def check_evolved(epoch: Epoch, evolved: Evolved, tree: Tree) -> None:
    """The tree after a commit is valid as a whole (RFC 9420 sections 7.3, 12.1.7 and 12.2). Raises ``RuleError``."""
    check_neighbours(leaf for _, leaf in tree.members())
    above = {node.encryption_key for node in tree.nodes[1::2] if node is not None}
    if any(leaf.encryption_key in above for _, leaf in tree.members()):
        raise RuleError("12.4.3.1-unique-keys", "a member's encryption key stands above others in the tree")
    if evolved.extensions != epoch.context.extensions:
        for _, leaf in tree.members():
            check_capabilities(leaf, evolved.extensions)
