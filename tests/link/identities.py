"""Certificates for tests of links, made with the library directly: a root, an issuing authority, Ed25519 leaves."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from conclave.errors import VerificationError
from conclave.link.tls import ALPN

DAY = timedelta(days=1)
REALM = "ward-7.internal"


@dataclass(frozen=True)
class Identity:
    certificate: x509.Certificate
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)


@dataclass(frozen=True)
class KnownPeer:
    handle: str
    not_after: float
    der: bytes
    device: str = "d1"
    not_before: float = 0.0


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@cache
def authority(name: str = "Ward 7") -> Identity:
    """A self-signed P-256 root."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 100 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Identity(made, key)


@cache
def leaf(
    handle: str, *, issuer: str = "Ward 7", starts: int = -1, days: int = 10, self_signed: bool = False
) -> Identity:
    """A device's certificate, valid from ``starts`` days from now for ``days``."""
    key = ed25519.Ed25519PrivateKey.generate()
    above = authority(issuer)
    begin = datetime.now(UTC) + starts * DAY
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(handle))
        .issuer_name(_name(handle) if self_signed else above.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + days * DAY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"im:{handle}@{REALM}")]), critical=False
        )
    )
    signed = builder.sign(key, None) if self_signed else builder.sign(above.key, hashes.SHA256())
    return Identity(signed, key)


def context(
    identity: Identity | None, *, server: bool, trusts: str = "Ward 7", alpn: str = ALPN, checks: bool = True
) -> ssl.SSLContext:
    """A context as peers use it; ``checks`` off makes one that accepts anything."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED if checks else ssl.CERT_NONE
    made.load_verify_locations(cadata=authority(trusts).der)
    made.set_alpn_protocols([alpn])
    if server:
        made.num_tickets = 0
    if identity is not None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "both.pem")
            file.write_bytes(
                identity.key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
                + identity.certificate.public_bytes(serialization.Encoding.PEM)
            )
            made.load_cert_chain(file)
    return made


@cache
def usual(handle: str, *, server: bool) -> ssl.SSLContext:
    """The context of a peer in good order."""
    return context(leaf(handle), server=server)


class Verifier:
    """Reads the handle; refuses whom it is told to refuse."""

    def __init__(self, expected: str | None = None, revoked: frozenset[str] = frozenset()) -> None:
        self.expected = expected
        self.revoked = revoked

    def __call__(self, der: bytes, now: float) -> KnownPeer:
        certificate = x509.load_der_x509_certificate(der)
        handle = str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        if handle in self.revoked:
            raise VerificationError(f"the certificate of {handle} was revoked", reason="revoked")
        if self.expected not in (None, handle):
            raise VerificationError(f"{handle} answered instead of {self.expected}", reason="unexpected-handle")
        return KnownPeer(handle, certificate.not_valid_after_utc.timestamp(), der)
