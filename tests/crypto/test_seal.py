"""The envelope opens for its passphrase alone, no byte of it can change, and its layout is what the docs say."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from conclave.crypto.seal import MAGIC, STANDARD, Cost, derive, seal, unseal
from conclave.errors import DecodeError, LocalError, VerificationError

CHEAP = Cost(memory_kib=8, passes=1, lanes=1)
SALT = bytes(range(16))
NONCE = bytes(range(100, 112))
HEADER_BYTES = 14 + 1 + 4 + 1 + 1 + 16 + 12


def test_the_layout_by_hand() -> None:
    envelope = seal(derive(b"open sesame", salt=SALT, cost=Cost(64, 2, 3)), b"content", nonce=NONCE)
    header = b"conclave seal\n" + b"\x01" + b"\x00\x00\x00\x40" + b"\x02" + b"\x03" + SALT + NONCE
    key = Argon2id(salt=SALT, length=32, iterations=2, lanes=3, memory_cost=64).derive(b"open sesame")
    assert envelope == header + AESGCM(key).encrypt(NONCE, b"content", header)
    assert len(header) == HEADER_BYTES


def test_argon2id_is_the_one_of_rfc_9106() -> None:
    # Section 5.3's inputs; secret and associated data are part of that vector.
    kdf = Argon2id(
        salt=b"\x02" * 16, length=32, iterations=3, lanes=4, memory_cost=32, ad=b"\x04" * 12, secret=b"\x03" * 8
    )
    wanted = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
    assert kdf.derive(b"\x01" * 32).hex() == wanted


def test_the_standard_cost_is_the_one_promised_and_round_trips() -> None:
    assert Cost(65536, 3, 4) == STANDARD
    key = derive(b"p", salt=SALT)
    envelope = seal(key, b"", nonce=NONCE)
    assert unseal(b"p", envelope) == (key, b"")
    assert key.key.hex() not in repr(key)
    assert repr(key.key) not in repr(key)


def test_a_wrong_passphrase() -> None:
    envelope = seal(derive(b"right", salt=SALT, cost=CHEAP), b"content", nonce=NONCE)
    for wrong in (b"", b"Right", b"right ", b"right\x00"):
        with pytest.raises(VerificationError) as caught:
            unseal(wrong, envelope)
        assert caught.value.reason == "wrong-passphrase"


def test_every_bit_of_every_byte_counts() -> None:
    envelope = seal(derive(b"p", salt=SALT, cost=CHEAP), b"content", nonce=NONCE)
    for at in range(len(envelope)):
        for bit in range(8):
            changed = bytearray(envelope)
            changed[at] ^= 1 << bit
            if 1 << 16 <= int.from_bytes(changed[15:19]) <= 1 << 20:
                continue  # within bounds, and paid for in hundreds of MiB
            with pytest.raises(VerificationError if at >= 15 and _in_bounds(changed) else DecodeError):
                unseal(b"p", bytes(changed))


def _in_bounds(envelope: bytearray) -> bool:
    memory, passes, lanes = int.from_bytes(envelope[15:19]), envelope[19], envelope[20]
    return 1 <= lanes <= 16 and 1 <= passes <= 16 and 8 * lanes <= memory <= 1 << 20


def test_every_truncation_and_extension() -> None:
    envelope = seal(derive(b"p", salt=SALT, cost=CHEAP), b"content", nonce=NONCE)
    for size in range(len(envelope)):
        with pytest.raises(DecodeError if size < HEADER_BYTES + 16 else VerificationError):
            unseal(b"p", envelope[:size])
    with pytest.raises(VerificationError):
        unseal(b"p", envelope + b"\x00")


@pytest.mark.parametrize(
    ("memory", "passes", "lanes"),
    [(1 << 31, 1, 1), ((1 << 20) + 1, 1, 1), (8, 17, 1), (8, 0, 1), (8, 1, 0), (1024, 1, 17), (15, 1, 2), (0, 1, 1)],
)
def test_costs_out_of_bounds_are_refused_before_they_are_paid(memory: int, passes: int, lanes: int) -> None:
    header = MAGIC + b"\x01" + memory.to_bytes(4) + bytes([passes, lanes]) + SALT + NONCE
    with pytest.raises(DecodeError, match="out of bounds"):
        unseal(b"p", header + bytes(16))
    with pytest.raises(LocalError):
        Cost(memory, passes, lanes)


def test_another_version_and_another_file() -> None:
    envelope = seal(derive(b"p", salt=SALT, cost=CHEAP), b"content", nonce=NONCE)
    with pytest.raises(DecodeError, match="version 2"):
        unseal(b"p", envelope.replace(b"\n\x01", b"\n\x02", 1))
    with pytest.raises(DecodeError, match="not a sealed envelope"):
        unseal(b"p", b"-----BEGIN PRIVATE KEY-----\n" + bytes(60))


def test_salt_and_nonce_have_their_sizes() -> None:
    with pytest.raises(LocalError):
        derive(b"p", salt=b"short", cost=CHEAP)
    with pytest.raises(LocalError):
        seal(derive(b"p", salt=SALT, cost=CHEAP), b"", nonce=b"short")
