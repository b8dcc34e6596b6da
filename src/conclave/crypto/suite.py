"""The MLS cipher suites (RFC 9420 section 17.1) and our hybrid post-quantum one.

A suite names its primitives and nothing else: which suite is allowed is policy, and elsewhere. The hybrid suite is
``MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519`` of draft-ietf-mls-pq-ciphersuites, which has no number yet:
``HYBRID_CODE`` is the only place to renumber it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from conclave.crypto import kem, signature
from conclave.crypto.aead import AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305, Aead
from conclave.crypto.hpke import Hpke
from conclave.crypto.kdf import SHA256, SHA384, SHA512, Kdf
from conclave.errors import DecodeError

HYBRID_CODE = 0xF042
"""Our private-use number (RFC 9420 section 17.1: 0xF000 to 0xFFFF) for the hybrid suite."""


@dataclass(frozen=True, slots=True, eq=False)
class CipherSuite:
    """One suite. ``code`` is its number on the wire."""

    code: int
    name: str
    kem: kem.Kem
    kdf: Kdf
    aead: Aead
    signature: signature.SignatureScheme
    hpke: Hpke = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hpke", Hpke(self.kem, self.kdf, self.aead))


HYBRID = CipherSuite(
    HYBRID_CODE,
    "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519",
    kem.XWING,
    SHA256,
    AES_128_GCM,
    signature.ED25519,
)
CLASSICAL = CipherSuite(
    1, "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519", kem.X25519, SHA256, AES_128_GCM, signature.ED25519
)

SUITES = {
    suite.code: suite
    for suite in (
        HYBRID,
        CLASSICAL,
        CipherSuite(2, "MLS_128_DHKEMP256_AES128GCM_SHA256_P256", kem.P256, SHA256, AES_128_GCM, signature.P256),
        CipherSuite(
            3,
            "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
            kem.X25519,
            SHA256,
            CHACHA20_POLY1305,
            signature.ED25519,
        ),
        CipherSuite(4, "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448", kem.X448, SHA512, AES_256_GCM, signature.ED448),
        CipherSuite(5, "MLS_256_DHKEMP521_AES256GCM_SHA512_P521", kem.P521, SHA512, AES_256_GCM, signature.P521),
        CipherSuite(
            6, "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448", kem.X448, SHA512, CHACHA20_POLY1305, signature.ED448
        ),
        CipherSuite(7, "MLS_256_DHKEMP384_AES256GCM_SHA384_P384", kem.P384, SHA384, AES_256_GCM, signature.P384),
    )
}
"""Every suite that we have, by number."""


def suite(code: int) -> CipherSuite:
    """The suite of a number. Raises ``DecodeError`` where we have none."""
    try:
        return SUITES[code]
    except KeyError as error:
        raise DecodeError(f"cipher suite {code:#06x} is not one of ours") from error
