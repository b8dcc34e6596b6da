"""Somebody is asked in anew while what was said about an invitation of before is under way: it answers that one."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.lobby_records import decode_lobby, encode_lobby
from conclave.chat.notices import RequestAnswered, RequestArrived
from conclave.wire.delivery import Ack, Post
from conclave.wire.order import Head, Ordered
from conclave.wire.posts import Answer, Choice, Leave, pack_parcel
from tests.chat.desks import Table, together


@pytest.fixture
def crossed() -> Table:
    """cem, who asked burak in, left; deniz let burak in, who asks cem in again: now the posts of the two cross."""
    table = together("ayse", "cem", "deniz", beside=("burak",))
    table.part({"ayse", "cem", "deniz"}, {"ayse", "deniz", "burak"})
    for one in ("cem", "deniz"):
        table.put(one, ev.InviteTo("ops", ("burak",)))
    table.run(3)
    table.put("cem", ev.LeaveLobby("ops"))  # that it asks no more waits in its outbox, behind its invitation
    table.put("burak", ev.AnswerRequest("deniz", accept=True, lobby="ops"))
    table.run(10)
    assert table.stages() == {"ayse": "leading", "cem": "ended", "deniz": "member", "burak": "member"}
    table.put("burak", ev.InviteTo("ops", ("cem",)))
    return table


@pytest.mark.parametrize("restart", [False, True])
def test_who_asked_before_it_left_has_not_answered_by_that(crossed: Table, *, restart: bool) -> None:
    table = crossed
    if restart:
        table.restart("burak")
    table.part()
    table.run(5)
    assert table.notices("burak", RequestAnswered) == table.notices("cem", RequestAnswered) == []
    assert views.requests(table.desks["cem"]) == (views.Request("burak", "#ops"),)
    table.put("cem", ev.AnswerRequest("burak", accept=True, lobby="ops"))
    table.run(10)
    assert table.stages()["cem"] == "member"


def meet(table: Table, *, mail: bool) -> None:
    """cem and burak are linked, or each fetches what is in its mailbox."""
    if not mail:
        table.part()
    for name in ("cem", "burak") * 2 if mail else ():
        table.run(10)
        table.collect(name)
    table.run(10)


@pytest.mark.parametrize("mail", [False, True], ids=["by link", "by mail"])
def test_a_yes_to_who_left_since_is_none_to_what_it_asks_anew(*, mail: bool) -> None:
    table = together("ayse", "cem", beside=("burak",))
    table.stock()
    table.put("cem", ev.InviteTo("ops", ("burak",)))
    table.run(2)
    table.part({"ayse", "cem"}, {"burak"})
    table.put("burak", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    table.put("cem", ev.LeaveLobby("ops"))
    table.run(10)
    table.put("ayse", ev.InviteTo("ops", ("cem",)))
    table.run(2)
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(5)
    table.put("cem", ev.InviteTo("ops", ("burak",)))
    meet(table, mail=mail)
    assert views.requests(table.desks["burak"]) == (views.Request("cem", "#ops"),)
    table.put("burak", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    meet(table, mail=mail)
    assert table.stages()["burak"] == "member"


@pytest.mark.parametrize("how", ["a no", "a yes that is taken back"])
def test_what_was_said_to_one_invitation_does_not_answer_the_next(how: str) -> None:
    table = together("ayse", "cem", beside=("deniz",))
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    table.run(2)
    table.part({"ayse", "cem"}, {"deniz"})
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    if how != "a no":
        table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.put("deniz", ev.AnswerRequest("ayse", accept=False, lobby="ops"))
    table.part()
    table.run(5)
    assert table.view("ayse").invited == ("deniz",)
    assert views.requests(table.desks["deniz"]) == (views.Request("ayse", "#ops"),)
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(10)
    assert table.stages()["deniz"] == "member"


@pytest.mark.parametrize("accept", [False, True])
def test_who_took_the_invitation_and_is_not_heard_to_have_is_asked_once_more(*, accept: bool) -> None:
    table = together("ayse", "cem", beside=("deniz",))
    table.drop = lambda one, _, frame: one == "deniz" and isinstance(frame, Ack)
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    table.run(2)
    table.put("deniz", ev.AnswerRequest("ayse", accept=accept, lobby="ops"))
    table.run(2)
    assert table.view("ayse").invited == ("deniz",)
    table.drop = lambda *_: False
    table.run(15)
    if not accept:
        assert views.requests(table.desks["deniz"]) == (views.Request("ayse", "#ops"),)
        table.put("deniz", ev.AnswerRequest("ayse", accept=False, lobby="ops"))
    assert table.view("ayse").invited == ()
    assert table.stages().get("deniz") == ("member" if accept else None)


def test_who_says_much_and_takes_no_invitation_is_asked_once_more_and_anew_where_people_ask() -> None:
    table = together("ayse", "cem", beside=("deniz",))
    table.drop = lambda one, _, frame: one == "deniz" and isinstance(frame, Ack)
    group = table.desks["ayse"].labels["#ops"]
    said = [pack_parcel(one) for one in (Answer(group, Choice.REJECT), Leave(group))]
    posts, waiting = 0, []
    for _ in range(2):
        table.put("ayse", ev.InviteTo("ops", ("deniz",)))
        table.run(2)
        for kind, body in said * 10:
            posts += 1
            table.step("ayse", ev.Arrived("deniz", Post(b"s" * 8, posts, posts, kind, body)))
        peer = table.desks["ayse"].peers.get("deniz")
        waiting.append(peer.out.count if peer is not None else 0)
    assert waiting == [2, 4]


def test_two_halves_that_stay_apart_hear_a_no_where_each_asks_the_other_in() -> None:
    table = together("ayse", "burak")
    table.part({"ayse"}, {"burak"})
    for one, other in (("ayse", "burak"), ("burak", "ayse")):
        table.put(one, ev.RemoveFrom("ops", other))
    table.run(120)
    for one, other in (("ayse", "burak"), ("burak", "ayse")):
        table.put(one, ev.InviteTo("ops", (other,)))
    table.part()
    table.run(60)
    for one, other in (("ayse", "burak"), ("burak", "ayse")):
        assert table.notices(one, RequestAnswered)[-1] == RequestAnswered(other, "#ops", "rejected")
        assert table.view(one).invited == ()
    table.put("burak", ev.LeaveLobby("ops"))
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    table.run(5)
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(10)
    assert table.stages() == {"ayse": "leading", "burak": "member"}


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("other", ["burak", "deniz", "elif"])
def test_two_halves_that_stay_apart_hear_a_no_though_both_hold_somebody_to_be_in(other: str, *, linked: bool) -> None:
    """ayse's half and burak's put each other's people out, and cem is in in both. elif came in behind that."""
    table = together("ayse", "burak", "cem", "deniz", beside=("elif",))
    table.part({"ayse"}, {"burak", "cem", "deniz", "elif"})
    table.run(60)
    for one in ("burak", "deniz"):
        table.put("ayse", ev.RemoveFrom("ops", one))
    table.put("burak", ev.RemoveFrom("ops", "ayse"))
    table.run(10)
    table.put("burak", ev.InviteTo("ops", ("elif",)))
    table.run(3)
    table.put("elif", ev.AnswerRequest("burak", accept=True, lobby="ops"))
    table.run(30)
    table.part({"ayse", other}, {"cem"})
    if linked:
        table.link("ayse", other)
        table.run(3)
    table.step("ayse", ev.InviteTo("ops", (other,)))
    table.put(other, ev.InviteTo("ops", ("ayse",)))
    table.run(30)
    for one, asked in (("ayse", other), (other, "ayse")):
        assert table.notices(one, RequestAnswered)[-1] == RequestAnswered(asked, "#ops", "rejected")
        assert table.view(one).invited == ()


