"""Signed words of others, shared: believed by their authors' signatures, and by who was in as known here."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from conclave.chat import events as ev
from conclave.chat import groups, reading, views
from conclave.chat.deeds import SendOriginals
from conclave.chat.effects import AddLine, PutCertificate, PutState
from conclave.chat.lobbies import sharing
from conclave.chat.lobbies.bringers import STRANGERS_MOST
from conclave.chat.lobbies.rejoining import POLICY
from conclave.chat.notices import LineAdded
from conclave.chat.words.content import (
    About,
    Body,
    Content,
    Delete,
    Edit,
    Offer,
    Pin,
    Reaction,
    Seen,
    Text,
    encode_content,
)
from conclave.chat.words.line import Status
from conclave.chat.words.originals import Signed, read_kept
from conclave.chat.work import Work
from conclave.files.record import PREFIX, Stage, decode_record, encode_record
from conclave.lobby.order import begin
from conclave.mls import group as mls
from conclave.values import replace
from conclave.wire.order import Originals, Recall, Submit
from tests.chat.desks import Table
from tests.chat.people import judge
from tests.chat.room import Room, lacking, shared, signed


@pytest.fixture
def room() -> Room:
    return Room()


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


def test_what_one_message_brings_again_is_looked_for_once_among_what_is_to_be_said_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member that takes a term makes all be said again that was said since; each time all is looked through."""
    table = room.table
    said = [table.say("cem", "#ops", text) for text in ("two", "three", "four")]
    originals = [signed(table, "burak", "#ops", "cem", identity).encode() for identity in said]
    lines = [("cem", identity) for identity in said]
    lobby = table.state("ayse", room.group)
    lobby = replace(lobby, healing=replace(lobby.healing, orphans=(("cem", bytes(16)), *lines)))
    table.desks["ayse"] = replace(table.desks["ayse"], lobbies=table.desks["ayse"].lobbies.put(room.group, lobby))
    looked: list[Collection[tuple[str, bytes]]] = []
    said_again = sharing.said_again

    def counted(work: Work, group: bytes, lines: Collection[tuple[str, bytes]]) -> None:
        looked.extend([lines] if work.me == "ayse" and lines else [])
        said_again(work, group, lines)

    monkeypatch.setattr(sharing, "said_again", counted)
    shared(room, *originals)
    assert [list(one) for one in looked if len(one) > 1] == [lines]
    assert len(looked) == 2, "once more for the message itself"
    assert table.state("ayse", room.group).healing.orphans == (("cem", bytes(16)),)


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


def test_words_in_which_their_author_stands_nowhere_are_not_taken(room: Room) -> None:
    """With them no record of the lobby would hold any more."""
    table = room.table
    work = Work(table.desks["burak"], table.now, table.random)
    for beside in (b"", b"junk"):
        content = Content(table.random(16), 9, table.now, Text("from nowhere"))
        sealed = groups.seal(work, room.group, encode_content(content), beside)
        original, certificate = read_kept(sealed.original)
        der = table.stores["burak"].certificate(certificate)
        assert der is not None
        table.now += 100
        shared(room, Signed(original.content, original.signature, der).encode())
        assert "was refused" in table.troubles("cem")[-1]
    assert "from nowhere" not in table.words("cem")


def test_words_of_somebody_we_never_met_are_told_to_come_by_way_of_another(room: Room) -> None:
    """It may have come and gone in another half, or signs for the very group id in a group of its own making."""
    table = room.table
    other = Table("deniz")
    other.put("deniz", ev.OpenLobby("ops", room.group, ()))
    identity = other.say("deniz", "#ops", "let me in")
    table.now += 100
    shared(room, signed(other, "deniz", "#ops", "deniz", identity).encode())
    shown = [line.text for line in table.lines("cem", "#ops")][-2:]
    assert shown == ["burak brings words of deniz, who was not in #ops while you were", "let me in"]
    assert "deniz" not in views.lobby(table.desks["cem"], "#ops").roster  # type: ignore[union-attr]
    identity = other.say("deniz", "#ops", "again")
    table.now += 100
    shared(room, signed(other, "deniz", "#ops", "deniz", identity).encode())
    assert table.lines("cem", "#ops")[-1].text == "again"
    assert table.lines("cem", "#ops")[-2].text == "let me in", "that is told once"


