"""A home from a backup whose leader is gone, among members of whom no two with keys say the same."""

from __future__ import annotations

import copy

import pytest

from conclave.chat import events as ev
from tests.chat.desks import Table, together
from tests.chat.halves import agreed, ask_in, restored


def test_one_who_has_keys_lets_in_three_who_have_none() -> None:
    """ayse led when the backups were made; burak alone kept his home."""
    table = together("ayse", "burak", "cem", "deniz")
    table.part({"ayse"}, {"burak"}, {"cem"}, {"deniz"})
    for name in ("ayse", "cem", "deniz"):
        restored(table, name)
    table.part()
    table.run(600, 2)
    agreed(table, "ayse", "burak", "cem", "deniz", lines=False)


def test_two_who_each_led_when_their_backups_were_made_come_in_where_the_third_has_keys() -> None:
    table = together("ayse", "burak", "cem")
    first = copy.deepcopy(table.stores["ayse"])
    table.part({"ayse"}, {"burak", "cem"})
    table.put("burak", ev.SetDeputies("ops", ("cem",)))
    table.run(35)
    table.part({"burak"}, {"ayse", "cem"})
    table.run(60)
    table.part({"burak", "cem"}, {"ayse"})
    table.run(60)
    assert table.view("cem").leader == "cem"
    table.stores["ayse"] = first
    table.part({"ayse"}, {"burak"}, {"cem"})
    for name in ("ayse", "cem"):
        restored(table, name)
    table.part()
    table.run(600, 2)
    agreed(table, "ayse", "burak", "cem", lines=False)


@pytest.fixture
def split() -> Table:
    """ayse and cem put each other out, and go on alone; burak, who led when his backup was made, comes from it."""
    table = together("burak", "ayse", "cem")
    backup = copy.deepcopy(table.stores["burak"])
    table.part({"burak"}, {"ayse", "cem"})
    table.run(30)
    table.part({"burak"}, {"ayse"}, {"cem"})
    for one, other in (("ayse", "cem"), ("cem", "ayse")):
        table.put(one, ev.RemoveFrom("ops", other))
    table.part({"burak", "cem"}, {"ayse"})  # cem needs somebody to lead
    table.run(40)
    table.part({"burak"}, {"cem"}, {"ayse"})
    table.run(20)
    assert all(table.view(name).leader == name for name in ("ayse", "cem"))
    table.stores["burak"] = backup
    restored(table, "burak")
    table.say("burak", "#ops", "waits")
    return table


def test_where_two_put_each_other_out_it_comes_in_to_whose_order_counts(split: Table) -> None:
    counts = max(("ayse", "cem"), key=lambda name: split.view(name).term)
    split.part()
    split.run(600, 2)
    assert split.view("burak").leader == counts
    assert "waits" in split.words(counts)


@pytest.mark.parametrize("there", ["ayse", "cem"])
def test_one_alone_is_not_believed_while_another_was_not_heard(split: Table, there: str) -> None:
    """It may have been put out since."""
    split.part({"burak", there}, {"ayse", "cem"} - {there})
    split.run(1200, 2)
    assert split.view("burak").healing
    assert "waits" not in split.words(there)


def test_who_comes_from_a_backup_comes_into_one_of_two_halves_that_put_each_other_out() -> None:
    """cem, who led, and deniz come from backups; ayse and burak have keys, and follow nobody but themselves."""
    table = together("cem", "deniz", "ayse", "burak")
    table.part({"ayse"}, {"burak"}, {"cem"}, {"deniz"})
    backups = {name: copy.deepcopy(table.stores[name]) for name in ("cem", "deniz")}
    table.part({"ayse", "deniz"}, {"burak"}, {"cem"})
    table.run(30)
    table.put("ayse", ev.RemoveFrom("ops", "burak"))
    table.put("ayse", ev.SetDeputies("ops", ("ayse",)))
    table.run(5)
    table.stores["cem"] = backups["cem"]
    restored(table, "cem")
    table.part({"ayse", "deniz"}, {"burak", "cem"})
    table.run(60)
    table.put("burak", ev.RemoveFrom("ops", "ayse"))
    table.run(10)
    table.part({"ayse"}, {"burak", "cem"}, {"deniz"})
    table.stores["deniz"] = backups["deniz"]
    restored(table, "deniz")
    table.part({"ayse", "deniz"}, {"burak", "cem"})
    table.run(60)
    table.part()
    table.run(1200, 2)
    assert not any(table.view(name).healing for name in ("cem", "deniz"))


@pytest.mark.parametrize("heard", [False, True])
def test_it_comes_in_though_a_leader_of_whom_it_heard_is_gone_since(heard: bool) -> None:
    """ayse, who led when the backup was made, is not waited for again because elif led since."""
    table = together("ayse", "burak", "cem", "deniz", beside=("elif",))
    backup = copy.deepcopy(table.stores["deniz"])
    table.part({"ayse"}, {"deniz"}, {"burak", "cem", "elif"})  # ayse is never back
    table.run(30)
    ask_in(table, "burak", "elif")
    table.put("burak", ev.SetDeputies("ops", ("elif",)))
    table.run(5)
    for half in ({"burak"}, {"cem", "elif"}), ({"burak", "cem", "elif"},):
        table.part({"ayse"}, {"deniz"}, *half)
        table.run(40)
    assert table.view("burak").leader == table.view("cem").leader == "elif"
    table.stores["deniz"] = backup
    restored(table, "deniz")
    if heard:  # burak and cem say so of elif, whom deniz does not reach
        apart = ({"deniz", "elif"}, {"ayse"})
        table.reach = lambda one, other: not any(ends <= {one, other} for ends in apart)
        table.run(30)
        assert table.view("deniz").leader == "elif"
    else:
        table.part({"ayse"}, {"deniz"}, {"burak", "cem", "elif"})
    table.put("cem", ev.LeaveLobby("ops"))
    table.run(20)
    table.part({"ayse"}, {"elif"}, {"burak", "cem", "deniz"})  # nor is elif
    table.run(1200, 5)
    assert not table.view("deniz").healing
    assert table.view("deniz").leader == "burak"


def test_who_follows_a_leader_that_came_from_a_backup_and_into_another_half_goes_on_without_it() -> None:
    """burak led cem in a term of which his backup knows nothing, and follows deniz, whom cem wants out."""
    table = together("deniz", "burak", "cem")
    backup = copy.deepcopy(table.stores["burak"])
    table.part({"deniz"}, {"burak", "cem"})
    table.run(30)
    assert table.view("cem").leader == "burak"
    table.part({"deniz"}, {"burak"}, {"cem"})
    table.stores["burak"] = backup
    restored(table, "burak")
    table.part({"burak", "deniz"}, {"cem"})
    table.run(120)
    assert table.view("burak").leader == "deniz"
    table.put("cem", ev.RemoveFrom("ops", "deniz"))
    table.say("cem", "#ops", "without deniz")
    table.part()
    table.run(600, 2)
    assert table.view("cem").waiting == 0
    assert "without deniz" in table.words("burak")
