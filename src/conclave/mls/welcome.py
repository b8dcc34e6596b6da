"""Group infos and Welcomes as they stand on the wire, sealed and opened (RFC 9420 sections 12.4.3 and 12.4.3.1).

Left out: what a joiner must check before it believes one (``join``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Self

from conclave.crypto.aead import NONCE_SIZE
from conclave.crypto.labels import (
    decrypt_with_label,
    encrypt_with_label,
    expand_with_label,
    sign_with_label,
    verify_with_label,
)
from conclave.crypto.suite import CipherSuite
from conclave.errors import ConclaveError
from conclave.mls import treemath
from conclave.mls.epoch import Epoch
from conclave.mls.extensions import (
    EXTERNAL_PUB,
    RATCHET_TREE,
    Extension,
    Extensions,
    find,
    grease,
    read_extensions,
    write_extensions,
)
from conclave.mls.keypackage import KeyPackage, OwnKeyPackage
from conclave.mls.keyschedule import GroupContext, external_key, welcome_secret
from conclave.mls.psk import PreSharedKeyID
from conclave.mls.rules import RuleError
from conclave.mls.struct import Struct, put
from conclave.mls.tree import Tree
from conclave.mls.treekem import HPKECiphertext
from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer, decode


@dataclass(frozen=True, slots=True)
class GroupInfo(Struct):
    """A group's public state, vouched for by the member at leaf ``signer`` (RFC 9420 section 12.4.3)."""

    context: GroupContext
    extensions: Extensions
    confirmation_tag: bytes
    signer: int
    signature: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``GroupInfo``."""
        return cls(
            GroupContext.read(reader), read_extensions(reader), reader.opaque(), reader.uint32(), reader.opaque()
        )

    def signed_content(self) -> bytes:
        """``GroupInfoTBS``."""
        writer = write_extensions(self.context.write(Writer()), self.extensions)
        return writer.opaque(self.confirmation_tag).uint32(self.signer).done()

    def write(self, writer: Writer) -> Writer:
        """A ``GroupInfo``."""
        return writer.raw(self.signed_content()).opaque(self.signature)

    def tree(self) -> Tree | None:
        """The ratchet tree, where it came along (RFC 9420 section 12.4.3.3)."""
        data = find(self.extensions, RATCHET_TREE)
        return None if data is None else Tree.decode(data)

    def external_pub(self) -> bytes | None:
        """The key to join by an external commit, where it came along (RFC 9420 section 12.4.3.2)."""
        data = find(self.extensions, EXTERNAL_PUB)
        return None if data is None else decode(data, Reader.opaque)


def describe(
    epoch: Epoch, random: Callable[[int], bytes], *, with_tree: bool = True, with_external_pub: bool = False
) -> GroupInfo:
    """A signed group info of an epoch, by this member (RFC 9420 section 12.4.3)."""
    extensions = [Extension(grease(random), random(8))]
    if with_tree:
        extensions.append(Extension(RATCHET_TREE, epoch.tree.encode()))
    if with_external_pub:
        public = epoch.suite.kem.public(external_key(epoch.suite, epoch.secrets.external))
        extensions.append(Extension(EXTERNAL_PUB, Writer().opaque(public).done()))
    info = GroupInfo(epoch.context, tuple(extensions), epoch.confirmation_tag, epoch.me)
    signature = sign_with_label(epoch.suite, epoch.signature_key, b"GroupInfoTBS", info.signed_content())
    return GroupInfo(info.context, info.extensions, info.confirmation_tag, info.signer, signature)


def verify_info(suite: CipherSuite, info: GroupInfo, public: bytes) -> None:
    """Verify a group info's signature with its named signer's key, and no other. Raises ``RuleError``."""
    try:
        verify_with_label(suite, public, b"GroupInfoTBS", info.signed_content(), info.signature)
    except ConclaveError as error:
        raise RuleError("12.4.3-info-signature", "a group info's signature does not verify") from error


@dataclass(frozen=True, slots=True, repr=False)
class GroupSecrets(Struct):
    """What a joiner is told in private (RFC 9420 section 12.4.3.1)."""

    joiner: bytes
    path_secret: bytes | None
    psks: tuple[PreSharedKeyID, ...]

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``GroupSecrets``."""
        return cls(reader.opaque(), reader.optional(Reader.opaque), reader.vector(PreSharedKeyID.read))

    def write(self, writer: Writer) -> Writer:
        """A ``GroupSecrets``."""
        return writer.opaque(self.joiner).optional(self.path_secret, Writer.opaque).vector(self.psks, put)


