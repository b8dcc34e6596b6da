"""Signing and verifying, encrypting and opening messages (RFC 9420 sections 6.1 to 6.3).

Opening is in steps that cannot be skipped: ``open_private`` finds the sender and its key, decrypts, and gives content
that nobody has vouched for; ``verify_content`` then proves it. Every path to a message's content goes through both.
"""

from __future__ import annotations

from collections.abc import Callable

from conclave.crypto.aead import NONCE_SIZE
from conclave.crypto.labels import expand_with_label, sign_with_label, verify_with_label
from conclave.crypto.suite import CipherSuite
from conclave.errors import ConclaveError, DecodeError
from conclave.mls.framing import (
    PRIVATE_MESSAGE,
    PUBLIC_MESSAGE,
    AuthenticatedContent,
    ContentAuth,
    ContentType,
    FramedContent,
    PrivateMessage,
    PublicMessage,
    Sender,
    SenderType,
    content_aad,
    content_type,
    read_body,
    sender_data_aad,
    signed_content,
    write_body,
)
from conclave.mls.limits import Policy
from conclave.mls.original import Original
from conclave.mls.rules import RuleError
from conclave.mls.secrettree import APPLICATION, HANDSHAKE, SecretTree
from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer


def sign_original(
    suite: CipherSuite, private: bytes, wire_format: int, content: FramedContent, context: bytes
) -> Original:
    """Content as it is signed, with its signature (RFC 9420 section 6.1)."""
    signed = signed_content(wire_format, content, context)
    return Original(signed, sign_with_label(suite, private, b"FramedContentTBS", signed))


def sign_content(
    suite: CipherSuite, private: bytes, wire_format: int, content: FramedContent, context: bytes
) -> AuthenticatedContent:
    """Sign content for an envelope (RFC 9420 section 6.1); a commit's tag is still missing."""
    original = sign_original(suite, private, wire_format, content, context)
    return AuthenticatedContent(wire_format, content, ContentAuth(original.signature))


def verify_content(suite: CipherSuite, public: bytes, message: AuthenticatedContent, context: bytes) -> Original:
    """Verify a message's signature (RFC 9420 section 6.1). Raises ``RuleError``; nothing is ever exempt."""
    content = signed_content(message.wire_format, message.content, context)
    try:
        verify_with_label(suite, public, b"FramedContentTBS", content, message.auth.signature)
    except ConclaveError as error:
        raise RuleError("6.1-signature", "a message's signature does not verify") from error
    return Original(content, message.auth.signature)


# --- in the clear: RFC 9420 section 6.2 ---


def _membership_content(message: AuthenticatedContent, context: bytes) -> bytes:
    writer = Writer().raw(signed_content(message.wire_format, message.content, context))
    return message.auth.write(writer, content_type(message.content.body)).done()


def protect_public(
    suite: CipherSuite, membership_key: bytes, message: AuthenticatedContent, context: bytes
) -> PublicMessage:
    """Put signed content into a ``PublicMessage``, with a membership tag where the sender is a member."""
    if message.content.sender.type is not SenderType.MEMBER:
        return PublicMessage(message.content, message.auth)
    tag = suite.kdf.mac(membership_key, _membership_content(message, context))
    return PublicMessage(message.content, message.auth, tag)


def open_public(
    suite: CipherSuite, membership_key: bytes, message: PublicMessage, context: bytes
) -> AuthenticatedContent:
    """Check the envelope of a ``PublicMessage``; the signature is still to be verified. Raises ``RuleError``."""
    if isinstance(message.content.body, bytes):
        raise RuleError("6-application-private", "application data in the clear")
    opened = AuthenticatedContent(PUBLIC_MESSAGE, message.content, message.auth)
    if message.content.sender.type is SenderType.MEMBER:
        try:
            suite.kdf.verify_mac(membership_key, _membership_content(opened, context), message.membership_tag)
        except ConclaveError as error:
            raise RuleError("6.2-membership-tag", "a membership tag does not verify") from error
    return opened


# --- encrypted: RFC 9420 section 6.3 ---


@dataclass(frozen=True, slots=True)
class SenderData:
    """Who sent a message and with which key of theirs (RFC 9420 section 6.3.2)."""

    leaf: int
    generation: int
    reuse_guard: bytes

    def encode(self) -> bytes:
        """A ``SenderData``."""
        return self.leaf.to_bytes(4) + self.generation.to_bytes(4) + self.reuse_guard


