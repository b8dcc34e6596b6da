"""The presentation language of RFC 8446 section 3 with the variable-size vectors of RFC 9420 section 2.1.2.

One ``Reader`` and one ``Writer`` serve the frames of a link and the structures of MLS, so that there is one set of
limits and one thing to fuzz. A reader never reads past the bytes that it was given, allocates no more than they
hold, and raises only ``DecodeError``. Left out: what the fields mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import TypeVar

from conclave.errors import DecodeError, LocalError

T = TypeVar("T")
E = TypeVar("E", bound=IntEnum)

VARINT_MAX = (1 << 30) - 1
"""Largest length that a variable-size vector may have (bytes): RFC 9420 section 2.1.2 allows 30 bits."""


class Reader:
    """A cursor over bytes. Each method takes one field from the front and returns it, or raises ``DecodeError``."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = bytes(data)
        self._at = 0
        self._end = len(self._data)

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return self._end - self._at

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._at

    def since(self, position: int) -> bytes:
        """The bytes read since ``position``, for a signature over a structure exactly as it arrived."""
        return self._data[position : self._at]

    def fixed(self, size: int) -> bytes:
        """An ``opaque x[size]``."""
        at = self._at
        end = at + size
        if end > self._end:
            raise DecodeError(f"{size} bytes wanted, {self._end - at} left")
        self._at = end
        return self._data[at:end]

    def uint8(self) -> int:
        """One byte, unsigned."""
        at = self._at
        if at >= self._end:
            raise DecodeError("1 byte wanted, 0 left")
        self._at = at + 1
        return self._data[at]

    def uint16(self) -> int:
        """Two bytes, big-endian."""
        return int.from_bytes(self.fixed(2))

    def uint32(self) -> int:
        """Four bytes, big-endian."""
        return int.from_bytes(self.fixed(4))

    def uint64(self) -> int:
        """Eight bytes, big-endian."""
        return int.from_bytes(self.fixed(8))

    def flag(self) -> bool:
        """One byte, 0 or 1."""
        value = self.uint8()
        if value > 1:
            raise DecodeError("a flag that is neither 0 nor 1")
        return bool(value)

    def enum(self, kind: type[E]) -> E:
        """One byte that is a value of ``kind``."""
        value = self.uint8()
        try:
            return kind(value)
        except ValueError as error:
            raise DecodeError(f"{value} is no {kind.__name__}") from error

    def varint(self) -> int:
        """A length of 1, 2 or 4 bytes in its shortest form: RFC 9420 section 2.1.2, from RFC 9000 section 16."""
        first = self.uint8()
        prefix = first >> 6
        if prefix == 0:
            return first
        if prefix == 1:
            value = (first & 0x3F) << 8 | self.uint8()
            if value < 1 << 6:
                raise DecodeError("length not in its shortest form")
            return value
        if prefix == 2:
            value = (first & 0x3F) << 24 | int.from_bytes(self.fixed(3))
            if value < 1 << 14:
                raise DecodeError("length not in its shortest form")
            return value
        raise DecodeError("length prefix 3 is invalid")

    def opaque(self, limit: int = VARINT_MAX) -> bytes:
        """An ``opaque x<V>`` of at most ``limit`` bytes."""
        at = self._at
        if at < self._end and (size := self._data[at]) < 1 << 6:  # as ``varint`` and ``fixed`` do: most are short
            at += 1
        else:
            size = self.varint()
            at = self._at
        if size > limit:
            raise DecodeError(f"{size} bytes announced, at most {limit} allowed")
        end = at + size
        if end > self._end:
            raise DecodeError(f"{size} bytes wanted, {self._end - at} left")
        self._at = end
        return self._data[at:end]

    def text(self, limit: int) -> str:
        """An ``opaque x<V>`` that holds UTF-8, of at most ``limit`` bytes."""
        try:
            return self.opaque(limit).decode()
        except UnicodeDecodeError as error:
            raise DecodeError("text is not UTF-8") from error

    def vector(self, item: Callable[[Reader], T], limit: int = VARINT_MAX, most: int = VARINT_MAX) -> tuple[T, ...]:
        """A ``T x<V>`` of at most ``limit`` bytes and ``most`` items, which use up the announced bytes exactly."""
        size = self.varint()
        if size > limit:
            raise DecodeError(f"{size} bytes announced, at most {limit} allowed")
        if size > self._end - self._at:
            raise DecodeError(f"{size} bytes wanted, {self._end - self._at} left")
        whole_end, self._end = self._end, self._at + size
        try:
            items: list[T] = []
            while self._at < self._end:
                if len(items) == most:
                    raise DecodeError(f"more than {most} items")
                before = self._at
                items.append(item(self))
                if self._at == before:
                    raise DecodeError("an item of a vector takes no bytes")
            return tuple(items)
        finally:
            self._end = whole_end

    def optional(self, item: Callable[[Reader], T]) -> T | None:
        """An ``optional<T>``: one byte 0 or 1, then the value where it is 1 (RFC 9420 section 2.1.1)."""
        present = self.uint8()
        if present > 1:
            raise DecodeError("an optional's first byte is neither 0 nor 1")
        return item(self) if present else None

    def finish(self) -> None:
        """Assert that nothing is left over."""
        if self._at != self._end:
            raise DecodeError(f"{self._end - self._at} bytes left over")


