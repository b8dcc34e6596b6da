"""Signature schemes with raw keys, as the MLS suites use them (RFC 9420 section 5.1.2, RFC 8032, RFC 8446).

Keys cross this door as bytes: EdDSA keys as RFC 8032 writes them, ECDSA public keys as uncompressed points and
private keys as field elements. Left out: labels (``crypto.labels``) and certificates (``pki``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conclave.errors import DecodeError, VerificationError
from conclave.values import dataclass

PRIVATE_CACHE = 64
PUBLIC_CACHE = 4096
"""Keys kept parsed, so that a busy member's key is not parsed anew for every message."""


class SignatureScheme(Protocol):
    """What a suite asks of its signature algorithm."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def private_size(self) -> int:
        """Bytes of a private key."""

    def generate(self, random: Callable[[int], bytes]) -> bytes:
        """A fresh private key, raw, made of handed-in randomness."""

    def public(self, private: bytes) -> bytes:
        """The raw public key of a raw private key. Raises ``DecodeError`` where it is none."""

    def sign(self, private: bytes, message: bytes) -> bytes:
        """Sign. ECDSA takes its nonce from the library's own randomness."""

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """Raise ``VerificationError`` unless the signature holds, ``DecodeError`` where the key is none."""


def _refuse(error: Exception) -> VerificationError:
    failure = VerificationError("a signature does not verify", reason="bad-signature")
    failure.__cause__ = error
    return failure


@dataclass(frozen=True, slots=True, eq=False)
class EdDSA:
    """Ed25519 or Ed448 (RFC 8032)."""

    name: str
    private_size: int
    private_key: type[ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey]
    public_key: type[ed25519.Ed25519PublicKey | ed448.Ed448PublicKey]

    def generate(self, random: Callable[[int], bytes]) -> bytes:
        """A fresh private key, raw."""
        return random(self.private_size)

    def public(self, private: bytes) -> bytes:
        """The raw public key of a raw private key."""
        return _eddsa_private(self, private).public_key().public_bytes_raw()

    def sign(self, private: bytes, message: bytes) -> bytes:
        """Sign, deterministically."""
        return _eddsa_private(self, private).sign(message)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """Raise unless the signature holds."""
        try:
            _eddsa_public(self, public).verify(signature, message)
        except InvalidSignature as error:
            raise _refuse(error) from error


@lru_cache(PRIVATE_CACHE)
def _eddsa_private(scheme: EdDSA, raw: bytes) -> ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey:
    try:
        return scheme.private_key.from_private_bytes(raw)
    except ValueError as error:
        raise DecodeError(f"not an {scheme.name} private key") from error


_P25519 = (1 << 255) - 19
_P448 = (1 << 448) - (1 << 224) - 1
_ORDER_EIGHT = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
SMALL_ORDER = {
    32: (_P25519, frozenset({0, 1, _P25519 - 1, _ORDER_EIGHT, _P25519 - _ORDER_EIGHT})),
    57: (_P448, frozenset({0, 1, _P448 - 1})),
}
"""By size of the key: the field's prime, and y of the points of small order. With such a key one signature, of zeros
perhaps, holds for many messages or for all (RFC 8032 does not refuse them, nor does the library)."""


def _refuse_small_order(raw: bytes) -> None:
    prime, points = SMALL_ORDER[len(raw)]
    if (int.from_bytes(raw, "little") & (1 << 8 * len(raw) - 1) - 1) % prime in points:
        raise DecodeError("a public key of small order")


@lru_cache(PUBLIC_CACHE)
def _eddsa_public(scheme: EdDSA, raw: bytes) -> ed25519.Ed25519PublicKey | ed448.Ed448PublicKey:
    try:
        key = scheme.public_key.from_public_bytes(raw)
    except ValueError as error:
        raise DecodeError(f"not an {scheme.name} public key") from error
    _refuse_small_order(raw)
    return key


@dataclass(frozen=True, slots=True, eq=False)
class ECDSA:
    """ECDSA over a NIST curve, signatures in DER (RFC 8446 section 4.2.3)."""

    name: str
    private_size: int
    order: int
    curve: ec.EllipticCurve
    algorithm: hashes.HashAlgorithm

    def generate(self, random: Callable[[int], bytes]) -> bytes:
        """A fresh private key: a field element, uniform to within 2^-64 (FIPS 186-5 appendix A.2.1)."""
        candidate = int.from_bytes(random(self.private_size + 8)) % (self.order - 1) + 1
        return candidate.to_bytes(self.private_size)

    def public(self, private: bytes) -> bytes:
        """The uncompressed point of a field element."""
        key = _ecdsa_private(self, private).public_key()
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(self, private: bytes, message: bytes) -> bytes:
        """Sign, with a nonce from the library's own randomness."""
        return _ecdsa_private(self, private).sign(message, ec.ECDSA(self.algorithm))

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """Raise unless the signature holds."""
        try:
            _ecdsa_public(self, public).verify(signature, message, ec.ECDSA(self.algorithm))
        except InvalidSignature as error:
            raise _refuse(error) from error


@lru_cache(PRIVATE_CACHE)
def _ecdsa_private(scheme: ECDSA, raw: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        return ec.derive_private_key(int.from_bytes(raw), scheme.curve)
    except ValueError as error:
        raise DecodeError(f"not a {scheme.name} private key") from error


@lru_cache(PUBLIC_CACHE)
def _ecdsa_public(scheme: ECDSA, raw: bytes) -> ec.EllipticCurvePublicKey:
    if raw[:1] != b"\x04":
        raise DecodeError("not an uncompressed point")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(scheme.curve, raw)
    except ValueError as error:
        raise DecodeError(f"not a {scheme.name} public key") from error


ED25519 = EdDSA("Ed25519", 32, ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey)
ED448 = EdDSA("Ed448", 57, ed448.Ed448PrivateKey, ed448.Ed448PublicKey)
P256 = ECDSA(
    "P-256", 32, 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551, ec.SECP256R1(), hashes.SHA256()
)
P384 = ECDSA(
    "P-384",
    48,
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    ec.SECP384R1(),
    hashes.SHA384(),
)
P521 = ECDSA(
    "P-521",
    66,
    (1 << 521) - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
    ec.SECP521R1(),
    hashes.SHA512(),
)
