"""The labelled operations of MLS (RFC 9420 sections 5.1.2, 5.1.3, 5.2, 8): every use of a key says what it is for."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from conclave.crypto.suite import CipherSuite
from conclave.wire.codec import encode_varint

PREFIX = b"MLS 1.0 "


def _vector(value: bytes) -> bytes:
    return encode_varint(len(value)) + value


@lru_cache(128)  # there are some thirty
def _label(label: bytes) -> bytes:
    return _vector(PREFIX + label)


def sign_with_label(suite: CipherSuite, private: bytes, label: bytes, content: bytes) -> bytes:
    """SignWithLabel (section 5.1.2)."""
    return suite.signature.sign(private, _label(label) + _vector(content))


def verify_with_label(suite: CipherSuite, public: bytes, label: bytes, content: bytes, signature: bytes) -> None:
    """VerifyWithLabel (section 5.1.2). Raises ``VerificationError`` where the signature does not hold."""
    suite.signature.verify(public, _label(label) + _vector(content), signature)


def encrypt_with_label(
    suite: CipherSuite,
    public: bytes,
    label: bytes,
    context: bytes,
    plaintext: bytes,
    random: Callable[[int], bytes],
) -> tuple[bytes, bytes]:
    """EncryptWithLabel (section 5.1.3): KEM output and ciphertext."""
    return suite.hpke.seal(public, _label(label) + _vector(context), plaintext, random)


def decrypt_with_label(
    suite: CipherSuite, private: bytes, label: bytes, context: bytes, kem_output: bytes, ciphertext: bytes
) -> bytes:
    """DecryptWithLabel (section 5.1.3). Raises ``VerificationError`` where the ciphertext does not open."""
    return suite.hpke.open(private, _label(label) + _vector(context), kem_output, ciphertext)


def ref_hash(suite: CipherSuite, label: bytes, value: bytes) -> bytes:
    """RefHash (section 5.2); its labels carry their whole name, so none is prefixed here."""
    return suite.kdf.hash(_vector(label) + _vector(value))


def expand_with_label(suite: CipherSuite, secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """ExpandWithLabel (section 8) to ``length`` bytes."""
    return suite.kdf.expand(secret, _info(length, label) + _vector(context), length)


@lru_cache(128)  # a label goes with one length or two, and each message needs five
def _info(length: int, label: bytes) -> bytes:
    return length.to_bytes(2) + _label(label)


def derive_secret(suite: CipherSuite, secret: bytes, label: bytes) -> bytes:
    """DeriveSecret (section 8): a secret as long as the suite's hash."""
    return expand_with_label(suite, secret, label, b"", suite.kdf.size)


def derive_tree_secret(suite: CipherSuite, secret: bytes, label: bytes, generation: int, length: int) -> bytes:
    """DeriveTreeSecret (section 9.1): position ``generation`` of a ratchet."""
    return expand_with_label(suite, secret, label, generation.to_bytes(4), length)
