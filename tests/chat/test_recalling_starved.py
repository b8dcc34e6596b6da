"""Who answers for nothing, or next to nothing, of what it is asked is as one that is silent: others are asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conclave.chat import events as ev
from conclave.values import replace
from conclave.wire.frames import Frame
from conclave.wire.order import Originals, Recall
from tests.chat.room import Room, lacking
from tests.chat.test_sharing import room

__all__ = ["room"]


NOTHING = {
    "silence": None,
    "the end": lambda frame: (frame.before - 1, frame.before),
    "the beginning": lambda _: (0, 1),
}
"""For which entries who is asked answers: for none."""


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("ends", NOTHING.values(), ids=NOTHING)
def test_a_leader_that_answers_for_nothing_does_not_keep_others_from_being_asked(
    room: Room, ends: Callable[[Recall], tuple[int, int]] | None, *, whole: bool
) -> None:
    table, group = room.table, room.group
    table.say("cem", "#ops", "of cem")
    upto = table.view("burak").seq
    lacking(table, group, "burak", (upto - 1, upto + 1))
    asked: list[str] = []

    def drop(one: str, other: str, frame: Frame) -> bool:
        if one != "burak" or not isinstance(frame, Recall):
            return False
        asked.append(other)
        if other == "ayse" and ends is not None:
            table.put("burak", ev.Arrived("ayse", Originals(group, *ends(frame), (), whole=whole)))
        return other == "ayse"

    table.drop = drop
    table.run(900, 1)
    assert "cem" in asked
    assert not table.state("burak", group).healing.pull


def test_who_answers_for_one_entry_at_a_time_holds_up_no_receipts_for_an_hour(room: Room) -> None:
    table, group = room.table, room.group
    questions: list[tuple[float, Recall]] = []
    answered: list[float] = []

    def drop(one: str, other: str, frame: Frame) -> bool:
        if (one, other) != ("burak", "cem") or not isinstance(frame, Recall):
            return False
        questions.append((table.now, frame))
        return True

    for number in range(400):
        table.say("ayse", "#ops", str(number))
    table.run(20)
    upto = table.view("burak").seq
    table.drop = drop
    desk, lobby = table.desks["burak"], table.state("burak", group)
    lobby = replace(lobby, healing=replace(lobby.healing, untold={"cem": ((upto - 390, upto),)}))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.say("ayse", "#ops", "heard")
    place = table.view("ayse").seq
    for _ in range(720):
        table.run(5, 5)
        if questions and (not answered or table.now - answered[-1] >= 20):
            asked = questions[-1][1]
            answered.append(table.now)
            table.put("burak", ev.Arrived("cem", Originals(group, asked.before - 2, asked.before, (), whole=True)))
    assert table.view("ayse").marks["burak"].covers(place)


@pytest.mark.parametrize("lies", [False, True])
def test_a_leader_that_answers_for_nothing_of_what_all_are_asked_for_holds_up_no_receipts(
    room: Room, *, lies: bool
) -> None:
    table, group = room.table, room.group
    table.say("cem", "#ops", "of cem")
    upto = table.view("burak").seq
    lacking(table, group, "burak", (upto - 1, upto + 1))
    desk, lobby = table.desks["burak"], table.state("burak", group)
    lobby = replace(lobby, healing=replace(lobby.healing, untold=dict.fromkeys(("ayse", "cem"), ((upto, upto),))))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))

    def drop(one: str, other: str, frame: Frame) -> bool:
        if (one, other) != ("burak", "ayse") or not isinstance(frame, Recall):
            return False
        if lies:
            table.put("burak", ev.Arrived("ayse", Originals(group, frame.before - 1, frame.before, (), whole=True)))
        return True

    table.drop = drop
    table.say("ayse", "#ops", "heard")
    place = table.view("ayse").seq
    table.run(3600, 5)
    assert table.view("ayse").marks["burak"].covers(place)


@pytest.mark.parametrize("lies", [False, True])
def test_a_leader_that_says_of_one_entry_at_a_time_that_it_gave_all_keeps_words_back_for_no_half_hour(
    room: Room, *, lies: bool
) -> None:
    table, group = room.table, room.group
    table.say("cem", "#ops", "of cem")
    first = table.view("burak").seq
    for number in range(300):
        table.say("ayse", "#ops", str(number))
    lacking(table, group, "burak", (first - 1, first + 301))
    desk, lobby = table.desks["burak"], table.state("burak", group)
    assert lobby.order is not None
    untold = dict.fromkeys(("ayse", "cem"), ((first, first + 300),))
    lobby = replace(lobby, healing=replace(lobby.healing, untold=untold))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    asked: list[str] = []

    def drop(one: str, other: str, frame: Frame) -> bool:
        if one != "burak" or not isinstance(frame, Recall):
            return False
        asked.append(other)
        if other == "ayse" and lies:
            table.put("burak", ev.Arrived("ayse", Originals(group, frame.before - 2, frame.before, (), whole=True)))
        return other == "ayse"

    table.drop = drop
    table.run(1800, 5)
    assert "cem" in asked
    assert not table.state("burak", group).healing.pull


def test_nobody_is_asked_without_a_pause_by_who_answers_for_one_entry_at_a_time(room: Room) -> None:
    """As ``test_who_answers_for_nothing_that_it_is_asked_is_as_one_that_is_silent``, with an entry each."""
    table, group = room.table, room.group
    questions: list[Recall] = []

    def drop(one: str, other: str, frame: Frame) -> bool:
        if (one, other) != ("burak", "cem") or not isinstance(frame, Recall):
            return False
        questions.append(frame)
        if len(questions) < 300:
            table.put("burak", ev.Arrived("cem", Originals(group, frame.before - 2, frame.before, (), whole=True)))
        return True

    table.drop = drop
    desk, lobby = table.desks["burak"], table.state("burak", group)
    lobby = replace(lobby, healing=replace(lobby.healing, untold={"cem": ((1, 1 << 40),)}))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.put("burak", ev.Tick())
    assert len(questions) < 10
