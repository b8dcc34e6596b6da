"""How a key package of ours is written: with its private keys, and whom it was handed to.

Left out: which are kept (``chat.packages``).
"""

from __future__ import annotations

from enum import IntEnum

from conclave.chat.records import VERSION, read
from conclave.chat.state import Holder
from conclave.mls.group import OwnKeyPackage
from conclave.wire.codec import Reader, Writer
from conclave.wire.limits import HANDLE_BYTES, ID_BYTES


class _Use(IntEnum):
    STOCK = 0
    LAST = 1
    HANDED = 2  # to one person, whose name follows


def encode_package(package: OwnKeyPackage, holder: Holder | None, *, last: bool) -> bytes:
    """The state under ``package/<reference>``; ``holder`` is whom it was handed to, if to one person."""
    w = Writer().uint8(VERSION).uint8(_Use.LAST if last else _Use.STOCK if holder is None else _Use.HANDED)
    if holder is not None:
        w.text(holder.handle).opaque(holder.group)
    return w.raw(package.encode()).done()


def decode_package(data: bytes) -> tuple[OwnKeyPackage, Holder | None, bool]:
    """The inverse of ``encode_package``: the last one tells whether it is a last resort. Raises ``DecodeError``."""

    def package(r: Reader) -> tuple[OwnKeyPackage, Holder | None, bool]:
        use = r.enum(_Use)
        holder = Holder(r.text(HANDLE_BYTES), r.opaque(ID_BYTES)) if use is _Use.HANDED else None
        return OwnKeyPackage.read(r), holder, use is _Use.LAST

    return read(data, package)
