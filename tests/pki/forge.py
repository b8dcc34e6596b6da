"""Certificates that our authority would never make, signed by whatever key is wanted."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from conclave.pki.certificate import Certificate, utc, wrap
from conclave.pki.credentials import Issuer
from conclave.pki.keys import PrivateKey, load_public
from conclave.pki.profile import RULES, Profile, key_usage
from tests.pki.ward import NOW

TLS_PURPOSES = tuple(RULES[Profile.TLS].purposes)
SAN = ("im:ayse@ward-7.internal", "laptop.ayse.ward-7.internal")


def forge(
    issuer: Issuer,
    key: PrivateKey,
    *,
    signer: PrivateKey | None = None,
    issuer_name: x509.Name | None = None,
    purposes: tuple[x509.ObjectIdentifier, ...] | None = TLS_PURPOSES,
    names: tuple[x509.GeneralName, ...] | None = None,
    san: tuple[str, str] | None = SAN,
    usage: x509.KeyUsage | None = None,
    authority: bool = False,
    common: str = "ayse",
    extra: x509.ExtensionType | None = None,
    not_before: float = NOW - 300,
    not_after: float = NOW + 86400,
) -> Certificate:
    """A leaf below ``issuer``, right in everything that is not asked to be wrong."""
    sign = (signer or issuer.key).inner_p256
    general = names if names is not None else ()
    if names is None and san is not None:
        general = (x509.UniformResourceIdentifier(san[0]), x509.DNSName(san[1]))
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)]))
        .issuer_name(issuer_name or issuer.certificate.inner.subject)
        .public_key(load_public(key.public))
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc(not_before))
        .not_valid_after(utc(not_after))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage or key_usage(signs=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(sign.public_key()), critical=False)
    )
    if purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if general:
        builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
    if extra is not None:
        builder = builder.add_extension(extra, critical=True)
    return wrap(builder.sign(sign, hashes.SHA256()))