@dataclass(frozen=True, slots=True)
class EncryptedGroupSecrets(Struct):
    """One joiner's share of a Welcome (RFC 9420 section 12.4.3.1)."""

    new_member: bytes
    sealed: HPKECiphertext

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """An ``EncryptedGroupSecrets``."""
        return cls(reader.opaque(), HPKECiphertext.read(reader))

    def write(self, writer: Writer) -> Writer:
        """An ``EncryptedGroupSecrets``."""
        return self.sealed.write(writer.opaque(self.new_member))


@dataclass(frozen=True, slots=True)
class Welcome(Struct):
    """An invitation for those whom one commit added (RFC 9420 section 12.4.3.1)."""

    cipher_suite: int
    secrets: tuple[EncryptedGroupSecrets, ...]
    encrypted_info: bytes

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``Welcome``."""
        return cls(reader.uint16(), reader.vector(EncryptedGroupSecrets.read), reader.opaque())

    def write(self, writer: Writer) -> Writer:
        """A ``Welcome``."""
        return writer.uint16(self.cipher_suite).vector(self.secrets, put).opaque(self.encrypted_info)


def _welcome_key(suite: CipherSuite, joiner: bytes, psk: bytes) -> tuple[bytes, bytes]:
    secret = welcome_secret(suite, joiner, psk)
    return (
        expand_with_label(suite, secret, b"key", b"", suite.aead.key_size),
        expand_with_label(suite, secret, b"nonce", b"", NONCE_SIZE),
    )


def seal_welcome(
    epoch: Epoch,
    info: GroupInfo,
    joiner: bytes,
    psk: bytes,
    psks: Sequence[PreSharedKeyID],
    newcomers: Sequence[tuple[int, KeyPackage]],
    path_secrets: Mapping[int, bytes],
    random: Callable[[int], bytes],
) -> Welcome:
    """A Welcome to ``epoch`` for newcomers, given by leaf index (RFC 9420 section 12.4.3.1)."""
    suite = epoch.suite
    key, nonce = _welcome_key(suite, joiner, psk)
    sealed_info = suite.aead.seal(key, nonce, info.encode(), b"")
    shares = []
    for leaf, package in newcomers:
        shared = treemath.common_ancestor(2 * leaf, 2 * epoch.me)
        secrets = GroupSecrets(joiner, path_secrets.get(shared), tuple(psks)).encode()
        sealed = encrypt_with_label(suite, package.init_key, b"Welcome", sealed_info, secrets, random)
        shares.append(EncryptedGroupSecrets(package.reference(suite), HPKECiphertext(*sealed)))
    return Welcome(suite.code, tuple(shares), sealed_info)


def open_secrets(welcome: Welcome, own: OwnKeyPackage) -> GroupSecrets:
    """Our share of a Welcome (RFC 9420 section 12.4.3.1). Raises ``RuleError`` where there is none."""
    suite = own.suite
    if welcome.cipher_suite != suite.code:
        raise RuleError("12.4.3.1-suite", "a Welcome of another cipher suite than our key package's")
    reference = own.package.reference(suite)
    share = next((each.sealed for each in welcome.secrets if each.new_member == reference), None)
    if share is None:
        raise RuleError("12.4.3.1-for-us", "a Welcome that is not for this key package")
    try:
        opened = decrypt_with_label(
            suite, own.init_key, b"Welcome", welcome.encrypted_info, share.kem_output, share.ciphertext
        )
        secrets = GroupSecrets.decode(opened)
    except ConclaveError as error:
        raise RuleError("12.4.3.1-secrets-open", "a Welcome's secrets do not open") from error
    path_secret = secrets.joiner if secrets.path_secret is None else secrets.path_secret
    if len(secrets.joiner) != suite.kdf.size or len(path_secret) != suite.kdf.size:
        raise RuleError("12.4.3.1-secrets-size", "a Welcome's secrets have the wrong size")
    return secrets


def open_info(suite: CipherSuite, welcome: Welcome, joiner: bytes, psk: bytes) -> GroupInfo:
    """The group info in a Welcome, its signature still to be verified (RFC 9420 section 12.4.3.1)."""
    key, nonce = _welcome_key(suite, joiner, psk)
    try:
        return GroupInfo.decode(suite.aead.open(key, nonce, welcome.encrypted_info, b""))
    except RuleError:
        raise
    except ConclaveError as error:
        raise RuleError("12.4.3.1-info-opens", "a Welcome's group info does not open") from error
