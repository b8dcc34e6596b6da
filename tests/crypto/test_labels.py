"""Labelled operations: a label, a context, a length are each bound in. The vectors are in ``tests/mls``."""

from __future__ import annotations

import os

import pytest

from conclave.crypto.labels import (
    decrypt_with_label,
    derive_secret,
    derive_tree_secret,
    encrypt_with_label,
    expand_with_label,
    ref_hash,
    sign_with_label,
    verify_with_label,
)
from conclave.crypto.suite import CLASSICAL
from conclave.errors import VerificationError


def test_a_signature_is_for_one_purpose() -> None:
    private = CLASSICAL.signature.generate(os.urandom)
    public = CLASSICAL.signature.public(private)
    signature = sign_with_label(CLASSICAL, private, b"one", b"content")
    verify_with_label(CLASSICAL, public, b"one", b"content", signature)
    for label, content in ((b"other", b"content"), (b"one", b"other"), (b"onec", b"ontent")):
        with pytest.raises(VerificationError):
            verify_with_label(CLASSICAL, public, label, content, signature)


def test_a_ciphertext_is_for_one_purpose() -> None:
    private = CLASSICAL.kem.derive(bytes(32))
    sealed = encrypt_with_label(CLASSICAL, CLASSICAL.kem.public(private), b"one", b"context", b"words", os.urandom)
    assert decrypt_with_label(CLASSICAL, private, b"one", b"context", *sealed) == b"words"
    for label, context in ((b"other", b"context"), (b"one", b"other")):
        with pytest.raises(VerificationError):
            decrypt_with_label(CLASSICAL, private, label, context, *sealed)


def test_derived_secrets_differ_by_label_context_and_length() -> None:
    secret = bytes(32)
    found = {
        derive_secret(CLASSICAL, secret, b"one"),
        derive_secret(CLASSICAL, secret, b"other"),
        expand_with_label(CLASSICAL, secret, b"one", b"context", 32),
        expand_with_label(CLASSICAL, secret, b"one", b"", 33)[:32],
        derive_tree_secret(CLASSICAL, secret, b"one", 0, 32),
        derive_tree_secret(CLASSICAL, secret, b"one", 1, 32),
    }
    assert len(found) == 6


def test_references_differ_by_label() -> None:
    assert ref_hash(CLASSICAL, b"one", b"value") != ref_hash(CLASSICAL, b"other", b"value")
