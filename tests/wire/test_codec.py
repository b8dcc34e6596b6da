"""The codec: what is written is read back, and whatever else comes gives ``DecodeError``."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import DecodeError, LocalError
from conclave.wire.codec import VARINT_MAX, Reader, Writer, decode, encode_varint


@given(st.integers(0, VARINT_MAX))
def test_a_length_comes_back_in_its_shortest_form(value: int) -> None:
    data = encode_varint(value)
    assert decode(data, Reader.varint) == value
    assert len(data) == (1 if value < 64 else 2 if value < 16384 else 4)


@pytest.mark.parametrize("data", [b"\x40\x3f", b"\x40\x00", b"\x80\x00\x3f\xff", b"\xc0\x00\x00\x00\x00\x00\x00\x00"])
def test_a_longer_form_than_needed_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        Reader(data).varint()


@pytest.mark.parametrize("value", [-1, VARINT_MAX + 1])
def test_a_length_that_does_not_fit_is_not_written(value: int) -> None:
    with pytest.raises(LocalError):
        encode_varint(value)


@given(st.binary(max_size=40))
def test_every_length_that_is_read_is_canonical(data: bytes) -> None:
    reader = Reader(data)
    try:
        value = reader.varint()
    except DecodeError:
        return
    assert encode_varint(value) == reader.since(0)


@given(
    st.integers(0, 255), st.integers(0, (1 << 16) - 1), st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1),
    st.binary(max_size=200), st.text(max_size=50), st.lists(st.text(max_size=9)), st.none() | st.binary(max_size=9),
)  # fmt: skip
@settings(max_examples=60)
def test_a_structure_comes_back(
    a: int, b: int, c: int, d: int, opaque: bytes, text: str, items: list[str], maybe: bytes | None
) -> None:
    w = Writer().uint8(a).uint16(b).uint32(c).uint64(d).opaque(opaque).text(text).vector(items, Writer.text)
    data = w.optional(maybe, Writer.opaque).done()
    reader = Reader(data)
    assert (reader.uint8(), reader.uint16(), reader.uint32(), reader.uint64()) == (a, b, c, d)
    assert reader.opaque(200) == opaque
    assert reader.text(200) == text
    assert reader.vector(lambda r: r.text(36)) == tuple(items)
    assert reader.optional(Reader.opaque) == maybe
    reader.finish()


def test_nothing_is_read_past_a_vector() -> None:
    inner = Writer().uint8(9).done()
    reader = Reader(Writer().opaque(inner).uint64(1).done())
    with pytest.raises(DecodeError):
        reader.vector(Reader.uint16)


@pytest.mark.parametrize(
    "read",
    [
        lambda r: r.opaque(3),
        lambda r: r.text(3),
        lambda r: r.vector(Reader.uint8, 3),
        lambda r: r.vector(Reader.uint8, most=3),
        lambda r: r.fixed(6),
        lambda r: r.vector(lambda _: None),
    ],
)
def test_limits_hold(read: object) -> None:
    with pytest.raises(DecodeError):
        read(Reader(b"\x04abcd"))  # type: ignore[operator]


def test_what_is_left_over_is_refused() -> None:
    with pytest.raises(DecodeError):
        decode(b"\x01\x02", Reader.uint8)


def test_text_is_utf8_and_optionals_are_0_or_1() -> None:
    with pytest.raises(DecodeError):
        Reader(b"\x02\xff\xfe").text(9)
    with pytest.raises(DecodeError):
        Reader(b"\x02\x00").optional(Reader.uint8)


@pytest.mark.parametrize("value", [-1, 256])
def test_a_number_that_does_not_fit_is_not_written(value: int) -> None:
    with pytest.raises(LocalError):
        Writer().uint8(value)
