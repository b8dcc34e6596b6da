from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import ConclaveError, DecodeError, VerificationError
from conclave.pki.bundle import encode_pem
from conclave.pki.revocation import CRL_LIFETIME, Revoked, make_crl, parse_reason, read_crl
from tests.pki.ward import NOW, make_ward, ward

ISSUERS = (ward().issuing.certificate,)
CRL = make_crl(ward().issuing, [Revoked(7, NOW, "keyCompromise")], NOW)


def test_a_list_reads_back() -> None:
    again = read_crl(CRL.der, ISSUERS)
    assert again == CRL
    assert (again.number, again.this_update, again.next_update) == (1, NOW, NOW + CRL_LIFETIME)
    assert dict(again.entries) == {7: Revoked(7, NOW, "keyCompromise")}


def test_lists_grow_strictly_in_number_and_time() -> None:
    second = make_crl(ward().issuing, [], NOW, CRL)
    third = make_crl(ward().issuing, [], NOW - 5000, second)  # the clock was set back
    assert [c.number for c in (CRL, second, third)] == [1, 2, 3]
    assert CRL.this_update < second.this_update < third.this_update
    assert CRL.place < second.place < third.place


@pytest.mark.parametrize(
    "reason", ["unspecified", "key-compromise", "superseded", "privilege-withdrawn", "certificate-hold"]
)
def test_reasons(reason: str) -> None:
    crl = make_crl(ward().issuing, [Revoked(9, NOW, reason)], NOW)
    assert crl.entries[9].reason == parse_reason(reason).value
    for bad in ("", "because", "remove-from-crl"):
        with pytest.raises(DecodeError):
            parse_reason(bad)


def test_a_list_of_another_authority_is_refused() -> None:
    with pytest.raises(VerificationError) as caught:
        read_crl(CRL.der, (make_ward().issuing.certificate,))
    assert caught.value.reason == "unknown-authority"


def test_the_root_does_not_sign_for_its_issuing_authority() -> None:
    with pytest.raises(VerificationError):
        read_crl(make_crl(ward().root, [], NOW).der, ISSUERS)


@settings(max_examples=150)
@given(st.integers(0, len(CRL.der) - 1), st.integers(1, 255))
def test_a_changed_byte_never_passes(at: int, by: int) -> None:
    changed = bytearray(CRL.der)
    changed[at] ^= by
    with pytest.raises(ConclaveError):
        read_crl(bytes(changed), ISSUERS)


@settings(max_examples=80)
@given(st.binary(max_size=200))
def test_garbage_gives_our_errors(data: bytes) -> None:
    with pytest.raises(ConclaveError):
        read_crl(data, ISSUERS)


def test_openssl_sees_the_revocation(tmp_path: Path) -> None:
    leaf = ward().enrol("ayse").certificate
    crl = make_crl(ward().issuing, [Revoked(leaf.serial, NOW)], NOW)
    (tmp_path / "leaf.pem").write_bytes(leaf.pem)
    (tmp_path / "all.pem").write_bytes(encode_pem(ward().trust.certificates))
    (tmp_path / "crl.der").write_bytes(crl.der)
    at: list[str | Path] = ["-attime", str(int(NOW)), "-CAfile", tmp_path / "all.pem", "-x509_strict"]
    done = subprocess.run(
        ["openssl", "verify", *at, "-crl_check", "-CRLfile", tmp_path / "crl.der", tmp_path / "leaf.pem"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "certificate revoked" in done.stderr
