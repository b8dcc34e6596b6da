"""Key packages: what a client publishes so that others can add it (RFC 9420 section 10).

``OwnKeyPackage`` holds the private half, which the client keeps until it has joined, once, and then erases.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Self

from conclave.crypto.labels import ref_hash, sign_with_label, verify_with_label
from conclave.crypto.suite import CipherSuite, suite
from conclave.errors import ConclaveError, DecodeError
from conclave.mls.credentials import Credential
from conclave.mls.extensions import GREASE, Extension, Extensions, grease, read_extensions, write_extensions
from conclave.mls.leafnode import MLS10, Capabilities, LeafNode, Source, check_leaf, check_lifetime, verify_leaf
from conclave.mls.limits import Policy
from conclave.mls.rules import RuleError
from conclave.mls.struct import Struct
from conclave.values import dataclass, replace
from conclave.wire.codec import Reader, Writer


@dataclass(frozen=True)
class KeyPackage(Struct):
    """A client's signed offer to be added (RFC 9420 section 10)."""

    version: int
    cipher_suite: int
    init_key: bytes
    leaf: LeafNode
    extensions: Extensions = ()
    signature: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """A ``KeyPackage``."""
        return cls(
            reader.uint16(),
            reader.uint16(),
            reader.opaque(),
            LeafNode.read(reader),
            read_extensions(reader),
            reader.opaque(),
        )

    @cached_property
    def signed_content(self) -> bytes:
        """``KeyPackageTBS``."""
        writer = Writer().uint16(self.version).uint16(self.cipher_suite).opaque(self.init_key)
        return write_extensions(self.leaf.write(writer), self.extensions).done()

    def write(self, writer: Writer) -> Writer:
        """A ``KeyPackage``."""
        return writer.raw(self.signed_content).opaque(self.signature)

    def reference(self, of: CipherSuite) -> bytes:
        """``KeyPackageRef`` (RFC 9420 section 5.2)."""
        return ref_hash(of, b"MLS 1.0 KeyPackage Reference", self.encode())

    def sign(self, of: CipherSuite, private: bytes) -> Self:
        """The same key package with its signature."""
        return replace(self, signature=sign_with_label(of, private, b"KeyPackageTBS", self.signed_content))


def check_key_package(
    of: CipherSuite, package: KeyPackage, group_extensions: Extensions, now: float | None, policy: Policy
) -> None:
    """Validate a key package against the group that it shall join (RFC 9420 section 10.1). Raises ``RuleError``.

    Without ``now`` its lifetime does not matter. Left to the caller: its credential, and what it must not share with
    members (sections 5.3.1 and 7.3).
    """
    if package.version != MLS10 or package.cipher_suite != of.code:
        raise RuleError("10.1-version-suite", "a key package of another protocol version or cipher suite")
    check_leaf(of, package.leaf, Source.KEY_PACKAGE, group_extensions, policy)
    if now is not None:
        check_lifetime(package.leaf, now, policy.max_lifetime)
    listed = package.leaf.capabilities.has_extensions(extension.type for extension in package.extensions)
    if policy.complete_capabilities and not listed:
        raise RuleError("10-package-extensions", "a key package carries an extension that its leaf does not list")
    if package.leaf.encryption_key == package.init_key:
        raise RuleError("10.1-init-key", "a key package's init key is its leaf's encryption key")
    try:
        of.kem.load_public(package.init_key)
    except DecodeError as error:
        raise RuleError("10-init-key-valid", "a key package's init key is none of the suite's") from error
    verify_leaf(of, package.leaf)
    try:
        verify_with_label(of, package.leaf.signature_key, b"KeyPackageTBS", package.signed_content, package.signature)
    except ConclaveError as error:
        raise RuleError("10.1-package-signature", "a key package's signature does not verify") from error


def capabilities_of(
    cipher_suites: tuple[int, ...],
    credentials: tuple[int, ...],
    extensions: tuple[int, ...],
    random: Callable[[int], bytes],
) -> Capabilities:
    """What we support, with one GREASE value in each list (RFC 9420 section 13.5)."""
    return Capabilities(
        (MLS10,),
        (*cipher_suites, grease(random)),
        (*extensions, grease(random)),
        (grease(random),),
        (*credentials, grease(random)),
    )


@dataclass(frozen=True)
class OwnKeyPackage(Struct):
    """A key package of ours with its private keys, raw. Erase it as soon as it was used (RFC 9420 section 9.2)."""

    package: KeyPackage
    init_key: bytes
    encryption_key: bytes
    signature_key: bytes

    @classmethod
    def create(
        cls,
        of: CipherSuite,
        credential: Credential,
        signature_key: bytes,
        lifetime: tuple[int, int],
        random: Callable[[int], bytes],
        *,
        extensions: tuple[int, ...] = (),
        leaf_extensions: Extensions = (),
    ) -> Self:
        """Make a key package. ``lifetime`` is in UNIX seconds; ``extensions`` are further types that we support."""
        init_key = of.kem.derive(random(of.kem.private_size))
        encryption_key = of.kem.derive(random(of.kem.private_size))
        capabilities = capabilities_of((of.code,), (credential.type,), extensions, random)
        leaf = LeafNode(
            of.kem.public(encryption_key),
            of.signature.public(signature_key),
            credential,
            capabilities,
            Source.KEY_PACKAGE,
            lifetime,
            extensions=leaf_extensions,
        ).sign(of, signature_key)
        meaningless = tuple(Extension(kind, random(4)) for kind in capabilities.extensions if kind in GREASE)
        package = KeyPackage(MLS10, of.code, of.kem.public(init_key), leaf, meaningless).sign(of, signature_key)
        return cls(package, init_key, encryption_key, signature_key)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Our own form, for the vault."""
        return cls(KeyPackage.read(reader), reader.opaque(), reader.opaque(), reader.opaque())

    def write(self, writer: Writer) -> Writer:
        """Our own form, for the vault."""
        self.package.write(writer)
        return writer.opaque(self.init_key).opaque(self.encryption_key).opaque(self.signature_key)

    @property
    def suite(self) -> CipherSuite:
        """The suite that it was made for."""
        return suite(self.package.cipher_suite)

    def __repr__(self) -> str:
        """Without the keys."""
        return f"OwnKeyPackage({self.package.leaf.credential!r})"
