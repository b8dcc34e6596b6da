"""Enrolment over Secure Transport (RFC 7030, clarified by RFC 8951): one label per profile.

``cacerts`` and ``csrattrs`` are for everybody, ``simpleenroll`` takes HTTP Basic, ``simplereenroll`` the certificate
of the device. Left out: ``fullcmc`` and ``serverkeygen``, since nobody but the device ever has its key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import web

from conclave.authority.audit import claimed
from conclave.authority.enrolment import Enrolment
from conclave.authority.records import Action, Issued
from conclave.errors import ConclaveError, DecodeError, Refused
from conclave.net.admission import Admission, TokenShown
from conclave.net.authority_limits import ServerLimits
from conclave.pki.bundle import decode_base64, encode_base64, encode_bundle
from conclave.pki.certificate import read_certificate
from conclave.pki.profile import Profile, parse_profile
from conclave.pki.request import ProvenRequest, read_request
from conclave.pki.trust import Trust

CERTIFICATES: Final = {
    "Content-Type": "application/pkcs7-mime; smime-type=certs-only",
    "Content-Transfer-Encoding": "base64",
}
ATTRIBUTES: Final = {"Content-Type": "application/csrattrs", "Content-Transfer-Encoding": "base64"}

_ED25519 = bytes.fromhex("3005 06032b6570")
_RSA_SHA256 = bytes.fromhex("3016 06092a864886f70d010101 06092a864886f70d01010b")
_WANTED: Final = {Profile.TLS: _ED25519, Profile.IM: _ED25519, Profile.CLASSIC: _RSA_SHA256}
"""``CsrAttrs`` (RFC 7030 section 4.5.2): the key's algorithm, and for RSA the signature's."""


class Est:
    """The routes. ``issuing`` is what stands below every leaf that is handed out."""

    def __init__(
        self,
        enrolment: Enrolment,
        trust: Trust,
        admission: Admission,
        limits: ServerLimits,
        clock: Callable[[], float],
    ) -> None:
        self._enrolment = enrolment
        self._admission = admission
        self._limits = limits
        self._clock = clock
        self._issuing = enrolment.issuer.certificate
        self._authorities = encode_bundle(trust.certificates)

    def routes(self) -> list[web.RouteDef]:
        """What the server adds."""
        base = "/.well-known/est/{profile}"
        return [
            web.get(f"{base}/cacerts", self.cacerts),
            web.get(f"{base}/csrattrs", self.csrattrs),
            web.post(f"{base}/simpleenroll", self.simpleenroll),
            web.post(f"{base}/simplereenroll", self.simplereenroll),
        ]

    async def cacerts(self, request: web.Request) -> web.Response:
        """RFC 7030 section 4.1."""
        self._admission.stranger(request)
        _profile(request)
        return web.Response(body=self._authorities, headers=CERTIFICATES)

    async def csrattrs(self, request: web.Request) -> web.Response:
        """RFC 7030 section 4.5."""
        self._admission.stranger(request)
        return web.Response(body=encode_base64(_WANTED[_profile(request)]), headers=ATTRIBUTES)

    async def simpleenroll(self, request: web.Request) -> web.Response:
        """RFC 7030 section 4.2.1."""
        self._admission.stranger(request)
        profile = _profile(request)
        shown = await self._admission.credentials(request, profile)
        who = claimed(shown.handle) if isinstance(shown, TokenShown) else shown.handle
        proven = await self._proven(request, profile, who, Action.ENROL)
        now, origin = self._clock(), self._admission.origin(request)
        if isinstance(shown, TokenShown):
            issued = self._enrolment.by_token(proven, shown.handle, shown.token, now, origin)
        else:
            issued = self._enrolment.by_password(proven, shown.handle, now, origin)
        return self._certificates(await asyncio.wrap_future(issued))

    async def simplereenroll(self, request: web.Request) -> web.Response:
        """RFC 7030 section 4.2.2."""
        member = self._admission.member(request)
        self._admission.renewing(member)
        proven = await self._proven(request, _profile(request), member.handle, Action.RENEW)
        issued = self._enrolment.renew(proven, member, self._clock(), self._admission.origin(request))
        return self._certificates(await asyncio.wrap_future(issued))

    async def _proven(self, request: web.Request, profile: Profile, who: str, action: Action) -> ProvenRequest:
        async with asyncio.timeout(self._limits.request_seconds):
            body = await request.read()
        try:
            return read_request(_unwrapped(body), profile)
        except ConclaveError as error:
            word = error.reason if isinstance(error, Refused) else "bad-request"
            self._admission.record(request, who, action, f"{profile}: {error}", word)
            raise

    def _certificates(self, issued: Issued) -> web.Response:
        body = encode_bundle((read_certificate(issued.der), self._issuing))
        return web.Response(body=body, headers=CERTIFICATES)


def _profile(request: web.Request) -> Profile:
    try:
        return parse_profile(request.match_info["profile"])
    except DecodeError as error:
        raise Refused(str(error), reason="unknown-profile", remedy=error.remedy) from error


def _unwrapped(body: bytes) -> bytes:
    """PKCS#10 as DER or PEM, from base64 (RFC 8951 section 3.1) or from what clients send bare."""
    if body.lstrip().startswith(b"-----") or body[1:2] >= b"\x80":
        return body
    return decode_base64(body)
