"""MLS's authentication service: whose leaf is it, judged by the authority's certificates (RFC 9750 section 3.3).

The identity of a member is the handle alone: a renewed certificate, or a new device that takes an old one's place, is
the same member. That a leaf's signature key is its certificate's, MLS itself demands. Left out: the judgement
(``pki.verify``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conclave.errors import VerificationError
from conclave.mls.group import Credential, Verify
from conclave.pki.trust import Trust
from conclave.pki.verify import VerifiedPeer, verify_credential, verify_member


def members(trust: Trust) -> Verify:
    """Give the function that judges credentials of those who are in: neither time nor revocation counts.

    Who is in is a matter of the order, on which all agree. It raises ``VerificationError``.
    """
    return _judging(lambda chain, _: verify_member(chain, trust))


def verifier(trust: Trust, grace: float = 0.0) -> Verify:
    """Give the function that judges credentials by ``trust``, revocation lists included, of who comes anew.

    ``grace``: for how long a certificate that has ended is taken still (seconds, at most
    ``pki.verify.GRACE_SECONDS``). A newer ``trust`` wants a new function. It raises ``VerificationError``.
    """
    return _judging(lambda chain, now: verify_credential(chain, trust, now, grace))


def _judging(judge: Callable[[Sequence[bytes], float], VerifiedPeer]) -> Verify:
    def verify(credential: Credential, _: bytes, now: float) -> bytes:
        if not credential.certificates:
            raise VerificationError(
                "a member shows a bare name where a certificate is wanted", remedy="ask its owner to enrol"
            )
        return judge(credential.certificates, now).handle.encode()

    return verify
