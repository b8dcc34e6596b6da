"""An author's signed words, kept so that somebody outside can be shown who said them (RFC 9420 section 6.1).

MLS signs every message, so a member who reports one proves it with the signed bytes alone: no key of the group goes
with them. Left out: whose key it is. Whoever judges an original takes the key from a certificate that they trust.
"""

from __future__ import annotations

from typing import NamedTuple, Self

from conclave.crypto.labels import verify_with_label
from conclave.crypto.suite import suite
from conclave.errors import ConclaveError, DecodeError
from conclave.mls.framing import PRIVATE_MESSAGE, FramedContent, SenderType
from conclave.mls.keyschedule import GroupContext
from conclave.mls.leafnode import MLS10
from conclave.mls.rules import RuleError
from conclave.wire.codec import Reader, Writer, decode


class Original(NamedTuple):
    """``FramedContentTBS`` of an application message, and its author's signature over it (RFC 9420 section 6.1)."""

    content: bytes
    signature: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read one that takes up the whole of ``data``, nothing of it proven. Raises ``DecodeError``."""
        return decode(data, lambda reader: cls(reader.opaque(), reader.opaque()))

    def encode(self) -> bytes:
        """The encoding, to keep or to show."""
        return Writer().opaque(self.content).opaque(self.signature).done()


class Said(NamedTuple):
    """What an original says. ``sender`` is a leaf index in ``epoch``; ``cipher_suite`` is the group's, by number.

    ``transcript_hash`` is that of the commits up to that epoch: where a group came apart, each half has its own.
    """

    group_id: bytes
    epoch: int
    sender: int
    data: bytes
    authenticated_data: bytes
    cipher_suite: int
    transcript_hash: bytes


def read_original(original: Original) -> Said:
    """What an original says, nothing of it proven.

    Raises ``DecodeError`` where it is no member's private words, or ``RuleError``.
    """
    reader = Reader(original.content)
    if reader.uint16() != MLS10 or reader.uint16() != PRIVATE_MESSAGE:
        raise DecodeError("an original of something else than a private message")
    content, context = FramedContent.read(reader), GroupContext.read(reader)
    reader.finish()
    if not isinstance(content.body, bytes) or content.sender.type is not SenderType.MEMBER:
        raise DecodeError("an original of something else than a member's words")
    if (content.group_id, content.epoch) != (context.group_id, context.epoch):
        raise DecodeError("an original of one epoch, signed in another")
    return Said(
        content.group_id,
        content.epoch,
        content.sender.index,
        content.body,
        content.authenticated_data,
        context.cipher_suite,
        context.confirmed_transcript_hash,
    )


def verify_original(original: Original, signature_key: bytes) -> Said:
    """What the holder of ``signature_key`` (raw) said. Raises ``DecodeError`` or ``RuleError``."""
    said = read_original(original)
    try:
        verify_with_label(
            suite(said.cipher_suite), signature_key, b"FramedContentTBS", original.content, original.signature
        )
    except ConclaveError as error:
        raise RuleError("6.1-original-signature", "an original's signature does not verify") from error
    return said
