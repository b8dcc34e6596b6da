"""Who goes out of a lobby: by leaving, being removed, or with the lobby."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import groups, views
from conclave.chat.lobby_state import Stage
from conclave.chat.work import Work
from conclave.errors import LocalError, Refused, RemoteError
from conclave.wire.frames import Frame
from conclave.wire.order import EntryKind, Submit, decode_ordered
from tests.chat.desks import Table, together

ALL = ("ayse", "burak", "cem", "deniz")


@pytest.fixture
def table() -> Table:
    table = Table(*ALL)
    for one in ALL[1:]:
        table.link("ayse", one)
    return table


def test_leaving_is_seen_and_what_follows_is_not_sent_to_who_left(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.put("burak", ev.LeaveLobby("#ops"))
    table.say("ayse", "#ops", "without burak")
    assert "burak left" in table.texts("cem", "#ops")
    assert table.words("burak") == []
    table.wait(1)
    assert table.wants("burak") == set()
    with pytest.raises(Refused):
        table.say("burak", "#ops", "still there?")
    assert table.stages()["burak"] == "ended"


def test_who_left_may_be_asked_again_and_goes_on_in_the_same_history(table: Table) -> None:
    group = table.lobby("ayse", "burak")
    table.say("ayse", "#ops", "before")
    table.put("burak", ev.LeaveLobby("ops"))
    table.say("ayse", "#ops", "secret")
    table.put("ayse", ev.InviteTo("ops", ("@burak",)))
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.wait(1)
    table.say("burak", "#ops", "back")
    assert table.words("burak") == ["before", "back"]
    assert table.words("ayse") == ["before", "secret", "back"]
    assert table.state("burak", group).stage is Stage.MEMBER


@pytest.mark.parametrize("leaving", [False, True], ids=["only removed", "and leaving meanwhile"])
def test_who_was_removed_while_away_and_asked_again_is_in_for_everybody_or_nobody(
    table: Table, *, leaving: bool
) -> None:
    table.lobby("ayse", "burak", "cem")
    table.cut("ayse", "burak")
    table.put("ayse", ev.RemoveFrom("ops", "burak", "too loud"))
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    if leaving:
        table.put("burak", ev.LeaveLobby("ops"))
    table.link("ayse", "burak")
    table.run(30, 3)
    assert {"you were removed: too loud", "burak left"} & set(table.texts("burak", "#ops"))
    if leaving:
        assert table.stages()["burak"] in ("invited", "ended")
        assert table.view("ayse").roster == table.view("cem").roster == ("ayse", "cem")
        table.put("ayse", ev.InviteTo("ops", ("burak",)))
        assert views.requests(table.desks["burak"]) == (views.Request("ayse", "#ops"),)
        table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
        table.wait(1)
    assert table.stages()["burak"] == "member"
    table.say("burak", "#ops", "back")
    assert table.words("cem")[-1] == "back"


def test_who_is_in_is_not_invited_also_while_it_leaves(table: Table) -> None:
    table.lobby("ayse", "burak")
    table.cut("ayse", "burak")
    table.put("burak", ev.LeaveLobby("ops"))
    with pytest.raises(LocalError, match="burak is in #ops already"):
        table.put("ayse", ev.InviteTo("ops", ("burak", "cem")))
    assert table.view("ayse").invited == ()
    table.link("ayse", "burak")
    table.wait(1)
    assert table.view("ayse").roster == ("ayse",)
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    assert table.stages()["burak"] == "invited"


def test_who_accepted_and_changes_its_mind_is_not_left_in(table: Table) -> None:
    table.put("ayse", ev.OpenLobby("ops", b"g" * 16, ("burak", "cem")))
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    assert table.stages()["burak"] == "joining"  # it is waited a moment for cem
    table.put("burak", ev.LeaveLobby("ops"))
    table.run(30, 3)
    assert table.view("ayse").roster == ("ayse",)
    assert views.lobby(table.desks["burak"], "ops") is None


def test_closing_reaches_everybody_also_who_was_away(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.cut("ayse", "cem")
    table.say("ayse", "#ops", "last words")
    table.put("ayse", ev.CloseLobby("ops"))
    assert table.stages() == {"ayse": "closing", "burak": "ended", "cem": "member"}
    table.restart("ayse")
    assert table.wants("ayse") >= {"cem"}
    table.link("ayse", "cem")
    assert table.words("cem") == ["last words"]
    assert "the lobby was closed by ayse" in table.texts("cem", "#ops")
    table.run(20, 5)
    assert table.stages() == {"ayse": "ended", "burak": "ended", "cem": "ended"}
    assert table.stores["ayse"].heads() == {}
    assert len(table.desks["ayse"].sessions) == 0
    with pytest.raises(Refused):
        table.say("ayse", "#ops", "more")


def test_closing_reaches_who_hangs_for_minutes() -> None:
    """Its disk is full: its links stay, and it commits nothing, so it takes nothing and says nothing."""
    table = together("ayse", "burak", "cem")
    table.run(60)
    table.drop = lambda one, other, _frame: "cem" in (one, other)
    table.say("burak", "#ops", "the last words")
    assert table.statuses("burak", "#ops")[-1] == "sent"
    table.put("ayse", ev.CloseLobby("#ops"))
    for _ in range(420):
        table.now += 1
        for name in ("ayse", "burak"):
            table.put(name, ev.Tick())
    table.drop = lambda *_: False
    table.run(300)
    assert "the last words" in table.words("cem")
    assert table.stages() == dict.fromkeys(("ayse", "burak", "cem"), "ended")
    assert any("was closed by ayse" in one for one in table.texts("cem", "#ops"))


def test_only_the_leader_closes(table: Table) -> None:
    table.lobby("ayse", "burak")
    with pytest.raises(LocalError, match="ayse leads #ops") as caught:
        table.put("burak", ev.CloseLobby("ops"))
    assert "only ayse" in (caught.value.remedy or "")


def test_words_for_a_closed_lobby_are_not_sent(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.cut("ayse", "burak")
    table.say("burak", "#ops", "too late")
    table.put("ayse", ev.CloseLobby("ops"))
    table.link("ayse", "burak")
    table.run(20, 5)
    assert [one.status.value for one in table.lines("burak", "#ops") if one.text == "too late"] == ["not sent"]
    assert "too late" not in table.texts("ayse", "#ops")


def test_blocking_a_member_removes_it(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.put("ayse", ev.AnswerRequest("burak", accept=False, block=True))
    assert "burak was removed: blocked by ayse" in table.texts("cem", "#ops")
    assert table.stages()["burak"] == "ended"


def test_a_removed_member_opens_nothing_later_and_a_joiner_nothing_earlier(table: Table) -> None:
    group = table.lobby("ayse", "burak", "cem")
    old = table.desks["burak"].sessions.get(group)
    table.say("ayse", "#ops", "with burak")
    table.put("ayse", ev.RemoveFrom("ops", "burak"))
    table.say("ayse", "#ops", "without burak")
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.wait(1)
    table.say("cem", "#ops", "with deniz")
    assert table.words("burak") == ["with burak"]
    assert table.words("deniz") == ["with deniz"]
    assert old is not None
    now = table.desks["deniz"].sessions.get(group)
    assert now is not None
    opened: dict[str, list[int]] = {"burak": [], "deniz": []}
    entries = [decode_ordered(one) for one in table.stores["ayse"].entries(group, 1, 256)]
    words = [one for one in entries if one.kind is EntryKind.MESSAGE]
    for who, state in (("burak", old), ("deniz", now)):
        for entry in words:
            work = Work(table.desks[who], table.now, table.random)
            try:
                groups.open_words(work, state, entry.payload)
                opened[who].append(entry.seq)
            except RemoteError:
                continue
    removed = next(one.seq for one in entries if one.kind is EntryKind.COMMIT and one.seq > words[0].seq)
    assert opened["burak"]
    assert max(opened["burak"]) < removed
    joined = table.state("deniz", group).healing.entered["deniz"]
    assert all(seq > joined for seq in opened["deniz"])


def test_a_member_that_lost_its_home_is_put_out_and_may_be_asked_in_again(table: Table) -> None:
    group = table.lobby("ayse", "burak", "cem")
    table.say("ayse", "#ops", "before")
    table.lose_home("burak")
    table.link("ayse", "burak")
    table.run(30, 3)
    assert table.view("ayse").roster == ("ayse", "cem")  # burak said that it is not in
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.wait(1)
    table.say("burak", "#ops", "hello again")
    assert table.words("cem") == ["before", "hello again"]
    assert table.words("burak") == ["hello again"]
    assert table.state("burak", group).stage is Stage.MEMBER


def test_a_closed_lobby_opens_anew_before_everybody_has_heard(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.cut("ayse", "cem")
    table.put("ayse", ev.CloseLobby("ops"))
    fresh = table.lobby("ayse", "burak")
    assert table.desks["ayse"].labels["#ops"] == fresh
    table.say("ayse", "#ops", "again")
    assert table.words("burak")[-1] == "again"
    assert "the lobby was closed by ayse" in table.texts("ayse", "#ops")  # one history
    table.restart("ayse")
    assert sorted(one.stage for one in views.lobbies(table.desks["ayse"])) == ["closing", "leading"]
    table.link("ayse", "cem")
    table.run(10, 2)
    assert "the lobby was closed by ayse" in table.texts("cem", "#ops")
    assert [one.label for one in views.lobbies(table.desks["ayse"]) if one.stage == "leading"] == ["#ops"]
    assert {one.stage for one in views.lobbies(table.desks["ayse"])} == {"leading", "ended"}
    with pytest.raises(LocalError, match="already"):
        table.put("ayse", ev.OpenLobby("ops", b"n" * 16, ()))


def test_who_puts_somebody_out_and_leaves_while_away_does_both(table: Table) -> None:
    group = table.lobby("ayse", "burak", "cem")
    table.cut("ayse", "burak")
    table.say("burak", "#ops", "before")
    table.put("burak", ev.RemoveFrom("ops", "cem"))
    table.put("burak", ev.LeaveLobby("ops"))
    table.link("ayse", "burak")
    table.run(60, 3)
    assert table.view("ayse").roster == ("ayse",)
    assert table.stages()["burak"] == table.stages()["cem"] == "ended"
    assert table.words("ayse") == ["before"]
    assert not table.state("ayse", group).intents.some


@pytest.mark.parametrize("flying", [False, True], ids=["before its commit", "while its commit flies"])
def test_who_accepted_hears_that_the_invitation_was_taken_back(table: Table, *, flying: bool) -> None:
    group = table.lobby("ayse", "burak")
    table.link("burak", "cem")
    table.put("burak", ev.InviteTo("ops", ("cem",)))
    if not flying:
        table.cut("ayse", "burak")
    table.drop = lambda one, other, frame: isinstance(frame, Submit) and (one, other) == ("burak", "ayse")
    table.put("cem", ev.AnswerRequest("burak", accept=True, lobby="ops"))
    table.wait(1)
    assert (table.state("burak", group).voice.staged is not None) is flying
    table.put("burak", ev.RemoveFrom("ops", "cem"))
    table.drop = lambda *_: False
    table.run(60, 3)
    assert table.stages()["cem"] == "ended"
    assert table.view("ayse").roster == ("ayse", "burak")
    table.say("burak", "#ops", "goes on")
    assert table.words("ayse") == ["goes on"]


def test_who_leaves_a_half_whose_leader_is_gone_waits_for_no_other(table: Table) -> None:
    """burak led cem's half, and lost his home; ayse, who leads the other half, put him out there."""
    for one, other in (("ayse", "burak"), ("ayse", "cem"), ("burak", "cem")):
        if frozenset((one, other)) not in table.links:
            table.link(one, other)
    table.lobby("ayse", "burak", "cem")
    table.part({"ayse"}, {"burak", "cem"})
    table.run(30)
    assert table.view("cem").leader == "burak"
    table.drop = lambda one, _other, frame: one == "cem" and isinstance(frame, Submit)
    table.put("cem", ev.LeaveLobby("ops"))
    table.lose_home("burak")
    table.drop = lambda _one, _other, _frame: False
    table.part()
    table.run(600)
    assert table.stages()["cem"] == "ended"
    assert table.view("ayse").roster == ("ayse",)


