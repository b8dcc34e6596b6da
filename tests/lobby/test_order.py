"""An order: written by a leader, taken by its members, compared where halves meet."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import VerificationError
from conclave.lobby import chain
from conclave.lobby import order as orders
from conclave.lobby.order import LAST_TERM, RECENT, WORDS_BYTES, Order, Place
from conclave.values import replace
from conclave.wire.codec import Reader
from conclave.wire.frames import decode_frame, encode_frame
from conclave.wire.order import LAST_SEQ, RUNS, EntryKind, Head, Ordered, Run, encode_ordered

GROUP = b"g" * 16


def write(order: Order, count: int = 1, sender: str = "ayse") -> tuple[Order, list[Ordered]]:
    """So many more entries."""
    entries = []
    for _ in range(count):
        number = (order.numbers.get(sender) or 0) + 1
        order, entry, _ = orders.write(order, sender, number, 0, EntryKind.MESSAGE, b"words")
        entries.append(entry)
    return order, entries


def take_all(order: Order, entries: list[Ordered]) -> Order:
    """All of these taken, and each proved to be its sender's."""
    for entry in entries:
        order, _ = orders.take(order, entry)
        order = orders.counted(order, entry)
    return order


def named(
    payload: bytes, sender: str = "burak", number: int = 5, epoch: int = 0, kind: EntryKind = EntryKind.MESSAGE
) -> bytes:
    return orders.name_of(sender, number, epoch, kind, payload)


def handed_in(entries: list[Ordered]) -> list[tuple[str, int]]:
    """By whom, and under which number."""
    return [(entry.sender, entry.number) for entry in entries]


def where(order: Order) -> tuple[object, ...]:
    """All of an order that can be compared."""
    return (order.seq, order.hash, order.runs, order.epoch, dict(order.numbers.items()), order.recent)


def lead(order: Order, leader: str, rank: int = 0) -> tuple[Order, Ordered]:
    """The first entry of a new term."""
    run = Run(order.run.term + 1, rank, leader, 0, 0)
    order, entry, _ = orders.write(orders.new_term(order, run), leader, 1, rank, EntryKind.TERM, b"term")
    return order, entry


def test_an_order_is_taken_to_the_same_hash() -> None:
    first = orders.begin(GROUP, "ayse")
    written, entries = write(first, 5)
    assert where(take_all(first, entries)) == where(written)
    assert written.seq == 5
    assert written.hash == chain.link(encode_ordered(entries[-1]))


def test_lobbies_and_leaders_begin_with_different_hashes() -> None:
    starts = {chain.start(b"a" * 16, "ayse"), chain.start(b"b" * 16, "ayse"), chain.start(b"a" * 16, "burak")}
    assert len(starts) == 3


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"previous": b"x" * 32}, "forked"),
        ({"seq": 3}, "wrong-place"),
        ({"seq": 1}, "wrong-place"),
        ({"term": 2}, "wrong-term"),
        ({"term": 0}, "wrong-term"),
        ({"kind": EntryKind.TERM}, "wrong-term"),
        ({"payload": bytes(WORDS_BYTES + 1)}, "too-large"),
        ({"kind": EntryKind.TERM, "term": 2, "payload": bytes(WORDS_BYTES + 1)}, "too-large"),
    ],
)
def test_what_does_not_fit_is_refused(wrong: dict[str, object], reason: str) -> None:
    order, _ = write(orders.begin(GROUP, "ayse"))
    _, (entry,) = write(order)
    orders.take(order, entry)
    with pytest.raises(VerificationError) as caught:
        orders.take(order, replace(entry, **wrong))  # type: ignore[arg-type]
    assert caught.value.reason == reason


def test_no_order_comes_to_numbers_that_fit_no_frame() -> None:
    order = replace(orders.begin(GROUP, "ayse"), seq=LAST_SEQ)
    entry = Ordered(GROUP, 1, LAST_SEQ + 1, order.hash, "ayse", 1, 0, EntryKind.MESSAGE, b"")
    with pytest.raises(VerificationError):
        orders.take(order, entry)


@pytest.mark.parametrize("ours", [None, replace(orders.begin(GROUP, "ayse"), seq=7)])
def test_an_order_is_entered_where_many_more_entries_fit_a_frame(ours: Order | None) -> None:
    now = 1 << 31  # in 2038
    most = ours.seq + orders.FAR if ours is not None else LAST_SEQ // 2
    orders.demand_near(ours, most, most + orders.FAR, now)
    for seq, epoch in ((most + 1, 0), (LAST_SEQ, 0), (most, most + orders.FAR + 1), (7, (1 << 64) - 2)):
        with pytest.raises(VerificationError):
            orders.demand_near(ours, seq, epoch, now)


def test_no_lobby_comes_to_terms_that_fit_no_frame() -> None:
    order = orders.begin(GROUP, "ayse")
    for term in (LAST_TERM + 1, (1 << 32) - 1):
        with pytest.raises(VerificationError):
            orders.take(order, Ordered(GROUP, term, 1, order.hash, "burak", 1, 1, EntryKind.TERM, b""))
    assert orders.take(order, Ordered(GROUP, LAST_TERM, 1, order.hash, "burak", 1, 1, EntryKind.TERM, b""))


