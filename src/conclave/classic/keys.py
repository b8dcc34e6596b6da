"""Phase 3: six keys from the master secret and the nonce, and the IV of each message from the one before.

Derived as the report has it, weaknesses included: each key rests on 8 bytes of the secret, neighbours share half of
them, and whoever knows how a message begins knows the next IV. Left out: where secret and nonce come from.
"""

from __future__ import annotations

from conclave.crypto.classic import BLOCK_BYTES, hkdf
from conclave.errors import DecodeError
from conclave.values import dataclass, field

NONCE_BYTES = 16
SECRET_BYTES = 32
"""The master secret key, *MSK* in the report."""
KEY_BYTES = 32
HEAD_BYTES = 4
"""How much of a message goes into the next one's IV."""


@dataclass(frozen=True, slots=True)
class Direction:
    """What protects one side's messages: its keys, the first IV, and how the next ones are made."""

    mac_key: bytes = field(repr=False)
    cipher_key: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    label: bytes
    salt: bytes

    def next_iv(self, message: bytes) -> bytes:
        """The IV of whatever follows ``message``; one shorter than 4 bytes leaves the label alone."""
        head = message[:HEAD_BYTES] if len(message) >= HEAD_BYTES else b""
        return hkdf(self.label + head, self.salt, BLOCK_BYTES)


@dataclass(frozen=True, slots=True)
class Keys:
    """The six keys: three for what the sender writes, three for what the receiver writes."""

    sender: Direction
    receiver: Direction


def derive_keys(secret: bytes, nonce: bytes) -> Keys:
    """All six, from the master secret (32 bytes) and the nonce (16 bytes). Raises ``DecodeError`` for other sizes."""
    if len(secret) != SECRET_BYTES or len(nonce) != NONCE_BYTES:
        raise DecodeError(f"a master secret has {SECRET_BYTES} bytes and a nonce {NONCE_BYTES}")

    def key(start: int, end: int, length: int) -> bytes:
        return hkdf(secret[start:end], nonce, length)

    return Keys(
        Direction(key(0, 8, KEY_BYTES), key(8, 16, KEY_BYTES), key(16, 32, BLOCK_BYTES), b"ivKeySender", nonce),
        Direction(key(4, 12, KEY_BYTES), key(12, 20, KEY_BYTES), key(20, 32, BLOCK_BYTES), b"ivKeyReceiver", nonce),
    )