def sender_data_key(suite: CipherSuite, sender_data_secret: bytes, ciphertext: bytes) -> tuple[bytes, bytes]:
    """Key and nonce for the sender data that goes with a ciphertext (RFC 9420 section 6.3.2)."""
    sample = ciphertext[: suite.kdf.size]
    return (
        expand_with_label(suite, sender_data_secret, b"key", sample, suite.aead.key_size),
        expand_with_label(suite, sender_data_secret, b"nonce", sample, NONCE_SIZE),
    )


def _guard(nonce: bytes, guard: bytes) -> bytes:
    return (int.from_bytes(nonce) ^ int.from_bytes(guard) << 8 * (NONCE_SIZE - 4)).to_bytes(NONCE_SIZE)


def protect_private(
    suite: CipherSuite,
    sender_data_secret: bytes,
    keys: SecretTree,
    message: AuthenticatedContent,
    padding: int,
    random: Callable[[int], bytes],
) -> tuple[SecretTree, PrivateMessage]:
    """Encrypt signed content with its sender's next key, which is then gone (RFC 9420 section 6.3.1).

    The plaintext is padded with zeros to a multiple of ``padding`` bytes; 0 and 1 stand for none.
    """
    content, kind = message.content, content_type(message.content.body)
    ratchet = APPLICATION if kind is ContentType.APPLICATION else HANDSHAKE
    keys, key = keys.next(suite, content.sender.index, ratchet)
    plaintext = message.auth.write(write_body(Writer(), content.body), kind).done()
    if padding > 1:
        plaintext += bytes(-len(plaintext) % padding)
    guard = random(4)
    aad = content_aad(content.group_id, content.epoch, kind, content.authenticated_data)
    ciphertext = suite.aead.seal(key.key, _guard(key.nonce, guard), plaintext, aad)
    data_key, data_nonce = sender_data_key(suite, sender_data_secret, ciphertext)
    data = SenderData(content.sender.index, key.generation, guard).encode()
    aad = sender_data_aad(content.group_id, content.epoch, kind)
    sealed = suite.aead.seal(data_key, data_nonce, data, aad)
    return keys, PrivateMessage(content.group_id, content.epoch, kind, content.authenticated_data, sealed, ciphertext)


def open_sender_data(suite: CipherSuite, sender_data_secret: bytes, message: PrivateMessage) -> SenderData:
    """Find out who sent a message (RFC 9420 section 6.3.2). Raises ``RuleError``."""
    data_key, data_nonce = sender_data_key(suite, sender_data_secret, message.ciphertext)
    aad = sender_data_aad(message.group_id, message.epoch, message.content_type)
    try:
        opened = suite.aead.open(data_key, data_nonce, message.encrypted_sender_data, aad)
    except ConclaveError as error:
        raise RuleError("6.3.2-sender-data", "a message's sender data does not open") from error
    if len(opened) != 12:
        raise RuleError("6.3.2-sender-data", "a message's sender data has the wrong size")
    return SenderData(int.from_bytes(opened[:4]), int.from_bytes(opened[4:8]), opened[8:])


def open_private(
    suite: CipherSuite, sender: SenderData, keys: SecretTree, message: PrivateMessage, policy: Policy
) -> tuple[SecretTree, AuthenticatedContent]:
    """Decrypt a message with a key that is then gone; the signature is still to be verified. Raises ``RuleError``."""
    kind = message.content_type
    ratchet = APPLICATION if kind is ContentType.APPLICATION else HANDSHAKE
    keys, key = keys.seek(suite, sender.leaf, ratchet, sender.generation, policy)
    nonce = _guard(key.nonce, sender.reuse_guard)
    aad = content_aad(message.group_id, message.epoch, kind, message.authenticated_data)
    try:
        plaintext = suite.aead.open(key.key, nonce, message.ciphertext, aad)
    except ConclaveError as error:
        raise RuleError("6.3.1-ciphertext", "a message does not open") from error
    reader = Reader(plaintext)
    try:
        body = read_body(reader, kind)
        auth = ContentAuth.read(reader, kind)
    except DecodeError as error:
        raise RuleError("6.3.1-content", f"a message holds something else than it says: {error}") from error
    padding = reader.fixed(reader.remaining)
    if padding.count(0) != len(padding):
        raise RuleError("6.3.1-padding", "a message is padded with something else than zeros")
    content = FramedContent(
        message.group_id, message.epoch, Sender(SenderType.MEMBER, sender.leaf), message.authenticated_data, body
    )
    return keys, AuthenticatedContent(PRIVATE_MESSAGE, content, auth)