def test_any_other_byte_of_an_entry_gives_another_hash() -> None:
    order = orders.begin(GROUP, "ayse")
    _, (entry,) = write(order)
    changed = [
        replace(entry, sender="burak"), replace(entry, number=2), replace(entry, epoch=1),
        replace(entry, kind=EntryKind.COMMIT), replace(entry, payload=b"other"),
    ]  # fmt: skip
    assert len({orders.take(order, one)[0].hash for one in (entry, *changed)}) == 6


def test_what_is_handed_in_has_its_place_by_its_senders_own_numbers() -> None:
    order, _ = write(orders.begin(GROUP, "ayse"), 2, "burak")
    assert orders.handed_in(order, "burak", 1, 2) is Place.REPEATED
    assert orders.handed_in(order, "burak", 1, 3) is Place.NEXT
    assert orders.handed_in(order, "burak", 1, 4) is Place.AHEAD
    assert orders.handed_in(order, "burak", 9, 9) is Place.NEXT  # it hands nothing in below 9 any more
    assert orders.handed_in(order, "cem", 1, 1) is Place.NEXT
    for base, number in ((0, 1), (0, 0), (4, 3)):
        assert orders.handed_in(order, "burak", base, number) is Place.AHEAD


def test_a_number_is_believed_once_its_entry_is_proved_to_be_its_senders() -> None:
    order = orders.begin(GROUP, "ayse")
    junk = Ordered(GROUP, 1, 1, order.hash, "burak", 1 << 63, 0, EntryKind.MESSAGE, b"junk")
    order, _ = orders.take(order, junk)
    assert not order.numbers
    assert orders.handed_in(order, "burak", 1, 1, named(b"words", number=1)) is Place.NEXT
    assert orders.handed_in(orders.counted(order, junk), "burak", 1, 1, named(b"words", number=1)) is Place.REPEATED


def test_what_could_not_be_read_is_known_again_and_nothing_else_is_taken_for_it() -> None:
    order = orders.begin(GROUP, "ayse")
    order, _ = orders.take(order, Ordered(GROUP, 1, 1, order.hash, "burak", 5, 0, EntryKind.MESSAGE, b"words"))
    assert orders.handed_in(order, "burak", 5, 5, named(b"words")) is Place.REPEATED
    for other in (
        named(b"other"), named(b"words", number=6), named(b"words", "cem"), named(b"words", epoch=1),
        named(b"words", kind=EntryKind.COMMIT),
    ):  # fmt: skip
        assert orders.handed_in(order, "burak", 5, 5, other) is Place.NEXT
    back = orders.rewind(order, 0, chain.start(GROUP, "ayse"), 0, ())
    assert orders.handed_in(back, "burak", 5, 5, named(b"words")) is Place.NEXT
    for _ in range(RECENT + 5):
        junk = Ordered(GROUP, 1, order.seq + 1, order.hash, "burak", 9, 0, EntryKind.MESSAGE, b"junk")
        order, _ = orders.take(order, junk)
    assert len(order.doubted) == RECENT


def test_going_back_brings_no_number_below_none() -> None:
    order, _ = write(orders.begin(GROUP, "ayse"), 2, "burak")
    back = orders.rewind(take_all(order, []), 0, order.hash, 0, (("burak", 0), ("cem", 0)))
    assert dict(back.numbers.items()) == {"burak": 0}


def test_an_order_that_goes_back_to_its_beginning_can_be_shown_and_a_term_can_begin_there() -> None:
    order, cut = write(orders.begin(GROUP, "ayse"), 3)
    back = orders.rewind(order, 0, chain.start(GROUP, "ayse"), 0, handed_in(cut))
    after, _ = lead(back, "burak", 1)
    for one in (back, after):
        reader = Reader(encode_frame(orders.head(one)))
        assert decode_frame(reader.uint8(), reader.opaque()) == orders.head(one)


def test_an_order_that_goes_back_before_the_oldest_run_that_is_known_can_be_read_again() -> None:
    order, cut = write(replace(orders.begin(GROUP, "ayse"), seq=99, runs=(Run(7, 0, "ayse", 100, 99),)), 3)
    at = orders.parting(order, Head(GROUP, 5, bytes(32), (Run(8, 0, "burak", 103, 103), order.run)))
    back = orders.rewind(order, at, bytes(32), 0, handed_in(cut))
    reader = Reader(encode_frame(orders.head(back)))
    assert decode_frame(reader.uint8(), reader.opaque()) == orders.head(back)


def test_a_term_begins_where_the_order_ends_and_runs_tell_by_whom() -> None:
    first = orders.begin(GROUP, "ayse")
    written, entries = write(first, 3)
    written, term = lead(written, "burak", 1)
    written, more = write(written, 2, "burak")
    assert where(take_all(first, [*entries, term, *more])) == where(written)
    assert written.runs == (Run(2, 1, "burak", 4, 6), Run(1, 0, "ayse", 1, 3))


