"""Who brings others' words is named where their signatures do not show that it may.

Left out: words of who was never in as far as one knows (``tests/chat/test_sharing.py``).
"""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import groups, passing
from conclave.chat.lobbies.bringers import NAMED_SECONDS, STRANGERS_MOST
from conclave.chat.lobbies.voice import say_content
from conclave.chat.state import Desk, Judges
from conclave.chat.words.content import Body, Content, Delete, Edit, Shared, Text, encode_content
from conclave.chat.words.originals import Signed, read_kept
from conclave.chat.work import Work
from conclave.lobby.order import Order
from conclave.pki.revocation import Revocation
from conclave.store.memory import MemoryStore
from conclave.values import replace
from conclave.wire.order import Run
from tests.chat.desks import Table, together
from tests.chat.halves import restored
from tests.chat.people import JUDGES, own
from tests.chat.room import Room, shared, signed
from tests.chat.test_hostile_leader import held, table
from tests.chat.test_one_name_two_words import give, let_in
from tests.chat.test_sharing import outsiders, room

__all__ = ["room", "table"]

NAMED = "burak brings words of cem, signed by a key that is revoked; burak alone says that they are older"
BEFORE = "burak brings words of cem from before cem heard that you came in"


def listed(*ders: bytes, suspended: bool = False) -> Judges:
    """A list that names these certificates."""
    why = Revocation("it was stolen", suspended)
    return replace(JUDGES, revoked=lambda one: why if one in ders else None)


def brings(table: Table, name: str, group: bytes, *originals: bytes) -> None:
    """What the device of ``name`` can be made to share."""
    work = Work(table.desks[name], table.now, table.random)
    say_content(work, group, Shared(originals))
    passing.settle(work)
    table.desks[name], records, deeds = work.done()
    table.stores[name].commit(records)
    table.do(name, deeds, committed=True)
    table.put(name, ev.Tick())


class Stolen(Room):
    """cem's first device was stolen and revoked; cem is back with another."""

    def __init__(self) -> None:
        super().__init__()
        table = self.table
        self.thief = table.desks["cem"]  # keys and all
        self.old = table.say("cem", "#ops", "of the first device")
        self.bad = own("cem").credential.certificates[0]
        self.judges = listed(self.bad)
        table.lose_home("cem")
        table.own["cem"], table.devices["cem"] = own("cem", 2), "d2"
        table.desks["cem"] = Desk("cem", table.settings, table.own["cem"], self.judges)
        for one in ("ayse", "burak"):
            table.put(one, ev.JudgesChanged(self.judges))
        table.run(20)
        assert "cem" not in table.view("ayse").roster
        table.link("ayse", "cem")
        table.put("ayse", ev.InviteTo("#ops", ("cem",)))
        table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
        table.run(20)
        assert "cem" in table.view("ayse").roster

    def signs(self, body: Body, order: Order | None = None) -> bytes:
        """What the thief signs, who stands where the device was when it was stolen, or says to stand elsewhere."""
        table = self.table
        order = order or self.thief.lobbies.get(self.group).order  # type: ignore[union-attr]
        assert order is not None
        work = Work(self.thief, table.now, table.random)
        content = encode_content(Content(table.random(16), 50, table.now, body))
        original, _ = read_kept(groups.seal(work, self.group, content, groups.write_stand(order, 99)).original)
        self.thief, *_ = work.done()
        return Signed(original.content, original.signature, self.bad).encode()


@pytest.fixture
def stolen() -> Stolen:
    return Stolen()


@pytest.mark.parametrize("what", ["words", "edit", "deletion"])
def test_who_brings_words_by_a_revoked_key_is_named(stolen: Stolen, what: str) -> None:
    table = stolen.table
    bodies: dict[str, Body] = {
        "words": Text("I resign"),
        "edit": Edit(stolen.old, "I resign"),
        "deletion": Delete(stolen.old),
    }
    shared(stolen, stolen.signs(bodies[what]))
    for name in ("ayse", "cem"):
        assert table.texts(name, "#ops").count(NAMED) == 1
    assert NAMED not in table.texts("burak", "#ops")


def test_it_is_said_once_within_a_while(stolen: Stolen) -> None:
    table = stolen.table
    shared(stolen, stolen.signs(Text("one")), stolen.signs(Text("two")))
    shared(stolen, stolen.signs(Text("three")))
    assert table.texts("ayse", "#ops")[-4:] == [NAMED, "one", "two", "three"]
    table.now += NAMED_SECONDS
    shared(stolen, stolen.signs(Text("four")))
    assert table.texts("ayse", "#ops")[-2:] == [NAMED, "four"]


