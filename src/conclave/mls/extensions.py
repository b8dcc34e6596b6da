"""Extensions: required capabilities, external senders, GREASE (RFC 9420 sections 11.1, 12.1.8.1, 13)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from conclave.mls.credentials import Credential
from conclave.mls.limits import MAX_EXTERNAL_SENDERS
from conclave.mls.rules import RuleError
from conclave.mls.struct import Struct, put, read_uint16s, write_uint16s
from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer, decode

APPLICATION_ID = 0x0001
RATCHET_TREE = 0x0002
REQUIRED_CAPABILITIES = 0x0003
EXTERNAL_PUB = 0x0004
EXTERNAL_SENDERS = 0x0005

DEFAULT_EXTENSIONS = frozenset((APPLICATION_ID, RATCHET_TREE, REQUIRED_CAPABILITIES, EXTERNAL_PUB, EXTERNAL_SENDERS))
"""Extension types that everyone has and nobody lists (RFC 9420 section 7.2)."""

DEFAULT_PROPOSALS = frozenset(range(1, 8))
"""Proposal types that everyone has and nobody lists (RFC 9420 section 7.2)."""

GREASE = tuple(0x0A0A + 0x1010 * step for step in range(15))
"""Values that mean nothing, sent so that nobody learns to choke on unknown ones (RFC 9420 section 13.5)."""


@dataclass(frozen=True, slots=True)
class Extension(Struct):
    """One extension; ``data`` is read only by whoever knows ``type``."""

    type: int
    data: bytes

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """An ``Extension``."""
        return cls(reader.uint16(), reader.opaque())

    def write(self, writer: Writer) -> Writer:
        """An ``Extension``."""
        return writer.uint16(self.type).opaque(self.data)


Extensions = tuple[Extension, ...]


def read_extensions(reader: Reader) -> Extensions:
    """A list of extensions, of each type at most one (RFC 9420 section 13.4)."""
    extensions = reader.vector(Extension.read)
    if len({extension.type for extension in extensions}) != len(extensions):
        raise RuleError("13.4-extension-once", "an extension type stands twice in one list")
    return extensions


def write_extensions(writer: Writer, extensions: Extensions) -> Writer:
    """A list of extensions."""
    return writer.vector(extensions, put)


def find(extensions: Extensions, kind: int) -> bytes | None:
    """The data of the extension of type ``kind``, if it is there."""
    return next((extension.data for extension in extensions if extension.type == kind), None)


def grease(random: Callable[[int], bytes]) -> int:
    """One GREASE value, at random."""
    return GREASE[random(1)[0] % len(GREASE)]


@dataclass(frozen=True, slots=True)
class RequiredCapabilities(Struct):
    """What every member must support (RFC 9420 section 11.1)."""

    extensions: tuple[int, ...] = ()
    proposals: tuple[int, ...] = ()
    credentials: tuple[int, ...] = ()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``RequiredCapabilities``."""
        return cls(read_uint16s(reader), read_uint16s(reader), read_uint16s(reader))

    def write(self, writer: Writer) -> Writer:
        """A ``RequiredCapabilities``."""
        write_uint16s(writer, self.extensions)
        write_uint16s(writer, self.proposals)
        return write_uint16s(writer, self.credentials)

    def extension(self) -> Extension:
        """Packed for a group context."""
        return Extension(REQUIRED_CAPABILITIES, self.encode())


@dataclass(frozen=True, slots=True)
class ExternalSender(Struct):
    """Someone outside the group who may propose (RFC 9420 section 12.1.8.1)."""

    signature_key: bytes
    credential: Credential

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """An ``ExternalSender``."""
        return cls(reader.opaque(), Credential.read(reader))

    def write(self, writer: Writer) -> Writer:
        """An ``ExternalSender``."""
        return self.credential.write(writer.opaque(self.signature_key))


def required_capabilities(extensions: Extensions) -> RequiredCapabilities:
    """What a group context requires; nothing where it says nothing. Raises ``DecodeError``."""
    data = find(extensions, REQUIRED_CAPABILITIES)
    return RequiredCapabilities() if data is None else RequiredCapabilities.decode(data)


def external_senders(extensions: Extensions) -> tuple[ExternalSender, ...]:
    """Who may propose from outside; nobody where a group context says nothing.

    Raises ``DecodeError`` or ``RuleError``.
    """
    data = find(extensions, EXTERNAL_SENDERS)
    senders = () if data is None else decode(data, lambda reader: reader.vector(ExternalSender.read))
    if len(senders) > MAX_EXTERNAL_SENDERS:
        raise RuleError("limit-external-senders", f"a group lists at most {MAX_EXTERNAL_SENDERS} outsiders")
    return senders


def external_senders_extension(senders: tuple[ExternalSender, ...]) -> Extension:
    """Packed for a group context."""
    return Extension(EXTERNAL_SENDERS, Writer().vector(senders, put).done())
