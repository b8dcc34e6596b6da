"""Coming into the half that counts: one after the other, asked again and again, and not waited for without end."""

from __future__ import annotations

from itertools import pairwise

import pytest

from conclave.chat import events as ev
from conclave.chat.deeds import Send
from conclave.chat.lobby_state import Step
from conclave.lobby import order as orders
from conclave.values import replace
from conclave.wire.frames import Frame
from conclave.wire.order import AskInfo, EntryKind, Fetch, Head, Info, Ordered, Refusal, Refused, Submit
from tests.chat.desks import Table
from tests.chat.halves import ALL, ONE, OTHER, agreed, cut, heal, once, table

__all__ = ["table"]


@pytest.fixture
def group(table: Table) -> bytes:
    """The lobby's."""
    return table.desks["ayse"].labels["#ops"]


def ask(table: Table, group: bytes, *names: str, of: str = "ayse") -> list[str]:
    """These want to be let in by ``of``, in this order; who was given the group's state."""
    given: list[str] = []

    def drop(_: str, other: str, frame: Frame) -> bool:
        if isinstance(frame, Info):
            given.append(other)
        return isinstance(frame, Info)

    table.drop = drop
    for name in names:
        table.put(of, ev.Arrived(name, AskInfo(group)))
    table.drop = lambda *_: False
    return given


def test_one_member_after_the_other_is_let_in(table: Table, group: bytes) -> None:
    assert ask(table, group, "burak", "cem", "deniz", "cem") == ["burak"]
    assert ask(table, group, "burak") == ["burak"]  # it is its turn still
    table.now += 3
    assert ask(table, group, "burak", "deniz") == []  # cem was first
    assert ask(table, group, "cem", "deniz") == ["cem"]
    table.now += 3
    assert ask(table, group, "burak", "deniz") == ["deniz"]
    table.now += 3
    assert ask(table, group, "burak") == ["burak"]
    table.now += 3
    assert ask(table, group, "cem") == ["cem"]  # nobody else waits


def test_nobody_waits_for_who_is_not_linked_or_asks_no_more(table: Table, group: bytes) -> None:
    assert ask(table, group, "burak", "cem") == ["burak"]
    table.cut("ayse", "cem")
    table.now += 3
    assert ask(table, group, "deniz") == ["deniz"]
    assert ask(table, group, "burak") == []
    table.now += 6
    assert ask(table, group, "deniz") == ["deniz"]  # burak had three seconds


def test_who_asks_of_a_member_is_shown_whom_it_follows_and_a_stranger_no_order(table: Table, group: bytes) -> None:
    table.link("burak", "cem")
    table.link("burak", "elif")
    before = len(table.frames)
    for one in ("cem", "elif"):
        table.put("burak", ev.Arrived(one, AskInfo(group)))
    shown = [(other, frame) for one, other, frame in table.frames[before:] if one == "burak"]
    assert [(other, frame.runs[0].leader) for other, frame in shown if isinstance(frame, Head)] == [("cem", "ayse")]
    assert not any(isinstance(frame, Info) for _, frame in shown)
    assert table.view("burak").leader == "ayse"


@pytest.mark.parametrize("of", ["ayse", "burak"], ids=["who leads", "who leads no more, for all that it knows"])
def test_who_is_out_is_told_by_which_entry_and_given_nothing(table: Table, group: bytes, of: str) -> None:
    table.put("ayse", ev.RemoveFrom("ops", "deniz"))
    table.run(2)
    for one in ("deniz", "elif"):
        table.link(of, one)
    out_by, _ = table.state("ayse", group).healing.gone["deniz"]
    before = len(table.frames)
    assert ask(table, group, "deniz", "elif", of=of) == []
    told = [(other, frame.number) for _, other, frame in table.frames[before:] if isinstance(frame, Refused)]
    assert told == [("deniz", out_by), ("elif", 0)]


def test_who_wants_in_asks_every_two_seconds_or_so_and_is_woken_for_it(table: Table) -> None:
    cut(table)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    asked: list[float] = []

    def drop(one: str, _: str, frame: Frame) -> bool:
        if isinstance(frame, AskInfo) and one == "burak":
            asked.append(table.now)
        return isinstance(frame, AskInfo)

    table.drop = drop
    table.part()
    table.run(10, 0.25)
    assert table.view("burak").healing
    assert table.desks["burak"].alarm <= table.now + 2
    assert 3 <= len(asked) <= 11
    assert all(one + 0.75 <= other for one, other in pairwise(asked))


