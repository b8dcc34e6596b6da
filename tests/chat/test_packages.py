"""Key packages of ours: a stock at the authority, a last resort, used once, bounded."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.effects import Publish
from conclave.chat.packages import LAST_KEPT
from conclave.chat.settings import Settings
from conclave.mls import group as mls
from conclave.wire.packages import AskPackage
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
    held = {reference for reference, _ in table.desks["ayse"].packages.items()}
    references = [mls.reference(mls.read_key_package(one)) for one in lasts]
    assert [one in held for one in references] == [False] * (5 - LAST_KEPT) + [True] * LAST_KEPT
    assert table.desks["ayse"].last == table.restored("ayse").last


def test_whoever_asks_without_end_makes_no_more_keys_than_are_held() -> None:
    table = Table("ayse", "burak", settings=Settings(stock=4, packages=10))
    table.link("ayse", "burak")
    for _ in range(50):
        table.put("ayse", ev.Arrived("burak", AskPackage()))
    assert len(table.desks["ayse"].packages) <= 10
    states = [key for key, _ in table.stores["ayse"].states() if key.startswith("package/")]
    assert len(states) <= 10


def test_a_package_serves_once_and_the_last_resort_more_often() -> None:
    table = Table("ayse", "burak", "cem", settings=Settings(stock=1))
    table.stock("ayse")
    single, last = table.published["ayse"]
    for name in ("burak", "cem"):
        table.published["ayse"] = [last]
        table.say(name, "@ayse", f"from {name}")
        table.link("ayse", name)
        assert table.words("ayse", "@" + name) == [f"from {name}"]
    held = {reference for reference, _ in table.desks["ayse"].packages.items()}
    assert held == {mls.reference(mls.read_key_package(one)) for one in (single, last)}
