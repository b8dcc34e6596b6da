"""What every structure of the protocol has in common: it is immutable, and reads and writes itself."""

from __future__ import annotations

from struct import pack, unpack
from typing import Any, Protocol, Self

from conclave.errors import DecodeError
from conclave.wire.codec import Reader, Writer, decode


class Writable(Protocol):
    """Anything that writes itself."""

    def write(self, writer: Writer) -> Writer:
        """Append the encoding to ``writer`` and give it back."""


class Struct:
    """A structure of the presentation language (RFC 9420 section 2.1)."""

    __slots__ = ()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Take one from the front of ``reader``. Raises ``DecodeError``."""
        raise NotImplementedError

    def write(self, writer: Writer) -> Writer:
        """Append the encoding to ``writer`` and give it back."""
        raise NotImplementedError

    def encode(self) -> bytes:
        """The encoding, which is the only one: equal values have equal bytes."""
        return self.write(Writer()).done()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read one that takes up the whole of ``data``. Raises ``DecodeError``."""
        return decode(data, cls.read)


def put(writer: Writer, value: Writable) -> Any:
    """``value.write(writer)``, in the order that ``Writer.vector`` wants."""
    return value.write(writer)


def read_uint16s(reader: Reader) -> tuple[int, ...]:
    """A ``uint16 x<V>``, in one go: every leaf of a tree has five."""
    raw = reader.opaque()
    if len(raw) % 2:
        raise DecodeError(f"{len(raw)} bytes announced for items of 2")
    return unpack(f">{len(raw) // 2}H", raw)


def write_uint16s(writer: Writer, values: tuple[int, ...]) -> Writer:
    """A ``uint16 x<V>``."""
    return writer.opaque(pack(f">{len(values)}H", *values))
