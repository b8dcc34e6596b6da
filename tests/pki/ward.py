"""A realm for tests: root, issuing authority, trust, and certificates of whoever is wanted, right or wrong."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from conclave.pki.credentials import Credentials, Issuer
from conclave.pki.issue import issue, issue_server, make_issuing, make_root
from conclave.pki.keys import PrivateKey, generate_device_key, generate_key
from conclave.pki.names import Handle, Identity, Realm, parse_device, parse_handle, realm_from_name
from conclave.pki.policy import GrantSettings, judge
from conclave.pki.profile import KeyKind, Profile
from conclave.pki.request import build_request, read_request
from conclave.pki.trust import Trust, pin_root

NOW = 1_800_000_000.0
"""2027-01-15 08:00:00 UTC."""


@dataclass(frozen=True)
class Ward:
    """One realm with everything that signs in it."""

    root: Issuer
    issuing: Issuer
    trust: Trust

    def identity(self, handle: str = "ayse", device: str = "laptop") -> Identity:
        return Identity(parse_handle(handle), parse_device(device), self.trust.realm)

    def enrol(
        self,
        handle: str = "ayse",
        profile: Profile = Profile.TLS,
        *,
        now: float = NOW,
        key: PrivateKey | None = None,
        settings: GrantSettings | None = None,
    ) -> Credentials:
        """What a device holds after enrolment."""
        own = key or generate_device_key(profile)
        request = read_request(build_request(own, Handle(handle)), profile)
        certificate = issue(judge(request, self.identity(handle), now, settings), self.issuing)
        return Credentials(own, certificate, self.issuing.chain)

    def server(self, hosts: tuple[str, ...] = ("127.0.0.1",), *, now: float = NOW) -> Credentials:
        """What the authority's own server holds."""
        key = generate_key(KeyKind.P256)
        return Credentials(key, issue_server(self.issuing, key.public, hosts, now), self.issuing.chain)


def make_ward(name: str = "Ward 7", now: float = NOW) -> Ward:
    """Make a realm from nothing."""
    realm: Realm = realm_from_name(name)
    root = make_root(name, realm, now)
    issuing = make_issuing(root, name, now)
    trust = pin_root(issuing.chain, root.certificate.fingerprint)
    return Ward(root, issuing, trust)


@cache
def ward() -> Ward:
    """The realm that most tests share."""
    return make_ward()


@cache
def rsa_key() -> PrivateKey:
    """An RSA key of the least size, made once: making one is slow."""
    return generate_key(KeyKind.RSA, 2048)
