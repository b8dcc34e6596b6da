from __future__ import annotations

import pytest

from conclave.crypto.password import NOBODY, hash_password, verify_password
from conclave.errors import LocalError, Refused


def test_a_password_fits_its_hash_alone() -> None:
    hashed = hash_password("correct horse battery", b"0123456789abcdef")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert "horse" not in hashed
    verify_password("correct horse battery", hashed)
    for wrong in ("correct horse batterz", "", "x" * 10_000, "\ud800"):
        with pytest.raises(Refused) as caught:
            verify_password(wrong, hashed)
        assert caught.value.reason == "bad-credentials"


def test_the_parameters_are_those_of_rfc_9106_and_the_salt_counts() -> None:
    one, other = (hash_password("correct horse battery", salt * 16) for salt in (b"a", b"b"))
    assert one.split("$")[-1] != other.split("$")[-1]


def test_nobody_has_no_password() -> None:
    with pytest.raises(Refused):
        verify_password("conclave-nobody", NOBODY)


@pytest.mark.parametrize("password", ["short", "x" * 257])
def test_lengths(password: str) -> None:
    with pytest.raises(LocalError):
        hash_password(password, b"0123456789abcdef")
    with pytest.raises(LocalError):
        hash_password("long enough a password", b"short salt")