def test_of_many_authors_some_are_named(room: Room) -> None:
    table = room.table
    people = [f"p{number}" for number in range(STRANGERS_MOST + 4)]
    table.put("ayse", ev.JudgesChanged(listed(*(own(one).credential.certificates[0] for one in people))))
    for one in people:
        shared(room, *outsiders(room, Text(f"of {one}"), handle=one))
    told = [text for text in table.texts("ayse", "#ops") if "signed by a key" in text]
    assert len(told) == STRANGERS_MOST + 1
    assert told[-1].startswith("burak brings words of others too, signed by a key that is revoked")
    assert table.words("ayse")[-len(people) :] == [f"of {one}" for one in people]


def test_that_a_key_is_suspended_is_said_so(room: Room) -> None:
    table = room.table
    identity = table.say("cem", "#ops", "mine")
    original = signed(table, "burak", "#ops", "cem", identity).encode()
    table.stores["ayse"] = MemoryStore()
    judges = listed(own("cem").credential.certificates[0], suspended=True)
    table.desks["ayse"] = replace(table.desks["ayse"], judges=judges)
    shared(room, original)
    assert table.texts("ayse", "#ops") == [NAMED.replace("revoked", "suspended"), "mine"]


@pytest.mark.parametrize("how", ["shown", "alone"])
def test_who_shows_or_gives_alone_words_by_a_revoked_key_is_named(stolen: Stolen, how: str) -> None:
    """Honest words that were said before come that way too."""
    table, name = stolen.table, "ayse"
    if how == "shown":
        name = "deniz"
        let_in(stolen, name)
        table.put(name, ev.JudgesChanged(stolen.judges))
    honest = signed(table, "burak", "#ops", "cem", stolen.old).encode()
    give(stolen, name, how, stolen.signs(Text("I resign")))
    give(stolen, name, how, honest)
    texts = table.texts(name, "#ops")
    assert texts.count(NAMED) == 1
    assert texts.index(NAMED) < texts.index("I resign")
    assert "of the first device" in texts


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("how", ["shared", "shown", "alone"])
def test_words_of_a_device_behind_the_commit_that_put_it_out_are_refused(
    stolen: Stolen, how: str, *, restarted: bool
) -> None:
    """Revoked or not: it was shown no more of the order."""
    table = stolen.table
    order = table.state("burak", stolen.group).order
    assert order is not None
    if restarted:
        table.restart("ayse")
        table.link("ayse", "burak")
    table.put("ayse", ev.JudgesChanged(JUDGES))
    said = stolen.signs(Text("I resign"), order)
    if how == "shared":
        shared(stolen, said)
    else:
        give(stolen, "ayse", how, said)
    assert "I resign" not in table.words("ayse")
    table.stores["ayse"] = MemoryStore()
    shared(stolen, signed(table, "burak", "#ops", "cem", stolen.old).encode())
    assert table.words("ayse") == ["of the first device"]


def test_nor_are_words_taken_of_who_is_out(room: Room) -> None:
    table, thief = room.table, room.table.desks["cem"]
    old = table.say("cem", "#ops", "of before")
    table.put("ayse", ev.RemoveFrom("#ops", "cem", ""))
    table.run(5)
    order = table.state("burak", room.group).order
    assert order is not None
    content = encode_content(Content(table.random(16), 50, table.now, Text("still here")))
    sealed = groups.seal(Work(thief, table.now, table.random), room.group, content, groups.write_stand(order, 99))
    original, _ = read_kept(sealed.original)
    der = own("cem").credential.certificates[0]
    shared(room, Signed(original.content, original.signature, der).encode())
    assert "still here" not in table.words("ayse")
    assert "was refused" in table.troubles("ayse")[-1]
    table.stores["ayse"] = MemoryStore()
    shared(room, signed(table, "burak", "#ops", "cem", old).encode())
    assert table.words("ayse") == ["of before"]


def test_a_home_from_a_backup_has_its_words_of_before_believed_and_none_since(room: Room) -> None:
    """It takes its old leaf's place by a commit of its own: nobody was put out."""
    table, thief = room.table, room.table.desks["cem"]
    table.say("cem", "#ops", "of before")
    table.run(60)
    old = table.say("cem", "#ops", "of the day before")
    restored(table, "cem")
    for one in ("ayse", "burak"):
        table.link(one, "cem")
    table.run(60)
    assert "cem" in table.view("ayse").roster
    order = table.state("burak", room.group).order
    assert order is not None
    content = encode_content(Content(table.random(16), 50, table.now, Text("still here")))
    sealed = groups.seal(Work(thief, table.now, table.random), room.group, content, groups.write_stand(order, 99))
    original, _ = read_kept(sealed.original)
    der = own("cem").credential.certificates[0]
    shared(room, Signed(original.content, original.signature, der).encode())
    assert "still here" not in table.words("ayse")
    table.stores["ayse"] = MemoryStore()
    shared(room, signed(table, "burak", "#ops", "cem", old).encode())
    assert table.words("ayse") == ["of the day before"]


