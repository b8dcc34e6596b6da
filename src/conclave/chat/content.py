"""What is inside a protected payload: the words, and when they were said. Versioned, so that more can follow.

Left out: how it is protected (``chat.protection``), and edits, receipts and files, which will be kinds of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from conclave.errors import DecodeError
from conclave.wire.codec import Reader, Writer, decode

VERSION = 1
TEXT_BYTES = 64 * 1024
"""The longest text, in bytes of UTF-8."""
_TEXT = 1
_LATEST = 1 << 45  # milliseconds: about the year 3084; clocks beyond it are nonsense that fronts cannot show


@dataclass(frozen=True, slots=True)
class Text:
    """Words, and the sender's clock in UNIX seconds (to the millisecond) when they were said."""

    sent: float
    text: str


def encode_content(content: Text) -> bytes:
    """The plain bytes that protection takes."""
    sent = min(max(0, round(content.sent * 1000)), _LATEST)
    return Writer().uint8(VERSION).uint8(_TEXT).uint64(sent).text(content.text).done()


def _content(r: Reader) -> Text:
    if (r.uint8(), r.uint8()) != (VERSION, _TEXT):
        raise DecodeError("a message of a kind that this version does not know")
    return Text(min(r.uint64(), _LATEST) / 1000, r.text(TEXT_BYTES))


def decode_content(plain: bytes) -> Text:
    """What protection gave back, understood. Raises ``DecodeError``."""
    return decode(plain, _content)
