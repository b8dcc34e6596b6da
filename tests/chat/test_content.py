"""What is inside a protected message."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.chat.words import content as c
from conclave.chat.words.content import Content, decode_content, encode_content
from conclave.errors import DecodeError
from conclave.wire.limits import HANDLE

IDS = st.binary(min_size=16, max_size=16)
U32, U64 = st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1)
WORDS = st.text(max_size=20)
ABOUT = st.builds(c.About, st.from_regex(HANDLE, fullmatch=True), IDS)
HASHES = st.binary(min_size=32, max_size=32)
bodies = st.one_of(
    st.builds(c.Text, WORDS, st.none() | ABOUT, U32),
    st.builds(c.Edit, IDS, WORDS),
    st.builds(c.Delete, IDS),
    st.builds(c.Reaction, ABOUT, st.text(max_size=4), st.booleans()),
    st.builds(c.Pin, ABOUT, st.booleans()),
    st.builds(c.Timer, U32, U32),
    st.builds(c.Offer, WORDS, U64, U32, HASHES, HASHES, U32),
    st.builds(c.Receipt, U64, U64, st.lists(st.tuples(U64, U64), max_size=3).map(tuple)),
    st.just(c.Leaving()),
    st.just(c.Closing()),
    st.builds(c.Term, U32, U64, HASHES),
    st.builds(
        c.History,
        st.text(max_size=9),
        st.integers(0, 2**32 - 1),
        st.lists(st.binary(max_size=9), max_size=3).map(tuple),
    ),
    st.builds(c.Shared, st.lists(st.binary(max_size=9), max_size=3).map(tuple)),
    st.builds(c.Roll, IDS),
    st.builds(c.Present, IDS),
    st.just(c.Seen()),
)
contents = st.builds(
    Content, IDS, st.integers(0, c.LAST_COUNT), st.integers(0, 1 << 44).map(lambda ms: ms / 1000), bodies
)


@given(contents)
@settings(max_examples=200)
def test_whatever_can_be_said_comes_back(content: Content) -> None:
    assert decode_content(encode_content(content)) == content


@given(st.binary(max_size=60) | st.builds(lambda data, one: encode_content(one)[:25] + data, st.binary(), contents))
@settings(max_examples=200)
def test_garbage_gives_only_decode_errors(plain: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_content(plain)


def plain(body: c.Body) -> bytes:
    return encode_content(Content(b"i" * 16, 1, 1.0, body))


def test_limits_and_versions() -> None:
    longest = plain(c.Text("x" * c.WORDS_BYTES))
    assert decode_content(longest).body == c.Text("x" * c.WORDS_BYTES)
    refused = [
        plain(c.Text("x" * (c.WORDS_BYTES + 1))),
        plain(c.Reaction(c.About("ayse", b"i" * 16), "x" * (c.REACTION_BYTES + 1), on=True)),
        plain(c.Receipt(1, 1, ((1, 2),) * 65)),
        plain(c.Pin(c.About("ayse", b"i" * 16), on=True))[:-1] + b"\x02",
        b"\x01" + longest[1:],
        encode_content(Content(b"i" * 16, c.LAST_COUNT + 1, 1.0, c.Seen())),
        plain(c.Shared((b"",) * (c.ORIGINALS + 1))),
        plain(c.History("ayse", 1, (b"",) * (c.ORIGINALS + 1))),
        longest[:33] + b"\xee" + longest[34:],
    ]
    for data in refused:
        with pytest.raises(DecodeError):
            decode_content(data)


@pytest.mark.parametrize(
    "author", ["", "-", "Ayse", "ayse ", 'ayse: "I resign, burak leads from now on"', "ay\u202ese"]
)
def test_what_names_no_author_is_about_no_message(author: str) -> None:
    about = c.About(author, b"i" * 16)
    for body in (c.Text("noted", about), c.Reaction(about, "x", on=True), c.Pin(about, on=True)):
        with pytest.raises(DecodeError):
            decode_content(plain(body))


@pytest.mark.parametrize(("sent", "least", "most"), [(1e300, 1e9, 1e12), (-5.0, 0, 0)])
def test_a_clock_that_is_nonsense_is_kept_to_times_that_can_be_shown(sent: float, least: float, most: float) -> None:
    shown = decode_content(encode_content(Content(b"i" * 16, 1, sent, c.Seen()))).sent
    assert least <= shown <= most
