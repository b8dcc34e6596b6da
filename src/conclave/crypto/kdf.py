"""Hash, MAC and HKDF of one hash function (RFC 2104, RFC 5869).

For whoever derives keys: HPKE, the MLS labels. Left out: labels and their encoding, which are the callers'.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from conclave.errors import VerificationError
from conclave.values import dataclass


@dataclass(frozen=True, slots=True)
class Kdf:
    """HKDF over one hash function: ``code`` is its number in RFC 9180 section 7.2, ``size`` its output (bytes)."""

    code: int
    size: int
    algorithm: hashes.HashAlgorithm

    def hash(self, data: bytes) -> bytes:
        """The plain hash of ``data``."""
        digest = hashes.Hash(self.algorithm)
        digest.update(data)
        return digest.finalize()

    def mac(self, key: bytes, data: bytes) -> bytes:
        """HMAC of ``data`` (RFC 2104)."""
        tag = hmac.HMAC(key, self.algorithm)
        tag.update(data)
        return tag.finalize()

    def verify_mac(self, key: bytes, data: bytes, tag: bytes) -> None:
        """Raise ``VerificationError`` unless ``tag`` is the HMAC of ``data``; compares in constant time."""
        expected = hmac.HMAC(key, self.algorithm)
        expected.update(data)
        try:
            expected.verify(tag)
        except InvalidSignature as error:
            raise VerificationError("an authentication tag does not verify", reason="bad-signature") from error

    def extract(self, salt: bytes, key_material: bytes) -> bytes:
        """HKDF-Extract (RFC 5869 section 2.2); an empty salt stands for ``size`` zero bytes."""
        return HKDF.extract(self.algorithm, salt or None, key_material)

    def expand(self, secret: bytes, info: bytes, length: int) -> bytes:
        """HKDF-Expand to ``length`` bytes (RFC 5869 section 2.3)."""
        return HKDFExpand(self.algorithm, length, info).derive(secret)


SHA256 = Kdf(0x0001, 32, hashes.SHA256())
SHA384 = Kdf(0x0002, 48, hashes.SHA384())
SHA512 = Kdf(0x0003, 64, hashes.SHA512())
