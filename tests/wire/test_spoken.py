"""Numbers that people compare: known words, every bit counts, always the same shape."""

from hypothesis import given
from hypothesis import strategies as st

from conclave.wire.spoken import digits, words


def test_the_words_of_the_proposal() -> None:
    """The examples of arXiv:0901.4016, which are IPv4 addresses."""
    for address, said in (
        ((127, 0, 0, 1), ("lusab", "babad")),
        ((63, 84, 220, 193), ("gutih", "tugad")),
        ((147, 67, 119, 2), ("natag", "lisaf")),
    ):
        assert words(bytes(address), 2) == said


@given(st.binary(min_size=32, max_size=32), st.integers(0, 127))
def test_one_bit_changes_a_word_and_the_digits(number: bytes, bit: int) -> None:
    changed = (int.from_bytes(number) ^ 1 << 255 - bit).to_bytes(32)
    assert sum(one != other for one, other in zip(words(number), words(changed), strict=True)) == 1
    assert digits(number) != digits(changed)


@given(st.binary(min_size=32, max_size=32))
def test_their_shape(number: bytes) -> None:
    assert [len(one) for one in words(number)] == [5] * 8
    assert [len(one) for one in digits(number)] == [5] * 12
    assert "".join(digits(number)).isdecimal()
