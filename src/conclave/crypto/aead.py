"""Authenticated encryption with associated data (RFC 5116): the three that HPKE and MLS name."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from conclave.errors import VerificationError
from conclave.values import dataclass

NONCE_SIZE = 12
"""Bytes of a nonce, in all three."""
TAG_SIZE = 16
"""Bytes by which a ciphertext is longer than its plaintext, in all three."""


@dataclass(frozen=True, slots=True)
class Aead:
    """One AEAD. ``code`` is its HPKE number (RFC 9180 section 7.3), ``key_size`` is in bytes."""

    code: int
    key_size: int
    cipher: type[AESGCM | ChaCha20Poly1305]

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Ciphertext with its 16-byte tag. A key and nonce must never meet twice."""
        return self.cipher(key).encrypt(nonce, plaintext, associated)

    def open(self, key: bytes, nonce: bytes, ciphertext: bytes, associated: bytes) -> bytes:
        """The plaintext. Raises ``VerificationError`` where the tag does not verify."""
        try:
            return self.cipher(key).decrypt(nonce, ciphertext, associated)
        except InvalidTag as error:
            raise VerificationError("a ciphertext does not open", reason="bad-signature") from error

    def open_into(
        self, key: bytes, nonce: bytes, ciphertext: memoryview, associated: bytes, plaintext: memoryview
    ) -> None:
        """As ``open``, into room of exactly the plaintext's size; what it holds after an error must not be used."""
        if len(ciphertext) != len(plaintext) + TAG_SIZE:
            raise VerificationError("a ciphertext has another size than its plaintext", reason="bad-signature")
        try:
            self.cipher(key).decrypt_into(nonce, ciphertext, associated, plaintext)
        except InvalidTag as error:
            raise VerificationError("a ciphertext does not open", reason="bad-signature") from error


AES_128_GCM = Aead(0x0001, 16, AESGCM)
AES_256_GCM = Aead(0x0002, 32, AESGCM)
CHACHA20_POLY1305 = Aead(0x0003, 32, ChaCha20Poly1305)
