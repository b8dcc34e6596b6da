"""Victims that leave one check out: what the check is good for is seen best without it, and that the lab can fail.

``conclave lab run NAME --without CHECK`` sets them in the place of the real ones. Nothing outside the lab has them.
"""

from __future__ import annotations

import ssl
from collections.abc import Collection
from typing import Final

from conclave.errors import UsageError
from conclave.lab.realm import Realm
from conclave.link.events import Peer, Verify
from conclave.net.contexts import link_client_context, link_server_context
from conclave.pki.certificate import read_certificate
from conclave.pki.credentials import Credentials
from conclave.pki.names import Handle
from conclave.pki.profile import Profile
from conclave.pki.trust import Trust
from conclave.pki.verify import VerifiedPeer, verify_peer

CHECKS: Final[dict[str, str]] = {
    "certificate": "takes any certificate for what it says, whoever signed it",
    "handle": "does not compare the certificate's name with the one that was dialled",
    "revocation": "has never seen a revocation list",
    "sequence": "does not compare sequence numbers, as in the report's own program (classic)",
    "mac": "does not compare the MAC (classic)",
    "ending": "shows what it has of a message when the connection ends (classic)",
    "chain": "takes entries of a lobby that do not follow the one before",
}
"""What a victim can be made to leave out, and what it then does."""


def parse_checks(words: Collection[str]) -> frozenset[str]:
    """Names of checks to leave out. Raises ``LocalError`` for one that there is not."""
    for word in words:
        if word not in CHECKS:
            raise UsageError(f"there is no check {word!r} to leave out", remedy=f"one of: {', '.join(CHECKS)}")
    return frozenset(words)


def verifier(
    realm: Realm,
    without: Collection[str] = (),
    expected: str | None = None,
    *,
    trust: Trust | None = None,
    profile: Profile = Profile.TLS,
) -> Verify:
    """``link.events.Verify`` as a node has it, less what is left out. ``trust`` may hold a revocation list."""
    believed = realm.trust if trust is None or "revocation" in without else trust
    name = None if expected is None or "handle" in without else Handle(expected)

    def verify(leaf: bytes, now: float) -> Peer:
        return verify_peer(leaf, believed, now, profile, name)

    def believe(leaf: bytes, now: float) -> Peer:
        del now
        found = read_certificate(leaf)
        identity = realm.identity(found.common_name)
        return VerifiedPeer(
            identity.handle, identity.device, identity.realm, profile, found.serial, found.not_before,
            found.not_after, found.fingerprint, found.public, found.der,
        )  # fmt: skip

    return believe if "certificate" in without else verify


def client_context(credentials: Credentials, realm: Realm, without: Collection[str] = ()) -> ssl.SSLContext:
    """For dialling, as a node does, less what is left out."""
    context = link_client_context(credentials, realm.trust)
    if "certificate" in without:
        context.verify_mode = ssl.CERT_NONE
    return context


def server_context(credentials: Credentials, realm: Realm) -> ssl.SSLContext:
    """For listening, as a node does."""
    return link_server_context(credentials, realm.trust)
