"""An invitation that waits for its answer, and is none any more: the lobby closed, or who asked took it back."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.lobbies.invitations import INVITERS_MOST, WITHDRAWN_SECONDS
from conclave.chat.notices import RequestAnswered, RequestArrived
from conclave.wire.delivery import Post
from conclave.wire.posts import Answer, Choice, Invite, pack_parcel
from tests.chat.desks import Table, together
from tests.chat.test_leaving import table

__all__ = ["table"]


@pytest.mark.parametrize("how", ["closed", "by the leader, of another", "left", "taken back"])
def test_who_did_not_answer_hears_that_it_is_not_asked_in_any_more(table: Table, how: str) -> None:
    table.link("burak", "deniz")
    table.lobby("ayse", "burak", "cem")
    inviter = "burak" if how in ("by the leader, of another", "left") else "ayse"
    table.put(inviter, ev.InviteTo("ops", ("deniz",)))
    assert views.requests(table.desks["deniz"]) == (views.Request(inviter, "#ops"),)
    match how:
        case "left":
            table.put("burak", ev.LeaveLobby("ops"))
        case "taken back":
            table.put("ayse", ev.RemoveFrom("ops", "deniz"))
        case _:
            table.put("ayse", ev.CloseLobby("ops"))
    table.run(5)
    assert views.requests(table.desks["deniz"]) == ()
    assert "deniz" not in table.stages()
    assert table.notices("deniz", RequestAnswered) == [RequestAnswered(inviter, "#ops", "withdrawn")]
    table.lobby("ayse", "deniz", name="next")


def test_of_another_than_who_asked_nobody_hears_that_it_is_not_asked_in_any_more(table: Table) -> None:
    table.link("cem", "deniz")
    group = table.lobby("ayse", "burak", "cem")
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    kind, body = pack_parcel(Answer(group, Choice.REJECT))
    table.put("deniz", ev.Arrived("cem", Post(bytes(8), 1, 1, kind, body)))
    assert views.requests(table.desks["deniz"]) == (views.Request("ayse", "#ops"),)


def test_who_is_busy_is_not_told_of_an_invitation_that_went_meanwhile(table: Table) -> None:
    table.put("deniz", ev.SetBusy(on=True))
    table.lobby("ayse", "burak")
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    table.put("ayse", ev.CloseLobby("ops"))
    table.put("deniz", ev.SetBusy(on=False))
    assert views.requests(table.desks["deniz"]) == ()
    assert not table.notices("deniz", RequestArrived) + table.notices("deniz", RequestAnswered)


def test_who_takes_each_invitation_back_asks_no_more_often_than_who_does_not() -> None:
    table = Table("burak", "mallory", "cem")
    table.link("burak", "mallory")
    table.link("burak", "cem")
    most, numbers = table.settings.invitations_per_peer, iter(range(1, 1_000))

    def rings(seed: int) -> int:
        before = len(table.notices("burak", RequestArrived))
        for one in range(seed, seed + 50):
            group = one.to_bytes(16)
            for parcel in (Invite(group, f"room{one}", ("mallory",)), Answer(group, Choice.REJECT)):
                number = next(numbers)
                table.put("burak", ev.Arrived("mallory", Post(b"evilevil", number, number, *pack_parcel(parcel))))
        return len(table.notices("burak", RequestArrived)) - before

    assert rings(0) == most
    assert len(table.notices("burak", RequestAnswered)) == most
    assert rings(50) == 0
    table.put("cem", ev.OpenLobby("ops", table.random(16), ("burak",)))
    assert views.requests(table.desks["burak"]) == (views.Request("cem", "#ops"),)
    table.wait(WITHDRAWN_SECONDS)
    assert rings(100) == most


@pytest.fixture(params=["as it runs", "over a restart"])
def asked_by_two(request: pytest.FixtureRequest) -> Table:
    table = together("ayse", "cem", "deniz", beside=("burak",))
    for one in ("cem", "deniz"):
        table.put(one, ev.InviteTo("ops", ("burak",)))
        table.run(3)
    if request.param == "over a restart":
        table.restart("burak")
        table.run(3)
    assert views.requests(table.desks["burak"]) == (views.Request("cem", "#ops"),)
    return table


@pytest.mark.parametrize("how", ["taken back", "left", "put out", "blocked"])
def test_where_one_asks_no_more_the_other_does(asked_by_two: Table, how: str) -> None:
    table = asked_by_two
    match how:
        case "taken back":
            table.put("cem", ev.RemoveFrom("ops", "burak"))
        case "left":
            table.put("cem", ev.LeaveLobby("ops"))
        case "put out":
            table.put("burak", ev.Expelled("cem", "lost"))
        case _:
            table.put("burak", ev.AnswerRequest("cem", accept=False, block=True))
    table.run(5)
    assert views.requests(table.desks["burak"]) == (views.Request("deniz", "#ops"),)
    assert table.notices("burak", RequestArrived) == [RequestArrived(one, "#ops") for one in ("cem", "deniz")]
    table.put("burak", ev.AnswerRequest("deniz", accept=True, lobby="ops"))
    table.run(5)
    assert table.stages()["burak"] == "member"


def test_where_the_other_asks_no_more_nobody_hears_of_it(asked_by_two: Table) -> None:
    table = asked_by_two
    table.put("deniz", ev.RemoveFrom("ops", "burak"))
    table.run(3)
    assert views.requests(table.desks["burak"]) == (views.Request("cem", "#ops"),)
    table.put("cem", ev.RemoveFrom("ops", "burak"))
    table.run(3)
    assert "burak" not in table.stages()
    assert table.notices("burak", RequestAnswered) == [RequestAnswered("cem", "#ops", "withdrawn")]


def test_whoever_asked_is_answered(asked_by_two: Table) -> None:
    table = asked_by_two
    table.put("burak", ev.AnswerRequest("cem", accept=False, lobby="ops"))
    table.run(3)
    assert [table.view(one).invited for one in ("cem", "deniz")] == [(), ()]


@pytest.mark.parametrize("away", [False, True])
def test_whoever_is_there_lets_in_who_was_asked_by_two(asked_by_two: Table, *, away: bool) -> None:
    table = asked_by_two
    if away:
        table.part({"ayse", "deniz", "burak"}, {"cem"})
    table.put("burak", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    table.run(10)
    assert table.stages()["burak"] == "member"
    table.part()
    table.run(60)
    together_now = [table.view(one) for one in table.desks]
    assert len({(one.seq, one.epoch, one.authenticator, one.invited) for one in together_now}) == 1
    assert together_now[0].invited == ()
    assert not [trouble for one in table.desks for trouble in table.troubles(one)]


@pytest.fixture(params=["as it runs", "over a restart"])
def asked_beside(request: pytest.FixtureRequest) -> Table:
    """cem asks burak, who is away; then deniz comes in and asks him too. He accepts while cem is away."""
    table = together("ayse", "cem", beside=("burak", "deniz"))
    table.part({"ayse", "cem", "deniz"}, {"burak"})
    table.put("cem", ev.InviteTo("ops", ("burak",)))
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    table.run(3)
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(5)
    table.put("deniz", ev.InviteTo("ops", ("burak",)))
    table.part()
    table.run(3)
    table.part({"ayse", "deniz", "burak"}, {"cem"})
    assert views.requests(table.desks["burak"]) == (views.Request("cem", "#ops"),)
    table.put("burak", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    if request.param == "over a restart":
        table.restart("burak")
    table.run(5)
    assert table.notices("burak", RequestArrived) == [RequestArrived(one, "#ops") for one in ("cem", "deniz")]
    assert views.requests(table.desks["burak"]) == (views.Request("deniz", "#ops"),)
    assert table.notices("deniz", RequestAnswered) == []
    return table


def test_of_who_came_in_since_people_are_asked_too(asked_beside: Table) -> None:
    table = asked_beside
    table.drop = lambda one, _, frame: one == "burak" and isinstance(frame, Post)
    table.put("burak", ev.AnswerRequest("deniz", accept=True, lobby="ops"))
    table.put("deniz", ev.InviteTo("ops", ("burak",)))
    assert views.requests(table.desks["burak"]) == ()
    table.drop = lambda *_: False
    table.run(15)
    assert table.stages()["burak"] == "member"
    assert table.notices("deniz", RequestAnswered) == [RequestAnswered("burak", "#ops", "accepted")]
    table.part()
    table.run(60)
    assert {table.view(one).invited for one in table.desks} == {()}


@pytest.mark.parametrize("how", ["declined", "taken back", "blocked", "put out"])
def test_without_who_came_in_since_the_first_is_waited_for(asked_beside: Table, how: str) -> None:
    table = asked_beside
    match how:
        case "declined":
            table.put("burak", ev.AnswerRequest("deniz", accept=False, lobby="ops"))
        case "taken back":
            table.put("deniz", ev.RemoveFrom("ops", "burak"))
        case "blocked":
            table.put("burak", ev.AnswerRequest("deniz", accept=False, block=True))
        case _:
            table.put("burak", ev.Expelled("deniz", "lost"))
    table.run(5)
    assert views.requests(table.desks["burak"]) == ()
    assert how == "put out" or "burak" not in table.view("deniz").invited
    gone = [RequestAnswered("deniz", "#ops", "withdrawn")] if how == "taken back" else []
    assert table.notices("burak", RequestAnswered) == gone
    assert table.stages()["burak"] == "joining"
    table.part()
    table.run(10)
    assert table.stages()["burak"] == "member"


@pytest.mark.parametrize("how", ["taken back", "put out"])
def test_where_the_first_lets_nobody_in_who_came_in_since_may(asked_beside: Table, how: str) -> None:
    table = asked_beside
    if how == "taken back":
        table.put("cem", ev.RemoveFrom("ops", "burak"))
        table.part({"cem", "burak"}, {"ayse", "deniz"})
    else:
        table.put("burak", ev.Expelled("cem", "lost"))
    table.run(5)
    assert table.stages()["burak"] == "invited"
    assert views.requests(table.desks["burak"]) == (views.Request("deniz", "#ops"),)
    table.part({"ayse", "deniz", "burak"}, {"cem"})
    table.put("burak", ev.AnswerRequest("deniz", accept=True, lobby="ops"))
    table.run(5)
    assert table.stages()["burak"] == "member"


@pytest.mark.parametrize("how", ["taken back", "taken back after a yes", "put out", "put out after a yes", "blocked"])
def test_a_yes_to_one_is_none_to_whom_another_named_that_asks_no_more(how: str) -> None:
    """eve, who was in once and knows the lobby's id, names mallory, who opens another lobby of that id."""
    table = Table("ayse", "burak", "cem", "eve", "mallory")
    table.link("ayse", "cem")
    group, named = (
        table.lobby("ayse", "cem"),
        ("eve", "mallory", *(("ayse",) if how == "put out after a yes" else ())),
    )
    said = [pack_parcel(one) for one in (Invite(group, "ops", named), Answer(group, Choice.REJECT))]
    for one in ("eve", "ayse"):
        table.link("burak", one)
    deaf = {"eve", *(named[2:])}  # eve is no desk of ours; and ayse is not to let burak in before
    table.drop = lambda _, other, __: other in deaf
    table.put("burak", ev.Arrived("eve", Post(b"e" * 8, 1, 1, *said[0])))
    if how.endswith("yes"):
        table.put("burak", ev.AnswerRequest("eve", accept=True, lobby="ops"))
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    if how.startswith("taken"):
        table.put("burak", ev.Arrived("eve", Post(b"e" * 8, 2, 1, *said[1])))
    elif how == "blocked":
        table.put("burak", ev.AnswerRequest("eve", accept=False, block=True))
    else:
        table.put("burak", ev.Expelled("eve", "lost"))
    table.part({"ayse", "cem"}, {"burak", "mallory"}, {"eve"})
    if how != "put out after a yes":
        assert views.requests(table.desks["burak"]) == (views.Request("ayse", "#ops"),)
        table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.put("mallory", ev.OpenLobby("ops", group, ("burak",)))
    table.run(30)
    assert table.stages()["burak"] == "joining"
    assert views.requests(table.desks["burak"]) == (views.Request("mallory", "#ops"),)


