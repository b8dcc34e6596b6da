"""The at-rest envelope: content under a passphrase, by Argon2id (RFC 9106) and AES-256-GCM.

An envelope is ``header || ciphertext || tag``. The header (magic, version, cost, salt, nonce) is the associated data,
so no byte of an envelope can be changed unnoticed. The cost is read from the header within bounds, so that a
tampered file cannot make us spend a machine's memory. Salt and nonce are handed in. Left out: what makes a
passphrase good, and files (``store.vault``).
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from conclave.errors import DecodeError, LocalError, VerificationError
from conclave.values import dataclass, field
from conclave.wire.codec import Reader, Writer

MAGIC = b"conclave seal\n"
VERSION = 1
SALT_BYTES = 16
NONCE_BYTES = 12
TAG_BYTES = 16
_KEY_BYTES = 32

MEMORY_KIB_MAX = 1 << 20
"""An envelope that asks for more than 1 GiB of memory is refused."""
PASSES_MAX = 16
LANES_MAX = 16


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess at the passphrase costs: memory (KiB), passes over it, lanes. The names are RFC 9106's."""

    memory_kib: int
    passes: int
    lanes: int

    def __post_init__(self) -> None:
        """Raise ``LocalError`` outside the bounds."""
        if not (
            1 <= self.lanes <= LANES_MAX
            and 1 <= self.passes <= PASSES_MAX
            and 8 * self.lanes <= self.memory_kib <= MEMORY_KIB_MAX
        ):
            raise LocalError(
                f"a cost of {self.memory_kib} KiB, {self.passes} passes, {self.lanes} lanes is out of bounds"
            )


STANDARD = Cost(memory_kib=64 * 1024, passes=3, lanes=4)
"""RFC 9106 section 4, the second recommended option: a third of a second on a small machine."""


@dataclass(frozen=True, slots=True)
class SealingKey:
    """The key that a passphrase gave with this salt and cost; keeps sealing without the passphrase."""

    cost: Cost
    salt: bytes
    key: bytes = field(repr=False)


def derive(passphrase: bytes, *, salt: bytes, cost: Cost = STANDARD) -> SealingKey:
    """The key for ``passphrase`` under a fresh random ``salt`` (16 bytes).

    Raises ``LocalError`` where this machine cannot: too little memory, or an OpenSSL without Argon2id.
    """
    if len(salt) != SALT_BYTES:
        raise LocalError(f"a salt has {SALT_BYTES} bytes")
    try:
        kdf = Argon2id(
            salt=salt, length=_KEY_BYTES, iterations=cost.passes, lanes=cost.lanes, memory_cost=cost.memory_kib
        )
        return SealingKey(cost, salt, kdf.derive(passphrase))
    except MemoryError as error:
        raise LocalError(
            f"{cost.memory_kib // 1024} MiB of memory are needed for a moment and were not to be had",
            remedy="end other programs and try again",
        ) from error
    except UnsupportedAlgorithm as error:
        raise LocalError("this build of OpenSSL lacks Argon2id", remedy="use OpenSSL 3.2 or newer") from error


def seal(key: SealingKey, content: bytes, *, nonce: bytes) -> bytes:
    """The envelope around ``content``. ``nonce`` (12 bytes) must never come twice with one key."""
    header = _header(key.cost, key.salt, nonce)
    return header + AESGCM(key.key).encrypt(nonce, content, header)


def unseal(passphrase: bytes, envelope: bytes) -> tuple[SealingKey, bytes]:
    """The content, and the key with which to seal it again.

    Raises ``DecodeError`` for what is no envelope of a known version, and ``VerificationError`` where the passphrase
    is wrong or the envelope was changed, which cannot be told apart.
    """
    cost, salt, nonce, header, sealed = _parts(envelope)
    key = derive(passphrase, salt=salt, cost=cost)
    try:
        return key, AESGCM(key.key).decrypt(nonce, sealed, header)
    except InvalidTag as error:
        raise VerificationError("wrong passphrase, or the envelope was changed", reason="wrong-passphrase") from error


def recognise(envelope: bytes) -> None:
    """Assert that this is an envelope, as far as that shows without the passphrase. Raises ``DecodeError``."""
    _parts(envelope)


def _parts(envelope: bytes) -> tuple[Cost, bytes, bytes, bytes, bytes]:
    """Cost, salt, nonce, the whole header, and what is sealed. Raises ``DecodeError``."""
    reader = Reader(envelope)
    if reader.remaining < len(MAGIC) or reader.fixed(len(MAGIC)) != MAGIC:
        raise DecodeError("not a sealed envelope")
    version = reader.uint8()
    if version != VERSION:
        raise DecodeError(f"sealed in version {version}, this program knows {VERSION}")
    try:
        cost = Cost(reader.uint32(), reader.uint8(), reader.uint8())
    except LocalError as error:
        raise DecodeError(str(error)) from error
    salt = reader.fixed(SALT_BYTES)
    nonce = reader.fixed(NONCE_BYTES)
    header = reader.since(0)
    sealed = reader.fixed(reader.remaining)
    if len(sealed) < TAG_BYTES:
        raise DecodeError("a sealed envelope that was cut short")
    return cost, salt, nonce, header, sealed


def _header(cost: Cost, salt: bytes, nonce: bytes) -> bytes:
    w = Writer().raw(MAGIC).uint8(VERSION).uint32(cost.memory_kib).uint8(cost.passes).uint8(cost.lanes)
    return w.fixed(salt, SALT_BYTES).fixed(nonce, NONCE_BYTES).done()
