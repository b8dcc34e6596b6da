"""Asking others for what was said and is lacking here: of whom, how often, and what an answer is good for."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.deeds import SendOriginals
from conclave.chat.lobbies.recalling import ASKED_MOST, RARELY, SILENT_MOST
from conclave.chat.lobby_state import Step
from conclave.chat.words.content import Timer
from conclave.chat.words.gaps import Gap
from conclave.values import replace
from conclave.wire.order import Head, Originals, Recall
from tests.chat.desks import Table
from tests.chat.room import Room, lacking, signed
from tests.chat.test_sharing import room

__all__ = ["room"]


def asked(table: Table, since: int = 0) -> list[str]:
    """Of whom somebody asked what it lacks, from this frame on."""
    return [other for _, other, frame in table.frames[since:] if isinstance(frame, Recall)]


def silent(table: Table, name: str) -> list[str]:
    """From now on nobody answers ``name``, whose questions are lost; of whom it asks."""
    seen: list[str] = []

    def drop(one: str, other: str, frame: object) -> bool:
        if one == name and isinstance(frame, Recall):
            seen.append(other)
        return isinstance(frame, Recall)

    table.drop = drop
    return seen


def lost(table: Table, group: bytes, name: str, *ranges: tuple[int, int]) -> None:
    """``name`` could not open these entries."""
    desk, lobby = table.desks[name], table.state(name, group)
    lobby = replace(lobby, ears=replace(lobby.ears, lost=ranges))
    table.desks[name] = replace(desk, lobbies=desk.lobbies.put(group, lobby))


def test_who_does_not_answer_is_asked_again_in_turn_with_others_and_ever_more_rarely(room: Room) -> None:
    table, group = room.table, room.group
    lacking(table, group, "burak", (1, 3))
    seen = silent(table, "burak")
    table.run(table.settings.resend_after * 4)
    assert seen[:4] == ["ayse", "cem", "ayse", "cem"]
    assert len(seen) <= 5
    table.run(table.settings.resend_after * 40, 5)
    assert table.state("burak", group).healing.pull == ((2, 2),), "no answer is none"
    assert len(seen) < 32
    table.run(3000, 10)
    del seen[:]
    table.run(3200, 10)
    assert sorted(seen) == ["ayse"] * 5 + ["cem"] * 5
    table.drop = lambda *_: False
    table.run(table.settings.resend_after * 2**RARELY, 5)
    assert not table.state("burak", group).healing.pull


def test_what_everybody_lacks_is_not_asked_for_any_more_and_lacks_still(room: Room) -> None:
    table, group = room.table, room.group
    for name in ("ayse", "burak", "cem"):
        lacking(table, group, name, (0, 3))
    table.run(120, 5)
    asked = sum(isinstance(frame, Recall) for *_, frame in table.frames)
    assert asked <= 18
    for name in ("ayse", "burak", "cem"):
        state = table.state(name, group)
        assert (state.healing.pull, state.ears.lost) == ((), ((1, 2),))
    table.run(60, 5)
    assert sum(isinstance(frame, Recall) for *_, frame in table.frames) == asked
    deeds = table.put("burak", ev.Arrived("cem", Recall(group, 1, 4)))
    told = [(one.after, one.before, one.whole) for one in deeds if isinstance(one, SendOriginals)]
    assert told == [(1, 3, False), (2, 4, True)]


def test_what_is_given_between_two_entries_that_everybody_lacks_is_not_lacked(room: Room) -> None:
    table, group = room.table, room.group
    for number in range(20):
        table.say("cem", "#ops", f"word {number}")
    seqs = [line.seq for line in table.lines("cem", "#ops") if line.text.startswith("word")]
    first, last = seqs[1], seqs[-2]
    for name in ("ayse", "cem"):
        lost(table, group, name, (first, first), (last, last))
    lacking(table, group, "burak", (first - 1, last + 1))
    table.run(120, 5)
    lobby = table.state("burak", group)
    assert not lobby.healing.pull
    assert lobby.ears.lost == ((first, first), (last, last))


def test_who_lacks_it_too_is_asked_again_later_while_somebody_else_is_away(room: Room) -> None:
    """ayse got it meanwhile, of cem, whom burak does not reach."""
    table, group = room.table, room.group
    table.cut("burak", "cem")
    table.reach = lambda *_: False
    for name in ("ayse", "burak"):
        lacking(table, group, name, (1, 3))
    table.drop = lambda one, _other, frame: one == "ayse" and isinstance(frame, Recall)
    table.run(60, 5)
    assert table.state("burak", group).healing.poor["ayse"] >= ASKED_MOST
    table.drop = lambda *_: False
    table.run(60, 5)
    assert not table.state("ayse", group).healing.pull
    table.run(table.settings.resend_after * 2**RARELY, 5)
    assert not table.state("burak", group).healing.pull
    assert not table.state("burak", group).ears.lost


def test_others_are_dialled_where_the_leader_does_not_answer(room: Room) -> None:
    table, group = room.table, room.group
    table.cut("burak", "cem")
    table.reach = lambda *_: False
    lacking(table, group, "burak", (0, 3))
    silent(table, "burak")
    table.run(table.settings.resend_after * (SILENT_MOST + 2), 5)
    assert "cem" in views.wanted(table.desks["burak"])


def test_who_is_not_linked_is_not_asked(room: Room) -> None:
    table, group = room.table, room.group
    table.cut("ayse", "burak")
    lacking(table, group, "burak", (0, 3))
    before = len(table.frames)
    table.wait(5)
    assert asked(table, before) == ["cem"]


def test_who_answers_after_all_is_not_taken_for_silent_any_more(room: Room) -> None:
    table, group = room.table, room.group
    lacking(table, group, "burak", (0, 3))
    silent(table, "burak")
    table.run(25)
    assert table.state("burak", group).healing.silent
    table.put("burak", ev.Arrived(source(table, group), Originals(group, 1, 3, (), whole=False)))
    healing = table.state("burak", group).healing
    assert healing.source == ""
    assert set(healing.silent) == {"ayse", "cem"} - set(healing.poor)
    table.drop = lambda *_: False
    table.run(60)
    healing = table.state("burak", group).healing
    assert (healing.pull, healing.silent, healing.poor, healing.source) == ((), {}, {}, "")


def source(table: Table, group: bytes) -> str:
    """Whom burak asked last."""
    return table.state("burak", group).healing.source


def test_an_answer_gives_back_what_could_not_be_opened(room: Room) -> None:
    table, group = room.table, room.group
    for after, before, left in (
        (0, 2, ((2, 3), (5, 9))),
        (2, 7, ((2, 2), (7, 9))),
        (5, 7, ((2, 3), (5, 5), (7, 9))),
        (1, 12, ()),
    ):
        lost(table, group, "burak", (2, 3), (5, 9))
        lacking(table, group, "burak", (after, before), "ayse")
        table.put("burak", ev.Arrived("ayse", Originals(group, after, before, (), whole=True)))
        assert table.state("burak", group).ears.lost == left


def test_an_answer_that_is_not_whole_gives_nothing_back(room: Room) -> None:
    table, group = room.table, room.group
    lost(table, group, "burak", (2, 3))
    lacking(table, group, "burak", (0, 9), "ayse")
    table.put("burak", ev.Arrived("ayse", Originals(group, 0, 9, (), whole=False)))
    assert table.state("burak", group).ears.lost == ((2, 3),)
    assert table.state("burak", group).healing.pull == ((1, 8),)


def test_more_than_was_asked_for_is_not_taken(room: Room) -> None:
    table, group = room.table, room.group
    lines = [table.say("cem", "#ops", f"word {number}") for number in range(3)]
    given = tuple(
        (line.seq, signed(table, "cem", "#ops", "cem", line.id).encode())
        for line in table.lines("cem", "#ops")
        if line.id in lines
    )
    (_, second, _) = (seq for seq, _ in given)
    table.stores["burak"] = type(table.stores["burak"])()
    lacking(table, group, "burak", (second - 1, second + 1), "ayse")
    table.put("burak", ev.Arrived("ayse", Originals(group, 0, 99, given, whole=True)))
    assert table.words("burak") == ["word 1"]


def test_what_came_through_the_order_gets_no_other_place_by_an_answer(room: Room) -> None:
    table, group = room.table, room.group
    for number in range(5):
        identity = table.say("cem", "#ops", f"word {number}")
    seq = table.lines("burak", "#ops")[-1].seq
    original = signed(table, "cem", "#ops", "cem", identity).encode()
    for name in ("burak", "cem"):
        lacking(table, group, name, (0, 2), "ayse")
        desk, lobby = table.desks[name], table.state(name, group)
        lobby = replace(lobby, healing=replace(lobby.healing, pull=((1, 1), (seq - 1, seq - 1))))
        table.desks[name] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
        table.put(name, ev.Arrived("ayse", Originals(group, 0, seq, ((3, original),), whole=True)))
        assert table.lines(name, "#ops")[-1].seq == seq


def test_what_is_left_of_a_question_is_asked_a_while_later(room: Room) -> None:
    table, group = room.table, room.group
    lacking(table, group, "burak", (0, 9), "ayse")
    seen = silent(table, "burak")
    table.put("burak", ev.Arrived("ayse", Originals(group, 0, 5, (), whole=True)))
    table.put("burak", ev.Tick())
    assert seen == []
    table.run(table.settings.resend_after + 1)
    assert len(seen) == 1


@pytest.mark.parametrize(("after", "before", "whole"), [(0, 3, True), (-2, 0, True), (-2, 1, False), (0, 4, False)])
def test_who_has_what_is_asked_for_has_all_whatever_else_it_lacks(
    room: Room, *, after: int, before: int, whole: bool
) -> None:
    """``after`` and ``before`` count from an entry that could not be opened; the last one is two behind it."""
    table, group = room.table, room.group
    for number in range(3):
        table.say("cem", "#ops", f"word {number}")
    seq = table.lines("cem", "#ops")[-3].seq
    lost(table, group, "ayse", (seq, seq))
    deeds = table.put("ayse", ev.Arrived("burak", Recall(group, seq + after, seq + before)))
    (deed,) = [one for one in deeds if isinstance(one, SendOriginals) and one.before == seq + before]
    assert deed.whole is whole


def test_what_an_answer_brings_is_not_forgotten_by_what_it_ends(room: Room) -> None:
    """It counts as heard, and who lacked what was asked for may be asked for something else.

    That the words have their place in the order the answer alone does not prove: they are still to be shared.
    """
    table, group = room.table, room.group
    identity = table.say("cem", "#ops", "missed")
    original = signed(table, "burak", "#ops", "cem", identity).encode()
    seq = table.view("burak").seq
    lacking(table, group, "burak", (seq - 1, seq + 1), "ayse")
    desk, lobby = table.desks["burak"], table.state("burak", group)
    count = lobby.ears.counts.get("cem")
    assert count
    ears = replace(
        lobby.ears, counts=lobby.ears.counts.put("cem", count - 1), gaps={"cem": (Gap(count, count, table.now),)}
    )
    healing = replace(lobby.healing, orphans=(("cem", identity),), poor={"cem": 2}, silent={"cem": 5})
    lobby = replace(lobby, ears=ears, healing=healing)
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.put("burak", ev.Arrived("ayse", Originals(group, seq - 1, seq + 1, ((seq, original),), whole=True)))
    lobby = table.state("burak", group)
    assert (lobby.ears.counts.get("cem"), lobby.ears.gaps) == (count, {})
    healing = lobby.healing
    assert healing.orphans == (("cem", identity),)
    assert (healing.pull, healing.poor, healing.silent, healing.source) == ((), {}, {}, "")


def test_who_says_that_words_were_said_under_a_timer_hides_none_of_them(room: Room) -> None:
    table, group = room.table, room.group
    identity = table.say("cem", "#ops", "said before it")
    original = signed(table, "burak", "#ops", "cem", identity).encode()
    table.put("ayse", ev.Utter("#ops", table.random(16), Timer(30)))
    table.stores["burak"] = type(table.stores["burak"])()
    seq = table.view("burak").seq + 1
    lacking(table, group, "burak", (seq - 1, seq + 1), "ayse")
    desk, lobby = table.desks["burak"], table.state("burak", group)
    count = lobby.ears.counts.get("cem")
    assert count
    missing = {"cem": (Gap(count, count, table.now),)}
    lobby = replace(lobby, ears=replace(lobby.ears, counts=lobby.ears.counts.put("cem", count - 1), gaps=missing))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.now += 31
    table.put("burak", ev.Arrived("ayse", Originals(group, seq - 1, seq + 1, ((seq, original),), whole=True)))
    lobby = table.state("burak", group)
    assert "said before it" in table.words("burak")
    assert (lobby.ears.counts.get("cem"), lobby.ears.gaps) == (count, {})
    assert table.lines("burak", "#ops")[-1].expires == table.now + 30


def test_who_is_out_since_it_was_asked_answers_in_vain(room: Room) -> None:
    table, group = room.table, room.group
    lacking(table, group, "burak", (0, 9), "deniz")
    table.put("burak", ev.Arrived("deniz", Originals(group, 0, 9, (), whole=True)))
    assert table.state("burak", group).healing.pull == ((1, 8),)


def test_others_are_dialled_only_where_the_leader_lacks_it_too(room: Room) -> None:
    table, group = room.table, room.group
    table.cut("burak", "cem")
    lacking(table, group, "burak", (0, 3))
    silent(table, "burak")
    table.put("burak", ev.Tick())
    assert "cem" not in views.wanted(table.desks["burak"])


@pytest.mark.parametrize("step", [Step.UNWIND, Step.REJOIN, Step.ENTER])
def test_who_is_on_the_way_into_another_half_answers_up_to_where_they_parted_and_not_as_who_has_all(
    room: Room, step: Step
) -> None:
    """Its lines keep the places of the order that it leaves until they are looked up."""
    table, group = room.table, room.group
    desk, lobby = table.desks["ayse"], table.state("ayse", group)
    lobby = replace(lobby, healing=replace(lobby.healing, step=step, common=3))
    table.desks["ayse"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.drop = lambda *_: True
    deeds = [
        deed
        for asked in ((1, 9), (1, 3), (4, 9))
        for deed in table.put("ayse", ev.Arrived("burak", Recall(group, *asked)))
    ]
    told = [(one.after, one.before, one.whole) for one in deeds if isinstance(one, SendOriginals)]
    assert told == [(1, 4, False), (1, 3, False)]


@pytest.mark.parametrize("asker", ["deniz", "burak"], ids=["of the half that counts", "of the one that lost"])
def test_who_follows_another_order_is_not_believed_about_places_in_ours(asker: str) -> None:
    """ayse leads burak, cem leads deniz. Two who follow meet alone; what one lacks the other half never had."""
    table = Table("ayse", "burak", "cem", "deniz")
    for one in ("burak", "cem", "deniz"):
        table.link("ayse", one)
    group = table.lobby("ayse", "burak", "cem", "deniz")
    table.run(70, 10)
    table.part({"ayse", "burak"}, {"cem", "deniz"})
    table.run(25)
    place = table.view("deniz").seq
    for name in ("ayse", "cem"):
        for number in range(5):
            table.say(name, "#ops", f"{name} {number}")
    table.part({"ayse"}, {"cem"}, {"burak", "deniz"})
    table.drop = lambda one, _other, frame: isinstance(frame, Head)
    table.link("burak", "deniz")  # they have not shown each other whom they follow
    table.drop = lambda *_: False
    lacking(table, group, asker, (place, place + 5))
    table.run(5)
    assert table.state(asker, group).healing.pull == ((place + 1, place + 4),)
    assert not [text for text in table.words(asker) if text.startswith("cem" if asker == "burak" else "ayse")]
