"""The commit that brings us into the half that counts: of whose state it is made, and what holds once it counts."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.deeds import Send
from conclave.chat.effects import Effect
from conclave.chat.lobby_state import Lobby, Step
from conclave.values import replace
from conclave.wire.delivery import Post, PostKind
from conclave.wire.frames import Frame
from conclave.wire.order import AskInfo, EntryKind, Head, Info, Ordered, Run, Submit, decode_ordered
from conclave.wire.posts import Answer, Choice, open_post
from tests.chat.desks import Table
from tests.chat.halves import ALL, ONE, agreed, cut, heal, table

__all__ = ["table"]


@pytest.fixture
def group(table: Table) -> bytes:
    """The lobby's."""
    return table.desks["ayse"].labels["#ops"]


def held(table: Table, kind: type[Info | Submit]) -> list[Frame]:
    """burak's half has lost; what is lost of what would bring him into the other one."""
    cut(table)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    lost: list[Frame] = []

    def drop(one: str, other: str, frame: Frame) -> bool:
        if isinstance(frame, kind) and "burak" in (one, other):
            lost.append(frame)
        return isinstance(frame, kind) and "burak" in (one, other)

    table.drop = drop
    heal(table, 15)
    assert table.view("burak").healing
    return lost


def keep(table: Table, lobby: Lobby) -> None:
    """burak has the lobby so."""
    desk = table.desks["burak"]
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(lobby.group, lobby))


def come_in(table: Table, group: bytes) -> int:
    """burak comes in; by which entry."""
    table.drop = lambda *_: False
    for _ in range(100):
        if not table.view("burak").healing:
            break
        table.run(0.25, 0.25)
    assert not table.view("burak").healing
    return next(
        one.seq for one in table.lines("burak", "#ops") if one.text.startswith("this half of the lobby joined")
    )


def test_the_state_is_taken_of_the_leader_that_counts_in_its_term_alone(table: Table, group: bytes) -> None:
    info = next(one for one in held(table, Info) if isinstance(one, Info))
    table.drop = lambda *_: True
    top = info.runs[0]
    for by, wrong in (
        ("deniz", info),
        ("cem", replace(info, runs=(replace(top, term=top.term + 1), *info.runs[1:]))),
    ):
        table.put("burak", ev.Arrived(by, wrong))
        assert table.state("burak", group).healing.step is Step.REJOIN
    table.put("burak", ev.Arrived("cem", info))
    assert table.state("burak", group).healing.step is Step.ENTER
    come_in(table, group)
    table.put("burak", ev.Arrived("cem", info))
    assert table.state("burak", group).healing.step is Step.SOUND


def test_no_other_group_is_entered_in_its_place_and_nothing_that_is_none(table: Table, group: bytes) -> None:
    table.link("burak", "cem")
    night = table.lobby("cem", "burak", name="night")
    info = next(one for one in held(table, Info) if isinstance(one, Info))
    table.drop = lambda *_: True
    given = table.put("cem", ev.Arrived("burak", AskInfo(night)))
    other = next(one.frame for one in given if isinstance(one, Send) and isinstance(one.frame, Info))
    for wrong in (other.info, b"junk"):
        table.now += 100
        before = len(table.troubles("burak"))
        table.put("burak", ev.Arrived("cem", replace(info, info=wrong)))
        assert "#ops could not be entered again" in table.troubles("burak")[before]
        assert table.state("burak", group).healing.step is Step.REJOIN


def test_where_another_commit_comes_first_ours_is_made_anew(table: Table, group: bytes) -> None:
    held(table, Submit)
    assert table.state("burak", group).healing.step is Step.ENTER
    table.drop = lambda one, _other, frame: one == "burak" and isinstance(frame, AskInfo | Submit)
    table.put("cem", ev.SetDeputies("ops", ("cem",)))
    lobby = table.state("burak", group)
    assert (lobby.healing.step, lobby.voice.staged) == (Step.REJOIN, None)
    assert not [one for one in lobby.voice.flying if one.kind is EntryKind.COMMIT]
    assert table.desks["burak"].alarm <= table.now + 1.2
    come_in(table, group)
    table.run(30)
    agreed(table, *ALL, lines=False)


@pytest.mark.parametrize(("sender", "further"), [("deniz", 0), ("burak", 1)])
def test_no_other_commit_is_taken_for_ours(table: Table, group: bytes, sender: str, further: int) -> None:
    """Neither another's of the same number nor an older one of ours."""
    held(table, Submit)
    lobby = table.state("burak", group)
    (commit,) = (one for one in lobby.voice.flying if one.kind is EntryKind.COMMIT)
    order = lobby.order
    assert order is not None
    number = commit.number + further
    entry = Ordered(group, order.run.term, order.seq + 1, order.hash, sender, number, order.epoch, commit.kind, b"x")
    table.drop = lambda *_: True
    table.put("burak", ev.Arrived("cem", entry))
    lobby = table.state("burak", group)
    assert (lobby.healing.step, lobby.voice.staged) == (Step.REJOIN, None)


def test_what_the_leader_does_not_have_as_it_came_to_us_is_not_the_entry_that_lets_us_in(
    table: Table, group: bytes
) -> None:
    """burak's commit comes to it as one of another epoch, and has its place."""
    honest = table.step

    def lie(name: str, event: ev.Event) -> list[Effect]:
        frame = event.frame if isinstance(event, ev.Arrived) else None
        if (
            name == "burak"
            and isinstance(frame, Ordered)
            and (frame.sender, frame.kind) == ("burak", EntryKind.COMMIT)
        ):
            event = ev.Arrived("cem", replace(frame, epoch=frame.epoch + 1))
        return honest(name, event)

    table.step = lie  # type: ignore[method-assign]
    cut(table)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    heal(table, 15)
    table.step = honest  # type: ignore[method-assign]
    table.run(60)
    agreed(table, *ALL, lines=False)


