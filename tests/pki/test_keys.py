from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import ConclaveError, DecodeError, LocalError, Refused
from conclave.pki.keys import generate_device_key, generate_key, public_fingerprint, read_key, suitable_kind
from conclave.pki.profile import KeyKind, Profile, parse_profile
from tests.pki.ward import rsa_key


def _public(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed448.Ed448PrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("kind", [KeyKind.ED25519, KeyKind.P256, KeyKind.RSA])
def test_a_key_reads_back(kind: KeyKind) -> None:
    key = rsa_key() if kind is KeyKind.RSA else generate_key(kind)
    assert key.kind is kind
    for text in (key.der(), key.pem()):
        assert read_key(text, kind) == key
    assert key.der() not in repr(key).encode()
    assert len(public_fingerprint(key.public)) == 32


def test_each_profile_has_its_kind() -> None:
    assert generate_device_key(Profile.TLS).kind is KeyKind.ED25519
    assert generate_device_key(Profile.IM).kind is KeyKind.ED25519
    assert generate_device_key(Profile.TLS) != generate_device_key(Profile.TLS)
    assert parse_profile("im") is Profile.IM
    with pytest.raises(DecodeError, match="no certificate profile"):
        parse_profile("web")


def test_another_kind_is_refused() -> None:
    with pytest.raises(Refused, match="P-256") as caught:
        read_key(generate_key(KeyKind.P256).der(), KeyKind.ED25519)
    assert caught.value.reason == "unsuitable-key"


def test_weak_and_odd_keys_are_refused() -> None:
    weak: list[ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed448.Ed448PrivateKey] = [
        rsa.generate_private_key(65537, 1024),
        rsa.generate_private_key(3, 2048),
        ec.generate_private_key(ec.SECP384R1()),
        ed448.Ed448PrivateKey.generate(),
    ]
    for key in weak:
        with pytest.raises(Refused) as caught:
            suitable_kind(_public(key))
        assert caught.value.reason == "unsuitable-key"
        assert caught.value.remedy
    for bits in (1024, 8192):
        with pytest.raises(LocalError, match="out of range"):
            generate_key(KeyKind.RSA, bits)


def test_a_key_under_a_passphrase_is_not_read_by_chance() -> None:
    key = generate_key(KeyKind.ED25519)
    assert b"ENCRYPTED" in key.pem(b"0123456789abcdef")
    with pytest.raises(DecodeError):
        read_key(key.pem(b"0123456789abcdef"), KeyKind.ED25519)


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_garbage_gives_our_errors(data: bytes) -> None:
    for read in (lambda: read_key(data, KeyKind.ED25519), lambda: suitable_kind(data)):
        with pytest.raises(ConclaveError):
            read()


def test_a_huge_key_is_not_parsed() -> None:
    with pytest.raises(DecodeError, match="at most"):
        read_key(b"x" * 9000, KeyKind.ED25519)
