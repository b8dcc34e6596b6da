"""A lobby's timer holds for everybody: for who comes in later, comes in anew, or did not know of it when speaking."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import reading, timers
from conclave.chat.effects import PutState
from conclave.chat.lobby_records import encode_lobby
from conclave.chat.words import content as c
from conclave.chat.words.line import LineKind
from conclave.errors import DecodeError
from conclave.values import replace
from conclave.wire.order import Ordered, Submit
from tests.chat.desks import Table, together
from tests.chat.halves import ALL, ONE, OTHER, cut, heal, restored
from tests.chat.halves import table as halves

__all__ = ["halves"]
HOUR = 3600
OFFER = c.Offer("plan.pdf", 1234, 65536, b"r" * 32, b"k" * 32)


@pytest.fixture
def table() -> Table:
    table = Table("ayse", "burak", "cem")
    for one, other in (("ayse", "burak"), ("ayse", "cem"), ("burak", "cem")):
        table.link(one, other)
    return table


def utter(table: Table, name: str, where: str, body: c.Body) -> bytes:
    identity = table.random(16)
    table.put(name, ev.Utter(where, identity, body))
    return identity


def let_in(table: Table, by: str, name: str) -> None:
    table.put(by, ev.InviteTo("ops", (name,)))
    table.put(name, ev.AnswerRequest(by, accept=True, lobby="ops"))
    table.wait(1.0)


def expiring(table: Table, name: str) -> dict[str, bool]:
    lines = table.lines(name, "#ops")
    return {one.text: one.expires > 0 for one in lines if one.kind is not LineKind.NOTICE}


@pytest.mark.parametrize("by", ["ayse", "cem"])
def test_who_comes_in_later_is_told_the_timer_and_heeds_it(table: Table, by: str) -> None:
    table.lobby("ayse", "cem")
    utter(table, "cem", "#ops", c.Timer(HOUR))
    let_in(table, by, "burak")
    assert [table.view(name).timer for name in ("ayse", "burak", "cem")] == [HOUR] * 3
    assert "lines disappear after 1 hour here, says ayse" in table.texts("burak", "#ops")
    assert sum("disappear" in text for text in table.texts("cem", "#ops")) == 1  # who knew it is told nothing
    table.say("burak", "#ops", "soon gone")
    for name in ("ayse", "burak", "cem"):
        assert expiring(table, name) == {"soon gone": True}
    table.restart("burak")
    assert table.view("burak").timer == HOUR
    table.wait(HOUR + 1)
    for name in ("ayse", "burak", "cem"):
        assert table.words(name) == []


def test_a_timer_that_was_taken_off_is_not_said_for_ever(table: Table) -> None:
    table.lobby("ayse", "cem")
    utter(table, "cem", "#ops", c.Timer(HOUR))
    utter(table, "cem", "#ops", c.Timer(0))
    let_in(table, "ayse", "burak")
    table.say("burak", "#ops", "to stay")
    assert expiring(table, "cem") == {"to stay": False}
    assert not any("here" in text for text in table.texts("burak", "#ops"))


def test_words_from_before_the_timer_was_known_disappear_too(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.drop = lambda one, _, frame: one == "burak" and isinstance(frame, Submit)
    table.say("burak", "#ops", "said before")
    utter(table, "burak", "#ops", OFFER)
    utter(table, "cem", "#ops", c.Timer(HOUR))
    table.drop = lambda *_: False
    table.wait(10)
    for name in ("ayse", "burak", "cem"):
        assert expiring(table, name) == {"said before": True, "plan.pdf": True}
    table.wait(HOUR + 1)
    for name in ("ayse", "burak", "cem"):
        assert expiring(table, name) == {}


def test_what_is_said_again_of_a_timer_undoes_no_later_one(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    utter(table, "cem", "#ops", c.Timer(HOUR))
    set_by = table.view("cem").seq
    utter(table, "cem", "#ops", c.Timer(60))
    utter(table, "ayse", "#ops", c.Timer(HOUR, set_by))
    utter(table, "ayse", "#ops", c.Timer(HOUR, 1 << 31))  # an entry that is not there yet
    assert [table.view(name).timer for name in ("ayse", "burak", "cem")] == [60] * 3
    assert table.troubles("burak") == []  # cem's may have come between
    utter(table, "ayse", "#ops", c.Timer(60, set_by))
    assert "ayse says of the timer what is not so" in table.troubles("burak")[-1]
    utter(table, "cem", "#ops", c.Timer(0))
    assert [table.view(name).timer for name in ("ayse", "burak", "cem")] == [0] * 3
    later = table.view("cem").seq
    table.say("ayse", "#ops", "meanwhile")
    utter(table, "ayse", "#ops", c.Timer(HOUR, later + 1))  # nobody sets one under the cover of saying it again
    assert table.texts("cem", "#ops")[-1] == "ayse set messages to disappear after 1 hour"


def test_what_a_leader_said_again_undoes_no_later_one_though_it_is_ordered_by_the_next(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    utter(table, "cem", "#ops", c.Timer(HOUR))
    set_by = table.view("cem").seq
    table.part({"ayse"}, {"burak", "cem"})
    table.run(30)
    utter(table, "cem", "#ops", c.Timer(60))
    table.part()
    table.run(30)
    assert table.view("ayse").leader == "burak"
    utter(table, "ayse", "#ops", c.Timer(HOUR, set_by))
    assert [table.view(name).timer for name in ("ayse", "burak", "cem")] == [60] * 3


def test_who_does_not_lead_says_no_timer_again_and_is_named(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    utter(table, "burak", "#ops", c.Timer(60, 1))
    assert table.texts("cem", "#ops")[-1] == "burak set messages to disappear after 1 minute"


@pytest.mark.parametrize("first", [0, HOUR])
@pytest.mark.parametrize("more", ["", "set again", "restarted"])
def test_a_timer_of_a_half_that_lost_holds_no_longer_where_who_set_it_is_away(
    halves: Table, first: int, more: str
) -> None:
    table = halves
    if first:
        utter(table, "ayse", "#ops", c.Timer(first))
    cut(table)
    lost = sorted(ONE)
    utter(table, lost[0], "#ops", c.Timer(60))
    if more == "set again":
        utter(table, lost[0], "#ops", c.Timer(30))
    table.part(set(ALL) - {lost[0]}, {lost[0]})
    if more == "restarted":
        table.restart(lost[1])
    table.run(120)
    rest = [name for name in ALL if name != lost[0]]
    assert len({(table.view(name).leader, table.view(name).timer) for name in rest}) == 1
    assert table.view(rest[0]).timer == first


@pytest.mark.parametrize("first", [0, HOUR])
@pytest.mark.parametrize("apart", [False, True])
def test_a_timer_holds_no_longer_where_the_half_that_counts_knows_of_no_entry_of_ours(
    halves: Table, first: int, *, apart: bool
) -> None:
    table = halves
    if first:
        utter(table, "ayse", "#ops", c.Timer(first))
    cut(table)
    for name in OTHER:  # as after many terms
        [lobby] = table.desks[name].lobbies.values()
        assert lobby.order is not None
        lobby = replace(lobby, order=replace(lobby.order, runs=lobby.order.runs[:1]))
        table.desks[name] = replace(table.desks[name], lobbies=table.desks[name].lobbies.put(lobby.group, lobby))
    if apart:
        utter(table, "burak", "#ops", c.Timer(60))
    heal(table, 120)
    assert {(table.view(name).leader, table.view(name).timer) for name in ALL} == {("cem", first)}


def test_who_knows_the_timer_but_not_by_which_entry_says_what_is_so(table: Table) -> None:
    group = table.lobby("ayse", "burak", "cem")
    utter(table, "cem", "#ops", c.Timer(HOUR))
    lobby = table.state("ayse", group)
    table.stores["ayse"].commit([PutState("lobby/" + group.hex(), encode_lobby(replace(lobby, timed=0)))])
    table.restart("ayse")
    table.dial()
    utter(table, "ayse", "#ops", c.Timer(HOUR, 1))  # as it says to who comes in
    assert [table.troubles(name) for name in ("burak", "cem")] == [[], []]
    assert [table.view(name).timer for name in ("ayse", "burak", "cem")] == [HOUR] * 3


def test_a_restored_home_is_told_the_timer(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    utter(table, "cem", "#ops", c.Timer(HOUR))
    restored(table, "burak")
    table.link("ayse", "burak")
    table.run(15)
    assert table.view("burak").timer == HOUR
    table.say("burak", "#ops", "back")
    assert expiring(table, "cem") == expiring(table, "burak") == {"back": True}


@pytest.mark.parametrize("forked", [False, True])
@pytest.mark.parametrize("half", [ONE, OTHER], ids=["that loses", "that counts"])
def test_a_timer_that_was_set_in_one_half_holds_in_the_whole(halves: Table, half: set[str], *, forked: bool) -> None:
    table = halves
    cut(table)
    if forked:
        table.link("ayse", "elif")
        let_in(table, "ayse", "elif")
    utter(table, max(half), "#ops", c.Timer(HOUR))
    heal(table)
    assert [table.view(name).timer for name in ALL] == [HOUR] * len(ALL)
    table.say("ayse", "#ops", "after")
    table.run(5)
    assert all(expiring(table, name)["after"] for name in ALL)


def test_an_offer_disappears_with_the_timer(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    for where, names in (("#ops", ("ayse", "burak", "cem")), ("@cem", ("burak", "cem"))):
        utter(table, "burak", where, c.Timer(60))
        utter(table, "burak", where, OFFER)
        at = {name: "@burak" if where == "@cem" and name == "cem" else where for name in names}
        for name in names:
            assert table.lines(name, at[name])[-1].expires == table.now + 60
        table.wait(61)
        for name in names:
            assert all(one.kind is LineKind.NOTICE for one in table.lines(name, at[name]))


def test_what_is_to_disappear_is_not_shown_to_who_came_later(table: Table) -> None:
    group = table.lobby("ayse", "cem")
    table.say("ayse", "#ops", "for good")
    table.drop = lambda one, _, frame: one == "cem" and isinstance(frame, Submit)
    said = table.say("cem", "#ops", "unaware")
    utter(table, "ayse", "#ops", c.Timer(HOUR))
    utter(table, "ayse", "#ops", OFFER)
    table.drop = lambda *_: False
    table.wait(10)
    utter(table, "cem", "#ops", c.Edit(said, "unaware, and edited"))
    shown = list(reading.earlier(table.stores["ayse"], "#ops", group, 1, table.view("ayse").seq + 1))
    assert [line for line, _ in shown] == [True]


@pytest.mark.parametrize("where", ["#ops", "@cem"])
def test_what_is_said_to_stay_stays_whatever_the_timer_says(table: Table, where: str) -> None:
    group = table.lobby("ayse", "burak", "cem")
    theirs = {"burak": where, "cem": "@burak" if where == "@cem" else where}
    utter(table, "burak", where, c.Timer(60))
    for text, expires in (("to stay", 0), ("as set", None), ("for 2 minutes", 120)):
        table.put("burak", ev.Say(where, table.random(16), text, None, expires))
    table.wait(61)
    for name, at in theirs.items():
        kept = {one.text: one.expires for one in table.lines(name, at) if one.kind is not LineKind.NOTICE}
        assert kept == {"to stay": 0, "for 2 minutes": kept["for 2 minutes"]}
    if where == "#ops":  # who comes in later may be shown it
        [stays] = [line for line, _ in reading.earlier(table.stores["ayse"], where, group, 1, 1 << 40)]
        assert stays


def test_what_is_said_to_stay_by_who_does_not_know_the_timer_stays(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.drop = lambda one, _, frame: one == "burak" and isinstance(frame, Submit)
    table.put("burak", ev.Say("#ops", table.random(16), "to stay", None, 0))
    utter(table, "cem", "#ops", c.Timer(HOUR))
    table.drop = lambda *_: False
    table.wait(HOUR + 10)
    for name in ("ayse", "burak", "cem"):
        assert expiring(table, name) == {"to stay": False}


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "lines are kept"), (1, "lines disappear after 1 second"), (172_800, "after 2 days")]
)
def test_a_phrase_for_fronts(seconds: int, words: str) -> None:
    assert timers.phrase(seconds).endswith(words)


@pytest.mark.parametrize("body", [c.Timer(60, 1), c.Offer("a", 1, 2, b"r" * 32, b"k" * 32, 60)])
def test_a_zero_where_a_number_must_be_is_refused(body: c.Body) -> None:
    plain = c.encode_content(c.Content(b"i" * 16, 0, 1.0, body))
    assert c.decode_content(plain).body == body
    number = (1).to_bytes(4) if isinstance(body, c.Timer) else (60).to_bytes(4)
    at = plain.index(number, 34)
    with pytest.raises(DecodeError):
        c.decode_content(plain[:at] + bytes(4) + plain[at + 4 :])


def test_who_set_a_timer_and_came_in_anew_since_sets_it_again_where_an_older_half_counts() -> None:
    """cem's half falls in two, he comes into the other anew, and then a half counts that parted before the timer."""
    half, others = {"ayse", "burak", "gul"}, {"cem", "deniz", "elif", "fatma"}
    parts = ({"cem", "elif"}, {"deniz", "fatma"})
    table = together("ayse", "burak", "cem", "deniz", "elif", "fatma", "gul")
    table.part(half, others)
    table.run(30)
    utter(table, "cem", "#ops", c.Timer(HOUR))
    table.run(3)
    table.part(half, *parts)
    table.run(30)
    table.put("cem", ev.SetDeputies("ops", ("cem", "elif")))  # other keys than in the other part
    table.run(3)
    for name in ("ayse", "burak", "ayse", "burak"):  # their half comes to higher terms
        table.part({name}, half - {name}, *parts)
        table.run(30)
        table.part(half, *parts)
        table.run(15)
    table.part(half, others)
    table.run(60)
    assert {table.view(name).timer for name in others} == {HOUR}
    assert {table.view(name).leader for name in others} == {"deniz"}
    table.part()
    table.run(200)
    assert {table.view(name).timer for name in half | others} == {HOUR}


