"""Two halves whose orders share no leader that either still names: after many terms, or by a lie.

Left out: what a lie about it may not bring about (``test_hostile_newcomer``).
"""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.lobby_state import Step
from conclave.lobby import order as orders
from tests.chat import desks
from tests.chat.desks import Table, together
from tests.chat.halves import agreed, ask_in, heal, take_terms


@pytest.fixture(autouse=True)
def few_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order names the last two of its leaders alone."""
    monkeypatch.setattr(orders, "RUNS", 2)


ONE, OTHER = {"ayse", "burak", "cem"}, {"deniz", "elif", "fatma"}
ALL = sorted(ONE | OTHER)


def far_apart(newcomer: str = "") -> Table:
    """Both halves speak before and after leaders change in them; ``newcomer`` is let in by deniz in between."""
    table = together(*ALL, beside=("zoe",))
    table.part(ONE, OTHER | {"zoe"})
    table.run(30)
    for name in ALL:
        table.say(name, "#ops", f"of {name}")
    table.run(20)
    take_terms(table, "ayse", "burak", ONE, OTHER)
    take_terms(table, "deniz", "elif", OTHER | {"zoe"}, ONE)
    if newcomer:
        ask_in(table, "deniz", newcomer)
        table.run(20)
    for name in ALL:
        table.say(name, "#ops", f"of {name}, later")
    table.run(20)
    ours, theirs = (_order(table, name) for name in ("ayse", "deniz"))
    assert orders.parting(ours, orders.head(theirs)) < 0
    return table


def _order(table: Table, name: str) -> orders.Order:
    order = table.state(name, table.desks["ayse"].labels["#ops"]).order
    assert order is not None
    return order


SAID = sorted(("together", *(f"of {name}" for name in ALL), *(f"of {name}, later" for name in ALL)))


def test_what_either_half_said_is_with_all_once() -> None:
    table = far_apart()
    heal(table, 300)
    agreed(table, *ALL, lines=False)
    assert {name: sorted(table.words(name)) for name in ALL} == dict.fromkeys(ALL, SAID)


def test_who_dies_before_it_has_read_what_others_lack_reads_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    table = far_apart()
    group = table.desks["ayse"].labels["#ops"]
    with monkeypatch.context() as context:
        context.setattr(desks, "unwound", lambda _store, _deed: ev.Tick())
        heal(table, 2)
    for name in ONE:
        assert table.state(name, group).healing.step is Step.TALLY
        table.restart(name)
    heal(table, 300)
    agreed(table, *ALL, lines=False)
    assert {name: sorted(table.words(name)) for name in ALL} == dict.fromkeys(ALL, SAID)


def test_who_came_in_meanwhile_is_given_nothing_of_the_other_half() -> None:
    table = far_apart("zoe")
    heal(table, 300)
    agreed(table, *ALL, "zoe", lines=False)
    assert {name: sorted(table.words(name)) for name in ALL} == dict.fromkeys(ALL, SAID)
    assert sorted(table.words("zoe")) == sorted(f"of {name}, later" for name in OTHER)