def all_linked(*names: str) -> Table:
    """All of them in a lobby that the first leads, and linked to each other."""
    table = Table(*names)
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            table.link(one, other)
    table.lobby(names[0], *names[1:])
    table.run(70, 5)
    return table


def _leave(table: Table, *, word: bool = True) -> None:
    """ayse, who leads, leaves; cem says a last word and leaves too, before anybody leads."""
    table.put("ayse", ev.LeaveLobby("ops"))
    for ends in list(table.links):
        table.cut(*ends)
    if word:
        table.say("cem", "#ops", "last word")
    table.put("cem", ev.LeaveLobby("ops"))


def _has_it(table: Table) -> None:
    table.run(200)
    assert table.words("burak") == ["last word"]
    assert table.stages() == {"ayse": "ended", "burak": "leading", "cem": "ended"}


def test_who_leaves_after_its_leader_waits_for_who_is_away_with_its_last_words() -> None:
    table = all_linked("ayse", "burak", "cem")
    table.reach = lambda one, other: "burak" not in (one, other)
    for ends in [ends for ends in table.links if "burak" in ends]:
        table.cut(*ends)
    _leave(table)
    table.run(250)
    assert table.stages()["cem"] == "leaving"
    table.part()
    _has_it(table)


@pytest.mark.parametrize("word", [False, True])
def test_a_nap_is_no_time_in_which_nobody_followed_a_leader_that_left(*, word: bool) -> None:
    table = all_linked("ayse", "burak", "cem")
    table.reach = lambda _one, _other: False
    _leave(table, word=word)
    table.run(30)
    table.now += 86_400
    table.put("cem", ev.Tick())
    assert table.stages()["cem"] == "leaving"
    table.run(200)
    assert (table.stages()["cem"] == "ended") is not word
    table.now += 86_400
    table.part()
    if word:
        _has_it(table)