def test_where_the_half_that_counts_goes_on_from_an_earlier_entry_we_ask_anew(table: Table, group: bytes) -> None:
    """What cem ordered last is known to nobody but burak, and deniz leads."""
    held(table, Submit)
    lobby = table.state("burak", group)
    order = lobby.order
    assert order is not None
    keep(table, replace(lobby, healing=replace(lobby.healing, common=order.seq, unknown=table.now)))
    table.drop = lambda *_: True
    runs = (Run(9, 1, "deniz", order.seq, order.seq + 1), replace(order.run, last=order.seq - 1), *order.runs[1:])
    table.link("burak", "deniz")
    before = len(table.effects["burak"])
    table.put("burak", ev.Arrived("deniz", Head(group, order.seq + 1, bytes(32), runs)))
    lobby = table.state("burak", group)
    assert (lobby.leader, lobby.voice.staged) == ("deniz", None)
    assert (lobby.healing.step, lobby.healing.common, lobby.healing.unknown) == (Step.REJOIN, order.seq - 1, 0)
    assert not [one for one in lobby.voice.flying if one.kind is EntryKind.COMMIT]
    sent = [one for one in table.effects["burak"][before:] if isinstance(one, Send)]
    asked = [one.peer for one in sent if one.frame == AskInfo(group)]
    assert asked == ["deniz"]


def test_where_it_goes_on_from_before_what_we_had_in_common_our_order_is_ours_there(
    table: Table, group: bytes
) -> None:
    """Should nobody be left there, ours goes on from that entry: its hash is the one that the others have."""
    there = table.state("burak", group).order
    assert there is not None
    held(table, Submit)
    lobby = table.state("burak", group)
    assert lobby.healing.common == there.seq
    keep(table, replace(lobby, healing=replace(lobby.healing, unknown=table.now)))
    table.drop = lambda *_: True
    runs = (Run(9, 1, "deniz", there.seq, there.seq), replace(there.run, last=there.seq - 1))
    table.link("burak", "deniz")
    table.put("burak", ev.Arrived("deniz", Head(group, there.seq, bytes(32), runs)))
    lobby = table.state("burak", group)
    assert (lobby.leader, lobby.healing.step) == ("deniz", Step.REJOIN)
    assert lobby.order is not None
    assert (lobby.order.seq, lobby.order.hash) == (there.seq - 1, dict(there.recent)[there.seq - 1])


def test_once_we_are_in_nothing_of_the_half_that_lost_is_left(table: Table, group: bytes) -> None:
    held(table, Submit)
    seq = come_in(table, group)
    order, state = table.state("burak", group).order, table.desks["burak"].sessions.get(group)
    assert order is not None
    assert state is not None
    assert order.epoch == state.number
    assert all(decode_ordered(one).seq >= seq for one in table.stores["burak"].entries(group, 1, 99))


def test_what_was_to_be_done_and_is_done_there_is_not_done_again(table: Table, group: bytes) -> None:
    """elif accepted an invitation of burak's, and zeki was to be put out; there elif is in, and zeki never was."""
    held(table, Submit)
    table.put("cem", ev.InviteTo("ops", ("elif",)))
    table.run(2)
    table.put("elif", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    table.run(2)
    lobby = table.state("burak", group)
    intents = replace(lobby.intents, adds={"elif": b"a package"}, removes={"zeki": ""})
    healing = replace(lobby.healing, anew=frozenset(("elif",)), unknown=table.now)
    keep(table, replace(lobby, intents=intents, healing=healing, asked=("ayse",), invited=frozenset(("elif",))))
    before = len(table.frames)
    come_in(table, group)
    lobby = table.state("burak", group)
    assert (lobby.intents.adds, lobby.intents.removes) == ({}, {})
    assert not lobby.healing.anew | lobby.invited
    assert (lobby.healing.unknown, lobby.asked) == (0, ())
    table.run(10)
    posts = [frame for one, other, frame in table.frames[before:] if (one, other) == ("burak", "elif")]
    answers = [open_post(one) for one in posts if isinstance(one, Post) and one.kind is PostKind.ANSWER]
    assert answers == [Answer(group, Choice.REJECT)]
    assert table.stages()["elif"] == "member"


@pytest.mark.parametrize("met", [0, 1, 1 << 40], ids=["never", "before the halves parted", "in the half that lost"])
def test_whom_we_met_there_was_in_by_the_entry_that_let_us_in(table: Table, group: bytes, met: int) -> None:
    held(table, Submit)
    lobby = table.state("burak", group)
    keep(table, replace(lobby, healing=replace(lobby.healing, met={"cem": met, "zeki": 1})))
    seq = come_in(table, group)
    assert table.state("burak", group).healing.met == {"cem": seq if met > 1 else met}


def test_who_was_let_in_in_the_half_that_lost_is_asked_once(table: Table, group: bytes) -> None:
    cut(table)
    table.put("ayse", ev.InviteTo("ops", ("elif",)))
    table.run(2)
    table.put("elif", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(2)
    table.drop = lambda _one, other, frame: other == "elif" and isinstance(frame, Post)
    heal(table, 60)
    for name in sorted(ONE):
        healing = table.state(name, group).healing
        assert not healing.anew
        assert healing.anew_at == 0
        posts = [kind for _, kind, _ in table.stores[name].posts("elif", 1, 99)]
        assert posts.count(PostKind.INVITE) == 1
