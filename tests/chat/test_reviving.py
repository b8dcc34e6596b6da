"""A home restored from a backup goes on as the same person: blocks, lobbies and history stay, keys are new."""

from __future__ import annotations

import copy

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.restoring import RESTORED_KEY
from conclave.chat.state import Desk, Own
from conclave.chat.words.line import LineKind
from conclave.lobby import order as orders
from conclave.pki.revocation import Revocation
from conclave.store.memory import MemoryStore
from conclave.values import replace
from conclave.wire.delivery import Post
from conclave.wire.order import Head, Refusal, Refused, Run, Submit
from conclave.wire.posts import Leave, pack_parcel
from tests.chat.desks import Table
from tests.chat.halves import agreed, restored
from tests.chat.people import JUDGES, own


def test_a_restored_member_comes_into_its_lobbies_again_by_itself() -> None:
    table = Table("ayse", "burak", "cem")
    for one, other in (("ayse", "burak"), ("ayse", "cem"), ("burak", "cem")):
        table.link(one, other)
    table.lobby("ayse", "burak", "cem")
    table.say("burak", "#ops", "before")
    restored(table, "burak")
    assert RESTORED_KEY not in dict(table.stores["burak"].states())
    table.link("ayse", "burak")
    for _ in range(5):
        table.wait(3.0)
    table.say("ayse", "#ops", "after")
    table.say("burak", "#ops", "back")
    for name in table.desks:
        assert [text for text in table.texts(name, "#ops") if text in ("before", "after", "back")] == [
            "before", "after", "back",
        ]  # fmt: skip
    notices = [line.text for line in table.lines("cem", "#ops") if line.kind is LineKind.NOTICE]
    assert any(one.startswith("burak has a new certificate (another key)") for one in notices)
    seen = [views.lobby(desk, "#ops") for desk in table.desks.values()]
    assert len({view.authenticator for view in seen if view is not None}) == 1


def test_a_restored_member_is_told_who_came_and_who_went_since_the_backup() -> None:
    table = Table("ayse", "burak", "cem", "deniz")
    for other in ("burak", "cem", "deniz"):
        table.link("ayse", other)
    table.lobby("ayse", "burak", "cem")
    table.cut("ayse", "burak")
    table.reach = lambda one, other: "burak" not in (one, other)
    table.put("ayse", ev.RemoveFrom("ops", "cem"))
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(5)
    restored(table, "burak")
    before = len(table.texts("burak", "#ops"))
    table.part()
    table.run(30)
    agreed(table, "ayse", "burak", "deniz", lines=False)
    told = table.texts("burak", "#ops")[before:]
    assert told[:3] == ["you were let in again as a new device", "deniz entered", "cem is out"]


@pytest.mark.parametrize("others", [("burak",), ("burak", "cem", "deniz")], ids=["of two", "of four"])
def test_a_restored_leader_comes_in_again_under_another(others: tuple[str, ...]) -> None:
    table = Table("ayse", *others)
    for one in others:
        table.link("ayse", one)
    table.lobby("ayse", *others)
    table.say("burak", "#ops", "before")
    restored(table, "ayse")
    table.run(90)
    table.say("ayse", "#ops", "back")
    table.run(30)
    agreed(table, "ayse", *others, lines=False)
    assert table.view("burak").leader != "ayse"
    for name in table.desks:
        assert table.words(name) == ["before", "back"]


def _told(table: Table, name: str, by: str, leader: str, term: int = 9) -> str:
    """``by`` shows ``name`` the order of a leader; whom ``name`` follows then."""
    (group,) = table.desks[name].lobbies
    table.drop = lambda *_: True
    table.put(name, ev.Arrived(by, Head(group, 5, bytes(32), (Run(term, 0, leader, 1, 5),))))
    table.drop = lambda *_: False
    return table.state(name, group).leader


def test_who_came_from_a_backup_believes_its_leader_alone_about_who_leads() -> None:
    table = Table("ayse", "burak", "cem", "deniz")
    for one in ("burak", "cem", "deniz"):
        table.link("ayse", one)
    table.lobby("ayse", "burak", "cem", "deniz")
    restored(table, "burak")
    for by in ("cem", "deniz"):
        assert _told(table, "burak", by, "cem") == "ayse"
    assert _told(table, "burak", "ayse", "deniz") == "deniz"


