"""Records: what is sealed is what the straight lines give, and whatever was touched is refused, alike."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.classic.keys import derive_keys
from conclave.classic.records import FULL_BYTES, LAST_BYTES, SEQUENCE_LAST, Reader, Writer, fragments
from conclave.errors import DecodeError, LocalError, RemoteError, VerificationError
from tests.classic import straight
from tests.classic.people import NONCE, SECRET

KEYS = derive_keys(SECRET, NONCE)
SIX = straight.six_keys(SECRET, NONCE)
LENGTHS = (0, 1, 15, 16, 17, 32, 38, 1000, 100_000)


def read(data: bytes, *, first: int = 1, limit: int = 131_072) -> list[bytes]:
    return list(Reader(KEYS.sender, limit, first).read(data))


def sealed(*messages: bytes, first: int = 1) -> bytes:
    writer = Writer(KEYS.sender, first)
    return b"".join(writer.seal(message) for message in messages)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_message_of_each_length_is_sealed_as_the_report_says(length: int) -> None:
    message = bytes(at % 251 for at in range(length))
    written = sealed(message)
    assert written == b"".join(straight.seal(message, 1, SIX.mac_sender, SIX.aes_sender, SIX.iv_sender))
    assert read(written) == [message]


def test_the_reports_example_by_eye() -> None:
    data = sealed(b"x" * 38)
    assert [data[at : at + 13] for at in (0, 77, 154)] == [b"0000010000016", b"0000020000016", b"0000031000006"]
    assert len(data) == 77 + 77 + 61 == 2 * FULL_BYTES + LAST_BYTES


def test_both_directions_have_keys_of_their_own() -> None:
    down = Writer(KEYS.receiver).seal(b"hello")
    assert down == b"".join(straight.seal(b"hello", 1, SIX.mac_receiver, SIX.aes_receiver, SIX.iv_receiver))
    with pytest.raises(VerificationError):  # a reflected record
        read(down)


def test_each_message_has_the_iv_that_the_one_before_gave() -> None:
    messages = [b"hello", b"abc", b"", b"helloween", b"abcd" * 20]
    writer, iv, seq = Writer(KEYS.sender), SIX.iv_sender, 1
    for message in messages:
        expected = straight.seal(message, seq, SIX.mac_sender, SIX.aes_sender, iv)
        assert writer.seal(message) == b"".join(expected)
        iv, seq = straight.next_iv(b"ivKeySender", message, NONCE), seq + len(expected)
    assert KEYS.sender.next_iv(b"hello") == KEYS.sender.next_iv(b"helloween")  # as predictable as in the report
    assert KEYS.sender.next_iv(b"abc") == KEYS.sender.next_iv(b"")


@given(st.lists(st.binary(max_size=70), max_size=6), st.lists(st.integers(1, 400), max_size=30))
def test_however_the_network_chops_it(messages: list[bytes], cuts: list[int]) -> None:
    data = sealed(*messages)
    reader, got = Reader(KEYS.sender), list[bytes]()
    for size in [*cuts, len(data)]:
        got += reader.read(data[:size])
        data = data[size:]
    assert got == messages
    assert not reader.within


def test_byte_by_byte() -> None:
    reader, got = Reader(KEYS.sender), list[bytes]()
    for byte in sealed(b"x" * 40, b"", b"y"):
        got += reader.read(bytes((byte,)))
    assert got == [b"x" * 40, b"", b"y"]


@given(st.data())
@settings(max_examples=300)
def test_no_bit_can_be_changed(data: st.DataObject) -> None:
    good = sealed(b"the pump in room 7 is back", b"yes")
    at = data.draw(st.integers(0, len(good) * 8 - 1))
    bad = bytearray(good)
    bad[at // 8] ^= 1 << at % 8
    reader, got = Reader(KEYS.sender), list[bytes]()
    try:
        for message in reader.read(bytes(bad)):
            got.append(message)
    except (VerificationError, RemoteError):
        assert got in ([], [b"the pump in room 7 is back"])
    else:  # a length that became longer: the end is waited for, and nothing was shown
        assert reader.within
        assert got in ([], [b"the pump in room 7 is back"])


@given(st.binary(max_size=400))
def test_rubbish_gives_our_errors_only(rubbish: bytes) -> None:
    with contextlib.suppress(VerificationError, RemoteError):
        assert read(rubbish) == []


def error_of(data: bytes) -> str:
    with pytest.raises(VerificationError) as caught:
        read(data)
    return f"{type(caught.value).__name__} {caught.value.reason} {caught.value}"


def test_one_error_stands_for_all() -> None:
    good = straight.seal(b"hello", 1, SIX.mac_sender, SIX.aes_sender, SIX.iv_sender)[0]
    header = good[:13]
    tag = straight.mac(b"hello" + header, SIX.mac_sender)

    def with_plain(padded: bytes, head: bytes = header) -> bytes:
        return head + straight.encrypt_padded(padded, SIX.aes_sender, SIX.iv_sender)

    bad_mac = with_plain(b"hello" + bytes(32) + bytes((11,)) * 11)
    bad_padding = with_plain(b"hello" + tag + bytes((11,)) * 10 + b"\x0a")
    no_padding = with_plain(b"hello" + tag + bytes(11))
    bad_number = b"000002" + good[6:]
    bad_type = good[:6] + b"0" + good[7:]
    bad_length = good[:7] + b"000006" + good[13:]
    odd_length = good[:7] + b"000017" + good[13:]
    no_digits = b"hello!" + good[6:]
    cases = (bad_mac, bad_padding, no_padding, bad_number, bad_type, bad_length, odd_length, no_digits)
    assert len({error_of(case) for case in cases}) == 1


@pytest.mark.parametrize("order", [(0, 0), (1, 0), (0, 2), (0, 1, 1), (0, 2, 1)])
def test_replayed_reordered_and_dropped_fragments(order: tuple[int, ...]) -> None:
    parts = straight.seal(b"x" * 38, 1, SIX.mac_sender, SIX.aes_sender, SIX.iv_sender)
    with pytest.raises(VerificationError):
        read(b"".join(parts[at] for at in order))


def test_a_message_is_not_taken_twice() -> None:
    data = sealed(b"pay 10")
    reader = Reader(KEYS.sender)
    assert list(reader.read(data)) == [b"pay 10"]
    with pytest.raises(VerificationError):
        list(reader.read(data))


def test_a_full_last_piece_and_a_short_first_one_do_not_exist() -> None:
    mac, aes, iv = SIX.mac_sender, SIX.aes_sender, SIX.iv_sender
    for piece, last in ((b"x" * 16, True), (b"x" * 15, False)):
        one = straight.fragment(piece, 1, last, mac, aes, iv)
        with pytest.raises(VerificationError):
            read(one + straight.fragment(b"", 2, True, mac, aes, iv))


@pytest.mark.parametrize("kept", range(1, 215))
def test_a_message_cut_anywhere_shows_nothing(kept: int) -> None:
    reader = Reader(KEYS.sender)
    assert list(reader.read(sealed(b"x" * 38)[:kept])) == []
    assert reader.within


def test_what_a_message_may_hold_is_bounded() -> None:
    reader = Reader(KEYS.sender, limit=64)
    assert list(reader.read(sealed(b"x" * 64))) == [b"x" * 64]
    with pytest.raises(RemoteError, match="longer than is read"):
        read(sealed(b"x" * 80), limit=64)


def test_numbers_run_out_at_999999() -> None:
    first = SEQUENCE_LAST - 2
    writer, reader = Writer(KEYS.sender, first), Reader(KEYS.sender, first=first)
    with pytest.raises(LocalError, match="used up"):
        writer.seal(b"x" * 48)
    assert list(reader.read(writer.seal(b"x" * 38))) == [b"x" * 38]
    assert writer.room == reader.room == 0
    with pytest.raises(LocalError, match="used up"):
        writer.seal(b"")
    with pytest.raises(RemoteError):
        list(reader.read(straight.fragment(b"", 1, True, SIX.mac_sender, SIX.aes_sender, SIX.iv_sender)))


@pytest.mark.slow
def test_every_number_is_used_once() -> None:
    writer, reader = Writer(KEYS.sender), Reader(KEYS.sender)
    message = b"x" * 100_000
    while writer.room:
        text = message[: min(len(message), writer.room * 16 - 1)]
        assert list(reader.read(writer.seal(text))) == [text]
    assert reader.room == 0


def test_keys_are_of_the_right_material() -> None:
    with pytest.raises(DecodeError):
        derive_keys(SECRET[:31], NONCE)
    with pytest.raises(DecodeError):
        derive_keys(SECRET, NONCE[:12])
    found = (KEYS.sender.mac_key, KEYS.receiver.mac_key, KEYS.sender.cipher_key, KEYS.receiver.cipher_key)
    assert found == (SIX.mac_sender, SIX.mac_receiver, SIX.aes_sender, SIX.aes_receiver)
    assert (KEYS.sender.iv, KEYS.receiver.iv) == (SIX.iv_sender, SIX.iv_receiver)
    assert fragments(0) == 1
    assert "mac_key" not in repr(KEYS)  # a log cannot tell a key
