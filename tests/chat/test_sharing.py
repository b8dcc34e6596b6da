"""Signed words of others, shared: believed by their authors' signatures, and by who was in as known here."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.content import Content, Shared, encode_content
from conclave.chat.effects import Recollect, SendOriginals
from conclave.chat.originals import Signed
from conclave.chat.reading import recollected
from conclave.wire.frames import Originals, Recall
from tests.chat.desks import Table
from tests.chat.test_hostile_members import Room


@pytest.fixture
def room() -> Room:
    return Room()


def signed(table: Table, name: str, where: str, author: str, identity: bytes) -> Signed:
    """What the store of ``name`` has of it."""
    (item,) = recollected(table.stores[name], Recollect(b"g" * 16, where, ((author, identity),))).items
    return Signed.decode(item[2])


def shared(room: Room, *originals: bytes) -> None:
    room.submit(encode_content(Content(room.table.random(16), 0, room.table.now, Shared(originals))))


def test_an_original_that_everybody_has_is_shown_once(room: Room) -> None:
    table = room.table
    identity = table.say("cem", "#ops", "mine")
    shared(room, signed(table, "burak", "#ops", "cem", identity).encode())
    assert table.words("ayse") == table.words("cem") == ["one", "mine"]


def test_an_original_that_somebody_lacks_is_taken_with_its_authors_signature(room: Room) -> None:
    table = room.table
    identity = table.say("cem", "#ops", "mine")
    original = signed(table, "burak", "#ops", "cem", identity).encode()
    table.stores["ayse"] = type(table.stores["ayse"])()
    shared(room, original)
    assert table.words("ayse") == ["mine"]
    assert table.stores["ayse"].original("#ops", "cem", identity)


def test_a_changed_original_is_refused(room: Room) -> None:
    table = room.table
    identity = table.say("cem", "#ops", "mine")
    good = signed(table, "burak", "#ops", "cem", identity)
    ours = signed(table, "burak", "#ops", "burak", table.lines("burak", "#ops")[-2].id)
    bent = bytearray(good.content)
    bent[-1] ^= 1
    for wrong in (
        Signed(bytes(bent), good.signature, good.certificate),
        Signed(good.content, bytes(len(good.signature)), good.certificate),
        Signed(good.content, good.signature, ours.certificate),
        Signed(good.content, good.signature, b"junk"),
    ):
        table.stores["ayse"] = type(table.stores["ayse"])()
        before = len(table.troubles("ayse"))
        table.now += 100
        shared(room, wrong.encode())
        assert "was refused" in table.troubles("ayse")[before]
        assert table.words("ayse") == []
    shared(room, b"junk")


def test_words_of_another_conversation_are_not_smuggled_in(room: Room) -> None:
    table = room.table
    identity = table.say("ayse", "@burak", "between us")
    table.now += 100
    shared(room, signed(table, "burak", "@ayse", "ayse", identity).encode())
    assert "said elsewhere" in table.troubles("cem")[-1]
    assert "between us" not in table.words("cem")


def test_who_was_never_in_says_nothing_by_way_of_others(room: Room) -> None:
    """deniz signs for the very group id, in a group of her own making."""
    table = room.table
    other = Table("deniz")
    other.put("deniz", ev.OpenLobby("ops", room.group, ()))
    identity = other.say("deniz", "#ops", "let me in")
    table.now += 100
    shared(room, signed(other, "deniz", "#ops", "deniz", identity).encode())
    assert "deniz was never in #ops" in table.troubles("cem")[-1]
    assert "let me in" not in table.words("cem")


def test_originals_that_nobody_asked_for_are_not_looked_at(room: Room) -> None:
    table = room.table
    identity = table.say("cem", "#ops", "mine")
    original = signed(table, "burak", "#ops", "cem", identity).encode()
    table.stores["ayse"] = type(table.stores["ayse"])()
    table.put("ayse", ev.Arrived("burak", Originals(room.group, ((3, original),), done=True)))
    assert table.words("ayse") == []


def test_originals_go_to_members_only_and_none_from_before_they_came_in() -> None:
    table = Table("ayse", "burak", "cem", "deniz")
    for one in ("burak", "cem", "deniz"):
        table.link("ayse", one)
    group = table.lobby("ayse", "burak")
    table.say("ayse", "#ops", "before cem")
    table.put("ayse", ev.InviteTo("ops", ("cem",)))
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.wait(1)
    table.say("ayse", "#ops", "with cem")
    effects = table.put("ayse", ev.Arrived("deniz", Recall(group, 0, 99)))
    assert effects == []
    (deed,) = [
        one
        for one in table.put("ayse", ev.Arrived("cem", Recall(group, 0, 1 << 60)))
        if isinstance(one, SendOriginals)
    ]
    assert deed.after >= table.state("ayse", group).healing.entered["cem"]
    items = [item for *_, frame in table.frames if isinstance(frame, Originals) for item in frame.items]
    assert len(items) == 1
