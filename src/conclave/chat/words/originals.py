"""What an author signed, kept and carried on, so that somebody else can be shown who said it.

Kept, an original names its author's certificate by its SHA-256, for the store holds each certificate once; on its
way to somebody else (``Signed``) it brings the certificate along. Left out: whether it holds
(``chat.lobbies.sharing``, ``chat.words.transcript``).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from typing import Self

from conclave.chat.words.content import Content, decode_content
from conclave.errors import DecodeError
from conclave.mls import group as mls
from conclave.mls.group import Original, State
from conclave.values import dataclass, field
from conclave.wire.codec import Reader, Writer, decode

CONTENT_BYTES = 256 * 1024
"""The longest content with its group context."""
SIGNATURE_BYTES = 256
CERTIFICATE_BYTES = 16 * 1024
FINGERPRINT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Signed:
    """``FramedContentTBS`` (RFC 9420 section 6.1), the signature over it, and the author's certificate (DER)."""

    content: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    certificate: bytes = field(repr=False)

    @property
    def original(self) -> Original:
        """What MLS verifies."""
        return Original(self.content, self.signature)

    def encode(self) -> bytes:
        """As it travels."""
        return Writer().opaque(self.content).opaque(self.signature).opaque(self.certificate).done()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The inverse of ``encode``, nothing of it proven. Raises ``DecodeError``."""
        return decode(
            data, lambda r: cls(r.opaque(CONTENT_BYTES), r.opaque(SIGNATURE_BYTES), r.opaque(CERTIFICATE_BYTES))
        )

    def keep(self) -> bytes:
        """As the store keeps it."""
        return keep(self.original, self.certificate)


def replaced(before: State, after: State) -> Iterator[tuple[bytes, bytes]]:
    """Certificates (DER) and signature keys of the members whose place is empty, or another's, in the later epoch.

    What they said in the earlier one may still arrive.
    """
    then, now = before.epoch.roster, after.epoch.roster
    for leaf, member in then.items() if then is not now else ():
        if now.get(leaf) != member:
            yield from ((der, member.signature_key) for der in mls.credential(before, leaf).certificates[:1])


def keep(original: Original, certificate: bytes) -> bytes:
    """An original as the store keeps it, its author's certificate by name.

    Empty where it is too long to be read again: the group's context is in it, which a member can make so.
    """
    if len(original.content) > CONTENT_BYTES or len(original.signature) > SIGNATURE_BYTES:
        return b""
    w = Writer().opaque(original.content).opaque(original.signature)
    return w.fixed(fingerprint(certificate), FINGERPRINT_BYTES).done()


@lru_cache(1024)
def fingerprint(certificate: bytes) -> bytes:
    """By what a certificate is named (``FINGERPRINT_BYTES``)."""
    return sha256(certificate).digest()


def said_in(kept: bytes) -> Content:
    """What a kept original says. Raises ``DecodeError``."""
    return decode_content(mls.read_original(read_kept(kept)[0]).data)


def other_words(one: bytes, other: bytes) -> bool:
    """Whether two kept originals say something else, whenever and under which keys they were signed.

    What is not kept cannot be compared: it is taken for the same.
    """
    if not one or not other or one == other:
        return False
    try:
        return said_in(one).body != said_in(other).body
    except DecodeError:
        return False


def read_kept(data: bytes) -> tuple[Original, bytes]:
    """The inverse of ``keep``: the original, and the SHA-256 of its certificate. Raises ``DecodeError``."""

    def kept(r: Reader) -> tuple[Original, bytes]:
        return Original(r.opaque(CONTENT_BYTES), r.opaque(SIGNATURE_BYTES)), r.fixed(FINGERPRINT_BYTES)

    return decode(data, kept)
