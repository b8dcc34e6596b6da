"""Offers from anybody, and chunks: what does not fit is refused, and it is told whose fault it was."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave.chat.words.content import Offer
from conclave.errors import DecodeError, VerificationError
from conclave.files.offer import LARGEST_BYTES, Offered, open_chunk, open_into, read_offer, seal_chunk
from conclave.files.tree import leaf_hash
from conclave.values import replace
from conclave.wire.files import CHUNK_BYTES

KEY = bytes(range(32))
GOOD = Offer("report.pdf", 200_000, CHUNK_BYTES, b"r" * 32, KEY)


def test_an_offer_of_a_message_is_read() -> None:
    offered = read_offer(GOOD)
    assert (offered.name, offered.size, offered.chunks) == ("report.pdf", 200_000, 4)
    assert [offered.plain_size(n) for n in range(4)] == [65536, 65536, 65536, 200_000 - 3 * 65536]


def test_an_empty_file_has_no_chunks() -> None:
    assert read_offer(replace(GOOD, size=0)).chunks == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"chunk": 0},
        {"chunk": 1},
        {"chunk": CHUNK_BYTES * 2},
        {"chunk": (1 << 32) - 1},
        {"size": -1},
        {"size": LARGEST_BYTES + 1},
        {"size": 1 << 63},
        {"size": (1 << 64) - 1},
        {"root": b""},
        {"root": b"r" * 31},
        {"key": b"k" * 16},
    ],
)
def test_an_offer_of_no_file_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DecodeError):
        read_offer(replace(GOOD, **wrong))  # type: ignore[arg-type]


@dataclass
class AnyOffer:
    name: str
    size: int
    chunk: int
    root: bytes
    key: bytes


@given(st.builds(AnyOffer, st.text(), st.integers(), st.integers(), st.binary(max_size=40), st.binary(max_size=40)))
def test_no_offer_gives_another_error(offer: AnyOffer) -> None:
    try:
        offered = read_offer(offer)
    except DecodeError:
        return
    assert 0 <= offered.chunks <= LARGEST_BYTES // CHUNK_BYTES


OFFERED = Offered("x", CHUNK_BYTES + 5, CHUNK_BYTES, b"r" * 32, KEY)


def test_a_chunk_comes_back() -> None:
    for number, plain in ((0, bytes(CHUNK_BYTES)), (1, b"12345")):
        sealed = seal_chunk(KEY, number, plain)
        assert open_chunk(OFFERED, number, leaf_hash(sealed), sealed) == plain


@given(st.integers(0, 20), st.integers(1, 255))
def test_a_changed_chunk_is_its_senders_fault(at: int, change: int) -> None:
    sealed = bytearray(seal_chunk(KEY, 1, b"12345"))
    leaf = leaf_hash(bytes(sealed))
    sealed[at] ^= change
    with pytest.raises(VerificationError) as caught:
        open_chunk(OFFERED, 1, leaf, bytes(sealed))
    assert caught.value.reason == "wrong-chunk"


def test_a_chunk_in_another_place_does_not_open() -> None:
    sealed = seal_chunk(KEY, 1, b"12345")
    with pytest.raises(VerificationError) as caught:
        open_chunk(OFFERED, 0, leaf_hash(sealed), sealed)
    assert caught.value.reason == "wrong-key"


@pytest.mark.parametrize("plain", [b"", b"1234", b"123456"])
def test_a_size_that_is_not_the_files_is_the_offers_fault(plain: bytes) -> None:
    sealed = seal_chunk(KEY, 1, plain)
    with pytest.raises(VerificationError) as caught:
        open_chunk(OFFERED, 1, leaf_hash(sealed), sealed)
    assert caught.value.reason == "wrong-key"


def test_a_key_that_is_not_the_files_is_the_offers_fault() -> None:
    sealed = seal_chunk(bytes(32), 1, b"12345")
    with pytest.raises(VerificationError) as caught:
        open_chunk(OFFERED, 1, leaf_hash(sealed), sealed)
    assert caught.value.reason == "wrong-key"


def test_no_two_chunks_share_a_nonce() -> None:
    """The same bytes at two places, or under two offers, look nothing alike."""
    plain = bytes(100)
    assert len({seal_chunk(key, n, plain) for key in (KEY, bytes(32)) for n in (0, 1, 1 << 20)}) == 6


@pytest.mark.parametrize("wrong", [slice(0, -1), slice(1, None), slice(0, 10), slice(0, 0)])
def test_a_chunk_is_opened_into_room_of_its_size_or_not_at_all(wrong: slice) -> None:
    offered, plain = read_offer(GOOD), bytes(range(100))
    sealed, room = memoryview(seal_chunk(KEY, 3, plain)), memoryview(bytearray(200))
    open_into(offered, 3, sealed, room[50:150])
    assert bytes(room) == bytes(50) + plain + bytes(50)
    for number, cut, size in (
        (2, sealed, 100),
        (3, sealed[wrong], 100),
        (3, sealed[wrong], max(0, len(sealed[wrong]) - 16)),
    ):
        with pytest.raises(VerificationError) as told:
            open_into(offered, number, cut, room[:size])
        assert told.value.reason == "wrong-key"
