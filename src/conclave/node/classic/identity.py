"""Who this node is on classic links, and whom it believes there: the certificate of the profile ``classic``."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache

from conclave.classic.events import Verify
from conclave.classic.handshake import Own
from conclave.crypto.classic import RsaPrivate
from conclave.errors import NotReady, VerificationError
from conclave.node.identity import Identity
from conclave.pki.certificate import moment
from conclave.pki.credentials import Credentials
from conclave.pki.names import parse_handle
from conclave.pki.profile import Profile
from conclave.pki.verify import VerifiedPeer, verify_peer


def demand_classic(identity: Identity) -> None:
    """Assert that this device has a certificate for the classic suite. Raises ``LocalError``."""
    if Profile.CLASSIC not in identity.profiles:
        raise NotReady("this device has no certificate for the classic suite", remedy="conclave identity add classic")


def demand_valid(identity: Identity) -> Callable[[], None]:
    """Raise ``VerificationError`` where our own certificate is not valid now: peers would not say so at all."""

    def demand() -> None:
        certificate = identity.credentials(Profile.CLASSIC).certificate
        if not certificate.not_before <= time.time() < certificate.not_after:
            raise VerificationError(
                f"your own classic certificate is valid from {moment(certificate.not_before)} to "
                f"{moment(certificate.not_after)}",
                reason="expired",
                remedy="it is renewed while the authority can be reached in time; or: conclave identity add classic",
            )

    return demand


def own(identity: Identity) -> Callable[[], Own]:
    """What we show and prove, by the newest certificate."""
    return lambda: _own(identity.credentials(Profile.CLASSIC))


@lru_cache(4)
def _own(credentials: Credentials) -> Own:
    return Own(credentials.certificate.pem, RsaPrivate(credentials.key.der()))  # reading an RSA key is slow: once


def verifier(identity: Identity) -> Callable[[str | None], Verify]:
    """How a peer's certificate is verified, under the newest revocation list; whom we dial must be the expected."""

    def expecting(handle: str | None) -> Verify:
        expected = None if handle is None else parse_handle(handle)

        def verify(certificate: bytes, now: float) -> VerifiedPeer:
            return verify_peer(certificate, identity.trust, now, Profile.CLASSIC, expected)

        return verify

    return expecting
