"""Every way in which a certificate can be wrong, each with the word and the text that it is refused with."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import VerificationError
from conclave.pki import verify
from conclave.pki.issue import make_issuing
from conclave.pki.keys import PrivateKey, generate_device_key, wrap_private
from conclave.pki.names import Handle, parse_handle, parse_realm
from conclave.pki.policy import DAY
from conclave.pki.profile import CLASSIC_SUITE, IM_URI, KeyKind, Profile, key_usage
from conclave.pki.revocation import Revoked, make_crl
from conclave.pki.trust import Trust, pin_root
from conclave.pki.verify import VerifiedPeer, revocation, verify_peer
from conclave.values import replace
from conclave.wire.link import CloseReason
from tests.pki.forge import TLS_PURPOSES, forge
from tests.pki.ward import NOW, make_ward, rsa_key, ward

KEY = generate_device_key(Profile.TLS)
AYSE = ward().enrol("ayse").certificate
WORDS = {reason.word for reason in CloseReason}


def refused(
    der: bytes,
    reason: str,
    says: str,
    *,
    now: float = NOW,
    trust: Trust | None = None,
    profile: Profile = Profile.TLS,
    expected: Handle | None = None,
) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        verify_peer(der, trust or ward().trust, now, profile, expected)
    assert caught.value.reason == reason
    assert caught.value.reason in WORDS
    assert says in str(caught.value)
    assert caught.value.remedy
    assert str(caught.value).isprintable()
    return caught.value


@pytest.mark.parametrize("profile", list(Profile))
def test_a_good_certificate_tells_who(profile: Profile) -> None:
    key = rsa_key() if profile is Profile.CLASSIC else None
    credentials = ward().enrol("ayse", profile, key=key)
    leaf = credentials.certificate
    peer = verify_peer(leaf.der, ward().trust, NOW, profile, parse_handle("ayse"))
    assert peer == VerifiedPeer(
        ward().identity().handle, ward().identity().device, ward().trust.realm, profile, leaf.serial,
        NOW - 300, NOW + 10 * DAY, leaf.fingerprint, credentials.key.public, leaf.der,
    )  # fmt: skip
    assert peer.identity == ward().identity()
    assert verify_peer(leaf.der, ward().trust, NOW, profile).handle == "ayse"


def test_the_forger_can_forge_well() -> None:
    """Else the refusals below would prove nothing."""
    assert verify_peer(forge(ward().issuing, KEY).der, ward().trust, NOW, Profile.TLS).handle == "ayse"


def test_wrong_authority() -> None:
    refused(make_ward("Other").enrol("ayse").certificate.der, "unknown-authority", "not ours")


def test_same_names_but_another_authority() -> None:
    """A look-alike realm: the issuer's name is ours, the signature is not."""
    refused(make_ward().enrol("ayse").certificate.der, "unknown-authority", "the signature is not our authority's")


def test_self_signed() -> None:
    own = wrap_private(ward().issuing.key.inner_p256)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ayse")])
    refused(forge(ward().issuing, own, issuer_name=subject).der, "unknown-authority", "nobody but itself")


def test_signed_by_the_root_directly() -> None:
    refused(forge(ward().root, KEY).der, "unknown-authority", "not ours")


def test_signed_by_another_member() -> None:
    """A member's certificate does not make an authority of it."""
    member = make_ward().root.key
    refused(forge(ward().issuing, KEY, signer=member).der, "unknown-authority", "the signature is not")


def test_the_authoritys_own_certificates_are_no_members() -> None:
    refused(ward().issuing.certificate.der, "unknown-authority", "not ours")
    refused(ward().root.certificate.der, "unknown-authority", "nobody but itself")
    refused(ward().server().certificate.der, "bad-certificate", "key purposes")


def test_expired() -> None:
    error = refused(AYSE.der, "expired", "2027-01-25", now=NOW + 10 * DAY + 1)
    assert "ayse's certificate" in str(error)
    assert verify_peer(AYSE.der, ward().trust, NOW + 10 * DAY, Profile.TLS)


def test_not_yet_valid() -> None:
    error = refused(AYSE.der, "not-yet-valid", "2027-01-15", now=NOW - 301)
    assert "clock" in error.remedy
    assert verify_peer(AYSE.der, ward().trust, NOW - 300, Profile.TLS)


def test_expired_authority() -> None:
    """The leaf would still be good, had it been made to outlive its issuer."""
    short = make_issuing(ward().root, "Ward 7 short", NOW, lifetime=DAY)
    trust = pin_root((*short.chain,), ward().root.certificate.fingerprint)
    leaf = forge(short, KEY, not_after=NOW + 5 * DAY)
    assert verify_peer(leaf.der, trust, NOW, Profile.TLS)
    refused(leaf.der, "expired", "Ward 7 short issuing", trust=trust, now=NOW + 2 * DAY)