def test_who_declines_all_answers_who_came_in_since(asked_beside: Table) -> None:
    table = asked_beside
    table.put("burak", ev.LeaveLobby("ops"))
    table.part()
    table.run(5)
    assert [table.view(one).invited for one in ("cem", "deniz")] == [(), ()]
    assert "burak" not in table.stages()


def test_who_asks_beside_and_takes_it_back_rings_no_more_often_than_any_other() -> None:
    table = together("ayse", beside=("burak", "mallory"))
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    table.run(3)
    table.part({"burak", "mallory"}, {"ayse"})
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    group = table.desks["burak"].labels["#ops"]
    for number in range(1, 101):
        parcel = Invite(group, "ops", ("mallory",)) if number % 2 else Answer(group, Choice.REJECT)
        table.put("burak", ev.Arrived("mallory", Post(b"evilevil", number, number, *pack_parcel(parcel))))
    rings = table.notices("burak", RequestArrived).count(RequestArrived("mallory", "#ops"))
    assert rings == table.settings.invitations_per_peer
    assert views.requests(table.desks["burak"]) == ()


def test_so_many_are_remembered(table: Table) -> None:
    group, names = table.random(16), tuple(f"p{number}" for number in range(INVITERS_MOST + 2))
    for one in names:
        kind, body = pack_parcel(Invite(group, "ops", names))
        table.put("deniz", ev.Arrived(one, Post(bytes(8), 1, 1, kind, body)))
    assert table.state("deniz", group).inviters == names[1:INVITERS_MOST]


