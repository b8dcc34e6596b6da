from __future__ import annotations

import pytest

from conclave.errors import DecodeError, VerificationError
from conclave.pki.issue import make_issuing, make_root
from conclave.pki.names import parse_realm
from conclave.pki.revocation import Revoked, make_crl
from conclave.pki.trust import pin_root
from conclave.values import replace
from tests.pki.ward import NOW, make_ward, ward

ROOT = ward().root.certificate
PIN = ROOT.fingerprint


def refused(certificates: tuple[object, ...], pin: bytes = PIN) -> None:
    with pytest.raises(VerificationError) as caught:
        pin_root(certificates, pin)  # type: ignore[arg-type]
    assert caught.value.reason == "unknown-authority"


def test_the_fingerprint_makes_the_root() -> None:
    trust = pin_root([ward().issuing.certificate, ROOT, ROOT], PIN)
    assert trust.root == ROOT
    assert trust.issuing == (ward().issuing.certificate,)
    assert trust.realm == "ward-7.internal"
    assert trust.certificates == (ROOT, ward().issuing.certificate)


def test_another_fingerprint_is_refused() -> None:
    refused(ward().issuing.chain, bytes(32))
    refused(make_ward().issuing.chain)
    refused(())
    with pytest.raises(DecodeError):
        pin_root(ward().issuing.chain, PIN[:31])


def test_a_pinned_certificate_that_is_no_root_is_refused() -> None:
    issuing = ward().issuing.certificate
    refused((issuing, ROOT), issuing.fingerprint)
    refused((issuing, make_issuing(ward().issuing, "Below", NOW).certificate), issuing.fingerprint)
    leaf = ward().enrol("ayse").certificate
    refused((leaf, ROOT), leaf.fingerprint)


def test_company_that_the_root_did_not_sign_is_refused() -> None:
    refused((ROOT, ward().issuing.certificate, make_ward().issuing.certificate))
    refused((ROOT, ward().issuing.certificate, ward().enrol("ayse").certificate))
    refused((ROOT,))


def test_an_issuing_authority_of_another_realm_is_refused() -> None:
    astray = make_issuing(replace(ward().root, realm=parse_realm("ward-8.internal")), "Ward 8", NOW)
    refused((ROOT, astray.certificate))


def test_the_newer_list_is_kept() -> None:
    first = make_crl(ward().issuing, [Revoked(1, NOW)], NOW)
    second = make_crl(ward().issuing, [Revoked(2, NOW)], NOW, first)
    issuing = ward().issuing.certificate
    bare = ward().trust
    assert bare.crl_time is None
    trust = bare.with_crl(first).with_crl(second)
    assert trust.revoked(issuing, 2) is not None
    assert trust.revoked(issuing, 1) is None
    assert trust.crl_time == second.this_update
    assert trust.with_crl(first) is trust
    assert trust.with_crl(second) is trust
    assert bare.crls == ()  # a new value each time


def test_each_issuing_authority_has_its_list() -> None:
    second = make_issuing(ward().root, "Ward 7 again", NOW)
    trust = pin_root((ROOT, ward().issuing.certificate, second.certificate), PIN)
    trust = trust.with_crl(make_crl(ward().issuing, [Revoked(1, NOW)], NOW))
    trust = trust.with_crl(trust.read_crl(make_crl(second, [Revoked(2, NOW)], NOW + 5).der))
    assert trust.revoked(ward().issuing.certificate, 1) is not None
    assert trust.revoked(second.certificate, 1) is None
    assert trust.revoked(second.certificate, 2) is not None


def test_a_list_of_a_stranger_is_refused() -> None:
    with pytest.raises(VerificationError) as caught:
        ward().trust.with_crl(make_crl(make_ward().issuing, [], NOW))
    assert caught.value.reason == "unknown-authority"
    assert make_root("Ward 7", parse_realm("ward-7.internal"), NOW).certificate != ROOT
