"""What was said in a half that lost is said again by its authors at once, shared by others a while later."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.effects import UnplaceLines
from conclave.chat.lobbies import sharing
from conclave.chat.lobby_state import Step
from conclave.chat.words.content import Shared, decode_content
from conclave.chat.words.gaps import Gap
from conclave.values import replace
from conclave.wire.order import Info, Ordered, Recall, Submit
from tests.chat.desks import Table, together
from tests.chat.halves import ONE, OTHER, cut, heal, once, table
from tests.chat.room import Room, shared, signed
from tests.chat.test_sharing import room

__all__ = ["room", "table"]


def lost(table: Table, group: bytes, name: str, *orphans: tuple[str, bytes], step: Step = Step.SOUND) -> None:
    """``name`` has these of a half that lost."""
    desk, lobby = table.desks[name], table.state(name, group)
    lobby = replace(lobby, healing=replace(lobby.healing, orphans=orphans, step=step))
    table.desks[name] = replace(desk, lobbies=desk.lobbies.put(group, lobby))


def recollected(table: Table, group: bytes, name: str, *lines: tuple[str, bytes]) -> None:
    """The store of ``name`` gives these."""
    items = tuple((author, one, signed(table, name, "#ops", author, one).encode()) for author, one in lines)
    table.put(name, ev.Recollected(group, "#ops", items))


def flying(table: Table, group: bytes, name: str) -> list[str]:
    """What ``name`` says and has not seen ordered, by its kind."""
    voice = table.state(name, group).voice
    contents = [one.content for one in (*voice.flying, *voice.waiting)]
    return [type(decode_content(one).body).__name__ for one in contents]


def test_what_we_said_in_the_half_that_lost_waits_until_it_is_said_again(table: Table) -> None:
    cut(table)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    for name in sorted(ONE):
        table.say(name, "#ops", f"{name} apart")
    table.drop = lambda _one, _other, frame: isinstance(frame, Info)
    heal(table, 10)
    for name in sorted(ONE):
        own = {one.text: one.status.value for one in table.lines(name, "#ops") if one.sender == name}
        assert own[f"{name} apart"] == "waiting"
    table.drop = lambda *_: False
    table.run(60)
    once(table, "ayse apart", "burak apart", lines=False)
    assert table.statuses("burak", "#ops")[-1] in ("sent", "delivered")


def test_our_own_words_are_said_again_at_once_and_those_of_others_a_while_later(table: Table) -> None:
    """burak meets the others; ayse, whose words he has too, does not."""
    cut(table)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    for name in sorted(ONE):
        table.say(name, "#ops", f"{name} apart")
    table.part(OTHER | {"burak"}, {"ayse"})
    came: dict[str, float] = {}
    for _ in range(160):
        table.run(0.25, 0.25)
        if not table.view("burak").healing:
            came.setdefault("in", table.now)
        for word in table.words("cem"):
            came.setdefault(word, table.now)
    assert came["burak apart"] <= came["in"] + 0.5
    least = table.settings.share_after
    assert came["in"] + least <= came["ayse apart"] <= came["in"] + 2 * least + 1


def test_what_we_share_is_shared_once_however_long_its_place_takes(room: Room) -> None:
    table, group = room.table, room.group
    lines = [("cem", table.say("cem", "#ops", "mine")), ("burak", table.say("burak", "#ops", "ours"))]
    lost(table, group, "burak", *lines)
    table.drop = lambda _one, _other, frame: isinstance(frame, Submit)
    table.run(18)
    assert [one for one in flying(table, group, "burak") if one != "Receipt"] == ["Text", "Shared"]
    table.drop = lambda *_: False
    table.run(20)
    healing = table.state("burak", group).healing
    assert (healing.orphans, healing.given) == ((), frozenset())
    assert table.words("ayse") == ["one", "mine", "ours"]


def test_what_has_its_place_by_then_or_waits_already_is_not_said_again(room: Room) -> None:
    table, group = room.table, room.group
    lines = [("burak", table.say("burak", "#ops", "ours")), ("cem", table.say("cem", "#ops", "mine"))]
    table.drop = lambda _one, _other, frame: isinstance(frame, Submit)
    recollected(table, group, "burak", *lines)
    assert flying(table, group, "burak") == []
    lost(table, group, "burak", lines[0])
    for _ in range(2):
        recollected(table, group, "burak", *lines)
    assert flying(table, group, "burak") == ["Text"]


def test_nothing_is_said_again_before_we_are_in(room: Room) -> None:
    table, group = room.table, room.group
    line = ("burak", table.say("burak", "#ops", "ours"))
    lost(table, group, "burak", line, step=Step.REJOIN)
    table.drop = lambda *_: True
    recollected(table, group, "burak", line)
    assert flying(table, group, "burak") == []


def test_much_that_is_shared_goes_in_several_messages(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "SHARED_BYTES", 1)
    table, group = room.table, room.group
    lines = [("cem", table.say("cem", "#ops", f"word {number}")) for number in range(3)]
    lost(table, group, "burak", *lines)
    table.drop = lambda _one, _other, frame: isinstance(frame, Submit)
    recollected(table, group, "burak", *lines)
    voice = table.state("burak", group).voice
    bodies = [decode_content(one.content).body for one in (*voice.flying, *voice.waiting)]
    assert [len(one.originals) for one in bodies if isinstance(one, Shared)] == [1, 1, 1]


@pytest.mark.parametrize("waits", [True, False])
def test_what_of_ours_nobody_has_holds_up_nothing_of_others(*, waits: bool) -> None:
    """burak's home was made anew from a backup, which had much that waited; one who may have it is away."""
    table = together("ayse", "burak", "cem", "deniz")
    ((group, _),) = table.desks["ayse"].lobbies.items()
    table.run(60)
    table.drop = lambda _one, other, frame: other in ("cem", "deniz") and isinstance(frame, Ordered)
    table.say("ayse", "#ops", "of this half")
    table.run(1)
    table.part({"ayse"}, {"burak"}, {"cem", "deniz"})
    mine = tuple(("burak", table.random(16)) for _ in range(sharing.ORPHANS_AT_ONCE + 1))
    desk, lobby = table.desks["burak"], table.state("burak", group)
    lobby = replace(lobby, healing=replace(lobby.healing, orphans=mine, pull=((2, 2),) if waits else ()))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.drop = lambda _one, _other, frame: isinstance(frame, Recall)
    table.run(60)
    table.part({"ayse"}, {"burak", "cem", "deniz"})
    table.run(120, 2)
    assert "of this half" in table.words("cem")
    assert len(table.state("burak", group).healing.orphans) == (len(mine) if waits else 0)