def test_who_leaves_after_its_leader_with_last_words_goes_though_it_restarts_again_and_again() -> None:
    table = all_linked("ayse", "burak", "cem")
    table.reach = lambda _one, _other: False
    _leave(table)
    for _ in range(4):
        table.run(70)
        assert table.stages()["cem"] == "leaving"
        table.now += 86_400  # a night is no such time
        table.restart("cem")
    table.run(70)
    assert table.stages()["cem"] == "ended"


@pytest.mark.parametrize("event", [ev.Expelled("ayse", "certificate revoked"), ev.RemoveFrom("ops", "ayse")])
def test_a_leader_that_left_has_left_whatever_it_is_to_be_put_out_for_since(event: ev.Event) -> None:
    table = all_linked("ayse", "burak", "cem")
    table.reach = lambda _one, _other: False
    table.cut("ayse", "burak")
    table.cut("burak", "cem")
    table.put("ayse", ev.LeaveLobby("ops"))
    table.put("cem", event)
    table.cut("ayse", "cem")
    table.put("cem", ev.LeaveLobby("ops"))
    table.run(150)
    assert table.stages()["cem"] == "ended"


@pytest.mark.parametrize("wanted", ["left", "put out"])
def test_who_goes_as_all_others_are_to_posts_nothing_to_a_leader_that_left(wanted: str) -> None:
    """A post might wait, and come when both are in again; a leader that left hears so when it shows its order."""
    table = all_linked("ayse", "burak")
    if wanted == "left":
        table.drop = lambda _one, other, frame: other == "ayse" and isinstance(frame, Submit)
        table.put("ayse", ev.LeaveLobby("ops"))
    table.reach = lambda _one, _other: False
    table.cut("ayse", "burak")
    table.drop = lambda _one, _other, _frame: False
    if wanted != "left":
        table.put("burak", ev.RemoveFrom("ops", "ayse"))
    table.put("burak", ev.LeaveLobby("ops"))
    table.run(3)
    assert table.stages()["burak"] == "ended"
    peer = table.desks["burak"].peers.get("ayse")
    assert peer is not None
    assert (peer.out.count > 0) is (wanted != "left")
    table.part()
    table.run(60)
    assert table.stages()["ayse"] == ("ended" if wanted == "left" else "leading")
    assert table.view("ayse").roster in ((), ("ayse",))