def test_revoked() -> None:
    crl = make_crl(ward().issuing, [Revoked(AYSE.serial, NOW - 60, "key-compromise")], NOW)
    trust = ward().trust.with_crl(crl)
    error = refused(AYSE.der, "revoked", "its key was stolen or lost", trust=trust)
    assert str(error) == "ayse's certificate was revoked on 2027-01-15 07:59 UTC: its key was stolen or lost"
    assert verify_peer(ward().enrol("burak").certificate.der, trust, NOW, Profile.TLS).handle == "burak"


def test_suspended() -> None:
    held = make_crl(ward().issuing, [Revoked(AYSE.serial, NOW, "certificate-hold")], NOW)
    trust = ward().trust.with_crl(held)
    error = refused(AYSE.der, "revoked", "suspended since 2027-01-15", trust=trust)
    assert "resume" in error.remedy
    resumed = trust.with_crl(make_crl(ward().issuing, [], NOW, held))
    assert verify_peer(AYSE.der, resumed, NOW, Profile.TLS)


def test_a_list_names_a_certificate_whether_it_has_ended_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [Revoked(AYSE.serial, NOW - 60, "key-compromise")]
    later = ward().trust.with_crl(make_crl(ward().issuing, entries, NOW + 2000 * DAY))
    found = revocation(AYSE.der, later)
    assert found is not None
    assert found.words.endswith("its key was stolen or lost")
    assert not found.suspended
    assert revocation(AYSE.der, ward().trust) is None
    assert revocation(ward().enrol("burak").certificate.der, later) is None
    assert revocation(b"rubbish", later) is None
    monkeypatch.setattr(verify, "_find_issuer", None)  # a lobby of a thousand is judged at each list
    assert revocation(ward().enrol("burak").certificate.der, later) is None
    monkeypatch.undo()
    held = make_crl(ward().issuing, [Revoked(AYSE.serial, NOW, "certificate-hold")], NOW)
    found = revocation(AYSE.der, ward().trust.with_crl(held))
    assert found is not None
    assert found.suspended


def test_an_old_list_counts_as_long_as_there_is_no_newer() -> None:
    trust = ward().trust.with_crl(make_crl(ward().issuing, [Revoked(AYSE.serial, NOW)], NOW))
    error = refused(AYSE.der, "revoked", "revoked", trust=trust, now=NOW + 9 * DAY)
    assert str(error) == "ayse's certificate was revoked on 2027-01-15 08:00 UTC"  # no reason was specified


def test_revoked_by_another_issuer_is_not_revoked() -> None:
    second = make_issuing(ward().root, "Ward 7 second", NOW)
    trust = pin_root((*ward().issuing.chain, second.certificate), ward().root.certificate.fingerprint)
    trust = trust.with_crl(make_crl(second, [Revoked(AYSE.serial, NOW)], NOW))
    assert verify_peer(AYSE.der, trust, NOW, Profile.TLS)


def test_somebody_else_than_expected() -> None:
    error = refused(AYSE.der, "unexpected-handle", "burak's was expected", expected=parse_handle("burak"))
    assert "is ayse's" in str(error)


@pytest.mark.parametrize(
    ("profile", "as_profile"), [(Profile.IM, Profile.TLS), (Profile.TLS, Profile.IM), (Profile.TLS, Profile.CLASSIC)]
)
def test_a_certificate_of_another_profile(profile: Profile, as_profile: Profile) -> None:
    refused(ward().enrol("ayse", profile).certificate.der, "bad-certificate", "key purposes", profile=as_profile)


def test_classic_for_tls() -> None:
    classic = ward().enrol("ayse", Profile.CLASSIC, key=rsa_key()).certificate
    refused(classic.der, "bad-certificate", "key purposes")


@pytest.mark.parametrize(
    "purposes",
    [
        None,
        (ExtendedKeyUsageOID.CLIENT_AUTH,),
        (ExtendedKeyUsageOID.SERVER_AUTH,),
        (*TLS_PURPOSES, IM_URI),
        (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,),
    ],
)
def test_key_purposes_missing_or_too_many(purposes: tuple[x509.ObjectIdentifier, ...] | None) -> None:
    refused(forge(ward().issuing, KEY, purposes=purposes).der, "bad-certificate", "profile 'tls'")


