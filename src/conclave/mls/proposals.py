"""What a member may ask of the group (RFC 9420 section 12.1): the seven proposals as they stand on the wire.

Left out: which of them may stand together (``proposallist``) and what they do (``evolution``).
"""

from __future__ import annotations

from typing import ClassVar, Self

from conclave.errors import DecodeError
from conclave.mls.extensions import Extensions, read_extensions, write_extensions
from conclave.mls.keypackage import KeyPackage
from conclave.mls.leafnode import LeafNode
from conclave.mls.limits import MAX_GROUP_ID
from conclave.mls.psk import PreSharedKeyID
from conclave.mls.struct import Struct
from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer


@dataclass(frozen=True, slots=True)
class Add(Struct):
    """Take a client in (RFC 9420 section 12.1.1)."""

    type: ClassVar[int] = 1
    key_package: KeyPackage

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """An ``Add``."""
        return cls(KeyPackage.read(reader))

    def write(self, writer: Writer) -> Writer:
        """An ``Add``."""
        return self.key_package.write(writer)


@dataclass(frozen=True, slots=True)
class Update(Struct):
    """Give the sender a new leaf (RFC 9420 section 12.1.2)."""

    type: ClassVar[int] = 2
    leaf: LeafNode

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """An ``Update``."""
        return cls(LeafNode.read(reader))

    def write(self, writer: Writer) -> Writer:
        """An ``Update``."""
        return self.leaf.write(writer)


@dataclass(frozen=True, slots=True)
class Remove(Struct):
    """Put the member at a leaf index out (RFC 9420 section 12.1.3)."""

    type: ClassVar[int] = 3
    removed: int

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``Remove``."""
        return cls(reader.uint32())

    def write(self, writer: Writer) -> Writer:
        """A ``Remove``."""
        return writer.uint32(self.removed)


@dataclass(frozen=True, slots=True)
class PreSharedKey(Struct):
    """Mix a key into the next epoch (RFC 9420 section 12.1.4)."""

    type: ClassVar[int] = 4
    psk: PreSharedKeyID

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``PreSharedKey``."""
        return cls(PreSharedKeyID.read(reader))

    def write(self, writer: Writer) -> Writer:
        """A ``PreSharedKey``."""
        return self.psk.write(writer)


@dataclass(frozen=True, slots=True)
class ReInit(Struct):
    """End this group and begin another with the same members (RFC 9420 section 12.1.5)."""

    type: ClassVar[int] = 5
    group_id: bytes
    version: int
    cipher_suite: int
    extensions: Extensions = ()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``ReInit``."""
        return cls(reader.opaque(MAX_GROUP_ID), reader.uint16(), reader.uint16(), read_extensions(reader))

    def write(self, writer: Writer) -> Writer:
        """A ``ReInit``."""
        writer.opaque(self.group_id).uint16(self.version).uint16(self.cipher_suite)
        return write_extensions(writer, self.extensions)


@dataclass(frozen=True, slots=True)
class ExternalInit(Struct):
    """Begin the next epoch from a secret that a joiner from outside chose (RFC 9420 section 12.1.6)."""

    type: ClassVar[int] = 6
    kem_output: bytes

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """An ``ExternalInit``."""
        return cls(reader.opaque())

    def write(self, writer: Writer) -> Writer:
        """An ``ExternalInit``."""
        return writer.opaque(self.kem_output)


@dataclass(frozen=True, slots=True)
class GroupContextExtensions(Struct):
    """Replace the extensions that the group agrees on (RFC 9420 section 12.1.7)."""

    type: ClassVar[int] = 7
    extensions: Extensions

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``GroupContextExtensions``."""
        return cls(read_extensions(reader))

    def write(self, writer: Writer) -> Writer:
        """A ``GroupContextExtensions``."""
        return write_extensions(writer, self.extensions)


Proposal = Add | Update | Remove | PreSharedKey | ReInit | ExternalInit | GroupContextExtensions

_KINDS: dict[int, type[Proposal]] = {
    kind.type: kind for kind in (Add, Update, Remove, PreSharedKey, ReInit, ExternalInit, GroupContextExtensions)
}


def read_proposal(reader: Reader) -> Proposal:
    """A ``Proposal``. One of an unknown type cannot be read, and none is ever negotiated."""
    kind = _KINDS.get(reader.uint16())
    if kind is None:
        raise DecodeError("a proposal of a type that is not ours")
    return kind.read(reader)


def write_proposal(writer: Writer, proposal: Proposal) -> Writer:
    """A ``Proposal``."""
    return proposal.write(writer.uint16(proposal.type))
