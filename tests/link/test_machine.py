"""Two machines through a fake network: opening, frames, heartbeats, farewells, breaches and cuts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import LocalError
from conclave.link.limits import LinkLimits
from conclave.link.machine import Link
from conclave.link.state import State
from conclave.link.tls import Tunnel
from conclave.wire.delivery import Post, PostKind
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.limits import FRAME_BYTES
from conclave.wire.link import Close, CloseReason, Hello, Ping, Pong
from tests.link.identities import KnownPeer, Verifier, usual
from tests.link.pair import START, End, Pair, have

GOOD = Hello(1, 1, FRAME_BYTES, 64, "test")


def say(end: End, *data: bytes) -> None:
    """Have an end write what its machine never would."""
    for part in data:
        end.link._queue(part)


def greeting(pair: Pair, hello: bytes) -> None:
    """Run a handshake in which ayse's first frame is ``hello``."""
    pair.burak.give(pair.ayse.take(), pair.now)
    pair.ayse.give(pair.burak.take(), pair.now)
    pair.ayse.link._pending.clear()
    say(pair.ayse, hello)
    pair.run()


# Opening and talking.


def test_both_learn_who_is_there() -> None:
    pair = Pair(limits=LinkLimits(window=7)).run()
    assert pair.ayse.opened is not None
    assert pair.burak.opened is not None
    assert (pair.ayse.opened.peer.handle, pair.ayse.opened.initiator) == ("burak", True)
    assert (pair.burak.opened.peer.handle, pair.burak.opened.initiator) == ("ayse", False)
    assert pair.ayse.opened.hello.window == 7
    assert pair.ayse.opened.hello.frame_bytes == FRAME_BYTES


def test_frames_arrive_in_order_and_one_tick_is_one_write() -> None:
    pair = Pair().run()
    before = len(pair.ayse.sent)
    sent: list[Frame] = [have(n) for n in range(50)]
    for frame in sent:
        pair.ayse.link.send(frame)
    pair.run()
    assert pair.burak.frames == sent
    plain = sum(len(encode_frame(frame)) for frame in sent)
    assert len(pair.ayse.sent) - before == plain + 22  # one record: 5 bytes of header, 1 of type, 16 of tag


@given(sizes=st.lists(st.sampled_from([1, 1_000, 60_000, 70_000, 200_000]), min_size=1, max_size=12))
@settings(max_examples=25)
def test_much_at_once_leaves_in_portions_and_in_order(sizes: list[int]) -> None:
    pair = Pair().run()
    sent: list[Frame] = [Post(bytes(8), n, 1, PostKind.MESSAGE, bytes(size)) for n, size in enumerate(sizes, start=1)]
    for frame in sent:
        pair.ayse.link.send(frame)
    pair.ayse.link.close(CloseReason.DONE, "", pair.now)
    largest = max(65_536, *sizes) + 65_536
    portions = list(iter(pair.ayse.link.data_to_send, b""))
    assert all(len(portion) < largest * 1.01 for portion in portions)
    assert pair.ayse.link.buffered == 0
    pair.burak.give(b"".join(portions), pair.now)
    assert pair.burak.frames == sent
    assert pair.burak.closed is not None
    assert pair.burak.closed.clean


def test_several_encoded_frames_at_once() -> None:
    pair = Pair().run()
    pair.ayse.link.send_encoded(encode_frame(have(1)) + encode_frame(have(2)))
    assert pair.ayse.link.buffered == 2 * len(encode_frame(have(1)))
    pair.run()
    assert pair.ayse.link.buffered == 0
    assert pair.burak.frames == [have(1), have(2)]


def test_the_largest_frame_passes_and_a_larger_one_is_not_sent() -> None:
    pair = Pair().run()
    head = 8 + 8 + 8 + 1 + 4
    largest = Post(bytes(8), 1, 1, PostKind.MESSAGE, bytes(FRAME_BYTES - head))
    pair.ayse.link.send(largest)
    pair.run()
    assert pair.burak.frames == [largest]
    with pytest.raises(LocalError):
        pair.ayse.link.send(Post(bytes(8), 1, 1, PostKind.MESSAGE, bytes(FRAME_BYTES - head + 1)))
    assert pair.ayse.link.state is State.OPEN


