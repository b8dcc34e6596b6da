from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import AttributeOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import ConclaveError, DecodeError, Refused, VerificationError
from conclave.pki.keys import generate_device_key, generate_key
from conclave.pki.names import Handle
from conclave.pki.profile import KeyKind, Profile
from conclave.pki.request import REQUEST_BYTES, build_request, read_request, request_pem
from tests.pki.ward import rsa_key

AYSE = Handle("ayse")
KEY = generate_device_key(Profile.TLS)
REQUEST = build_request(KEY, AYSE, "TOKEN")


@pytest.mark.parametrize("profile", list(Profile))
def test_a_request_proves_its_key(profile: Profile) -> None:
    key = rsa_key() if profile is Profile.CLASSIC else generate_device_key(profile)
    der = build_request(key, AYSE, "TOKEN")
    for text in (der, request_pem(der)):
        proven = read_request(text, profile)
        assert (proven.public, proven.claimed, proven.challenge) == (key.public, "ayse", "TOKEN")
        assert proven.der == der
    assert "TOKEN" not in repr(proven)
    assert read_request(build_request(key, AYSE), profile).challenge == ""


def test_a_bad_self_signature_is_refused() -> None:
    broken = REQUEST[:-1] + bytes([REQUEST[-1] ^ 1])
    with pytest.raises(VerificationError, match="signature"):
        read_request(broken, Profile.TLS)


def test_a_swapped_key_is_refused() -> None:
    """The key of somebody else in our own request: the signature is then not the key's."""
    other = generate_device_key(Profile.TLS)
    swapped = REQUEST.replace(KEY.public, other.public)
    assert swapped != REQUEST
    with pytest.raises(VerificationError):
        read_request(swapped, Profile.TLS)


def test_a_key_that_does_not_fit_the_profile_is_refused() -> None:
    for key, profile in ((KEY, Profile.CLASSIC), (rsa_key(), Profile.TLS), (generate_key(KeyKind.P256), Profile.IM)):
        with pytest.raises(Refused) as caught:
            read_request(build_request(key, AYSE), profile)
        assert caught.value.reason == "unsuitable-key"


def test_weak_rsa_is_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(weak, hashes.SHA256())
    with pytest.raises(Refused, match="1024 bits"):
        read_request(csr.public_bytes(serialization.Encoding.DER), Profile.CLASSIC)


def test_a_request_says_who_at_most_once_and_briefly() -> None:
    key = ed25519.Ed25519PrivateKey.generate()

    def request(*names: str, challenge: bytes = b"") -> bytes:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n) for n in names])
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
        if challenge:
            builder = builder.add_attribute(AttributeOID.CHALLENGE_PASSWORD, challenge)
        return builder.sign(key, None).public_bytes(serialization.Encoding.DER)

    assert read_request(request(), Profile.TLS).claimed == ""
    with pytest.raises(DecodeError, match="more than one"):
        read_request(request("ayse", "burak"), Profile.TLS)
    with pytest.raises(DecodeError, match="longer than"):
        read_request(request("ayse", challenge=b"x" * 256), Profile.TLS)


def test_an_oversized_request_is_not_parsed() -> None:
    with pytest.raises(DecodeError, match="at most"):
        read_request(REQUEST + bytes(REQUEST_BYTES), Profile.TLS)


def test_a_signature_with_unused_bits_is_refused() -> None:
    keys = (generate_device_key(Profile.TLS) for _ in range(64))
    even = next(r for r in (build_request(key, AYSE) for key in keys) if not r[-1] & 1)
    with pytest.raises(DecodeError, match="whole bytes"):
        read_request(even[:-65] + b"\x01" + even[-64:], Profile.TLS)


@settings(max_examples=150)
@given(st.one_of(st.binary(max_size=300), st.binary(max_size=80).map(lambda b: b"-----BEGIN" + b)))
def test_garbage_gives_our_errors(data: bytes) -> None:
    with pytest.raises(ConclaveError):
        read_request(data, Profile.TLS)


@settings(max_examples=200)
@given(st.integers(0, len(REQUEST) - 1), st.integers(1, 255))
def test_a_changed_byte_never_passes(at: int, by: int) -> None:
    changed = bytearray(REQUEST)
    changed[at] ^= by
    with pytest.raises(ConclaveError):
        read_request(bytes(changed), Profile.TLS)


def test_openssl_makes_requests_that_are_read(tmp_path: Path) -> None:
    key, csr = tmp_path / "key.pem", tmp_path / "csr.pem"
    command = ["openssl", "req", "-new", "-newkey", "ed25519", "-nodes", "-subj", "/CN=ayse"]
    subprocess.run([*command, "-keyout", key, "-out", csr], check=True, capture_output=True)
    proven = read_request(csr.read_bytes(), Profile.TLS)
    assert proven.claimed == "ayse"
    csr.write_bytes(request_pem(REQUEST))
    check = subprocess.run(
        ["openssl", "req", "-in", csr, "-verify", "-noout", "-text"], check=True, capture_output=True, text=True
    )
    assert "challengePassword" in check.stdout
