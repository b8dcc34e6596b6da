"""Messages that lack: ranges that come and go, bounded, whatever an author counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from conclave.chat import events as ev
from conclave.chat.words.content import Content, Text, encode_content
from conclave.chat.words.gaps import GAPS_OF_ALL, GAPS_OF_ONE, Gap, Gaps, filled, numbers, oldest, opened, split
from tests.chat.test_hostile_members import Room


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
