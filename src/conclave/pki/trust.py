"""What one realm's members trust: the pinned root, the issuing authorities below it, and the newest revocation lists.

A ``Trust`` is made in one way only, by ``pin_root`` from the fingerprint in an invite, and never changes: a newer
list gives a new value. Left out: keeping it (``store``), and judging a peer with it (``verify``).
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature

from conclave.errors import DecodeError, VerificationError
from conclave.pki.certificate import PARSE_ERRORS, Certificate, moment
from conclave.pki.credentials import authority_realm
from conclave.pki.names import Realm
from conclave.pki.revocation import RevocationList, Revoked, read_crl
from conclave.values import dataclass, replace

ISSUING_MOST = 8
"""How many issuing authorities a realm may have at once."""
SHA256_BYTES = 32


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a member of ``realm`` believes. Immutable."""

    root: Certificate
    issuing: tuple[Certificate, ...]
    realm: Realm
    crls: tuple[RevocationList, ...] = ()
    """The newest list of each issuing authority, as far as seen."""

    def with_crl(self, crl: RevocationList) -> Trust:
        """Take a list in where it is newer than the one held of the same issuer, else stay as we are.

        Raises ``VerificationError`` where its issuer is not one of ours.
        """
        if all(crl.issuer_public != authority.public for authority in self.issuing):
            raise VerificationError(
                "the revocation list is of an authority that is not ours", reason="unknown-authority"
            )
        held = next((c for c in self.crls if c.issuer_public == crl.issuer_public), None)
        if held is not None and held.place >= crl.place:
            return self
        others = tuple(c for c in self.crls if c is not held)
        return replace(self, crls=(*others, crl))

    def read_crl(self, data: bytes) -> RevocationList:
        """Read a list and verify that one of our issuing authorities signed it. Raises as ``revocation.read_crl``."""
        return read_crl(data, self.issuing)

    def revoked(self, issuer: Certificate, serial: int) -> Revoked | None:
        """Look a serial number up in its issuer's list."""
        for crl in self.crls:
            if crl.issuer_public == issuer.public:
                return crl.entries.get(serial)
        return None

    def names(self, serial: int) -> bool:
        """Whether any list of ours has this serial number: where none does, it matters not who issued it."""
        return any(serial in crl.entries for crl in self.crls)

    @property
    def crl_time(self) -> float | None:
        """When the newest list was made (UNIX seconds), for showing its age; none where there is no list yet."""
        return max((crl.this_update for crl in self.crls), default=None)

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """Root and issuing authorities: what EST's ``cacerts`` gives, and what is kept on disk."""
        return (self.root, *self.issuing)


def pin_root(certificates: Sequence[Certificate], sha256: bytes) -> Trust:
    """Make a ``Trust`` of certificates from an unverified connection and the root's fingerprint from the invite.

    Exactly one certificate must have the fingerprint, and each of the others must be an issuing authority that it
    signed (RFC 7030 section 4.1.1). Raises ``VerificationError`` (``unknown-authority``), or ``DecodeError`` for a
    fingerprint that is not 32 bytes.
    """
    if len(sha256) != SHA256_BYTES:
        raise DecodeError(f"the fingerprint of the root has {len(sha256)} bytes instead of {SHA256_BYTES}")
    unique = tuple({c.der: c for c in certificates}.values())
    matching = [c for c in unique if hmac.compare_digest(c.fingerprint, sha256)]
    if len(matching) != 1:
        raise VerificationError(
            "the authority that answered is not the one that made the invite: its root has another fingerprint",
            reason="unknown-authority",
            remedy="check the address in the invite; if it is right, somebody is in the way: tell the authority",
        )
    root = matching[0]
    realm = authority_realm(root)
    _demand_signed(root, root)
    issuing = tuple(c for c in unique if c is not root)
    if not 0 < len(issuing) <= ISSUING_MOST:
        raise VerificationError(
            f"the authority presents {len(issuing)} issuing authorities; 1 to {ISSUING_MOST} are expected",
            reason="unknown-authority",
            remedy="tell whoever runs the authority",
        )
    for authority in issuing:
        _demand_signed(authority, root)
        if authority_realm(authority) != realm:
            raise VerificationError(
                f"{authority.label} is for another realm than {realm}", reason="unknown-authority"
            )
    return Trust(root, issuing, realm)


def _demand_signed(certificate: Certificate, issuer: Certificate) -> None:
    try:
        certificate.inner.verify_directly_issued_by(issuer.inner)
    except (*PARSE_ERRORS, InvalidSignature) as error:
        raise VerificationError(
            f"{certificate.label} is not signed by {issuer.label}, valid until {moment(issuer.not_after)}",
            reason="unknown-authority",
            remedy="ask whoever runs the authority for a new invite",
        ) from error
