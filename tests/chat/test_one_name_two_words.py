"""A member says other words under a name that some have words under: all read what was ordered last, where it stands.

Left out: what a store does with it (``tests/contract``).
"""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.notices import LineAdded
from conclave.chat.state import Desk
from conclave.chat.words.content import (
    About,
    Body,
    Content,
    Delete,
    Edit,
    History,
    Pin,
    Reaction,
    Shared,
    Text,
    encode_content,
)
from conclave.chat.words.originals import Signed, read_kept
from conclave.store.memory import MemoryStore
from conclave.wire.codec import Writer
from conclave.wire.delivery import Post
from conclave.wire.posts import Handshake, pack_parcel
from tests.chat.desks import Table
from tests.chat.people import JUDGES, own
from tests.chat.room import Room, shared, signed
from tests.chat.test_sharing import orphans, room

__all__ = ["room"]


def signed_alone(room: Room, content: Content) -> bytes:
    """burak signs it, and hands it in to nobody."""
    kept = room.seal(encode_content(content), room.next()).original
    original, _ = read_kept(kept)
    return Signed(original.content, original.signature, room.table.own["burak"].credential.certificates[0]).encode()


def give(room: Room, name: str, how: str, original: bytes) -> None:
    """burak gives one of the others words outside the order, or for it alone."""
    table = room.table
    if how == "shown":
        room.submit(encode_content(Content(table.random(16), 0, table.now, History(name, 0, (original,)))))
        return
    kind, body = pack_parcel(
        Handshake(room.group, Writer().vector([original], Writer.opaque).vector((), Writer.text).done())
    )
    out = table.desks["burak"].peers.get(name).out  # type: ignore[union-attr]
    table.put(name, ev.Arrived("burak", Post(out.stream, out.next, out.base, kind, body)))


def places(table: Table, name: str, identity: bytes) -> list[tuple[int, str]]:
    """Where the line stands for somebody, and what it says."""
    return [(one.seq, one.text) for one in table.lines(name, "#ops") if one.id == identity]