def test_what_our_half_had_is_looked_up_again_after_a_crash(table: Table, group: bytes) -> None:
    desk, lobby = table.desks["burak"], table.state("burak", group)
    assert lobby.order is not None
    lobby = replace(lobby, healing=replace(lobby.healing, step=Step.UNWIND, common=lobby.order.seq))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.run(5)
    assert not table.view("burak").healing


def test_a_leader_that_has_lost_its_home_is_succeeded_at_once(table: Table, group: bytes) -> None:
    table.link("burak", "cem")
    table.drop = lambda one, _other, _frame: one == "ayse"
    table.put("burak", ev.Arrived("cem", AskInfo(group)))
    table.run(2)
    assert table.view("burak").leader == "ayse"  # only the leader says it of itself
    table.put("burak", ev.Arrived("ayse", AskInfo(group)))
    table.run(2)
    assert table.view("burak").leader == "burak"


def test_who_asks_to_come_in_has_not_put_us_out_any_more(table: Table, group: bytes) -> None:
    """burak says twice that ayse is out in his half, a while apart, and asked her to let him in between."""
    for name in ("cem", "burak"):
        table.put("ayse", ev.Arrived(name, Refused(group, 0, 0, Refusal.OUTSIDER)))
    ask(table, group, "burak")
    table.drop = lambda one, _other, frame: one == "cem" and isinstance(frame, Submit)  # for it we are out
    for _ in range(6):
        table.run(11)
        table.put("ayse", ev.Arrived("cem", Refused(group, 0, 0, Refusal.OUTSIDER)))
    table.put("ayse", ev.Arrived("burak", Refused(group, 0, 0, Refusal.OUTSIDER)))
    table.run(10)
    assert table.view("ayse").roster == ("ayse", "burak", "deniz")


@pytest.mark.parametrize("given", [False, True])
def test_a_leader_that_says_twice_that_we_are_out_and_gave_an_entry_between_does_not_go_on_to_say_so(
    table: Table, group: bytes, given: bool
) -> None:
    table.put("burak", ev.Arrived("ayse", Refused(group, 0, 0, Refusal.OUTSIDER)))
    table.drop = lambda *_: not given
    table.say("ayse", "#ops", "an entry")
    table.now += 200
    table.drop = lambda *_: True
    table.put("burak", ev.Arrived("ayse", Refused(group, 0, 0, Refusal.OUTSIDER)))
    assert table.view("burak").healing is not given


def test_who_asks_to_come_in_as_its_leader_says_that_it_is_out_waits_to_be_asked_in(
    table: Table, group: bytes
) -> None:
    table.drop = lambda *_: True
    for _ in range(3):
        table.put("burak", ev.Arrived("ayse", Refused(group, 0, 0, Refusal.OUTSIDER)))
        table.now += 400
    assert table.stages()["burak"] == "member"
    table.put("burak", ev.Arrived("ayse", Refused(group, 0, 0, Refusal.OUTSIDER)))
    assert table.stages()["burak"] == "ended"


def test_of_two_who_says_that_we_are_out_in_its_half_is_put_out_at_once() -> None:
    table = Table("ayse", "burak", "zeki")
    table.link("ayse", "burak")
    group = table.lobby("ayse", "burak")
    table.put("ayse", ev.Arrived("zeki", Refused(group, 0, 0, Refusal.OUTSIDER)))
    table.wait(1)
    assert table.view("ayse").roster == ("ayse", "burak")
    table.put("ayse", ev.Arrived("burak", Refused(group, 0, 0, Refusal.OUTSIDER)))
    table.wait(1)
    assert table.view("ayse").roster == ("ayse",)


