"""TreeKEM: how a committer gives fresh keys to everyone else (RFC 9420 sections 7.4 to 7.6).

``create_path`` makes an update path, ``merge_path`` applies the public half of one to the tree, ``open_path`` opens
the secret half. Left out: parent hashes (``parenthash``) and who may send a path (``commit``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Self

from conclave.crypto.labels import decrypt_with_label, derive_secret, encrypt_with_label
from conclave.crypto.suite import CipherSuite
from conclave.errors import ConclaveError, DecodeError
from conclave.mls import treemath
from conclave.mls.leafnode import LeafNode, Source
from conclave.mls.parenthash import chain
from conclave.mls.rules import RuleError
from conclave.mls.struct import Struct, put
from conclave.mls.tree import Tree
from conclave.values import dataclass, replace
from conclave.wire.codec import Reader, Writer

PrivateKeys = Mapping[int, bytes]
"""The private keys that a member holds, raw, by node: its own leaf's, and those of nodes above it."""


@dataclass(frozen=True, slots=True)
class HPKECiphertext(Struct):
    """Something sealed to one key (RFC 9420 section 7.6)."""

    kem_output: bytes
    ciphertext: bytes

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """An ``HPKECiphertext``."""
        return cls(reader.opaque(), reader.opaque())

    def write(self, writer: Writer) -> Writer:
        """An ``HPKECiphertext``."""
        return writer.opaque(self.kem_output).opaque(self.ciphertext)


@dataclass(frozen=True, slots=True)
class UpdatePathNode(Struct):
    """One node's new key, and its secret for each node that covers the other side (RFC 9420 section 7.6)."""

    encryption_key: bytes
    secrets: tuple[HPKECiphertext, ...]

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """An ``UpdatePathNode``."""
        return cls(reader.opaque(), reader.vector(HPKECiphertext.read))

    def write(self, writer: Writer) -> Writer:
        """An ``UpdatePathNode``."""
        return writer.opaque(self.encryption_key).vector(self.secrets, put)


@dataclass(frozen=True, slots=True)
class UpdatePath(Struct):
    """A committer's new leaf and new keys up to the root (RFC 9420 section 7.6)."""

    leaf: LeafNode
    nodes: tuple[UpdatePathNode, ...]

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """An ``UpdatePath``."""
        return cls(LeafNode.read(reader), reader.vector(UpdatePathNode.read))

    def write(self, writer: Writer) -> Writer:
        """An ``UpdatePath``."""
        return self.leaf.write(writer).vector(self.nodes, put)


class PathSecrets(NamedTuple):
    """What someone knows of a path: path secrets and private keys by node, and the commit secret above the root."""

    secrets: dict[int, bytes]
    keys: dict[int, bytes]
    commit_secret: bytes


def derive_path(suite: CipherSuite, first: bytes, nodes: Collection[int]) -> PathSecrets:
    """All secrets from the lowest node's path secret upwards (RFC 9420 section 7.4)."""
    secrets, keys, secret = {}, {}, first
    for node in nodes:
        secrets[node] = secret
        keys[node] = suite.kem.derive(derive_secret(suite, secret, b"node"))
        secret = derive_secret(suite, secret, b"path")
    return PathSecrets(secrets, keys, secret)


class Created(NamedTuple):
    """A path that we made: the tree with it, the message, and our new private keys."""

    tree: Tree
    path: UpdatePath
    secrets: PathSecrets
    leaf_key: bytes


def create_path(
    suite: CipherSuite,
    tree: Tree,
    sender: int,
    leaf: LeafNode,
    signature_key: bytes,
    group_id: bytes,
    context: Callable[[Tree], bytes],
    new_leaves: Collection[int],
    random: Callable[[int], bytes],
) -> Created:
    """Fresh keys for the leaf ``sender`` and its direct path (RFC 9420 section 7.5).

    ``leaf`` gives what shall stand in the new leaf apart from its key, ``context`` the provisional group context for
    the tree as it will be, ``new_leaves`` those added by the same commit, to whom nothing is encrypted.
    """
    path = tree.filtered_path(sender)
    secrets = derive_path(suite, random(suite.kdf.size), [node for node, _ in path])
    leaf_key = suite.kem.derive(random(suite.kem.private_size))
    publics = [suite.kem.public(secrets.keys[node]) for node, _ in path]
    nodes, leaf_hash = chain(suite.kdf, tree, path, publics)
    fresh = replace(
        leaf,
        encryption_key=suite.kem.public(leaf_key),
        source=Source.COMMIT,
        lifetime=(0, 0),
        parent_hash=leaf_hash,
        signature=b"",
    ).sign(suite, signature_key, group_id, sender)
    above = [(node, parent) for (node, _), parent in zip(path, nodes, strict=True)]
    changed = tree.replace([*tree.blank_path(sender), *above, (2 * sender, fresh)])
    provisional = context(changed)
    sealed = []
    for (node, copath), public in zip(path, publics, strict=True):
        ciphertexts = []
        for receiver in _receivers(changed, copath, new_leaves):
            found = changed.node(receiver)
            assert found is not None
            ciphertexts.append(
                HPKECiphertext(
                    *encrypt_with_label(
                        suite, found.encryption_key, b"UpdatePathNode", provisional, secrets.secrets[node], random
                    )
                )
            )
        sealed.append(UpdatePathNode(public, tuple(ciphertexts)))
    return Created(changed, UpdatePath(fresh, tuple(sealed)), secrets, leaf_key)


