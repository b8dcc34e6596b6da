"""The classic suite's vectors, checked twice: with ``conclave.classic``, and in straight lines from ``cryptography``.

Of version 1, the authors' own program, only this reads anything: a nonce of 12 bytes and SHA-1 inside OAEP.
"""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from conclave.classic.keys import Keys, derive_keys
from conclave.classic.records import Reader, Writer
from tests.classic import straight


def text(length: int) -> bytes:
    """The message of a length."""
    return bytes(at % 251 for at in range(length))


def private(pem: str) -> rsa.RSAPrivateKey:
    """A key of the file."""
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def bodies(case: dict[str, Any]) -> list[bytes]:
    """The nine messages of a handshake, out of their frames."""
    found = []
    for message in case["handshake"]["frames"]:
        frame = bytes.fromhex(message["frame"])
        assert int(frame[:6]) == len(frame) - 6
        found.append(frame[6:])
    return found


def check_handshake(case: dict[str, Any], secret: bytes, nonce: bytes) -> None:
    """What each message says, in straight lines. Our machine replays it in ``tests/classic/test_vectors.py``."""
    if case["version"] == 1:
        private(case["sender_key"]).public_key().verify(
            bytes.fromhex(case["signature"]), nonce, straight.PSS, hashes.SHA256()
        )
        sealed = bytes.fromhex(case["sealed_secret"])
        assert private(case["receiver_key"]).decrypt(sealed, straight.OAEP_VERSION_1) == secret
        return
    sender, receiver = private(case["handshake"]["sender_key"]), private(case["handshake"]["receiver_key"])
    hello, ok, _, challenge, _, signature, ack, sealed, answer = bodies(case)
    assert (hello, ok, ack, answer) == (b"HELLO", b"OK", b"ACK", b"OK")
    assert sender.decrypt(challenge, straight.OAEP) == nonce
    sender.public_key().verify(signature, nonce, straight.PSS, hashes.SHA256())
    assert receiver.decrypt(sealed, straight.OAEP) == secret


def check_keys(case: dict[str, Any], secret: bytes, nonce: bytes) -> Keys | None:
    """The six keys; ours too, where the version is ours."""
    six = straight.six_keys(secret, nonce)
    for name, value in case["keys"].items():
        assert getattr(six, name).hex() == value, name
    if case["version"] == 1:
        return None
    ours = derive_keys(secret, nonce)
    s, r = ours.sender, ours.receiver
    assert (s.mac_key, s.cipher_key, s.iv) == (six.mac_sender, six.aes_sender, six.iv_sender)
    assert (r.mac_key, r.cipher_key, r.iv) == (six.mac_receiver, six.aes_receiver, six.iv_receiver)
    return ours


def check_records(case: dict[str, Any], secret: bytes, nonce: bytes, ours: Keys | None) -> None:
    """A first message of each length, and how the IVs follow from one another."""
    six = straight.six_keys(secret, nonce)
    for record in case["records"]:
        message = text(record["length"])
        data = b"".join(straight.seal(message, 1, six.mac_sender, six.aes_sender, six.iv_sender))
        if "sha256" in record:
            assert hashlib.sha256(data).hexdigest() == record["sha256"]
        else:
            fragments = [bytes.fromhex(one) for one in record["fragments"]]
            assert b"".join(fragments) == data
            assert straight.open_message(fragments, 1, six.mac_sender, six.aes_sender, six.iv_sender) == message
        if ours is not None:
            assert Writer(ours.sender).seal(message) == data
            assert list(Reader(ours.sender).read(data)) == [message]
    iv = six.iv_receiver
    writer = Writer(ours.receiver) if ours is not None else None
    for link in case["chain"]:
        message = bytes.fromhex(link["message"])
        assert link["iv"] == iv.hex()
        fragments = [bytes.fromhex(one) for one in link["fragments"]]
        assert fragments == straight.seal(message, link["seq"], six.mac_receiver, six.aes_receiver, iv)
        if writer is not None:
            assert writer.seal(message) == b"".join(fragments)
        iv = straight.next_iv(b"ivKeyReceiver", message, nonce)


def check(case: dict[str, Any]) -> int:
    """One case, whole; 1. Raises ``AssertionError`` and what the library raises."""
    secret, nonce = bytes.fromhex(case["secret"]), bytes.fromhex(case["nonce"])
    check_handshake(case, secret, nonce)
    check_records(case, secret, nonce, check_keys(case, secret, nonce))
    return 1
