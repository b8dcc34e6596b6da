"""HPKE against itself, the library and bad input; published vectors are in ``test_hpke_vectors``."""

from __future__ import annotations

import os

import pytest

from conclave.crypto import kem
from conclave.crypto.hpke import Hpke
from conclave.crypto.suite import HYBRID, SUITES, CipherSuite
from conclave.errors import DecodeError, VerificationError
from conclave.values import replace

EVERY = pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: str(suite.name))


@EVERY
def test_seal_and_open(suite: CipherSuite) -> None:
    private = suite.kem.derive(os.urandom(suite.kem.private_size))
    public = suite.kem.public(private)
    enc, ciphertext = suite.hpke.seal(public, b"info", b"words", os.urandom)
    assert len(enc) == suite.kem.enc_size
    assert suite.hpke.open(private, b"info", enc, ciphertext) == b"words"
    for bad in (
        (b"other", enc, ciphertext),
        (b"info", enc, ciphertext[:-1]),
        (b"info", enc, b""),
        (b"info", enc[:-1], ciphertext),
        (b"info", b"", ciphertext),
    ):
        with pytest.raises((VerificationError, DecodeError)):
            suite.hpke.open(private, *bad)


@EVERY
def test_ours_and_the_librarys_are_one(suite: CipherSuite) -> None:
    """What the library seals our key schedule opens, and the reverse."""
    private = suite.kem.derive(bytes(suite.kem.private_size))
    public = suite.kem.public(private)
    enc, ciphertext = suite.hpke.seal(public, b"info", b"words", os.urandom)
    schedule = suite.hpke.schedule(suite.kem.decapsulate(private, enc), b"info")
    assert suite.aead.open(schedule.key, schedule.nonce, ciphertext, b"") == b"words"
    shared, enc = suite.kem.encapsulate(public, os.urandom)
    schedule = suite.hpke.schedule(shared, b"info")
    sealed = suite.aead.seal(schedule.key, schedule.nonce, b"words", b"")
    assert suite.hpke.open(private, b"info", enc, sealed) == b"words"


@EVERY
def test_both_ends_export_the_same(suite: CipherSuite) -> None:
    private = suite.kem.derive(os.urandom(suite.kem.private_size))
    enc, sent = suite.hpke.send_export(suite.kem.public(private), b"", b"label", 48, os.urandom)
    assert suite.hpke.receive_export(private, b"", enc, b"label", 48) == sent
    assert suite.hpke.receive_export(private, b"", enc, b"other", 48) != sent


@EVERY
def test_no_public_key_is_taken_that_is_none(suite: CipherSuite) -> None:
    good = suite.kem.public(suite.kem.derive(bytes(suite.kem.private_size)))
    for bad in (b"", good[:-1], good + b"\0", bytes(len(good))):
        with pytest.raises(DecodeError):
            suite.kem.load_public(bad)


@pytest.mark.parametrize("sign", [0, 1 << 255])
def test_points_of_small_order_are_refused(sign: int) -> None:
    """In every form, also above the prime and with the bit that RFC 7748 ignores."""
    prime = (1 << 255) - 19
    for coordinate in kem.SMALL_ORDER[32]:
        for form in (coordinate, coordinate + prime):
            if form < 1 << 255:
                with pytest.raises(DecodeError, match="small order"):
                    kem.X25519.load_public((form | sign).to_bytes(32, "little"))
    for coordinate in kem.SMALL_ORDER[56]:
        with pytest.raises(DecodeError, match="small order"):
            kem.X448.load_public(coordinate.to_bytes(56, "little"))


def test_private_keys_of_the_wrong_size_are_refused() -> None:
    for each in (kem.X25519, kem.X448, kem.P256, kem.XWING):
        with pytest.raises(DecodeError):
            each.load_private(b"")


def test_another_suite_does_not_open() -> None:
    private = bytes(31) + b"\1"
    enc, ciphertext = HYBRID.hpke.seal(HYBRID.kem.public(private), b"", b"words", os.urandom)
    other = Hpke(HYBRID.kem, HYBRID.kdf, replace(HYBRID.aead, code=2, key_size=32))
    with pytest.raises(VerificationError):
        other.open(private, b"", enc, ciphertext)
