"""MLS's authentication service: whose leaf is it, judged by the authority's certificates (RFC 9750 section 3.3).

The identity of a member is the handle alone: a renewed certificate, or a new device that takes an old one's place, is
the same member. That a leaf's signature key is its certificate's, MLS itself demands. Left out: the judgement
(``pki.verify``).
"""

from __future__ import annotations

from conclave.errors import VerificationError
from conclave.mls.group import Credential, Verify
from conclave.pki.trust import Trust
from conclave.pki.verify import verify_credential


def verifier(trust: Trust, grace: float = 0.0) -> Verify:
    """Give the function that judges credentials by ``trust``, revocation lists included.

    ``grace``: for how long a certificate that has ended is taken still (seconds, at most
    ``pki.verify.GRACE_SECONDS``): 0 for who comes anew, more for members who are in and were away. A newer ``trust``
    wants a new function. It raises ``VerificationError``.
    """

    def verify(credential: Credential, _: bytes, now: float) -> bytes:
        if not credential.certificates:
            raise VerificationError(
                "a member shows a bare name where a certificate is wanted", remedy="ask its owner to enrol"
            )
        return verify_credential(credential.certificates, trust, now, grace).handle.encode()

    return verify
