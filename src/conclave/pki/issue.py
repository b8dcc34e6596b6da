"""Making certificates: the root, the issuing authority below it, devices, and the authority's own server.

The shape follows RFC 5280. Authorities sign with P-256, since path validators refuse Ed25519 authorities. Name
constraints stand on DNS and mail names only: URI constraints cannot be used in three verifiers. Serial numbers are
159 random bits from the library. Left out: who may have what (``policy``), and revocation (``revocation``).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from conclave.errors import LocalError
from conclave.pki.certificate import Certificate, moment, utc, wrap
from conclave.pki.credentials import Credentials, Issuer
from conclave.pki.keys import PrivateKey, Public, generate_key, load_public
from conclave.pki.names import Realm, authority_name
from conclave.pki.policy import BACKDATE, DAY, Grant
from conclave.pki.profile import RULES, KeyKind, key_usage

ROOT_LIFETIME = 3652 * DAY
ISSUING_LIFETIME = 1826 * DAY
SERVER_LIFETIME = 90 * DAY
"""The server's certificate is issued by the running authority to itself, well before it runs out."""
NAME_CHARACTERS = 64
"""RFC 5280 appendix A: ub-common-name and ub-organization-name."""


def make_root(name: str, realm: Realm, now: float, lifetime: float = ROOT_LIFETIME) -> Issuer:
    """Make the root of an organisation called ``name``, which is needed only to certify issuing authorities."""
    key = generate_key(KeyKind.P256)
    subject = _authority_name(f"{name} root", name)
    certificate = _authority(subject, key, subject, key, realm, now, now + lifetime, length=1)
    return Issuer(Credentials(key, certificate, ()), realm)


def make_issuing(root: Issuer, name: str, now: float, lifetime: float = ISSUING_LIFETIME) -> Issuer:
    """Make an issuing authority below ``root``, at most as long-lived; its path length is 0."""
    key = generate_key(KeyKind.P256)
    subject = _authority_name(f"{name} issuing", name)
    until = min(now + lifetime, root.certificate.not_after)
    issuer_name = root.certificate.inner.subject
    certificate = _authority(subject, key, issuer_name, root.key, root.realm, now, until, length=0)
    return Issuer(Credentials(key, certificate, root.chain), root.realm)


def issue(grant: Grant, issuer: Issuer) -> Certificate:
    """Certify what was granted, at most as long as the issuer itself lives.

    Raises ``LocalError`` where the issuer is of another realm, is not an issuing authority, or has expired.
    """
    identity, rules = grant.identity, RULES[grant.profile]
    if identity.realm != issuer.realm:
        raise LocalError(f"this authority speaks for {issuer.realm}, not for {identity.realm}")
    builder = _leaf(issuer, identity.handle, grant.public, grant.not_before, grant.not_after)
    alternative = [x509.UniformResourceIdentifier(identity.uri), x509.DNSName(identity.dns)]
    builder = (
        builder.add_extension(key_usage(signs=True, enciphers=rules.key_encipherment), critical=True)
        .add_extension(x509.ExtendedKeyUsage(sorted(rules.purposes, key=lambda o: o.dotted_string)), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    )
    return wrap(builder.sign(issuer.key.inner_p256, hashes.SHA256()))


def issue_server(issuer: Issuer, public: bytes, hosts: Iterable[str], now: float) -> Certificate:
    """Certify the authority's own server: ``authority.<realm>``, and of ``hosts`` what the constraints let stand.

    Those are addresses and names inside the realm; others are left out, because a name outside would make every
    verifier refuse the whole certificate. Clients of ours check ``authority.<realm>`` whatever address they dial.
    """
    own = authority_name(issuer.realm)
    names: list[x509.GeneralName] = [x509.DNSName(own)]
    for host in dict.fromkeys(hosts):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            if host != own and host.isascii() and host.endswith(f".{issuer.realm}"):
                names.append(x509.DNSName(host))
    builder = (
        _leaf(issuer, own, public, now - BACKDATE, now + SERVER_LIFETIME)
        .add_extension(key_usage(signs=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    return wrap(builder.sign(issuer.key.inner_p256, hashes.SHA256()))


def _authority_name(common: str, organisation: str) -> x509.Name:
    if not organisation.strip() or len(common) > NAME_CHARACTERS or not organisation.isprintable():
        raise LocalError(
            "the organisation's name is empty, too long, or has control characters",
            remedy="use at most 50 printable characters",
        )
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def _authority(
    subject: x509.Name,
    key: PrivateKey,
    issuer: x509.Name,
    issuer_key: PrivateKey,
    realm: Realm,
    now: float,
    until: float,
    *,
    length: int,
) -> Certificate:
    public = load_public(key.public)
    builder = (
        _builder(subject, public, now - BACKDATE, until)
        .issuer_name(issuer)
        .add_extension(x509.BasicConstraints(ca=True, path_length=length), critical=True)
        .add_extension(key_usage(certifies=True), critical=True)
        .add_extension(
            x509.NameConstraints([x509.DNSName(realm), x509.RFC822Name(realm)], excluded_subtrees=None), critical=True
        )
    )
    if key is not issuer_key:  # an issuing authority: only the purposes that it may hand on (RFC 5280 4.2.1.12)
        purposes = set().union(*(rules.purposes for rules in RULES.values()))
        builder = builder.add_extension(
            x509.ExtendedKeyUsage(sorted(purposes, key=lambda o: o.dotted_string)), critical=False
        ).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(load_public(issuer_key.public)), critical=False
        )
    return wrap(builder.sign(issuer_key.inner_p256, hashes.SHA256()))


def _leaf(issuer: Issuer, common: str, public: bytes, not_before: float, not_after: float) -> x509.CertificateBuilder:
    above = issuer.certificate
    basic = above.inner.extensions.get_extension_for_class(x509.BasicConstraints).value
    if basic.path_length != 0:
        raise LocalError("a root does not certify devices", remedy="use the issuing authority")
    if not_before >= above.not_after:
        raise LocalError(
            f"the issuing authority expired on {moment(above.not_after)}", remedy="make a new one with the root"
        )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    return (
        _builder(subject, load_public(public), not_before, min(not_after, above.not_after))
        .issuer_name(above.inner.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(load_public(issuer.key.public)), critical=False
        )
    )


def _builder(
    subject: x509.Name,
    public: Public,
    not_before: float,
    not_after: float,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc(not_before))
        .not_valid_after(utc(not_after))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
