"""What MLS asks of a certificate without knowing PKI: which signature key it holds (RFC 9420 section 5.3)."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conclave.errors import DecodeError


def subject_key(der: bytes) -> bytes:
    """The subject's public key, raw as in ``crypto.signature``. Raises ``DecodeError`` where it is none of ours."""
    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise DecodeError("not an X.509 certificate") from error
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return key.public_bytes_raw()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    raise DecodeError("the certificate's key is of no kind that a suite signs with")