def test_nothing_is_sent_on_a_link_that_is_not_open() -> None:
    pair = Pair()
    with pytest.raises(LocalError):
        pair.ayse.link.send(have(1))
    pair.run()
    pair.ayse.link.close(CloseReason.DONE, "", pair.now)
    with pytest.raises(LocalError):
        pair.ayse.link.send(have(1))


def chopper(dice: Any, most: int) -> Callable[[bytes], list[bytes]]:
    def chop(data: bytes) -> list[bytes]:
        pieces = []
        at = 0
        while at < len(data):
            size = dice.randint(0, most)
            pieces.append(data[at : at + size])
            at += size
        return pieces

    return chop


@settings(max_examples=15, deadline=None)
@given(
    dice=st.randoms(use_true_random=True),
    most=st.sampled_from([1, 7, 100, 3000]),
    sizes=st.lists(st.integers(0, 9000), max_size=5),
)
def test_however_the_network_chops_the_session_is_the_same(dice: Any, most: int, sizes: list[int]) -> None:
    pair = Pair(chop=chopper(dice, most)).run()
    posts: list[Frame] = [Post(bytes(8), n + 1, 1, PostKind.MESSAGE, bytes(size)) for n, size in enumerate(sizes)]
    for post in posts:
        pair.ayse.link.send(post)
        pair.burak.link.send(post)
    pair.run()
    pair.burak.link.close(CloseReason.DONE, "bye", pair.now)
    pair.run()
    for end in (pair.ayse, pair.burak):
        assert end.frames == posts
        assert end.closed is not None
        assert end.closed.clean


def test_reading_nothing_changes_nothing() -> None:
    pair = Pair().run()
    heard = pair.ayse.link.timer()
    pair.ayse.give(b"", pair.now + 5)
    assert pair.ayse.link.timer() == heard


# The hello.


@pytest.mark.parametrize(
    "hello",
    [Hello(3, 3, FRAME_BYTES, 64, "new"), Hello(0, 0, FRAME_BYTES, 64, "old"), Hello(1, 2, FRAME_BYTES, 64, "odd")],
)
def test_versions_that_do_not_meet(hello: Hello) -> None:
    pair = Pair()
    greeting(pair, encode_frame(hello))
    for end in (pair.ayse, pair.burak):
        assert end.closed is not None
        assert end.closed.reason is CloseReason.VERSION
        assert "updated" in end.closed.text
    assert pair.burak.opened is None


def test_a_newer_peer_that_still_speaks_ours_is_welcome() -> None:
    pair = Pair()
    greeting(pair, encode_frame(Hello(9, 1, FRAME_BYTES * 8, 64, "newer")))
    assert pair.burak.opened is not None


@pytest.mark.parametrize(
    "first",
    [
        encode_frame(have(1)),
        encode_frame(Ping(1)),
        encode_frame(Hello(1, 1, FRAME_BYTES - 1, 64, "small")),
        encode_frame(Hello(1, 1, FRAME_BYTES, 0, "closed")),
        b"\x01\x00",
        b"\x01" + b"\x80\x00\x40\x00" + bytes(100),  # a first frame larger than a hello may be
    ],
    ids=["frame", "ping", "small frames", "no window", "empty", "large"],
)
def test_what_does_not_begin_with_a_good_hello(first: bytes) -> None:
    pair = Pair()
    greeting(pair, first)
    assert pair.burak.opened is None
    assert pair.burak.closed is not None
    assert pair.burak.closed.reason is CloseReason.PROTOCOL
    assert pair.ayse.closed is not None
    assert (pair.ayse.closed.reason, pair.ayse.closed.by_us) == (CloseReason.PROTOCOL, False)


# Breaches on an open link.


