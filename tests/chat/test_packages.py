"""Key packages of ours: a stock at the authority, a last resort, used once, bounded."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.deeds import Publish, Send
from conclave.chat.packages import HANDED_KEPT, HANDED_SECONDS, LAST_KEPT
from conclave.chat.settings import Settings
from conclave.mls import group as mls
from conclave.wire.delivery import Post
from conclave.wire.packages import AskPackage
from conclave.wire.posts import Invite, pack_parcel
from tests.chat.desks import Table
from tests.chat.people import JUDGES, own


def published(table: Table, name: str) -> list[Publish]:
    return [one for one in table.effects[name] if isinstance(one, Publish)]


@pytest.fixture
def table() -> Table:
    return Table("ayse", settings=Settings(stock=4, packages=10))


def test_the_stock_is_filled_once_and_refilled_when_half_is_gone(table: Table) -> None:
    table.put("ayse", ev.StockTold(0))
    (first,) = published(table, "ayse")
    assert (len(first.packages), bool(first.last), first.replace) == (4, True, True)
    for count in (4, 3):
        table.put("ayse", ev.StockTold(count))
    assert len(published(table, "ayse")) == 1
    table.put("ayse", ev.StockTold(1))
    second = published(table, "ayse")[1]
    assert (len(second.packages), second.last, second.replace) == (3, first.last, False)


def test_every_package_is_ours_and_another(table: Table) -> None:
    table.stock()
    packages = table.published["ayse"]
    assert len(set(packages)) == 5
    for data in packages:
        package = mls.read_key_package(data)
        whose = mls.identify_package(package, verify=JUDGES.newcomers, now=table.now)
        assert whose.identity == b"ayse"


def test_a_new_certificate_replaces_the_whole_stock(table: Table) -> None:
    table.stock()
    table.put("ayse", ev.OwnChanged(own("ayse", 2)))
    table.put("ayse", ev.StockTold(4))
    last = published(table, "ayse")[-1]
    assert (len(last.packages), last.replace) == (4, True)
    for data in (*last.packages, last.last):
        assert mls.read_key_package(data).leaf.credential == own("ayse", 2).credential


def test_the_last_resort_is_renewed_in_its_time_and_the_one_before_is_kept(table: Table) -> None:
    table.stock()
    lasts = [published(table, "ayse")[0].last]
    for _ in range(4):
        table.now += table.settings.package_life / 2 + 7200
        table.put("ayse", ev.StockTold(4))
        lasts.append(published(table, "ayse")[-1].last)
    assert len(set(lasts)) == 5
    known = [mls.reference(mls.read_key_package(one)) for one in lasts]
    assert [one in held(table, "ayse") for one in known] == [False] * (5 - LAST_KEPT) + [True] * LAST_KEPT
    assert table.desks["ayse"].last == table.restored("ayse").last


def test_whoever_asks_without_end_makes_no_more_keys_than_are_held() -> None:
    table = Table("ayse", "burak", settings=Settings(stock=4, packages=10))
    table.link("ayse", "burak")
    for _ in range(50):
        table.put("ayse", ev.Arrived("burak", AskPackage()))
    assert len(table.desks["ayse"].packages) <= 10
    states = [key for key, _ in table.stores["ayse"].states() if key.startswith("package/")]
    assert len(states) <= 10


def held(table: Table, name: str) -> set[bytes]:
    return {reference for reference, _ in table.desks[name].packages.items()}


def references(packages: list[bytes]) -> set[bytes]:
    return {mls.reference(mls.read_key_package(one)) for one in packages}


def handed(table: Table, name: str, peer: str) -> bytes:
    """What ``name`` hands to a peer that asks."""
    effects = table.put(name, ev.Arrived(peer, AskPackage()))
    (package,) = [one.frame.package for one in effects if isinstance(one, Send)]  # type: ignore[union-attr]
    return package


def test_whoever_asks_gets_the_same_until_it_was_used_or_a_day_passed() -> None:
    table = Table("ayse", "burak", "cem")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    first, other = handed(table, "ayse", "burak"), handed(table, "ayse", "cem")
    table.now += 3600
    assert handed(table, "ayse", "burak") == first != other
    table.now += HANDED_SECONDS
    second = handed(table, "ayse", "burak")
    assert second != first
    assert held(table, "ayse") == references([first, second, other])
    table.now += HANDED_SECONDS
    third = handed(table, "ayse", "burak")
    assert held(table, "ayse") == references([second, third, other])
    table.say("burak", "@ayse", "hello")
    assert references([third]).isdisjoint(held(table, "ayse"))
    assert handed(table, "ayse", "burak") not in (first, second, third)


@pytest.mark.parametrize("restarted", [False, True])
def test_whoever_asks_over_another_link_gets_another_and_holds_no_more_of_them(*, restarted: bool) -> None:
    """It may have lost its home, and what it began with the first may wait in the mailbox."""
    table = Table("ayse", "burak", "cem")
    table.stock("ayse")
    before = held(table, "ayse")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    packages = [handed(table, "ayse", "burak")]
    other = handed(table, "ayse", "cem")
    for _ in range(20):
        if restarted:
            table.restart("ayse")
        else:
            table.cut("ayse", "burak")
        table.now += 60
        table.link("ayse", "burak")
        packages.append(handed(table, "ayse", "burak"))
        assert handed(table, "ayse", "burak") == packages[-1]
        assert held(table, "ayse") == before | references([other, *packages[-HANDED_KEPT:]])
    assert len(set(packages)) == len(packages)


def test_who_lost_its_home_and_asks_again_is_heard_from_both() -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.drop = lambda one, _, frame: one == "burak" and isinstance(frame, Post)
    table.say("burak", "@ayse", "first home")
    table.cut("ayse", "burak")
    table.wait(20)
    assert table.mail["ayse"]
    table.lose_home("burak")
    table.link("ayse", "burak")
    table.say("burak", "@ayse", "second home")
    assert table.collect("ayse")
    table.drop = lambda *_: False
    table.run(60)
    assert table.words("ayse", "@burak") == ["first home", "second home"]
    assert table.troubles("ayse") == []


def test_a_new_certificate_is_handed_out_at_once(table: Table) -> None:
    table.step("ayse", ev.Linked("burak", 64))
    handed(table, "ayse", "burak")
    table.put("ayse", ev.OwnChanged(own("ayse", 2)))
    assert mls.read_key_package(handed(table, "ayse", "burak")).leaf.credential == own("ayse", 2).credential


def test_whoever_asks_takes_no_room_of_those_at_the_authority_or_of_an_answer() -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.stock("burak")
    table.put("ayse", ev.OpenLobby("ops", b"g" * 16, ("burak",)))
    table.drop = lambda one, _, __: one == "burak"
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    before = held(table, "burak")
    assert len(before) == table.settings.stock + 2
    table.drop = lambda *_: False
    table.restart("burak")
    for number in range(300):
        table.now += 1
        table.step("burak", ev.Linked(f"p{number}", 64))
        table.step("burak", ev.Arrived(f"p{number}", AskPackage()))
    assert before <= held(table, "burak")
    assert len(held(table, "burak")) <= table.settings.packages
    table.link("ayse", "burak")
    table.run(3)
    assert table.view("burak").roster == ("ayse", "burak")


def test_who_invites_a_member_again_and_again_makes_it_hold_one() -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    group = table.lobby("ayse", "burak")
    table.stock("burak")
    before = held(table, "burak")
    stream, last, _ = table.desks["burak"].peers.get("ayse").inbound.streams[0]  # type: ignore[union-attr]
    for number in range(300):
        kind, body = pack_parcel(Invite(group, "ops", ("ayse", "burak")))
        table.step("burak", ev.Arrived("ayse", Post(stream, last + 1 + number, 1, kind, body)))
    assert before <= held(table, "burak")
    assert len(held(table, "burak")) == len(before) + 1


def test_members_who_invite_again_take_no_room_of_an_answer_that_is_awaited() -> None:
    table = Table("ayse", "burak", "cem", settings=Settings(stock=4, packages=12))
    for one in ("ayse", "cem"):
        table.link(one, "burak")
    lobbies = [table.lobby("ayse", "burak", name=f"l{number}") for number in range(6)]
    table.put("cem", ev.OpenLobby("ops", b"g" * 16, ("burak",)))
    table.drop = lambda one, other, _: (one, other) == ("burak", "cem")
    table.put("burak", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    (awaited,) = held(table, "burak")
    stream, last, _ = table.desks["burak"].peers.get("ayse").inbound.streams[0]  # type: ignore[union-attr]
    for number, group in enumerate(lobbies, start=1):
        table.now += 1
        kind, body = pack_parcel(Invite(group, "ops", ("ayse", "burak")))
        table.step("burak", ev.Arrived("ayse", Post(stream, last + number, 1, kind, body)))
    assert awaited in held(table, "burak")
    assert len(held(table, "burak")) == 1 + 12 // 4


def test_what_was_handed_out_is_given_back_with_the_lobby() -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.put("ayse", ev.OpenLobby("ops", b"g" * 16, ("burak",)))
    table.drop = lambda *_: True
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    assert len(held(table, "burak")) == 1
    table.put("burak", ev.LeaveLobby("ops"))
    assert not held(table, "burak")


def test_a_package_serves_once_and_the_last_resort_more_often() -> None:
    table = Table("ayse", "burak", "cem", settings=Settings(stock=1))
    table.stock("ayse")
    single, last = table.published["ayse"]
    for name in ("burak", "cem"):
        table.published["ayse"] = [last]
        table.say(name, "@ayse", f"from {name}")
        table.link("ayse", name)
        assert table.words("ayse", "@" + name) == [f"from {name}"]
    assert held(table, "ayse") == references([single, last])
