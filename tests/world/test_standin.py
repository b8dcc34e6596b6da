"""The stand-in still refuses what another key or other bytes were signed with, and is nowhere but in its worlds."""

from __future__ import annotations

import pytest

from conclave.crypto.suite import SUITES, suite
from conclave.errors import DecodeError, VerificationError
from tests.world import test_worlds
from tests.world.script import Town
from tests.world.standin import CODE, SUITE, standing_in

KEY, OTHER = bytes(32), bytes(31) + b"\1"


def test_a_signature_holds_for_its_key_and_its_bytes_alone() -> None:
    scheme = SUITE.signature
    signature = scheme.sign(KEY, b"words")
    scheme.verify(scheme.public(KEY), b"words", signature)
    for public, message in ((scheme.public(OTHER), b"words"), (scheme.public(KEY), b"other words")):
        with pytest.raises(VerificationError):
            scheme.verify(public, message, signature)


def test_it_is_known_only_within() -> None:
    with standing_in() as code:
        assert suite(code) is SUITE
    assert CODE not in SUITES
    with pytest.raises(DecodeError):
        suite(CODE)


def test_one_world_in_ten_has_real_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def notes(seed: int, *, suite: int, **options: bool) -> Town:
        seen.append(suite)
        return Town(seed, suite=suite, **options)

    monkeypatch.setattr(Town, "play", lambda _: False)
    monkeypatch.setattr(test_worlds, "Town", notes)
    for seed in range(test_worlds.WORLDS):
        test_worlds.outcome(seed)
    assert len(seen) - seen.count(CODE) >= 50
