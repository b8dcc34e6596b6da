"""The client half of enrolment: from an invite to trust, and from a request to a certificate chain (EST, RFC 7030).

The first answer comes over a connection that nothing vouches for, and is believed only because the invite holds the
root's fingerprint (RFC 7030 section 4.1.1). From then on the connection is verified, and what comes back is
verified as any peer would: a certificate that others would refuse is refused here first. Left out: keys and where
they are kept.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence

from conclave.errors import VerificationError
from conclave.net.authority_calls import Caller, CallLimits
from conclave.net.contexts import authority_client_context, bootstrap_context
from conclave.pki.address import Address
from conclave.pki.bundle import BUNDLE_BYTES, decode_bundle, encode_base64, split_chain
from conclave.pki.certificate import Certificate
from conclave.pki.invite import Invite
from conclave.pki.names import Handle, authority_name
from conclave.pki.profile import Profile
from conclave.pki.request import read_request
from conclave.pki.trust import Trust, pin_root
from conclave.pki.verify import verify_peer

BODY = {"Content-Type": "application/pkcs10"}


def est_path(profile: Profile, operation: str) -> str:
    """Name an operation of EST: RFC 7030 section 3.2.2, with the profile as label."""
    return f"/.well-known/est/{profile.value}/{operation}"


async def fetch_trust(invite: Invite, limits: CallLimits | None = None) -> Trust:
    """Fetch the authority's certificates and believe those that the invite's fingerprint vouches for.

    Raises ``VerificationError`` where the authority that answers is not the invite's, and as ``Caller.call`` does.
    """
    async with Caller(invite.addresses, bootstrap_context(), None, limits) as caller:
        body = await caller.call("GET", est_path(Profile.TLS, "cacerts"), limit=BUNDLE_BYTES)
    trust = pin_root(decode_bundle(body), invite.root_sha256)
    if trust.realm != invite.realm:
        raise VerificationError(
            f"the authority is that of {trust.realm}, but the invite is for {invite.realm}",
            reason="unknown-authority",
            remedy="ask whoever runs the authority for a new invite",
        )
    return trust


async def enrol(
    addresses: Sequence[Address],
    trust: Trust,
    profile: Profile,
    request: bytes,
    handle: Handle,
    secret: str,
    *,
    now: float | None = None,
    limits: CallLimits | None = None,
) -> tuple[Certificate, ...]:
    """Hand in a request (PKCS#10 DER) with an invite's token in base32, or a password; give leaf and issuers.

    The chain is verified, is for the request's key, and names ``handle``. Asking again with the same key and token is
    harmless and gives the same certificate. Raises ``Refused`` with the authority's reason, ``VerificationError`` for
    a chain that does not hold, and as ``Caller.call`` does.
    """
    basic = base64.b64encode(f"{handle}:{secret}".encode()).decode()
    async with Caller(addresses, authority_client_context(trust), authority_name(trust.realm), limits) as caller:
        body = await caller.call(
            "POST",
            est_path(profile, "simpleenroll"),
            limit=BUNDLE_BYTES,
            body=encode_base64(request),
            headers={**BODY, "Authorization": f"Basic {basic}"},
        )
    return read_chain(body, trust, profile, request, handle, time.time() if now is None else now)


def read_chain(
    body: bytes, trust: Trust, profile: Profile, request: bytes, handle: Handle, now: float
) -> tuple[Certificate, ...]:
    """Read what an enrolment answered: the leaf first, then the issuer that signed it.

    Raises ``DecodeError`` where it is not for the request's key, ``VerificationError`` where it does not hold.
    """
    leaf, _ = split_chain(decode_bundle(body), read_request(request, profile).public)
    verify_peer(leaf.der, trust, now, profile, handle)
    issuers = [c for c in trust.issuing if c.inner.subject == leaf.inner.issuer]
    return (leaf, *issuers)
