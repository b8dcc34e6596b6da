"""Writes ``tests/vectors/classic.json`` in straight lines: ``python -m tests.classic.make_vectors``.

The file is kept, not made anew by the tests: it is what other programs, and later versions of ours, are held against.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.classic import straight
from tests.classic.people import certificate, rsa_key

FILE = Path(__file__).parents[1] / "vectors" / "classic.json"
LENGTHS = (0, 1, 15, 16, 17, 32, 38, 1000)


def text(length: int) -> bytes:
    """A message that everybody can make: bytes 0, 1, … 250, 0, …"""
    return bytes(at % 251 for at in range(length))


def private_pem(handle: str) -> str:
    key = rsa_key(handle).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key.decode()


def frame(body: bytes) -> str:
    return (str(len(body)).zfill(6).encode() + body).hex()


def transcript(secret: bytes, nonce: bytes) -> dict[str, Any]:
    signature = rsa_key("ayse").sign(nonce, straight.PSS, hashes.SHA256())
    messages = [
        ("sender", b"HELLO"),
        ("receiver", b"OK"),
        ("sender", certificate("ayse")),
        ("receiver", rsa_key("ayse").public_key().encrypt(nonce, straight.OAEP)),
        ("receiver", certificate("burak")),
        ("sender", signature),
        ("receiver", b"ACK"),
        ("sender", rsa_key("burak").public_key().encrypt(secret, straight.OAEP)),
        ("receiver", b"OK"),
    ]
    return {
        "sender_key": private_pem("ayse"),
        "receiver_key": private_pem("burak"),
        "frames": [{"from": who, "frame": frame(body)} for who, body in messages],
    }


def keys(secret: bytes, nonce: bytes) -> dict[str, str]:
    six = straight.six_keys(secret, nonce)
    return {name: getattr(six, name).hex() for name in straight.Six.__dataclass_fields__}


def records(secret: bytes, nonce: bytes) -> list[dict[str, Any]]:
    six = straight.six_keys(secret, nonce)
    made = []
    for length in LENGTHS:
        fragments = straight.seal(text(length), 1, six.mac_sender, six.aes_sender, six.iv_sender)
        made.append({"length": length, "fragments": [one.hex() for one in fragments]})
    long = b"".join(straight.seal(text(100_000), 1, six.mac_sender, six.aes_sender, six.iv_sender))
    return [*made, {"length": 100_000, "sha256": hashlib.sha256(long).hexdigest()}]


def chain(secret: bytes, nonce: bytes) -> list[dict[str, Any]]:
    six = straight.six_keys(secret, nonce)
    iv, seq, made = six.iv_receiver, 1, []
    for message in (b"hello", b"abc", b"", b"helloween", text(40)):
        fragments = straight.seal(message, seq, six.mac_receiver, six.aes_receiver, iv)
        made.append({"message": message.hex(), "seq": seq, "iv": iv.hex(), "fragments": [f.hex() for f in fragments]})
        iv, seq = straight.next_iv(b"ivKeyReceiver", message, nonce), seq + len(fragments)
    return made


def case(version: int) -> dict[str, Any]:
    secret, nonce = os.urandom(32), os.urandom(16 if version == 2 else 12)
    made: dict[str, Any] = {"version": version, "secret": secret.hex(), "nonce": nonce.hex()}
    if version == 1:  # the authors' program: a short nonce in the clear, SHA-1 in OAEP, bodies without a length
        made |= {
            "sender_key": private_pem("ayse"),
            "receiver_key": private_pem("burak"),
            "signature": rsa_key("ayse").sign(nonce, straight.PSS, hashes.SHA256()).hex(),
            "sealed_secret": rsa_key("burak").public_key().encrypt(secret, straight.OAEP_VERSION_1).hex(),
        }
    else:
        made["handshake"] = transcript(secret, nonce)
    return made | {"keys": keys(secret, nonce), "records": records(secret, nonce), "chain": chain(secret, nonce)}


if __name__ == "__main__":
    FILE.write_text(json.dumps([case(2), case(1)], indent=1) + "\n")
