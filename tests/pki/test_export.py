"""Keys for other programs: under a person's passphrase, with rounds that it bears, and readable by others."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from conclave.errors import LocalError
from conclave.pki.export import ROUNDS, seal_pem
from conclave.pki.keys import generate_key, wrap_private
from conclave.pki.profile import KeyKind
from tests.pki.ward import rsa_key

SALT, IV = bytes(range(16)), bytes(range(16, 32))


@pytest.mark.parametrize("kind", ["RSA", "Ed25519", "P-256"])
def test_another_program_reads_it(kind: str) -> None:
    key = rsa_key() if kind == "RSA" else generate_key(KeyKind(kind))
    pem = seal_pem(key, "çok gizli", salt=SALT, iv=IV, rounds=1000)
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert max(map(len, pem.splitlines())) == 64
    read = load_pem_private_key(pem, "çok gizli".encode())
    assert wrap_private(read).public == key.public  # type: ignore[arg-type]


def test_the_rounds_are_those_that_a_persons_passphrase_needs() -> None:
    assert ROUNDS >= 600_000
    pem = seal_pem(rsa_key(), "geheim", salt=SALT, iv=IV)
    assert load_pem_private_key(pem, b"geheim")
    with pytest.raises(ValueError, match="password"):
        load_pem_private_key(pem, b"gehein")


def test_no_passphrase_and_no_randomness_are_refused() -> None:
    with pytest.raises(LocalError, match="empty"):
        seal_pem(rsa_key(), "", salt=SALT, iv=IV)
    with pytest.raises(LocalError, match="16 bytes"):
        seal_pem(rsa_key(), "x", salt=b"", iv=IV)
