"""The three purposes a device's key may have; each key has one, and its certificate says which.

``tls`` authenticates links and calls to the authority, at either end. ``im`` is the leaf of the conversation layer
(RFC 9734). ``classic`` serves the RSA suite: it both signs and decrypts, which is why it must never be taken for
one of the others; it carries a key purpose of our own, so that every TLS stack refuses it. Left out: enforcement
(``request`` for the key, ``issue`` for the extensions, ``verify`` for both).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from conclave.errors import DecodeError
from conclave.pki.names import quote
from conclave.values import dataclass


class KeyKind(StrEnum):
    """What a private key is."""

    ED25519 = "Ed25519"
    RSA = "RSA"
    P256 = "P-256"


class Profile(StrEnum):
    """What a certificate is for. The value is the label in EST paths."""

    TLS = "tls"
    IM = "im"
    CLASSIC = "classic"


IM_URI: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.40")
"""id-kp-imUri (RFC 9734)."""
CLASSIC_SUITE: Final = x509.ObjectIdentifier("2.25.92633948514411309009023402531890659045")
"""Ours, under the arc that needs no registration (ITU-T X.667): UUID version 5 of ``urn:conclave:eku:classic``."""

RSA_BITS_LEAST = 2048
RSA_BITS_MOST = 4096
RSA_BITS_DEFAULT = 3072
RSA_EXPONENT = 65537


@dataclass(frozen=True, slots=True)
class Rules:
    """What a profile demands of the key, and what its certificates carry: exactly this, no more and no less."""

    key: KeyKind
    purposes: frozenset[x509.ObjectIdentifier]
    key_encipherment: bool


RULES: Final[dict[Profile, Rules]] = {
    Profile.TLS: Rules(
        KeyKind.ED25519, frozenset({ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}), False
    ),
    Profile.IM: Rules(KeyKind.ED25519, frozenset({IM_URI}), False),
    Profile.CLASSIC: Rules(KeyKind.RSA, frozenset({CLASSIC_SUITE}), True),
}


def parse_profile(text: str) -> Profile:
    """Read a profile's label. Raises ``DecodeError``."""
    try:
        return Profile(text)
    except ValueError as error:
        known = ", ".join(Profile)
        raise DecodeError(f"there is no certificate profile {quote(text)}", remedy=f"use one of {known}") from error


def key_usage(*, signs: bool = False, enciphers: bool = False, certifies: bool = False) -> x509.KeyUsage:
    """Name the key usage bits that Conclave uses (RFC 5280 section 4.2.1.3); all others are off."""
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=enciphers,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certifies,
        crl_sign=certifies,
        encipher_only=False,
        decipher_only=False,
    )
