"""Whoever came in last lies about places in the order: it wants to read what was said before it.

Left out: other lies about halves of a lobby (``test_hostile_halves``).
"""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.lobby_state import Step
from conclave.values import replace
from conclave.wire.frames import encode_frame
from conclave.wire.order import EntryKind, Head, Info, Ordered, Originals, Recall, Refusal, Refused, Run, Submit
from tests.chat.desks import Table, read_frame
from tests.chat.room import let_in, own_group, package_for, says_before
from tests.chat.test_hostile_halves import room


def given(table: Table, group: bytes, name: str, asker: str) -> list[bytes]:
    """The signed words that ``name`` gives ``asker``, who asks for all."""
    table.drop = lambda one, other, frame: asker in (one, other) and not isinstance(frame, Originals)
    seen = len(table.frames)
    table.put(name, ev.Arrived(asker, Recall(group, 0, 1000)))
    frames = [frame for one, other, frame in table.frames[seen:] if (one, other) == (name, asker)]
    return [data for frame in frames if isinstance(frame, Originals) for _, data in frame.items]


def newcomer_leads(table: Table, alone: str, *others: str) -> None:
    """elif comes in while ``alone`` is away, and leads all ``others``; it came in behind what ``alone`` has."""
    table.run(30, 5)
    table.part({"ayse", *others, "elif"}, {alone})
    let_in(table, "ayse", "elif")
    table.put("ayse", ev.SetDeputies("ops", ("elif",)))
    table.run(5)
    table.part({"ayse"}, {alone}, {*others, "elif"})
    table.run(60)
    assert (table.view(others[0]).leader, table.words("elif")) == ("elif", [])


@pytest.mark.parametrize("seq", [1, 2, 5, 1000])
def test_whom_it_moves_into_its_own_half_gives_it_nothing_from_before_it(seq: int) -> None:
    """elif asks burak, who is in too, into an order of her own making, and names the place at which he comes in."""
    table, group = room("elif")
    says_before(table, "burak")
    table.say("ayse", "#ops", "hers")
    let_in(table, "ayse", "elif")
    table.run(70, 5)
    if frozenset(("burak", "elif")) not in table.links:
        table.link("burak", "elif")
    table.drop = lambda one, other, frame: "elif" in (one, other) and not isinstance(frame, Originals)
    package = package_for(table, "elif", "burak", group)
    post = replace(own_group(table, "elif", "burak", group, package, seq=seq), number=2)
    for _ in range(3):
        table.put("burak", ev.Arrived("elif", post))
        table.wait(1)
    assert table.view("burak").leader == "elif"
    assert given(table, group, "burak", "elif") == []


@pytest.mark.parametrize("seq", [0, 1, 5, 1000])
def test_who_comes_in_anew_under_it_gives_it_nothing_from_before_it(seq: int) -> None:
    """elif leads; burak has the beginning of her order, and she names the place at which he comes in."""
    table, group = room("elif")
    says_before(table, "burak")
    newcomer_leads(table, "burak", "cem", "deniz")
    infos: list[Info] = []
    commits: list[Submit] = []

    def drop(one: str, other: str, frame: object) -> bool:
        if isinstance(frame, Info) and other == "burak":
            infos.append(frame)
            return True
        if isinstance(frame, Submit) and frame.kind is EntryKind.COMMIT and one == "burak":
            commits.append(frame)
            return True
        return isinstance(frame, Ordered) and other == "burak"

    table.drop = drop
    table.part({"burak", "elif", "cem"}, {"ayse"}, {"deniz"})
    table.link("burak", "cem")  # who names elif
    table.run(15)
    if table.state("burak", group).healing.step is Step.SOUND:
        table.put("burak", ev.Arrived("elif", Refused(group, 0, 0, Refusal.GONE)))
        table.run(10)
    run = replace(infos[-1].runs[0], first=seq + 1, last=seq)
    lie = replace(infos[-1], seq=seq, runs=(run,))
    assert read_frame(encode_frame(lie)) == lie
    table.drop = lambda one, other, frame: drop(one, other, frame) or "elif" in (one, other)
    table.put("burak", ev.Arrived("elif", lie))
    one = commits[-1]
    entry = Ordered(group, run.term, seq + 1, lie.hash, "burak", one.number, one.epoch, one.kind, one.payload)
    table.put("burak", ev.Arrived("elif", entry))
    assert table.state("burak", group).healing.step is Step.SOUND
    assert given(table, group, "burak", "elif") == []


def test_a_lie_about_where_halves_parted_is_not_passed_on_by_who_knows_when_it_came_in() -> None:
    """elif leads, and makes cem come in anew into an order that parted early; burak hears of it by honest cem."""
    table, group = room("elif")
    says_before(table, "burak")
    newcomer_leads(table, "burak", "cem", "deniz")
    lobby = table.state("elif", group)
    assert lobby.order is not None
    runs = (replace(lobby.order.runs[0], first=5), replace(lobby.order.runs[-1], last=4))
    lobby = replace(lobby, order=replace(lobby.order, runs=runs))
    table.desks["elif"] = replace(table.desks["elif"], lobbies=table.desks["elif"].lobbies.put(group, lobby))
    table.cut("cem", "elif")
    table.run(60)
    assert table.texts("cem", "#ops")[-1] == "this half of the lobby joined elif's again"
    # she shows herself to burak only once he has heard of her by cem
    table.drop = lambda one, other, frame: (one, other) == ("elif", "burak") and isinstance(frame, Head)
    table.part({"burak", "cem", "elif"}, {"ayse"}, {"deniz"})
    table.link("burak", "cem")
    table.run(10)
    table.drop = lambda *_: False
    table.run(120)
    assert table.view("burak").leader == "elif"
    assert table.words("elif") == []


def test_who_names_a_leader_whom_nobody_met_makes_nobody_say_again_what_was_before_itself() -> None:
    """elif, who is in, says that zeki leads a half that parted early; zeki, who never was in, says so too."""
    table, group = room("elif", "zeki")
    says_before(table, "burak")
    let_in(table, "ayse", "elif")
    table.run(70, 5)
    order = table.state("burak", group).order
    assert order is not None
    came = table.state("burak", group).healing.since("elif")
    for one in ("elif", "zeki"):
        table.link("burak", one)
    runs = (Run(9, 0, "zeki", 5, order.seq + 3), Run(1, 0, "ayse", 1, 4))
    lie = Head(group, order.seq + 3, bytes(32), runs)
    table.put("burak", ev.Arrived("elif", lie))
    table.put("burak", ev.Arrived("zeki", lie))
    healing = table.state("burak", group).healing
    assert (table.view("burak").leader, healing.common, healing.since("zeki")) == ("zeki", 4, came)
    assert {*healing.orphans} == healing.places.keys(), "what is to be said again may be kept back"
    table.run(300)
    assert (table.words("elif"), table.words("zeki")) == ([], [])
