"""The handshake's frames: ``dec(length, 6) || body``. Left out: what bodies mean (``state``)."""

from __future__ import annotations

from conclave.errors import DecodeError

LENGTH_BYTES = 6
FIRST_BYTE = b"0"
"""What every classic connection begins with, and no TLS connection does (0x16): a listener tells them apart by it."""
BODY_BYTES_MOST = 999_999


def put_frame(body: bytes) -> bytes:
    """One frame. Raises ``DecodeError`` for a body that six digits cannot count."""
    if len(body) > BODY_BYTES_MOST:
        raise DecodeError(f"a frame of {len(body)} bytes; at most {BODY_BYTES_MOST} can be counted")
    return b"%06d%b" % (len(body), body)


def cut_frame(data: bytes, limit: int) -> tuple[bytes, bytes] | None:
    """The first frame's body and what follows it, or None where it is not whole yet.

    Raises ``DecodeError`` for a length that is not six digits or is over ``limit``, before the body is waited for.
    """
    digits = data[:LENGTH_BYTES]
    if digits and not digits.isdigit():  # of bytes: ASCII digits only
        raise DecodeError("a frame does not begin with a length of six digits")
    if len(digits) < LENGTH_BYTES:
        return None
    length = int(digits)
    if length > limit:
        raise DecodeError(f"a frame of {length} bytes where at most {limit} are read")
    end = LENGTH_BYTES + length
    return (data[LENGTH_BYTES:end], data[end:]) if len(data) >= end else None
