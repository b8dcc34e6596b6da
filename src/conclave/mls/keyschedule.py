"""The key schedule: from one epoch's secret to the next one's, and to every key in between (RFC 9420 section 8).

Here too are the group context that every epoch is bound to (8.1), the transcript hashes (8.2), external
initialisation (8.3) and the exporter (8.5). Left out: pre-shared keys (``psk``) and message keys (``secrettree``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Self

from conclave.crypto.labels import derive_secret, expand_with_label
from conclave.crypto.suite import CipherSuite
from conclave.errors import DecodeError
from conclave.mls.extensions import Extensions, read_extensions, write_extensions
from conclave.mls.leafnode import MLS10
from conclave.mls.limits import MAX_GROUP_ID
from conclave.mls.struct import Struct
from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer


@dataclass(frozen=True)
class GroupContext(Struct):
    """What a group agrees on in one epoch (RFC 9420 section 8.1)."""

    cipher_suite: int
    group_id: bytes
    epoch: int
    tree_hash: bytes
    confirmed_transcript_hash: bytes
    extensions: Extensions = ()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``GroupContext``."""
        version = reader.uint16()
        if version != MLS10:
            raise DecodeError(f"protocol version {version}")
        return cls(
            reader.uint16(),
            reader.opaque(MAX_GROUP_ID),
            reader.uint64(),
            reader.opaque(),
            reader.opaque(),
            read_extensions(reader),
        )

    def write(self, writer: Writer) -> Writer:
        """A ``GroupContext``."""
        return writer.raw(self.encoded)

    @cached_property
    def encoded(self) -> bytes:
        """The encoding, made once: every signature of the epoch covers it."""
        writer = Writer().uint16(MLS10).uint16(self.cipher_suite).opaque(self.group_id).uint64(self.epoch)
        writer.opaque(self.tree_hash).opaque(self.confirmed_transcript_hash)
        return write_extensions(writer, self.extensions).done()


@dataclass(frozen=True, slots=True, repr=False)
class EpochSecrets(Struct):
    """What is kept of an epoch's secret (RFC 9420 section 8, table 4). ``epoch_secret`` itself never is."""

    sender_data: bytes
    encryption: bytes
    exporter: bytes
    external: bytes
    confirmation: bytes
    membership: bytes
    resumption: bytes
    authenticator: bytes
    init: bytes

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Our own form, for the state."""
        return cls(*(reader.opaque() for _ in range(9)))

    def write(self, writer: Writer) -> Writer:
        """Our own form, for the state."""
        for secret in (
            self.sender_data,
            self.encryption,
            self.exporter,
            self.external,
            self.confirmation,
            self.membership,
            self.resumption,
            self.authenticator,
            self.init,
        ):
            writer.opaque(secret)
        return writer

    def kept(self) -> EpochSecrets:
        """The same without what is used once, when the epoch begins (RFC 9420 section 9.2)."""
        return EpochSecrets(
            self.sender_data,
            b"",
            self.exporter,
            self.external,
            b"",
            self.membership,
            self.resumption,
            self.authenticator,
            self.init,
        )


def joiner_secret(suite: CipherSuite, init_secret: bytes, commit_secret: bytes, context: GroupContext) -> bytes:
    """What a joiner must know to enter the epoch of ``context`` (RFC 9420 section 8)."""
    extracted = suite.kdf.extract(init_secret, commit_secret)
    return expand_with_label(suite, extracted, b"joiner", context.encoded, suite.kdf.size)


def welcome_secret(suite: CipherSuite, joiner: bytes, psk_secret: bytes) -> bytes:
    """What encrypts the group info in a Welcome (RFC 9420 section 8)."""
    return derive_secret(suite, suite.kdf.extract(joiner, psk_secret), b"welcome")


def enter_epoch(suite: CipherSuite, joiner: bytes, psk_secret: bytes, context: GroupContext) -> EpochSecrets:
    """Every secret of the epoch of ``context`` (RFC 9420 section 8)."""
    extracted = suite.kdf.extract(joiner, psk_secret)
    return epoch_secrets(suite, expand_with_label(suite, extracted, b"epoch", context.encoded, suite.kdf.size))


def epoch_secrets(suite: CipherSuite, epoch_secret: bytes) -> EpochSecrets:
    """Every secret that is derived from an epoch's own (RFC 9420 section 8, table 4)."""
    labels = (
        b"sender data",
        b"encryption",
        b"exporter",
        b"external",
        b"confirm",
        b"membership",
        b"resumption",
        b"authentication",
        b"init",
    )
    return EpochSecrets(*(derive_secret(suite, epoch_secret, label) for label in labels))


def export(suite: CipherSuite, exporter_secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """MLS-Exporter: ``length`` bytes for the application's own use (RFC 9420 section 8.5)."""
    secret = derive_secret(suite, exporter_secret, label)
    return expand_with_label(suite, secret, b"exported", suite.kdf.hash(context), length)


def external_key(suite: CipherSuite, external_secret: bytes) -> bytes:
    """The private key that the whole group holds, for those who join by an external commit (RFC 9420 section 8)."""
    return suite.kem.derive(external_secret)


_EXTERNAL_INIT = b"MLS 1.0 external init secret"


def send_external_init(
    suite: CipherSuite, external_public: bytes, random: Callable[[int], bytes]
) -> tuple[bytes, bytes]:
    """KEM output and init secret of someone who joins from outside (RFC 9420 section 8.3)."""
    return suite.hpke.send_export(external_public, b"", _EXTERNAL_INIT, suite.kdf.size, random)


def receive_external_init(suite: CipherSuite, external_secret: bytes, kem_output: bytes) -> bytes:
    """The init secret that a joiner from outside chose (RFC 9420 section 8.3)."""
    private = external_key(suite, external_secret)
    return suite.hpke.receive_export(private, b"", kem_output, _EXTERNAL_INIT, suite.kdf.size)


def confirmed_transcript(suite: CipherSuite, interim: bytes, commit_input: bytes) -> bytes:
    """The transcript hash up to a commit's signature (RFC 9420 section 8.2); the input is the commit's own."""
    return suite.kdf.hash(interim + commit_input)


def interim_transcript(suite: CipherSuite, confirmed: bytes, confirmation_tag: bytes) -> bytes:
    """The transcript hash up to a commit's confirmation tag (RFC 9420 section 8.2)."""
    return suite.kdf.hash(confirmed + Writer().opaque(confirmation_tag).done())
