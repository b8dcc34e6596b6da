"""HPKE against RFC 9180's own vector and against itself, the library and the KEMs that the library lacks."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from conclave.crypto import kem
from conclave.crypto.hpke import Hpke
from conclave.crypto.suite import CLASSICAL, HYBRID, SUITES, CipherSuite
from conclave.errors import DecodeError, VerificationError

hexed = bytes.fromhex
EVERY = pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: str(suite.name))


def test_the_vector_of_rfc_9180_a_1_1() -> None:
    x25519, scheme = kem.X25519, CLASSICAL.hpke
    private = x25519.derive(hexed("6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037"))
    assert private.hex() == "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8"
    enc = hexed("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")
    shared = x25519.decapsulate(private, enc)
    assert shared.hex() == "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc"
    schedule = scheme.schedule(shared, b"Ode on a Grecian Urn")
    assert schedule.key.hex() == "4531685d41d65f03dc48f6b8302c05b0"
    assert schedule.nonce.hex() == "56d890e5accaaf011cff4b7d"
    assert schedule.exporter_secret.hex() == "45ff1c2e220db587171952c0592d5f5ebe103f1561a2614e38f2ffd47e99e3f8"
    exported = scheme.export(schedule, b"", 32)
    assert exported.hex() == "3853fe2b4035195a573ffc53856e77058e15d9ea064de3e59f4961d0095250ee"
    sealed = scheme.aead.seal(schedule.key, schedule.nonce, b"Beauty is truth, truth beauty", b"Count-0")
    assert sealed.hex().startswith("f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a3")


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
