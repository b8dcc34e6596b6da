"""Who comes in anew saw no commit of meanwhile: what was said then it gives only to who was in for certain."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.wire.order import Originals, Recall
from tests.chat.desks import Table, together
from tests.chat.halves import restored
from tests.chat.room import shows

SAID = "while elif is out"


@pytest.fixture
def table() -> Table:
    """elif was put out and let in again while burak and cem were in another half; burak is in anew, and has all."""
    table = together("ayse", "burak", "cem", "fatma", "elif", "deniz")
    table.run(120, 5)  # everybody has renewed its keys since it came in
    table.part({"ayse", "fatma", "elif"}, {"burak", "cem", "deniz"})
    table.run(60)
    table.put("burak", ev.RemoveFrom("ops", "deniz"))  # the keys of the two part
    table.run(5)
    alone = {"burak"}, {"cem"}, {"deniz"}
    for pair, other in ((("fatma", "elif"), "ayse"), (("ayse", "elif"), "fatma")):
        table.part({*pair}, {other}, *alone)
        table.run(60)
    table.part({"ayse", "fatma", "elif"}, *alone)
    table.run(60)
    table.put("ayse", ev.RemoveFrom("ops", "elif"))
    table.run(10)
    assert table.stages()["elif"] == "ended"
    table.say("ayse", "#ops", SAID)
    table.run(10)
    table.put("ayse", ev.InviteTo("ops", ("elif",)))
    table.run(5)
    table.put("elif", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(10)
    table.part({"ayse", "fatma", "elif", "burak"}, {"cem"}, {"deniz"})
    table.run(120, 2)
    assert {table.view(name).term for name in ("ayse", "elif", "burak")} == {table.view("fatma").term}
    assert table.words("burak")[-1] == SAID
    return table


@pytest.mark.parametrize("restarts", [False, True])
def test_who_was_out_meanwhile_is_given_nothing_of_then_by_who_did_not_see_that(
    table: Table, *, restarts: bool
) -> None:
    group = table.desks["ayse"].labels["#ops"]
    if restarts:
        table.restart("burak")
    table.link("burak", "elif")
    table.drop = lambda one, other, frame: "elif" in (one, other) and not isinstance(frame, Originals)
    seen = len(table.frames)
    table.put("burak", ev.Arrived("elif", Recall(group, 0, 1000)))
    frames = [frame for one, other, frame in table.frames[seen:] if (one, other) == ("burak", "elif")]
    answers = [frame for frame in frames if isinstance(frame, Originals)]
    assert not any(SAID.encode() in data for frame in answers for _, data in frame.items)
    ((first, _),) = table.state("burak", group).healing.unseen["elif"]
    assert [frame.whole for frame in answers if frame.after == first - 1] == [False], "others have it"
    assert SAID not in table.words("elif")


def test_nor_by_its_home_from_a_backup(table: Table) -> None:
    """It knows who was in when the backup was made, and of whom it had not seen whether it was in before."""
    group = table.desks["ayse"].labels["#ops"]
    restored(table, "burak")
    table.run(120)
    assert "you were let in again as a new device" in table.texts("burak", "#ops")
    table.link("burak", "elif")
    seen = len(table.frames)
    table.put("burak", ev.Arrived("elif", Recall(group, 0, 1000)))
    frames = [frame for one, other, frame in table.frames[seen:] if (one, other) == ("burak", "elif")]
    assert any(isinstance(frame, Originals) for frame in frames)
    assert SAID not in table.words("elif")
    assert not any(SAID.encode() in data for one in frames if isinstance(one, Originals) for _, data in one.items)


def test_who_was_in_all_the_while_is_given_it_by_who_came_in_anew_too(table: Table) -> None:
    table.drop = lambda one, _, frame: isinstance(frame, Originals) and one != "burak"
    table.part({"ayse", "fatma", "elif", "burak", "cem"}, {"deniz"})
    table.run(240, 2)
    assert table.view("cem").term == table.view("fatma").term
    assert table.words("cem")[-1] == SAID


def test_nor_is_it_said_again_to_who_was_out_where_that_one_says_that_the_order_parted_before(table: Table) -> None:
    """elif leads, and shows burak her order as one that parted from all others' behind entry 4."""
    group = table.desks["ayse"].labels["#ops"]
    table.put("ayse", ev.SetDeputies("ops", ("elif",)))
    table.run(5)
    table.part({"fatma", "elif", "burak"}, {"ayse"}, {"cem"}, {"deniz"})
    table.run(60)
    assert table.view("burak").leader == "elif"
    table.part({"fatma", "elif"}, {"burak"}, {"ayse"}, {"cem"}, {"deniz"})
    shows(table, group, "elif", "burak")
    table.run(120)
    assert table.texts("burak", "#ops").count("this half of the lobby joined elif's again") == 1
    assert SAID not in table.words("elif")
