"""Leaves: how one client appears in the tree (RFC 9420 sections 7.2 and 7.3).

``LeafNode`` is what was signed; ``verify_leaf`` proves the signature, ``check_leaf`` holds a leaf against the group's
parameters. Left out: what a leaf must not share with its neighbours (``roster``).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import NamedTuple, Self

from conclave.crypto.labels import sign_with_label, verify_with_label
from conclave.crypto.suite import CipherSuite
from conclave.errors import ConclaveError, DecodeError
from conclave.mls.credentials import Credential
from conclave.mls.extensions import (
    DEFAULT_EXTENSIONS,
    DEFAULT_PROPOSALS,
    Extensions,
    read_extensions,
    required_capabilities,
    write_extensions,
)
from conclave.mls.limits import Policy
from conclave.mls.rules import RuleError
from conclave.mls.struct import Struct, read_uint16s, write_uint16s
from conclave.values import dataclass, replace
from conclave.wire.codec import Reader, Writer

MLS10 = 1
"""The protocol version (RFC 9420 section 6)."""


class Source(IntEnum):
    """How a leaf came into the tree (RFC 9420 section 7.2)."""

    KEY_PACKAGE = 1
    UPDATE = 2
    COMMIT = 3


@dataclass(frozen=True, slots=True)
class Capabilities(Struct):
    """What a client supports beyond the defaults (RFC 9420 section 7.2). Unknown values are kept and ignored."""

    versions: tuple[int, ...]
    cipher_suites: tuple[int, ...]
    extensions: tuple[int, ...] = ()
    proposals: tuple[int, ...] = ()
    credentials: tuple[int, ...] = ()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``Capabilities``."""
        return cls(*(read_uint16s(reader) for _ in range(5)))

    def write(self, writer: Writer) -> Writer:
        """A ``Capabilities``."""
        for values in (self.versions, self.cipher_suites, self.extensions, self.proposals, self.credentials):
            write_uint16s(writer, values)
        return writer

    def has_extensions(self, kinds: Iterable[int]) -> bool:
        """Whether the client supports all of these extension types."""
        return DEFAULT_EXTENSIONS.union(self.extensions).issuperset(kinds)

    def has_proposals(self, kinds: Iterable[int]) -> bool:
        """Whether the client supports all of these proposal types."""
        return DEFAULT_PROPOSALS.union(self.proposals).issuperset(kinds)


@dataclass(frozen=True)
class LeafNode(Struct):
    """One client's leaf (RFC 9420 section 7.2).

    ``lifetime`` (UNIX seconds) is there only from a key package, ``parent_hash`` only from a commit.
    """

    encryption_key: bytes
    signature_key: bytes
    credential: Credential
    capabilities: Capabilities
    source: Source
    lifetime: tuple[int, int] = (0, 0)
    parent_hash: bytes = b""
    extensions: Extensions = ()
    signature: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``LeafNode``."""
        encryption_key, signature_key = reader.opaque(), reader.opaque()
        credential, capabilities = Credential.read(reader), Capabilities.read(reader)
        kind, lifetime, parent_hash = reader.uint8(), (0, 0), b""
        if kind == Source.KEY_PACKAGE:
            lifetime = (reader.uint64(), reader.uint64())
        elif kind == Source.COMMIT:
            parent_hash = reader.opaque()
        elif kind != Source.UPDATE:
            raise DecodeError(f"a leaf from source {kind}")
        return cls(
            encryption_key,
            signature_key,
            credential,
            capabilities,
            Source(kind),
            lifetime,
            parent_hash,
            read_extensions(reader),
            reader.opaque(),
        )

    def _write_unsigned(self, writer: Writer) -> Writer:
        writer.opaque(self.encryption_key).opaque(self.signature_key)
        self.credential.write(writer)
        self.capabilities.write(writer).uint8(self.source)
        if self.source is Source.KEY_PACKAGE:
            writer.uint64(self.lifetime[0]).uint64(self.lifetime[1])
        elif self.source is Source.COMMIT:
            writer.opaque(self.parent_hash)
        return write_extensions(writer, self.extensions)

    def write(self, writer: Writer) -> Writer:
        """A ``LeafNode``."""
        return writer.raw(self.encoded)

    @cached_property
    def encoded(self) -> bytes:
        """The encoding, made once: the tree hash needs it often."""
        return self._write_unsigned(Writer()).opaque(self.signature).done()

    def signed_content(self, group_id: bytes, leaf_index: int) -> bytes:
        """``LeafNodeTBS``: a leaf made inside a group is bound to its place there."""
        writer = self._write_unsigned(Writer())
        if self.source is not Source.KEY_PACKAGE:
            writer.opaque(group_id).uint32(leaf_index)
        return writer.done()

    def sign(self, suite: CipherSuite, private: bytes, group_id: bytes = b"", leaf_index: int = 0) -> Self:
        """The same leaf with its signature."""
        content = self.signed_content(group_id, leaf_index)
        return replace(self, signature=sign_with_label(suite, private, b"LeafNodeTBS", content))


def verify_leaf(suite: CipherSuite, leaf: LeafNode, group_id: bytes = b"", leaf_index: int = 0) -> None:
    """Verify a leaf's signature (RFC 9420 section 7.3). Raises ``RuleError``."""
    content = leaf.signed_content(group_id, leaf_index)
    try:
        verify_with_label(suite, leaf.signature_key, b"LeafNodeTBS", content, leaf.signature)
    except ConclaveError as error:
        raise RuleError("7.3-leaf-signature", "a leaf's signature does not verify") from error


