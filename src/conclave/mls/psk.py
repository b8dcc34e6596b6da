"""Pre-shared keys: their names, and how they enter the key schedule (RFC 9420 section 8.4)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Self

from conclave.crypto.labels import expand_with_label
from conclave.crypto.suite import CipherSuite
from conclave.errors import DecodeError
from conclave.mls.struct import Struct
from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer


class Usage(IntEnum):
    """What a resumption key is used for (RFC 9420 section 8.4). EXTERNAL is ours: a key that is no resumption key."""

    EXTERNAL = 0
    APPLICATION = 1
    REINIT = 2
    BRANCH = 3


_EXTERNAL, _RESUMPTION = 1, 2


@dataclass(frozen=True, slots=True)
class PreSharedKeyID(Struct):
    """The name of a key: ``psk_id`` where it is external, else the group and epoch that it comes from."""

    usage: Usage
    psk_id: bytes = b""
    group_id: bytes = b""
    epoch: int = 0
    nonce: bytes = b""

    @classmethod
    def external(cls, psk_id: bytes, nonce: bytes) -> Self:
        """A key that the application provides."""
        return cls(Usage.EXTERNAL, psk_id, nonce=nonce)

    @classmethod
    def resumption(cls, usage: Usage, group_id: bytes, epoch: int, nonce: bytes) -> Self:
        """The resumption key of an epoch of a group."""
        return cls(usage, b"", group_id, epoch, nonce)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``PreSharedKeyID``."""
        kind = reader.uint8()
        if kind == _EXTERNAL:
            return cls.external(reader.opaque(), reader.opaque())
        if kind != _RESUMPTION:
            raise DecodeError(f"a pre-shared key of type {kind}")
        usage = reader.uint8()
        if usage not in (Usage.APPLICATION, Usage.REINIT, Usage.BRANCH):
            raise DecodeError(f"a resumption key for usage {usage}")
        return cls.resumption(Usage(usage), reader.opaque(), reader.uint64(), reader.opaque())

    def write(self, writer: Writer) -> Writer:
        """A ``PreSharedKeyID``."""
        if self.usage is Usage.EXTERNAL:
            return writer.uint8(_EXTERNAL).opaque(self.psk_id).opaque(self.nonce)
        writer.uint8(_RESUMPTION).uint8(self.usage)
        return writer.opaque(self.group_id).uint64(self.epoch).opaque(self.nonce)

    @property
    def name(self) -> tuple[int, bytes, bytes, int]:
        """What it names, apart from the nonce of this use."""
        return self.usage, self.psk_id, self.group_id, self.epoch


def psk_secret(suite: CipherSuite, keys: Sequence[tuple[PreSharedKeyID, bytes]]) -> bytes:
    """The keys chained, in their order, into one secret; all zero where there are none (RFC 9420 section 8.4)."""
    size = suite.kdf.size
    secret = bytes(size)
    for index, (name, key) in enumerate(keys):
        label = name.write(Writer()).uint16(index).uint16(len(keys)).done()
        extracted = suite.kdf.extract(bytes(size), key)
        secret = suite.kdf.extract(expand_with_label(suite, extracted, b"derived psk", label, size), secret)
    return secret


def no_psk(_: PreSharedKeyID) -> bytes | None:
    """Knows no pre-shared key."""
    return None
