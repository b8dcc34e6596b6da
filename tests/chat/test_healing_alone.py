"""Who was on its way into another half, and goes on alone with its own half's keys, meets an order that counts."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.lobby_state import Step
from conclave.wire.frames import Frame
from conclave.wire.order import AskInfo, EntryKind, Submit
from tests.chat.desks import Table, together
from tests.chat.halves import agreed, take_terms

HALF = {"ayse", "burak", "gul"}
OTHER = {"deniz", "elif", "hakan"}
ALL = ("ayse", "burak", "cem", "deniz", "elif", "fatma", "gul", "hakan")


def alone(step: Step) -> Table:
    """cem, who was on his way into the half of deniz, elif and hakan, leads with the keys of his and fatma's.

    The half of ayse, burak and gul parted before these were made, and counts before both.
    """
    table = together(*ALL)
    group = table.desks["ayse"].labels["#ops"]
    table.part(HALF, OTHER | {"cem", "fatma"})
    table.run(30)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    table.say("gul", "#ops", "in the half that counts")
    for number in range(30):
        table.say("elif", "#ops", f"{number}")
    table.run(3)
    take_terms(table, "ayse", "burak", HALF, {"cem", "fatma"}, OTHER)
    table.put("cem", ev.SetDeputies("ops", ("cem", "fatma")))
    table.run(5)

    def drop(_one: str, _other: str, frame: Frame) -> bool:
        commit = isinstance(frame, Submit) and frame.kind is EntryKind.COMMIT
        return commit or (step is Step.REJOIN and isinstance(frame, AskInfo))

    table.drop = drop
    table.part(HALF, OTHER | {"cem"}, {"fatma"})
    table.run(30)
    assert table.state("cem", group).healing.step is step
    table.part(HALF, OTHER, {"cem", "fatma"})
    table.drop = lambda _one, _other, frame: isinstance(frame, AskInfo)
    while table.view("cem").term < 4:
        table.run(1)
    table.say("cem", "#ops", "said by cem")
    table.run(1)
    table.drop = lambda *_: False
    return table


def nothing_lost(table: Table, *names: str) -> None:
    group = table.desks["ayse"].labels["#ops"]
    agreed(table, *names, lines=False)
    assert {name: table.state(name, group).ears.lost for name in names} == dict.fromkeys(names, ())
    assert all(not table.troubles(name) for name in names)
    assert all("said by cem" in table.words(name) for name in names)


@pytest.mark.parametrize("step", [Step.REJOIN, Step.ENTER])
def test_who_went_on_with_its_halfs_keys_comes_in_anew_where_an_older_half_counts(step: Step) -> None:
    table = alone(step)
    table.part(HALF | {"cem"}, {"fatma"}, OTHER)
    table.run(120)
    table.part()
    table.run(300)
    nothing_lost(table, *ALL)
    assert all("in the half that counts" in table.words(name) for name in ALL)


@pytest.mark.parametrize("step", [Step.REJOIN, Step.ENTER])
def test_who_went_on_with_its_halfs_keys_comes_in_anew_where_the_half_it_was_to_come_into_counts(step: Step) -> None:
    """Its own order ended there where the two halves parted."""
    table = alone(step)
    take_terms(table, "deniz", "elif", OTHER, HALF, {"cem"}, {"fatma"})
    assert table.view("elif").term > table.view("cem").term
    table.part(HALF, OTHER | {"cem"}, {"fatma"})
    table.run(300)
    nothing_lost(table, "cem", *sorted(OTHER))