@pytest.mark.parametrize(
    "bad",
    [
        encode_frame(GOOD),
        b"\x63\x00",
        b"\x05\x00",
        b"\x10\x03abc",
        b"\x10\xc0",
        b"\x10\x80\x40\x00\x01",
        bytes(64),
        b"GET / HTTP/1.1\r\n\r\n" * 100,
    ],
    ids=["second hello", "unknown kind", "unknown link kind", "bad body", "bad length", "oversized", "zeros", "http"],
)
def test_a_breach_ends_the_link_and_what_came_before_it_counts(bad: bytes) -> None:
    pair = Pair().run()
    say(pair.ayse, encode_frame(have(1)), bad, encode_frame(have(2)))
    pair.run()
    assert pair.burak.frames == [have(1)]
    assert pair.burak.closed is not None
    assert (pair.burak.closed.reason, pair.burak.closed.by_us, pair.burak.closed.clean) == (
        CloseReason.PROTOCOL,
        True,
        False,
    )
    assert pair.ayse.closed is not None
    assert pair.ayse.closed.reason is CloseReason.PROTOCOL


@pytest.mark.parametrize(
    "garbage", [b"\x00" * 100, b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)), b"\x16\x03\x01\x00\x05hello"]
)
@pytest.mark.parametrize("when", ["first", "open"])
def test_what_is_not_tls(garbage: bytes, when: str) -> None:
    pair = Pair()
    if when == "open":
        pair.run()
    pair.burak.give(garbage, pair.now)
    pair.burak.take()
    assert pair.burak.closed is not None
    assert (pair.burak.closed.reason, pair.burak.closed.by_us) == (CloseReason.PROTOCOL, True)


def test_a_record_with_one_bit_turned() -> None:
    pair = Pair().run()
    pair.ayse.link.send(have(1))
    data = bytearray(pair.ayse.take())
    data[-1] ^= 1
    pair.burak.give(bytes(data), pair.now)
    assert pair.burak.frames == []
    assert pair.burak.closed is not None
    assert pair.burak.closed.reason is CloseReason.PROTOCOL


def test_a_flood_before_tls_is_up_is_bounded() -> None:
    link = Link(Tunnel(usual("burak", server=True), server_side=True), Verifier(), LinkLimits(), START)
    hello = b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc" + bytes(0x3FFC)  # a client hello that never makes sense, or ends
    for _ in range(10):
        link.receive(hello, START)
    assert link.state is State.CLOSED


def test_a_certificate_message_that_never_ends_is_bounded() -> None:
    pair = Pair(limits=LinkLimits(handshake_bytes=500))
    pair.burak.give(pair.ayse.take(), pair.now)
    pair.ayse.give(pair.burak.take(), pair.now)
    assert pair.ayse.closed is not None
    assert (pair.ayse.closed.reason, pair.ayse.closed.text) == (
        CloseReason.PROTOCOL,
        "more than 500 bytes arrived before TLS was up",
    )


def test_who_never_reads_is_overloaded() -> None:
    pair = Pair(limits=LinkLimits(outgoing_bytes=1000, outgoing_limit_bytes=5000)).run()
    post = encode_frame(Post(bytes(8), 1, 1, PostKind.MESSAGE, bytes(900)))
    for _ in range(6):
        if pair.ayse.link.state is State.OPEN:
            pair.ayse.link.send_encoded(post)
    assert pair.ayse.link.buffered < 5000
    pair.run()
    assert pair.ayse.closed is not None
    assert pair.ayse.closed.reason is CloseReason.OVERLOADED
    assert pair.burak.closed is not None
    assert pair.burak.closed.reason is CloseReason.OVERLOADED


# Time.


def test_a_handshake_that_takes_too_long() -> None:
    pair = Pair()
    assert pair.burak.link.timer() == START + 10
    pair.tick(9.9)
    assert pair.burak.link.state is State.HANDSHAKE
    pair.burak.give(pair.ayse.take()[:1], pair.now)  # a byte now and then buys nothing
    pair.tick(0.1)
    pair.burak.take()
    assert pair.burak.closed is not None
    assert pair.burak.closed.reason is CloseReason.TIMEOUT


def test_a_hello_that_does_not_come() -> None:
    pair = Pair()
    greeting(pair, b"")
    assert pair.burak.link.state is State.HELLO
    pair.tick(10)
    pair.run()
    assert pair.burak.closed is not None
    assert pair.burak.closed.reason is CloseReason.TIMEOUT
    assert pair.ayse.closed is not None
    assert (pair.ayse.closed.reason, pair.ayse.closed.by_us) == (CloseReason.TIMEOUT, False) or pair.ayse.closed.by_us


