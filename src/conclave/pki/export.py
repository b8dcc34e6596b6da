"""A private key for other programs: PKCS#8 in PEM under a person's passphrase (RFC 5958 section 3, RFC 8018).

The library writes such files with 2,048 rounds, which a person's passphrase does not bear; here it is PBES2 with
600,000 rounds of PBKDF2-HMAC-SHA-256 and AES-256-CBC, which OpenSSL and everything built on it read.
"""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7

from conclave.errors import LocalError
from conclave.pki.keys import PrivateKey

ROUNDS = 600_000
"""OWASP's figure for PBKDF2-HMAC-SHA-256."""
SALT_BYTES = 16
IV_BYTES = 16

_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("06082a864886f70d0209")
_AES256_CBC = bytes.fromhex("060960864801650304012a")
_NULL = b"\x05\x00"


def seal_pem(key: PrivateKey, passphrase: str, *, salt: bytes, iv: bytes, rounds: int = ROUNDS) -> bytes:
    """``EncryptedPrivateKeyInfo`` in PEM; ``salt`` and ``iv`` are 16 fresh random bytes each.

    Raises ``LocalError`` for an empty passphrase, or randomness of another size.
    """
    if not passphrase:
        raise LocalError("the passphrase is empty", remedy="choose one of several words")
    if len(salt) != SALT_BYTES or len(iv) != IV_BYTES:
        raise LocalError("salt and IV have 16 bytes each")
    secret = PBKDF2HMAC(hashes.SHA256(), 32, salt, rounds).derive(passphrase.encode())
    padder = PKCS7(128).padder()
    plain = padder.update(key.der()) + padder.finalize()
    encryptor = Cipher(algorithms.AES256(secret), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(plain) + encryptor.finalize()
    derivation = _sequence(_PBKDF2, _sequence(_octets(salt), _integer(rounds), _sequence(_HMAC_SHA256, _NULL)))
    algorithm = _sequence(_PBES2, _sequence(derivation, _sequence(_AES256_CBC, _octets(iv))))
    text = base64.b64encode(_sequence(algorithm, _octets(sealed)))
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"\n".join((b"-----BEGIN ENCRYPTED PRIVATE KEY-----", *lines, b"-----END ENCRYPTED PRIVATE KEY-----", b""))


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _element(0x30, b"".join(parts))


def _octets(content: bytes) -> bytes:
    return _element(0x04, content)


def _integer(value: int) -> bytes:
    return _element(0x02, value.to_bytes(value.bit_length() // 8 + 1))
