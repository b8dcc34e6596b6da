"""A certificate as bytes and as the facts that others ask for. Reading one trusts nothing: see ``verify``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from conclave.errors import DecodeError
from conclave.pki.names import parse_handle, quote

CERTIFICATE_BYTES = 8 * 1024
"""Largest certificate read; ours take 0.5 KB, with an RSA key of 4,096 bits 1 KB."""
SERIAL_BITS = 160
"""RFC 5280 section 4.1.2.2: at most 20 octets."""

PARSE_ERRORS = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.InvalidVersion,
)
"""What the library raises for a structure that it cannot read."""


def utc(when: float) -> datetime:
    """UNIX seconds as the library wants them: whole, in UTC."""
    return datetime.fromtimestamp(int(when), UTC)


def moment(when: float) -> str:
    """UNIX seconds as a person reads them in an error."""
    return f"{utc(when):%Y-%m-%d %H:%M} UTC"


def demand_whole_bytes(der: bytes, signature: bytes) -> None:
    """Assert that a signed structure ends in a signature of whole bytes, as RFC 5280 section 4.1.1.3 has it.

    The library takes unused bits as well: another encoding that would verify. Raises ``DecodeError``.
    """
    if not der.endswith(b"\x00" + signature):
        raise DecodeError("the signature is not a number of whole bytes")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that could be parsed. Times are UNIX seconds; ``inner`` is the library's, for ``pki`` alone."""

    der: bytes
    inner: x509.Certificate = field(repr=False, compare=False)
    serial: int
    not_before: float
    not_after: float
    common_name: str
    """The subject's CN as it stands there, or empty. A display name only: nothing is decided by it."""
    public: bytes
    """SubjectPublicKeyInfo DER."""

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 over the DER (32 bytes)."""
        return hashlib.sha256(self.der).digest()

    @property
    def pem(self) -> bytes:
        """RFC 7468 text."""
        return self.inner.public_bytes(Encoding.PEM)

    @property
    def label(self) -> str:
        """Which certificate this is, for errors and logs."""
        try:
            return f"{parse_handle(self.common_name)}'s certificate"
        except DecodeError:
            return f"the certificate of {quote(self.common_name)}"


def wrap(inner: x509.Certificate) -> Certificate:
    """Read every field once, so that nothing can fail later. Raises ``DecodeError``."""
    try:
        names = inner.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        _ = inner.issuer, inner.extensions, inner.signature_algorithm_oid
        certificate = Certificate(
            inner.public_bytes(Encoding.DER),
            inner,
            inner.serial_number,
            inner.not_valid_before_utc.timestamp(),
            inner.not_valid_after_utc.timestamp(),
            str(names[0].value) if names else "",
            inner.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        )
    except PARSE_ERRORS as error:
        raise DecodeError("the certificate cannot be read: a field of it is malformed") from error
    demand_whole_bytes(certificate.der, inner.signature)
    if not 0 < certificate.serial < 1 << SERIAL_BITS:
        raise DecodeError("the certificate's serial number is not a positive number of at most 20 bytes")
    return certificate


def read_serial(der: bytes) -> int:
    """A certificate's serial number, and nothing else of it: a tenth of the time. Raises ``DecodeError``."""
    try:
        return x509.load_der_x509_certificate(der).serial_number
    except PARSE_ERRORS as error:
        raise DecodeError("the certificate cannot be read: not X.509 in DER") from error


def read_certificate(data: bytes) -> Certificate:
    """Parse one certificate, DER or PEM. Raises ``DecodeError``."""
    if len(data) > CERTIFICATE_BYTES:
        raise DecodeError(f"a certificate of {len(data)} bytes; at most {CERTIFICATE_BYTES} are read")
    load = x509.load_pem_x509_certificate if data.lstrip().startswith(b"-----") else x509.load_der_x509_certificate
    try:
        inner = load(data)
    except PARSE_ERRORS as error:
        raise DecodeError("the certificate cannot be read: not X.509 in DER or PEM") from error
    return wrap(inner)
