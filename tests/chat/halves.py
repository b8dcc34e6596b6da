"""Lobbies that are cut and healed, homes that come back, and whether all are one again."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.effects import PutState
from conclave.chat.restoring import RESTORED_KEY, decode_remains, encode_remains, forget
from conclave.values import replace
from conclave.wire.order import AskInfo, Info, Run
from tests.chat.desks import Table, together
from tests.chat.people import own


def agreed(table: Table, *names: str, lines: bool = True) -> None:
    """These have one order and one group, and know it; and, with ``lines``, histories show the same in one order."""
    seen = {
        (one.seq, one.hash, one.epoch, one.authenticator, one.leader, one.roster)
        for one in (table.view(name) for name in names)
    }
    assert len(seen) == 1
    assert not lines or len({tuple(table.words(name)) for name in names}) == 1


ALL = ("ayse", "burak", "cem", "deniz")


ONE, OTHER = {"ayse", "burak"}, {"cem", "deniz"}


@pytest.fixture
def table() -> Table:
    return together(*ALL, beside=("elif",))


def cut(table: Table) -> None:
    """ayse leads on in her half, cem takes the next term in the other."""
    table.part(ONE | {"elif"}, OTHER)
    table.run(25)
    assert table.view("burak").leader == "ayse"
    assert table.view("deniz").leader == "cem"


def heal(table: Table, seconds: int = 60) -> None:
    table.part()
    table.run(seconds)


def once(table: Table, *said: str, lines: bool = True) -> None:
    """Everybody has all of it, once; in the same order too where nobody had to come in anew (``lines``)."""
    agreed(table, *ALL, lines=lines)
    for name in ALL:
        assert sorted(table.words(name)) == sorted(("together", *said))
    places = [{(one.id, one.seq) for one in table.lines(name, "#ops") if one.text in said} for name in ALL]
    assert places == [places[0]] * len(ALL)


def ask_in(table: Table, host: str, newcomer: str) -> None:
    table.put(host, ev.InviteTo("ops", (newcomer,)))
    table.run(2)
    table.put(newcomer, ev.AnswerRequest(host, accept=True, lobby="ops"))
    table.run(3)


def hear_of(table: Table, one: str, other: str) -> None:
    """``one`` hears that the half of ``other`` counts; the link is gone before anybody can come in there."""
    drop, table.drop = table.drop, lambda _one, _other, frame: isinstance(frame, AskInfo | Info)
    table.link(one, other)
    table.cut(one, other)
    table.drop = drop


APART = [f"apart {number}" for number in range(12)]


def half_that_counts_is_gone(table: Table, leader: str) -> None:
    """ayse says what is apart and lets elif in; cem and deniz, to whom her half loses, go; ``leader`` leads."""
    table.part({"ayse", "burak", "elif"}, {"cem", "deniz"})
    table.run(30)
    for text in APART:
        table.say("ayse", "#ops", text)
    ask_in(table, "ayse", "elif")
    if leader == "elif":
        table.put("ayse", ev.SetDeputies("ops", ("elif",)))
        table.run(3)
    table.part({"ayse"}, {"burak", "elif"}, {"cem"}, {"deniz"})
    for name in ("burak", "elif"):
        hear_of(table, name, "cem")
        assert table.view(name).healing
    while table.stages()[leader] != "leading":
        table.run(1)


def take_terms(table: Table, one: str, other: str, half: set[str], *rest: set[str]) -> None:
    """``half`` comes to higher terms: ``one`` and ``other`` of it lead in turn."""
    for name in (one, other, one, other):
        table.part({name}, half - {name}, *rest)
        table.run(30)
        table.part(half, *rest)
        table.run(15)


def restored(table: Table, name: str, *, nowhere: bool = False) -> None:
    """The home of ``name`` is lost, and comes back from a backup with another certificate.

    ``nowhere``: it knows no entry of the order that the others have.
    """
    for ends in [ends for ends in table.links if name in ends]:
        table.cut(*ends)
    store = table.stores[name]
    store.commit(forget(store.states(), store.outbox(), store.heads(), store.unsent()))
    remains = decode_remains(dict(store.states())[RESTORED_KEY])
    if nowhere:
        runs = (Run(1, 0, "zeki", 1, 0),)
        lobbies = tuple(replace(one, runs=runs, common=0, orphans=()) for one in remains.lobbies)
        store.commit([PutState(RESTORED_KEY, encode_remains(replace(remains, lobbies=lobbies)))])
    table.own[name], table.devices[name] = own(name, 2), "d2"
    table.desks[name] = table.restored(name)
    table.put(name, ev.Tick())