def test_who_led_and_came_from_a_backup_believes_two_who_were_in_and_say_the_same() -> None:
    table = Table("ayse", "burak", "cem", "deniz", "zeki", "yusuf")
    for one in ("burak", "cem", "deniz"):
        table.link("ayse", one)
    table.lobby("ayse", "burak", "cem", "deniz")
    restored(table, "ayse")
    for by in ("zeki", "yusuf", "deniz", "deniz"):
        assert _told(table, "ayse", by, "deniz") == "ayse"
    assert _told(table, "ayse", "cem", "deniz", term=8) == "ayse"
    assert _told(table, "ayse", "cem", "deniz") == "deniz"


@pytest.mark.parametrize("removed", [False, True], ids=["in", "removed since"])
@pytest.mark.parametrize("others", [("burak",), ("burak", "cem"), ("burak", "cem", "deniz")], ids=["2", "3", "4"])
def test_who_led_and_came_from_a_backup_finds_out_who_leads_by_now(others: tuple[str, ...], *, removed: bool) -> None:
    """Only who leads by now looks for it: it looks for the others itself."""
    table = Table("ayse", *others)
    for one in others:
        table.link("ayse", one)
    table.lobby("ayse", *others)
    table.part(set(others), {"ayse"})
    if removed:
        table.put("burak", ev.RemoveFrom("ops", "ayse"))
    table.run(60)
    restored(table, "ayse")
    table.part()
    table.run(120)
    if removed:
        assert table.stages()["ayse"] == "ended"
    else:
        agreed(table, "ayse", *others, lines=False)


@pytest.mark.parametrize("how", ["gone", "left", "removed"])
@pytest.mark.parametrize("linked", [False, True], ids=["away", "linked"])
def test_whose_leader_of_then_is_no_more_hears_of_the_others_who_leads(how: str, *, linked: bool) -> None:
    table = Table("ayse", "burak", "cem", "deniz")
    for one in ("burak", "cem", "deniz"):
        table.link("ayse", one)
    group = table.lobby("ayse", "burak", "cem", "deniz")
    table.part({"ayse", "burak", "deniz"}, {"cem"})
    if how == "left":
        table.put("ayse", ev.LeaveLobby("ops"))
    if how == "removed":
        table.put("burak", ev.RemoveFrom("ops", "ayse"))
    table.run(60)
    if how == "gone":
        table.part({"burak", "deniz"}, {"ayse"}, {"cem"})
        table.run(60)
    restored(table, "cem")
    table.part(*() if linked else ({"burak", "cem", "deniz"}, {"ayse"}))
    table.run(120)
    agreed(table, "burak", "cem", "deniz", lines=False)
    assert table.state("cem", group).asked == ()


def test_who_came_from_a_backup_into_a_lobby_of_many_terms_asks_the_others_whether_there_are() -> None:
    table = Table("ayse", "burak", "cem", "deniz")
    for one in ("burak", "cem", "deniz"):
        table.link("ayse", one)
    group = table.lobby("ayse", "burak", "cem", "deniz")
    table.part({"ayse", "burak", "deniz"}, {"cem"})
    for name in ("ayse", "burak", "deniz"):
        desk, lobby = table.desks[name], table.state(name, group)
        assert lobby.order is not None
        run = Run(5000, 0, "ayse", lobby.order.seq + 1, lobby.order.seq)
        lobby = replace(lobby, lead=replace(run, first=0, last=0), order=orders.new_term(lobby.order, run))
        table.desks[name] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    restored(table, "cem")
    table.part()
    table.run(120)
    agreed(table, "ayse", "burak", "cem", "deniz", lines=False)


def test_who_was_in_and_has_gone_before_is_no_stranger_to_a_home_from_a_backup() -> None:
    table = Table("ayse", "burak", "cem")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    table.lobby("ayse", "burak", "cem")
    table.say("burak", "#ops", "bye")
    table.put("burak", ev.LeaveLobby("ops"))
    table.run(10)
    restored(table, "cem", nowhere=True)
    table.run(30)
    told = [text for text in table.texts("cem", "#ops") if "brings words of" in text]
    assert told == ["ayse brings words of burak from before this device was in #ops; who was then, it cannot tell"]
    assert table.words("cem") == ["bye"]