def test_heartbeats_keep_an_idle_link() -> None:
    pair = Pair().run()
    for _ in range(20):
        timer = pair.ayse.link.timer()
        assert timer is not None
        assert timer - pair.now == 3
        pair.tick(3)
        pair.run()
    assert pair.ayse.closed is None
    assert pair.burak.closed is None


def test_silence_ends_a_link() -> None:
    pair = Pair().run()
    pings = 0
    while pair.ayse.link.state is State.OPEN:
        timer = pair.ayse.link.timer()
        assert timer is not None
        pair.now = timer
        pair.ayse.link.tick(timer)
        pings += bool(pair.ayse.take())  # into the void
    assert pair.now == START + 10
    assert pings == 4  # three pings and the farewell
    assert pair.ayse.closed is not None
    assert (pair.ayse.closed.reason, pair.ayse.closed.clean) == (CloseReason.TIMEOUT, False)
    assert pair.ayse.link.timer() is None


def test_a_pong_repeats_the_token_and_a_flood_of_pings_gets_one() -> None:
    pair = Pair().run()
    for token in range(1000):
        say(pair.ayse, encode_frame(Ping(token)))
    pair.burak.give(pair.ayse.take(), pair.now)
    assert pair.burak.link._pong == 999
    assert len(pair.burak.take()) == len(encode_frame(Pong(999))) + 22
    assert pair.burak.link.data_to_send() == b""


def test_while_we_do_not_read_silence_is_not_their_fault() -> None:
    pair = Pair().run()
    pair.ayse.link.pause()
    pair.ayse.link.tick(START + 1000)
    assert pair.ayse.link.state is State.OPEN
    pair.ayse.link.resume(START + 1000)
    assert pair.ayse.link.timer() == START + 1003


def test_a_link_ends_with_the_certificate_it_was_opened_with() -> None:
    def verify(der: bytes, now: float) -> KnownPeer:
        return KnownPeer("ayse", START + 5, der)

    pair = Pair(listener_verify=verify).run()
    assert pair.burak.link.timer() == START + 3  # a heartbeat
    pair.tick(3)
    pair.run()
    assert pair.burak.link.timer() == START + 5
    pair.tick(2)
    pair.run()
    assert pair.burak.closed is not None
    assert pair.burak.closed.reason is CloseReason.EXPIRED
    assert pair.ayse.closed is not None
    assert (pair.ayse.closed.reason, pair.ayse.closed.by_us) == (CloseReason.EXPIRED, False)


# Farewells and cuts.


def test_an_orderly_close_delivers_what_was_sent_before() -> None:
    pair = Pair().run()
    pair.ayse.link.send(have(1))
    pair.burak.link.send(have(2))
    pair.ayse.link.close(CloseReason.DUPLICATE, "another link stays", pair.now)
    pair.run()
    assert pair.burak.frames == [have(1)]
    assert pair.ayse.frames == [have(2)]  # sent in good faith, before burak knew
    assert pair.ayse.closed is not None
    assert pair.burak.closed is not None
    assert (pair.ayse.closed.clean, pair.ayse.closed.by_us) == (True, True)
    assert (pair.burak.closed.clean, pair.burak.closed.by_us) == (True, False)
    assert pair.burak.closed.text == "another link stays"


def test_both_close_at_once() -> None:
    pair = Pair().run()
    for end in (pair.ayse, pair.burak):
        end.link.close(CloseReason.GOING_AWAY, "", pair.now)
    there, back = pair.ayse.take(), pair.burak.take()
    pair.ayse.give(back, pair.now)
    pair.burak.give(there, pair.now)
    for end in (pair.ayse, pair.burak):
        assert end.closed is not None
        assert (end.closed.clean, end.closed.by_us) == (True, True)


def test_a_refusal_waits_for_nobody_and_hands_out_nothing_more() -> None:
    pair = Pair().run()
    pair.burak.link.send(have(2))
    pair.ayse.link.close(CloseReason.BLOCKED, "blocked here", pair.now)
    assert pair.ayse.link.state is State.CLOSED
    pair.run()
    assert pair.ayse.frames == []
    assert pair.burak.closed is not None
    assert (pair.burak.closed.reason, pair.burak.closed.text) == (CloseReason.BLOCKED, "blocked here")


