"""A half of a lobby loses, and before it is in the other one something else happens."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.lobby_state import Step
from conclave.chat.words.content import Timer
from conclave.wire.delivery import Post
from conclave.wire.order import AskInfo, EntryKind, Info, Ordered, Recall, Refusal, Refused, Submit
from tests.chat.desks import Table, together
from tests.chat.halves import agreed, ask_in, half_that_counts_is_gone, hear_of
from tests.chat.room import lacking

ALL = ("ayse", "burak", "cem", "deniz")


@pytest.fixture
def table() -> Table:
    return together(*ALL, beside=("elif",))


def test_what_was_sent_in_the_losing_half_stays_so_of_who_is_out_in_the_other(table: Table) -> None:
    table.part({"ayse", "burak"}, {"cem", "deniz"})
    table.say("burak", "#ops", "in this half")
    table.run(60)
    table.put("cem", ev.RemoveFrom("ops", "burak"))
    table.run(10)
    assert table.statuses("burak", "#ops")[-1] == "sent"
    table.part({"ayse"}, {"burak", "cem", "deniz"})
    table.run(120)
    assert table.stages()["burak"] == "ended"
    states = {line.text: line.status.value for line in table.lines("burak", "#ops")}
    assert states["in this half"] == "sent"


@pytest.mark.parametrize("leader", ["burak", "elif"])
def test_where_the_half_that_counts_is_gone_a_newcomer_of_the_other_lacks_nothing_said_there_since(
    table: Table, leader: str
) -> None:
    """elif was met by an entry of the half that lost; its places are those of other words now."""
    half_that_counts_is_gone(table, leader)
    for number in range(4):
        table.say(leader, "#ops", f"since {number}")
    assert table.statuses(leader, "#ops")[-4:] == ["sent"] * 4
    table.run(60)
    gone = [frame for _, _, frame in table.frames if isinstance(frame, Refused) and frame.reason is Refusal.GONE]
    assert not gone, "what is said since is kept, be its places before the one by which the newcomer came in"
    table.part()
    table.run(120)
    agreed(table, *ALL, "elif", lines=False)
    for name in (*ALL, "elif"):
        assert [text for text in table.words(name) if text.startswith("since")] == [f"since {n}" for n in range(4)]


def fall_apart_again(table: Table) -> None:
    """ayse's half asks elif in and falls in two: cem leads the part with elif, ayse changes something in hers."""
    ask_in(table, "ayse", "elif")
    table.part({"burak", "deniz"}, {"ayse"}, {"cem", "elif"})
    table.run(30)
    assert (table.view("cem").leader, table.view("cem").term) == ("cem", 2)
    table.put("ayse", ev.SetDeputies("ops", ("cem",)))


@pytest.mark.parametrize("restarts", [False, True])
def test_who_loses_to_a_half_that_parted_earlier_still_says_what_it_had_since_then(
    table: Table, restarts: bool
) -> None:
    """ayse, before she is in cem's half, loses to deniz's, of the same term, which parted from hers before."""
    group = table.desks["ayse"].labels["#ops"]
    table.part({"burak", "deniz"}, {"ayse", "cem", "elif"})
    table.run(30)
    assert table.view("burak").term == 2
    for name in ("ayse", "cem", "ayse"):
        table.say(name, "#ops", f"{name} between {len(table.words(name))}")
    table.run(3)
    fall_apart_again(table)
    table.say("ayse", "#ops", "ayse behind")
    table.run(2)
    hear_of(table, "ayse", "cem")
    assert table.state("ayse", group).healing.step is Step.REJOIN
    later = table.state("ayse", group).healing.common
    if restarts:
        hear_of(table, "ayse", "burak")
        table.restart("ayse")
        assert table.state("ayse", group).healing.forked
    table.part({"ayse", "burak", "deniz"}, {"cem"}, {"elif"})
    table.run(120)
    agreed(table, "ayse", "burak", "deniz", lines=False)
    assert table.state("ayse", group).healing.common < later
    said = ["together", "ayse between 1", "cem between 2", "ayse between 3", "ayse behind"]
    for name in ("ayse", "burak", "deniz"):
        assert sorted(table.words(name)) == sorted(said)
    places = {one.text: one.seq for one in table.lines("burak", "#ops")}
    assert places["ayse between 1"] < places["ayse between 3"] < places["ayse behind"]
    table.part()
    table.run(120)
    agreed(table, *ALL, lines=False)
    for name in ALL:
        assert sorted(table.words(name)) == sorted(said)