def let_in(room: Room, name: str) -> None:
    table = room.table
    table.desks[name], table.own[name] = Desk(name, table.settings, own(name), JUDGES), own(name)
    table.stores[name], table.effects[name] = MemoryStore(), []
    for one in ("ayse", "burak", "cem"):
        table.link(one, name)
    table.put("ayse", ev.InviteTo("#ops", (name,)))
    table.put(name, ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
    table.wait(2)


@pytest.mark.parametrize("how", ["alone", "shown"])
def test_what_one_was_given_gives_way_to_what_is_ordered(room: Room, how: str) -> None:
    table = room.table
    identity = table.random(16)
    give(room, "ayse", how, signed_alone(room, Content(identity, 2, table.now, Text("I agree"))))
    assert "I agree" in table.words("ayse")
    room.submit(encode_content(Content(identity, 2, table.now, Text("I do not agree"))))
    assert places(table, "ayse", identity) == places(table, "cem", identity) != []
    assert table.words("ayse")[-1] == "I do not agree"
    assert table.stores["ayse"].line("#ops", "burak", identity).edited  # type: ignore[union-attr]
    told = [one.line.text for one in table.notices("ayse", LineAdded) if isinstance(one, LineAdded)]
    assert told[-1] == "I do not agree"
    assert signed(table, "ayse", "#ops", "burak", identity) == signed(table, "cem", "#ops", "burak", identity)


@pytest.mark.parametrize("how", ["alone", "shown"])
def test_what_is_ordered_stands_whatever_one_is_given(room: Room, how: str) -> None:
    table = room.table
    identity = table.random(16)
    room.submit(encode_content(Content(identity, 2, table.now, Text("I do not agree"))))
    give(room, "ayse", how, signed_alone(room, Content(identity, 2, table.now, Text("I agree"))))
    assert places(table, "ayse", identity) == places(table, "cem", identity)
    assert "I agree" not in table.words("ayse")


@pytest.mark.parametrize("first", [Text("good morning"), Reaction(About("cem", b"a" * 16), "+", on=True)])
@pytest.mark.parametrize("shared", [False, True])
def test_what_a_newcomer_reads_all_others_read(room: Room, first: Text | Reaction, *, shared: bool) -> None:
    table = room.table
    identity = table.random(16)
    room.submit(encode_content(Content(identity, 2, table.now, first)))
    let_in(room, "deniz")
    second = Content(identity, 3, table.now, Text("deniz: ayse is to go"))
    if shared:
        original = signed_alone(room, second)
        room.submit(encode_content(Content(table.random(16), 0, table.now, Shared((original,)))))
    else:
        room.submit(encode_content(second))
    for name in ("ayse", "cem", "deniz"):
        assert table.words(name)[-1] == "deniz: ayse is to go"
    assert places(table, "ayse", identity) == places(table, "cem", identity) == places(table, "deniz", identity)


def test_what_is_said_again_in_the_same_words_changes_nothing(room: Room) -> None:
    """It is signed anew, in another epoch."""
    table = room.table
    content = Content(table.random(16), 2, table.now, Text("the same"))
    room.submit(encode_content(content))
    before = places(table, "ayse", content.id)
    room.submit(encode_content(content))
    assert places(table, "ayse", content.id) == before
    assert not table.stores["ayse"].line("#ops", "burak", content.id).edited  # type: ignore[union-attr]


LINE = b"l" * 16


@pytest.mark.parametrize("how", ["alone", "shown"])
@pytest.mark.parametrize(
    "body",
    [
        Edit(LINE, "something else"),
        Delete(LINE),
        Reaction(About("burak", LINE), "+", on=True),
        Pin(About("burak", LINE), on=True),
    ],
    ids=lambda body: type(body).__name__,
)
def test_so_it_does_to_what_is_ordered_about_another_line(room: Room, how: str, body: Body) -> None:
    table = room.table
    identity = table.random(16)
    room.submit(encode_content(Content(LINE, 2, table.now, Text("something"))))
    give(room, "ayse", how, signed_alone(room, Content(identity, 3, table.now, Text("I agree"))))
    assert "I agree" in table.words("ayse")
    room.submit(encode_content(Content(identity, 3, table.now, body)))
    assert table.words("ayse") == table.words("cem")
    assert signed(table, "ayse", "#ops", "burak", identity) == signed(table, "cem", "#ops", "burak", identity)


@pytest.mark.parametrize("how", ["alone", "shown"])
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("early", [True, False])
def test_an_edit_that_one_was_given_gives_way_to_any_that_is_ordered(
    room: Room, how: str, *, same: bool, early: bool
) -> None:
    """However it is dated."""
    table = room.table
    first = table.random(16)
    second = first if same else table.random(16)

    def said() -> None:
        room.submit(encode_content(Content(LINE, 2, table.now, Text("something"))))

    def alone() -> None:
        edit = Content(first, 3, table.now + 1000, Edit(LINE, "I agree"))
        give(room, "ayse", how, signed_alone(room, edit))

    for step in (alone, said) if early else (said, alone):
        step()
    assert table.words("ayse")[-1] == "I agree"
    room.submit(encode_content(Content(second, 4, table.now, Edit(LINE, "I do not agree"))))
    assert table.words("ayse") == table.words("cem")
    assert table.words("ayse")[-1] == "I do not agree"
    give(room, "ayse", how, signed_alone(room, Content(table.random(16), 5, table.now + 2000, Edit(LINE, "I agree"))))
    assert table.words("ayse") == table.words("cem")


def test_who_is_shown_what_was_ordered_reads_what_all_others_read(room: Room) -> None:
    """An edit in between, dated later than the words that came behind it."""
    table = room.table
    room.submit(encode_content(Content(LINE, 2, table.now, Text("a"))))
    room.submit(encode_content(Content(table.random(16), 3, table.now + 20, Edit(LINE, "b"))))
    room.submit(encode_content(Content(LINE, 4, table.now + 10, Text("c"))))
    let_in(room, "deniz")
    lines = [(one.sender, one.id) for one in table.stores["ayse"].recorded("#ops", 0, 99) if one.original]
    originals = tuple(signed(table, "ayse", "#ops", *line).encode() for line in lines)
    table.put("ayse", ev.ShareHistory("#ops", "deniz", len(originals), originals))
    table.wait(1)
    for name in ("ayse", "cem", "deniz"):
        assert table.words(name)[-1] == "c"


@pytest.mark.parametrize("body", [Text("I do not agree"), Reaction(About("burak", LINE), "+", on=True)])
def test_what_a_half_that_lost_had_gives_way_to_what_is_shared(room: Room, body: Body) -> None:
    """The place was the other words' own: who had been in that half read what no other did at it."""
    table = room.table
    identity = table.random(16)
    give(room, "ayse", "shown", signed_alone(room, Content(identity, 2, table.now, Text("I agree"))))
    orphans(table, room.group, "ayse", ("burak", identity))
    shared(room, signed_alone(room, Content(identity, 3, table.now, body)))
    assert places(table, "ayse", identity) == places(table, "cem", identity)
    assert table.words("ayse") == table.words("cem")
    assert not table.state("ayse", room.group).healing.orphans
