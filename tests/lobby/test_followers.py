"""Those who follow an order: pushed to while they keep up, replayed to when they ask, bounded in what they claim."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave.lobby import followers as positions
from conclave.lobby.followers import FETCH_ENTRIES, Follower, Followers
from conclave.lobby.shelf import Shelf


@pytest.fixture
def people() -> Followers:
    empty: Followers = Shelf()
    return positions.admit(empty, "burak", 0, 0.0, linked=True)


def one_of(people: Followers, handle: str) -> Follower:
    found = people.get(handle)
    assert found is not None
    return found


def test_who_lags_gets_nothing_pushed_and_the_others_do(people: Followers) -> None:
    people = positions.admit(people, "cem", 0, 0.0, linked=True)
    pushed: list[tuple[str, ...]] = []
    for seq in range(1, 6):
        people, handles, _ = positions.audience(people, seq, 3)
        pushed.append(tuple(sorted(handles)))
        people, _, _ = positions.heard(people, [("cem", seq)], seq, 1.0)
    assert pushed == [("burak", "cem")] * 3 + [("cem",)] * 2


def test_who_lagged_comes_back_by_fetching(people: Followers) -> None:
    for seq in range(1, 6):
        people, _, _ = positions.audience(people, seq, 3)
    people, tell, _ = positions.heard(people, [("burak", 2)], 5, 1.0)
    assert not tell
    people, tell, _ = positions.heard(people, [("burak", 3)], 5, 1.0)
    assert tell
    people, first, count = positions.fetched(people, "burak", 4, FETCH_ENTRIES, 5, 1.0)
    assert (first, count) == (4, 2)
    assert positions.audience(people, 6, 3)[1] == ("burak",)


def test_nobody_gets_what_was_said_before_it_entered_or_after_it_left(people: Followers) -> None:
    people = positions.admit(people, "cem", 3, 0.0, linked=True)
    assert positions.fetched(people, "cem", 1, 99, 4, 0.0)[1:] == (4, 1)
    people = positions.part(people, "cem", 4)
    assert positions.fetched(people, "cem", 5, 99, 9, 0.0)[2] == 0
    assert positions.fetched(people, "cem", 1, 99, 9, 0.0)[1:] == (4, 1)
    assert "cem" not in positions.audience(people, 5, 9)[1]
    assert positions.fetched(people, "deniz", 1, 99, 9, 0.0)[2] == 0
    assert positions.heard(people, [("cem", 4)], 9, 0.0)[2]  # it has all that it is to have


def test_a_fetch_is_answered_in_bounded_pieces(people: Followers) -> None:
    assert positions.fetched(people, "burak", 1, 65_535, 10_000, 0.0)[1:] == (1, FETCH_ENTRIES)
    for first, count in ((0, 0), (1 << 63, 5), (10_001, 1), (5, 0)):
        assert positions.fetched(people, "burak", first, count, 10_000, 0.0)[2] == 0


def test_a_member_cannot_claim_more_than_there_is(people: Followers) -> None:
    people, _, gone = positions.heard(people, [("burak", 1 << 60)], 1, 1.0)
    assert not gone
    assert one_of(people, "burak").have == 1


def test_many_tell_at_once_as_one_after_the_other(people: Followers) -> None:
    people = positions.admit(people, "cem", 0, 0.0, linked=True)
    people = positions.part(people, "cem", 4)
    haves = [("burak", 2), ("cem", 3), ("deniz", 3), ("burak", 4), ("cem", 9), ("cem", 1)]
    one_by_one = people
    tell, gone = list[str](), list[str]()
    for have in haves:
        one_by_one, more, out = positions.heard(one_by_one, [have], 5, 1.0)
        tell += more
        gone += out
    people, *same = positions.heard(people, haves, 5, 1.0)
    assert dict(people.items()) == dict(one_by_one.items())
    assert same == [tell, gone] == [tell, ["cem"]]


def test_nobody_goes_back_by_saying_so_but_by_another_half(people: Followers) -> None:
    people, _, _ = positions.heard(people, [("burak", 5)], 9, 1.0)
    people, _, _ = positions.heard(people, [("burak", 2)], 9, 1.0)
    assert one_of(people, "burak").have == 5
    assert one_of(positions.rewound(people, "burak"), "burak").have == 0
    assert positions.rewound(people, "deniz") is people


def test_what_was_pushed_on_a_link_that_went_is_not_counted_on(people: Followers) -> None:
    people, _, _ = positions.audience(people, 1, 3)
    people = positions.link(people, "burak", 1, 1.0, up=False)
    assert positions.audience(people, 2, 3)[1:] == ((), False)
    people = positions.link(people, "burak", 2, 2.0, up=True)
    assert positions.audience(people, 3, 3)[1:] == ((), True)
    assert positions.link(people, "deniz", 2, 2.0, up=True) is people


def test_who_is_let_in_by_an_entry_gets_what_follows_it(people: Followers) -> None:
    """The commit that lets many in is large, and of no use to them: each has a welcome."""
    people = positions.admit(people, "cem", 1, 0.0, linked=True)
    assert positions.audience(people, 1, 3)[1] == ("burak",)
    assert set(positions.audience(people, 2, 3)[1]) == {"burak", "cem"}


def test_the_silent_are_asked_less_and_less_often(people: Followers) -> None:
    asked = 0
    for now in range(1, 2000):
        people, silent, behind = positions.unmoved(people, 1, float(now), 10.0)
        asked += len(silent)
        assert behind
    assert 6 <= asked <= 12


def test_who_is_out_once_is_not_put_out_later_again(people: Followers) -> None:
    people = positions.part(people, "burak", 4)
    assert positions.part(people, "burak", 9) is people
    assert positions.part(people, "deniz", 9) is people


FOLLOWERS = st.builds(
    Follower,
    since=st.integers(1, 9),
    until=st.integers(0, 9),
    linked=st.booleans(),
    live=st.booleans(),
    have=st.integers(0, 9),
)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=2), FOLLOWERS), st.integers(1, 9), st.integers(0, 9))
def test_an_entry_goes_to_whoever_is_linked_in_and_near(known: dict[str, Follower], seq: int, window: int) -> None:
    empty: Followers = Shelf()
    before = empty.update(known)
    for people in (before, positions.audience(before, seq, window)[0]):
        after, pushed, awaited = positions.audience(people, seq, window)
        due = {
            name: one
            for name, one in people.items()
            if one.linked and one.since <= seq and (not one.until or one.until >= seq)
        }
        near = {name for name, one in due.items() if one.live and seq - one.have <= window}
        assert set(pushed) == near
        assert awaited == bool(due)
        for name, one in people.items():
            lost = one.live and name in due and name not in near
            assert one_of(after, name) == (one._replace(live=False, sent=seq - 1) if lost else one)
