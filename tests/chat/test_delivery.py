"""Streams: next, repeated, ahead; acknowledged, withheld, sent again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.chat import delivery
from conclave.chat.delivery import Flight, Inbound, Outbound
from conclave.chat.fifo import Fifo
from conclave.lobby.order import Place
from conclave.values import replace
from conclave.wire.delivery import DECLINED_POSTS, Ack, Post, PostKind

S1, S2 = b"stream-1", b"stream-2"


def post(number: int, base: int = 1, stream: bytes = S1) -> Post:
    return Post(stream, number, base, PostKind.MESSAGE, b"")


def take(inbound: Inbound, one: Post) -> tuple[Inbound, Place]:
    after, place = delivery.place(inbound, one)
    return (delivery.taken(after, one), place) if place is Place.NEXT else (after, place)


def test_posts_are_taken_in_order_and_once() -> None:
    inbound = Inbound()
    seen = []
    for number in (2, 1, 1, 3, 2, 2, 3, 4):
        inbound, place = take(inbound, post(number))
        seen.append(place.value)
    assert seen == ["ahead", "next", "repeated", "ahead", "next", "repeated", "next", "next"]
    assert delivery.ack_for(inbound, S1) == Ack(S1, 4)


def test_a_receiver_that_knows_less_starts_at_the_base() -> None:
    inbound, place = take(Inbound(), post(7, 7))
    assert place is Place.NEXT
    assert take(inbound, post(6, 6))[1] is Place.REPEATED
    assert take(inbound, post(9, 7))[1] is Place.AHEAD


def test_nonsense_numbers_are_ignored() -> None:
    for one in (post(0, 0), post(0, 1), post(3, 4), post(1, 0)):
        assert delivery.place(Inbound(), one) == (Inbound(), Place.AHEAD)


def test_a_new_stream_starts_afresh_and_the_old_one_is_known() -> None:
    inbound, _ = take(Inbound(), post(1))
    inbound, place = take(inbound, post(1, 1, S2))
    assert place is Place.NEXT
    assert take(inbound, post(1))[1] is Place.REPEATED
    assert delivery.ack_for(inbound, S1) == Ack(S1, 1)


def test_old_streams_are_remembered_up_to_a_bound() -> None:
    inbound = Inbound()
    for number in range(50):
        inbound, _ = take(inbound, post(1, 1, bytes([number]) * 8))
    assert len(inbound.streams) == delivery.STREAMS_KEPT


def filled(count: int) -> Outbound:
    out = Outbound(S1)
    for number in range(count):
        out, _ = delivery.enqueue(out, bytes([number]) * 16)
    return out


def test_an_acknowledgement_moves_the_base_and_names_the_lines() -> None:
    out, arrived = delivery.acknowledged(filled(5), Ack(S1, 3))
    assert [one.number for one in arrived] == [1, 2, 3]
    assert (out.base, out.count) == (4, 2)


def test_an_acknowledgement_of_what_was_never_sent_is_ignored() -> None:
    out = filled(3)
    for ack in (Ack(S2, 1), Ack(S1, 4), Ack(S1, 0), Ack(S1, 1 << 63)):
        assert delivery.acknowledged(out, ack) == (out, ())


def test_what_was_declined_is_named_until_the_sender_knows() -> None:
    inbound, _ = take(Inbound(), post(1))
    inbound, _ = take(inbound, post(2))
    inbound = delivery.declined(inbound, post(2))
    inbound, _ = take(inbound, post(3))
    assert delivery.ack_for(inbound, S1) == Ack(S1, 3, (2,))
    inbound, _ = take(inbound, post(4, 3))
    assert delivery.ack_for(inbound, S1) == Ack(S1, 4)


def test_what_somebody_rejected_said_is_named_twice() -> None:
    inbound, _ = take(Inbound(), post(1))
    inbound = delivery.declined(inbound, post(1), rejected=True)
    inbound, _ = take(inbound, post(2))
    inbound = delivery.declined(inbound, post(2))
    ack = delivery.ack_for(inbound, S1)
    assert ack == Ack(S1, 2, (1, 1, 2))
    assert delivery.unread(ack) == {2}


def test_a_late_post_of_an_older_stream_takes_nothing_from_what_is_to_be_told_of_the_present_one() -> None:
    inbound, _ = take(Inbound(), post(1))
    inbound, _ = take(inbound, post(1, 1, S2))
    inbound = delivery.declined(inbound, post(1, 1, S2))
    inbound, _ = take(inbound, post(2))
    inbound = delivery.declined(inbound, post(2))
    assert delivery.ack_for(inbound, S2) == Ack(S2, 1, (1,))
    inbound, _ = take(inbound, post(2, 1, S2))
    assert delivery.ack_for(inbound, S1) == Ack(S1, 2, (2,))
    assert delivery.ack_for(inbound, S2) == Ack(S2, 2, (1,))


@pytest.mark.parametrize("rejected", [False, True])
def test_declined_numbers_are_bounded(*, rejected: bool) -> None:
    inbound = Inbound()
    for number in range(1, 2 * DECLINED_POSTS):
        inbound, place = take(inbound, post(number))
        if place is Place.NEXT:
            inbound = delivery.declined(inbound, post(number), rejected=rejected)
    (stream,) = inbound.streams
    assert delivery.full(stream.declined)
    assert len(stream.declined) <= DECLINED_POSTS
    assert take(inbound, post(DECLINED_POSTS + 1, DECLINED_POSTS + 1))[1] is Place.NEXT


def test_nothing_is_acknowledged_before_something_came() -> None:
    assert delivery.ack_for(Inbound(), S2) is None


def test_the_window_is_kept_and_refilled_by_halves() -> None:
    out = filled(20)
    flight, first, count = delivery.share(out, delivery.opened(out, 8, 0.0), 8, 0.0)
    assert (first, count) == (1, 8)
    out, _ = delivery.acknowledged(out, Ack(S1, 2))
    assert delivery.share(out, flight, 8, 1.0)[2] == 0
    out, _ = delivery.acknowledged(out, Ack(S1, 4))
    assert delivery.share(out, flight, 8, 1.0)[1:] == (9, 4)


def test_without_a_link_nothing_is_sent() -> None:
    out = filled(3)
    assert delivery.share(out, Flight(), 8, 0.0)[2] == 0
    assert delivery.retried(out, Flight(), 999.0, 10.0) is None


def test_tries_become_rarer_and_smaller() -> None:
    out = filled(9)
    flight, _, _ = delivery.share(out, delivery.opened(out, 8, 0.0), 8, 0.0)
    tries = []
    for now in range(1, 1500):
        again = delivery.retried(out, flight, float(now), 10.0)
        if again is not None:
            flight, window = again
            flight, _, count = delivery.share(out, flight, window, float(now))
            tries.append((now, count))
    assert tries[:3] == [(10, 8), (30, 8), (70, 1)]
    assert len(tries) < 10


def test_a_clock_that_jumps_back_does_not_stop_the_tries() -> None:
    out = filled(1)
    flight = replace(delivery.opened(out, 8, 1e9), sent=1)
    assert delivery.retried(out, flight, 5.0, 10.0) is not None


@given(st.lists(st.booleans(), max_size=60))
@settings(max_examples=60)
def test_the_queue_is_a_list(pushes: list[bool]) -> None:
    queue: Fifo[int] = Fifo()
    model: list[int] = []
    for number, push in enumerate(pushes):
        before, known = queue, list(model)
        if push:
            queue = queue.push(number)
            model.append(number)
        elif model:
            queue = queue.settled()
            assert queue.peek() == model[0]
            queue = queue.pop()
            model.pop(0)
        assert list(before) == known
        assert list(queue) == model
        assert len(queue) == len(model)
    assert Fifo().peek() is None
