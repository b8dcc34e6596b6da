"""A long content sealed piece by piece, so that it need never be held whole: the STREAM construction.

Each piece is AES-256-GCM under a key that is used for this content alone; its nonce is its number and whether it is
the last (Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance", 2015). So pieces cannot be changed, left out, exchanged, repeated or cut off. Left out: the key
(``crypto.seal``) and files.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from conclave.errors import LocalError, VerificationError

KEY_BYTES = 32
PIECE_BYTES = 1 << 20
"""Content of a piece; only the last is shorter, and is empty only where there is nothing at all."""
SEALED_BYTES = PIECE_BYTES + 16
"""A piece with its tag."""


def seal_piece(key: bytes, number: int, content: bytes, *, last: bool) -> bytes:
    """Piece ``number`` (from 0). Raises ``LocalError`` for a size that is none. ``key`` is for one content only."""
    if len(content) > PIECE_BYTES or (not last and len(content) < PIECE_BYTES):
        raise LocalError(f"a piece of {len(content)} bytes")
    return AESGCM(key).encrypt(_nonce(number, last=last), content, None)


def open_piece(key: bytes, number: int, sealed: bytes, *, last: bool) -> bytes:
    """The inverse. Raises ``VerificationError`` where it is not this content's piece of that number and place."""
    try:
        return AESGCM(key).decrypt(_nonce(number, last=last), sealed, None)
    except (InvalidTag, ValueError) as error:
        raise VerificationError("a piece was changed, exchanged or cut off", reason="bad-piece") from error


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11) + bytes((last,))
