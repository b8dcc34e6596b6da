"""Certificates in company: EST's certs-only PKCS#7 in base64 (RFC 7030, RFC 8951), and PEM text (RFC 7468).

The order inside PKCS#7 means nothing (it is a SET), so a leaf is found by its key. Reading trusts nothing.
"""

from __future__ import annotations

import base64
import binascii
import warnings
from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from conclave.errors import DecodeError
from conclave.pki.certificate import PARSE_ERRORS, Certificate, wrap

BUNDLE_BYTES = 64 * 1024
CERTIFICATES_MOST = 16


def encode_base64(der: bytes) -> bytes:
    """Write a body of EST: base64 in lines of 64, as RFC 8951 section 3.1 leaves open and old clients like."""
    text = base64.b64encode(der)
    return b"".join(text[i : i + 64] + b"\n" for i in range(0, len(text), 64))


def decode_base64(body: bytes, limit: int = BUNDLE_BYTES) -> bytes:
    """Read a body of EST: base64 with blanks and line breaks anywhere (RFC 8951). Raises ``DecodeError``."""
    if len(body) > limit:
        raise DecodeError(f"a body of {len(body)} bytes; at most {limit} are read")
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error as error:
        raise DecodeError("the body is not base64", remedy="send DER in base64, as RFC 8951 has it") from error


def encode_bundle(certificates: Iterable[Certificate]) -> bytes:
    """Write certs-only PKCS#7 in base64: what ``cacerts`` and ``simpleenroll`` answer."""
    return encode_base64(pkcs7.serialize_certificates([c.inner for c in certificates], Encoding.DER))


def decode_bundle(body: bytes) -> tuple[Certificate, ...]:
    """Read certs-only PKCS#7 in base64: 1 to 16 certificates in no order. Raises ``DecodeError``."""
    der = decode_base64(body)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # openssl's own bundles are BER: their SET is not sorted
            parsed = pkcs7.load_der_pkcs7_certificates(der)
    except PARSE_ERRORS as error:
        raise DecodeError("the answer is not PKCS#7 with certificates") from error
    return _bounded(parsed)


def encode_pem(certificates: Iterable[Certificate]) -> bytes:
    """Write certificates as PEM, one after another."""
    return b"".join(c.pem for c in certificates)


def decode_pem(data: bytes) -> tuple[Certificate, ...]:
    """Read 1 to 16 certificates in PEM, in the order in which they stand. Raises ``DecodeError``."""
    if len(data) > BUNDLE_BYTES:
        raise DecodeError(f"a chain of {len(data)} bytes; at most {BUNDLE_BYTES} are read")
    try:
        parsed = x509.load_pem_x509_certificates(data)
    except PARSE_ERRORS as error:
        raise DecodeError(
            "no certificates in PEM could be read", remedy="check that it is the right file, and not cut short"
        ) from error
    return _bounded(parsed)


def split_chain(certificates: Sequence[Certificate], public: bytes) -> tuple[Certificate, tuple[Certificate, ...]]:
    """Tell the one certificate for our key from those above it. Raises ``DecodeError`` where it is not there once."""
    ours = [c for c in certificates if c.public == public]
    if len(ours) != 1:
        raise DecodeError(
            f"the answer holds {len(ours)} certificates for this device's key instead of one",
            remedy="ask whoever runs the authority; then enrol again",
        )
    return ours[0], tuple(c for c in certificates if c is not ours[0])


def _bounded(parsed: list[x509.Certificate]) -> tuple[Certificate, ...]:
    if not 0 < len(parsed) <= CERTIFICATES_MOST:
        raise DecodeError(f"{len(parsed)} certificates; 1 to {CERTIFICATES_MOST} are read")
    return tuple(wrap(inner) for inner in parsed)
