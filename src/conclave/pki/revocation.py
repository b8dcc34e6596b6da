"""Revocation lists (RFC 5280 section 5): made by an issuing authority, read and ordered by everybody else.

A list names every certificate that was taken back and has not run out since. Lists of one issuer are ordered by
``thisUpdate`` and then number, and ``make_crl`` never gives two the same: some verifiers keep the *old* one of two
with the same time. Left out: whether a list counts as too old. Chats go on while the authority is away, so its age
is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from conclave.errors import DecodeError, VerificationError
from conclave.pki.certificate import PARSE_ERRORS, Certificate, demand_whole_bytes, utc
from conclave.pki.credentials import Issuer
from conclave.values import dataclass, field

CRL_BYTES = 4 * 1024 * 1024
"""Largest list read: about 80,000 revoked certificates that have not expired."""
CRL_LIFETIME = 26 * 3600.0
"""``nextUpdate`` after ``thisUpdate`` (seconds): lists are made hourly, and a day's outage should not look odd."""

Reason = x509.ReasonFlags
"""RFC 5280 section 5.3.1. Used here: ``key_compromise``, ``affiliation_changed``, ``superseded``,
``cessation_of_operation``, ``certificate_hold`` (suspended), ``privilege_withdrawn`` and ``unspecified``."""


def parse_reason(text: str) -> Reason:
    """Read a reason as RFC 5280 spells it (``keyCompromise``) or in kebab case. Raises ``DecodeError``."""
    wanted = text.replace("-", "").lower()
    for reason in Reason:
        if reason.value.lower() == wanted and reason is not Reason.remove_from_crl:
            return reason
    raise DecodeError(
        "there is no such reason for a revocation",
        remedy="use unspecified, key-compromise, superseded, cessation-of-operation or privilege-withdrawn",
    )


_WORDS = {
    Reason.key_compromise: "its key was stolen or lost",
    Reason.ca_compromise: "its authority's key was stolen or lost",
    Reason.affiliation_changed: "its owner's name or place changed",
    Reason.superseded: "another one took its place",
    Reason.cessation_of_operation: "it is not needed any more",
    Reason.certificate_hold: "suspended",
    Reason.remove_from_crl: "it was resumed",
    Reason.privilege_withdrawn: "its owner is no longer entitled to it",
    Reason.aa_compromise: "the key of an authority was stolen or lost",
}
_BY_SPELLING = {reason.value.lower(): words for reason, words in _WORDS.items()}


def in_words(reason: str) -> str:
    """Tell a reason (``keyCompromise``, ``key-compromise``) to people; nothing where it is unspecified.

    One that is not of RFC 5280 stays as it is.
    """
    spelled = reason.replace("-", "").lower()
    return "" if spelled == Reason.unspecified.value else _BY_SPELLING.get(spelled, reason)


def because(reason: str) -> str:
    """Tell a reason as the end of a text for people: ``: its key was stolen or lost``, or nothing."""
    words = in_words(reason)
    return f": {words}" if words else ""


@dataclass(frozen=True, slots=True)
class Revoked:
    """One entry: since when (UNIX seconds) and why."""

    serial: int
    since: float
    reason: str = "unspecified"

    @property
    def suspended(self) -> bool:
        """Whether the account may be resumed, and the certificate with it."""
        return self.reason == Reason.certificate_hold.value


@dataclass(frozen=True, slots=True)
class Revocation:
    """That a certificate does not count any more: why, in words for people, and whether it is suspended only."""

    words: str
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A list whose signature was verified with its issuer's key. Times are UNIX seconds."""

    der: bytes = field(repr=False)
    issuer_public: bytes = field(repr=False)
    number: int
    this_update: float
    next_update: float
    entries: Mapping[int, Revoked] = field(repr=False)

    @property
    def place(self) -> tuple[float, int]:
        """By this, lists of one issuer are ordered: the greatest is the newest."""
        return (self.this_update, self.number)


def make_crl(
    issuer: Issuer,
    revoked: Iterable[Revoked],
    now: float,
    previous: RevocationList | None = None,
    lifetime: float = CRL_LIFETIME,
) -> RevocationList:
    """Make the issuer's next list: number one higher and ``thisUpdate`` later than the ``previous`` one's, always."""
    number = previous.number + 1 if previous else 1
    this_update = max(float(int(now)), previous.this_update + 1 if previous else 0.0)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.inner.subject)
        .last_update(utc(this_update))
        .next_update(utc(this_update + lifetime))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.inner_p256.public_key()), critical=False
        )
    )
    for entry in revoked:
        line = x509.RevokedCertificateBuilder().serial_number(entry.serial).revocation_date(utc(entry.since))
        reason = parse_reason(entry.reason)
        if reason is not Reason.unspecified:  # RFC 5280 section 5.3.1: absent rather than unspecified
            line = line.add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(line.build())
    signed = builder.sign(issuer.key.inner_p256, hashes.SHA256())
    return read_crl(signed.public_bytes(Encoding.DER), (issuer.certificate,))


def read_crl(data: bytes, issuers: Iterable[Certificate]) -> RevocationList:
    """Parse a list (DER or PEM) and verify that one of ``issuers`` signed it.

    Raises ``DecodeError`` where it is malformed, ``VerificationError`` (``unknown-authority``) where nobody known
    signed it.
    """
    if len(data) > CRL_BYTES:
        raise DecodeError(f"a revocation list of {len(data)} bytes; at most {CRL_BYTES} are read")
    try:
        pem = data.startswith(b"-----BEGIN")
        parsed = (x509.load_pem_x509_crl if pem else x509.load_der_x509_crl)(data)
        data = parsed.public_bytes(Encoding.DER) if pem else data
        issuer = next((c for c in issuers if c.inner.subject == parsed.issuer and _signed(parsed, c)), None)
        if issuer is None:
            raise VerificationError(
                "the revocation list is not signed by an authority of ours",
                reason="unknown-authority",
                remedy="tell whoever runs the authority if this comes again; the list is ignored",
            )
        demand_whole_bytes(data, parsed.signature)
        return _read(data, parsed, issuer)
    except (*PARSE_ERRORS, x509.ExtensionNotFound) as error:
        raise DecodeError("the revocation list cannot be read") from error


def _signed(parsed: x509.CertificateRevocationList, issuer: Certificate) -> bool:
    public = issuer.inner.public_key()
    return parsed.is_signature_valid(public)  # type: ignore[arg-type]  # authorities of ours have P-256 keys


def _read(data: bytes, parsed: x509.CertificateRevocationList, issuer: Certificate) -> RevocationList:
    critical = [e.oid.dotted_string for e in parsed.extensions if e.critical]
    if critical or parsed.next_update_utc is None:
        raise DecodeError("the revocation list has extensions that are not understood, or no next update")
    number = parsed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    entries: dict[int, Revoked] = {}
    for entry in parsed:
        reason = "unspecified"
        for extension in entry.extensions:
            if isinstance(extension.value, x509.CRLReason):
                reason = extension.value.reason.value
        since = entry.revocation_date_utc.timestamp()
        entries[entry.serial_number] = Revoked(entry.serial_number, since, reason)
    return RevocationList(
        data,
        issuer.public,
        number,
        parsed.last_update_utc.timestamp(),
        parsed.next_update_utc.timestamp(),
        MappingProxyType(entries),
    )
