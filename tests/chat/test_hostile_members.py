"""A member that is in, knows the keys, and says and sends whatever it likes."""

from __future__ import annotations

import contextlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.chat import events as ev
from conclave.chat import groups
from conclave.chat.lobby_state import Step
from conclave.chat.words.content import About, Content, Delete, Edit, Reaction, Term, Text, encode_content
from conclave.errors import DecodeError, LocalError
from conclave.lobby import order as orders
from conclave.lobby.order import WORDS_BYTES
from conclave.mls import group as mls
from conclave.values import replace
from conclave.wire import order as f
from conclave.wire.delivery import Post
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.posts import Message, pack_parcel
from tests.chat.desks import read_frame
from tests.chat.people import JUDGES
from tests.chat.room import Room
from tests.chat.test_content import contents
from tests.chat.test_strangers import check_bounds
from tests.wire.frames_strategies import SMALL, conversation_frames


@pytest.fixture
def room() -> Room:
    return Room()


SHARED = Room()
PLACES = SMALL | st.sampled_from([5, 100, f.LAST_SEQ // 2, f.LAST_SEQ, 1 << 63, (1 << 64) - 1])
ANSWERS = st.builds(f.Originals, st.just(SHARED.group), PLACES, PLACES, st.just(()), st.booleans())


def _stands(room: Room, name: str, lead: f.Run | None = None, **healing: object) -> None:
    """``name`` is on its way between two halves, or has what it lacks asked for."""
    desk, lobby = room.table.desks[name], room.table.state(name, room.group)
    healing_ = replace(lobby.healing, **healing)  # type: ignore[arg-type]
    lobby = replace(lobby, lead=lead or lobby.lead, healing=healing_)
    room.table.desks[name] = replace(desk, lobbies=desk.lobbies.put(room.group, lobby))


def _sent(room: Room, name: str, frame: Frame) -> None:
    """burak sends it; what cannot be read ends his link at most."""
    with contextlib.suppress(DecodeError):
        room.table.put(name, ev.Arrived("burak", read_frame(encode_frame(frame))))


@given(st.lists(ANSWERS, min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_no_answer_of_a_member_makes_anybody_lack_more(answers: list[f.Originals]) -> None:
    with SHARED.undone():
        _stands(SHARED, "ayse", pull=((1, 3), (6, 200)))
        for answer in answers:
            before = SHARED.table.state("ayse", SHARED.group).healing.pull
            _stands(SHARED, "ayse", source="burak")
            _sent(SHARED, "ayse", answer)
            after = SHARED.table.state("ayse", SHARED.group).healing.pull
            assert all(any(one[0] <= first <= last <= one[1] for one in before) for first, last in after)
            assert all(one[1] < other[0] for one, other in pairwise(after))
            check_bounds(SHARED.table.desks["ayse"], SHARED.table.settings)


@given(PLACES)
@settings(max_examples=15, deadline=None)
def test_who_comes_in_anew_goes_on_whatever_place_its_leader_told(seq: int) -> None:
    """burak leads the half that counts, and goes away when he has told of it."""
    table, group = SHARED.table, SHARED.group
    with SHARED.undone():
        state = table.desks["burak"].sessions.get(group)
        assert state is not None
        data = mls.group_info(state, random=table.random, external_pub=True)
        for name in ("ayse", "cem"):
            common = table.view(name).seq
            _stands(SHARED, name, f.Run(2, 0, "burak", 0, 0), step=Step.REJOIN, common=common)
            _sent(SHARED, name, f.Info(group, seq, bytes(32), (f.Run(2, 0, "burak", 1, seq),), data))
        table.part({"ayse", "cem"}, {"burak"})
        table.run(240, 2)
        table.say("cem", "#ops", "two")
        table.run(10)
        assert table.words("ayse")[-1] == "two"
        for name in ("ayse", "cem"):
            check_bounds(table.desks[name], table.settings)
            table.restored(name)
    table.part()


@given(st.lists(st.tuples(st.sampled_from(["ayse", "cem"]), conversation_frames), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_no_frame_of_a_member_breaks_a_step(frames: list[tuple[str, Frame]]) -> None:
    with SHARED.undone():
        for victim, frame in frames:
            aimed = frame
            if getattr(frame, "group", b"")[:1] == b"\x00":  # one of the groups that are drawn
                aimed = replace(frame, group=SHARED.group)  # type: ignore[arg-type]
            for sender in {"burak", "ayse"} - {victim}:
                SHARED.table.put(victim, ev.Arrived(sender, aimed))
            check_bounds(SHARED.table.desks[victim], SHARED.table.settings)
            SHARED.table.wait(3.0)
            SHARED.table.restored(victim)


@given(st.lists(contents, min_size=1, max_size=3), SMALL, SMALL)
@settings(max_examples=80, deadline=None)
def test_nothing_that_a_member_says_breaks_a_step(said: list[Content], seq: int, term: int) -> None:
    with SHARED.undone():
        order = SHARED.table.state("burak", SHARED.group).order
        assert order is not None
        run = replace(order.run, term=term % (1 << 32))
        for content in said:
            if SHARED.table.desks["burak"].sessions.get(SHARED.group) is None:
                break  # it said that it leaves, and was put out
            stand = replace(order, seq=seq, runs=(run,))
            SHARED.submit(encode_content(content), order=stand)
            sealed = SHARED.seal(encode_content(content), order=order, group=SHARED.pair)
            _post(SHARED, Message(content.id, SHARED.pair, sealed.payload))
        SHARED.table.wait(5.0)
        for name in ("ayse", "cem"):
            check_bounds(SHARED.table.desks[name], SHARED.table.settings)
            SHARED.table.restored(name)


def _post(room: Room, parcel: Message) -> None:
    peer = room.table.desks["ayse"].peers.get("burak")
    assert peer is not None
    stream, last, _ = peer.inbound.streams[0]
    kind, body = pack_parcel(parcel)
    room.table.put("ayse", ev.Arrived("burak", Post(stream, last + 1, last + 1, kind, body)))


@pytest.mark.parametrize("junk", [b"", b"\x02", b"\xff" * 90])
def test_junk_under_real_keys_is_told_and_takes_no_place_of_anything(room: Room, junk: bytes) -> None:
    room.submit(junk)
    assert "could not be read" in room.table.troubles("ayse")[-1]
    room.table.say("cem", "#ops", "two")
    for name in room.table.desks:
        assert room.table.words(name) == ["one", "two"]


def test_a_number_outside_that_is_not_the_one_inside_is_found_out(room: Room) -> None:
    number = room.next()
    sealed = room.seal(encode_content(Content(b"i" * 16, 9, 1.0, Term(9, 9, bytes(32)))), number + 1)
    frame = f.Submit(room.group, 1, number, sealed.epoch, f.EntryKind.MESSAGE, sealed.payload)
    room.table.put("ayse", ev.Arrived("burak", frame))
    assert "another number inside" in room.table.troubles("cem")[-1]


def test_a_payload_of_another_group_or_epoch_or_kind_is_not_ordered(room: Room) -> None:
    before = room.table.view("ayse").seq
    good = room.seal(b"x", room.next())
    other = room.seal(b"x", group=room.pair)
    for epoch, kind, payload in (
        (other.epoch, f.EntryKind.MESSAGE, other.payload),
        (good.epoch - 1, f.EntryKind.MESSAGE, good.payload),
        (good.epoch, f.EntryKind.COMMIT, good.payload),
        (good.epoch, f.EntryKind.TERM, good.payload),
        (1 << 40, f.EntryKind.MESSAGE, good.payload),
        (good.epoch, f.EntryKind.MESSAGE, b"junk"),
    ):
        submit = f.Submit(room.group, 1, room.next(), epoch, kind, payload)
        room.table.put("ayse", ev.Arrived("burak", submit))
    assert room.table.view("ayse").seq == before


def test_a_member_cannot_lead_by_saying_so(room: Room) -> None:
    """Words of a term in an entry that begins none."""
    room.submit(encode_content(Content(b"i" * 16, 0, 1.0, Term(9, 1, bytes(32)))))
    for name in ("ayse", "cem"):
        assert room.table.view(name).leader == "ayse"


def test_nobody_puts_words_into_another_persons_mouth(room: Room) -> None:
    table = room.table
    table.say("cem", "#ops", "mine")
    entry = next(frame for *_, frame in reversed(table.frames) if isinstance(frame, f.Ordered))
    order = table.state("cem", room.group).order
    assert order is not None
    sealed = room.seal(encode_content(Content(b"i" * 16, 9, 1.0, Term(9, 9, bytes(32)))), 77)
    forged = replace(entry, seq=order.seq + 1, previous=order.hash, number=77, sender="ayse", payload=sealed.payload)
    table.put("cem", ev.Arrived("ayse", forged))
    assert "burak's, shown as 'ayse'" in table.troubles("cem")[-1]


def test_a_member_edits_and_deletes_its_own_words_alone(room: Room) -> None:
    table = room.table
    table.say("cem", "#ops", "mine")
    own, mine = (next(one.id for one in table.lines("ayse", "#ops") if one.text == text) for text in ("one", "mine"))
    for target in (mine, own):
        room.submit(encode_content(Content(table.random(16), 9, table.now, Edit(target, "changed"))))
    assert table.words("cem") == ["changed", "mine"]
    for target in (mine, own):
        room.submit(encode_content(Content(table.random(16), 10, table.now, Delete(target))))
    assert table.words("cem") == ["", "mine"]


def test_a_sign_does_not_say_who_else_put_it_there(room: Room) -> None:
    table = room.table
    about = About("ayse", table.say("ayse", "#ops", "shall we switch it off?"))
    for where in ("#ops", "@ayse"):
        at = about if where == "#ops" else About("ayse", table.say("ayse", "@burak", "shall we?"))
        for sign in ("👍 cem]  [👀", "👍 cem", "👍👍", " "):
            table.put("burak", ev.Utter(where, table.random(16), Reaction(at, sign, on=True)))
        table.put("burak", ev.Utter(where, table.random(16), Reaction(at, "👀", on=True)))
        table.run(5)
        heard = {"ayse": where.replace("@ayse", "@burak")} | ({"cem": where} if where == "#ops" else {})
        for name, conversation in heard.items():
            stored = table.stores[name].line(conversation, "ayse", at.id)
            assert stored is not None
            assert stored.reactions == (("👀", "burak"),)


def test_whoever_commits_what_nobody_may_is_refused(room: Room) -> None:
    table = room.table
    state = table.desks["burak"].sessions.get(room.group)
    assert state is not None
    for payload in (b"", b"junk", state.authenticator):
        submit = f.Submit(room.group, 1, room.next(), state.number, f.EntryKind.COMMIT, payload)
        with contextlib.suppress(LocalError):
            table.put("ayse", ev.Arrived("burak", submit))
    assert table.view("cem").epoch == state.number


def fed(room: Room, kind: f.EntryKind, number: int, epoch: int, payload: bytes) -> None:
    """burak gives cem an entry that ayse, who leads, did not order."""
    order = room.table.state("cem", room.group).order
    assert order is not None
    behind, entry, _ = orders.write(order, "burak", number, epoch, kind, payload)
    room.table.put("cem", ev.Arrived("burak", replace(orders.head(behind), hash=bytes(32))))
    room.table.put("cem", ev.Arrived("burak", entry))
    room.table.run(120, 2)


def test_what_the_leader_never_ordered_is_not_shown_as_ordered(room: Room) -> None:
    number = room.next() + 50
    sealed = room.seal(encode_content(Content(bytes(16), 9, room.table.now, Text("to cem alone"))), number)
    fed(room, f.EntryKind.MESSAGE, number, sealed.epoch, sealed.payload)
    assert "to cem alone" not in room.table.words("cem")
    assert not room.table.troubles("cem")


def test_nobody_is_put_out_by_what_the_leader_never_ordered(room: Room) -> None:
    state = room.table.desks["burak"].sessions.get(room.group)
    assert state is not None
    out = [mls.Remove(groups.roster(state)["cem"])]
    staged = mls.commit(state, out, verify=JUDGES.members, now=room.table.now, random=room.table.random)
    fed(room, f.EntryKind.COMMIT, room.next(), state.number, staged.message)
    assert room.table.stages()["cem"] == "member"
    assert "cem" in room.table.view("ayse").roster


@pytest.mark.parametrize("size", [WORDS_BYTES, WORDS_BYTES // 2])
def test_words_that_fit_no_envelope_are_not_ordered(size: int) -> None:
    """Nothing of what is ordered behind them would be mailed to who is away."""
    room = Room()
    before = room.table.view("ayse").seq
    room.submit(bytes(size))
    assert (room.table.view("ayse").seq == before) is (size == WORDS_BYTES)
