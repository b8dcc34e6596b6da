"""What is offered: a file's name, size, root and key; and its chunks, sealed under that key.

Each offer has a key of its own, which is used for the chunks of this one file and nothing else, with the chunk's
number as the nonce (NIST SP 800-38D section 8.2.1). The same bytes give the same sealed chunks, so whoever has the
file can serve it. Different bytes must never be sealed under a key that is in use: whoever serves checks each sealed
chunk against its tag or its leaf (``is_offered``) before it leaves the house. Left out: how the offer travels
(``chat.words.content.Offer``).
"""

from __future__ import annotations

from typing import Protocol

from conclave.crypto.aead import AES_256_GCM
from conclave.errors import DecodeError, VerificationError
from conclave.files.names import safe_name
from conclave.files.tree import leaf_hash
from conclave.values import dataclass
from conclave.wire.files import CHUNK_BYTES, DIGEST_BYTES

KEY_BYTES = 32
SEAL_BYTES = 16
"""So much longer a chunk is sealed than plain: its tag."""
LARGEST_BYTES = 64 << 30
"""No file may be larger: its list of leaves has 32 MiB."""
_LABEL = b"conclave file 1"


class OfferLike(Protocol):
    """An offer as it arrived in a message, nothing of it checked: ``chat.words.content.Offer``."""

    @property
    def name(self) -> str:
        """As its sender calls it."""

    @property
    def size(self) -> int:
        """Bytes of the plain file."""

    @property
    def chunk(self) -> int:
        """Plain bytes of a chunk."""

    @property
    def root(self) -> bytes:
        """Merkle root (32 bytes) over the sealed chunks."""

    @property
    def key(self) -> bytes:
        """AES-256 key (32 bytes) of this file alone."""


@dataclass(frozen=True, slots=True)
class Offered:
    """An offer that was checked: sizes that can be, and a name that is safe to use in any folder."""

    name: str
    size: int
    chunk: int
    root: bytes
    key: bytes

    @property
    def chunks(self) -> int:
        """How many chunks there are; none of an empty file."""
        return -(-self.size // self.chunk)

    def plain_size(self, number: int) -> int:
        """Plain bytes of the chunk ``number``."""
        return min(self.chunk, self.size - number * self.chunk)


def read_offer(offer: OfferLike) -> Offered:
    """An offer of anybody's, checked. Raises ``DecodeError`` for sizes that no file of ours has."""
    if offer.chunk != CHUNK_BYTES:
        raise DecodeError(f"a file in chunks of {offer.chunk} bytes is offered; {CHUNK_BYTES} are known here")
    if not 0 <= offer.size <= LARGEST_BYTES:
        raise DecodeError(f"a file of {offer.size} bytes is offered; at most {LARGEST_BYTES} can be sent")
    if len(offer.root) != DIGEST_BYTES or len(offer.key) != KEY_BYTES:
        raise DecodeError("a file is offered whose root or key has the wrong length")
    return Offered(safe_name(offer.name), offer.size, offer.chunk, offer.root, offer.key)


def seal_chunk(key: bytes, number: int, plain: bytes) -> bytes:
    """The chunk as it travels: ciphertext and tag of 16 bytes."""
    return AES_256_GCM.seal(key, number.to_bytes(12), plain, _LABEL)


def tag_of(sealed: bytes) -> bytes:
    """The tag (16 bytes) of a sealed chunk."""
    return sealed[-SEAL_BYTES:]


def is_offered(number: int, sealed: bytes, leaf: bytes, tags: bytes) -> bool:
    """Whether a chunk that was sealed here has the tag, or else the leaf, that it had when it was offered or fetched.

    ``tags`` are those of the whole file, joined; empty where they are not known. Under one key and nonce other bytes
    have another tag, unless who made them has the key; whoever takes those refuses them by their leaf.
    """
    at = number * SEAL_BYTES
    return tag_of(sealed) == tags[at : at + SEAL_BYTES] or leaf_hash(sealed) == leaf


def check_chunk(offered: Offered, number: int, leaf: bytes, sealed: bytes) -> None:
    """That a chunk is the one of this leaf, and as long as the offer says. Raises ``VerificationError``.

    Its reason is ``wrong-chunk`` where whoever sent it is at fault, ``wrong-key`` where the offer is.
    """
    if leaf_hash(sealed) != leaf:
        raise VerificationError(f"chunk {number} is not the one that was offered", reason="wrong-chunk")
    if len(sealed) != offered.plain_size(number) + SEAL_BYTES:
        raise VerificationError("the offer's size is not its file's", reason="wrong-key")


def open_sealed(offered: Offered, number: int, sealed: bytes) -> bytes:
    """The plain bytes of a chunk. Raises ``VerificationError``, reason ``wrong-key``, where it does not open."""
    try:
        return AES_256_GCM.open(offered.key, number.to_bytes(12), sealed, _LABEL)
    except VerificationError as error:
        raise VerificationError("the offer's key does not open its file", reason="wrong-key") from error


def open_into(offered: Offered, number: int, sealed: memoryview, plain: memoryview) -> None:
    """As ``open_sealed``, into room for exactly the plain bytes; what it holds after an error must not be used."""
    try:
        AES_256_GCM.open_into(offered.key, number.to_bytes(12), sealed, _LABEL, plain)
    except VerificationError as error:
        raise VerificationError("the offer's key does not open its file", reason="wrong-key") from error


def open_chunk(offered: Offered, number: int, leaf: bytes, sealed: bytes) -> bytes:
    """The plain bytes of a chunk that arrived: both of the above."""
    check_chunk(offered, number, leaf, sealed)
    return open_sealed(offered, number, sealed)
