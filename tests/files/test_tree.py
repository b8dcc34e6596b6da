"""The tree is that of RFC 9162, and a list of leaves holds for one root only."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave.errors import VerificationError
from conclave.files.tree import check_leaves, leaf_hash, root_of

LEAVES = st.lists(st.binary(min_size=32, max_size=32), max_size=40)


def by_the_rfc(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word."""
    n = len(leaves)
    if n == 0:
        return sha256(b"").digest()
    if n == 1:
        return leaves[0]
    k = 1
    while k * 2 < n:
        k *= 2
    return sha256(b"\x01" + by_the_rfc(leaves[:k]) + by_the_rfc(leaves[k:])).digest()


@given(LEAVES)
def test_the_root_is_that_of_the_rfc(leaves: list[bytes]) -> None:
    assert root_of(b"".join(leaves)) == by_the_rfc(leaves)


def test_a_leaf_is_no_node() -> None:
    """Published: the leaf of nothing, RFC 6962's test vector for an empty leaf."""
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != root_of(left + right)


@given(LEAVES.filter(bool), st.data())
def test_a_changed_longer_or_shorter_list_does_not_hold(leaves: list[bytes], data: st.DataObject) -> None:
    joined = b"".join(leaves)
    root, count = root_of(joined), len(leaves)
    held = check_leaves(joined, root, count)
    assert [held[number] for number in range(len(held))] == leaves
    at = data.draw(st.integers(0, len(joined) - 1))
    changed = bytes((joined[at] ^ data.draw(st.integers(1, 255)),))
    for wrong in (joined[:at] + changed + joined[at + 1 :], joined[:-32], joined + bytes(32), joined[:-1]):
        with pytest.raises(VerificationError):
            check_leaves(wrong, root, count)


def test_the_inner_nodes_do_not_pass_for_leaves() -> None:
    """Half as many "leaves" have the same root: the count, from the offered size, tells them apart."""
    leaves = b"".join(leaf_hash(bytes([n])) for n in range(4))
    nodes = root_of(leaves[:64]) + root_of(leaves[64:])
    assert root_of(nodes) == root_of(leaves)
    with pytest.raises(VerificationError):
        check_leaves(nodes, root_of(leaves), 4)
