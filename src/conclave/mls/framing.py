"""Messages before and after protection (RFC 9420 section 6): content, its authentication, and both envelopes.

Left out: making and checking signatures, tags and ciphertexts (``protection``).
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import Self

from conclave.errors import DecodeError
from conclave.mls.leafnode import MLS10
from conclave.mls.limits import MAX_GROUP_ID
from conclave.mls.proposals import Proposal, read_proposal, write_proposal
from conclave.mls.struct import Struct
from conclave.mls.treekem import UpdatePath
from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer, encode_varint

PUBLIC_MESSAGE = 1
PRIVATE_MESSAGE = 2


class ContentType(IntEnum):
    """What a message carries (RFC 9420 section 6)."""

    APPLICATION = 1
    PROPOSAL = 2
    COMMIT = 3


class SenderType(IntEnum):
    """Where a message comes from (RFC 9420 section 6)."""

    MEMBER = 1
    EXTERNAL = 2
    NEW_MEMBER_PROPOSAL = 3
    NEW_MEMBER_COMMIT = 4


@dataclass(frozen=True, slots=True)
class Sender(Struct):
    """Who a message is from: ``index`` is a member's leaf index, or an outsider's place in ``external_senders``."""

    type: SenderType
    index: int = 0

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``Sender``."""
        kind = reader.uint8()
        if kind in (SenderType.MEMBER, SenderType.EXTERNAL):
            return cls(SenderType(kind), reader.uint32())
        if kind in (SenderType.NEW_MEMBER_PROPOSAL, SenderType.NEW_MEMBER_COMMIT):
            return cls(SenderType(kind))
        raise DecodeError(f"a sender of type {kind}")

    def write(self, writer: Writer) -> Writer:
        """A ``Sender``."""
        writer.uint8(self.type)
        return writer.uint32(self.index) if self.type in (SenderType.MEMBER, SenderType.EXTERNAL) else writer


@dataclass(frozen=True, slots=True)
class Commit(Struct):
    """Proposals, whole or by reference (as bytes), and perhaps a path (RFC 9420 section 12.4)."""

    proposals: tuple[Proposal | bytes, ...]
    path: UpdatePath | None = None

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``Commit``."""
        return cls(reader.vector(_read_proposal_or_ref), reader.optional(UpdatePath.read))

    def write(self, writer: Writer) -> Writer:
        """A ``Commit``."""
        writer.vector(self.proposals, _write_proposal_or_ref)
        return writer.optional(self.path, lambda each, path: path.write(each))


def _read_proposal_or_ref(reader: Reader) -> Proposal | bytes:
    kind = reader.uint8()
    if kind == 1:
        return read_proposal(reader)
    if kind == 2:
        return reader.opaque()
    raise DecodeError("neither a proposal nor a reference to one")


def _write_proposal_or_ref(writer: Writer, proposal: Proposal | bytes) -> Writer:
    if isinstance(proposal, bytes):
        return writer.uint8(2).opaque(proposal)
    return write_proposal(writer.uint8(1), proposal)


Body = bytes | Proposal | Commit
"""What a message carries: application data, a proposal or a commit."""


def content_type(body: Body) -> ContentType:
    """The type that a body is announced with."""
    if isinstance(body, bytes):
        return ContentType.APPLICATION
    return ContentType.COMMIT if isinstance(body, Commit) else ContentType.PROPOSAL


def read_content_type(reader: Reader) -> ContentType:
    """A ``ContentType``."""
    kind = reader.uint8()
    if kind not in (1, 2, 3):
        raise DecodeError(f"content of type {kind}")
    return ContentType(kind)


def read_body(reader: Reader, kind: ContentType) -> Body:
    """The body of an announced type."""
    if kind is ContentType.APPLICATION:
        return reader.opaque()
    return read_proposal(reader) if kind is ContentType.PROPOSAL else Commit.read(reader)


def write_body(writer: Writer, body: Body) -> Writer:
    """A body, without its type."""
    if isinstance(body, bytes):
        return writer.opaque(body)
    return body.write(writer) if isinstance(body, Commit) else write_proposal(writer, body)


@dataclass(frozen=True, slots=True)
class FramedContent(Struct):
    """Who says what, where and when (RFC 9420 section 6)."""

    group_id: bytes
    epoch: int
    sender: Sender
    authenticated_data: bytes
    body: Body

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``FramedContent``."""
        group_id, epoch = reader.opaque(MAX_GROUP_ID), reader.uint64()
        sender, authenticated_data = Sender.read(reader), reader.opaque()
        return cls(group_id, epoch, sender, authenticated_data, read_body(reader, read_content_type(reader)))

    def write(self, writer: Writer) -> Writer:
        """A ``FramedContent``."""
        self.sender.write(writer.opaque(self.group_id).uint64(self.epoch)).opaque(self.authenticated_data)
        return write_body(writer.uint8(content_type(self.body)), self.body)


