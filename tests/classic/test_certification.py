"""Phase 1: a request as the report makes it, and the certificate that the authority makes of it."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from conclave.pki.issue import issue
from conclave.pki.policy import DAY, judge
from conclave.pki.profile import Profile
from conclave.pki.request import read_request
from conclave.pki.verify import verify_peer
from tests.classic.people import rsa_key
from tests.pki.ward import NOW, ward


def reports_request(handle: str) -> bytes:
    """As ``generateCSRFile`` writes it, with the report's own defaults."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "TR"),
            x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "CA"),
            x509.NameAttribute(NameOID.LOCALITY_NAME, "Istanbul"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ultimate"),
            x509.NameAttribute(NameOID.COMMON_NAME, handle),
        ]
    )
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(rsa_key(handle), hashes.SHA256()).public_bytes(Encoding.PEM)


def test_a_request_of_the_report_becomes_a_certificate_that_peers_verify() -> None:
    house = ward()
    proven = read_request(reports_request("ayse"), Profile.CLASSIC)
    made = [issue(judge(proven, house.identity("ayse"), NOW), house.issuing) for _ in range(2)]
    inner = made[0].inner
    assert inner.version is x509.Version.v3
    assert made[0].serial != made[1].serial
    assert inner.issuer == house.issuing.certificate.inner.subject
    assert inner.issuer != inner.subject
    assert isinstance(inner.signature_hash_algorithm, hashes.SHA256)
    assert made[0].not_after - NOW == 10 * DAY
    peer = verify_peer(made[0].pem, house.trust, NOW, Profile.CLASSIC)
    assert (peer.handle, peer.public) == ("ayse", proven.public)
    subject = [(name.oid, name.value) for name in inner.subject]  # of the request's names only the account's counts
    assert subject == [(NameOID.COMMON_NAME, "ayse")]
