"""Records come back from the store, and garbage there gives errors of ours only."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from conclave.chat.words.content import Offer
from conclave.errors import DecodeError
from conclave.files.offer import LARGEST_BYTES, Offered
from conclave.files.record import FileRecord, Stage, decode_record, encode_record, record_of
from conclave.values import replace
from conclave.wire.files import CHUNK_BYTES

OFFER = Offer("../plan.pdf", 70_000, CHUNK_BYTES, b"r" * 32, b"k" * 32)
PATHS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\udcff\udc80"), max_size=100)
B32 = st.binary(min_size=32, max_size=32)
RECORDS = st.builds(
    FileRecord,
    st.sampled_from(["@burak", "#ops"]),
    st.just("ayse"),
    st.binary(min_size=16, max_size=16),
    st.builds(Offered, st.just("plan.pdf"), st.integers(0, LARGEST_BYTES), st.just(CHUNK_BYTES), B32, B32),
    st.integers(0, 1 << 40).map(lambda ms: ms / 1000),
    st.sampled_from(Stage),
    PATHS,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
)


@given(RECORDS)
def test_a_record_comes_back(record: FileRecord) -> None:
    assert decode_record(encode_record(record)) == record


@given(RECORDS, st.data())
def test_a_broken_record_gives_a_decode_error(record: FileRecord, data: st.DataObject) -> None:
    stored = bytearray(encode_record(record))
    at = data.draw(st.integers(0, len(stored) - 1))
    stored[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(DecodeError):
        decode_record(bytes(stored))
    with contextlib.suppress(DecodeError):
        decode_record(bytes(stored[:at]))


def test_an_id_names_all_that_was_offered_where_and_by_whom() -> None:
    """Whoever offers another's root, with another key, size or name or with the same, has an offer of its own."""
    record = record_of("@burak", "burak", bytes(16), OFFER, 1.0)
    assert record.offered.name == "_plan.pdf"
    others = [
        record_of("#ops", "burak", bytes(16), OFFER, 1.0),
        record_of("#ops", "burak", b"m" * 16, OFFER, 1.0),
        record_of("#ops", "cem", bytes(16), OFFER, 1.0),
        *(
            record_of("@burak", "burak", bytes(16), replace(OFFER, **changed), 1.0)
            for changed in ({"key": b"x" * 32}, {"size": 1}, {"name": "other"}, {"root": b"x" * 32})
        ),
    ]
    assert len({record.id, *(other.id for other in others)}) == 8
    assert record_of("#ops", "burak", bytes(16), OFFER, 9.0).id == others[0].id


def test_both_sides_of_a_pair_call_an_offer_the_same() -> None:
    theirs = record_of("@ayse", "ayse", b"m" * 16, OFFER, 1.0)
    assert record_of("@burak", "ayse", b"m" * 16, OFFER, 1.0).id == theirs.id
    assert record_of("@burak", "burak", b"m" * 16, OFFER, 1.0).id != theirs.id