def test_words_of_a_half_that_lost_have_the_place_of_what_shares_them(room: Room) -> None:
    """Ours are sent by that, too; neither is said again."""
    table, group = room.table, room.group
    for author in ("ayse", "cem"):
        line = (author, table.say(author, "#ops", f"{author} apart"))
        original = signed(table, "burak", "#ops", *line).encode()
        lost(table, group, "ayse", line)
        table.stores["ayse"].commit([UnplaceLines("#ops", table.view("ayse").seq - 1)])
        shared(room, original)
        place = table.view("ayse").seq
        assert table.state("ayse", group).healing.orphans == ()
        shown = [one for one in table.lines("ayse", "#ops") if one.id == line[1]]
        assert [(one.seq, one.sender) for one in shown] == [(place, author)]


def test_what_is_shared_fills_the_gap_that_it_left(room: Room) -> None:
    """And is given to others by whoever took it: it has the author's certificate, which it did not know."""
    table, group = room.table, room.group
    identity = table.say("cem", "#ops", "missed")
    original = signed(table, "burak", "#ops", "cem", identity).encode()
    desk, lobby = table.desks["ayse"], table.state("ayse", group)
    count = lobby.ears.counts.get("cem")
    assert count
    ears = replace(
        lobby.ears, counts=lobby.ears.counts.put("cem", count - 1), gaps={"cem": (Gap(count, count, table.now),)}
    )
    desk = replace(desk, lobbies=desk.lobbies.put(group, replace(lobby, ears=ears)), certificates={})
    table.desks["ayse"] = desk
    table.stores["ayse"] = type(table.stores["ayse"])()
    shared(room, original)
    ears = table.state("ayse", group).ears
    assert (ears.counts.get("cem"), ears.gaps) == (count, {})
    assert signed(table, "ayse", "#ops", "cem", identity).encode() == original
    table.say("cem", "#ops", "next")
    assert table.state("ayse", group).ears.gaps == {}
    shared(room, original)
    assert table.state("ayse", group).ears.counts.get("cem") == count + 1
