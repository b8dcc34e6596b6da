"""The bare primitives that MLS cannot do without, called on the library's own objects, keys ready beforehand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from time import process_time
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from conclave.crypto.suite import HYBRID, CipherSuite

ROUNDS = 5


def each(count: int, work: Callable[[], object]) -> float:
    """Seconds of the processor that one call takes."""
    start = process_time()
    for _ in range(count):
        work()
    return (process_time() - start) / count


def best(work: Callable[[], float], rounds: int = ROUNDS) -> float:
    """The quickest of a few rounds: other work on the machine only slows."""
    return min(work() for _ in range(rounds))


class Floor(NamedTuple):
    """Seconds of one call of each."""

    sign: float
    verify: float
    expand: float
    seal: float
    open: float
    wrap: float  # HPKE
    unwrap: float
    pair: float  # public key of a private one

    @property
    def protect(self) -> float:
        """A message: signature; key, nonce and next secret; its sender's key and nonce; content and sender sealed."""
        return self.sign + 5 * self.expand + self.seal

    @property
    def receive(self) -> float:
        """The same the other way."""
        return self.verify + 5 * self.expand + self.open


def lowest(floors: Iterable[Floor]) -> Floor:
    """The quickest of each."""
    return Floor(*map(min, zip(*floors, strict=True)))


def floor(suite: CipherSuite, count: int) -> Floor:
    """Measure once. ``seal`` and ``open`` are of 320 bytes and of 12 together, as 200 bytes of words need them."""
    private = ed25519.Ed25519PrivateKey.generate()
    public, content = private.public_key(), bytes(400)
    signature = private.sign(content)
    key, nonce, algorithm = bytes(16), bytes(12), SHA256()
    sealed, small = AESGCM(key).encrypt(nonce, bytes(320), bytes(40)), AESGCM(key).encrypt(nonce, bytes(12), None)

    def seal() -> None:
        AESGCM(key).encrypt(nonce, bytes(320), bytes(40))
        AESGCM(key).encrypt(nonce, bytes(12), None)

    def opened() -> None:
        AESGCM(key).decrypt(nonce, sealed, bytes(40))
        AESGCM(key).decrypt(nonce, small, None)

    def pair() -> None:
        x25519.X25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
        if suite is HYBRID:
            mlkem.MLKEM768PrivateKey.from_seed_bytes(bytes(64)).public_key().public_bytes_raw()

    kem = KEM.MLKEM768_X25519 if suite is HYBRID else KEM.X25519
    hpke = Suite(kem, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
    raw = suite.kem.derive(os.urandom(32))
    theirs = suite.kem.load_public(suite.kem.public(raw))
    ours = suite.kem.load_private(raw)
    wrapped = hpke.encrypt(bytes(32), theirs, bytes(200))  # type: ignore[arg-type]
    works: tuple[Callable[[], object], ...] = (
        lambda: private.sign(content),
        lambda: public.verify(signature, content),
        lambda: HKDFExpand(algorithm, 32, bytes(24)).derive(bytes(32)),
        seal,
        opened,
        lambda: hpke.encrypt(bytes(32), theirs, bytes(200)),  # type: ignore[arg-type]
        lambda: hpke.decrypt(wrapped, ours, bytes(200)),  # type: ignore[arg-type]
        pair,
    )
    return Floor(*(each(count, work) for work in works))
