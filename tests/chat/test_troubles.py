"""What is told of who misbehaves: once in a while, and no noise hides that words were kept back or changed."""

from __future__ import annotations

from conclave.chat import events as ev
from conclave.values import replace
from conclave.wire.order import Head, Ordered, Run
from tests.chat.desks import Table
from tests.chat.test_hostile_leader import held, table

__all__ = ["table"]


def shown(table: Table, entry: Ordered) -> None:
    """burak has it of the leader, behind what it has."""
    order = table.state("burak", entry.group).order
    assert order is not None
    table.step("burak", ev.Arrived("ayse", replace(entry, seq=order.seq + 1, previous=order.hash)))


def test_a_leader_hides_by_no_noise_that_it_shows_two_orders(table: Table) -> None:
    (entry,) = held(table, "burak", "ayse", "for cem alone")
    shown(table, replace(entry, payload=entry.payload[:-1] + bytes([entry.payload[-1] ^ 1])))
    noise = Head(entry.group, 1, bytes(32), (Run(1 << 31, 0, "ayse", 1, 1),))
    for _ in range(3):
        table.now += 100
        honest = [one for one in held(table, "burak", "cem", "where I stand") if one.sender == "cem"][-1]
        for _ in range(5):
            table.step("burak", ev.Arrived("ayse", noise))
        shown(table, honest)
    assert table.words("burak")[-1] == "where I stand"
    told = table.troubles("burak")
    assert any("claims a term" in one for one in told)
    assert any("another order than we" in one for one in told)
