"""Cutting a link's byte stream into frames: ``uint8 kind; opaque body<V>``, the length as in ``wire.codec``.

Work is linear in the bytes however finely they are chopped: a frame that is not whole waits in one growing buffer,
which is looked at again only when enough has come. At most one frame's bytes wait. Left out: what bodies mean
(``wire.frames``).
"""

from __future__ import annotations

from collections.abc import Iterator

from conclave.errors import DecodeError

_HEADER_BYTES = 5  # kind, and a length of at most four bytes


class FrameCutter:
    """Takes the stream piece by piece, gives whole frames."""

    __slots__ = ("_limit", "_needed", "_waiting")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._needed = 2
        self._waiting: bytearray | None = None  # None between frames: an idle link holds no buffer

    def allow(self, limit: int) -> None:
        """From the next frame on, bodies may have ``limit`` bytes."""
        self._limit = limit

    @property
    def held(self) -> int:
        """Bytes of an unfinished frame."""
        return len(self._waiting) if self._waiting is not None else 0

    def cut(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Kind and body of every frame that ``data`` completes; iterate to the end before the next call.

        Raises ``DecodeError`` for a length that is not in its shortest form or over the limit, as soon as it is
        there and before its body is; the frames before it have been given by then.
        """
        waiting = self._waiting
        if waiting is not None:
            waiting += data
            if len(waiting) < self._needed:
                return
            data = bytes(waiting)
            self._waiting = None
        at = 0
        end = len(data)
        needed = 2
        while end - at >= 2:
            size = data[at + 1]
            if size < 0x40:
                start = at + 2
            elif size < 0x80:
                start = at + 3
                if start > end:
                    needed = 3
                    break
                size = (size & 0x3F) << 8 | data[at + 2]
                if size < 0x40:
                    raise DecodeError("a frame's length is not in its shortest form")
            elif size < 0xC0:
                start = at + _HEADER_BYTES
                if start > end:
                    needed = _HEADER_BYTES
                    break
                size = int.from_bytes(data[at + 1 : start]) & 0x3FFFFFFF
                if size < 0x4000:
                    raise DecodeError("a frame's length is not in its shortest form")
            else:
                raise DecodeError("a frame's length has the invalid prefix 3")
            if size > self._limit:
                raise DecodeError(f"a frame of {size} bytes was announced, at most {self._limit} are allowed")
            stop = start + size
            if stop > end:
                needed = stop - at
                break
            yield data[at], data[start:stop]
            at = stop
            needed = 2
        if at < end:
            self._waiting = bytearray(data[at:] if at else data)
            self._needed = needed
