"""Suites: their numbers, signatures with raw keys, and the hash functions under them."""

from __future__ import annotations

import datetime as dt
import os
from contextlib import suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from conclave.crypto.aead import AES_128_GCM
from conclave.crypto.certificate import subject_key
from conclave.crypto.kdf import SHA256
from conclave.crypto.signature import SMALL_ORDER
from conclave.crypto.suite import CLASSICAL, HYBRID, HYBRID_CODE, SUITES, CipherSuite, suite
from conclave.errors import DecodeError, VerificationError

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SIGNER = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
AYSE = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ayse")])
CERTIFICATE = (
    x509.CertificateBuilder(AYSE, AYSE, SIGNER.public_key(), 1, START, START + dt.timedelta(days=9))
    .sign(SIGNER, None)
    .public_bytes(Encoding.DER)
)

EVERY = pytest.mark.parametrize("each", SUITES.values(), ids=lambda each: str(each.name))


def test_the_registrys_suites_and_ours() -> None:
    assert set(SUITES) == {1, 2, 3, 4, 5, 6, 7, HYBRID_CODE}
    assert 0xF000 <= HYBRID_CODE <= 0xFFFF
    assert suite(1) is CLASSICAL
    assert suite(HYBRID_CODE) is HYBRID
    for code in (0, 8, 0x0A0A):
        with pytest.raises(DecodeError):
            suite(code)


@EVERY
def test_sign_and_verify(each: CipherSuite) -> None:
    private = each.signature.generate(os.urandom)
    public = each.signature.public(private)
    signature = each.signature.sign(private, b"words")
    each.signature.verify(public, b"words", signature)
    for bad in (b"", bytes(len(signature)), signature[:-1], signature + b"\0"):
        with pytest.raises(VerificationError):
            each.signature.verify(public, b"words", bad)
    with pytest.raises(VerificationError):
        each.signature.verify(public, b"other", signature)
    with pytest.raises(DecodeError):
        each.signature.verify(public[:-1], b"words", signature)
    with pytest.raises((DecodeError, VerificationError)):
        each.signature.verify(b"", b"words", signature)


def test_a_compressed_point_is_no_public_key() -> None:
    public = SUITES[2].signature.public(SUITES[2].signature.generate(os.urandom))
    with pytest.raises(DecodeError):
        SUITES[2].signature.verify(b"\x02" + public[1:33], b"", b"")


@pytest.mark.parametrize("code", [1, 4])
def test_a_key_of_small_order_is_no_public_key(code: int) -> None:
    """Every encoding of every point of small order, reduced or not: under it a signature proves nothing."""
    scheme = SUITES[code].signature
    size = len(scheme.public(scheme.generate(os.urandom)))
    prime, points = SMALL_ORDER[size]
    sign = 1 << 8 * size - 1
    encodings = {y | bit for point in points for y in (point, point + prime) for bit in (0, sign) if y < sign}
    assert len(encodings) > 2 * len(points)
    for encoded in encodings:
        with pytest.raises(DecodeError, match="small order"):
            scheme.verify(encoded.to_bytes(size, "little"), b"words", bytes(2 * size))


def test_points_of_small_order_are_all_there() -> None:
    """Doubled three times, a point of small order is the neutral element, whose y is 1 (RFC 8032 section 5.1)."""
    prime, points = SMALL_ORDER[32]
    d = -121665 * pow(121666, -1, prime) % prime
    doubled = points
    for _ in range(3):
        # y' = (y^2 + x^2) / (1 - d x^2 y^2), with x^2 = (y^2 - 1) / (d y^2 + 1) from the curve's equation
        squares = [(y * y % prime, (y * y - 1) * pow(d * y * y + 1, -1, prime) % prime) for y in doubled]
        doubled = frozenset((yy + xx) * pow(1 - d * xx * yy, -1, prime) % prime for yy, xx in squares)
    assert doubled == {1}
    assert len(points) == 5


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=4), st.integers(0, 4)), min_size=1, max_size=4))
def test_a_bent_certificate_is_read_or_refused(bends: list[tuple[int, bytes, int]]) -> None:
    """Any change to a certificate, its version too, gives a key or ``DecodeError``."""
    der = CERTIFICATE
    for at, planted, cut in bends:
        der = der[:at] + planted + der[at + cut :]
    with suppress(DecodeError):
        assert subject_key(der)


def test_a_certificate_of_an_unknown_version_is_refused() -> None:
    bent = CERTIFICATE.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x57", 1)
    assert bent != CERTIFICATE
    with pytest.raises(DecodeError):
        subject_key(bent)


@pytest.mark.parametrize("code", [2, 5, 7])
def test_a_compressed_point_is_no_encryption_key(code: int) -> None:
    """HPKE has uncompressed points alone (RFC 9180 section 7.1.1): else one key would have two names."""
    kem = SUITES[code].kem
    public = kem.public(kem.derive(os.urandom(kem.private_size)))
    compressed = bytes([2 + public[-1] % 2]) + public[1 : 1 + len(public) // 2]
    with pytest.raises(DecodeError):
        kem.load_public(compressed)
    kem.load_public(public)


def test_a_lattice_key_that_is_not_reduced_is_none() -> None:
    """FIPS 203 section 7.2 has the modulus checked."""
    public = HYBRID.kem.public(bytes(32))
    for bad in (b"\xff" * 384 + public[384:], public[:-1], public + b"\0", public[:-32] + bytes(32)):
        with pytest.raises(DecodeError):
            HYBRID.kem.load_public(bad)


@EVERY
def test_two_seeds_give_two_keys(each: CipherSuite) -> None:
    seeds = (bytes(each.kem.private_size), b"\1" + bytes(each.kem.private_size - 1))
    privates = {each.kem.derive(seed) for seed in seeds}
    assert len({each.kem.public(private) for private in privates}) == len(privates) == 2


def test_private_keys_that_are_none() -> None:
    for code in (1, 2, 4):
        with pytest.raises(DecodeError):
            SUITES[code].signature.public(b"")


def test_mac_and_hash() -> None:
    """RFC 4231 case 2, and the hash of nothing."""
    tag = SHA256.mac(b"Jefe", b"what do ya want for nothing?")
    assert tag.hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    SHA256.verify_mac(b"Jefe", b"what do ya want for nothing?", tag)
    for bad in (b"", tag[:-1], bytes(32)):
        with pytest.raises(VerificationError):
            SHA256.verify_mac(b"Jefe", b"what do ya want for nothing?", bad)
    assert SHA256.hash(b"").hex().startswith("e3b0c442")


def test_hkdf_of_rfc_5869() -> None:
    """Case 1."""
    prk = SHA256.extract(bytes(range(13)), b"\x0b" * 22)
    assert prk.hex().startswith("077709362c2e32df0ddc3f0dc47bba63")
    assert SHA256.expand(prk, bytes(range(0xF0, 0xFA)), 42).hex().startswith("3cb25f25faacd57a90434f64d0362f2a")


def test_an_aead_opens_only_what_it_sealed() -> None:
    sealed = AES_128_GCM.seal(bytes(16), bytes(12), b"words", b"data")
    assert AES_128_GCM.open(bytes(16), bytes(12), sealed, b"data") == b"words"
    with pytest.raises(VerificationError):
        AES_128_GCM.open(bytes(16), bytes(12), sealed, b"")


def test_what_is_no_certificate_has_no_key() -> None:
    with pytest.raises(DecodeError):
        subject_key(b"no certificate")
