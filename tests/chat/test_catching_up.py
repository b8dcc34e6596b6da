"""Heads of others: whose order counts, who is told so, and who is asked where a leader is gone or shows another."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.lobby_state import Step
from conclave.lobby import order as orders
from conclave.lobby.order import Order
from conclave.values import replace
from conclave.wire.frames import Frame
from conclave.wire.order import AskInfo, Fetch, Have, Head, Ordered, Refusal, Refused, Run
from tests.chat.desks import Table, together
from tests.chat.test_hostile_halves import room


def order(table: Table, name: str, group: bytes) -> Order:
    """The lobby's, as ``name`` has it."""
    found = table.state(name, group).order
    assert found is not None
    return found


def shown(table: Table, name: str, by: str, head: Head) -> list[tuple[str, Frame]]:
    """``by`` shows ``name`` a head; what ``name`` sends at once, and to whom. Nothing of it arrives."""
    sent: list[tuple[str, Frame]] = []

    def drop(one: str, other: str, frame: Frame) -> bool:
        if one == name:
            sent.append((other, frame))
        return True

    table.drop = drop
    table.put(name, ev.Arrived(by, head))
    table.drop = lambda *_: False
    return sent


def test_who_shows_a_lesser_order_is_shown_ours() -> None:
    table, group = room()
    table.part({"ayse"}, {"burak", "cem", "deniz"})
    table.run(20)
    assert table.view("cem").leader == "burak"
    ours = order(table, "cem", group)
    older = Head(group, ours.run.first - 1, bytes(32), ours.runs[1:])
    assert ("deniz", orders.head(ours)) in shown(table, "cem", "deniz", older)


