"""Who leads when the leader is gone, and when."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.lobby.succession import CANDIDATES, Patience, dialled, is_our_turn

PEOPLE = ("ayse", "burak", "cem", "deniz", "elif")
P = Patience()


def when(me: str, linked: set[str], *, people: tuple[str, ...] = PEOPLE, behind: bool = False) -> float | None:
    """After how many seconds ``me`` takes the term; None: not within ten minutes."""
    for tenth in range(6_000):
        if is_our_turn(people, me, linked, tenth / 10, P, behind=behind):
            return tenth / 10
    return None


def test_the_first_who_is_there_takes_the_term_and_the_others_leave_it_time() -> None:
    everybody = set(PEOPLE)
    times = [when(one, everybody - {one}) for one in PEOPLE]
    assert times[0] == P.gather
    known = [one for one in times if one is not None]
    assert known == sorted(known)
    assert len(set(known)) == len(PEOPLE)
    assert all(later - earlier >= P.step for earlier, later in itertools.pairwise(known))


def test_the_last_of_many_waits_no_longer_than_for_a_few_where_the_others_are_gone() -> None:
    last = when("elif", {"deniz"}, people=("a", "b", "c", "d", "deniz", "elif"))
    alone = when("deniz", {"elif"}, people=("a", "b", "c", "d", "deniz", "elif"))
    assert alone is not None
    assert last is not None
    assert alone <= P.gather + P.step * (CANDIDATES - 1)
    assert alone < last


def test_who_reaches_nobody_waits_and_who_is_not_in_never_leads() -> None:
    assert when("ayse", set()) is None
    assert when("ayse", {"zeynep"}) is None
    assert when("zeynep", set(PEOPLE)) is None
    assert when("ayse", {"ayse"}) is None
    assert is_our_turn(PEOPLE, "ayse", set(), P.gather, P, behind=False, handed=True)


def test_the_last_one_leads_alone() -> None:
    assert when("ayse", set(), people=("ayse",)) == P.beat + P.gather
    assert not is_our_turn(["ayse"], "ayse", set(), P.beat + P.gather, P, behind=True)


def test_who_is_behind_collects_first_but_not_for_ever() -> None:
    assert not is_our_turn(PEOPLE, "ayse", {"burak"}, P.gather, P, behind=True)
    at = when("ayse", {"burak"}, behind=True)
    assert at is not None
    assert P.gather < at <= P.gather + 2 * P.step


def test_a_member_dials_the_candidates_and_a_candidate_everybody() -> None:
    people = [f"p{number:02}" for number in range(20)]
    assert dialled(people, "p19", 0.0, P) == {"p00", "p01", "p02"}
    assert dialled(people, "p01", 0.0, P) == set(people) - {"p01"}
    assert dialled(people, "p05", 0.0, P) == {"p00", "p01", "p02"}
    assert dialled(people, "p05", 10.0, P) == set(people) - {"p05"}  # its turn has come near


@given(st.sets(st.sampled_from(PEOPLE), min_size=2))
@settings(max_examples=25, deadline=None)
def test_of_people_who_all_reach_each_other_one_is_the_first(there: set[str]) -> None:
    times = {one: when(one, there - {one}) for one in there}
    assert None not in times.values()
    first = min(there, key=PEOPLE.index)
    assert all(times[first] < at for one, at in times.items() if one != first)  # type: ignore[operator]


@pytest.mark.parametrize("lost_for", [-5.0, 0.0])
def test_nobody_takes_what_is_not_lost(lost_for: float) -> None:
    assert not is_our_turn(PEOPLE, "ayse", {"burak"}, lost_for, P, behind=False)
    assert dialled(PEOPLE, "elif", lost_for, P) == {"ayse", "burak", "cem"}