def test_where_a_better_order_came_between_what_our_half_had_is_looked_up_from_there(
    table: Table, group: bytes
) -> None:
    desk, lobby = table.desks["burak"], table.state("burak", group)
    order = lobby.order
    assert order is not None
    common = order.seq - 1
    lobby = replace(lobby, healing=replace(lobby.healing, step=Step.UNWIND, common=common))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.drop = lambda *_: True
    table.put("burak", ev.Unwound(group, common + 1, order.hash, (), ()))
    assert table.view("burak").seq == common


def test_what_does_not_follow_what_we_have_makes_us_come_in_anew(table: Table, group: bytes) -> None:
    order = table.state("burak", group).order
    assert order is not None
    wrong = Ordered(group, 1, order.seq + 1, bytes(32), "ayse", 1, 0, EntryKind.MESSAGE, b"junk")
    table.put("burak", ev.Arrived("ayse", wrong))
    table.run(10)
    assert "this half of the lobby joined ayse's again" in table.texts("burak", "#ops")
    table.say("burak", "#ops", "here again")
    assert table.words("cem") == ["together", "here again"]


def test_who_has_not_what_we_lack_sends_us_to_the_leader_and_that_one_makes_us_come_in_anew(
    table: Table, group: bytes
) -> None:
    table.link("burak", "cem")
    table.drop = lambda _, other, __: other == "burak"
    table.say("ayse", "#ops", "missed")
    order = table.state("cem", group).order
    assert order is not None
    table.put("burak", ev.Arrived("cem", orders.head(order)))
    table.drop = lambda *_: True
    table.step("burak", ev.Unlinked("ayse"))
    table.put("burak", ev.Arrived("cem", orders.head(order)))
    table.put("burak", ev.Arrived("cem", Refused(group, 0, 0, Refusal.GONE)))
    table.put("burak", ev.Linked("ayse", 64, "d1", version=2))
    sent = [one for one in table.put("burak", ev.Arrived("ayse", orders.head(order))) if isinstance(one, Send)]
    asked = [one.peer for one in sent if isinstance(one.frame, Fetch)]
    assert asked == ["ayse"]
    assert not table.view("burak").healing
    table.put("burak", ev.Arrived("ayse", Refused(group, 0, 0, Refusal.GONE)))
    assert table.view("burak").healing
    lobby = table.state("burak", group)
    assert lobby.order is not None
    assert lobby.healing.common == lobby.order.seq  # what was said before is here
    table.drop = lambda *_: False
    table.run(20)
    assert not table.view("burak").healing
    assert table.words("burak") == ["together", "missed"]


