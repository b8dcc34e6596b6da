"""Whom we accept on classic links and whom we blocked, as it is kept under one key of the store."""

from __future__ import annotations

from conclave.errors import DecodeError
from conclave.wire.codec import Reader, Writer, decode
from conclave.wire.limits import HANDLE_BYTES

KEY = "classic"
VERSION = 1
CONTACTS_BYTES = 1024 * 1024


def encode_contacts(accepted: frozenset[str], blocked: frozenset[str]) -> bytes:
    """The state under ``classic``."""
    w = Writer().uint8(VERSION).vector(sorted(accepted), Writer.text)
    return w.vector(sorted(blocked), Writer.text).done()


def decode_contacts(data: bytes) -> tuple[frozenset[str], frozenset[str]]:
    """The inverse: accepted, blocked. Raises ``DecodeError``."""

    def handles(r: Reader) -> frozenset[str]:
        return frozenset(r.vector(lambda r: r.text(HANDLE_BYTES), CONTACTS_BYTES))

    def contacts(r: Reader) -> tuple[frozenset[str], frozenset[str]]:
        if r.uint8() != VERSION:
            raise DecodeError("a state of an unknown version")
        return handles(r), handles(r)

    return decode(data, contacts)
