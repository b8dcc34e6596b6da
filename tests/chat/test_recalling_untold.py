"""That nothing more was said is the word of whoever answers: authors are asked for their own words themselves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conclave.chat import events as ev
from conclave.chat.deeds import SendOriginals
from conclave.chat.lobby_records import decode_lobby, encode_lobby, encode_place
from conclave.chat.lobby_state import Step
from conclave.values import replace
from conclave.wire.frames import Frame
from conclave.wire.order import Ordered, Originals, Recall, Refusal, Refused
from tests.chat.desks import Table, together
from tests.chat.halves import restored
from tests.chat.room import Room, lacking, signed
from tests.chat.test_recalling import asked, lost
from tests.chat.test_sharing import room

__all__ = ["room"]


def deceived(table: Table, *, author_there: bool) -> bytes:
    """ayse, who leads, lets cem in anew and answers that nothing was said meanwhile; burak said something."""
    for one, other in (("ayse", "burak"), ("ayse", "cem"), ("burak", "cem")):
        table.link(one, other)
    group = table.lobby("ayse", "burak", "cem")
    table.run(70, 10)
    table.say("burak", "#ops", "before")
    table.part({"ayse", "burak"}, {"cem"})
    table.say("burak", "#ops", "while cem is away")
    table.run(5)
    questions: list[Recall] = []
    kept_back = table.view("ayse").seq

    def drop(one: str, other: str, frame: Frame) -> bool:
        if (one, other) == ("cem", "ayse") and isinstance(frame, Recall):
            questions.append(frame)
        before = isinstance(frame, Ordered) and frame.seq <= kept_back
        return (one, other) == ("ayse", "cem") and (before or isinstance(frame, Originals))

    table.drop = drop
    if author_there:
        table.part()
    else:
        table.part({"ayse", "cem"}, {"burak"})
    table.link("ayse", "cem")
    table.put("cem", ev.Arrived("ayse", Refused(group, 0, 0, Refusal.GONE)))
    if author_there:
        table.link("burak", "cem")
    for _ in range(20):
        table.wait(3)
        while questions:
            last = questions.pop()
            table.put("cem", ev.Arrived("ayse", Originals(group, last.after, last.before, (), whole=True)))
    assert table.state("cem", group).healing.step is Step.SOUND
    return group


def test_one_lie_that_nothing_was_said_loses_no_words() -> None:
    table = Table("ayse", "burak", "cem")
    group = deceived(table, author_there=True)
    table.run(60, 5)
    assert table.words("cem")[-1] == "while cem is away"
    assert not table.state("cem", group).healing.untold
    (place,) = (one.seq for one in table.lines("cem", "#ops") if one.text == "while cem is away")
    assert table.view("burak").marks["cem"].covers(place)


@pytest.mark.parametrize("restarts", [False, True])
def test_an_author_who_was_away_is_asked_when_it_is_there_again(*, restarts: bool) -> None:
    table = Table("ayse", "burak", "cem")
    group = deceived(table, author_there=False)
    assert "while cem is away" not in table.words("cem")
    assert table.state("cem", group).healing.untold.keys() == {"burak"}
    if restarts:
        table.restart("cem")
    table.part()
    table.run(60, 5)
    assert "while cem is away" in table.words("cem")


def test_an_author_who_was_away_is_asked_by_a_home_from_a_backup_too() -> None:
    table = Table("ayse", "burak", "cem")
    table.stock()
    deceived(table, author_there=False)
    table.drop = lambda *_: False
    table.say("ayse", "#ops", "later")
    table.run(60)
    restored(table, "cem")
    table.part()
    table.run(600, 5)
    assert "while cem is away" in table.words("cem")
    (place,) = (one.seq for one in table.lines("burak", "#ops") if one.text == "while cem is away")
    assert table.view("burak").marks["cem"].covers(place)


def test_others_are_asked_for_their_own_words_once_somebody_said_that_it_gave_all(room: Room) -> None:
    table, group = room.table, room.group
    theirs = {one: table.say(one, "#ops", f"of {one}") for one in ("ayse", "cem")}
    upto = table.view("burak").seq
    lacking(table, group, "burak", (upto - 2, upto + 1))
    desk, lobby = table.desks["burak"], table.state("burak", group)
    untold = dict.fromkeys(("ayse", "cem"), ((upto - 1, upto),))
    lobby = replace(lobby, healing=replace(lobby.healing, untold=untold))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    since = len(table.frames)
    table.put("burak", ev.Tick())
    assert asked(table, since) == ["ayse", "cem"], "at once, as soon as ayse has answered"
    assert [frame.own for *_, frame in table.frames[since:] if isinstance(frame, Recall)] == [False, True]
    *_, last = (frame for *_, frame in table.frames if isinstance(frame, Originals))
    assert [data for _, data in last.items] == [signed(table, "cem", "#ops", "cem", theirs["cem"]).encode()]
    healing = table.state("burak", group).healing
    assert (healing.pull, healing.untold, healing.source) == ((), {}, "")


def test_of_when_the_asker_may_have_been_out_it_is_given_its_own_words_and_no_others(room: Room) -> None:
    table, group = room.table, room.group
    desk, lobby = table.desks["ayse"], table.state("ayse", group)
    lobby = replace(lobby, healing=replace(lobby.healing, unseen={"burak": ((1, 2),)}))
    table.desks["ayse"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    deeds = table.put("ayse", ev.Arrived("burak", Recall(group, 0, 5, own=True)))
    assert [one.by for one in deeds if isinstance(one, SendOriginals)] == ["burak", "burak", "ayse"]


def test_an_older_peer_is_asked_for_everything(room: Room) -> None:
    table, group = room.table, room.group
    table.version = 1
    table.cut("burak", "cem")
    table.link("burak", "cem")
    desk, lobby = table.desks["burak"], table.state("burak", group)
    lobby = replace(lobby, healing=replace(lobby.healing, untold={"cem": ((1, 2),)}, pulled=0.0))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    since = len(table.frames)
    table.put("burak", ev.Tick())
    assert [frame.own for *_, frame in table.frames[since:] if isinstance(frame, Recall)] == [False]


def test_who_does_not_say_what_it_said_holds_no_receipts_up(room: Room) -> None:
    table, group = room.table, room.group
    table.drop = lambda one, _other, frame: one == "cem" and isinstance(frame, Originals)
    desk, lobby = table.desks["burak"], table.state("burak", group)
    lobby = replace(lobby, healing=replace(lobby.healing, untold={"cem": ((1, 2),)}))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.say("ayse", "#ops", "heard")
    place = table.view("ayse").seq
    table.run(20)
    assert "burak" not in table.view("ayse").marks
    table.run(60)
    assert table.view("ayse").marks["burak"].covers(place)
    assert table.state("burak", group).healing.untold, "it is asked on"


def test_who_is_yet_to_be_asked_is_known_after_a_restart(room: Room) -> None:
    lobby = room.table.state("burak", room.group)
    untold = {"cem": ((3, 4), (6, 7))}
    lobby = replace(lobby, healing=replace(lobby.healing, untold=untold, unseen={"cem": ((1, 2),)}))
    assert decode_lobby(room.group, encode_lobby(lobby), encode_place(lobby)).healing.untold == untold


def test_an_entry_without_a_key_is_asked_of_its_author_too(room: Room) -> None:
    table, group = room.table, room.group
    lost(table, group, "burak")
    deceit = Originals(group, 0, 99, (), whole=True)
    table.drop = lambda one, _other, frame: one == "ayse" and isinstance(frame, Originals)
    table.say("cem", "#ops", "said")
    place = table.lines("cem", "#ops")[-1].seq
    table.stores["burak"] = type(table.stores["burak"])()
    desk, lobby = table.desks["burak"], table.state("burak", group)
    healing = replace(lobby.healing, pull=((place, place),), untold={"cem": ((place, place),)}, source="ayse")
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, replace(lobby, healing=healing)))
    table.put("burak", ev.Arrived("ayse", deceit))
    table.run(20)
    assert table.words("burak") == ["said"]


def test_who_is_away_keeps_nobody_else_from_being_asked() -> None:
    table = together("ayse", "burak", "cem", "deniz", "elif", "fatma")
    group = table.desks["ayse"].labels["#ops"]
    away = {"cem", "deniz", "elif"}
    table.part({"ayse", "burak", "fatma"}, *({one} for one in away))
    table.run(60, 5)
    desk, lobby = table.desks["burak"], table.state("burak", group)
    untold = dict.fromkeys((*sorted(away), "fatma"), ((1, 2),))
    lobby = replace(lobby, healing=replace(lobby.healing, untold=untold))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.run(300, 5)
    assert table.state("burak", group).healing.untold.keys() == away


@pytest.mark.parametrize(
    "ends", [lambda asked: (asked.before - 1, asked.before), lambda _: (0, 1)], ids=["the end alone", "the beginning"]
)
def test_who_answers_for_nothing_that_it_is_asked_is_as_one_that_is_silent(
    room: Room, ends: Callable[[Recall], tuple[int, int]]
) -> None:
    """Receipts go out all the same, and nobody is asked without a pause."""
    table, group = room.table, room.group
    questions: list[Recall] = []

    def drop(one: str, other: str, frame: Frame) -> bool:
        if (one, other) != ("burak", "cem") or not isinstance(frame, Recall):
            return False
        questions.append(frame)
        if len(questions) < 500:
            table.put("burak", ev.Arrived("cem", Originals(group, *ends(frame), (), whole=True)))
        return True

    table.drop = drop
    desk, lobby = table.desks["burak"], table.state("burak", group)
    lobby = replace(lobby, healing=replace(lobby.healing, untold={"cem": ((1, 2),)}))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.say("ayse", "#ops", "heard")
    place = table.view("ayse").seq
    table.put("burak", ev.Tick())
    assert len(questions) < 10
    table.run(450, 1)
    assert table.view("ayse").marks["burak"].covers(place)