def waiting(table: Table) -> bytes:
    """elif was let in in the half that loses, where nobody is left to ask her into the other; its lobby."""
    cut(table)
    table.put("ayse", ev.InviteTo("ops", ("elif",)))
    table.run(2)
    table.put("elif", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(2)
    for name in sorted(ONE):
        table.put("cem", ev.RemoveFrom("ops", name))
    heal(table, 60)
    assert table.view("elif").healing
    return table.desks["cem"].labels["#ops"]


def test_who_is_told_that_it_is_not_in_hears_of_the_leader_by_that(table: Table) -> None:
    """And begins no term of its own, though nothing else arrives."""
    waiting(table)
    table.part({"cem", "deniz", "elif"}, {"ayse"}, {"burak"})
    table.drop = lambda _, other, frame: other == "elif" and not isinstance(frame, Refused)
    table.run(120)
    assert (table.view("elif").leader, table.view("elif").healing) == ("cem", True)


def test_who_is_asked_in_at_last_waits_as_long_as_ever_the_next_time(table: Table) -> None:
    group = waiting(table)
    table.put("cem", ev.InviteTo("ops", ("elif",)))
    table.run(10)
    assert not table.view("elif").healing
    assert table.state("elif", group).healing.unknown == 0


def test_who_found_somebody_in_whom_it_had_asked_in_itself_can_put_it_out(table: Table) -> None:
    cut(table)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    table.put("ayse", ev.InviteTo("ops", ("elif",)))
    table.part({"ayse", "burak"}, OTHER | {"elif"})
    table.put("cem", ev.InviteTo("ops", ("elif",)))
    table.run(5)
    table.put("elif", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    table.run(5)
    assert "elif" in table.view("deniz").roster
    heal(table, 90)
    table.put("ayse", ev.RemoveFrom("ops", "elif"))
    table.run(10)
    assert set(table.view("cem").roster) == set(ALL)


def test_a_lobby_that_was_closed_in_the_half_that_lost_goes_on(table: Table) -> None:
    cut(table)
    table.put("ayse", ev.CloseLobby("ops"))
    table.say("deniz", "#ops", "still here")
    heal(table, 90)
    assert table.stages() == {"ayse": "member", "burak": "ended", "cem": "leading", "deniz": "member"}
    assert "the lobby goes on under cem: it was not closed for everybody" in table.texts("ayse", "#ops")
    assert table.state("ayse", table.desks["ayse"].labels["#ops"]).ended == 0
    rest = ("ayse", "cem", "deniz")
    agreed(table, *rest)
    assert set(table.view("cem").roster) == set(rest)  # burak heard that it is closed, and is out
    assert table.words("ayse") == ["together", "still here"]


def test_whose_half_lost_to_one_that_is_closed_is_not_let_in(table: Table) -> None:
    cut(table)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    table.put("cem", ev.CloseLobby("ops"))
    heal(table, 90)
    assert set(table.stages().values()) == {"ended"}
    assert not [frame for _, _, frame in table.frames if isinstance(frame, Info)]


def test_the_half_that_counts_changes_its_leader_while_others_come_in(table: Table) -> None:
    cut(table)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    for name in ALL:
        table.say(name, "#ops", f"{name} apart")
    table.drop = lambda one, other, frame: one in ONE and other == "cem" and isinstance(frame, Submit)
    heal(table, 10)
    assert table.view("burak").healing
    table.part(ONE | {"deniz"}, {"cem"})
    table.drop = lambda *_: False
    table.run(90)
    assert not table.view("burak").healing
    agreed(table, "ayse", "burak", "deniz", lines=False)
    heal(table, 90)
    once(table, *(f"{name} apart" for name in ALL), lines=False)


def test_who_is_asked_into_a_half_that_loses_while_it_waits_to_come_in_lacks_nothing() -> None:
    """elif waits to come into burak's half, is put out there and asked in; cem's half, which had it in, counts."""
    table = Table(*ALL, "elif", "fatma")
    others = {"burak", "cem", "deniz", "fatma"}
    for one in (*ALL[1:], "elif", "fatma"):
        table.link("ayse", one)
    group = table.lobby("ayse", *ALL[1:], "elif", "fatma")
    table.run(70, 10)
    table.part({"ayse", "elif"}, others)
    table.run(30)
    table.put("ayse", ev.SetDeputies("ops", ("elif",)))
    table.say("deniz", "#ops", "missed")
    table.run(5)
    table.drop = lambda _one, _other, frame: isinstance(frame, Info)
    table.part({"elif", "burak"}, others)
    table.link("elif", "burak")
    assert table.state("elif", group).healing.step is Step.REJOIN
    table.drop = lambda *_: False
    table.part({"burak", "fatma"}, {"cem", "deniz"})
    table.run(40)
    table.put("burak", ev.RemoveFrom("ops", "elif"))
    table.run(3)
    table.put("fatma", ev.InviteTo("ops", ("elif",)))
    table.part({"burak", "fatma"}, {"elif", "fatma"}, {"cem", "deniz"})
    table.run(10)
    assert not table.view("elif").healing
    assert table.view("elif").leader == table.view("fatma").leader == "burak"
    table.part()
    table.run(120)
    assert table.view("elif").leader == "cem"
    assert table.words("elif") == ["missed"]


def test_who_comes_into_a_half_whose_leader_closes_the_lobby_is_out(table: Table, group: bytes) -> None:
    """burak has the group's state from before the lobby was closed, and lacks the entry that says so."""
    table.drop = lambda one, _, frame: one == "burak" and isinstance(frame, Submit)
    table.put("burak", ev.Arrived("ayse", Refused(group, 0, 0, Refusal.GONE)))
    table.run(5)
    assert table.state("burak", group).healing.step is Step.ENTER
    table.drop = lambda _, other, frame: other == "burak" and isinstance(frame, Ordered)
    table.put("ayse", ev.CloseLobby("ops"))
    table.run(30)
    assert set(table.stages().values()) == {"ended"}
