"""The classic suite in straight lines, from the report alone: what ours is held against. Imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.padding import PKCS7

OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
OAEP_VERSION_1 = padding.OAEP(
    mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None
)  # as the authors had it
PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.MAX_LENGTH)


def hkdf(material: bytes, salt: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, b"").derive(material)


@dataclass(frozen=True)
class Six:
    mac_sender: bytes
    mac_receiver: bytes
    aes_sender: bytes
    aes_receiver: bytes
    iv_sender: bytes
    iv_receiver: bytes


def six_keys(secret: bytes, nonce: bytes) -> Six:
    return Six(
        hkdf(secret[0:8], nonce, 32),
        hkdf(secret[4:12], nonce, 32),
        hkdf(secret[8:16], nonce, 32),
        hkdf(secret[12:20], nonce, 32),
        hkdf(secret[16:32], nonce, 16),
        hkdf(secret[20:32], nonce, 16),
    )


def next_iv(label: bytes, message: bytes, nonce: bytes) -> bytes:
    return hkdf(label + (message[:4] if len(message) >= 4 else b""), nonce, 16)


def fragment(piece: bytes, seq: int, last: bool, mac_key: bytes, aes_key: bytes, iv: bytes) -> bytes:
    header = str(seq).zfill(6).encode() + (b"1" if last else b"0") + str(len(piece)).zfill(6).encode()
    return header + encrypt(piece + mac(piece + header, mac_key), aes_key, iv)


def mac(data: bytes, key: bytes) -> bytes:
    h = hmac.HMAC(key, hashes.SHA256())
    h.update(data)
    return h.finalize()


def encrypt(plain: bytes, key: bytes, iv: bytes) -> bytes:
    padder = PKCS7(128).padder()
    padded = padder.update(plain) + padder.finalize()
    return encrypt_padded(padded, key, iv)


def encrypt_padded(padded: bytes, key: bytes, iv: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(padded) + encryptor.finalize()


def seal(message: bytes, seq: int, mac_key: bytes, aes_key: bytes, iv: bytes) -> list[bytes]:
    """The fragments of a message whose first has the number ``seq``."""
    count = len(message) // 16 + 1
    return [
        fragment(message[at * 16 : at * 16 + 16], seq + at, at == count - 1, mac_key, aes_key, iv)
        for at in range(count)
    ]


def open_message(fragments: list[bytes], seq: int, mac_key: bytes, aes_key: bytes, iv: bytes) -> bytes:
    """The message of its fragments; asserts everything."""
    text = b""
    for at, one in enumerate(fragments):
        header, ciphertext = one[:13], one[13:]
        decryptor = Cipher(algorithms.AES(aes_key), modes.CBC(iv)).decryptor()
        unpadder = PKCS7(128).unpadder()
        plain = unpadder.update(decryptor.update(ciphertext) + decryptor.finalize()) + unpadder.finalize()
        length = int(header[7:13])
        assert int(header[:6]) == seq + at
        assert header[6:7] == (b"1" if at == len(fragments) - 1 else b"0")
        assert plain[length:] == mac(plain[:length] + header, mac_key)
        text += plain[:length]
    return text
