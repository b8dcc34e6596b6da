"""What the classic suite is made of: RSA-OAEP and RSA-PSS (RFC 8017), HKDF and HMAC with SHA-256, AES-256-CBC.

Contexts are prepared once for a key. A message's fragments share one IV, so that their chains are independent: they
are encrypted block column by block column and decrypted in one call, whatever their number. OAEP and PSS take their
randomness from the library. Left out: what is encrypted, and every check of it (``classic``).
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import constant_time, hashes, hmac
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from conclave.errors import DecodeError, VerificationError

BLOCK_BYTES = 16
"""A block of AES, and the IV."""
TAG_BYTES = 32
RSA_BYTES_MOST = 512
"""What an RSA key of 4,096 bits makes: a ciphertext or a signature."""

_SHA256 = hashes.SHA256()
_OAEP = padding.OAEP(mgf=padding.MGF1(_SHA256), algorithm=_SHA256, label=None)
_PSS = padding.PSS(mgf=padding.MGF1(_SHA256), salt_length=padding.PSS.MAX_LENGTH)


class RsaPublic:
    """A public key, from SubjectPublicKeyInfo DER. Raises ``DecodeError`` where it is none of RSA."""

    __slots__ = ("_key",)

    def __init__(self, der: bytes) -> None:
        try:
            key = load_der_public_key(der)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise DecodeError("the public key cannot be read") from error
        if not isinstance(key, rsa.RSAPublicKey):
            raise DecodeError("the public key is not one of RSA")
        self._key = key

    def encrypt(self, secret: bytes) -> bytes:
        """Encrypt for the key's owner: OAEP with MGF1 and SHA-256, no label."""
        return self._key.encrypt(secret, _OAEP)

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raise ``VerificationError`` unless the signature holds: PSS with MGF1 and SHA-256, the longest salt."""
        try:
            self._key.verify(signature, message, _PSS, _SHA256)
        except InvalidSignature as error:
            raise VerificationError("a signature does not verify", reason="bad-signature") from error


class RsaPrivate:
    """A private key, from PKCS#8 DER. Raises ``DecodeError`` where it is none of RSA."""

    __slots__ = ("_key",)

    def __init__(self, der: bytes) -> None:
        try:
            key = load_der_private_key(der, None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise DecodeError("the private key cannot be read") from error
        if not isinstance(key, rsa.RSAPrivateKey):
            raise DecodeError("the private key is not one of RSA")
        self._key = key

    def decrypt(self, ciphertext: bytes) -> bytes:
        """The inverse of ``RsaPublic.encrypt``. Raises ``VerificationError``, the same one whatever is wrong."""
        try:
            return self._key.decrypt(ciphertext, _OAEP)
        except ValueError:
            raise VerificationError("what was encrypted to our key does not open", reason="bad-signature") from None

    def sign(self, message: bytes) -> bytes:
        """The signature that ``RsaPublic.verify`` takes."""
        return self._key.sign(message, _PSS, _SHA256)


def hkdf(key_material: bytes, salt: bytes, length: int) -> bytes:
    """HKDF-SHA-256 with an empty info (RFC 5869)."""
    return HKDF(_SHA256, length, salt, b"").derive(key_material)


def demand_equal(found: bytes, expected: bytes) -> None:
    """Raise ``VerificationError`` unless the two are equal; the time depends on their length alone."""
    if not constant_time.bytes_eq(found, expected):
        raise VerificationError("a record does not verify", reason="bad-record")


class Mac:
    """HMAC-SHA-256 (RFC 2104) under one key, whose two key blocks are hashed once."""

    __slots__ = ("copy",)

    def __init__(self, key: bytes) -> None:
        self.copy = hmac.HMAC(key, _SHA256).copy
        """A fresh context with ``update`` and ``finalize``: the hot loops call it themselves."""

    def tag(self, data: bytes) -> bytes:
        """The tag of ``data`` (32 bytes)."""
        context = self.copy()
        context.update(data)
        return context.finalize()


class Cbc:
    """AES-256-CBC (NIST SP 800-38A) under one key, for many short chains with the same IV. Pads nothing."""

    __slots__ = ("_algorithm", "_block")

    def __init__(self, key: bytes) -> None:
        self._algorithm = algorithms.AES256(key)
        self._block = Cipher(self._algorithm, modes.ECB()).encryptor()  # noqa: S305 - one step of CBC, see seal

    def seal(self, iv: bytes, columns: Sequence[bytes]) -> list[bytes]:
        """Encrypt chains of equal length: ``columns[j]`` holds block *j* of every chain, and so does the result.

        C_j = E(P_j xor C_(j-1)) for all chains at once: one call of AES for each column.
        """
        sealed = []
        before = iv * (len(columns[0]) // BLOCK_BYTES)
        for column in columns:
            mixed = int.from_bytes(column) ^ int.from_bytes(before)
            before = self._block.update(mixed.to_bytes(len(column)))
            sealed.append(before)
        return sealed

    def open(self, iv: bytes, chains: Sequence[bytes]) -> bytes:
        """Decrypt chains of any lengths: their plaintexts, with a block of rubbish between any two.

        They are decrypted as one chain with the IV between them, for P_j = D(C_j) xor C_(j-1).
        """
        decryptor = Cipher(self._algorithm, modes.CBC(iv)).decryptor()
        return decryptor.update(iv.join(chains))
