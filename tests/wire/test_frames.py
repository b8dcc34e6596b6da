"""Frames and parcels: round trip, truncation, garbage, limits."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import DecodeError
from conclave.wire.codec import Reader, Writer
from conclave.wire.delivery import Post, PostKind
from conclave.wire.files import FileKind, Lack
from conclave.wire.frames import Frame, decode_frame, encode_frame
from conclave.wire.kinds import Kind
from conclave.wire.limits import FRAME_BYTES, PAYLOAD_BYTES
from conclave.wire.link import Close, CloseReason
from conclave.wire.order import (
    BOXES,
    LAST_SEQ,
    ORIGINALS,
    RUNS,
    Boxes,
    EntryKind,
    Head,
    Info,
    Ordered,
    Originals,
    Recall,
    Run,
    decode_ordered,
    encode_ordered,
)
from conclave.wire.posts import Invite, Message, Parcel, Welcome, open_post, pack_parcel
from tests.wire.frames_strategies import frames, ordered, parcels


def read(data: bytes) -> Frame:
    reader = Reader(data)
    frame = decode_frame(reader.uint8(), reader.opaque(FRAME_BYTES))
    reader.finish()
    return frame


@given(frames)
@settings(max_examples=150)
def test_a_frame_comes_back(frame: Frame) -> None:
    assert read(encode_frame(frame)) == frame


@given(frames, st.data())
@settings(max_examples=80)
def test_a_frame_cut_short_or_made_longer_is_refused(frame: Frame, data: st.DataObject) -> None:
    encoded = encode_frame(frame)
    reader = Reader(encoded)
    kind, body = reader.uint8(), reader.opaque()
    if body:  # some frames are empty
        with pytest.raises(DecodeError):
            decode_frame(kind, body[: data.draw(st.integers(0, len(body) - 1))])
    with pytest.raises(DecodeError):
        decode_frame(kind, body + b"\x00")


@given(st.sampled_from([*Kind, *FileKind]) | st.integers(0, 255), st.binary(max_size=300))
@settings(max_examples=150)
def test_garbage_gives_only_decode_errors(kind: int, body: bytes) -> None:
    with contextlib.suppress(DecodeError):
        frame = decode_frame(kind, body)
        if not isinstance(frame, Close | Lack):  # their unknown reasons are read as PROTOCOL and OTHER
            assert encode_frame(frame).endswith(body)


@given(frames, st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=100)
def test_a_flipped_byte_gives_a_frame_or_a_decode_error(frame: Frame, at: int, change: int) -> None:
    data = bytearray(encode_frame(frame))
    data[at % len(data)] ^= change
    with contextlib.suppress(DecodeError):
        read(bytes(data))


@given(parcels)
@settings(max_examples=100)
def test_a_parcel_comes_back(parcel: Parcel) -> None:
    kind, body = pack_parcel(parcel)
    assert open_post(Post(b"12345678", 1, 1, kind, body)) == parcel


@given(st.sampled_from(PostKind), st.binary(max_size=200))
@settings(max_examples=150)
def test_a_post_with_garbage_gives_only_decode_errors(kind: PostKind, body: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert pack_parcel(open_post(Post(b"12345678", 1, 1, kind, body))) == (kind, body)


@given(ordered)
@settings(max_examples=50)
def test_an_entry_comes_back_from_the_store(entry: Ordered) -> None:
    assert decode_ordered(encode_ordered(entry)) == entry


@pytest.mark.parametrize("sender", ["", "Ayse", "no body", "-a", "a\n"])
def test_an_entry_whose_sender_is_no_handle_is_refused(sender: str) -> None:
    entry = Ordered(b"g" * 16, 1, 1, bytes(32), sender, 1, 1, EntryKind.MESSAGE, b"")
    with pytest.raises(DecodeError):
        decode_ordered(encode_ordered(entry))


def test_an_unknown_frame_kind_is_refused() -> None:
    with pytest.raises(DecodeError):
        decode_frame(99, b"")


def test_an_unknown_reason_of_a_close_is_read_as_protocol() -> None:
    assert decode_frame(Kind.CLOSE, Writer().uint8(250).text("new").done()) == Close(CloseReason.PROTOCOL, "new")


def test_a_flag_is_nought_or_one() -> None:
    body = Writer().fixed(b"g" * 16, 16).uint64(3).uint64(9).opaque(b"").done()
    assert decode_frame(Kind.ORIGINALS, body + b"\x01") == Originals(b"g" * 16, 3, 9, (), whole=True)
    with pytest.raises(DecodeError):
        decode_frame(Kind.ORIGINALS, body + b"\x02")


def test_a_leader_tells_of_so_many_mailboxes_at_most() -> None:
    for many, bearable in ((BOXES, True), (BOXES + 1, False)):
        sent = Boxes(b"g" * 16, 1, tuple((f"m{number}", 1, 2) for number in range(many)))
        with contextlib.nullcontext() if bearable else pytest.raises(DecodeError):
            assert read(encode_frame(sent)) == sent


def test_an_answer_has_so_many_signed_words_at_most() -> None:
    """Each is looked at: three million empty ones are as long as one protected message."""
    for many, bearable in ((ORIGINALS, True), (ORIGINALS + 1, False)):
        sent = Originals(b"g" * 16, 1, 3, ((2, b""),) * many, whole=True)
        with contextlib.nullcontext() if bearable else pytest.raises(DecodeError):
            assert read(encode_frame(sent)) == sent


def test_payloads_have_a_limit() -> None:
    fits = Ordered(b"g" * 16, 1, 1, b"h" * 32, "ayse", 1, 0, EntryKind.MESSAGE, bytes(PAYLOAD_BYTES))
    assert decode_ordered(encode_ordered(fits)) == fits
    kind, body = pack_parcel(Message(b"i" * 16, b"g" * 16, bytes(PAYLOAD_BYTES + 1)))
    with pytest.raises(DecodeError):
        open_post(Post(b"12345678", 1, 1, kind, body))


def test_the_largest_roster_fits_a_frame() -> None:
    roster = tuple(f"{n:063d}" for n in range(1_001))
    kind, body = pack_parcel(Invite(b"g" * 16, "n" * 32, roster))
    post = Post(b"12345678", 1, 1, kind, body)
    assert read(encode_frame(post)) == post
    assert open_post(post) == Invite(b"g" * 16, "n" * 32, roster)


def head(*runs: Run, seq: int | None = None) -> bytes:
    place = (runs[0].last if runs else 9) if seq is None else seq
    w = Writer().fixed(b"g" * 16, 16).uint64(place).fixed(b"h" * 32, 32)

    def one(each: Writer, run: Run) -> None:
        each.uint32(run.term).uint32(run.rank).text(run.leader).uint64(run.first).uint64(run.last)

    return w.vector(runs, one).done()


@pytest.mark.parametrize(
    "runs",
    [
        (),
        (Run(1, 0, "ayse", 9, 7),),  # it ends before it begins
        (Run(2, 0, "ayse", 5, 9), Run(2, 0, "burak", 1, 4)),  # the same term twice
        (Run(1, 0, "ayse", 5, 9), Run(2, 0, "burak", 1, 4)),  # the older one is the higher
        (Run(2, 0, "ayse", 6, 9), Run(1, 0, "burak", 1, 4)),  # a gap between them
        (Run(2, 0, "ayse", 4, 9), Run(1, 0, "burak", 1, 4)),  # an entry of both
        tuple(Run(n, 0, "a" * 63, n, n) for n in range(2 * RUNS, 0, -1)),  # too many
    ],
)
def test_terms_that_do_not_follow_one_another_are_refused(runs: tuple[Run, ...]) -> None:
    with pytest.raises(DecodeError):
        decode_frame(Kind.HEAD, head(*runs))


@pytest.mark.parametrize("seq", [8, 10, 1009])
def test_terms_that_end_elsewhere_than_the_order_are_refused(seq: int) -> None:
    with pytest.raises(DecodeError, match="end elsewhere"):
        decode_frame(Kind.HEAD, head(Run(2, 0, "ayse", 5, 9), Run(1, 0, "burak", 1, 4), seq=seq))


@pytest.mark.parametrize("seq", [LAST_SEQ, LAST_SEQ + 1, 1 << 63, (1 << 64) - 1])
def test_places_that_no_order_comes_to_are_refused(seq: int) -> None:
    run, bearable = (
        Run(2, 0, "ayse", 5, seq),
        contextlib.nullcontext() if seq == LAST_SEQ else pytest.raises(DecodeError),
    )
    with bearable:
        assert decode_frame(Kind.HEAD, head(run)) == Head(b"g" * 16, seq, b"h" * 32, (run,))
    for frame in (
        Info(b"g" * 16, seq, b"h" * 32, (run,), b""),
        Welcome(b"g" * 16, "ops", seq, b"h" * 32, (run,), b""),
    ):
        with bearable:
            if isinstance(frame, Info):
                assert read(encode_frame(frame)) == frame
            else:
                assert open_post(Post(b"12345678", 1, 1, *pack_parcel(frame))) == frame


@pytest.mark.parametrize("ends", [(1 << 62, 0), (9, 9), (9, 3)])
def test_what_ends_before_it_begins_is_refused(ends: tuple[int, int]) -> None:
    for frame in (Recall(b"g" * 16, *ends), Originals(b"g" * 16, *ends, (), whole=True)):
        with pytest.raises(DecodeError, match="before it begins"):
            read(encode_frame(frame))
    assert read(encode_frame(Recall(b"g" * 16, 3, 4))) == Recall(b"g" * 16, 3, 4)


def test_a_question_for_all_is_written_in_one_way() -> None:
    for own in (False, True):
        asked = Recall(b"g" * 16, 3, 4, own)
        assert read(encode_frame(asked)) == asked
    for more in (b"\x00", b"\x02", b"\x01\x01"):
        body = b"g" * 16 + bytes(7) + b"\x03" + bytes(7) + b"\x04" + more
        with pytest.raises(DecodeError):
            read(bytes((Kind.RECALL, len(body))) + body)


@pytest.mark.parametrize("name", ["../x", "Nobody", "", "a b", "x\x1b[2J", "-x"])
@pytest.mark.parametrize("now", [True, False], ids=["who leads", "who led"])
def test_a_leader_whose_name_is_none_is_refused(name: str, *, now: bool) -> None:
    runs = (Run(2, 0, name if now else "ayse", 5, 9), Run(1, 0, "burak" if now else name, 1, 4))
    with pytest.raises(DecodeError, match="nobody led"):
        decode_frame(Kind.HEAD, head(*runs))
    with pytest.raises(DecodeError, match="nobody led"):
        decode_frame(Kind.INFO, head(*runs) + b"\0")
    kind, body = pack_parcel(Welcome(b"g" * 16, "ops", 9, b"h" * 32, runs, b""))
    post = Post(b"12345678", 1, 1, kind, body)
    with pytest.raises(DecodeError, match="nobody led"):
        open_post(post)


def test_the_most_terms_that_are_told_can_be_read() -> None:
    runs = tuple(Run(n, 0, "a" * 63, n, n) for n in range(RUNS, 0, -1))
    assert decode_frame(Kind.HEAD, head(*runs)) == Head(b"g" * 16, RUNS, b"h" * 32, runs)
