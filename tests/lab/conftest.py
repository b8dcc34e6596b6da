"""RSA keys are slow to make: the lab's tests take theirs from a few that are made once."""

from __future__ import annotations

from functools import cache

import pytest

from conclave.lab import realm
from conclave.pki.keys import PrivateKey, generate_key
from conclave.pki.profile import RSA_BITS_LEAST, KeyKind, Profile

KEYS = 12
"""More than any lesson takes, so that no two people in it have the same."""
taken = 0
make = realm._key


@cache
def rsa(number: int) -> PrivateKey:
    del number
    return generate_key(KeyKind.RSA, RSA_BITS_LEAST)


def key(profile: Profile) -> PrivateKey:
    global taken
    if profile is not Profile.CLASSIC:
        return make(profile)
    taken += 1
    return rsa(taken % KEYS)


@pytest.fixture(autouse=True)
def few_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realm, "_key", key)
