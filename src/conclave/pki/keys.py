"""Private keys: made, written and read. One class for the three kinds, so that nobody else touches the library's.

A key of the wrong kind or size is refused when it is read. What is written here is *not* encrypted: devices keep it
in the vault, the authority in PKCS#12 (``credentials``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
)

from conclave.errors import DecodeError, LocalError, Refused
from conclave.pki.profile import (
    RSA_BITS_DEFAULT,
    RSA_BITS_LEAST,
    RSA_BITS_MOST,
    RSA_EXPONENT,
    RULES,
    KeyKind,
    Profile,
)

KEY_BYTES = 8 * 1024
"""Largest private key read: an RSA key of 4,096 bits takes 3.3 KB in PEM."""

_Private: TypeAlias = Ed25519PrivateKey | RSAPrivateKey | EllipticCurvePrivateKey
Public: TypeAlias = Ed25519PublicKey | RSAPublicKey | EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key. ``inner`` is the library's object, for ``pki`` alone."""

    kind: KeyKind
    inner: _Private = field(repr=False, compare=False)
    public: bytes
    """The public key as SubjectPublicKeyInfo DER (RFC 5280 section 4.1.2.7)."""

    @property
    def inner_p256(self) -> EllipticCurvePrivateKey:
        """The library's object of an authority's key, for ``pki`` alone. Raises ``LocalError`` for another kind."""
        if not isinstance(self.inner, EllipticCurvePrivateKey):
            raise LocalError("an authority signs with a P-256 key")
        return self.inner

    def raw(self) -> bytes:
        """An Ed25519 key as RFC 8032 writes it (32 bytes), for MLS. Raises ``LocalError`` for another kind."""
        if not isinstance(self.inner, Ed25519PrivateKey):
            raise LocalError("a conversation's key is an Ed25519 key")
        return self.inner.private_bytes_raw()

    def der(self) -> bytes:
        """PKCS#8 DER, not encrypted."""
        return self.inner.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def pem(self, passphrase: bytes = b"") -> bytes:
        """PKCS#8 PEM; under ``passphrase`` where given, with few rounds: for random ones, not for people's."""
        protection = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        return self.inner.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


def wrap_private(inner: _Private) -> PrivateKey:
    """Take over the library's object, for ``pki`` alone. Raises ``Refused`` for a weak or unknown key."""
    public = inner.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PrivateKey(suitable_kind(public), inner, public)


def generate_key(kind: KeyKind, rsa_bits: int = RSA_BITS_DEFAULT) -> PrivateKey:
    """Make a fresh key with the library's own randomness. Raises ``LocalError`` for an RSA size out of range."""
    match kind:
        case KeyKind.ED25519:
            return wrap_private(Ed25519PrivateKey.generate())
        case KeyKind.P256:
            return wrap_private(generate_ec(SECP256R1()))
        case KeyKind.RSA:
            if not RSA_BITS_LEAST <= rsa_bits <= RSA_BITS_MOST:
                raise LocalError(
                    f"an RSA key of {rsa_bits} bits is out of range",
                    remedy=f"use {RSA_BITS_LEAST} to {RSA_BITS_MOST} bits",
                )
            return wrap_private(generate_rsa(RSA_EXPONENT, rsa_bits))


def generate_device_key(profile: Profile) -> PrivateKey:
    """Make a device's key for one purpose."""
    return generate_key(RULES[profile].key)


def read_key(data: bytes, kind: KeyKind) -> PrivateKey:
    """Read an unencrypted PKCS#8 key, DER or PEM. Raises ``DecodeError``, or ``Refused`` for another kind or size."""
    if len(data) > KEY_BYTES:
        raise DecodeError(f"a private key of {len(data)} bytes; at most {KEY_BYTES} are read")
    load = load_pem_private_key if data.lstrip().startswith(b"-----") else load_der_private_key
    try:
        inner = load(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise DecodeError(
            "the private key cannot be read: not an unencrypted PKCS#8 key",
            remedy="check that it is the right file, and not cut short",
        ) from error
    if not isinstance(inner, (Ed25519PrivateKey, RSAPrivateKey, EllipticCurvePrivateKey)):
        raise _unsuitable(f"a key of type {type(inner).__name__}", kind)
    key = wrap_private(inner)
    if key.kind is not kind:
        raise _unsuitable(key.kind, kind)
    return key


def load_public(public: bytes) -> Public:
    """Read a SubjectPublicKeyInfo, for ``pki`` alone. Raises ``DecodeError`` or ``Refused``."""
    try:
        inner = load_der_public_key(public)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise DecodeError("the public key cannot be read") from error
    if not isinstance(inner, (Ed25519PublicKey, RSAPublicKey, EllipticCurvePublicKey)):
        raise _unsuitable(f"a key of type {type(inner).__name__}", None)
    return inner


def suitable_kind(public: bytes) -> KeyKind:
    """Tell a public key's kind. Raises ``Refused`` for a weak or unknown one: RSA below 2,048 bits, odd exponents."""
    inner = load_public(public)
    if isinstance(inner, Ed25519PublicKey):
        return KeyKind.ED25519
    if isinstance(inner, RSAPublicKey):
        bits, exponent = inner.key_size, inner.public_numbers().e
        if not RSA_BITS_LEAST <= bits <= RSA_BITS_MOST:
            raise _unsuitable(f"an RSA key of {bits} bits", KeyKind.RSA)
        if exponent != RSA_EXPONENT:
            raise _unsuitable(f"an RSA key with the exponent {str(exponent)[:20]}", KeyKind.RSA)
        return KeyKind.RSA
    if not isinstance(inner.curve, SECP256R1):
        raise _unsuitable(f"a key on the curve {inner.curve.name}", KeyKind.P256)
    return KeyKind.P256


def demand_kind(public: bytes, kind: KeyKind) -> None:
    """Assert that the public key is of ``kind`` and strong enough. Raises ``Refused`` or ``DecodeError``."""
    found = suitable_kind(public)
    if found is not kind:
        raise _unsuitable(f"an {found} key", kind)


def public_fingerprint(public: bytes) -> bytes:
    """SHA-256 over a SubjectPublicKeyInfo (32 bytes): by it a key that asks twice is recognised."""
    return hashlib.sha256(public).digest()


def _unsuitable(found: str, wanted: KeyKind | None) -> Refused:
    wish = {
        KeyKind.ED25519: "an Ed25519 key",
        KeyKind.RSA: f"an RSA key of {RSA_BITS_LEAST} to {RSA_BITS_MOST} bits with the exponent {RSA_EXPONENT}",
        KeyKind.P256: "a P-256 key",
        None: "an Ed25519, P-256 or RSA key",
    }[wanted]
    return Refused(f"found {found} where {wish} is wanted", reason="unsuitable-key", remedy=f"make {wish}")
