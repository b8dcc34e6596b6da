"""Serving: everybody in turn, bounded for each, and no faster than allowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave.errors import Refused
from conclave.files.limits import FileLimits
from conclave.files.sending import TURN_CHUNKS, UPLOAD_SECONDS, WAITING_ASKS, WAITING_CHUNKS, Uploads
from conclave.wire.files import ASK_CHUNKS, CHUNK_BYTES, Ask, Part

A, B = b"a" * 32, b"b" * 32


def ask(root: bytes = A, first: int = 0, count: int = 64, part: Part = Part.CHUNKS) -> Ask:
    return Ask(root, part, first, count)


def turns(uploads: Uploads, now: float = 0.0, most: int = 1000) -> list[tuple[str, bytes, int, int]]:
    given_out: list[tuple[str, bytes, int, int]] = []
    while len(given_out) < most and (turn := uploads.turn(lambda _: True, now)) is not None:
        given_out.append((turn.peer, turn.root, turn.first, turn.count))
    return given_out


def test_peers_and_files_take_turns() -> None:
    uploads = Uploads(FileLimits())
    uploads.asked("ayse", ask(A, count=16), 100, 0.0)
    uploads.asked("ayse", ask(B, count=16), 100, 0.0)
    uploads.asked("cem", ask(A, count=9), 100, 0.0)
    assert turns(uploads) == [
        ("ayse", A, 0, 8),
        ("cem", A, 0, 8),
        ("ayse", B, 0, 8),
        ("cem", A, 8, 1),
        ("ayse", A, 8, 8),
        ("ayse", B, 8, 8),
    ]


def test_a_slow_link_holds_up_nobody_else() -> None:
    uploads = Uploads(FileLimits())
    for peer in ("ayse", "cem"):
        uploads.asked(peer, ask(count=8), 100, 0.0)
    turn = uploads.turn(lambda peer: peer != "ayse", 0.0)
    assert turn is not None
    assert turn.peer == "cem"
    assert uploads.turn(lambda peer: peer != "ayse", 0.0) is None


@pytest.mark.parametrize(
    ("first", "count", "given_out"), [(98, 64, 2), (99, 1, 1), (100, 1, 0), ((1 << 32) - 1, 1, 0)]
)
def test_what_is_beyond_the_end_is_not_there(first: int, count: int, given_out: int) -> None:
    uploads = Uploads(FileLimits())
    uploads.asked("ayse", ask(first=first, count=count), 100, 0.0)
    assert sum(each[3] for each in turns(uploads)) == given_out


@given(
    st.lists(
        st.builds(ask, st.sampled_from([A, B]), st.integers(0, 5000), st.integers(1, ASK_CHUNKS)),
        min_size=1,
        max_size=300,
    )
)
def test_what_waits_is_bounded_and_comes_out(asks: list[Ask]) -> None:
    uploads = Uploads(FileLimits())
    for each in asks:
        uploads.asked("ayse", each, 4000, 0.0)
        held = uploads._peers["ayse"]
        assert held.asks <= WAITING_ASKS
        assert held.chunks <= WAITING_CHUNKS
    for _, _, first, count in turns(uploads):
        assert 1 <= count <= TURN_CHUNKS
        assert first + count <= 4000
    assert (uploads._peers["ayse"].asks, uploads._peers["ayse"].chunks) == (0, 0)


def test_more_uploads_than_allowed_are_busy_until_one_ends() -> None:
    uploads = Uploads(FileLimits(uploads=2))
    uploads.asked("ayse", ask(A), 100, 0.0)
    with pytest.raises(Refused) as caught:
        uploads.asked("ayse", ask(B), 100, 0.0)  # one peer has half of them at most
    assert caught.value.reason == "busy"
    uploads.asked("cem", ask(A), 100, 0.0)
    with pytest.raises(Refused):
        uploads.asked("deniz", ask(A), 100, 0.0)
    with pytest.raises(Refused):
        uploads.asked("deniz", ask(A), 100, UPLOAD_SECONDS + 0.1)  # what both asked for still waits
    turns(uploads)
    uploads.asked("ayse", ask(A, first=64), 100, UPLOAD_SECONDS)
    uploads.asked("deniz", ask(A), 100, UPLOAD_SECONDS + 0.1)


def test_the_rate_is_kept() -> None:
    uploads = Uploads(FileLimits(upload_bytes_per_second=4 * CHUNK_BYTES))
    uploads.asked("ayse", ask(count=64), 100, 100.0)
    sent = 0
    now = 100.0
    while sent < 64:
        turn = uploads.turn(lambda _: True, now)
        if turn is None:
            wait = uploads.wait(now)
            assert wait is not None
            assert wait > 0
            now += wait
        else:
            sent += turn.count
    assert 12 <= now - 100.0 <= 16  # 64 chunks at 4 a second, but for the burst of the first second and the last turn
    assert uploads.wait(now) is None


def test_what_a_lost_peer_asked_for_is_forgotten() -> None:
    uploads = Uploads(FileLimits(uploads=1))
    uploads.asked("ayse", ask(), 100, 0.0)
    uploads.lost("ayse")
    assert turns(uploads) == []
    uploads.asked("cem", ask(), 100, 0.0)
    uploads.ended(A)
    assert turns(uploads) == []
    assert (uploads._peers["cem"].asks, uploads._peers["cem"].chunks) == (0, 0)