def decode(data: bytes | bytearray | memoryview, item: Callable[[Reader], T]) -> T:
    """Read one ``item`` that must take up the whole of ``data``."""
    reader = Reader(data)
    value = item(reader)
    reader.finish()
    return value


_SHORT = tuple(value.to_bytes(1) for value in range(1 << 6))


def encode_varint(value: int) -> bytes:
    """The shortest form of a length. Raises ``LocalError`` where it does not fit 30 bits."""
    if 0 <= value < 1 << 6:
        return _SHORT[value]
    if 0 <= value < 1 << 14:
        return (value | 0x4000).to_bytes(2)
    if value < 0 or value > VARINT_MAX:
        raise LocalError(f"a length of {value} bytes cannot be written")
    return (value | 0x80000000).to_bytes(4)


class Writer:
    """The inverse of ``Reader``. Methods return the writer, so that a structure reads as one sentence."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts = bytearray()

    def fixed(self, value: bytes, size: int) -> Writer:
        """An ``opaque x[size]``. Raises ``LocalError`` where ``value`` has another size."""
        if len(value) != size:
            raise LocalError(f"{len(value)} bytes where the format wants {size}")
        self._parts += value
        return self

    def raw(self, value: bytes) -> Writer:
        """Bytes that are already encoded."""
        self._parts += value
        return self

    def uint8(self, value: int) -> Writer:
        """One byte, unsigned."""
        try:
            self._parts.append(value)
        except ValueError as error:
            raise LocalError(f"{value} does not fit 1 byte") from error
        return self

    def uint16(self, value: int) -> Writer:
        """Two bytes, big-endian."""
        try:
            self._parts += value.to_bytes(2)
        except OverflowError as error:
            raise LocalError(f"{value} does not fit 2 bytes") from error
        return self

    def uint32(self, value: int) -> Writer:
        """Four bytes, big-endian."""
        try:
            self._parts += value.to_bytes(4)
        except OverflowError as error:
            raise LocalError(f"{value} does not fit 4 bytes") from error
        return self

    def uint64(self, value: int) -> Writer:
        """Eight bytes, big-endian."""
        try:
            self._parts += value.to_bytes(8)
        except OverflowError as error:
            raise LocalError(f"{value} does not fit 8 bytes") from error
        return self

    def varint(self, value: int) -> Writer:
        """A length in its shortest form."""
        self._parts += encode_varint(value)
        return self

    def opaque(self, value: bytes | bytearray) -> Writer:
        """An ``opaque x<V>``."""
        parts = self._parts
        size = len(value)
        if size < 1 << 6:  # as ``encode_varint`` does: most are short
            parts.append(size)
        else:
            parts += encode_varint(size)
        parts += value
        return self

    def text(self, value: str) -> Writer:
        """An ``opaque x<V>`` that holds UTF-8."""
        return self.opaque(value.encode())

    def vector(self, items: Iterable[T], item: Callable[[Writer, T], object]) -> Writer:
        """A ``T x<V>``: each item written by ``item(writer, value)``, the whole behind its length in bytes."""
        inner = Writer()
        for value in items:
            item(inner, value)
        return self.opaque(inner._parts)

    def optional(self, value: T | None, item: Callable[[Writer, T], object]) -> Writer:
        """An ``optional<T>``."""
        if value is None:
            return self.uint8(0)
        self.uint8(1)
        item(self, value)
        return self

    def done(self) -> bytes:
        """What was written."""
        return bytes(self._parts)