def outsiders(room: Room, *bodies: Body, handle: str = "deniz", count: int = 0) -> list[bytes]:
    """What somebody signs for the lobby in a group of its own making."""
    other = Table(handle)
    own = groups.package(Work(other.desks[handle], other.now, other.random))
    state = mls.create(
        own, room.group, verify=judge, now=other.now, random=other.random,
        extensions=(groups.deputies_extension(()),), policy=POLICY,
    )  # fmt: skip
    signed, stand = [], groups.write_stand(begin(room.group, handle), 1)
    for number, body in enumerate(bodies, start=1):
        content = encode_content(Content(number.to_bytes(16), count, other.now, body))
        sealed = mls.protect(state, content, random=other.random, authenticated_data=stand)
        state, original = sealed.state, sealed.original
        assert original is not None
        certificate = groups.certificate(state, state.epoch.me)
        signed.append(Signed(original.content, original.signature, certificate).encode())
    return signed


def test_of_a_stranger_it_is_told_once_whatever_many_words_of_it_are_brought(room: Room) -> None:
    table = room.table
    before = len(table.lines("cem", "#ops"))
    shared(room, *outsiders(room, *[Seen()] * 9))
    assert len(table.lines("cem", "#ops")) == before, "nothing of it is to be seen"
    shared(room, *outsiders(room, Seen(), Text("one"), Text("two"), Text("three")))
    texts = table.texts("cem", "#ops")[before:]
    assert texts == ["burak brings words of deniz, who was not in #ops while you were", "one", "two", "three"]


def test_a_stranger_that_has_nothing_to_say_yet_is_told_of_where_it_is_counted(room: Room) -> None:
    table = room.table
    before = len(table.lines("cem", "#ops"))
    shared(room, *outsiders(room, Seen(), Text("one"), count=1))
    texts = table.texts("cem", "#ops")[before:]
    assert texts == ["burak brings words of deniz, who was not in #ops while you were", "one"]


def test_of_many_strangers_at_once_some_are_named(room: Room) -> None:
    table = room.table
    people = [f"p{number}" for number in range(STRANGERS_MOST + 4)]
    shared(room, *(outsiders(room, Text(f"of {one}"), handle=one)[0] for one in people))
    texts = table.texts("cem", "#ops")
    told = [text for text in texts if "brings words of" in text]
    assert len(told) == STRANGERS_MOST + 1
    assert told[-1] == "burak brings words of others too, who were not in #ops while you were"
    assert texts.index(told[-1]) < texts.index(f"of {people[STRANGERS_MOST]}")
    assert texts[-1] == f"of {people[-1]}"


def test_originals_that_nobody_asked_for_are_not_looked_at(room: Room) -> None:
    table = room.table
    identity = table.say("cem", "#ops", "mine")
    original = signed(table, "burak", "#ops", "cem", identity).encode()
    table.stores["ayse"] = type(table.stores["ayse"])()
    table.put("ayse", ev.Arrived("burak", Originals(room.group, 2, 4, ((3, original),), whole=True)))
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
    before, since = [
        one
        for one in table.put("ayse", ev.Arrived("cem", Recall(group, 0, 1 << 60)))
        if isinstance(one, SendOriginals)
    ]
    entered = table.state("ayse", group).healing.entered["cem"]
    assert before.since == since.since == since.after == entered
    assert not before.whole  # so far as ayse knows cem was not in: others may know better
    items = [item for *_, frame in table.frames if isinstance(frame, Originals) for item in frame.items]
    assert len(items) == 1


def asked_of(table: Table, group: bytes, name: str, source: str) -> None:
    """``name`` has asked ``source`` for what it lacks."""
    desk, lobby = table.desks[name], table.state(name, group)
    lobby = replace(lobby, healing=replace(lobby.healing, source=source))
    table.desks[name] = replace(desk, lobbies=desk.lobbies.put(group, lobby))


