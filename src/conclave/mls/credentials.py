"""Who a leaf claims to be (RFC 9420 section 5.3).

Whether the claim holds is judged outside, by a ``Verify`` function that the caller hands in: MLS's authentication
service. Here stands only what MLS itself demands: that the signature key of an X.509 leaf is its certificate's key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from conclave.crypto.certificate import subject_key
from conclave.errors import DecodeError, Refused, RemoteError
from conclave.mls.rules import RuleError
from conclave.mls.struct import Struct
from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer

BASIC = 0x0001
X509 = 0x0002

MAX_CHAIN = 8
"""Certificates in one chain."""


@dataclass(frozen=True, slots=True)
class Credential(Struct):
    """A basic identity, or a certificate chain, leaf first (RFC 9420 section 5.3). Exactly one of the two is set."""

    type: int
    identity: bytes = b""
    certificates: tuple[bytes, ...] = ()

    @classmethod
    def basic(cls, identity: bytes) -> Self:
        """A bare name, which the application must know how to trust."""
        return cls(BASIC, identity)

    @classmethod
    def x509(cls, certificates: tuple[bytes, ...]) -> Self:
        """A chain of DER certificates, the leaf's first."""
        return cls(X509, b"", certificates)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``Credential``. An unknown type cannot be read over: its length is not on the wire."""
        kind = reader.uint16()
        if kind == BASIC:
            return cls(kind, reader.opaque())
        if kind == X509:
            certificates = reader.vector(Reader.opaque)
            if not 0 < len(certificates) <= MAX_CHAIN:
                raise DecodeError(f"a chain of {len(certificates)} certificates")
            return cls(kind, b"", certificates)
        raise DecodeError(f"credential type {kind:#06x} is not one of ours")

    def write(self, writer: Writer) -> Writer:
        """A ``Credential``."""
        writer.uint16(self.type)
        if self.type == BASIC:
            return writer.opaque(self.identity)
        return writer.vector(self.certificates, Writer.opaque)


Verify = Callable[[Credential, bytes, float], bytes]
"""The authentication service: (credential, raw signature key, now) -> the identity that it proves.

It raises a ``RemoteError`` or ``Refused`` where the credential is not valid, or not acceptable here; what fails on
our side passes through as it is. Two credentials that give equal identities are the same client: one may replace the
other, and no group holds both.
"""


def identify(credential: Credential, signature_key: bytes, verify: Verify, now: float) -> bytes:
    """Validate a credential with the authentication service (RFC 9420 section 5.3.1) and give its identity."""
    if credential.type == X509:
        try:
            held = subject_key(credential.certificates[0])
        except DecodeError as error:
            raise RuleError("5.3-certificate-readable", "a credential's certificate cannot be read") from error
        if held != signature_key:
            raise RuleError("5.3-certificate-key", "a leaf's signature key is not its certificate's key")
    try:
        return verify(credential, signature_key, now)
    except (RemoteError, Refused) as error:
        raise RuleError("5.3.1-credential", f"a credential is not accepted: {error}") from error