def test_who_is_on_its_way_in_from_a_backup_goes_along_with_its_leader_to_another_half() -> None:
    table = Table("burak", "cem", "deniz", "elif")
    for one in ("cem", "deniz", "elif"):
        table.link("burak", one)
    table.lobby("burak", "cem", "deniz", "elif")
    table.part({"burak", "deniz"}, {"cem", "elif"})
    table.run(60)
    table.say("burak", "#ops", "in our half")
    table.drop = lambda one, _, frame: one == "deniz" and isinstance(frame, Submit)
    restored(table, "deniz")
    table.run(5)
    table.part({"burak", "cem", "elif"}, {"deniz"})
    table.run(20)
    table.drop = lambda *_: False
    table.part()
    table.run(120)
    agreed(table, "burak", "cem", "deniz", "elif", lines=False)


def test_who_led_and_came_from_a_backup_leads_no_more_whoever_says_so() -> None:
    table = Table("ayse", "burak", "cem")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    table.lobby("ayse", "burak", "cem")
    restored(table, "ayse")
    (group,) = table.desks["ayse"].lobbies
    for by in ("burak", "cem"):
        _told(table, "ayse", by, "ayse")
    lead = table.state("ayse", group).lead
    assert lead is not None
    assert lead.term == 0


def _swapped(table: Table, name: str, home: tuple[Desk, MemoryStore, Own]) -> tuple[Desk, MemoryStore, Own]:
    """The home of ``name`` that is up goes down, and another one of the same person comes up."""
    for ends in [ends for ends in table.links if name in ends]:
        table.cut(*ends)
    before = table.desks[name], table.stores[name], table.own[name]
    table.desks[name], table.stores[name], table.own[name] = home
    table.devices[name] = f"d{2 if home[2] == own(name, 2) else 1}"
    return before


def test_whose_later_device_is_revoked_is_put_out_and_asked_in_again() -> None:
    table = Table("ayse", "burak", "cem")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    table.lobby("ayse", "burak", "cem")
    old = table.desks["burak"], copy.deepcopy(table.stores["burak"]), table.own["burak"]
    restored(table, "burak")
    table.run(30)
    stolen = own("burak", 2).credential.certificates[0]
    _swapped(table, "burak", old)
    judges = replace(JUDGES, revoked=lambda one: Revocation("stolen") if one == stolen else None)
    for name in table.desks:
        table.put(name, ev.JudgesChanged(judges))
    table.run(60)
    assert table.view("ayse").roster == ("ayse", "cem")
    assert "certificate revoked" in table.texts("cem", "#ops")[-1]
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    table.run(5)
    table.put("burak", ev.AnswerRequest("ayse", lobby="ops", accept=True))
    table.run(10)
    assert set(table.view("ayse").roster) == {"ayse", "burak", "cem"}
    table.say("ayse", "#ops", "welcome back")
    assert table.words("burak")[-1] == "welcome back"


@pytest.mark.parametrize("since", ["nothing", "out", "let in"])
def test_an_old_device_that_comes_up_again_does_not_put_its_person_out(since: str) -> None:
    """It was put out by the commit that let the new one in, or never heard of the lobby."""
    table = Table("ayse", "burak", "cem")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    if since != "let in":
        table.lobby("ayse", "burak", "cem")
    old = table.desks["burak"], copy.deepcopy(table.stores["burak"]), table.own["burak"]
    restored(table, "burak")
    table.run(10)
    if since == "let in":
        table.link("ayse", "burak")
        table.lobby("ayse", "burak", "cem")
    new = _swapped(table, "burak", old)
    table.run(60)
    for _ in range(2):
        table.say("ayse", "#ops", "here?")
        table.run(20)
        if since == "out":
            table.restart("burak")
    assert table.view("ayse").roster == ("ayse", "burak", "cem")
    if since != "let in":
        assert table.stages()["burak"] == "ended"
        assert table.texts("burak", "#ops")[-1] == "another device of yours took the place of this one"
    _swapped(table, "burak", new)
    table.run(30)
    assert table.words("burak") == ["here?", "here?"]
    assert "burak left" not in table.texts("cem", "#ops")


def _with_the_old_one_up() -> tuple[Table, tuple[Desk, MemoryStore, Own]]:
    """burak is in by a new device, and his old one is up; the new one's home."""
    table = Table("ayse", "burak", "cem")
    table.stock()
    for one in ("burak", "cem"):
        table.link("ayse", one)
    table.lobby("ayse", "burak", "cem")
    old = table.desks["burak"], copy.deepcopy(table.stores["burak"]), table.own["burak"]
    restored(table, "burak")
    table.run(30)
    new = _swapped(table, "burak", old)
    table.run(30)
    return table, new


