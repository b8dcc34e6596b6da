"""A turn: many events at once come to the same as one after the other, and what is refused costs itself alone."""

from __future__ import annotations

import random  # noqa: TID251 - what is compared has the same chance
from copy import deepcopy

import pytest

from conclave.chat import desk as desks
from conclave.chat import events as ev
from conclave.chat.deeds import Deed, Send
from conclave.chat.desk import Desk, step
from conclave.chat.effects import PutState
from conclave.chat.work import Work
from conclave.errors import LocalError
from conclave.node.turn import decide
from conclave.store.memory import MemoryStore
from conclave.wire.delivery import Ack
from conclave.wire.order import Have, Ordered, Submit
from tests.chat.desks import Table

IDS = [number.to_bytes(16) for number in range(1, 100)]


def seated() -> tuple[Table, bytes]:
    """Three in a lobby that burak leads; ayse and burak talk as a pair too."""
    table = Table("ayse", "burak", "cem")
    table.link("burak", "ayse")
    table.link("burak", "cem")
    group = table.lobby("burak", "ayse", "cem")
    table.say("ayse", "@burak", "hello")
    table.say("burak", "@ayse", "hello")
    return table, group


def said(table: Table, name: str, *events: ev.Event) -> list[Deed]:
    """What ``name`` does when all of this happens; its table goes on without it."""
    turn, answers = decide(table.desks[name], events, table.now, table.random)
    assert not any(answers)
    return turn.deeds


def state(store: MemoryStore) -> object:
    names = [one.name for one in store.conversations()]
    lines = {name: store.recorded(name, 0, 1000) for name in names}
    return store.states(), lines, store.posts("ayse", 1, 1000), store.heads()


def test_many_events_at_once_come_to_the_same_as_one_after_the_other() -> None:
    table, group = seated()
    deeds = said(
        table,
        "ayse",
        *(ev.Say(where, one, "some words") for one, where in zip(IDS[:6], ["#ops", "@burak"] * 3, strict=True)),
    )
    frames = [deed.frame for deed in deeds if isinstance(deed, Send) and deed.peer == "burak"]
    assert sum(isinstance(frame, Submit) for frame in frames) == 3
    events: list[ev.Event] = [ev.Arrived("ayse", frame) for frame in frames]
    events += [
        ev.Say("#ops", IDS[10], "mine"),
        ev.Say("@ayse", IDS[11], "yours"),
        ev.Arrived("cem", Have(group, 1)),
        ev.Tick(),
    ]

    one_by_one, at_once = deepcopy(table.stores["burak"]), deepcopy(table.stores["burak"])
    desk: Desk = table.desks["burak"]
    chance = random.Random(1)
    sent: list[Deed] = []
    for event in events:
        desk, effects = step(desk, event, table.now, chance.randbytes)
        one_by_one.commit([one for one in effects if not isinstance(one, Deed)])
        sent += [one for one in effects if isinstance(one, Deed)]
    turn, answers = decide(table.desks["burak"], events, table.now, random.Random(1).randbytes)
    at_once.commit(turn.records)

    assert answers == [None] * len(events)
    assert state(at_once) == state(one_by_one)
    for kind in (Ordered, Submit):
        assert of_kind(turn.deeds, kind) == of_kind(sent, kind)
    assert of_kind(turn.deeds, Ack) == of_kind(sent, Ack)[-1:]


def of_kind(deeds: list[Deed], kind: type) -> list[tuple[str, object]]:
    return [(deed.peer, deed.frame) for deed in deeds if isinstance(deed, Send) and isinstance(deed.frame, kind)]


def test_what_is_refused_costs_itself_alone() -> None:
    table, _ = seated()
    store = deepcopy(table.stores["burak"])
    says = [
        ev.Say(where, one, "some words")
        for one, where in zip(IDS, ("#ops", "#nowhere", "@ayse", "@burak", "#ops"), strict=False)
    ]
    turn, answers = decide(table.desks["burak"], says, table.now, table.random)
    store.commit(turn.records)
    assert [type(one) for one in answers] == [type(None), LocalError, type(None), LocalError, type(None)]
    assert [one.line.id for one in store.lines("#ops", limit=2)] == [IDS[0], IDS[4]]
    assert [one.line.id for one in store.lines("@ayse", limit=1)] == [IDS[2]]


def test_a_fault_costs_its_own_event(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    table, _ = seated()

    def happened(work: Work, event: ev.Event) -> None:
        real(work, event)
        if isinstance(event, ev.Say) and event.id == IDS[1]:
            raise ZeroDivisionError

    real = desks._happened
    monkeypatch.setattr(desks, "_happened", happened)
    store = deepcopy(table.stores["burak"])
    turn, answers = decide(
        table.desks["burak"], [ev.Say("#ops", one, "words") for one in IDS[:3]], table.now, table.random
    )
    store.commit(turn.records)
    assert [type(one) for one in answers] == [type(None), LocalError, type(None)]
    assert caplog.text.count("Say could not be decided") == 1
    assert [one.line.id for one in store.lines("#ops", limit=2)] == [IDS[0], IDS[2]]


def test_what_changes_often_in_a_turn_is_written_once() -> None:
    table, _ = seated()
    turn, _ = decide(
        table.desks["ayse"], [ev.Say("@burak", one, "words") for one in IDS[:20]], table.now, table.random
    )
    keys = [record.key for record in turn.records if isinstance(record, PutState)]
    assert len(keys) == len(set(keys))
