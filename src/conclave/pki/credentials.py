"""A private key with its certificate and those above it; and the authority's, which may certify others.

The authority's keys rest in PKCS#12 under a passphrase, with 600,000 rounds of PBKDF2-HMAC-SHA-256 and AES-256:
PKCS#8 from the library would use 2,048 rounds. Left out: files and passphrase prompts.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from conclave.errors import DecodeError, LocalError, NotReady, VerificationError
from conclave.pki.certificate import Certificate, wrap
from conclave.pki.keys import PrivateKey, wrap_private
from conclave.pki.names import Realm, parse_realm
from conclave.pki.profile import KeyKind
from conclave.values import dataclass

PKCS12_ROUNDS = 600_000
"""OWASP's figure for PBKDF2-HMAC-SHA-256; 0.12 s on the class of machine that this is made for."""
PKCS12_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key, its certificate, and the certificates above it, nearest first (the root may be left out)."""

    key: PrivateKey
    certificate: Certificate
    above: tuple[Certificate, ...]

    def __post_init__(self) -> None:
        if self.key.public != self.certificate.public:
            raise LocalError(
                "the private key and the certificate do not belong together",
                remedy="take both from the same enrolment, or enrol again",
            )

    @property
    def chain_pem(self) -> bytes:
        """The certificate and those above it as TLS sends them: without the root, which the other side must have."""
        below_root = (c for c in self.above if c.inner.issuer != c.inner.subject)
        return self.certificate.pem + b"".join(c.pem for c in below_root)


def authority_realm(certificate: Certificate) -> Realm:
    """Read which realm an authority certificate may speak for: its one permitted DNS subtree.

    Raises ``VerificationError`` where the certificate is not one of an authority of ours.
    """
    extensions = certificate.inner.extensions
    try:
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        permitted = extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
        realms = [parse_realm(name.value) for name in permitted if isinstance(name, x509.DNSName)]
    except (x509.ExtensionNotFound, DecodeError) as error:
        raise _no_authority(certificate) from error
    if not basic.ca or not usage.key_cert_sign or len(realms) != 1:
        raise _no_authority(certificate)
    return realms[0]


def _no_authority(certificate: Certificate) -> VerificationError:
    return VerificationError(
        f"{certificate.label} is not one of a Conclave authority",
        reason="unknown-authority",
        remedy="ask whoever runs the authority for a new invite",
    )


@dataclass(frozen=True, slots=True)
class Issuer:
    """A root or an issuing authority with its key: who may sign certificates and revocation lists for ``realm``."""

    credentials: Credentials
    realm: Realm

    @property
    def certificate(self) -> Certificate:
        """The authority's own certificate."""
        return self.credentials.certificate

    @property
    def key(self) -> PrivateKey:
        """The authority's private key (P-256)."""
        return self.credentials.key

    @property
    def chain(self) -> tuple[Certificate, ...]:
        """What goes below a leaf in a chain: this certificate and those above it."""
        return (self.certificate, *self.credentials.above)


def as_issuer(credentials: Credentials) -> Issuer:
    """Take credentials for an authority's. Raises ``VerificationError`` or ``LocalError`` where they are none."""
    if credentials.key.kind is not KeyKind.P256:
        raise NotReady("an authority signs with a P-256 key")
    return Issuer(credentials, authority_realm(credentials.certificate))


def seal_credentials(credentials: Credentials, passphrase: str) -> bytes:
    """Write PKCS#12 under a passphrase. Raises ``LocalError`` where that is empty."""
    if not passphrase:
        raise NotReady("the passphrase is empty", remedy="choose one of several words")
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(PKCS12_ROUNDS)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(passphrase.encode())
    )
    return pkcs12.serialize_key_and_certificates(
        credentials.certificate.common_name.encode(),
        credentials.key.inner,
        credentials.certificate.inner,
        [c.inner for c in credentials.above],
        encryption,
    )


def open_credentials(data: bytes, passphrase: str) -> Credentials:
    """Read what ``seal_credentials`` wrote. Raises ``LocalError`` for a wrong passphrase or a damaged file."""
    if len(data) > PKCS12_BYTES:
        raise NotReady(f"a key file of {len(data)} bytes; at most {PKCS12_BYTES} are read")
    try:
        bundle = pkcs12.load_pkcs12(data, passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NotReady(
            "the passphrase does not open the key file, or the file is damaged",
            remedy="type the passphrase again; if it is right, restore the file from a backup",
        ) from error
    if not isinstance(bundle.key, (Ed25519PrivateKey, RSAPrivateKey, EllipticCurvePrivateKey)) or bundle.cert is None:
        raise NotReady("the key file holds no usable key with its certificate", remedy="restore it from a backup")
    above = tuple(wrap(c.certificate) for c in bundle.additional_certs)
    return Credentials(wrap_private(bundle.key), wrap(bundle.cert.certificate), above)
