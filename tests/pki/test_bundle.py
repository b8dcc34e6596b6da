from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import ConclaveError, DecodeError
from conclave.pki.bundle import (
    BUNDLE_BYTES,
    decode_base64,
    decode_bundle,
    decode_pem,
    encode_base64,
    encode_bundle,
    encode_pem,
    split_chain,
)
from conclave.pki.certificate import read_certificate
from tests.pki.ward import ward

CHAIN = (ward().enrol("ayse").certificate, *ward().issuing.chain)


def test_bundles_read_back_in_some_order() -> None:
    assert set(decode_bundle(encode_bundle(CHAIN))) == set(CHAIN)
    leaf, above = split_chain(decode_bundle(encode_bundle(CHAIN)), CHAIN[0].public)
    assert leaf == CHAIN[0]
    assert set(above) == set(CHAIN[1:])
    with pytest.raises(DecodeError, match="0 certificates"):
        split_chain(CHAIN[1:], CHAIN[0].public)


def test_pem_reads_back_in_order() -> None:
    assert decode_pem(encode_pem(CHAIN)) == CHAIN
    assert read_certificate(CHAIN[0].pem) == CHAIN[0] == read_certificate(CHAIN[0].der)


@given(st.binary(max_size=300))
def test_base64_reads_back_whatever_the_line_breaks(data: bytes) -> None:
    body = encode_base64(data)
    assert decode_base64(body) == data == decode_base64(body.replace(b"\n", b"\r\n ")) == decode_base64(b"\n" + body)


def test_bounds() -> None:
    for read in (decode_bundle, decode_pem, decode_base64):
        with pytest.raises(DecodeError, match="at most"):
            read(b"A" * (BUNDLE_BYTES + 1))
    with pytest.raises(DecodeError, match="1 to 16"):
        decode_bundle(encode_bundle(ward().enrol("ayse").certificate for _ in range(17)))
    with pytest.raises(DecodeError, match="at most"):
        read_certificate(b"\x30" + bytes(9000))


@settings(max_examples=150)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(encode_base64)))
def test_garbage_gives_our_errors(data: bytes) -> None:
    for read in (decode_bundle, decode_pem, read_certificate):
        with pytest.raises(ConclaveError):
            read(data)


@settings(max_examples=150)
@pytest.mark.filterwarnings("ignore")  # the library warns of odd serial numbers in what is then refused
@given(st.integers(0, len(CHAIN[0].der) - 1), st.integers(1, 255))
def test_a_changed_certificate_is_read_or_refused(at: int, by: int) -> None:
    changed = bytearray(CHAIN[0].der)
    changed[at] ^= by
    with contextlib.suppress(DecodeError):
        assert read_certificate(bytes(changed)) != CHAIN[0]


def test_openssl_reads_our_pkcs7_and_we_its(tmp_path: Path) -> None:
    pem, der = tmp_path / "chain.pem", tmp_path / "chain.p7"
    der.write_bytes(decode_base64(encode_bundle(CHAIN)))
    listed = subprocess.run(
        ["openssl", "pkcs7", "-inform", "DER", "-in", der, "-print_certs"], check=True, capture_output=True
    )
    assert listed.stdout.count(b"BEGIN CERTIFICATE") == 3
    pem.write_bytes(encode_pem(CHAIN))
    made = subprocess.run(
        ["openssl", "crl2pkcs7", "-nocrl", "-certfile", pem, "-outform", "DER"], check=True, capture_output=True
    )
    assert set(decode_bundle(encode_base64(made.stdout))) == set(CHAIN)
