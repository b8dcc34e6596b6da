"""What waited as a backup was made was sent since, and read, or taken back: what its author does and is told."""

from __future__ import annotations

import copy

from conclave.chat import events as ev
from conclave.chat.words.content import Delete
from conclave.wire.order import EntryKind, Originals, Refused, Submit
from tests.chat.desks import Table, together
from tests.chat.halves import restored
from tests.chat.room import let_in
from tests.chat.test_reviving_words import _marks, _sent_since


def test_of_what_was_sent_since_the_backup_it_is_not_said_that_it_was_not_by_who_is_asked_in_anew() -> None:
    """The invitation overtakes what says that it is out."""
    table = _sent_since("waiting")
    restored(table, "burak")
    table.put("ayse", ev.RemoveFrom("ops", "burak"))
    table.run(30)
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    table.drop = lambda _one, other, frame: other == "burak" and isinstance(frame, Refused)
    table.part()
    table.run(400, 2)
    states = {one.text: one.status.value for one in table.lines("burak", "#ops")}
    assert table.words("cem") == ["together", "sent since"]
    assert table.view("burak").stage == "member"
    assert "not sent" not in _marks(table, "burak")
    assert states["sent since"] == "sent"


def _deleted_since(how: str) -> Table:
    table = together("ayse", "burak", "cem", beside=("deniz",))
    table.run(70, 5)
    if how == "handed in":
        table.drop = lambda _one, _other, frame: isinstance(frame, Submit)
        said = table.say("burak", "#ops", "secret")
    table.part({"ayse", "cem", "deniz"}, {"burak"})
    if how == "waiting":
        said = table.say("burak", "#ops", "secret")
    backup = copy.deepcopy(table.stores["burak"])
    table.drop = lambda *_: False
    table.part()
    table.run(60)
    assert table.words("cem") == ["together", "secret"]
    table.put("burak", ev.Utter("#ops", table.random(16), Delete(said)))
    table.run(10)
    assert table.words("cem")[-1] != "secret"
    let_in(table, "ayse", "deniz")
    table.run(30)
    assert table.words("deniz") == []
    table.part({"ayse", "cem", "deniz"}, {"burak"})
    table.stores["burak"] = backup
    restored(table, "burak")
    return table


def test_of_what_was_sent_and_deleted_since_it_is_not_said_that_it_was_not_sent() -> None:
    table = _deleted_since("waiting")
    table.part()
    table.run(400, 2)
    assert "not sent" not in _marks(table, "burak")


def test_what_was_sent_and_deleted_since_the_backup_is_not_said_to_who_came_in_since() -> None:
    table = _deleted_since("handed in")
    table.part()
    table.run(400, 2)
    assert "secret" not in table.words("cem")
    assert "secret" not in table.words("deniz")


def test_what_is_heard_to_be_taken_back_while_it_is_handed_in_again_is_said_no_more() -> None:
    table = _deleted_since("handed in")
    silent = True

    def drop(one: str, other: str, frame: object) -> bool:
        handed_in = one == "burak" and isinstance(frame, Submit) and frame.kind is EntryKind.MESSAGE
        return handed_in or (silent and other == "burak" and isinstance(frame, Originals))

    table.drop = drop
    table.part()
    table.run(30)
    ((group, lobby),) = table.desks["burak"].lobbies.items()
    (orphan,) = lobby.healing.orphans
    assert orphan[1] in {one.id for one in lobby.voice.flying}, "nobody answered so long"
    silent = False
    table.run(60)
    lobby = table.state("burak", group)
    assert (lobby.healing.pull, lobby.healing.orphans) == ((), ())
    table.drop = lambda *_: False
    table.run(60)
    for name in ("cem", "deniz"):
        assert "secret" not in table.words(name)
    assert "not sent" not in _marks(table, "burak")