def merge_path(suite: CipherSuite, tree: Tree, sender: int, path: UpdatePath) -> Tree:
    """The tree with someone's path in it (RFC 9420 sections 7.5 and 7.9.2). Raises ``RuleError``."""
    filtered = tree.filtered_path(sender)
    if len(filtered) != len(path.nodes):
        raise RuleError("7.6-path-length", "an update path that does not fit the committer's filtered direct path")
    present = {node.encryption_key for node in tree.nodes if node is not None}
    fresh = [path.leaf.encryption_key, *(node.encryption_key for node in path.nodes)]
    if len(set(fresh)) != len(fresh) or not present.isdisjoint(fresh):
        raise RuleError("12.4.2-path-keys-new", "a key in an update path stands in the tree already")
    for key in fresh:
        try:
            suite.kem.load_public(key)
        except DecodeError as error:
            raise RuleError("7.6-path-keys-valid", "a key in an update path is none of the suite's") from error
    nodes, leaf_hash = chain(suite.kdf, tree, filtered, fresh[1:])
    if path.leaf.parent_hash != leaf_hash:
        raise RuleError("7.9.2-leaf-parent-hash", "a committer's leaf is not bound to the path above it")
    above = [(node, parent) for (node, _), parent in zip(filtered, nodes, strict=True)]
    return tree.replace([*tree.blank_path(sender), *above, (2 * sender, path.leaf)])


def open_path(
    suite: CipherSuite,
    tree: Tree,
    sender: int,
    path: UpdatePath,
    me: int,
    keys: PrivateKeys,
    context: bytes,
    new_leaves: Collection[int],
) -> PathSecrets:
    """Our share of the secrets in someone's path (RFC 9420 section 7.5). ``tree`` has the path merged into it.

    Raises ``RuleError`` where a secret is missing, does not open, or does not give the keys that the path announced.
    """
    filtered = tree.filtered_path(sender)
    sealed = None
    for at, (node, copath) in enumerate(filtered):
        receivers = _receivers(tree, copath, new_leaves)
        if len(receivers) != len(path.nodes[at].secrets):
            raise RuleError("7.6-ciphertext-count", "an update path with too many or too few ciphertexts")
        if treemath.in_subtree(2 * me, copath):
            mine = next((place for place, receiver in enumerate(receivers) if receiver in keys), None)
            if mine is None:
                raise RuleError("7.5-no-key", "an update path holds no secret that we could open")
            sealed, key, lowest = path.nodes[at].secrets[mine], keys[receivers[mine]], node
    if sealed is None:
        raise RuleError("7.5-no-key", "an update path holds no secret that we could open")
    try:
        first = decrypt_with_label(suite, key, b"UpdatePathNode", context, sealed.kem_output, sealed.ciphertext)
    except ConclaveError as error:
        raise RuleError("7.5-path-secret-opens", "a path secret does not open") from error
    if len(first) != suite.kdf.size:
        raise RuleError("7.5-path-secret-size", "a path secret of the wrong size")
    upwards = [node for node, _ in filtered if treemath.in_subtree(lowest, node)]
    return open_from(suite, tree, upwards, first)


def open_from(suite: CipherSuite, tree: Tree, nodes: Collection[int], first: bytes) -> PathSecrets:
    """The secrets of ``nodes``, lowest first, whose keys must be those in the tree (RFC 9420 section 7.5)."""
    opened = derive_path(suite, first, nodes)
    for node, key in opened.keys.items():
        parent = tree.parent(node)
        if parent is None or parent.encryption_key != suite.kem.public(key):
            raise RuleError("7.5-path-key-matches", "a path secret that does not give the key that was announced")
    return opened


def _receivers(tree: Tree, copath: int, new_leaves: Collection[int]) -> list[int]:
    fresh = {2 * leaf for leaf in new_leaves}
    return [node for node in tree.resolution(copath) if node not in fresh]