def check_leaf(
    suite: CipherSuite, leaf: LeafNode, source: Source | None, group_extensions: Extensions, policy: Policy
) -> None:
    """Hold a leaf against itself and the group's parameters (RFC 9420 section 7.3). Raises ``RuleError``.

    ``source`` is where a leaf of its kind must come from; None in a tree, where all three occur.
    """
    can = leaf.capabilities
    if source is not None and leaf.source is not source:
        raise RuleError("7.3-leaf-source", f"a leaf from {leaf.source.name} where {source.name} is due")
    if leaf.credential.type not in can.credentials:
        raise RuleError("7.2-own-credential", "a leaf does not list its own credential's type")
    if not can.has_extensions(extension.type for extension in leaf.extensions):
        raise RuleError("7.3-leaf-extensions", "a leaf carries an extension that it does not list")
    if MLS10 not in can.versions:
        raise RuleError("11.1-version", "a leaf does not support the group's protocol version")
    if policy.complete_capabilities and suite.code not in can.cipher_suites:
        raise RuleError("11.1-suite", "a leaf does not support the group's cipher suite")
    try:
        suite.kem.load_public(leaf.encryption_key)
    except DecodeError as error:
        raise RuleError("10-leaf-keys", "a leaf's encryption key is none of the suite's") from error
    check_capabilities(leaf, group_extensions)


class _Demanded(NamedTuple):
    extensions: frozenset[int]
    proposals: frozenset[int]
    credentials: frozenset[int]


@lru_cache(8)
def _demanded(group_extensions: Extensions) -> _Demanded:
    """What a group requires, read once for all of its members: a list may be long, and say one thing often."""
    required = required_capabilities(group_extensions)
    return _Demanded(*map(frozenset, (required.extensions, required.proposals, required.credentials)))


def check_capabilities(leaf: LeafNode, group_extensions: Extensions) -> None:
    """A leaf supports what the group requires and uses (RFC 9420 sections 7.3, 11.1, 13.4). Raises ``RuleError``."""
    can, required = leaf.capabilities, _demanded(group_extensions)
    if (
        not can.has_extensions(required.extensions)
        or not can.has_proposals(required.proposals)
        or not required.credentials.issubset(can.credentials)
    ):
        raise RuleError("7.3-required-capabilities", "a member lacks a capability that the group requires")
    if not can.has_extensions(extension.type for extension in group_extensions):
        raise RuleError("13.4-group-extensions", "a member does not support an extension that the group uses")


def check_lifetime(leaf: LeafNode, now: float, max_lifetime: int) -> None:
    """A key package's leaf is used within its time, and that time is not too long (RFC 9420 sections 7.2 and 7.3)."""
    if leaf.source is not Source.KEY_PACKAGE:
        return
    start, end = leaf.lifetime
    if not start <= now <= end:
        raise RuleError("7.3-lifetime", "a key package's leaf is outside its lifetime")
    if end - start > max_lifetime:
        raise RuleError("7.2-max-lifetime", "a key package's lifetime is longer than is accepted")


def check_neighbours(leaves: Iterable[LeafNode]) -> None:
    """Keys are unique among members, and each understands the others' credentials (RFC 9420 section 7.3)."""
    members = tuple(leaves)
    if len({leaf.signature_key for leaf in members}) != len(members):
        raise RuleError("7.3-unique-signature-key", "two members have one signature key")
    if len({leaf.encryption_key for leaf in members}) != len(members):
        raise RuleError("7.3-unique-encryption-key", "two members have one encryption key")
    in_use = {leaf.credential.type for leaf in members}
    if not all(in_use.issubset(leaf.capabilities.credentials) for leaf in members):
        raise RuleError("7.3-credential-types", "a member does not support a credential type that is in use")
