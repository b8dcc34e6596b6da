"""A cipher suite whose signatures cost a hash: anybody can forge them, and in a world of honest nodes nobody does.

Keys are Ed25519's, because certificates hold them. All else of the suite is the real thing, and so is MLS above
it: a signature over other bytes, or of another's key, is refused here too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

from conclave.crypto.signature import ED25519
from conclave.crypto.suite import CLASSICAL, SUITES, CipherSuite
from conclave.errors import VerificationError

CODE = 0xF0FF
"""A private-use number that nothing in the product has."""


class Forgeable:
    """A ``SignatureScheme`` for the suite: the signature is a hash of the public key and the message."""

    name = "nothing that protects"
    private_size = ED25519.private_size

    def generate(self, random: Callable[[int], bytes]) -> bytes:
        return ED25519.generate(random)

    def public(self, private: bytes) -> bytes:
        return _public(private)

    def sign(self, private: bytes, message: bytes) -> bytes:
        return hashlib.blake2b(message, key=_public(private)).digest()

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        if hashlib.blake2b(message, key=public).digest() != signature:
            raise VerificationError("a signature does not verify", reason="bad-signature")


@lru_cache(64)
def _public(private: bytes) -> bytes:
    return ED25519.public(private)


SUITE = CipherSuite(CODE, "stand-in", CLASSICAL.kem, CLASSICAL.kdf, CLASSICAL.aead, Forgeable())


@contextmanager
def standing_in() -> Iterator[int]:
    """The suite is known within, and only there; gives its number."""
    SUITES[CODE] = SUITE
    try:
        yield CODE
    finally:
        del SUITES[CODE]
