"""The Merkle tree over a file's sealed chunks: RFC 9162 section 2.1.1, with SHA-256.

A leaf is the hash of 0x00 and a sealed chunk, a node that of 0x01 and its two children. The root names the file, so
one list of leaves can be checked whoever gave it, and then each chunk, whoever sent that. Left out: proofs for single
chunks; the list costs 32 bytes for 64 KiB.
"""

from __future__ import annotations

from hashlib import sha256

from conclave.errors import VerificationError
from conclave.wire.files import DIGEST_BYTES


def leaf_hash(sealed: bytes) -> bytes:
    """The leaf (32 bytes) of a sealed chunk."""
    digest = sha256(b"\x00")
    digest.update(sealed)
    return digest.digest()


def root_of(leaves: bytes) -> bytes:
    """The root (32 bytes) over leaf hashes that are joined; of none, the hash of nothing."""
    level = [leaves[at : at + DIGEST_BYTES] for at in range(0, len(leaves), DIGEST_BYTES)]
    if not level:
        return sha256(b"").digest()
    while len(level) > 1:
        above = [sha256(b"\x01" + level[at] + level[at + 1]).digest() for at in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            above.append(level[-1])  # the right edge rises as it is: the split of the RFC, from below
        level = above
    return level[0]


class LeafList:
    """The leaves of a file, checked against its root: ``leaves[number]`` is 32 bytes."""

    __slots__ = ("joined",)

    def __init__(self, joined: bytes) -> None:
        self.joined = joined

    def __len__(self) -> int:
        return len(self.joined) // DIGEST_BYTES

    def __getitem__(self, number: int) -> bytes:
        return self.joined[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]


def check_leaves(joined: bytes, root: bytes, count: int) -> LeafList:
    """``count`` leaves that have this root. Raises ``VerificationError``."""
    if len(joined) != count * DIGEST_BYTES or root_of(joined) != root:
        raise VerificationError("the list of a file's chunks is not the one that was offered", reason="wrong-leaves")
    return LeafList(joined)
