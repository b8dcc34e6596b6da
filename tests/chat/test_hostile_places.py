"""Members who name places that no order comes to, or answer for what ends before it begins: nothing grows by it.

Left out: numbers of what somebody says (``test_numbers``), and which frames are refused unread (``tests/wire``).
"""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.deeds import Send
from conclave.chat.lobbies.lacks import RANGES
from conclave.chat.lobby_state import Step
from conclave.lobby import order as orders
from conclave.mls.limits import MAX_EPOCH
from conclave.mls.message import encode_message
from conclave.mls.welcome import describe
from conclave.values import replace
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.order import LAST_SEQ, EntryKind, Info, Originals, Refusal, Refused, Run, Submit
from tests.chat.desks import Table, read_frame, together
from tests.chat.room import Room, lacking
from tests.chat.test_sharing import room

__all__ = ["room"]


@pytest.mark.parametrize("seq", [0, LAST_SEQ, LAST_SEQ // 2])
def test_a_half_goes_on_whatever_place_the_leader_of_the_other_claimed(seq: int) -> None:
    """elif leads the half that counts, says of its order that it came to the last place there is, and goes away."""
    table = together("ayse", "burak", "deniz", "elif", "cem", "fatma")
    ((group, _),) = table.desks["elif"].lobbies.items()
    table.part({"ayse", "burak", "deniz"}, {"elif", "cem"}, {"fatma"})
    table.run(60)
    table.put("ayse", ev.RemoveFrom("ops", "fatma"))
    table.run(10)
    assert table.view("cem").leader == "elif"
    infos: dict[str, Info] = {}

    def drop(_: str, other: str, frame: Frame) -> bool:
        if isinstance(frame, Info) and other in ("burak", "deniz"):
            infos[other] = frame
            return True
        return False

    table.drop = drop
    table.part({"burak", "deniz", "elif", "cem"}, {"ayse"}, {"fatma"})
    table.run(60)
    for name, info in infos.items():
        end = seq or info.seq
        lie = replace(info, seq=end, runs=(replace(info.runs[0], last=end), *info.runs[1:]))
        assert read_frame(encode_frame(lie)) == lie
        table.put(name, ev.Arrived("elif", lie))
        if seq:
            assert table.state(name, group).healing.step is Step.REJOIN
            assert "so many entries" in table.troubles(name)[-1]
    table.drop = lambda *_: False
    table.part({"burak", "deniz"}, {"ayse"}, {"fatma"}, {"elif", "cem"})
    table.run(120)
    table.say("burak", "#ops", "on")
    table.run(400, 2)
    assert "on" in table.words("deniz")
    assert table.view("burak").seq < 100
    table.part()
    table.run(120)
    for name in ("ayse", "burak", "deniz", "elif", "cem"):
        assert "on" in table.words(name)
        table.restored(name)


def test_an_answer_that_ends_before_what_is_lacked_begins_makes_nobody_lack_more(room: Room) -> None:
    table, group = room.table, room.group
    lacking(table, group, "ayse", (0, 5))
    table.cut("ayse", "cem")
    table.drop = lambda one, _, frame: one == "burak" and isinstance(frame, Originals)
    table.wait(5)
    pull = table.state("ayse", group).healing.pull
    assert table.state("ayse", group).healing.source == "burak"
    for ends in ((1 << 62, 0), (1 << 60, 1 << 61), (4, 4), (4, 5)):
        table.put("ayse", ev.Arrived("burak", Originals(group, *ends, (), whole=True)))
        lobby = table.state("ayse", group)
        assert (lobby.healing.pull, lobby.ears.lost) == (pull, ())


def test_an_answer_in_many_pieces_leaves_no_more_ranges_than_are_kept(room: Room) -> None:
    table, group = room.table, room.group
    lacking(table, group, "ayse", (0, 2000), source="burak")
    table.cut("ayse", "cem")
    table.drop = lambda one, _o, _f: one == "burak"
    for seq in range(2, 600, 2):
        table.put("ayse", ev.Arrived("burak", Originals(group, seq - 1, seq + 1, (), whole=True)))
    assert len(table.state("ayse", group).healing.pull) == RANGES
    table.put("ayse", ev.Arrived("burak", Originals(group, 0, 1000, (), whole=True)))
    assert table.state("ayse", group).healing.pull == ((1000, 1999),)


@pytest.mark.parametrize("epoch", [1 << 39, MAX_EPOCH - 2, MAX_EPOCH - 1])
def test_a_lobby_goes_on_whatever_epoch_the_leader_of_a_half_claimed(epoch: int) -> None:
    """burak draws cem into a half of its own, after whose epoch none, or hardly one, can begin, and goes away."""
    table = together("ayse", "burak", "cem")
    table.link("burak", "cem")
    ((group, _),) = table.desks["burak"].lobbies.items()
    state, order = table.desks["burak"].sessions.get(group), table.state("burak", group).order
    assert state is not None
    assert order is not None
    table.drop = lambda one, other, _: "burak" in (one, other)  # what it sends from now on is made here
    order = orders.new_term(order, Run(order.run.term + 1, 1, "burak", 0, 0))
    order, _, _ = orders.write(order, "burak", 99, 1, EntryKind.TERM, b"nobody opens it")
    table.put("cem", ev.Arrived("burak", orders.head(order)))
    table.put("cem", ev.Arrived("burak", Refused(group, 0, 0, Refusal.GONE)))
    bent = replace(state.epoch, context=replace(state.epoch.context, epoch=epoch))
    data = encode_message(describe(bent, table.random, with_tree=True, with_external_pub=True))
    effects = table.step("cem", ev.Arrived("burak", Info(group, order.seq, order.hash, order.runs, data)))
    for one in (each.frame for each in effects if isinstance(each, Send) and isinstance(each.frame, Submit)):
        _, entry, _ = orders.write(order, "cem", one.number, one.epoch, one.kind, one.payload)
        table.put("cem", ev.Arrived("burak", entry))
    table.part({"ayse", "cem"}, {"burak"})
    table.drop = lambda *_: False
    table.run(400, 3)
    table.put("cem", ev.RemoveFrom("ops", "burak"))
    table.run(30)
    for name in ("ayse", "cem"):
        table.say(name, "#ops", f"from {name}")
    table.run(60)
    for name in ("ayse", "cem"):
        assert {"from ayse", "from cem"} <= set(table.words(name))
        assert sorted(table.view(name).roster) == ["ayse", "cem"]


def test_words_behind_more_junk_than_keys_are_skipped_for_are_asked_for() -> None:
    """Each time that junk is ordered under its number burak protects his words anew, with another key."""
    table = Table("ayse", "burak", "cem")
    for one, other in (("ayse", "burak"), ("ayse", "cem"), ("burak", "cem")):
        table.link(one, other)
    group = table.lobby("ayse", "burak", "cem")
    table.say("burak", "#ops", "one")
    table.run(10, 5)
    handed: list[Submit] = []

    def drop(one: str, other: str, frame: Frame) -> bool:
        if (one, other) == ("burak", "ayse") and isinstance(frame, Submit):
            handed.append(frame)
        return "ayse" in (one, other)

    table.drop = drop  # what ayse sends is made here
    order = table.state("cem", group).order
    assert order is not None
    table.say("burak", "#ops", "into a thousand holes")
    for number in range(1031):
        last = handed[-1]
        payload = b"junk" if number < 1030 else last.payload
        order, entry, _ = orders.write(order, "burak", last.number, last.epoch, EntryKind.MESSAGE, payload)
        for name in ("burak", "cem"):
            table.put(name, ev.Arrived("ayse", entry))
    assert table.statuses("burak", "#ops")[-1] == "sent"
    table.run(60, 5)
    assert table.words("cem") == ["one", "into a thousand holes"]