def test_who_was_to_let_us_in_and_is_put_out_is_linked_to_no_more_for_it() -> None:
    table = together("ayse", "cem", beside=("burak",))
    table.put("cem", ev.InviteTo("ops", ("burak",)))
    table.run(3)
    table.part({"ayse", "cem"}, {"burak"})
    table.put("burak", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    table.run(3)
    assert views.wanted(table.desks["burak"]) == {"cem"}
    table.put("burak", ev.Expelled("cem", "suspended"))
    table.put("burak", ev.Readmitted("cem"))
    assert "burak" not in table.stages()
    assert views.wanted(table.desks["burak"]) == frozenset()


def asked_again() -> Table:
    """burak left ayse's lobby, and cem asks him in again."""
    table = together("ayse", "burak", "cem", beside=("deniz",))
    table.put("burak", ev.LeaveLobby("ops"))
    table.run(5)
    table.put("cem", ev.InviteTo("ops", ("burak",)))
    table.run(3)
    assert views.requests(table.desks["burak"]) == (views.Request("cem", "#ops"),)
    return table


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("how", ["taken back", "declined", "blocked", "put out"])
@pytest.mark.parametrize("whose", ["cem", "deniz"])
def test_where_one_had_been_before_nobody_elses_lobby_goes_on_with_its_history(
    how: str, whose: str, *, accepted: bool
) -> None:
    table = asked_again()
    old = table.desks["burak"].labels["#ops"]
    if accepted:
        table.cut("burak", "cem")
        table.put("burak", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    table.restart("burak")
    match how:
        case "taken back":
            table.put("cem", ev.RemoveFrom("ops", "burak"))
        case "declined":
            table.put("burak", ev.AnswerRequest("cem", accept=False, lobby="ops"))
        case "blocked":
            table.put("burak", ev.AnswerRequest("cem", accept=False, block=True))
            table.put("burak", ev.Unblock("cem"))
        case _:
            table.put("burak", ev.Expelled("cem", "lost"))
            table.put("burak", ev.Readmitted("cem"))
    table.run(5)
    assert table.stages()["burak"] == "ended"
    table.put(whose, ev.OpenLobby("ops", table.random(16), ("burak",)))
    table.run(5)
    assert [one.lobby for one in views.requests(table.desks["burak"])] == [f"#ops@{whose}"]
    assert table.desks["burak"].labels["#ops"] == old
    table.put("ayse", ev.CloseLobby("ops"))  # it is still hers to go on with
    table.put("ayse", ev.OpenLobby("ops", table.random(16), ("burak",)))
    table.run(5)
    assert views.Request("ayse", "#ops") in views.requests(table.desks["burak"])


def test_who_came_in_again_is_in_as_any_other() -> None:
    table = asked_again()
    table.put("burak", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    table.run(5)
    lobby = table.state("burak", table.desks["burak"].labels["#ops"])
    assert (table.stages()["burak"], lobby.former, lobby.ended) == ("member", "", 0)
