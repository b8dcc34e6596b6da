"""Who may speak in a conversation: the chain of a credential, and the time after a certificate's end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import VerificationError
from conclave.pki.issue import make_issuing
from conclave.pki.keys import generate_device_key
from conclave.pki.names import parse_realm
from conclave.pki.policy import DAY
from conclave.pki.profile import IM_URI, Profile
from conclave.pki.revocation import Revoked, make_crl
from conclave.pki.trust import Trust, pin_root
from conclave.pki.verify import GRACE_SECONDS, verify_credential, verify_member
from conclave.values import replace
from tests.pki.forge import forge
from tests.pki.ward import NOW, make_ward, rsa_key, ward

AYSE = ward().enrol("ayse", Profile.IM).certificate
ISSUING, ROOT = (c.der for c in ward().issuing.chain)
END = AYSE.not_after


def refused(
    chain: tuple[bytes, ...],
    reason: str,
    says: str,
    *,
    now: float = NOW,
    grace: float = 0,
    trust: Trust | None = None,
) -> None:
    with pytest.raises(VerificationError, match=says) as caught:
        verify_credential(chain, trust or ward().trust, now, grace)
    assert caught.value.reason == reason
    assert caught.value.remedy


@pytest.mark.parametrize("above", [(), (ISSUING,), (ISSUING, ROOT)])
def test_a_credential_tells_who(above: tuple[bytes, ...]) -> None:
    peer = verify_credential((AYSE.der, *above), ward().trust, NOW)
    assert (peer.handle, peer.device, peer.profile) == ("ayse", "laptop", Profile.IM)
    assert peer.public == AYSE.public


def test_the_forger_can_forge_well() -> None:
    """Else the refusals below would prove nothing."""
    key = generate_device_key(Profile.IM)
    assert verify_credential((forge(ward().issuing, key, purposes=(IM_URI,)).der,), ward().trust, NOW)


@pytest.mark.parametrize(
    "above", [(ROOT,), (ROOT, ISSUING), (ISSUING, ROOT, ROOT), (AYSE.der,), (b"",), (ISSUING, b"junk")]
)
def test_above_stand_our_authorities_and_nothing_else(above: tuple[bytes, ...]) -> None:
    refused((AYSE.der, *above), "bad-certificate", "not those of the authorities")


def test_no_certificate_at_all() -> None:
    refused((), "bad-certificate", "without a certificate")


@pytest.mark.parametrize("profile", [Profile.TLS, Profile.CLASSIC])
def test_another_profile(profile: Profile) -> None:
    key = rsa_key() if profile is Profile.CLASSIC else None
    leaf = ward().enrol("ayse", profile, key=key).certificate
    refused((leaf.der, ISSUING), "bad-certificate", "profile 'im'")


def test_another_authority_and_realm() -> None:
    other = make_ward("Other")
    leaf = other.enrol("ayse", Profile.IM).certificate
    refused((leaf.der, *(c.der for c in other.issuing.chain)), "unknown-authority", "not ours")
    lookalike = make_ward().enrol("ayse", Profile.IM).certificate
    refused((lookalike.der, ISSUING), "unknown-authority", "the signature is not our authority's")
    trust = replace(ward().trust, realm=parse_realm("ward-8.internal"))
    refused((AYSE.der,), "bad-certificate", "and this is ward-8.internal", trust=trust)


def test_the_chain_is_of_the_authority_that_signed_the_leaf() -> None:
    """Two issuing authorities of one root: the other one's certificate does not stand above this leaf."""
    second = make_issuing(ward().root, "Ward 7 second", NOW)
    trust = pin_root(
        (ward().issuing.certificate, second.certificate, ward().root.certificate),
        ward().root.certificate.fingerprint,
    )
    assert verify_credential((AYSE.der, ISSUING), trust, NOW)
    refused((AYSE.der, second.certificate.der), "bad-certificate", "not those of the authorities", trust=trust)


def test_it_ends_with_its_certificate_unless_there_is_grace() -> None:
    assert verify_credential((AYSE.der,), ward().trust, END)
    refused((AYSE.der,), "expired", "expired on 2027-01-25", now=END + 1)
    assert verify_credential((AYSE.der,), ward().trust, END + 3600, 3600)
    refused((AYSE.der,), "expired", "here it is 2027-01-25 09:00", now=END + 3601, grace=3600)
    refused((AYSE.der,), "not-yet-valid", "valid only from", now=NOW - 301, grace=GRACE_SECONDS)


def test_grace_has_an_end_whatever_is_asked() -> None:
    assert verify_credential((AYSE.der,), ward().trust, END + GRACE_SECONDS, 365 * DAY)
    refused((AYSE.der,), "expired", "expired", now=END + GRACE_SECONDS + 1, grace=365 * DAY)


@pytest.mark.parametrize("why", ["key-compromise", "certificate-hold"])
def test_grace_is_not_for_the_revoked_and_suspended(why: str) -> None:
    trust = ward().trust.with_crl(make_crl(ward().issuing, [Revoked(AYSE.serial, NOW, why)], NOW))
    refused((AYSE.der, ISSUING), "revoked", "since|revoked on", trust=trust)
    refused((AYSE.der, ISSUING), "revoked", "since|revoked on", trust=trust, now=END + DAY, grace=GRACE_SECONDS)


def test_a_member_is_judged_as_at_the_end_of_its_certificate() -> None:
    trust = ward().trust.with_crl(make_crl(ward().issuing, [Revoked(AYSE.serial, NOW, "key-compromise")], NOW))
    assert verify_member((AYSE.der, ISSUING), trust).handle == "ayse"
    with pytest.raises(VerificationError, match="without a certificate"):
        verify_member((), trust)
    with pytest.raises(VerificationError, match="not those of the authorities"):
        verify_member((AYSE.der, AYSE.der), trust)
    short = make_issuing(ward().root, "Ward 7 brief", NOW, lifetime=DAY)
    leaf = forge(short, generate_device_key(Profile.IM), purposes=(IM_URI,), not_after=NOW + 2 * DAY)
    with pytest.raises(VerificationError, match="brief issuing"):
        verify_member((leaf.der,), pin_root((*short.chain,), ward().root.certificate.fingerprint))


def test_grace_does_not_outlive_the_authority() -> None:
    """A leaf that its issuer had no right to make so long: at the leaf's end the issuer was over."""
    short = make_issuing(ward().root, "Ward 7 short", NOW, lifetime=DAY)
    trust = pin_root((*short.chain,), ward().root.certificate.fingerprint)
    leaf = forge(short, generate_device_key(Profile.IM), purposes=(IM_URI,), not_after=NOW + 2 * DAY)
    assert verify_credential((leaf.der,), trust, NOW)
    refused((leaf.der,), "expired", "short issuing", trust=trust, now=NOW + 3 * DAY, grace=5 * DAY)


@given(at=st.integers(0, len(AYSE.der) - 1), bit=st.integers(0, 7))
@settings(max_examples=200)
def test_a_changed_bit_never_passes(at: int, bit: int) -> None:
    changed = bytearray(AYSE.der)
    changed[at] ^= 1 << bit
    with pytest.raises(VerificationError):
        verify_credential((bytes(changed), ISSUING), ward().trust, NOW, GRACE_SECONDS)


@given(chain=st.lists(st.binary(max_size=300), max_size=4))
@settings(max_examples=200)
def test_no_bytes_raise_anything_else(chain: list[bytes]) -> None:
    with pytest.raises(VerificationError):
        verify_credential(chain, ward().trust, NOW, GRACE_SECONDS)
