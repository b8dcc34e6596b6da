"""Roster entries."""

from __future__ import annotations

import contextlib

import pytest
from conclave.lobby.roster import Change, Turn, decode_change, encode_change
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import RemoteError


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Change(Turn.ENTERED, "burak", 5.0), "burak entered"),
        (Change(Turn.LEFT, "cem", 5.0), "cem left"),
        (Change(Turn.REMOVED, "deniz", 5.0, "certificate revoked"), "deniz was removed: certificate revoked"),
        (Change(Turn.REMOVED, "deniz", 5.0), "deniz was removed"),
        (Change(Turn.CLOSED, "ayse", 5.0), "the lobby was closed by ayse"),
    ],
)
def test_a_change_comes_back_and_has_words(change: Change, words: str) -> None:
    assert decode_change(encode_change(change)) == change
    assert change.words == words


@given(st.binary(max_size=60))
@settings(max_examples=100)
def test_garbage_is_refused(payload: bytes) -> None:
    with contextlib.suppress(RemoteError):
        decode_change(payload)


def test_a_reason_is_plain_and_short() -> None:
    change = decode_change(encode_change(Change(Turn.REMOVED, "deniz", 1.0, "a\x1b[2J\nb" + "c" * 999)))
    assert change.reason.isprintable()
    assert len(change.reason) == 200


def test_another_version_is_refused() -> None:
    data = encode_change(Change(Turn.LEFT, "cem", 5.0))
    with pytest.raises(RemoteError):
        decode_change(b"\x02" + data[1:])
