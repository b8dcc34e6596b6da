"""Pieces of a long content: each in its place, all of them, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.crypto.stream import PIECE_BYTES, SEALED_BYTES, open_piece, seal_piece
from conclave.errors import LocalError, VerificationError

KEY = bytes(range(32))


def test_pieces_come_back() -> None:
    whole = bytes(PIECE_BYTES)
    assert len(seal_piece(KEY, 0, whole, last=False)) == SEALED_BYTES
    assert open_piece(KEY, 0, seal_piece(KEY, 0, whole, last=False), last=False) == whole
    assert open_piece(KEY, 5, seal_piece(KEY, 5, b"end", last=True), last=True) == b"end"
    assert open_piece(KEY, 0, seal_piece(KEY, 0, b"", last=True), last=True) == b""


def test_a_known_piece() -> None:
    """AES-256-GCM under the number in eleven bytes and the mark of the last: what any library gives."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = bytes(10) + b"\x03\x01"
    assert seal_piece(KEY, 3, b"words", last=True) == AESGCM(KEY).encrypt(nonce, b"words", None)


@pytest.mark.parametrize(("content", "last"), [(b"short", False), (bytes(PIECE_BYTES + 1), True), (b"", False)])
def test_sizes_that_are_none(content: bytes, last: bool) -> None:
    with pytest.raises(LocalError):
        seal_piece(KEY, 0, content, last=last)


@pytest.mark.parametrize(
    ("key", "number", "last"), [(bytes(32), 1, True), (KEY, 2, True), (KEY, 0, True), (KEY, 1, False)]
)
def test_another_key_number_or_place(key: bytes, number: int, last: bool) -> None:
    sealed = seal_piece(KEY, 1, b"words", last=True)
    with pytest.raises(VerificationError):
        open_piece(key, number, sealed, last=last)


@settings(deadline=None)
@given(st.data())
def test_no_changed_byte_or_length_opens(data: st.DataObject) -> None:
    sealed = bytearray(seal_piece(KEY, 1, b"some words", last=True))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    for bad in (bytes(sealed), bytes(sealed[:-1]), bytes(sealed[: data.draw(st.integers(0, 20))]), sealed + b"x"):
        with pytest.raises(VerificationError):
            open_piece(KEY, 1, bytes(bad), last=True)