def test_who_went_unseen_and_was_asked_in_again_stays() -> None:
    """cem left burak's half, which lost its leader; ayse put it out, and asked it in again while deniz was away."""
    table = all_linked(*ALL)
    table.part({"ayse"}, {"burak", "cem"}, {"deniz"})
    table.run(30)
    assert table.view("cem").leader == "burak"
    table.drop = lambda one, _other, frame: one == "cem" and isinstance(frame, Submit)
    table.put("cem", ev.LeaveLobby("ops"))
    table.lose_home("burak")
    table.drop = lambda _one, _other, _frame: False
    table.run(300)
    assert table.stages()["cem"] == "ended"
    table.part({"ayse", "cem"}, {"burak"}, {"deniz"})
    table.run(60)
    assert "cem" not in table.view("ayse").roster
    table.put("ayse", ev.InviteTo("ops", ("cem",)))
    table.run(5)
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(30)
    table.part({"ayse", "cem", "deniz"}, {"burak"})
    table.run(60)
    assert table.stages()["cem"] == "member"
    assert "cem" in table.view("deniz").roster


def test_who_leaves_says_all_of_it_while_the_leader_orders_it() -> None:
    table = together("ayse", "burak", "cem")
    table.run(60)
    seen: dict[int, float] = {}
    last = [0.0]

    def slow(one: str, other: str, frame: Frame) -> bool:
        if (one, other) != ("burak", "ayse") or not isinstance(frame, Submit) or frame.number in seen:
            return False
        if table.now - last[0] < 6:
            return True
        last[0] = seen[frame.number] = table.now
        return False

    table.drop = slow
    for number in range(70):
        table.say("burak", "#ops", str(number))
    table.put("burak", ev.LeaveLobby("ops"))
    table.run(290)
    early = len(table.words("ayse"))
    assert early > 30  # the leader orders one after the other
    table.run(400)
    assert table.words("ayse")[-70:] == [str(number) for number in range(70)]