def test_an_answer_counts_for_what_it_answers_and_no_further(room: Room) -> None:
    """What is asked for may have become more meanwhile; and a part of the answer may be lost."""
    table, group = room.table, room.group
    lacking(table, group, "burak", (0, 9))
    table.put("burak", ev.Arrived("ayse", Originals(group, 0, 9, (), whole=True)))
    assert table.state("burak", group).healing.pull == ((1, 8),)  # nobody was asked
    for after, before, left in (
        (0, 3, ((3, 8),)), (5, 7, ((3, 5), (7, 8))), (6, 9, ((3, 5),)), (3, 5, ((3, 3), (5, 5))), (1, 12, ()),
    ):  # fmt: skip
        asked_of(table, group, "burak", "ayse")
        table.put("burak", ev.Arrived("cem", Originals(group, 0, 9, (), whole=True)))
        table.put("burak", ev.Arrived("ayse", Originals(group, after, before, (), whole=True)))
        assert table.state("burak", group).healing.pull == left


def test_who_lacks_something_too_says_so_and_others_are_asked(room: Room) -> None:
    table, group = room.table, room.group
    identity = table.say("cem", "#ops", "mine")
    seq = table.lines("cem", "#ops")[-1].seq
    for name in ("ayse", "burak"):
        lacking(table, group, name, (seq - 1, seq + 1))
    table.stores["burak"] = type(table.stores["burak"])()
    table.drop = lambda one, other, frame: isinstance(frame, Recall) and other == "cem"
    table.wait(60)
    answers = [frame for one, _, frame in table.frames if one == "ayse" and isinstance(frame, Originals)]
    assert [one.whole for one in answers] == [False]
    assert identity in [item.id for item in table.lines("burak", "#ops")]  # taken all the same
    assert table.state("burak", group).healing.pull
    table.drop = lambda *_: False
    table.run(60, 5)
    assert not table.state("burak", group).healing.pull
    assert not table.state("ayse", group).healing.pull