def test_the_latest_runs_and_hashes_are_kept_and_no_more() -> None:
    order = orders.begin(GROUP, "ayse")
    for number in range(2 * RUNS):
        order, _ = lead(order, "burak" if number % 2 else "ayse")
    assert len(order.runs) == RUNS
    assert len(order.recent) == RECENT


def test_a_leader_that_ordered_nothing_leaves_no_run() -> None:
    order, _ = write(orders.begin(GROUP, "ayse"), 2)
    order = orders.new_term(order, Run(2, 1, "burak", 0, 0))
    order = orders.new_term(order, Run(3, 2, "cem", 0, 0))
    assert order.runs == (Run(3, 2, "cem", 3, 2), Run(1, 0, "ayse", 1, 2))


def test_terms_from_before_an_order_parted_are_not_taken_of_its_leader() -> None:
    founder, second, third = Run(1, 0, "ayse", 1, 4), Run(2, 1, "burak", 5, 9), Run(5, 0, "elif", 7, 12)
    ours = Order(GROUP, 9, bytes(32), (second, founder))
    theirs = (third, replace(second, last=6), replace(founder, leader="deniz"))
    assert orders.continued(ours, Head(GROUP, 12, bytes(32), theirs)) == (third, replace(second, last=6), founder)
    strange = Head(GROUP, 12, bytes(32), (third, replace(second, term=3, last=6)))
    assert orders.continued(ours, strange) == (third,)
    nothing = Order(GROUP, 0, bytes(32), (replace(founder, last=0, leader="cem"),))
    assert orders.continued(nothing, strange) == strange.runs, "from a backup that had no order"


def test_halves_part_at_the_end_of_what_both_have() -> None:
    common, _ = write(orders.begin(GROUP, "ayse"), 4)
    ours, _ = write(common, 3)
    theirs, _ = lead(common, "burak", 1)
    assert orders.parting(ours, orders.head(common)) == 4
    assert orders.parting(ours, orders.head(theirs)) == 4
    assert orders.parting(theirs, orders.head(ours)) == 4
    assert orders.parting(ours, Head(GROUP, 9, b"h" * 32, (Run(5, 0, "deniz", 9, 9),))) == -1


def test_where_a_leader_showed_others_another_entry_that_one_is_not_in_common() -> None:
    ours, _ = write(orders.begin(GROUP, "ayse"), 4)
    head = orders.head(ours)
    assert orders.parting(ours, replace(head, hash=b"h" * 32)) == 3
    assert orders.parting(ours, replace(head, hash=bytes(32))) == 4, "a hash that is not told"
    longer, _ = write(ours, 2)
    assert orders.parting(longer, head) == 4
    assert orders.parting(longer, replace(head, hash=b"h" * 32)) == 3
    assert orders.parting(ours, orders.head(longer)) == 4


@given(st.integers(1, 9), st.integers(0, 4), st.integers(0, 4))
@settings(max_examples=60)
def test_of_two_orders_exactly_one_counts_and_rewound_it_takes_the_other(common: int, one: int, other: int) -> None:
    shared, _ = write(orders.begin(GROUP, "ayse"), common)
    ours, cut = write(shared, one)
    theirs, term = lead(shared, "burak", 1)
    theirs, more = write(theirs, other, "burak")
    assert orders.counts_before(theirs.run, ours.run)
    assert not orders.counts_before(ours.run, theirs.run)
    at = orders.parting(ours, orders.head(theirs))
    assert at == common
    back = orders.rewind(ours, at, shared.hash, 0, handed_in(cut))
    assert (back.seq, back.hash, back.runs) == (shared.seq, shared.hash, shared.runs)
    again = take_all(back, [term, *more])
    assert (again.seq, again.hash, again.runs) == (theirs.seq, theirs.hash, theirs.runs)


def test_the_higher_term_counts_then_the_lower_rank_then_the_lesser_name() -> None:
    best = [Run(3, 5, "z", 0, 0), Run(2, 0, "z", 0, 0), Run(2, 1, "a", 0, 0), Run(2, 1, "b", 0, 0)]
    for at, run in enumerate(best):
        assert not orders.counts_before(run, run)
        for worse in best[at + 1 :]:
            assert orders.counts_before(run, worse)
            assert not orders.counts_before(worse, run)


def test_another_hash_at_a_place_that_both_know_contradicts() -> None:
    order, entries = write(orders.begin(GROUP, "ayse"), 3)
    digest = chain.link(encode_ordered(entries[1]))
    run = order.run
    assert not orders.contradicts(order, run, 2, digest)
    assert orders.contradicts(order, run, 2, b"x" * 32)
    assert not orders.contradicts(order, run, 9, b"x" * 32)  # we are not there yet
    assert not orders.contradicts(order, replace(run, leader="burak"), 2, b"x" * 32)  # another half's


def test_what_is_too_long_ago_contradicts_nothing() -> None:
    order, _ = write(orders.begin(GROUP, "ayse"), RECENT + 5)
    assert not orders.contradicts(order, order.run, 1, b"x" * 32)
    assert orders.contradicts(order, order.run, 6, b"x" * 32)