@pytest.mark.parametrize(
    ("san", "says"),
    [
        (("im:burak@ward-7.internal", "laptop.ayse.ward-7.internal"), "do not agree"),
        (("im:ayse@ward-7.internal", "laptop.burak.ward-7.internal"), "do not agree"),
        (("im:ayse@ward-8.internal", "laptop.ayse.ward-7.internal"), "do not agree"),
        (("im:Ayse@ward-7.internal", "laptop.Ayse.ward-7.internal"), "upper-case"),
        (("https://ayse@ward-7.internal", "laptop.ayse.ward-7.internal"), "im:handle@realm"),
        (("im:ayse@b.ward-7.internal", "laptop.ayse.b.ward-7.internal"), "is for the realm"),
    ],
)
def test_names_that_do_not_agree(san: tuple[str, str], says: str) -> None:
    refused(forge(ward().issuing, KEY, san=san).der, "bad-certificate", says)


def test_names_outside_the_realm_break_the_constraints() -> None:
    san = ("im:ayse@ward-8.internal", "laptop.ayse.ward-8.internal")
    refused(forge(ward().issuing, KEY, san=san).der, "bad-certificate", "name constraints")


URI, DNS = x509.UniformResourceIdentifier("im:ayse@ward-7.internal"), x509.DNSName("laptop.ayse.ward-7.internal")


@pytest.mark.parametrize(
    "names",
    [
        (URI,),
        (DNS,),
        (URI, DNS, x509.DNSName("other.ayse.ward-7.internal")),
        (URI, DNS, x509.UniformResourceIdentifier("im:burak@ward-7.internal")),
        (URI, DNS, x509.RFC822Name("ayse@ward-7.internal")),
    ],
)
def test_a_name_too_few_or_too_many(names: tuple[x509.GeneralName, ...]) -> None:
    refused(forge(ward().issuing, KEY, names=names).der, "bad-certificate", "exactly one")


def test_no_names_at_all() -> None:
    refused(forge(ward().issuing, KEY, san=None).der, "bad-certificate", "profile 'tls'")


def test_another_realm() -> None:
    """The realm is that of the trust, whatever the authority's key also signed."""
    trust = replace(ward().trust, realm=parse_realm("ward-8.internal"))
    refused(AYSE.der, "bad-certificate", "is for the realm ward-7.internal, and this is ward-8.internal", trust=trust)


@pytest.mark.parametrize(
    "usage",
    [
        key_usage(),
        key_usage(enciphers=True),
        key_usage(signs=True, enciphers=True),
        key_usage(signs=True, certifies=True),
    ],
)
def test_another_key_usage(usage: x509.KeyUsage) -> None:
    refused(forge(ward().issuing, KEY, usage=usage).der, "bad-certificate", "")


def test_a_leaf_that_is_an_authority() -> None:
    refused(
        forge(ward().issuing, KEY, authority=True, usage=key_usage(signs=True, certifies=True)).der,
        "bad-certificate",
        "",
    )


def test_an_unknown_critical_extension() -> None:
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    refused(forge(ward().issuing, KEY, extra=odd).der, "bad-certificate", "critical")


def test_a_key_of_another_kind() -> None:
    refused(forge(ward().issuing, rsa_key()).der, "bad-certificate", "unsuitable key")


def test_weak_rsa() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    spki = weak.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    leaf = forge(
        ward().issuing,
        PrivateKey(KeyKind.RSA, weak, spki),
        purposes=(CLASSIC_SUITE,),
        usage=key_usage(signs=True, enciphers=True),
    )
    refused(leaf.der, "bad-certificate", "1024 bits", profile=Profile.CLASSIC)


def test_a_signature_with_unused_bits() -> None:
    """Another encoding of the same signature: the library alone would take it."""
    even = next(c for c in (forge(ward().issuing, KEY) for _ in range(64)) if not c.der[-1] & 1)
    at = len(even.der) - len(even.inner.signature) - 1
    other = even.der[:at] + b"\x01" + even.der[at + 1 :]
    refused(other, "bad-certificate", "whole bytes")


def test_oversized() -> None:
    refused(AYSE.der + bytes(9000), "bad-certificate", "at most")


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_garbage_is_a_bad_certificate(data: bytes) -> None:
    refused(data, "bad-certificate", "cannot be read")


@settings(max_examples=200)
@pytest.mark.filterwarnings("ignore")  # the library warns of odd serial numbers in what is then refused
@given(st.integers(0, len(AYSE.der) - 1), st.integers(1, 255))
def test_a_changed_byte_never_passes(at: int, by: int) -> None:
    changed = bytearray(AYSE.der)
    changed[at] ^= by
    with pytest.raises(VerificationError):
        verify_peer(bytes(changed), ward().trust, NOW, Profile.TLS)