@pytest.mark.parametrize("accepted", [False, True])
def test_who_is_found_in_by_who_had_asked_it_in_is_asked_no_more_and_can_be_put_out(*, accepted: bool) -> None:
    """ayse puts cem out, lets deniz in, and asks cem in again, which takes the Welcome while it is in for itself."""
    table = together("ayse", "burak", "cem", beside=("deniz",))
    if accepted:
        table.link("cem", "deniz")
    table.part({"ayse", "burak"}, {"cem", "deniz"} if accepted else {"cem"})
    table.put("cem", ev.InviteTo("ops", ("deniz",)))
    if accepted:
        table.put("deniz", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    table.part({"ayse", "burak", "deniz"}, {"cem"})
    table.link("ayse", "deniz")
    table.put("ayse", ev.RemoveFrom("ops", "cem"))
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    if not accepted:
        table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(3)
    table.put("ayse", ev.InviteTo("ops", ("cem",)))
    table.run(3)
    table.drop = lambda _, other, frame: other == "cem" and isinstance(frame, Head | Ordered)  # its posts come first
    table.part({"ayse", "burak", "deniz"}, {"ayse", "cem"})
    table.run(10)
    table.drop = lambda *_: False
    table.run(30)
    assert set(table.view("cem").roster) == {"ayse", "burak", "cem", "deniz"}
    assert table.view("cem").invited == ()
    assert not table.state("cem", table.desks["cem"].labels["#ops"]).intents.adds
    table.put("cem", ev.RemoveFrom("ops", "deniz"))
    table.run(30)
    assert set(table.view("ayse").roster) == {"ayse", "burak", "cem"}


def test_which_post_asked_whom_is_kept(crossed: Table) -> None:
    lobby = crossed.state("burak", crossed.desks["burak"].labels["#ops"])
    assert lobby.invites.keys() == {"cem"}
    data = encode_lobby(lobby)
    assert decode_lobby(lobby.group, data, b"").invites == lobby.invites


@pytest.mark.parametrize("linked", [False, True], ids=["by mail", "by link"])
def test_who_says_no_is_not_asked_again_because_who_asked_was_restarted(*, linked: bool) -> None:
    table = together("ayse", "cem", beside=("burak",))
    table.stock()
    table.part({"ayse", "cem"}, {"burak"})
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    table.run(600, 10)
    table.restart("ayse")
    table.run(20)
    table.collect("burak")
    table.put("burak", ev.AnswerRequest("ayse", accept=False, lobby="ops"))
    if linked:
        table.part()
    for name in ("ayse", "burak") * 2:
        table.run(60, 10)
        table.collect(name)
    assert len(table.notices("burak", RequestArrived)) == 1
    assert not views.requests(table.desks["burak"])


def test_that_an_answer_was_passed_over_is_known_after_a_restart() -> None:
    table = together("ayse", "cem", beside=("burak",))
    table.part()
    table.drop = lambda one, _, frame: one == "burak" and isinstance(frame, Ack)
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    table.run(2)
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(2)
    passed = table.desks["ayse"].peers.get("burak").passed  # type: ignore[union-attr]
    assert list(passed.values()) == [True]
    table.restart("ayse")
    assert table.desks["ayse"].peers.get("burak").passed == passed  # type: ignore[union-attr]
