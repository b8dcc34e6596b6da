"""People with keys and certificates for conversations, made once a run; and a judge who knows them by heart.

Certificates are real X.509 (self-signed, cheap); what a real judge checks of them is tested in tests/pki.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from conclave.chat.state import Judges, Own
from conclave.crypto.suite import CLASSICAL
from conclave.errors import VerificationError
from conclave.mls.group import Credential

KNOWN: dict[bytes, str] = {}
START = datetime(1970, 1, 1, tzinfo=UTC)
UNTIL = datetime(2100, 1, 1, tzinfo=UTC)


@cache
def own(
    handle: str, serial: int = 1, suite: int = CLASSICAL.code, since: float = 0.0, number: int | None = None
) -> Own:
    """Who ``handle`` is, with the certificate of that serial and since then, on device ``number`` or the serial's."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, handle)])
    person = x509.UniformResourceIdentifier(f"im:{handle}@ward-7.example")
    device = x509.DNSName(f"d{serial if number is None else number}.{handle}.ward-7.example")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(START + timedelta(seconds=since))
        .not_valid_after(UNTIL - timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([person, device]), critical=False)
        .sign(key, None)
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    KNOWN[der] = handle
    raw = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    return Own(Credential.x509((der,)), raw, suite, UNTIL.timestamp())


def judge(credential: Credential, _: bytes, __: float) -> bytes:
    """Knows everybody above, and nobody else."""
    handle = KNOWN.get(credential.certificates[0]) if credential.certificates else None
    if handle is None:
        raise VerificationError("a certificate of nobody")
    return handle.encode()


JUDGES = Judges(judge, judge)
