"""Small things sealed to one client, outside any group, by the key in its key package (RFC 9420 section 5.1.3).

Anybody can seal: what is opened says nothing of its sender, so whoever must know puts a signature inside. Left out:
whether the key package is its owner's (``group.identify_package``), and forward secrecy: the key lives as long as
the key package does.
"""

from __future__ import annotations

from collections.abc import Callable

from conclave.crypto.labels import decrypt_with_label, encrypt_with_label
from conclave.crypto.suite import suite
from conclave.errors import ConclaveError, LocalError
from conclave.mls.keypackage import KeyPackage, OwnKeyPackage
from conclave.mls.rules import RuleError
from conclave.mls.treekem import HPKECiphertext

RESERVED = (b"UpdatePathNode", b"Welcome")
"""Labels of MLS itself: what is sealed here must never pass for a part of the protocol."""


def _check_label(label: bytes) -> None:
    if not label or label in RESERVED:
        raise LocalError(f"{label!r} is no label for an application's own use")


def seal_to(package: KeyPackage, label: bytes, context: bytes, data: bytes, random: Callable[[int], bytes]) -> bytes:
    """``data`` for the owner of ``package`` alone, bound to ``label`` and ``context``. Raises ``LocalError``."""
    _check_label(label)
    try:
        of = suite(package.cipher_suite)
        sealed = encrypt_with_label(of, package.leaf.encryption_key, label, context, data, random)
    except ConclaveError as error:
        raise LocalError("nothing can be sealed to this key package", remedy="Fetch a fresh one.") from error
    return HPKECiphertext(*sealed).encode()


def open_with(own: OwnKeyPackage, label: bytes, context: bytes, sealed: bytes) -> bytes:
    """What was sealed to our key package. Raises ``DecodeError`` or ``RuleError``."""
    _check_label(label)
    found = HPKECiphertext.decode(sealed)
    try:
        return decrypt_with_label(own.suite, own.encryption_key, label, context, found.kem_output, found.ciphertext)
    except ConclaveError as error:
        raise RuleError("5.1.3-sealed", "something sealed to our key package does not open") from error
