"""Lobbies as people have them: asked, in, talking, away, out, closed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conclave.lobby.roster import Change, Turn, encode_change

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.desk import Settings
from conclave.chat.effects import Send
from conclave.chat.notices import RequestAnswered, RequestArrived, Trouble
from conclave.chat.state import Stage
from conclave.errors import LocalError, Refused
from conclave.lobby import leader as core
from conclave.lobby.leader import Leading
from conclave.wire.frames import EntryKind, Fetch, Frame, Have, Head, Ordered, Post
from conclave.wire.posts import Invite, Submit, pack_parcel
from tests.chat.desks import Table

ALL = ("ayse", "burak", "cem", "deniz")


@pytest.fixture
def table() -> Table:
    table = Table(*ALL)
    for one in ALL[1:]:
        table.link("ayse", one)
    return table


def stages(table: Table, label: str = "#ops") -> dict[str, str]:
    found = {name: views.lobby(desk, label) for name, desk in table.desks.items()}
    return {name: view.stage for name, view in found.items() if view is not None}


def order(table: Table, name: str, label: str = "#ops") -> list[tuple[int, str]]:
    return sorted((line.seq, line.text) for line in table.lines(name, label) if line.seq)


def test_everybody_has_one_order_with_words_and_notices(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.say("burak", "#ops", "one")
    table.say("ayse", "#ops", "two")
    table.say("cem", "#ops", "three")
    everything = [
        (1, "ayse entered"), (2, "burak entered"), (3, "cem entered"), (4, "one"), (5, "two"), (6, "three"),
    ]  # fmt: skip
    assert order(table, "ayse") == everything
    assert order(table, "burak") == everything[1:]
    assert order(table, "cem") == everything[2:]
    assert table.statuses("burak", "#ops") == ["delivered"]
    view = views.lobby(table.desks["cem"], "ops")
    assert view is not None
    assert view.roster == ("ayse", "burak", "cem")
    assert view.protection == "protected hop by hop"


def test_invitations_are_asked_and_answered(table: Table) -> None:
    group = b"g" * 16
    table.put("ayse", ev.OpenLobby("ops", group, ("burak", "cem", "deniz")))
    assert table.notices("burak", RequestArrived) == [RequestArrived("ayse", "#ops")]
    assert views.requests(table.desks["cem"]) == (views.Request("ayse", "#ops"),)
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.put("cem", ev.AnswerRequest("ayse", accept=False, lobby="#ops"))
    assert table.notices("ayse", RequestAnswered) == [
        RequestAnswered("burak", "#ops", "accepted"),
        RequestAnswered("cem", "#ops", "rejected"),
    ]
    view = views.lobby(table.desks["ayse"], "#ops")
    assert view is not None
    assert (view.roster, view.invited) == (("ayse", "burak"), ("deniz",))
    assert stages(table) == {"ayse": "leading", "burak": "member", "deniz": "invited"}


def test_who_is_busy_is_asked_when_free(table: Table) -> None:
    table.put("burak", ev.SetBusy(on=True))
    table.put("ayse", ev.OpenLobby("ops", b"g" * 16, ("burak",)))
    assert table.notices("ayse", RequestAnswered) == [RequestAnswered("burak", "#ops", "busy")]
    assert table.notices("burak", RequestArrived) == []
    table.put("burak", ev.SetBusy(on=False))
    assert table.notices("burak", RequestArrived) == [RequestArrived("ayse", "#ops")]


def test_an_invitation_that_is_repeated_is_told_once(table: Table) -> None:
    group = b"g" * 16
    table.put("ayse", ev.OpenLobby("ops", group, ("burak", "cem")))
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    for _ in range(50):
        table.put("ayse", ev.InviteTo("ops", ("burak",)))
    assert table.notices("burak", RequestArrived) == [RequestArrived("ayse", "#ops")]
    view = views.lobby(table.desks["burak"], "ops")
    assert view is not None
    assert (view.stage, view.roster) == ("invited", ("ayse", "cem"))  # as it is now
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    assert stages(table)["burak"] == "member"


def test_one_leader_cannot_take_the_place_of_anothers_invitation() -> None:
    table = Table("ayse", "burak", "cem", settings=Settings(invitations=8, invitations_per_peer=5))
    for one in ("ayse", "cem"):
        table.link(one, "burak")
    for number in range(20):
        table.put("cem", ev.OpenLobby(f"l{number}", bytes([number]) * 16, ("burak",)))
    assert len(table.notices("burak", RequestArrived)) == 5
    assert table.notices("cem", RequestAnswered) == [
        RequestAnswered("burak", f"#l{number}", "rejected") for number in range(5, 20)
    ]
    table.put("ayse", ev.OpenLobby("ops", b"x" * 16, ("burak",)))
    assert views.Request("ayse", "#ops") in views.requests(table.desks["burak"])
    table.put("burak", ev.AnswerRequest("cem", accept=True, lobby="l0"))  # which makes room for one more
    table.put("cem", ev.InviteTo("l7", ("burak",)))
    assert views.Request("cem", "#l7") in views.requests(table.desks["burak"])


def test_labels_are_ours_and_do_not_collide(table: Table) -> None:
    table.link("cem", "burak")
    table.lobby("ayse", "burak")
    table.lobby("cem", "burak")
    table.put("burak", ev.OpenLobby("ops", b"x" * 16, ()))
    assert {view.label: view.leader for view in views.lobbies(table.desks["burak"])} == {
        "#ops": "ayse",
        "#ops@cem": "cem",
        "#ops@burak": "burak",
    }
    table.say("burak", "#ops@cem", "for cem")
    assert "for cem" in table.texts("cem", "#ops")
    assert "for cem" not in table.texts("ayse", "#ops")


def test_leaving_is_seen_and_what_follows_is_not_sent_to_who_left(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.put("burak", ev.LeaveLobby("#ops"))
    table.say("ayse", "#ops", "without burak")
    assert table.texts("cem", "#ops")[-2:] == ["burak left", "without burak"]
    assert table.texts("burak", "#ops")[-1] == "burak left"
    assert table.wants("burak") == set()
    with pytest.raises(Refused):
        table.say("burak", "#ops", "still there?")
    assert stages(table)["burak"] == "ended"


def test_who_left_may_be_asked_again_and_goes_on_in_the_same_history(table: Table) -> None:
    table.lobby("ayse", "burak")
    table.put("burak", ev.LeaveLobby("ops"))
    table.say("ayse", "#ops", "secret")
    table.put("ayse", ev.InviteTo("ops", ("@burak",)))
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.say("burak", "#ops", "back")
    assert table.texts("burak", "#ops") == ["burak entered", "burak left", "back", "burak entered"] or table.texts(
        "burak", "#ops"
    ) == ["burak entered", "burak left", "burak entered", "back"]
    assert table.texts("ayse", "#ops")[-1] == "back"


def invited(table: Table) -> tuple[str, ...]:
    view = views.lobby(table.desks["ayse"], "#ops")
    assert view is not None
    return view.invited


def led(table: Table, group: bytes) -> Leading:
    lobby = table.desks["ayse"].lobbies.get(group)
    assert lobby is not None
    assert lobby.leading is not None
    return lobby.leading


def enter_again(table: Table) -> None:
    """burak is asked once, accepts, and is in for everybody."""
    assert views.requests(table.desks["burak"]) == (views.Request("ayse", "#ops"),)
    assert len(table.notices("burak", RequestArrived)) == 2
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    assert stages(table)["burak"] == "member"
    assert invited(table) == ()
    table.say("burak", "#ops", "back")
    assert table.texts("ayse", "#ops")[-1] == "back"
    table.say("ayse", "#ops", "welcome")
    assert table.texts("burak", "#ops")[-1] == "welcome"


@pytest.mark.parametrize("leaving", [False, True], ids=["only removed", "and leaving meanwhile"])
def test_who_was_removed_while_away_and_asked_again_is_asked(table: Table, *, leaving: bool) -> None:
    table.lobby("ayse", "burak")
    table.cut("ayse", "burak")
    table.put("ayse", ev.AnswerRequest("burak", accept=False, block=True))
    table.put("ayse", ev.Unblock("burak"))
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    if leaving:
        table.put("burak", ev.LeaveLobby("ops"))
    table.link("ayse", "burak")
    assert "burak was removed: blocked by ayse" in table.texts("burak", "#ops")
    enter_again(table)


def test_who_was_suspended_is_asked_again_though_no_entry_told_it_that_it_is_out(table: Table) -> None:
    table.lobby("ayse", "burak")
    table.put("ayse", ev.Expelled("burak", "suspended"))
    table.cut("ayse", "burak")
    assert stages(table)["burak"] == "member"
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    table.link("ayse", "burak")
    enter_again(table)


def test_who_accepted_twice_and_is_on_its_way_out_gets_out(table: Table) -> None:
    ops = {"accept": True, "lobby": "ops"}
    table.put("ayse", ev.OpenLobby("ops", b"g" * 16, ("burak",)))
    table.cut("ayse", "burak")
    table.put("ayse", ev.InviteTo("ops", ("burak",)))  # a second time
    table.put("burak", ev.AnswerRequest("ayse", **ops))  # type: ignore[arg-type]
    table.put("burak", ev.LeaveLobby("ops"))
    # The leader's posts arrive one by one, and burak's answer to the second invitation after the third one is posted.
    table.drop = lambda one, _other, frame: one == "ayse" and isinstance(frame, Post)
    table.link("ayse", "burak")
    assert "burak left" in table.texts("ayse", "#ops")
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    first = table.desks["ayse"].peers.get("burak").out.base  # type: ignore[union-attr]
    table.drop = lambda one, _other, frame: one == "ayse" and isinstance(frame, Post) and frame.number > first
    table.wait(10)
    table.put("burak", ev.AnswerRequest("ayse", **ops))  # type: ignore[arg-type]
    table.drop = lambda _one, _other, _frame: False
    for _ in range(5):
        table.wait(100)
    assert stages(table)["burak"] == "ended"
    assert invited(table) == ()
    assert led(table, b"g" * 16).roster == ("ayse",)
    assert len(led(table, b"g" * 16).followers) == 0


def test_who_is_in_is_not_invited_also_while_it_leaves(table: Table) -> None:
    table.lobby("ayse", "burak")
    table.cut("ayse", "burak")
    table.put("burak", ev.LeaveLobby("ops"))
    with pytest.raises(LocalError, match="burak is in #ops already"):
        table.put("ayse", ev.InviteTo("ops", ("burak", "cem")))
    assert invited(table) == ()
    table.link("ayse", "burak")
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    enter_again(table)


def test_a_leader_that_invites_whom_it_has_not_let_go_waits_for_nobody(table: Table) -> None:
    group = table.lobby("ayse", "burak")
    number = table.desks["ayse"].peers.get("burak").out.next  # type: ignore[union-attr]
    stream = table.desks["ayse"].peers.get("burak").out.stream  # type: ignore[union-attr]
    kind, body = pack_parcel(Invite(group, "ops", ("ayse", "burak")))
    table.put("burak", ev.Arrived("ayse", Post(stream, number, number, kind, body)))
    assert table.texts("burak", "#ops")[-1] == "burak left"
    assert stages(table)["burak"] == "invited"


def test_whoever_is_asked_again_is_not_asked_how_far_it_is(table: Table) -> None:
    group = table.lobby("ayse", "burak")
    table.drop = lambda one, _other, frame: one == "burak" and isinstance(frame, Have)
    table.put("burak", ev.LeaveLobby("ops"))
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    table.drop = lambda _one, _other, _frame: False
    assert "burak" in led(table, group).followers
    table.wait(10)
    assert "burak" not in led(table, group).followers
    enter_again(table)


def test_closing_reaches_everybody_also_who_was_away(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.cut("ayse", "cem")
    table.say("ayse", "#ops", "last words")
    table.put("ayse", ev.CloseLobby("ops"))
    assert stages(table) == {"ayse": "closing", "burak": "ended", "cem": "member"}
    table.restart("ayse")
    assert table.wants("ayse") >= {"cem"}
    table.link("ayse", "cem")
    assert table.texts("cem", "#ops")[-2:] == ["last words", "the lobby was closed by ayse"]
    assert stages(table) == {"ayse": "ended", "burak": "ended", "cem": "ended"}
    assert table.stores["ayse"].heads() == {}
    assert table.wants("ayse") == set()
    with pytest.raises(Refused) as caught:
        table.say("ayse", "#ops", "more")
    assert caught.value.reason == "closed"


def test_a_closed_lobby_opens_anew_before_everybody_has_heard(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.cut("ayse", "cem")
    table.put("ayse", ev.CloseLobby("ops"))
    fresh = table.lobby("ayse", "burak")
    assert table.desks["ayse"].labels["#ops"] == fresh
    table.say("ayse", "#ops", "again")
    assert table.texts("burak", "#ops")[-2:] == ["burak entered", "again"]
    assert "the lobby was closed by ayse" in table.texts("ayse", "#ops")  # one history
    table.restart("ayse")
    assert sorted(one.stage for one in views.lobbies(table.desks["ayse"])) == ["closing", "leading"]
    table.link("ayse", "cem")
    assert table.texts("cem", "#ops")[-1] == "the lobby was closed by ayse"
    assert [(one.label, one.stage) for one in views.lobbies(table.desks["ayse"])] == [("#ops", "leading")]
    table.restart("ayse")
    assert [(one.label, one.stage) for one in views.lobbies(table.desks["ayse"])] == [("#ops", "leading")]
    with pytest.raises(LocalError, match="already"):
        table.put("ayse", ev.OpenLobby("ops", b"n" * 16, ()))


def test_words_for_a_closed_lobby_are_not_sent(table: Table) -> None:
    table.lobby("ayse", "burak")
    table.cut("ayse", "burak")
    table.say("burak", "#ops", "too late")
    table.put("ayse", ev.CloseLobby("ops"))
    table.link("ayse", "burak")
    assert table.statuses("burak", "#ops") == ["not sent"]
    assert "too late" not in table.texts("ayse", "#ops")
    assert views.queued(table.desks["burak"]) == {}


def test_who_is_expelled_gets_nothing_more_and_everybody_knows_why(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.cut("ayse", "burak")
    table.say("ayse", "@burak", "waiting")
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    table.put("ayse", ev.Expelled("burak", "certificate revoked"))
    assert table.texts("cem", "#ops")[-1] == "burak was removed: certificate revoked"
    assert "burak" not in table.wants("ayse")
    assert table.statuses("ayse", "@burak") == ["not sent"]
    before = len(table.frames)
    table.link("ayse", "burak")
    table.wait(60)
    assert not [one for one in table.frames[before:] if one[:2] == ("ayse", "burak") and isinstance(one[2], Ordered)]
    table.put("ayse", ev.Expelled("deniz", "suspended"))
    view = views.lobby(table.desks["ayse"], "ops")
    assert view is not None
    assert (view.roster, view.invited) == (("ayse", "cem"), ())


def test_a_lobby_ends_when_its_leader_is_expelled(table: Table) -> None:
    table.lobby("ayse", "burak")
    table.put("burak", ev.Expelled("ayse", "certificate revoked"))
    assert "ayse, who led it, was removed" in table.texts("burak", "#ops")[-1]
    assert table.wants("burak") == set()
    with pytest.raises(Refused):
        table.say("burak", "#ops", "anybody?")


def test_blocking_a_member_removes_it_and_blocking_a_leader_leaves(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.put("ayse", ev.AnswerRequest("burak", accept=False, block=True))
    assert table.texts("cem", "#ops")[-1] == "burak was removed: blocked by ayse"
    table.put("cem", ev.AnswerRequest("ayse", accept=False, block=True))
    assert table.texts("ayse", "#ops")[-1] == "cem left"
    assert stages(table) == {"ayse": "leading", "burak": "ended", "cem": "ended"}


def test_a_member_that_was_away_catches_up(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.cut("ayse", "burak")
    for number in range(700):
        table.say("ayse", "#ops", str(number))
    table.restart("burak")
    table.link("ayse", "burak")
    assert order(table, "burak")[-700:] == order(table, "cem")[-700:]
    assert views.lobbies(table.desks["ayse"])[0].have == {"burak": 703, "cem": 703}


def test_a_slow_member_costs_nothing_and_the_others_notice_nothing() -> None:
    table = Table(*ALL, settings=Settings(push_window=8))
    for one in ALL[1:]:
        table.link("ayse", one)
    table.lobby("ayse", "burak", "cem")
    table.drop = lambda _one, other, frame: other == "burak" and isinstance(frame, Ordered)
    sent = 0
    for number in range(50):
        effects = table.put("ayse", ev.Say("#ops", table.random(16), str(number)))
        sent += sum(isinstance(one, Send) and one.peer == "burak" for one in effects)
    assert sent <= 8
    assert len(order(table, "cem")) == 51
    table.drop = lambda _one, _other, _frame: False
    table.wait(10)
    assert order(table, "burak")[-50:] == order(table, "cem")[-50:]
    table.say("ayse", "#ops", "live again")
    assert order(table, "burak")[-1][1] == "live again"


def test_a_gap_is_fetched_once_and_again_after_a_while(table: Table) -> None:
    table.lobby("ayse", "burak")
    lost = [True]
    table.drop = lambda _one, other, frame: other == "burak" and isinstance(frame, Ordered) and lost[0]
    table.say("ayse", "#ops", "lost")
    lost[0] = False
    table.drop = lambda _one, other, frame: (
        (other == "ayse" and isinstance(frame, Fetch))
        or (other == "burak" and isinstance(frame, Ordered) and frame.seq == 3)
    )
    for number in range(5):
        table.say("ayse", "#ops", str(number))
    assert sum(isinstance(one, Send) and isinstance(one.frame, Fetch) for one in table.effects["burak"]) == 2
    table.drop = lambda _one, _other, _frame: False
    table.wait(10)
    assert table.texts("burak", "#ops")[-6:] == ["lost", "0", "1", "2", "3", "4"]


def test_a_leader_that_shows_two_orders_is_caught_and_told_once(table: Table) -> None:
    group = table.lobby("ayse", "burak")
    table.say("ayse", "#ops", "one")
    lobby = table.desks["burak"].lobbies.get(group)
    assert lobby is not None
    assert lobby.following is not None
    entry = next(frame for *_, frame in reversed(table.frames) if isinstance(frame, Ordered))
    forged = replace(entry, seq=entry.seq + 1, previous=b"x" * 32)
    for _ in range(5):
        table.put("burak", ev.Arrived("ayse", forged))
    (trouble,) = table.notices("burak", Trouble)
    assert isinstance(trouble, Trouble)
    assert "two different orders" in trouble.text
    assert table.texts("burak", "#ops")[-1] == "one"
    table.say("ayse", "#ops", "two")
    assert table.texts("burak", "#ops")[-1] == "two"


def test_a_leader_that_invents_people_makes_neither_noise_nor_state() -> None:
    table = Table("ayse", "burak", settings=Settings(lobby_members=50))
    table.link("ayse", "burak")
    leading = led(table, table.lobby("ayse", "burak"))
    for number in range(100):
        name = f"x{number}"
        entered = encode_change(Change(Turn.ENTERED, name, 1.0))
        for sender, kind, payload in (("ayse", EntryKind.ROSTER, entered), (name, EntryKind.MESSAGE, b"junk")):
            leading, entry, _ = core.append(leading, sender, table.random(16), 0, kind, payload)
            table.step("burak", ev.Arrived("ayse", entry))
    (trouble,) = table.notices("burak", Trouble)
    assert isinstance(trouble, Trouble)
    assert trouble == Trouble("ayse", "a message from x0 in #ops could not be read: " + trouble.text.split(": ")[1])
    assert list(table.desks["burak"].peers) == ["ayse"]
    view = views.lobby(table.desks["burak"], "ops")
    assert view is not None
    assert len(view.roster) == 51
    table.now += 60
    table.step("burak", ev.Arrived("ayse", replace(entry, seq=view.seq + 1, previous=view.hash)))
    assert len(table.notices("burak", Trouble)) == 2


def test_words_that_cannot_be_read_are_charged_to_who_handed_them_in(table: Table) -> None:
    group = table.lobby("ayse", "burak")
    peer = table.desks["ayse"].peers.get("burak")
    assert peer is not None
    stream, last = peer.inbound.streams[0]
    kind, body = pack_parcel(Submit(group, b"i" * 16, 0, EntryKind.MESSAGE, b"junk"))
    table.put("ayse", ev.Arrived("burak", Post(stream, last + 1, 1, kind, body)))
    assert [one.peer for one in table.notices("ayse", Trouble)] == ["burak"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("head", [False, True], ids=["entry", "head"])
def test_whoever_leaves_a_lobby_whose_order_does_not_fit_gets_out(table: Table, *, head: bool) -> None:
    group = table.lobby("ayse", "burak")
    leading = led(table, group)
    if head:
        wrong: Frame = Head(group, leading.term, leading.seq, b"x" * 32)
    else:
        _, entry, _ = core.append(leading, "deniz", b"i" * 16, 0, EntryKind.MESSAGE, b"words")
        wrong = entry
    table.step("burak", ev.Arrived("ayse", wrong))
    assert stages(table)["burak"] == "member"
    table.step("burak", ev.LeaveLobby("ops"))
    table.step("burak", ev.Arrived("ayse", wrong))
    assert stages(table)["burak"] == "ended"
    assert table.texts("burak", "#ops")[-1] == "burak left"


def test_entries_from_anybody_but_the_leader_are_refused(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.say("ayse", "#ops", "one")
    before = table.texts("burak", "#ops")
    table.drop = lambda _one, other, _frame: other == "burak"
    table.say("ayse", "#ops", "true, but not from cem")
    entry = next(frame for *_, frame in reversed(table.frames) if isinstance(frame, Ordered))
    table.put("burak", ev.Arrived("cem", entry))
    assert table.texts("burak", "#ops") == before
    assert len(table.notices("burak", Trouble)) == 1
    table.put("burak", ev.Arrived("ayse", entry))
    assert table.texts("burak", "#ops") == [*before, "true, but not from cem"]


def test_a_stranger_cannot_submit_or_fetch(table: Table) -> None:
    group = table.lobby("ayse", "burak")
    table.say("ayse", "#ops", "secret")
    effects = table.put("ayse", ev.Arrived("deniz", Fetch(group, 1, 99)))
    assert effects == []


def test_a_member_that_lost_its_home_is_asked_in_again(table: Table) -> None:
    group = table.lobby("ayse", "burak", "cem")
    table.say("ayse", "#ops", "before")
    fresh = Table("burak")
    table.cut("ayse", "burak")
    table.desks["burak"], table.stores["burak"] = fresh.desks["burak"], fresh.stores["burak"]
    table.link("ayse", "burak")
    table.wait(10)
    view = views.lobby(table.desks["ayse"], "ops")
    assert view is not None
    assert view.roster == ("ayse", "cem")  # burak said that it is not in
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.say("burak", "#ops", "hello again")
    assert table.texts("cem", "#ops")[-1] == "hello again"
    lobby = table.desks["burak"].lobbies.get(group)
    assert lobby is not None
    assert lobby.stage is Stage.MEMBER


def test_lobbies_are_bounded() -> None:
    table = Table("ayse", "burak", settings=Settings(lobbies=2, invitations=2, lobby_members=3))
    table.link("ayse", "burak")
    for number in range(2):
        table.put("ayse", ev.OpenLobby(f"l{number}", bytes([number]) * 16, ("burak",)))
    with pytest.raises(Refused) as caught:
        table.put("ayse", ev.OpenLobby("l3", b"x" * 16, ()))
    assert caught.value.reason == "too-many-lobbies"
    with pytest.raises(Refused) as caught:
        table.put("ayse", ev.InviteTo("l1", ("cem", "deniz", "elif")))
    assert caught.value.reason == "lobby-full"
    with pytest.raises(LocalError):
        table.put("ayse", ev.OpenLobby("l1", b"y" * 16, ()))
