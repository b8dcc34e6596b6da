"""A home restored from a backup, where those who were in with it then are not, or have no keys either."""

from __future__ import annotations

import copy

import pytest

from conclave.chat import events as ev
from conclave.chat.lobby_state import Step
from conclave.chat.words.line import Status
from conclave.wire.delivery import Post
from conclave.wire.order import AskInfo, Ordered, Submit
from conclave.wire.posts import Invite, pack_parcel
from tests.chat.desks import Table, together
from tests.chat.halves import agreed, restored


@pytest.mark.parametrize("others", [(), ("deniz",)], ids=["alone", "with one who left since"])
def test_who_came_in_after_the_backup_of_its_leader_leads_on(others: tuple[str, ...]) -> None:
    """It waits for the leader's link alone, and that one, which knows of nobody who is in now, for others."""
    table = Table("burak", "cem", "deniz")
    for one in ("cem", "deniz"):
        table.link("burak", one)
    table.lobby("burak", *others)
    backup = copy.deepcopy(table.stores["burak"])
    table.put("burak", ev.InviteTo("ops", ("cem",)))
    table.put("cem", ev.AnswerRequest("burak", accept=True, lobby="ops"))
    table.run(5)
    for name in others:
        table.put(name, ev.LeaveLobby("ops"))
    table.run(70, 10)
    table.stores["burak"] = backup
    restored(table, "burak")
    table.say("cem", "#ops", "are you there?")
    table.run(120)
    assert (table.stages()["cem"], table.statuses("cem", "#ops")[-1] != "waiting") == ("leading", True)
    assert table.stages()["burak"] == "ended"
    assert table.view("cem").roster == ("cem",)
    table.put("cem", ev.InviteTo("ops", ("burak",)))
    table.put("burak", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    table.run(30)
    agreed(table, "burak", "cem", lines=False)


@pytest.mark.parametrize("left", [False, True])
def test_who_says_that_it_is_out_is_not_waited_for_to_say_who_leads(left: bool) -> None:
    """ayse, who led, was in with burak, who leads now, and with cem, who is out."""
    table = Table("ayse", "burak", "cem")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    table.lobby("ayse", "burak", "cem")
    backup = copy.deepcopy(table.stores["ayse"])
    table.part({"ayse"}, {"burak", "cem"})
    table.run(30)
    assert table.view("cem").leader == "burak"
    if left:
        table.put("cem", ev.LeaveLobby("ops"))
        table.run(5)
    else:
        table.part({"ayse"}, {"burak"}, {"cem"})
    table.stores["ayse"] = backup
    restored(table, "ayse")
    table.part(*() if left else ({"ayse", "burak"}, {"cem"}))
    table.run(120)
    assert table.view("ayse").healing is not left  # one alone is not believed while another may be in
    table.part()
    table.run(60)
    agreed(table, "ayse", "burak", *() if left else ("cem",), lines=False)


def test_two_who_come_from_backups_do_not_wait_for_each_other() -> None:
    """ayse led, and burak believes her alone; she has no keys either."""
    table = Table("ayse", "burak", "cem", "deniz")
    for one in ("burak", "cem", "deniz"):
        table.link("ayse", one)
    table.lobby("ayse", "burak", "cem", "deniz")
    table.part({"ayse"}, {"burak"}, {"cem", "deniz"})
    table.run(30)
    table.put("deniz", ev.LeaveLobby("ops"))
    table.run(5)
    for name in ("ayse", "burak"):
        restored(table, name)
    table.part()
    table.run(180)
    agreed(table, "ayse", "burak", "cem", lines=False)


@pytest.mark.parametrize("third", [False, True], ids=["two", "and one who has keys and is away"])
def test_where_nobody_has_keys_any_more_the_lobby_ends(third: bool) -> None:
    names = ("ayse", "burak", "cem") if third else ("ayse", "burak")
    table = Table(*names)
    for one in names[1:]:
        table.link("ayse", one)
    table.lobby(*names)
    table.part({"ayse", "burak"}, {"cem"})
    table.run(70, 10)
    for name in ("ayse", "burak"):
        restored(table, name)
    before = len(table.frames)
    table.run(600, 3)
    asked = [one for one, _, frame in table.frames[before:] if isinstance(frame, AskInfo)]
    assert len(asked) <= 80
    if not third:
        assert set(table.stages().values()) == {"ended"}
        for name in names:
            assert table.texts(name, "#ops")[-1].startswith("nobody who was in with you lets you in")
        return
    table.part()
    table.run(180)
    agreed(table, *names, lines=False)


def test_who_has_keys_again_is_not_counted_among_those_who_have_none() -> None:
    """burak asked ayse for keys for long, as she asked him; then cem let him in, and left before he let her in."""
    table = together("ayse", "burak", "cem")
    table.part({"ayse"}, {"burak"}, {"cem"})
    for name in ("ayse", "burak"):
        restored(table, name)
    table.part({"ayse", "burak"}, {"cem"})
    table.run(900, 3)
    table.part({"ayse"}, {"burak", "cem"})
    table.run(120)
    assert not table.view("burak").healing
    table.say("ayse", "#ops", "waits")
    table.put("cem", ev.LeaveLobby("ops"))
    table.run(60)
    table.part({"ayse", "cem"}, {"burak"})
    table.run(60)
    assert table.stages()["ayse"] == "member"
    table.part()
    table.run(120)
    agreed(table, "ayse", "burak", lines=False)
    assert "waits" in table.words("burak")


def test_where_all_are_out_who_were_in_with_it_it_is_out_too() -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.lobby("ayse", "burak")
    backup = copy.deepcopy(table.stores["ayse"])
    table.put("burak", ev.LeaveLobby("ops"))
    table.run(5)
    table.stores["ayse"] = backup
    restored(table, "ayse")
    table.say("ayse", "#ops", "is anybody here?")
    table.run(30)
    assert table.stages() == {"ayse": "ended", "burak": "ended"}
    (line,) = [line for line in table.lines("ayse", "#ops") if line.text == "is anybody here?"]
    assert line.status is Status.FAILED
    assert table.texts("ayse", "#ops")[-1].startswith("nobody who was in with you lets you in")


@pytest.mark.parametrize("reason", ["certificate revoked", "suspended"])
def test_where_all_were_put_out_for_good_who_were_in_with_it_it_is_out_too(reason: str) -> None:
    table = together("ayse", "burak")
    table.stores["ayse"] = copy.deepcopy(table.stores["ayse"])
    table.part({"ayse"}, {"burak"})
    restored(table, "ayse")
    table.put("ayse", ev.Expelled("burak", reason))
    table.run(30)
    assert table.stages()["ayse"] == ("member" if reason == "suspended" else "ended")


def test_whom_the_authority_put_out_says_not_who_leads() -> None:
    """cem leads by now, and burak, who was in too, is out."""
    table = together("ayse", "burak", "cem")
    backup = copy.deepcopy(table.stores["ayse"])
    table.part({"ayse"}, {"burak"}, {"cem"})
    table.put("cem", ev.RemoveFrom("ops", "burak"))
    table.part({"ayse"}, {"burak", "cem"})
    table.run(60)
    table.stores["ayse"] = backup
    table.part({"ayse", "cem"}, {"burak"})
    restored(table, "ayse")
    table.put("ayse", ev.Expelled("burak", "suspended"))
    table.run(120)
    assert (table.view("cem").leader, table.view("cem").roster) == ("cem", ("cem", "ayse"))
    agreed(table, "ayse", "cem", lines=False)


def test_who_said_yes_to_a_home_that_is_lost_does_not_wait_for_its_welcome() -> None:
    """cem was in when the backup was made, went, and said yes once more: the home from the backup knows of no yes."""
    table = Table("ayse", "cem")
    table.link("ayse", "cem")
    table.lobby("ayse", "cem")
    backup = copy.deepcopy(table.stores["ayse"])
    table.put("cem", ev.LeaveLobby("ops"))
    table.run(5)
    table.put("ayse", ev.InviteTo("ops", ("cem",)))
    table.drop = lambda one, _other, frame: one == "ayse" and isinstance(frame, Post)
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(5)
    assert table.stages()["cem"] == "joining"
    table.drop = lambda *_: False
    table.stores["ayse"] = backup
    restored(table, "ayse")
    table.run(30)
    assert table.stages() == {"ayse": "ended", "cem": "ended"}


def test_who_leaves_leads_a_leader_without_keys_in_again() -> None:
    """Nobody else is in, and ayse can put out nobody before she is in."""
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.lobby("ayse", "burak")
    table.cut("ayse", "burak")
    table.say("burak", "#ops", "my last words")
    table.put("burak", ev.LeaveLobby("ops"))
    restored(table, "ayse")
    table.run(180)
    assert table.stages() == {"ayse": "leading", "burak": "ended"}
    assert table.words("ayse") == ["my last words"]


@pytest.mark.parametrize("how", ["closes", "closed", "left", "gone"])
def test_who_has_the_groups_state_asks_again_where_nobody_puts_in_order_what_brings_it_in(how: str) -> None:
    """The leader closes the lobby, or goes, before the commit is there; what it ordered last may have come."""
    table = together("ayse", "burak", "cem", "deniz")
    group = table.desks["ayse"].labels["#ops"]
    restored(table, "burak")
    table.drop = lambda one, other, frame: (
        (one == "burak" and isinstance(frame, Submit))
        or (how == "closes" and other == "burak" and isinstance(frame, Ordered))
    )
    table.part()
    table.run(6)
    assert table.state("burak", group).healing.step is Step.ENTER
    if how != "gone":
        table.put("ayse", ev.LeaveLobby("ops") if how == "left" else ev.CloseLobby("ops"))
    table.run(3)
    table.drop = lambda *_: False
    table.part(*[{"burak", "cem", "deniz"}, {"ayse"}] if how == "gone" else [])
    table.run(180)
    if how in ("left", "gone"):
        agreed(table, "burak", "cem", "deniz", lines=False)
    else:
        assert set(table.stages().values()) == {"ended"}


@pytest.mark.parametrize("leader", ["ayse", "burak"])
def test_who_was_leaving_when_the_backup_was_made_is_out(leader: str) -> None:
    """Nobody heard that it leaves; what was said in the lobby can be read still."""
    other, *rest = [name for name in ("ayse", "burak", "cem") if name != leader]
    table = together(leader, other, *rest)
    table.part({"burak"}, {"ayse", "cem"})
    table.put("burak", ev.LeaveLobby("ops"))
    assert table.stages()["burak"] == "leaving"
    restored(table, "burak")
    assert table.stages()["burak"] == "ended"
    assert table.texts("burak", "#ops")[-2:] == ["together", "burak left"]
    table.part()
    table.run(60)
    agreed(table, "ayse", "cem", lines=False)
    assert set(table.view("cem").roster) == {"ayse", "cem"}
    assert any(one.startswith("burak left") for one in table.texts("cem", "#ops"))


def test_a_lobby_that_ended_before_the_backup_is_none_anew_and_is_known() -> None:
    table = together("ayse", "burak")
    table.put("ayse", ev.CloseLobby("ops"))
    restored(table, "burak")
    assert table.stages() == {"ayse": "ended", "burak": "ended"}
    table.link("ayse", "burak")
    table.lobby("ayse", "burak")
    assert table.stages() == {"ayse": "leading", "burak": "member"}


@pytest.mark.parametrize("backups", [1, 2])
@pytest.mark.parametrize("away", [("cem",), ("cem", "deniz")], ids=["one", "two"])
def test_a_lobby_that_was_closed_when_the_backup_was_made_is_closed_for_who_was_away(
    away: tuple[str, ...], backups: int
) -> None:
    table = together("ayse", "burak", *away)
    table.part({"ayse", "burak"}, set(away))
    table.put("ayse", ev.CloseLobby("ops"))
    table.run(2)
    for _ in range(backups):
        restored(table, "ayse")
    table.part()
    table.run(120)
    assert set(table.stages().values()) == {"ended"}


def test_who_closed_a_lobby_and_is_asked_into_it_says_no_more_that_it_is_closed() -> None:
    table = together("ayse", "burak", "cem")
    table.part({"ayse", "burak"}, {"cem"})
    table.put("ayse", ev.CloseLobby("ops"))
    restored(table, "ayse")
    table.put("ayse", ev.Arrived("cem", AskInfo(group := table.desks["cem"].labels["#ops"])))
    table.put("ayse", ev.Arrived("cem", Post(bytes(8), 1, 1, *pack_parcel(Invite(group, "ops", ("cem",))))))
    assert (table.stages()["ayse"], table.state("ayse", group).closed) == ("invited", 0)