def test_closing_twice_is_closing_once() -> None:
    pair = Pair().run()
    for reason in (CloseReason.DONE, CloseReason.BLOCKED, CloseReason.DONE):
        pair.ayse.link.close(reason, "", pair.now)
    pair.run()
    pair.ayse.link.close(CloseReason.DONE, "", pair.now)
    pair.ayse.link.receive_eof()
    assert sum(event is pair.ayse.closed for event in pair.ayse.events) == 1
    assert pair.ayse.closed is not None
    assert pair.ayse.closed.reason is CloseReason.DONE


def test_a_long_reason_is_cut_to_what_a_close_frame_carries() -> None:
    pair = Pair().run()
    pair.ayse.link.close(CloseReason.DONE, "ğ" * 2000, pair.now)
    pair.run()
    assert pair.burak.closed is not None
    assert pair.burak.closed.text == "ğ" * 512


def test_tls_ended_without_a_farewell_is_a_cut() -> None:
    pair = Pair().run()
    pair.ayse.link._tunnel.end()
    pair.burak.give(pair.ayse.take(), pair.now)
    assert pair.burak.closed is not None
    assert (pair.burak.closed.reason, pair.burak.closed.clean) == (CloseReason.TRUNCATED, False)


def recorded() -> tuple[bytes, list[Frame]]:
    """Everything that ayse sends in a short session, and its frames."""
    pair = Pair().run()
    frames: list[Frame] = [have(1), have(2)]
    for frame in frames:
        pair.ayse.link.send(frame)
        pair.run()
    pair.ayse.link.close(CloseReason.DONE, "bye", pair.now)
    pair.run()
    return pair.ayse.sent, frames


def test_a_cut_at_any_byte_is_told_from_an_orderly_close() -> None:
    length = len(recorded()[0])
    farewell = len(encode_frame(Close(CloseReason.DONE, "bye"))) + 22
    notify = 24  # ayse's close_notify, after the answer: no longer needed
    positions = sorted(
        {*range(0, length - notify - farewell, 37), *range(length - notify - farewell - 3, length - notify)}
    )
    for cut in positions:
        pair = Pair()
        left = cut
        for step in range(12):
            if step == 4:
                pair.ayse.link.send(have(1))
            if step == 6:
                pair.ayse.link.send(have(2))
            if step == 8:
                pair.ayse.link.close(CloseReason.DONE, "bye", pair.now)
            data = pair.ayse.take()[:left]
            left -= len(data)
            pair.burak.give(data, pair.now)
            if left == 0:
                break
            pair.ayse.give(pair.burak.take(), pair.now)
        pair.burak.link.receive_eof()
        pair.burak.take()
        assert pair.burak.closed is not None, cut
        assert (pair.burak.closed.reason, pair.burak.closed.clean) == (CloseReason.TRUNCATED, False), cut


def test_the_other_cut_too_late_changes_nothing() -> None:
    pair = Pair().run()
    pair.ayse.link.close(CloseReason.DONE, "bye", pair.now)
    pair.burak.give(pair.ayse.take(), pair.now)
    pair.burak.link.receive_eof()
    pair.burak.take()
    assert pair.burak.closed is not None
    assert pair.burak.closed.clean


def test_a_breach_on_one_link_leaves_another_alone() -> None:
    bad, good = Pair().run(), Pair().run()
    say(bad.ayse, b"\xff" * 50)
    bad.run()
    good.ayse.link.send(have(1))
    good.run()
    assert bad.burak.closed is not None
    assert good.burak.closed is None
    assert good.burak.frames == [have(1)]


@settings(max_examples=40, deadline=None)
@given(junk=st.binary(max_size=300))
def test_no_plaintext_makes_a_machine_raise(junk: bytes) -> None:
    pair = Pair().run()
    say(pair.ayse, junk)
    pair.run()
    assert pair.burak.link.state in (State.OPEN, State.CLOSED, State.CLOSING)


@settings(max_examples=40, deadline=None)
@given(junk=st.binary(min_size=1, max_size=300), server=st.booleans())
def test_no_ciphertext_makes_a_machine_raise(junk: bytes, server: bool) -> None:
    pair = Pair()
    end = pair.burak if server else pair.ayse
    end.give(junk, pair.now)
    end.take()
    assert end.opened is None
