"""A leader dies, comes back, leaves: the lobby goes on."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.deeds import Wake
from conclave.chat.notices import LeaderChanged
from conclave.wire.order import Ordered
from tests.chat.desks import Table
from tests.chat.halves import agreed

ALL = ("ayse", "burak", "cem", "deniz")


@pytest.fixture
def table() -> Table:
    """ayse leads; everybody reaches everybody."""
    table = Table(*ALL)
    for one in ALL[1:]:
        table.link("ayse", one)
    table.lobby("ayse", *ALL[1:])
    table.say("ayse", "#ops", "one")
    return table


def die(table: Table, name: str) -> None:
    """``name`` is reached by nobody from now on."""
    table.part(set(table.desks) - {name}, {name})


def test_the_next_takes_the_term_when_the_leader_dies_and_nothing_is_lost(table: Table) -> None:
    table.say("burak", "#ops", "two")
    die(table, "ayse")
    table.say("cem", "#ops", "nobody orders this now")
    table.run(15)
    others = ALL[1:]
    assert [table.view(name).leader for name in others] == ["burak"] * 3
    assert table.view("cem").term == 2
    assert "burak leads now" in table.texts("deniz", "#ops")
    assert table.notices("deniz", LeaderChanged) == [LeaderChanged("#ops", "burak", 2)]
    agreed(table, *others)
    assert table.words("deniz") == ["one", "two", "nobody orders this now"]


def test_all_are_told_who_leads_however_often_keys_were_renewed_before(table: Table) -> None:
    while table.view("deniz").epoch < 10:
        table.run(43_200, 600)
    die(table, "ayse")
    table.run(15)
    for name in ALL[1:]:
        assert "burak leads now" in table.texts(name, "#ops"), name
        assert LeaderChanged("#ops", "burak", 2) in table.notices(name, LeaderChanged)
        assert not table.troubles(name)


def test_everybody_is_woken_in_time_to_lead_or_to_miss_the_leader(table: Table) -> None:
    """By its own alarm, whether or not anything else happens."""
    patience = table.desks["ayse"].settings.patience
    for name in ALL:
        table.put(name, ev.Tick())
        within = patience.beat if name == "ayse" else patience.silence
        assert table.now < table.desks[name].alarm <= table.now + within, name


def test_whoever_came_in_is_woken_without_a_tick_before(table: Table) -> None:
    table.now += 3600.0  # no alarm of before counts
    table.say("ayse", "#ops", "two")
    table.cut("ayse", "deniz")
    assert table.now < table.desks["deniz"].alarm <= table.now + 1.0


def test_an_alarm_that_rings_early_is_set_again(table: Table) -> None:
    table.put("deniz", ev.Tick())
    alarm = table.desks["deniz"].alarm
    effects = table.put("deniz", ev.Tick())  # the clock of its timer is another than ours
    assert [one.at for one in effects if isinstance(one, Wake)] == [alarm]


def test_it_takes_less_than_fifteen_seconds(table: Table) -> None:
    die(table, "ayse")
    started = table.now
    while table.view("cem").leader == "ayse":
        table.run(1)
        assert table.now - started < 15


def test_deputies_lead_first(table: Table) -> None:
    table.put("ayse", ev.SetDeputies("ops", ("deniz", "cem")))
    die(table, "ayse")
    table.run(15)
    assert {table.view(name).leader for name in ALL[1:]} == {"deniz"}
    die(table, "ayse")
    table.part({"burak", "cem"}, {"ayse"}, {"deniz"})
    table.run(30)
    assert {table.view(name).leader for name in ("burak", "cem")} == {"cem"}


def test_a_leader_that_comes_back_follows(table: Table) -> None:
    die(table, "ayse")
    table.run(15)
    table.say("burak", "#ops", "two")
    table.part()
    table.run(20)
    agreed(table, *ALL)
    assert table.stages() == {"ayse": "member", "burak": "leading", "cem": "member", "deniz": "member"}
    table.say("ayse", "#ops", "three")
    assert table.words("deniz") == ["one", "two", "three"]


@pytest.mark.parametrize("said", [0, 3])
def test_what_a_dying_leader_ordered_and_showed_nobody_is_said_again(table: Table, said: int) -> None:
    table.drop = lambda one, _other, _frame: one == "ayse"
    for number in range(said):
        table.say("ayse", "#ops", f"unseen {number}")
    die(table, "ayse")
    table.drop = lambda _one, _other, _frame: False
    table.run(15)
    table.say("burak", "#ops", "two")
    table.restart("ayse")
    table.part()
    table.run(40)
    agreed(table, *ALL)
    assert sorted(table.words("cem")) == sorted(["one", "two", *(f"unseen {n}" for n in range(said))])


def test_a_candidate_collects_what_others_have_before_it_takes_the_term(table: Table) -> None:
    table.link("burak", "cem")
    table.drop = lambda one, other, _frame: (one, other) == ("ayse", "burak")
    table.say("ayse", "#ops", "cem has it, burak does not")
    die(table, "ayse")
    table.drop = lambda _one, _other, _frame: False
    table.run(20)
    assert table.view("cem").leader == "burak"
    agreed(table, *ALL[1:])
    assert table.words("burak") == ["one", "cem has it, burak does not"]
    table.part()
    table.run(20)
    agreed(table, *ALL)


def test_a_leader_that_leaves_hands_over(table: Table) -> None:
    table.put("ayse", ev.LeaveLobby("ops"))
    table.run(15)
    assert table.stages()["ayse"] == "ended"
    agreed(table, *ALL[1:])
    assert table.view("cem").roster == ALL[1:]
    assert "ayse left" in table.texts("deniz", "#ops")
    table.say("deniz", "#ops", "two")
    assert table.words("burak") == ["one", "two"]
    assert table.words("ayse") == ["one"]


def test_a_leader_that_is_expelled_is_succeeded_and_put_out(table: Table) -> None:
    for name in ALL[1:]:
        table.put(name, ev.Expelled("ayse", "certificate revoked"))
    die(table, "ayse")
    table.run(20)
    agreed(table, *ALL[1:])
    assert "ayse" not in table.view("cem").roster
    assert any(text.startswith("ayse was removed") for text in table.texts("cem", "#ops"))


def test_the_last_one_leads_alone_and_goes_on(table: Table) -> None:
    for name in ("ayse", "cem", "deniz"):
        table.put("burak", ev.RemoveFrom("ops", name))
    table.run(30)
    view = table.view("burak")
    assert (view.leader, view.roster, view.stage) == ("burak", ("burak",), "leading")
    table.say("burak", "#ops", "alone")
    assert table.statuses("burak", "#ops")[-1] in ("sent", "delivered")


def test_leaders_after_leaders(table: Table) -> None:
    for gone, text in (("ayse", "a"), ("burak", "b"), ("cem", "c")):
        rest = {name for name in ALL if name != gone}
        table.part(rest, {gone})
        table.run(25)
        for name in sorted(rest):
            table.say(name, "#ops", f"{text} {name}")
        table.part()
        table.run(25)
    agreed(table, *ALL)
    assert len(table.words("ayse")) == 1 + 9
    assert table.view("ayse").term >= 3


def test_two_who_leave_at_once_are_both_out() -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.lobby("ayse", "burak")
    table.put("ayse", ev.LeaveLobby("ops"))
    table.put("burak", ev.LeaveLobby("ops"))
    table.run(60)
    assert table.stages() == {"ayse": "ended", "burak": "ended"}


def test_of_two_the_follower_waits_for_the_leader_or_puts_it_out() -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.lobby("ayse", "burak")
    table.part({"ayse"}, {"burak"})
    table.say("burak", "#ops", "apart")
    table.run(60)
    assert (table.view("burak").leader, table.view("burak").term) == ("ayse", 1)
    table.part()
    table.run(10)
    assert table.words("ayse") == ["apart"]
    assert table.view("burak").term == 1
    table.part({"ayse"}, {"burak"})
    table.put("burak", ev.RemoveFrom("ops", "ayse"))
    table.run(30)
    assert (table.view("burak").leader, table.view("burak").roster) == ("burak", ("burak",))


def test_who_is_out_says_so_to_whoever_follows_it() -> None:
    """burak put ayse out and left, and what says so was lost with its half: she is not to wait for it for ever."""
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.lobby("ayse", "burak")
    table.part({"ayse"}, {"burak"})
    table.put("burak", ev.RemoveFrom("ops", "ayse"))
    table.run(30)
    table.drop = lambda _one, other, frame: other == "ayse" and isinstance(frame, Ordered)
    table.part()
    table.dial()
    assert table.view("ayse").leader == "burak"
    table.put("burak", ev.LeaveLobby("ops"))
    assert table.stages()["burak"] == "ended"
    table.drop = lambda *_: False
    table.say("ayse", "#ops", "anybody?")
    table.run(60)
    assert (table.view("ayse").stage, table.view("ayse").roster) == ("leading", ("ayse",))
    assert [one.status.value for one in table.lines("ayse", "#ops") if one.text == "anybody?"] == ["sent"]


def test_a_newcomer_that_leads_is_followed_where_our_leader_is_out() -> None:
    """deniz does not know elif, whom others let in, and who leads when they are gone; cem is there and knows both."""
    more = Table(*ALL, "elif")
    for one in ALL[1:]:
        more.link("ayse", one)
    more.lobby("ayse", *ALL[1:])
    more.run(70, 10)
    more.part({"ayse", "burak", "cem", "elif"}, {"deniz"})
    more.put("ayse", ev.InviteTo("ops", ("elif",)))
    more.run(2)
    more.put("elif", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    more.run(2)
    more.put("ayse", ev.SetDeputies("ops", ("elif",)))
    for one in ("burak", "ayse"):
        more.put(one, ev.LeaveLobby("ops"))
        more.run(30)
    assert more.view("cem").leader == "elif"
    more.say("elif", "#ops", "come along")
    more.part()
    more.link("ayse", "deniz")
    more.run(90)
    agreed(more, "cem", "deniz", "elif", lines=False)
    assert more.words("deniz")[-1] == "come along"


def test_a_clock_that_is_set_back_does_not_keep_a_lost_leader() -> None:
    table = Table("ayse", "burak", "cem")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    table.lobby("ayse", "burak", "cem")
    table.run(30)
    table.now -= 3600.0
    table.part({"burak", "cem"}, {"ayse"})
    table.run(30)
    assert {table.view(name).leader for name in ("burak", "cem")} == {"burak"}


@pytest.mark.parametrize("back", [False, True])
def test_who_leaves_leads_where_its_leader_does_no_more_and_the_others_follow_another_order(back: bool) -> None:
    """cem follows ayse, whose term counts; she is away for good, or ``back`` in the other half, which put her out."""
    table = Table("burak", "ayse", "cem", "deniz")
    for one in ("ayse", "cem", "deniz"):
        table.link("burak", one)
    table.lobby("burak", "ayse", "cem", "deniz")
    table.run(70, 10)
    table.part({"ayse", "cem"}, {"burak", "deniz"})
    table.run(30)
    assert (table.view("cem").leader, table.view("cem").term) == ("ayse", 2)
    table.part({"ayse"}, {"cem"}, {"burak", "deniz"})
    table.say("cem", "#ops", "my last words")
    table.put("cem", ev.LeaveLobby("ops"))
    if back:
        table.put("burak", ev.RemoveFrom("ops", "ayse"))
        table.part({"cem"}, {"ayse", "burak", "deniz"})
        table.run(150)
        table.put("burak", ev.InviteTo("ops", ("ayse",)))
        table.put("ayse", ev.AnswerRequest("burak", accept=True, lobby="ops"))
        table.run(5)
        table.part()
    else:
        table.part({"ayse"}, {"cem", "burak", "deniz"})
    table.run(240)
    assert table.stages()["cem"] == "ended"
    rest = [name for name in ("ayse", "burak", "deniz") if back or name != "ayse"]
    agreed(table, *rest, lines=False)
    assert "cem" not in table.view("burak").roster
    for name in rest:
        assert "my last words" in table.words(name)