def test_many_words_at_one_place_of_the_order_are_all_given(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words that were shared in one message have its place, and are read from the store a few at once."""
    table = room.table
    names = [table.say("cem", "#ops", f"word {number}") for number in range(5)]
    originals = [signed(table, "burak", "#ops", "cem", one).encode() for one in names]
    table.stores["ayse"] = type(table.stores["ayse"])()
    table.stores["ayse"].commit([PutCertificate(Signed.decode(originals[0]).certificate)])
    shared(room, *originals)
    monkeypatch.setattr(reading, "READ_LINES", 2)
    for size in (1, 1 << 20):
        monkeypatch.setattr(reading, "ORIGINALS_BYTES", size)
        asked = SendOriginals("burak", room.group, "#ops", 0, 99, 0, whole=True)
        frames = list(reading.originals(table.stores["ayse"], asked))
        assert [data for one in frames for _, data in one.items] == originals
        assert (frames[0].after, frames[-1].before) == (0, 99)


def test_what_is_erased_or_of_somebody_whom_nobody_met_is_not_shared_for_ever(room: Room) -> None:
    """Words of a half that lost: one line is erased meanwhile, the author of another came and went in that half."""
    table, group = room.table, room.group
    other = Table("deniz")
    other.put("deniz", ev.OpenLobby("ops", group, ()))
    identity = other.say("deniz", "#ops", "anybody?")
    (line,) = (one for one in other.lines("deniz", "#ops") if one.id == identity)
    kept = other.stores["deniz"].original("#ops", "deniz", identity)
    certificate = signed(other, "deniz", "#ops", "deniz", identity).certificate
    assert kept is not None
    table.stores["burak"].commit([AddLine("#ops", replace(line, seq=0), kept), PutCertificate(certificate)])
    desk, lobby = table.desks["burak"], table.state("burak", group)
    healing = replace(lobby.healing, orphans=(("deniz", identity), ("burak", b"e" * 16)))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, replace(lobby, healing=healing)))
    table.run(120, 5)
    assert table.state("burak", group).healing.orphans == ()
    assert [table.words(name).count("anybody?") for name in ("ayse", "burak", "cem")] == [1, 1, 1]
    told = len(table.lines("cem", "#ops"))
    table.run(300, 10)
    assert len(table.lines("cem", "#ops")) == told


def test_whoever_is_not_linked_is_dialled_where_the_leader_lacks_it_too(room: Room) -> None:
    table, group = room.table, room.group
    identity = table.say("cem", "#ops", "mine")
    seq = table.lines("cem", "#ops")[-1].seq
    for name in ("ayse", "burak"):
        lacking(table, group, name, (seq - 1, seq + 1))
        table.stores[name] = type(table.stores[name])()
    table.cut("burak", "cem")
    table.drop = lambda one, _, frame: one == "ayse" and isinstance(frame, Recall)
    table.run(90)
    assert identity in [line.id for line in table.lines("burak", "#ops")]
    assert not table.state("burak", group).healing.pull
    assert "cem" not in views.wanted(table.desks["burak"])


def test_who_could_not_open_something_does_not_claim_to_have_all(room: Room) -> None:
    table, group = room.table, room.group
    table.say("cem", "#ops", "mine")
    seq = table.lines("cem", "#ops")[-1].seq
    desk, lobby = table.desks["ayse"], table.state("ayse", group)
    lobby = replace(lobby, ears=replace(lobby.ears, lost=((seq, seq),)))
    table.desks["ayse"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    for after, before, whole in ((seq - 2, seq + 1, False), (seq - 1, seq + 1, False), (seq - 3, seq, True)):
        (deed,) = [
            one
            for one in table.put("ayse", ev.Arrived("burak", Recall(group, after, before)))
            if isinstance(one, SendOriginals) and one.before == before
        ]
        assert deed.whole is whole


def test_who_came_in_later_does_not_claim_to_have_what_was_before(room: Room) -> None:
    """Also where it came in anew since: when it came first is then known by when it was met."""
    table, group = room.table, room.group
    for number in range(3):
        table.say("cem", "#ops", f"word {number}")
    desk, lobby = table.desks["burak"], table.state("burak", group)
    lobby = replace(lobby, healing=replace(lobby.healing, entered={}, met={"burak": 3}))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    asked = [
        one for one in table.put("burak", ev.Arrived("ayse", Recall(group, 0, 5))) if isinstance(one, SendOriginals)
    ]
    assert [(one.after, one.before, one.whole) for one in asked] == [(0, 4, False), (3, 5, True)]


def test_a_sign_and_a_pin_that_were_taken_back_do_not_stand_again_by_their_old_words(room: Room) -> None:
    table = room.table
    about = About("ayse", table.say("ayse", "#ops", "shall we?"))
    old = []
    for body in (Reaction(about, "+", on=True), Pin(about, on=True)):
        old.append(table.random(16))
        table.put("cem", ev.Utter("#ops", old[-1], body))
        table.wait(1)
        table.put("cem", ev.Utter("#ops", table.random(16), replace(body, on=False)))
        table.wait(1)
    shared(room, *(signed(table, "burak", "#ops", "cem", one).encode() for one in old))
    for name in ("ayse", "burak", "cem"):
        stored = table.stores[name].line("#ops", "ayse", about.id)
        assert stored is not None
        assert (stored.reactions, stored.pinned) == ((), False)


def test_a_pin_from_a_clock_that_is_ahead_can_be_taken_off_by_others(room: Room) -> None:
    table = room.table
    about = About("ayse", table.say("ayse", "#ops", "mine"))
    room.submit(encode_content(Content(table.random(16), 0, table.now + 1e6, Pin(about, on=True))))
    assert table.stores["cem"].pinned("#ops")
    table.wait(1)
    table.put("cem", ev.Utter("#ops", table.random(16), Pin(about, on=False)))
    assert not table.stores["cem"].pinned("#ops")
    assert not table.stores["ayse"].pinned("#ops")


def test_words_whose_time_is_up_do_not_come_back(room: Room) -> None:
    table = room.table
    identity = table.random(16)
    table.put("cem", ev.Say("#ops", identity, "burn after reading", None, 30))
    original = signed(table, "burak", "#ops", "cem", identity).encode()
    table.run(31)
    assert "burn after reading" not in table.words("ayse")
    table.effects["ayse"].clear()
    shared(room, original)
    assert "burn after reading" not in table.words("ayse")
    assert not table.notices("ayse", LineAdded)


@pytest.mark.parametrize("came", [True, False])
@pytest.mark.parametrize("early", [True, False])
def test_nor_do_those_of_an_edit_of_theirs(room: Room, came: bool, early: bool) -> None:
    table = room.table
    identity, edit = table.random(16), table.random(16)
    table.put("cem", ev.Say("#ops", identity, "burn after reading", None, 30))
    table.put("cem", ev.Utter("#ops", edit, Edit(identity, "burn before reading")))
    old, new = (signed(table, "burak", "#ops", "cem", one).encode() for one in (identity, edit))
    if came:
        table.run(31)
    else:
        table.stores["ayse"] = type(table.stores["ayse"])()
        table.run(31)
        shared(room, *((new, old) if early else (old, new)))
    shared(room, new)
    assert table.stores["ayse"].line("#ops", "cem", edit) is not None
    assert [table.stores["ayse"].original("#ops", "cem", one) for one in (identity, edit)] == [None, None]


def test_an_edit_that_comes_when_its_line_has_disappeared_goes_with_it(room: Room) -> None:
    table = room.table
    line, edit = table.random(16), table.random(16)
    table.put("burak", ev.Say("@ayse", line, "the code is 4712", None, 30))
    table.cut("ayse", "burak")
    table.put("burak", ev.Utter("@ayse", edit, Edit(line, "the code is 4711")))
    table.wait(60)
    table.link("ayse", "burak")
    assert table.stores["ayse"].line("@burak", "burak", edit) is not None  # it came
    assert table.stores["ayse"].original("@burak", "burak", edit) is None


def test_the_time_of_words_that_are_shared_runs_since_they_were_said(room: Room) -> None:
    table = room.table
    identity = table.random(16)
    table.put("cem", ev.Say("#ops", identity, "burn after reading", None, 30))
    original = signed(table, "burak", "#ops", "cem", identity).encode()
    table.run(20)
    table.stores["ayse"] = type(table.stores["ayse"])()
    shared(room, original)
    assert table.words("ayse") == ["burn after reading"]
    table.run(11)
    assert table.words("ayse") == []


def test_erased_words_do_not_come_back(room: Room) -> None:
    table = room.table
    identity = table.say("cem", "#ops", "never said")
    original = signed(table, "burak", "#ops", "cem", identity).encode()
    table.put("cem", ev.Utter("#ops", table.random(16), Delete(identity)))
    shared(room, original)
    for name in ("ayse", "burak", "cem"):
        stored = table.stores[name].line("#ops", "cem", identity)
        assert stored is not None
        assert (stored.line.text, stored.deleted) == ("", True)
        assert not table.stores[name].original("#ops", "cem", identity)


def test_a_line_that_is_shared_again_is_told_once_and_its_file_keeps_its_record(room: Room) -> None:
    table = room.table
    words, file = table.say("cem", "#ops", "I resign"), table.random(16)
    table.put("cem", ev.Utter("#ops", file, Offer("plan.pdf", 5, 65536, b"r" * 32, b"k" * 32)))
    ((key, value),) = table.stores["ayse"].states(PREFIX)
    kept = encode_record(replace(decode_record(value), stage=Stage.PLACING, path="/home/ayse/plan.pdf"))
    table.stores["ayse"].commit([PutState(key, kept)])
    assert [one.line.id for one in table.notices("ayse", LineAdded)][-2:] == [words, file]  # type: ignore[attr-defined]
    table.effects["ayse"].clear()
    shared(room, *(signed(table, "burak", "#ops", "cem", one).encode() for one in (words, file)))
    assert not table.notices("ayse", LineAdded)
    assert table.stores["ayse"].states(PREFIX) == [(key, kept)]
    again = Offer("plan.pdf", 5, 65536, b"r" * 32, b"k" * 32)
    table.put("cem", ev.Utter("#ops", table.random(16), again))
    assert len(table.notices("ayse", LineAdded)) == 1
    assert (key, kept) in table.stores["ayse"].states(PREFIX)
    assert len(table.stores["ayse"].states(PREFIX)) == 2  # another message is another offer


def test_a_line_that_is_shared_twice_at_once_is_told_once(room: Room) -> None:
    table = room.table
    original = signed(table, "burak", "#ops", "cem", table.say("cem", "#ops", "mine")).encode()
    table.stores["ayse"] = type(table.stores["ayse"])()
    table.effects["ayse"].clear()
    shared(room, original, original)
    assert len(table.notices("ayse", LineAdded)) == 1


def test_erased_words_are_not_told_whichever_comes_first(room: Room) -> None:
    table = room.table
    identity = table.say("cem", "#ops", "never said")
    original = signed(table, "burak", "#ops", "cem", identity).encode()
    table.stores["ayse"] = type(table.stores["ayse"])()
    table.put("cem", ev.Utter("#ops", table.random(16), Delete(identity)))
    for name in ("ayse", "cem"):
        table.effects[name].clear()
    shared(room, original)
    for name in ("ayse", "cem"):
        assert not table.notices(name, LineAdded)


def orphans(table: Table, group: bytes, name: str, *lost: tuple[str, bytes]) -> None:
    """``name`` has these of a half that lost."""
    desk, lobby = table.desks[name], table.state(name, group)
    lobby = replace(lobby, healing=replace(lobby.healing, orphans=lost))
    table.desks[name] = replace(desk, lobbies=desk.lobbies.put(group, lobby))


def answer(table: Table, group: bytes, name: str, by: str, original: bytes) -> None:
    """``name`` asks ``by`` for what was said at the first places, and is given this."""
    lacking(table, group, name, (0, 3), by)
    table.put(name, ev.Arrived(by, Originals(group, 0, 3, ((1, original),), whole=True)))


def test_words_that_still_fly_are_not_sent_because_the_leader_says_so(room: Room) -> None:
    table, group = room.table, room.group
    table.drop = lambda one, other, frame: (one, other) == ("cem", "ayse") and isinstance(frame, Submit)
    identity = table.say("cem", "#ops", "vote no")
    answer(table, group, "cem", "ayse", signed(table, "cem", "#ops", "cem", identity).encode())
    table.wait(30)
    assert table.statuses("cem", "#ops")[-1] == "waiting"
    assert table.lines("cem", "#ops")[-1].seq == 0
    assert "vote no" not in table.words("burak")
    table.drop = lambda *_: False
    table.run(60)
    assert table.statuses("cem", "#ops")[-1] == "sent"
    assert table.words("burak")[-1] == "vote no"


def test_words_of_ours_that_are_to_be_said_again_are_though_the_leader_says_that_they_were(room: Room) -> None:
    table, group = room.table, room.group
    table.drop = lambda one, other, frame: (one, other) == ("cem", "ayse") and isinstance(frame, Submit)
    identity = table.say("cem", "#ops", "of a half that lost")
    desk, lobby = table.desks["cem"], table.state("cem", group)
    lobby = replace(lobby, voice=replace(lobby.voice, next=lobby.voice.next - 1, flying=()))
    table.desks["cem"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    orphans(table, group, "cem", ("cem", identity))
    answer(table, group, "cem", "ayse", signed(table, "cem", "#ops", "cem", identity).encode())
    assert table.lines("cem", "#ops")[-1].status is Status.WAITING
    table.drop = lambda *_: False
    table.run(60)
    assert table.lines("cem", "#ops")[-1].status is Status.SENT
    assert table.words("burak")[-1] == "of a half that lost"


def test_words_of_others_are_shared_though_the_leader_says_that_they_were(room: Room) -> None:
    """Until then others may have, in truth: who hears so through the order does not do it again."""
    table, group = room.table, room.group
    identity = table.say("burak", "#ops", "of a half that lost")
    original = signed(table, "cem", "#ops", "burak", identity).encode()
    orphans(table, group, "cem", ("burak", identity))
    table.stores["ayse"] = type(table.stores["ayse"])()
    answer(table, group, "cem", "ayse", original)
    table.run(8, 0.5)
    assert table.words("ayse") == []
    assert table.state("cem", group).healing.orphans
    table.run(60)
    assert table.words("ayse") == ["of a half that lost"]
    assert not table.state("cem", group).healing.orphans


def test_words_of_others_that_somebody_shared_meanwhile_are_not_shared_again(room: Room) -> None:
    table, group = room.table, room.group
    identity = table.say("burak", "#ops", "of a half that lost")
    original = signed(table, "cem", "#ops", "burak", identity).encode()
    orphans(table, group, "cem", ("burak", identity))
    answer(table, group, "cem", "ayse", original)
    shared(room, original)
    order = table.state("cem", group).order
    assert order is not None
    table.run(90)
    said = [frame for one, _, frame in table.frames if one == "cem" and isinstance(frame, Submit)]
    assert not table.state("cem", group).healing.orphans
    assert not [frame for frame in said if len(frame.payload) > 1000]