@pytest.mark.parametrize("step", [Step.UNWIND, Step.REJOIN])
def test_who_has_to_come_in_itself_shows_nobody_an_order_that_does_not_count(step: Step) -> None:
    table, group = room()
    table.part({"ayse"}, {"burak", "cem", "deniz"})
    table.run(20)
    ours = order(table, "cem", group)
    desk, lobby = table.desks["cem"], table.state("cem", group)
    lobby = replace(lobby, healing=replace(lobby.healing, step=step, common=ours.seq))
    table.desks["cem"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    older = Head(group, ours.run.first - 1, bytes(32), ours.runs[1:])
    assert not [one for one in shown(table, "cem", "deniz", older) if isinstance(one[1], Head)]


def test_who_follows_a_leader_whose_order_it_does_not_have_yet_shows_a_stranger_nothing_that_counts_less() -> None:
    """Each shows the other what it takes for better, and they would not come to an end."""
    table, group = room("elif")
    ours = order(table, "cem", group)
    desk, lobby = table.desks["cem"], table.state("cem", group)
    lead = replace(ours.run, term=9, leader="deniz", first=0, last=0)
    lobby = replace(lobby, lead=lead, healing=replace(lobby.healing, step=Step.REJOIN, common=ours.seq))
    table.desks["cem"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.link("cem", "elif")
    between = Run(4, 0, "burak", ours.seq, ours.seq + 3)
    theirs = Head(group, ours.seq + 3, bytes(32), (between, replace(ours.run, last=ours.seq - 1)))
    assert not [one for to, one in shown(table, "cem", "elif", theirs) if to == "elif"]


def test_a_head_tells_the_leader_how_far_somebody_is_if_it_is_of_this_order() -> None:
    table, group = room()
    table.drop = lambda _, other, frame: other == "ayse" and isinstance(frame, Have)
    table.say("ayse", "#ops", "one")

    def has(name: str) -> int:
        followers = table.state("ayse", group).watch.followers
        one = followers.get(name) if followers is not None else None
        assert one is not None
        return one.have

    ours = order(table, "ayse", group)
    assert has("burak") < ours.seq
    own = replace(ours.run, first=ours.seq, last=ours.seq)
    shown(table, "ayse", "burak", replace(orders.head(ours), runs=(own,)))
    lesser = Head(group, ours.seq, bytes(32), (replace(ours.run, leader="cem", rank=7),))
    shown(table, "ayse", "burak", lesser)
    assert has("burak") < ours.seq
    shown(table, "ayse", "burak", orders.head(ours))
    assert has("burak") == ours.seq


def test_a_head_of_before_the_leaders_term_tells_it_how_far_somebody_is_too() -> None:
    table, group = room()
    table.part({"ayse"}, {"burak", "cem"}, {"deniz"})
    table.run(20)
    ours = order(table, "burak", group)
    table.drop = lambda *_: True
    table.link("burak", "deniz")
    table.drop = lambda *_: False
    before = Head(group, ours.run.first - 1, bytes(32), ours.runs[1:])
    shown(table, "burak", "deniz", before)
    followers = table.state("burak", group).watch.followers
    deniz = followers.get("deniz") if followers is not None else None
    assert deniz is not None
    assert deniz.have == before.seq


def test_a_leader_that_shows_another_order_of_its_own_term_is_asked_to_let_us_in_anew() -> None:
    """It came back from an older state of its disk, and went on from there."""
    table, group = room()
    table.say("ayse", "#ops", "one")
    ours = order(table, "burak", group)
    other = replace(ours.run, first=ours.run.first + 1, last=ours.seq)
    head = Head(group, ours.seq, bytes(32), (other,))
    shown(table, "burak", "cem", head)
    assert not table.view("burak").healing  # who does not lead is not believed
    shorter = replace(head, seq=ours.seq - 1, runs=(replace(other, last=ours.seq - 1),))
    shown(table, "burak", "ayse", shorter)
    assert not table.view("burak").healing  # it may be behind
    shown(table, "burak", "ayse", head)
    assert table.view("burak").healing
    before = len(table.frames)
    table.run(3)
    assert {other for _, other, frame in table.frames[before:] if isinstance(frame, AskInfo)} == {"ayse"}


def test_every_rumour_is_looked_into_that_counts_before_our_leader_and_none_of_ourselves() -> None:
    table, group = room("elif", "fatma")
    ours = order(table, "burak", group)

    def told(by: str, term: int, leader: str) -> frozenset[str]:
        run = Run(term, 3, leader, ours.seq + 1, ours.seq + 1)
        shown(table, "burak", by, Head(group, ours.seq + 1, bytes(32), (run, *ours.runs)))
        return views.wanted(table.desks["burak"]) - {"ayse"}

    assert told("cem", 9, "burak") == frozenset()
    assert told("cem", 5, "elif") == {"elif"}
    assert told("deniz", 4, "fatma") == {"elif", "fatma"}
    assert table.view("burak").leader == "ayse"
    table.link("burak", "fatma")
    run = Run(4, 3, "fatma", ours.seq + 1, ours.seq + 1)
    shown(table, "burak", "fatma", Head(group, ours.seq + 1, bytes(32), (run, *ours.runs)))
    assert table.view("burak").leader == "fatma"
    assert "elif" in views.wanted(table.desks["burak"])


def test_what_our_half_had_need_not_be_looked_up_where_the_other_has_it_all() -> None:
    table, group = room()
    desk, lobby = table.desks["burak"], table.state("burak", group)
    ours = order(table, "burak", group)
    lobby = replace(lobby, healing=replace(lobby.healing, step=Step.UNWIND, common=0))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    run = Run(2, 1, "cem", ours.seq + 1, ours.seq + 1)
    shown(table, "burak", "cem", Head(group, ours.seq + 1, bytes(32), (run, *ours.runs)))
    assert table.state("burak", group).healing.step is Step.SOUND
    assert table.view("burak").leader == "cem"


def test_there_is_no_term_behind_the_last() -> None:
    table, group = room()
    table.link("burak", "cem")
    ours = order(table, "burak", group)
    desk, lobby = table.desks["burak"], table.state("burak", group)
    lobby = replace(lobby, lead=Run(orders.LAST_TERM - 1, 0, "ayse", 0, 0))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    run = Run(orders.LAST_TERM + 1, 0, "cem", ours.seq + 1, ours.seq + 1)
    shown(table, "burak", "cem", Head(group, ours.seq + 1, bytes(32), (run, *ours.runs)))
    assert table.view("burak").leader == "ayse"
    assert "claims a term that no lobby comes to" in table.troubles("burak")[-1]
    run = replace(run, term=orders.LAST_TERM)
    shown(table, "burak", "cem", Head(group, ours.seq + 1, bytes(32), (run, *ours.runs)))
    assert table.view("burak").leader == "cem"


@pytest.mark.parametrize("out", [False, True])
def test_who_came_in_behind_what_we_have_is_asked_where_our_leader_is_to_be_put_out(*, out: bool) -> None:
    """burak never met elif, who shows more of the same order; ayse, whom he follows, is linked, and silent."""
    table, group = room("elif")
    table.say("ayse", "#ops", "one")
    table.link("burak", "elif")
    table.drop = lambda *_: True
    if out:
        table.put("burak", ev.RemoveFrom("ops", "ayse"))
    ours = order(table, "burak", group)
    more = Head(group, ours.seq + 5, bytes(32), (replace(ours.run, last=ours.seq + 5), *ours.runs[1:]))
    asked = [other for other, frame in shown(table, "burak", "elif", more) if isinstance(frame, Fetch)]
    assert asked == (["elif"] if out else [])


@pytest.mark.parametrize("gone", [False, True])
def test_who_is_out_is_told_so_where_it_shows_a_half_of_its_own(*, gone: bool) -> None:
    table, group = room("elif")
    who = "deniz" if gone else "elif"
    ours = order(table, "burak", group)
    if gone:
        table.put("ayse", ev.RemoveFrom("ops", "deniz"))
    else:
        table.put("ayse", ev.SetDeputies("ops", ("cem",)))
    table.link("burak", who)
    lead = Run(2, 3, who, ours.seq + 1, ours.seq + 2)
    sent = shown(table, "burak", who, Head(group, ours.seq + 2, bytes(32), (lead, *ours.runs)))
    refused = [frame.reason for other, frame in sent if isinstance(frame, Refused) and other == who]
    assert refused == ([Refusal.OUTSIDER] if gone else [])
    assert table.view("burak").leader == "ayse"
    # Of a term that does not count: it may follow us.
    before = Head(group, ours.seq + 2, bytes(32), (replace(ours.run, leader=who, rank=9), *ours.runs))
    assert [frame for other, frame in shown(table, "burak", who, before) if isinstance(frame, Head) and other == who]


def test_what_a_leader_that_beats_gives_to_all_but_one_comes_of_another() -> None:
    """That it lets somebody starve is told too."""
    table = together("ayse", "burak", "cem")
    table.link("burak", "cem")
    table.drop = lambda one, other, frame: (one, other) == ("ayse", "burak") and isinstance(frame, Ordered)
    said = [f"hello {number}" for number in range(60)]
    for text in said:
        table.say("cem", "#ops", text)
    group, before = table.desks["ayse"].labels["#ops"], len(table.frames)
    for _ in range(60):  # other noise hides it not
        order = table.state("burak", group).order
        assert order is not None
        far = Run(1 << 25, 0, "ayse", order.seq + 1, order.seq + 1)
        table.put("burak", ev.Arrived("ayse", Head(group, order.seq + 1, bytes(32), (far, *order.runs))))
        table.run(2, 2)
    assert set(said) <= set(table.words("burak"))
    assert any("ayse keeps from you what cem has" in one for one in table.troubles("burak"))
    given = [frame for one, other, frame in table.frames[before:] if (one, other) == ("cem", "burak")]
    assert sum(isinstance(frame, Ordered) for frame in given) < 2 * len(said)
    table.drop = lambda *_: False
    table.say("ayse", "#ops", "and to you")
    table.run(20)
    assert table.words("burak")[-1] == "and to you"
    assert not table.state("burak", table.desks["ayse"].labels["#ops"]).watch.vain[1]