@pytest.mark.parametrize("revoked", [False, True])
def test_words_of_before_a_key_was_revoked_come_from_another_half(*, revoked: bool) -> None:
    """cem loses its home in the half that loses; those of it who have its words share them."""
    table = together("ayse", "burak", "cem", "deniz", "elif")
    one, other = {"ayse", "burak", "cem"}, {"deniz", "elif"}
    table.part(one, other)
    table.run(60)
    table.say("cem", "#ops", "of the other half")
    table.run(20)
    restored(table, "cem")
    table.part(one, other)
    table.run(60)
    assert "cem" in table.view("burak").roster
    if revoked:
        judges = listed(own("cem").credential.certificates[0])
        for name in one:
            table.put(name, ev.JudgesChanged(judges))
        for name in other:  # too late to put it out there
            table.desks[name] = replace(table.desks[name], judges=judges)
    table.part()
    table.run(300)
    told = {}
    for name in one | other:
        assert "cem" in table.view(name).roster
        assert table.words(name).count("of the other half") == 1
        told[name] = [text for text in table.texts(name, "#ops") if "signed by a key" in text]
    assert {name for name in told if told[name]} == (other if revoked else set()), "the others had it"
    assert max(map(len, told.values())) == revoked


# --- from before one came in ---


def test_who_brings_words_of_before_somebody_came_in_is_named_to_it(room: Room) -> None:
    table = room.table
    identity = table.say("cem", "#ops", "deniz is not to know")
    original = signed(table, "burak", "#ops", "cem", identity).encode()
    let_in(room, "deniz")
    before = {name: table.texts(name, "#ops") for name in ("ayse", "burak", "cem")}
    shared(room, original)
    assert table.texts("deniz", "#ops")[-2:] == [BEFORE, "deniz is not to know"]
    assert {name: table.texts(name, "#ops") for name in before} == before


def test_words_of_another_half_are_none_of_before_one_came_in(room: Room) -> None:
    table = room.table
    order = table.state("burak", room.group).order
    assert order is not None
    content = encode_content(Content(table.random(16), 2, table.now, Text("of the other half")))
    elsewhere = replace(order, runs=(Run(2, 1, "burak", 3, order.seq),))
    original, _ = read_kept(room.seal(content, order=elsewhere).original)
    let_in(room, "deniz")
    der = own("burak").credential.certificates[0]
    brings(table, "cem", room.group, Signed(original.content, original.signature, der).encode())
    assert table.texts("deniz", "#ops")[-1:] == ["of the other half"]
    assert not [text for text in table.texts("deniz", "#ops") if "brings words of" in text]


# --- a former stay ---


@pytest.mark.parametrize("brought", [False, True])
def test_words_of_a_former_stay_hide_nothing_from_who_came_in_since(table: Table, *, brought: bool) -> None:
    ids = [table.say("cem", "#ops", f"{number} of the first time") for number in range(6)]
    group = table.desks["ayse"].labels["#ops"]
    table.put("ayse", ev.RemoveFrom("#ops", "cem", ""))
    table.run(5)
    table.put("ayse", ev.InviteTo("#ops", ("cem",)))
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
    table.run(5)
    table.desks["deniz"], table.own["deniz"] = Desk("deniz", table.settings, own("deniz"), JUDGES), own("deniz")
    table.stores["deniz"], table.effects["deniz"] = MemoryStore(), []
    table.link("ayse", "deniz")
    table.put("ayse", ev.InviteTo("#ops", ("deniz",)))
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
    table.run(5)
    if brought:
        brings(table, "ayse", group, signed(table, "ayse", "#ops", "cem", ids[-1]).encode())
    table.say("cem", "#ops", "before")
    withheld, shown = held(table, "deniz", "cem", "secretly left out", "and this is shown")
    table.step("deniz", ev.Arrived("ayse", replace(shown, seq=withheld.seq, previous=withheld.previous)))
    assert table.words("deniz")[-2:] == ["before", "and this is shown"]
    table.now += table.settings.gap_after + 1
    table.step("deniz", ev.Tick())
    assert any("has not arrived" in one for one in table.troubles("deniz"))
