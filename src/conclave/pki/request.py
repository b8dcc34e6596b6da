"""Certificate requests: PKCS#10 (RFC 2986) as a device makes them and as the authority reads them.

Of a request only the public key is ever used, once the self-signature has proved that the sender holds the private
one; the common name is a mere claim that ``policy`` compares with the account. A request that travels as a file may
carry the invite's token as PKCS#9 challengePassword (RFC 2985 section 5.4.1), since no HTTP header goes with it.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AttributeOID, NameOID

from conclave.errors import DecodeError, VerificationError
from conclave.pki.certificate import PARSE_ERRORS, demand_whole_bytes
from conclave.pki.keys import PrivateKey, demand_kind
from conclave.pki.names import Handle
from conclave.pki.profile import RULES, KeyKind, Profile
from conclave.values import dataclass

REQUEST_BYTES = 8 * 1024
"""Largest request read; an RSA key of 4,096 bits makes one of 1.2 KB, in PEM 1.6 KB."""
CHALLENGE_BYTES = 255
"""RFC 2985: upper bound of challengePassword."""


@dataclass(frozen=True, slots=True)
class ProvenRequest:
    """A request whose sender holds the private key, of the kind that the profile wants. Nothing else is proved."""

    der: bytes
    profile: Profile
    public: bytes
    """SubjectPublicKeyInfo DER."""
    claimed: str
    """The subject's common name, unchecked, or empty."""
    challenge: str
    """The challengePassword, or empty. A secret: not for logs."""

    def __repr__(self) -> str:
        """Leave the secret out."""
        return f"ProvenRequest(profile={self.profile!r}, claimed={self.claimed!r})"


def build_request(key: PrivateKey, handle: Handle, challenge: str = "") -> bytes:
    """Make a request for ``key`` (PKCS#10 DER) that claims ``handle`` and carries ``challenge`` where given."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, handle)])
    )
    if challenge:
        builder = builder.add_attribute(AttributeOID.CHALLENGE_PASSWORD, challenge.encode())
    digest = None if key.kind is KeyKind.ED25519 else hashes.SHA256()
    return builder.sign(key.inner, digest).public_bytes(Encoding.DER)


def request_pem(der: bytes) -> bytes:
    """Write a request as PEM text (RFC 7468 section 7). Raises ``DecodeError``."""
    return _parse(der).public_bytes(Encoding.PEM)


def _parse(data: bytes) -> x509.CertificateSigningRequest:
    if len(data) > REQUEST_BYTES:
        raise DecodeError(
            f"a certificate request of {len(data)} bytes; at most {REQUEST_BYTES} are read",
            remedy="send the request alone, without a key or certificates around it",
        )
    pem = data.lstrip().startswith(b"-----")
    try:
        return x509.load_pem_x509_csr(data) if pem else x509.load_der_x509_csr(data)
    except PARSE_ERRORS as error:
        raise DecodeError(
            "the certificate request cannot be read: not PKCS#10 in DER or PEM",
            remedy="make it anew, with conclave join or openssl req",
        ) from error


def _only(values: list[str], noun: str, limit: int) -> str:
    if len(values) > 1:
        raise DecodeError(f"the certificate request has more than one {noun}")
    if values and len(values[0].encode()) > limit:
        raise DecodeError(f"the certificate request's {noun} is longer than {limit} bytes")
    return values[0] if values else ""


def read_request(data: bytes, profile: Profile) -> ProvenRequest:
    """Parse a request (DER or PEM) and prove possession of its key.

    Raises ``DecodeError`` where it is malformed, ``VerificationError`` where its self-signature does not hold, and
    ``Refused`` (``unsuitable-key``) where the key is not what the profile wants.
    """
    parsed = _parse(data)
    try:
        der = parsed.public_bytes(Encoding.DER)
        public = parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        names = [str(n.value) for n in parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        challenges = [a.value.decode() for a in parsed.attributes if a.oid == AttributeOID.CHALLENGE_PASSWORD]
    except PARSE_ERRORS as error:
        raise DecodeError("the certificate request cannot be read: a field of it is malformed") from error
    demand_whole_bytes(der, parsed.signature)
    claimed = _only(names, "common name", CHALLENGE_BYTES)
    challenge = _only(challenges, "challenge password", CHALLENGE_BYTES)
    demand_kind(public, RULES[profile].key)  # first: only strong keys of known kinds reach the signature check
    try:
        holds = parsed.is_signature_valid
    except PARSE_ERRORS:
        holds = False
    if not holds:
        raise VerificationError(
            "the certificate request's own signature does not hold: its sender has not shown to own the key",
            remedy="make the request anew, with the key that it is for",
        )
    return ProvenRequest(der, profile, public, claimed, challenge)
