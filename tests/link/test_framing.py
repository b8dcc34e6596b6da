"""Frames are cut alike however the stream is chopped, within limits, in linear time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import DecodeError
from conclave.link.framing import FrameCutter
from conclave.wire.codec import encode_varint

LIMIT = 20_000
FRAMES = st.lists(
    st.tuples(st.integers(0, 255), st.sampled_from([0, 1, 63, 64, 200, 16_383, 16_384, LIMIT]).map(bytes)), max_size=6
)


def encoded(frames: list[tuple[int, bytes]]) -> bytes:
    return b"".join(bytes((kind,)) + encode_varint(len(body)) + body for kind, body in frames)


@settings(max_examples=60, deadline=None)
@given(frames=FRAMES, data=st.data())
def test_chopped_anywhere_gives_the_same_frames(frames: list[tuple[int, bytes]], data: st.DataObject) -> None:
    stream = encoded(frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    cutter = FrameCutter(LIMIT)
    got: list[tuple[int, bytes]] = []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += cutter.cut(stream[start:stop])
    assert got == frames
    assert cutter.held == 0


def test_byte_by_byte() -> None:
    frames = [(16, b""), (17, bytes(63)), (18, bytes(64)), (19, bytes(16_384))]
    cutter = FrameCutter(LIMIT)
    assert [frame for byte in encoded(frames) for frame in cutter.cut(bytes((byte,)))] == frames


@pytest.mark.parametrize(
    "header",
    [b"\x10\x40\x3f", b"\x10\x80\x00\x3f\xff", b"\x10\xc0", b"\x10\xff\xff\xff\xff", b"\x10\x80\x00\x4e\x21"],
)
def test_bad_lengths_are_refused_before_the_body_comes(header: bytes) -> None:
    cutter = FrameCutter(LIMIT)
    with pytest.raises(DecodeError):
        list(cutter.cut(header))


def test_frames_before_a_bad_one_are_given() -> None:
    cutter = FrameCutter(LIMIT)
    frames = cutter.cut(b"\x10\x01a\x11\x01b\x12\xc0")
    assert [next(frames), next(frames)] == [(16, b"a"), (17, b"b")]
    with pytest.raises(DecodeError):
        next(frames)


def test_half_a_frame_waits_and_is_not_copied_again_and_again() -> None:
    """A body that dribbles in is held once, in one buffer that only grows."""
    cutter = FrameCutter(1 << 20)
    stream = b"\x10" + encode_varint(1 << 20) + bytes(1 << 20)
    assert list(cutter.cut(stream[:10])) == []
    buffer = cutter._waiting
    for at in range(10, len(stream) - 4096, 4096):
        assert list(cutter.cut(stream[at : at + 4096])) == []
        assert cutter._waiting is buffer
    assert cutter.held <= len(stream)


def test_the_limit_can_be_raised_between_frames() -> None:
    cutter = FrameCutter(4)
    frames = cutter.cut(b"\x01\x04abcd\x10\x05abcde")
    next(frames)
    cutter.allow(5)
    assert list(frames) == [(16, b"abcde")]
