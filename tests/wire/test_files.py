"""Frames of files: what a stranger can ask for or send at once is bounded before anything is done with it."""

from __future__ import annotations

import pytest

from conclave.errors import DecodeError
from conclave.wire.files import (
    ASK_CHUNKS,
    ASK_LEAVES,
    SEALED_BYTES,
    Ask,
    Chunk,
    FileFrame,
    FileKind,
    Lack,
    Leaves,
    Part,
    Why,
    file_body,
)
from conclave.wire.frames import decode_frame, encode_chunk, encode_frame
from conclave.wire.limits import FRAME_BYTES

ROOT = b"r" * 32


def again(frame: FileFrame) -> object:
    return decode_frame(*file_body(frame))


@pytest.mark.parametrize(
    "frame",
    [
        Ask(ROOT, Part.CHUNKS, 0, ASK_CHUNKS),
        Ask(ROOT, Part.LEAVES, 0, ASK_LEAVES),
        Ask(ROOT, Part.CHUNKS, (1 << 32) - 1, 1),
        Leaves(ROOT, 0, bytes(32 * ASK_LEAVES)),
        Chunk(ROOT, 7, bytes(SEALED_BYTES)),
    ],
)
def test_the_largest_frames_fit_and_come_back(frame: FileFrame) -> None:
    assert again(frame) == frame
    assert len(encode_frame(frame)) <= FRAME_BYTES


@pytest.mark.parametrize("size", [0, 16, 63, 64, 16_000, 16_400, SEALED_BYTES])
def test_a_chunk_that_is_encoded_by_itself_is_the_same_frame(size: int) -> None:
    sealed = bytes(size)
    assert encode_chunk(ROOT, 7, sealed) == encode_frame(Chunk(ROOT, 7, sealed))


@pytest.mark.parametrize(
    "frame",
    [
        Ask(ROOT, Part.CHUNKS, 0, ASK_CHUNKS + 1),
        Ask(ROOT, Part.LEAVES, 0, ASK_LEAVES + 1),
        Ask(ROOT, Part.CHUNKS, 0, 0),
        Ask(ROOT, Part.CHUNKS, (1 << 32) - 1, 2),
        Leaves(ROOT, 0, bytes(32 * ASK_LEAVES + 32)),
        Leaves(ROOT, 0, bytes(33)),
        Chunk(ROOT, 0, bytes(SEALED_BYTES + 1)),
    ],
)
def test_more_than_one_frame_may_ask_or_carry_is_refused(frame: FileFrame) -> None:
    with pytest.raises(DecodeError):
        again(frame)


def test_a_part_that_is_not_known_is_refused() -> None:
    kind, body = file_body(Ask(ROOT, Part.CHUNKS, 0, 1))
    with pytest.raises(DecodeError):
        decode_frame(kind, body[:32] + b"\x03" + body[33:])


def test_a_reason_of_a_newer_peer_is_some_other_reason() -> None:
    assert decode_frame(FileKind.LACK, ROOT + b"\x63") == Lack(ROOT, Why.OTHER)
