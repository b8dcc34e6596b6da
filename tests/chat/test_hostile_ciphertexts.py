"""A member hands in what another made in a half that lost, and its leader shows it as what it is not.

Nobody opens it, so what it says is not said again by that. Left out: words that their author hands in to both leaders
(``test_healing``).
"""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.lobby_state import Step
from conclave.chat.words import content as c
from conclave.values import replace
from conclave.wire.order import EntryKind, Ordered, Submit, decode_ordered
from tests.chat.desks import Table, together

SAID = "told that it is sent"
ALL = ("ayse", "burak", "elif", "cem", "deniz")


@pytest.fixture
def table() -> Table:
    """ayse leads; cem and deniz hear of nothing that is ordered from now on."""
    table = together(*ALL)
    table.run(60)
    table.drop = lambda _one, other, frame: other in ("cem", "deniz") and isinstance(frame, Ordered)
    return table


def group_of(table: Table) -> bytes:
    return table.desks["ayse"].labels["#ops"]


def last(table: Table) -> Ordered:
    """The newest entry that elif has, which burak made."""
    (one,) = table.stores["elif"].entries(group_of(table), table.view("elif").seq, 1)
    entry = decode_ordered(one)
    assert entry.sender == "burak"
    return entry


def came_in(table: Table, name: str) -> None:
    """``name`` follows cem, and has said nothing again yet."""
    for _ in range(60):
        table.run(1)
        if table.view(name).leader == "cem" and table.state(name, group_of(table)).healing.step is Step.SOUND:
            return
    pytest.fail(f"{name} does not follow cem")


def hand_in(table: Table, leader: str, entry: Ordered) -> None:
    """elif hands the ciphertext in to ``leader`` as her own."""
    order = table.state(leader, group_of(table)).order
    assert order is not None
    number = (order.numbers.get("elif") or 0) + 1
    submit = Submit(entry.group, 1, number, entry.epoch, EntryKind.MESSAGE, entry.payload)
    table.put(leader, ev.Arrived("elif", submit))


def parts(table: Table, half: set[str], *others: set[str]) -> None:
    """burak's words were ordered in the one half alone, and cem leads in the other."""
    table.run(1)
    table.part(half, *others)
    table.drop = lambda *_: False
    table.run(60)
    table.drop = lambda one, _o, _f: one == "elif"


def test_words_of_somebody_away_are_shared_though_another_hands_in_their_ciphertext(table: Table) -> None:
    table.say("burak", "#ops", SAID)
    entry = last(table)
    parts(table, {"ayse", "elif"}, {"burak"}, {"cem", "deniz"})  # burak is never back
    assert table.statuses("burak", "#ops")[-1] == "sent"
    table.part(set(ALL) - {"burak"}, {"burak"})
    came_in(table, "ayse")
    hand_in(table, "cem", entry)
    table.run(120)
    for name in ("ayse", "cem", "deniz"):
        assert table.words(name) == ["together", SAID]


@pytest.mark.parametrize(
    ("wrong", "read"), [({}, True), ({"number": 1}, False), ({"epoch": 1}, True), ({"sender": "cem"}, False)]
)
def test_words_of_somebody_away_are_shared_where_the_leader_shows_them_as_what_they_are_not(
    table: Table, wrong: dict[str, int | str], *, read: bool
) -> None:
    """cem, who leads and is not honest, gives burak's ciphertext its place; deniz can read it as what it is alone."""
    table.say("burak", "#ops", SAID)
    entry = last(table)
    parts(table, {"ayse", "elif"}, {"burak"}, {"cem", "deniz"})
    table.part(set(ALL) - {"burak"}, {"burak"})
    came_in(table, "ayse")
    order = table.state("cem", entry.group).order
    assert order is not None
    plus = {key: getattr(entry, key) + one if isinstance(one, int) else one for key, one in wrong.items()}
    shown = replace(entry, term=order.run.term, seq=order.seq + 1, previous=order.hash, **plus)  # type: ignore[arg-type]
    for name in ("ayse", "deniz"):
        table.put(name, ev.Arrived("cem", shown))
    assert (SAID in table.words("deniz")) == read
    orphans = [author for author, _ in table.state("ayse", entry.group).healing.orphans]
    assert orphans == ([] if not wrong else ["burak"])
    table.restored("ayse")


def test_a_timer_of_a_half_that_lost_is_set_once(table: Table) -> None:
    """burak sets one there, says so again, and takes it off."""
    table.put("burak", ev.Utter("#ops", table.random(16), c.Timer(3600)))
    entry = last(table)
    parts(table, {"ayse", "elif", "burak"}, {"cem", "deniz"})
    table.drop = lambda *_: False
    table.part()
    table.run(60)
    assert {table.view(name).timer for name in ALL} == {3600}
    table.put("burak", ev.Utter("#ops", table.random(16), c.Timer(0)))
    table.run(60)
    before = len(table.texts("ayse", "#ops"))
    hand_in(table, table.view("ayse").leader, entry)
    table.run(10)
    assert {table.view(name).timer for name in ALL} == {0}
    assert not table.texts("ayse", "#ops")[before:]


@pytest.mark.parametrize("wait", [3, 40])
def test_our_words_stay_sent_though_another_hands_in_their_ciphertext(table: Table, wait: int) -> None:
    table.say("burak", "#ops", SAID)
    entry = last(table)
    parts(table, {"ayse", "elif"}, {"burak"}, {"cem", "deniz"})
    table.part(set(ALL) - {"ayse"}, {"ayse"})
    came_in(table, "burak")
    table.run(wait)
    hand_in(table, "cem", entry)
    table.run(60)
    assert table.words("cem") == ["together", SAID]
    assert table.statuses("burak", "#ops")[-1] == "sent"
