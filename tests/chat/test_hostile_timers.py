"""Timers in lobbies whose leader is not honest: nobody is locked out by one, and no words go by unseen.

Left out: who is believed about which timer is set, and what disappears when (``test_timers``).
"""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import passing
from conclave.chat.lobbies.voice import say_content
from conclave.chat.notices import LineAdded
from conclave.chat.words import content as c
from conclave.chat.words.line import LineKind
from conclave.chat.work import Work
from conclave.values import replace
from conclave.wire.order import Run, Submit
from tests.chat.desks import Table, together
from tests.chat.room import signed
from tests.chat.test_timers import HOUR, let_in, utter

FAR = 1 << 33
"""An entry behind those that a numbered timer can name."""


def opened_far_ahead(*names: str, beside: str) -> Table:
    """mallory opens a lobby far ahead, lets ``names`` in, and goes; ``beside`` is linked with them."""
    table = Table("mallory", *names, beside)
    for name in names:
        table.link("mallory", name)
    group = table.lobby("mallory")
    desk, lobby = table.desks["mallory"], table.state("mallory", group)
    assert lobby.order is not None
    order = replace(lobby.order, seq=FAR, runs=(Run(1, 0, "mallory", 1, FAR),), base=FAR)
    lobby = replace(lobby, order=order, lead=Run(1, 0, "mallory", 0, 0))
    table.desks["mallory"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.put("mallory", ev.InviteTo("#ops", names))
    for name in names:
        table.put(name, ev.AnswerRequest("mallory", accept=True, lobby="#ops"))
    table.run(2)
    table.part({*names, beside}, {"mallory"})
    table.run(60)
    for name in names:
        table.link(name, beside)
    assert table.view(names[0]).seq > FAR
    return table


@pytest.mark.parametrize("seconds", [HOUR, 0])
@pytest.mark.parametrize("inviter", ["ayse", "burak"])
def test_newcomers_are_told_a_timer_that_was_set_far_ahead(inviter: str, seconds: int) -> None:
    table = opened_far_ahead("ayse", "burak", beside="cem")
    utter(table, "ayse", "#ops", c.Timer(HOUR))
    if not seconds:
        utter(table, "ayse", "#ops", c.Timer(0))
    let_in(table, inviter, "cem")
    table.run(10)
    assert [table.view(name).timer for name in ("ayse", "burak", "cem")] == [seconds] * 3
    table.say("cem", "#ops", "hello all")
    for name in ("ayse", "burak"):
        assert table.words(name) == ["hello all"]


def test_halves_heal_where_a_timer_was_set_far_ahead() -> None:
    names = ("ayse", "burak", "cem")
    table = opened_far_ahead(*names, beside="elif")
    leader = table.view("ayse").leader
    utter(table, leader, "#ops", c.Timer(HOUR))
    here, apart = (one for one in names if one != leader)
    table.part({leader, here}, {apart, "elif"}, {"mallory"})
    table.run(90)
    let_in(table, apart, "elif")
    table.part({*names, "elif"}, {"mallory"})
    table.run(120)
    table.say(apart, "#ops", "I am back")
    table.run(5)
    for name in names:
        assert "I am back" in table.words(name)
        assert table.view(name).timer == HOUR


def says(table: Table, name: str, group: bytes, body: c.Body) -> None:
    """What a device can be made to say."""
    work = Work(table.desks[name], table.now, table.random)
    say_content(work, group, body)
    passing.settle(work)
    table.desks[name], records, deeds = work.done()
    table.stores[name].commit(records)
    table.do(name, deeds, committed=True)
    table.put(name, ev.Tick())


def shown(table: Table, name: str) -> list[str]:
    """Whatever came onto somebody's screen, be it for a moment."""
    told = [one for one in table.notices(name, LineAdded) if isinstance(one, LineAdded)]
    return [one.line.text for one in told if one.line.kind is LineKind.TEXT]


def test_whoever_leads_swallows_nobodys_words_with_a_timer() -> None:
    table = together("burak", "ayse", "cem")
    table.run(90, 10)
    group = table.desks["burak"].labels["#ops"]
    table.drop = lambda one, other, frame: (one, other) == ("cem", "burak") and isinstance(frame, Submit)
    identity = table.say("cem", "#ops", "the ward is on fire")
    original = signed(table, "cem", "#ops", "cem", identity).encode()  # as burak reads it in what he gets handed in
    table.run(3)
    utter(table, "burak", "#ops", c.Timer(1))
    says(table, "burak", group, c.Shared((original,)))
    utter(table, "burak", "#ops", c.Timer(0))
    assert "the ward is on fire" in shown(table, "ayse")
    table.run(120)
    assert table.words("ayse") == table.words("cem") == ["together"]


def test_words_of_a_half_that_lost_are_shown_under_a_timer_shorter_than_it_was_away_and_go_everywhere() -> None:
    table = together("ayse", "burak", "cem", "deniz", "elif")
    table.part({"ayse", "burak"}, {"cem", "deniz", "elif"})
    table.run(30)
    table.say("ayse", "#ops", "apart")
    table.run(5)
    utter(table, "cem", "#ops", c.Timer(30))
    table.part({"ayse"}, {"burak"}, {"cem", "deniz", "elif"})
    table.run(600, 10)
    table.part({"ayse"}, {"burak", "cem", "deniz", "elif"})
    table.run(200)
    assert all("apart" in shown(table, name) for name in ("cem", "deniz", "elif"))
    table.part()
    table.run(200)
    for name in table.desks:
        assert table.words(name) == ["together"]
        assert not [text for text in table.troubles(name) if "kept from us" in text]


@pytest.mark.parametrize("attacker", ["burak", "cem"])
def test_words_of_before_a_timer_stay_though_somebody_shares_them_again(attacker: str) -> None:
    table = together("ayse", "burak", "cem")
    table.run(90, 10)
    group = table.desks["burak"].labels["#ops"]
    identity = table.say("ayse", "#ops", "the dose is 5 mg")
    table.run(5)
    original = signed(table, attacker, "#ops", "ayse", identity).encode()
    utter(table, attacker, "#ops", c.Timer(1))
    says(table, attacker, group, c.Shared((original,)))
    utter(table, attacker, "#ops", c.Timer(0))
    table.run(120)
    for name in ("ayse", "burak", "cem"):
        assert "the dose is 5 mg" in table.words(name), name