def test_a_timer_that_was_opened_in_the_half_that_lost_is_set_where_it_is_ordered_again() -> None:
    """deniz hands it in to ayse, does not see it come back, and hands the same in to cem, who leads next."""
    table = together("ayse", "burak", "cem", "deniz")
    table.run(60, 5)
    table.drop = lambda _one, other, frame: other in ("cem", "deniz") and isinstance(frame, Ordered)
    utter(table, "deniz", "#ops", c.Timer(HOUR))
    assert table.view("burak").timer == HOUR
    table.part({"ayse", "burak"}, {"cem", "deniz"})
    table.drop = lambda *_: False
    table.run(30)
    table.part()
    table.run(60)
    assert {table.view(name).timer for name in table.desks} == {HOUR}


@pytest.mark.parametrize("leads", ["ayse", "burak"], ids=["another", "who set it"])
def test_a_timer_that_was_sealed_before_somebody_came_in_holds_for_it(leads: str) -> None:
    table = together("ayse", "burak", "cem", beside=("deniz",))
    table.run(60, 5)
    table.link("ayse", "deniz")
    table.drop = lambda one, _other, frame: one == "burak" and isinstance(frame, Submit)
    utter(table, "burak", "#ops", c.Timer(HOUR))
    let_in(table, "ayse", "deniz")
    table.run(3)
    if leads == "burak":
        table.part({"ayse"}, {"burak", "cem", "deniz"})
    table.drop = lambda *_: False
    table.run(60)
    assert {table.view(name).leader for name in ("burak", "cem", "deniz")} == {leads}
    assert {table.view(name).timer for name in ("burak", "cem", "deniz")} == {HOUR}


def test_nobody_is_said_to_have_set_a_timer_by_words() -> None:
    """mallory leads, keeps burak's words from his half, and says of their entry that it set a timer."""
    table = together("mallory", "ayse", "burak", "cem")
    table.run(60, 5)
    table.drop = lambda _one, other, frame: other in ("burak", "cem") and isinstance(frame, Ordered)
    table.say("burak", "#ops", "words, and no timer")
    utter(table, "mallory", "#ops", c.Timer(60, table.view("ayse").seq))
    assert table.view("ayse").timer == 60
    table.part({"mallory", "ayse"}, {"burak", "cem"})
    table.drop = lambda *_: False
    table.run(60)
    assert table.view("cem").leader == "burak"
    table.part()
    table.run(60)
    assert not [text for text in table.texts("ayse", "#ops") if text.startswith("burak set messages")]
    assert [table.view(name).timer for name in ("ayse", "cem")] == [0, 0]
    assert table.words("ayse")[-1] == "words, and no timer"
