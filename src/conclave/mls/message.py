"""The outermost form of everything that MLS sends: ``MLSMessage`` (RFC 9420 section 6)."""

from __future__ import annotations

from conclave.errors import DecodeError
from conclave.mls.framing import PRIVATE_MESSAGE, PUBLIC_MESSAGE, PrivateMessage, PublicMessage
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


def encode_message(message: Message) -> bytes:
    """An ``MLSMessage``."""
    return message.write(Writer().uint16(MLS10).uint16(_CODES[type(message)])).done()


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
