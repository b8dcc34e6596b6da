"""Messages that lack: ranges that come and go, bounded, whatever an author counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave.chat import events as ev
from conclave.chat.words.content import Content, Text, encode_content
from conclave.chat.words.gaps import GAPS_OF_ALL, GAPS_OF_ONE, Gap, Gaps, filled, numbers, oldest, opened, split
from conclave.values import replace
from tests.chat.desks import Table
from tests.chat.halves import restored
from tests.chat.room import Room, shared, signed
from tests.chat.test_hostile_leader import held, table

__all__ = ["table"]


def lacking(gaps: Gaps, author: str) -> set[int]:
    return {number for gap in gaps.get(author, ()) for number in range(gap.first, gap.last + 1)}


@given(st.lists(st.integers(1, 60), max_size=80))
def test_what_came_does_not_lack_and_the_rest_does(counts: list[int]) -> None:
    gaps: Gaps = {}
    latest, came = 0, set[int]()
    for count in counts:
        gaps = filled(gaps, "cem", count)
        if count > latest + 1:
            gaps = opened(gaps, "cem", Gap(latest + 1, count - 1, 5.0))
        latest = max(latest, count)
        came.add(count)
        assert lacking(gaps, "cem") == set(range(1, latest)) - came
        assert [gap.first for gap in gaps.get("cem", ())] == sorted(gap.first for gap in gaps.get("cem", ()))
    assert ("cem" in gaps) == bool(lacking(gaps, "cem"))


def test_gaps_are_bounded_and_nobodys_are_forgotten_because_of_another_who_has_more() -> None:
    gaps = opened({}, "cem", Gap(1, 1, 0.0))
    for number in range(3 * GAPS_OF_ALL // GAPS_OF_ONE):
        for first in range(1, 1000, 10):
            gaps = opened(gaps, f"author {number}", Gap(first, first + 8, 1.0))
    for number in range(3):
        for first in range(1, 1000, 10):
            gaps = filled(gaps, f"author {number}", first + 4)
    assert max(map(len, gaps.values())) <= GAPS_OF_ONE
    assert sum(map(len, gaps.values())) <= GAPS_OF_ALL
    assert gaps["cem"] == (Gap(1, 1, 0.0),)
    assert oldest(gaps) == 0.0
    late, rest = split(gaps, 60.0, 60.0)
    assert late == {"cem": gaps["cem"]}
    assert {**late, **rest} == gaps


def test_numbers_are_told_as_ranges_and_the_last_ones_by_how_many_they_are() -> None:
    assert numbers([Gap(2, 2, 0.0), Gap(5, 9, 0.0)]) == "2, 5 to 9"
    assert numbers([Gap(10 * n, 10 * n + 4, 0.0) for n in range(1, 12)]).endswith(", 80 to 84 and 15 more")


def test_an_author_whose_counters_jump_costs_little_and_is_told_in_few_words() -> None:
    room = Room()
    table = room.table
    for number in range(1, 200):
        room.submit(encode_content(Content(table.random(16), number * 1000, table.now, Text("and on"))))
    gaps = table.state("ayse", room.group).ears.gaps
    assert sum(map(len, gaps.values())) == GAPS_OF_ONE
    table.effects["ayse"].clear()
    table.now += table.settings.gap_after + 1
    table.step("ayse", ev.Tick())
    (told,) = (text for text in table.troubles("ayse") if "has not arrived" in text)
    assert "of burak has not arrived" in told
    assert len(told) < 300
    assert not table.state("ayse", room.group).ears.gaps


def test_what_is_withheld_of_who_left_and_came_back_shows_as_a_gap(table: Table) -> None:
    """It counts from 1 again, and is not to say as much as before until that is seen."""
    for number in range(6):
        table.say("cem", "#ops", f"{number} of the first time")
    table.put("ayse", ev.RemoveFrom("#ops", "cem", ""))
    table.run(30)
    table.put("ayse", ev.InviteTo("#ops", ("cem",)))
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
    table.run(30)
    table.say("cem", "#ops", "first")
    _, third, *_ = (one for one in held(table, "burak", "cem", "left out", "third") if one.sender == "cem")
    order = table.state("burak", third.group).order
    assert order is not None
    table.step("burak", ev.Arrived("ayse", replace(third, seq=order.seq + 1, previous=order.hash)))
    assert table.words("burak")[-2:] == ["first", "third"]
    for _ in range(40):
        table.now += 10
        table.step("burak", ev.Tick())
    assert any("message 2 of cem has not arrived" in one for one in table.troubles("burak"))


def test_what_an_author_said_before_it_came_back_counts_for_nothing() -> None:
    """Else whoever shares that anew hides what is withheld of it since."""
    room = Room()
    table = room.table
    old = [table.say("cem", "#ops", f"{number} of the first time") for number in range(6)]
    last, second = (signed(table, "burak", "#ops", "cem", one).encode() for one in (old[-1], old[1]))
    table.put("ayse", ev.RemoveFrom("#ops", "cem", ""))
    table.run(30)
    table.put("ayse", ev.InviteTo("#ops", ("cem",)))
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
    table.run(30)
    table.say("cem", "#ops", "first")
    shared(room, last)
    assert table.state("ayse", room.group).ears.counts.get("cem") == 1
    desk, lobby = table.desks["ayse"], table.state("ayse", room.group)
    lobby = replace(lobby, ears=replace(lobby.ears, gaps={"cem": (Gap(2, 2, table.now),)}))
    table.desks["ayse"] = replace(desk, lobbies=desk.lobbies.put(room.group, lobby))
    shared(room, second)
    assert lacking(table.state("ayse", room.group).ears.gaps, "cem") == {2}


def test_of_a_gap_people_hear_though_they_heard_of_another_just_now() -> None:
    room = Room()
    table = room.table
    for count in (5, 9):
        room.submit(encode_content(Content(table.random(16), count, table.now, Text("and on"))))
        table.now += 30
        table.step("ayse", ev.Tick())
    for _ in range(40):
        table.now += 5
        table.step("ayse", ev.Tick())
    told = [one for one in table.troubles("ayse") if "has not arrived" in one]
    assert [one[: one.index(" of burak")] for one in told] == ["#ops: message 2 to 4", "#ops: message 6 to 8"]
    assert not table.state("ayse", room.group).ears.gaps


@pytest.mark.parametrize("restarts", [False, True])
def test_a_gap_that_nobody_was_told_of_outlives_a_restart(restarts: bool) -> None:
    room = Room()
    table = room.table
    room.submit(encode_content(Content(table.random(16), 5, table.now, Text("and on"))))
    if restarts:
        table.restart("ayse")
    for _ in range(60):
        table.now += 10
        table.step("ayse", ev.Tick())
    assert any("message 2 to 4 of burak has not arrived" in one for one in table.troubles("ayse"))


@pytest.mark.parametrize("backup", [False, True])
def test_what_is_withheld_of_who_came_from_a_backup_shows_as_a_gap(table: Table, *, backup: bool) -> None:
    for number in range(6):
        table.say("cem", "#ops", f"{number} of the first time")
    table.run(10)
    if backup:
        restored(table, "cem")
        table.run(120)
    table.say("cem", "#ops", "first")
    table.run(10)
    _, third, *_ = (one for one in held(table, "burak", "cem", "left out", "third") if one.sender == "cem")
    order = table.state("burak", third.group).order
    assert order is not None
    table.step("burak", ev.Arrived("ayse", replace(third, seq=order.seq + 1, previous=order.hash)))
    assert table.words("burak")[-2:] == ["first", "third"]
    for _ in range(40):
        table.now += 10
        table.step("burak", ev.Tick())
    assert any("of cem has not arrived" in one for one in table.troubles("burak")), table.troubles("burak")


@pytest.mark.parametrize("off", [1, 3600])
def test_a_gap_that_is_filled_right_after_a_restart_is_not_told(off: int) -> None:
    room = Room()
    table = room.table
    room.submit(encode_content(Content(table.random(16), 1, table.now, Text("one"))))
    room.submit(encode_content(Content(table.random(16), 3, table.now, Text("three"))))
    table.now += off
    table.restart("ayse")
    table.step("ayse", ev.Tick())
    table.now += 5
    room.submit(encode_content(Content(table.random(16), 2, table.now, Text("two, said again"))))
    for _ in range(60):
        table.now += 10
        table.step("ayse", ev.Tick())
    assert not [one for one in table.troubles("ayse") if "has not arrived" in one]
