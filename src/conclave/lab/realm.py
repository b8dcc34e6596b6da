"""The lab's own authority, in memory: certificates that are right, and those that an impostor would bring.

Its keys exist for the length of one run and are good for nothing else. Left out: the real one (``authority``).
"""

from __future__ import annotations

import time
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from cryptography.x509.oid import NameOID

from conclave.errors import LocalError
from conclave.pki.certificate import utc, wrap
from conclave.pki.credentials import Credentials, Issuer
from conclave.pki.issue import issue, make_issuing, make_root
from conclave.pki.keys import PrivateKey, generate_key
from conclave.pki.names import Handle, Identity, parse_device, parse_handle, realm_from_name
from conclave.pki.policy import DAY, judge
from conclave.pki.profile import RSA_BITS_LEAST, RULES, KeyKind, Profile, key_usage
from conclave.pki.request import build_request, read_request
from conclave.pki.revocation import Revoked, make_crl
from conclave.pki.trust import Trust, pin_root
from conclave.values import dataclass, field

NAME = "Ward 7"


def _key(profile: Profile) -> PrivateKey:
    """A fresh key; RSA of the least size that is taken, since it need not last."""
    kind = RULES[profile].key
    return generate_key(kind, RSA_BITS_LEAST) if kind is KeyKind.RSA else generate_key(kind)


@dataclass()
class Realm:
    """A root, an issuing authority, and whoever it certified. ``name`` may be another organisation's, too."""

    name: str = NAME
    now: float = field(default_factory=time.time)
    _held: dict[tuple[str, Profile], Credentials] = field(default_factory=dict)

    @cached_property
    def issuer(self) -> Issuer:
        """The issuing authority, below a root of its own."""
        return make_issuing(make_root(self.name, realm_from_name(self.name), self.now), self.name, self.now)

    @cached_property
    def trust(self) -> Trust:
        """What a member believes: the pinned root, and no revocation list yet."""
        return pin_root(self.issuer.chain, self.issuer.chain[-1].fingerprint)

    @cached_property
    def rogue(self) -> Realm:
        """Another authority that calls itself by the very same name."""
        return Realm(self.name, self.now)

    def identity(self, handle: str) -> Identity:
        """The names that certificates of this account carry."""
        return Identity(parse_handle(handle), parse_device("laptop"), self.trust.realm)

    def credentials(self, handle: str, profile: Profile = Profile.TLS) -> Credentials:
        """Key and certificate of somebody who enrolled; the same each time."""
        if (handle, profile) not in self._held:
            self._held[handle, profile] = self.enrol(handle, profile)
        return self._held[handle, profile]

    def enrol(self, handle: str, profile: Profile = Profile.TLS) -> Credentials:
        """Key and certificate of another device of somebody."""
        key = _key(profile)
        request = read_request(build_request(key, Handle(handle)), profile)
        return Credentials(
            key, issue(judge(request, self.identity(handle), self.now), self.issuer), self.issuer.chain
        )

    def self_signed(self, handle: str, profile: Profile = Profile.TLS) -> Credentials:
        """What anybody can make for any name: right in everything, and signed by nobody but itself."""
        key = _key(profile)
        rules, identity = RULES[profile], self.identity(handle)
        inner = load_der_private_key(key.der(), None)
        if not isinstance(inner, (Ed25519PrivateKey, RSAPrivateKey)):
            raise LocalError("devices hold Ed25519 or RSA keys")
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, handle)])
        names = [x509.UniformResourceIdentifier(identity.uri), x509.DNSName(identity.dns)]
        usage = key_usage(signs=True, enciphers=rules.key_encipherment)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(inner.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(utc(self.now - 300))
            .not_valid_after(utc(self.now + DAY))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(
                x509.ExtendedKeyUsage(sorted(rules.purposes, key=lambda o: o.dotted_string)), critical=False
            )
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
        )
        digest = None if isinstance(inner, Ed25519PrivateKey) else hashes.SHA256()
        return Credentials(key, wrap(builder.sign(inner, digest)), ())

    def trust_without(self, stolen: Credentials) -> Trust:
        """What a member believes once the authority has revoked ``stolen``."""
        entry = Revoked(stolen.certificate.serial, self.now - 60, "keyCompromise")
        return self.trust.with_crl(make_crl(self.issuer, [entry], self.now - 30))