def test_what_an_old_device_says_to_have_is_mailed_to_the_new_one() -> None:
    table, new = _with_the_old_one_up()
    table.part({"ayse", "cem"}, {"burak"})
    table.say("ayse", "#ops", "while both are away")
    table.run(2)
    table.part()
    table.run(20)
    table.part({"ayse", "cem"}, {"burak"})
    table.run(60)
    _swapped(table, "burak", new)
    table.collect("burak")
    assert table.words("burak") == ["while both are away"]


def test_a_lobby_that_closes_waits_for_no_device_whose_person_is_back_on_an_older_one() -> None:
    table, new = _with_the_old_one_up()
    table.failing["burak"] = "mailbox-full"
    table.put("ayse", ev.CloseLobby("ops"))
    table.run(120, 5)
    assert table.stages()["ayse"] == "closing"  # the new device may come back, and would hear nothing
    table.failing.clear()
    table.run(4000, 20)
    assert table.stages()["ayse"] == "ended"
    table.part({"ayse", "cem"}, {"burak"})
    _swapped(table, "burak", new)
    table.collect("burak")
    assert table.stages()["burak"] == "ended"


def test_who_comes_from_a_backup_into_a_lobby_that_closes_is_not_in_any_more() -> None:
    table = Table("ayse", "burak", "cem")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    table.lobby("ayse", "burak", "cem")
    table.part({"ayse"}, {"burak", "cem"})
    table.put("ayse", ev.CloseLobby("ops"))
    restored(table, "burak")
    table.part()
    table.run(60)
    assert set(table.stages().values()) == {"ended"}


def test_an_old_device_that_is_linked_keeps_no_mail_from_the_new_one() -> None:
    table, new = _with_the_old_one_up()
    assert frozenset(("ayse", "burak")) in table.links
    table.restart("ayse")
    table.run(10)
    assert frozenset(("ayse", "burak")) in table.links
    table.say("ayse", "#ops", "hello, new one")
    table.run(30)
    _swapped(table, "burak", new)
    table.collect("burak")
    assert table.words("burak") == ["hello, new one"]


@pytest.mark.parametrize(("device", "people"), [("d1", {"ayse", "burak", "cem"}), ("d2", {"ayse", "cem"})])
def test_that_an_old_device_left_does_not_put_the_new_one_out_by_mail(device: str, people: set[str]) -> None:
    table = Table("ayse", "burak", "cem")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    group = table.lobby("ayse", "burak", "cem")
    restored(table, "burak")
    table.run(30)
    kind, body = pack_parcel(Leave(group))
    table.put("ayse", ev.Mailed("burak", (Post(bytes(8), 1, 1, kind, body),), 1, device))
    table.run(5)
    assert set(table.view("ayse").roster) == people


def test_an_old_device_that_lacks_too_much_does_not_take_the_place_of_the_new_one() -> None:
    table = Table("ayse", "burak", "cem")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    group = table.lobby("ayse", "burak", "cem")
    old = table.desks["burak"], copy.deepcopy(table.stores["burak"]), table.own["burak"]
    restored(table, "burak")
    table.run(10)
    new = _swapped(table, "burak", old)
    table.put("burak", ev.Arrived("ayse", Refused(group, 0, 0, Refusal.GONE)))
    table.run(30)
    assert table.stages()["burak"] == "ended"
    _swapped(table, "burak", new)
    table.run(30)
    agreed(table, "ayse", "burak", "cem", lines=False)


def test_whose_home_is_lost_is_put_out_by_what_its_next_device_says() -> None:
    table = Table("ayse", "burak", "cem")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    table.lobby("ayse", "burak", "cem")
    table.lose_home("burak")
    table.own["burak"], table.devices["burak"] = own("burak", 2), "d2"
    table.desks["burak"] = table.restored("burak")
    table.run(20)
    assert table.view("ayse").roster == ("ayse", "cem")


def test_people_are_spoken_with_in_new_groups_and_blocks_stay() -> None:
    table = Table("ayse", "burak", "cem")
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "before")
    table.put("burak", ev.AnswerRequest("ayse", accept=True))
    table.put("burak", ev.AnswerRequest("cem", accept=False, block=True))
    restored(table, "burak")
    assert views.pair(table.desks["burak"], "cem").ours == "blocked"
    table.link("ayse", "burak")
    table.say("burak", "@ayse", "back")
    table.say("ayse", "@burak", "welcome")
    assert table.words("ayse", "@burak") == ["before", "back", "welcome"]
    assert table.texts("burak", "@ayse") == ["before", "back", "welcome"]