@pytest.mark.parametrize("step", [Step.REJOIN, Step.ENTER])
def test_who_set_a_timer_sets_it_again_though_its_entries_are_gone_when_an_order_counts_that_parted_before(
    table: Table, step: Step
) -> None:
    group = table.desks["ayse"].labels["#ops"]
    table.part({"burak", "deniz"}, {"ayse", "cem", "elif"})
    table.run(30)
    table.put("ayse", ev.Utter("#ops", table.random(16), Timer(3600)))
    table.run(3)
    fall_apart_again(table)
    table.run(2)
    if step is Step.REJOIN:
        hear_of(table, "ayse", "cem")
    else:
        table.drop = lambda _one, _other, frame: isinstance(frame, Submit) and frame.kind is EntryKind.COMMIT
        table.part({"burak", "deniz"}, {"ayse", "cem"}, {"elif"})
        table.link("ayse", "cem")
        table.run(10)
    assert table.state("ayse", group).healing.step is step
    table.part({"burak", "deniz"}, {"ayse"}, {"cem"}, {"elif"})
    table.drop = lambda *_: False
    table.restart("ayse")
    table.part({"ayse", "burak", "deniz"}, {"cem"}, {"elif"})
    table.run(120)
    table.part()
    table.run(120)
    assert [table.view(name).timer for name in ALL] == [3600] * 4
    assert sum("disappear" in text for text in table.texts("burak", "#ops")) == 1


def test_who_waits_to_be_let_in_goes_on_to_where_who_asked_it_in_takes_it_for_its_leader() -> None:
    """burak asked cem in, whom his half put out; then he hears that cem's own counts, which cem leaves."""
    table = together(*ALL)
    table.part({"ayse", "burak"}, {"cem", "deniz"})
    table.run(30)
    table.put("ayse", ev.RemoveFrom("ops", "cem"))
    table.run(2)
    table.put("burak", ev.InviteTo("ops", ("cem",)))
    table.part({"ayse"}, {"burak"}, {"cem", "deniz"})
    table.drop = lambda _one, _other, frame: isinstance(frame, AskInfo | Info | Post)
    for other in ("deniz", "cem"):
        table.link("burak", other)
        table.wait(1)
        table.cut("burak", other)
    table.drop = lambda *_: False
    assert table.view("burak").leader == "cem"
    table.put("cem", ev.LeaveLobby("ops"))
    table.run(10)
    table.part({"ayse"}, {"burak", "cem"}, {"deniz"})
    table.run(3)
    table.put("cem", ev.AnswerRequest("burak", accept=True, lobby="ops"))
    table.run(120)
    assert table.stages()["cem"] == "joining"
    table.part()
    table.run(120)


def test_who_goes_on_with_its_own_half_still_asks_for_what_it_lacked_before() -> None:
    """The half that ayse was coming into is gone, and she takes a term with her own keys."""
    table = together("ayse", "burak", "cem", "deniz")
    group = table.desks["ayse"].labels["#ops"]
    seq = next(one.seq for one in table.lines("ayse", "#ops") if one.text == "together")
    table.part({"ayse", "burak"}, {"cem", "deniz"})
    table.run(30)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    for number in range(3):
        table.say("cem", "#ops", f"apart {number}")
    table.run(3)
    table.drop = lambda _one, _other, frame: (
        isinstance(frame, Recall) or (isinstance(frame, Submit) and frame.kind is EntryKind.COMMIT)
    )
    lacking(table, group, "ayse", (seq - 1, seq + 1))
    table.part({"ayse", "cem"}, {"burak"}, {"deniz"})
    while table.state("ayse", group).healing.step is not Step.ENTER:
        table.run(1)
    table.part({"ayse", "burak"}, {"cem"}, {"deniz"})
    table.run(90)
    assert table.view("ayse").term == 3
    assert any(first <= seq <= last for first, last in table.state("ayse", group).healing.pull)


def test_who_goes_on_with_older_keys_that_both_halves_have_is_not_followed_with_newer_ones(table: Table) -> None:
    """deniz's commit counts in both halves, and one of cem's in theirs alone; ayse goes on as she was before that."""
    group = table.desks["ayse"].labels["#ops"]
    table.drop = lambda one, other, frame: one == "ayse" and other in ("cem", "deniz") and isinstance(frame, Ordered)
    table.put("deniz", ev.SetDeputies("ops", ("deniz",)))
    both = table.view("burak").epoch
    assert table.view("deniz").epoch == both - 1
    table.part({"ayse", "burak"}, {"cem", "deniz"})
    table.drop = lambda *_: False
    table.run(40)
    table.put("cem", ev.SetDeputies("ops", ("cem", "deniz")))
    table.run(10)
    assert [table.view(name).epoch for name in ALL] == [both, both, both + 1, both + 1]
    leader = table.view("cem").leader
    table.drop = lambda _one, _other, frame: isinstance(frame, Submit) and frame.kind is EntryKind.COMMIT
    table.part({"ayse", leader}, {"burak"})
    while table.state("ayse", group).healing.step is not Step.ENTER:
        table.run(1)
    table.part({"ayse", "burak"}, {"cem"}, {"deniz"})
    table.drop = lambda *_: False
    table.run(90)
    assert [table.view(name).term for name in ALL] == [3, 3, 2, 2]
    table.part()
    table.run(90)
    agreed(table, *ALL, lines=False)
