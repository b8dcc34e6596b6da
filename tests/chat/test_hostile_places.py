"""Members who name places that no order comes to, or answer for what ends before it begins: nothing grows by it.

Left out: numbers of what somebody says (``test_numbers``), and which frames are refused unread (``tests/wire``).
"""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.lobbies.lacks import RANGES
from conclave.chat.lobby_state import Step
from conclave.values import replace
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.order import LAST_SEQ, Info, Originals
from tests.chat.desks import read_frame, together
from tests.chat.test_hostile_members import Room
from tests.chat.test_sharing import lacking, room

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