@dataclass(frozen=True, slots=True)
class ContentAuth:
    """``FramedContentAuthData`` (RFC 9420 section 6.1); the tag is there exactly for commits that are complete."""

    signature: bytes
    confirmation_tag: bytes | None = None

    @classmethod
    def read(cls, reader: Reader, kind: ContentType) -> Self:
        """A ``FramedContentAuthData`` for content of a type."""
        return cls(reader.opaque(), reader.opaque() if kind is ContentType.COMMIT else None)

    def write(self, writer: Writer, kind: ContentType) -> Writer:
        """A ``FramedContentAuthData`` for content of a type."""
        writer.opaque(self.signature)
        return writer.opaque(self.confirmation_tag or b"") if kind is ContentType.COMMIT else writer


@dataclass(frozen=True, slots=True)
class AuthenticatedContent(Struct):
    """Content with its authentication and the envelope it was signed for (RFC 9420 section 6)."""

    wire_format: int
    content: FramedContent
    auth: ContentAuth

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """An ``AuthenticatedContent``."""
        wire_format, content = reader.uint16(), FramedContent.read(reader)
        return cls(wire_format, content, ContentAuth.read(reader, content_type(content.body)))

    def write(self, writer: Writer) -> Writer:
        """An ``AuthenticatedContent``."""
        self.content.write(writer.uint16(self.wire_format))
        return self.auth.write(writer, content_type(self.content.body))

    def transcript_input(self) -> bytes:
        """``ConfirmedTranscriptHashInput`` (RFC 9420 section 8.2)."""
        return self.content.write(Writer().uint16(self.wire_format)).opaque(self.auth.signature).done()


def signed_content(wire_format: int, content: FramedContent, context: bytes) -> bytes:
    """``FramedContentTBS`` (RFC 9420 section 6.1).

    ``context`` is the encoded group context, which members and those who enter by this message sign as well.
    """
    writer = content.write(Writer().uint16(MLS10).uint16(wire_format))
    if content.sender.type in (SenderType.MEMBER, SenderType.NEW_MEMBER_COMMIT):
        writer.raw(context)
    return writer.done()


@dataclass(frozen=True, slots=True)
class PublicMessage(Struct):
    """A message in the clear (RFC 9420 section 6.2); the tag is there exactly for members."""

    content: FramedContent
    auth: ContentAuth
    membership_tag: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``PublicMessage``."""
        content = FramedContent.read(reader)
        auth = ContentAuth.read(reader, content_type(content.body))
        return cls(content, auth, reader.opaque() if content.sender.type is SenderType.MEMBER else b"")

    def write(self, writer: Writer) -> Writer:
        """A ``PublicMessage``."""
        self.auth.write(self.content.write(writer), content_type(self.content.body))
        return writer.opaque(self.membership_tag) if self.content.sender.type is SenderType.MEMBER else writer


@dataclass(frozen=True, slots=True)
class PrivateMessage(Struct):
    """An encrypted message (RFC 9420 section 6.3)."""

    group_id: bytes
    epoch: int
    content_type: ContentType
    authenticated_data: bytes
    encrypted_sender_data: bytes
    ciphertext: bytes

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``PrivateMessage``."""
        return cls(
            reader.opaque(MAX_GROUP_ID),
            reader.uint64(),
            read_content_type(reader),
            reader.opaque(),
            reader.opaque(),
            reader.opaque(),
        )

    def write(self, writer: Writer) -> Writer:
        """A ``PrivateMessage``."""
        head = content_aad(self.group_id, self.epoch, self.content_type, self.authenticated_data)
        return writer.raw(head).opaque(self.encrypted_sender_data).opaque(self.ciphertext)


@lru_cache(256)  # the same for all that is said in an epoch, and wanted thrice for each message
def sender_data_aad(group_id: bytes, epoch: int, kind: ContentType) -> bytes:
    """``SenderDataAAD`` (RFC 9420 section 6.3.2): what the sender data of a private message is bound to."""
    return Writer().opaque(group_id).uint64(epoch).uint8(kind).done()


def content_aad(group_id: bytes, epoch: int, kind: ContentType, authenticated_data: bytes) -> bytes:
    """``PrivateContentAAD`` (RFC 9420 section 6.3.1): what the content of a private message is bound to."""
    return sender_data_aad(group_id, epoch, kind) + encode_varint(len(authenticated_data)) + authenticated_data
