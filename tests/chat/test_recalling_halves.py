"""What only somebody of another half has is asked for until the halves are one."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.lobbies.lacks import Ranges
from conclave.wire.order import Originals, Recall, Submit
from tests.chat.desks import Table, together
from tests.chat.halves import agreed, ask_in
from tests.chat.test_recalling import lost

THREE = ("ayse", "burak", "cem")


@pytest.fixture
def table() -> Table:
    """ayse and cem came into burak's half, and lack what deniz said there, who left; they go on under ayse."""
    table = together("ayse", "burak", "cem", "deniz", beside=("elif", "fatma"))
    table.part({"ayse", "cem"}, {"burak", "deniz"})
    table.run(30)
    table.put("ayse", ev.SetDeputies("ops", ("cem",)))
    table.say("deniz", "#ops", "from deniz")
    table.run(3)
    assert table.statuses("deniz", "#ops")[-1] == "sent"
    table.put("deniz", ev.LeaveLobby("ops"))
    table.run(10)
    assert table.stages()["deniz"] == "ended"
    table.drop = lambda _one, _other, frame: isinstance(frame, Recall | Originals)
    table.part(set(THREE), {"elif"}, {"fatma"})
    while len({table.view(name).hash for name in THREE}) > 1:
        table.run(1)
    table.run(3)
    table.part({"ayse", "cem"}, {"burak", "elif", "fatma"})
    table.drop = lambda *_: False
    table.run(40)
    assert [table.view(name).term for name in THREE] == [3, 2, 3]
    return table


def reach(table: Table, *pairs: str) -> None:
    """These pairs reach each other from now on, and nobody else."""
    known = {frozenset(pair.split()) for pair in pairs}
    table.reach = lambda one, other: frozenset((one, other)) in known


def pulls(table: Table) -> list[Ranges]:
    """What ayse and cem ask for."""
    group = table.desks["ayse"].labels["#ops"]
    return [table.state(name, group).healing.pull for name in ("ayse", "cem")]


@pytest.mark.parametrize("restarts", [False, True])
def test_who_is_reached_and_follows_an_order_that_does_not_count_is_asked_until_it_follows_ours(
    table: Table, *, restarts: bool
) -> None:
    """burak reaches cem alone for some minutes, and answers nothing; ayse, who starts anew, asks cem again."""
    reach(table, "ayse cem", "cem burak")
    table.run(240)
    if restarts:
        table.restart("ayse")
        table.run(60)
    assert all(pulls(table))
    table.part()
    table.run(200)
    agreed(table, *THREE, lines=False)
    assert pulls(table) == [(), ()]
    assert all("from deniz" in table.words(name) for name in THREE)


def test_who_follows_an_order_that_counts_is_neither_asked_nor_taken_for_silent(table: Table) -> None:
    """burak's half counts again; ayse and cem reach him, and not fatma, who leads it and whom they never met."""
    group = table.desks["ayse"].labels["#ops"]
    for newcomer in ("elif", "fatma"):
        ask_in(table, "burak", newcomer)
    half = {"burak", "elif", "fatma"}
    for host, deputy, away in (("burak", "elif", "burak"), ("burak", "fatma", "elif"), ("elif", "elif", "fatma")):
        table.put(host, ev.SetDeputies("ops", (deputy,)))
        table.run(5)
        for there in (half - {away}, half):
            table.part({"ayse", "cem"}, there)
            table.run(30)
    assert all(pulls(table))
    reach(table, "ayse cem", "ayse burak", "cem burak", "burak elif", "burak fatma", "elif fatma")
    since, silent = len(table.frames), table.state("cem", group).healing.silent
    table.run(300)
    asked = [other for one, other, frame in table.frames[since:] if isinstance(frame, Recall)]
    assert all(pulls(table))
    assert 0 < asked.count("burak") <= 10, "it may have come to follow our order"
    assert table.state("cem", group).healing.silent == silent
    table.part()
    table.run(200)
    agreed(table, *THREE, "elif", "fatma", lines=False)
    assert all("from deniz" in table.words(name) for name in THREE)


def test_what_was_given_is_given_once_though_somebody_away_may_have_one_entry_of_it() -> None:
    """ayse and burak come in anew where cem and deniz could not open one entry of many; elif is away."""
    table = together("ayse", "burak", "cem", "deniz", "elif")
    group = table.desks["ayse"].labels["#ops"]
    table.part({"ayse", "burak"}, {"cem", "deniz"}, {"elif"})
    table.run(30)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    words = [f"{number} {'long ' * 2000}" for number in range(60)]
    for number, text in enumerate(words):
        table.say("cem", "#ops", text)
        if number == 10:
            table.run(3)
            unread = table.view("cem").seq
    table.run(3)
    for name in ("cem", "deniz"):
        lost(table, group, name, (unread, unread))
    table.run(20)
    since = len(table.frames)
    table.part({"ayse", "burak", "cem", "deniz"}, {"elif"})
    table.run(3600, 5)
    assert all(set(words) <= set(table.words(name)) for name in ("ayse", "burak"))
    given = [len(frame.items) for _, other, frame in table.frames[since:] if isinstance(frame, Originals)]
    assert sum(given) < 3 * len(words)


def test_what_lacked_in_an_order_that_lost_is_not_lacked_in_the_one_that_counts() -> None:
    """elif came in in ayse's half, and lacks an entry of it whose place is another's in the order of cem."""
    table = together("ayse", "burak", "cem", "deniz", beside=("elif",))
    group, rest = table.desks["ayse"].labels["#ops"], ("cem", "deniz", "elif")
    table.run(120, 5)
    table.drop = lambda one, _other, frame: (
        (one == "burak" and isinstance(frame, Submit)) or isinstance(frame, Recall | Originals)
    )
    table.say("burak", "#ops", "under way")  # it is sealed before elif comes in, and ordered after
    ask_in(table, "ayse", "elif")
    table.run(70)
    table.part({"ayse", "burak", "elif"}, {"cem", "deniz"})
    for number in range(30):
        table.say("ayse", "#ops", f"{number}")
    table.drop = lambda _one, _other, frame: isinstance(frame, Recall | Originals)
    while not table.state("elif", group).healing.pull:
        table.run(1)
    while table.view("cem").leader != "cem":
        table.run(1)
    for name in ("ayse", "burak"):
        table.put("cem", ev.RemoveFrom("ops", name))
    table.part({"ayse", "burak"}, set(rest))
    table.drop = lambda *_: False
    table.run(180)
    for number in range(40):
        table.say("cem", "#ops", f"later {number}")
    table.run(60)
    assert len({table.view(name).hash for name in rest}) == 1
    mark = table.view("cem").marks["elif"]
    assert (mark.missing, table.state("elif", group).ears.lost) == ((), ())
