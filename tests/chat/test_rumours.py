"""Leaders that members only name: looked for, and nothing kept of them."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.lobbies.audience import RUMOUR_KEPT_SECONDS
from conclave.chat.lobbies.healing import RUMOUR_SECONDS
from conclave.wire.delivery import Post
from conclave.wire.order import Head, Run
from conclave.wire.posts import Leave, pack_parcel
from tests.chat.desks import Table
from tests.chat.halves import agreed

ALL = ("ayse", "burak", "cem", "deniz")


@pytest.fixture
def table() -> Table:
    table = Table(*ALL)
    for one in ALL[1:]:
        table.link("ayse", one)
    table.lobby("ayse", *ALL[1:])
    for one in ("cem", "deniz"):
        table.link("burak", one)
    table.reach = lambda one, other: one in ALL and other in ALL
    return table


def names(table: Table, teller: str, leader: str, term: int) -> None:
    """``teller`` tells burak that ``leader`` leads."""
    (group,) = table.desks["burak"].lobbies
    table.step("burak", ev.Arrived(teller, Head(group, 3, bytes(32), (Run(term, 0, leader, 1, 3),))))


def known(table: Table) -> set[str]:
    return set(table.desks["burak"].peers) - set(ALL)


def on_disk(table: Table) -> set[str]:
    return {key.removeprefix("peer/") for key, _ in table.stores["burak"].states() if key.startswith("peer/")}


def test_of_one_member_one_leader_is_believed_in_a_while_and_the_others_are_forgotten(table: Table) -> None:
    for number in range(100):
        names(table, "cem", f"nobody{number}", 9 + number)
    assert known(table) == table.wants("burak") - set(ALL) == {"nobody0"}
    names(table, "deniz", "other", 300)
    assert known(table) == table.wants("burak") - set(ALL) == {"nobody0", "other"}
    table.run(RUMOUR_SECONDS, 5)
    names(table, "cem", "later", 400)
    assert known(table) == table.wants("burak") - set(ALL) == {"later", "other"}
    table.run(RUMOUR_KEPT_SECONDS + 5, 5)
    assert not known(table) | (table.wants("burak") - set(ALL)), "nobody says so again"
    names(table, "cem", "again", 400)
    assert on_disk(table) <= set(ALL)
    table.restart("burak")
    assert not known(table) | (views.wanted(table.desks["burak"]) - set(ALL))
    assert table.view("burak").leader == "ayse"


def test_a_stranger_who_was_linked_leaves_nothing_on_disk_and_one_who_said_something_does(table: Table) -> None:
    for one in ("elif", "feride"):
        table.step("burak", ev.Linked(one, 64))
    kind, body = pack_parcel(Leave(b"g" * 16))
    table.step("burak", ev.Arrived("feride", Post(b"feridefe", 1, 1, kind, body)))
    for one in ("elif", "feride"):
        table.step("burak", ev.Unlinked(one))
    assert known(table) == on_disk(table) - set(ALL) == {"feride"}
    table.restart("burak")
    assert known(table) == {"feride"}


@pytest.mark.parametrize("before", [False, True])
def test_two_leaders_who_never_met_hear_of_each_other_by_members_and_the_halves_come_together(before: bool) -> None:
    """Each was let in in its own half, and leads it as a deputy. They are linked ``before`` they hear, or because."""
    table = Table("elif", *ALL, "fatma")
    everybody = ("elif", *ALL, "fatma")
    for one in ("cem", "burak", "deniz"):
        table.link("elif", one)
    table.lobby("elif", "cem", "burak", "deniz")
    table.run(70, 10)
    half, rest = {"elif", "cem", "ayse"}, {"burak", "deniz", "fatma"}
    table.part(half, rest)
    table.run(30)
    for host, newcomer in (("elif", "ayse"), ("burak", "fatma")):
        table.put(host, ev.InviteTo("ops", (newcomer,)))
        table.run(2)
        table.put(newcomer, ev.AnswerRequest(host, accept=True, lobby="ops"))
        table.run(3)
        table.put(host, ev.SetDeputies("ops", (newcomer,)))
        table.run(3)
    table.part(half - {"elif"}, rest - {"burak"})  # the deputies lead
    table.run(40)
    table.part(half, rest)
    table.run(60)
    assert [table.view(name).leader for name in ("cem", "deniz")] == ["ayse", "fatma"]
    for name in everybody:
        table.say(name, "#ops", f"{name} apart")
    table.part()
    if before:
        table.link("ayse", "fatma")
    table.run(180)
    agreed(table, *everybody, lines=False)
    for name in ("elif", "burak", "cem", "deniz"):
        assert sorted(table.words(name)) == sorted(f"{one} apart" for one in everybody)
