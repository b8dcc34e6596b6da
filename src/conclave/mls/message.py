"""The outermost form of everything that MLS sends: ``MLSMessage`` (RFC 9420 section 6)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from conclave.errors import DecodeError, LocalError
from conclave.mls.framing import (
    PRIVATE_MESSAGE,
    PUBLIC_MESSAGE,
    ContentType,
    PrivateMessage,
    PublicMessage,
    content_type,
)
from conclave.mls.keypackage import KeyPackage
from conclave.mls.leafnode import MLS10
from conclave.mls.limits import MAX_MESSAGE_SIZE
from conclave.mls.rules import RuleError
from conclave.mls.welcome import GroupInfo, Welcome
from conclave.wire.codec import Reader, Writer

Message = PublicMessage | PrivateMessage | Welcome | GroupInfo | KeyPackage

WIRE_FORMATS: dict[int, type[Message]] = {
    PUBLIC_MESSAGE: PublicMessage,
    PRIVATE_MESSAGE: PrivateMessage,
    3: Welcome,
    4: GroupInfo,
    5: KeyPackage,
}
_CODES = {kind: code for code, kind in WIRE_FORMATS.items()}


class Envelope(NamedTuple):
    """What a message shows to whoever carries it; nothing of it is proven."""

    group_id: bytes
    epoch: int
    kind: ContentType
    private: bool
    authenticated_data: bytes


def read_envelope(data: bytes) -> Envelope:
    """What a leader reads of a message to put it in order (RFC 9420 section 6).

    Raises ``DecodeError`` or ``RuleError``.
    """
    message = decode_message(data)
    if isinstance(message, PrivateMessage):
        return Envelope(message.group_id, message.epoch, message.content_type, True, message.authenticated_data)
    if isinstance(message, PublicMessage):
        content = message.content
        return Envelope(
            content.group_id, content.epoch, content_type(content.body), False, content.authenticated_data
        )
    raise DecodeError("neither a public nor a private message")


def encode_message(message: Message) -> bytes:
    """An ``MLSMessage``. Raises ``LocalError`` where it is larger than anybody reads."""
    encoded = message.write(Writer().uint16(MLS10).uint16(_CODES[type(message)])).done()
    if len(encoded) > MAX_MESSAGE_SIZE:
        raise LocalError(f"a message of {len(encoded)} bytes, at most {MAX_MESSAGE_SIZE} allowed")
    return encoded


@lru_cache(1)  # a leader reads the envelope of what it then opens as a member
def decode_message(data: bytes) -> Message:
    """Read an ``MLSMessage`` that takes up all of ``data``. Raises ``DecodeError`` or ``RuleError``."""
    if len(data) > MAX_MESSAGE_SIZE:
        raise DecodeError(f"a message of {len(data)} bytes, at most {MAX_MESSAGE_SIZE} allowed")
    reader = Reader(data)
    version = reader.uint16()
    if version != MLS10:
        raise DecodeError(f"protocol version {version}")
    kind = WIRE_FORMATS.get(reader.uint16())
    if kind is None:
        raise DecodeError("a message of a wire format that is not ours")
    message = kind.read(reader)
    reader.finish()
    if isinstance(message, KeyPackage) and message.version != version:
        raise RuleError("10-package-version", "a key package of another version than its message's")
    return message
