"""Words that have their place in a lobby's order take the place of others under their name, in both stores alike."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from conclave.chat.effects import AddLine, AmendLine, DropExpired, EraseLine, MarkLine, PutEntry, Record, SetPin
from conclave.chat.words.content import About, Body, Content, Edit, Reaction, Text, encode_content
from conclave.chat.words.line import Line, LineKind, Status
from conclave.errors import StorageError
from conclave.store.ports import PeerStore
from conclave.values import replace
from tests.chat.room import Room
from tests.contract.test_peer_store import FLAGS, IDS, NAMES, RECORDS, TEXTS, TwoStores, everything, store

__all__ = ["store"]

NAME = b"n" * 16
ROOM = Room()


def original(body: Body) -> bytes:
    """What burak signs when he says it, under keys of its own each time."""
    return ROOM.seal(encode_content(Content(NAME, 2, 5.0, body)), ROOM.next()).original


def text(words: str, seq: int, sent: float = 5.0, kind: LineKind = LineKind.TEXT) -> Line:
    return Line(NAME, "burak", kind, words, sent, sent + 1, Status.RECEIVED, seq)


def given(words: str, seq: int = 0) -> AddLine:
    """Outside the order."""
    return AddLine("#ops", text(words, seq), original(Text(words)))


def ordered(words: str, seq: int, sent: float = 9.0) -> AddLine:
    return AddLine("#ops", text(words, seq, sent), original(Text(words)), ordered=True)


def between(seq: int) -> AddLine:
    return AddLine("#ops", replace(text(f"between {seq}", seq), id=seq.to_bytes(16)))


def test_other_words_are_shown_where_they_were_ordered_and_as_edited(store: PeerStore) -> None:
    store.commit([given("I agree", 3), between(4)])
    anew = ordered("I do not agree", 5)
    assert store.commit([anew]) == frozenset(), "they are news"
    *_, last = store.lines("#ops", limit=9)
    assert last.line == anew.line
    assert last.edited
    assert last.position == 3
    assert store.original("#ops", "burak", NAME) == anew.original
    assert [one.line.text for one in store.lines("#ops", limit=9)] == ["between 4", "I do not agree"]
    assert [found.line.text for found in store.search("agree", 9)] == ["I do not agree"]
    assert store.search("not", 9)
    ((name, count, newest),) = ((one.name, one.count, one.last) for one in store.conversations())
    assert (name, count, newest) == ("#ops", 2, last)


def test_each_time_that_other_words_are_ordered_they_count(store: PeerStore) -> None:
    store.commit([ordered("one", 3), between(4), ordered("two", 5), between(6)])
    store.commit([ordered("three", 7), AmendLine("#ops", "burak", NAME, "edited", 10.0)])
    assert [one.line.text for one in store.lines("#ops", limit=9)] == ["between 4", "between 6", "edited"]
    assert [one.line.seq for one in store.lines("#ops", limit=9)] == [4, 6, 7]
    assert store.search("edited", 9)
    assert not store.search("one", 9)
    assert not store.search("two", 9)


@pytest.mark.parametrize("together", [False, True])
def test_they_stand_before_what_is_ordered_behind_them_in_the_same_commit(
    store: PeerStore, *, together: bool
) -> None:
    store.commit([ordered("one", 3), between(4)])
    records = [ordered("two", 5), replace(between(6), ordered=True)]
    for batch in [records] if together else [[one] for one in records]:
        store.commit(batch)
    assert [one.line.text for one in store.lines("#ops", limit=9)] == ["between 4", "two", "between 6"]


@pytest.mark.parametrize("first", [True, False])
def test_the_same_words_signed_anew_change_nothing(store: PeerStore, *, first: bool) -> None:
    store.commit([ordered("the same", 3) if first else given("the same", 3), between(4)])
    before = everything(store)
    assert store.commit([ordered("the same", 5)]) == {("#ops", "burak", NAME)}
    assert everything(store) == before


@pytest.mark.parametrize(
    "change", [EraseLine("#ops", "burak", NAME), AmendLine("#ops", "burak", NAME, "edited", 6.0)]
)
def test_neither_do_they_undo_what_was_said_of_them(store: PeerStore, change: Record) -> None:
    store.commit([ordered("the same", 3), change])
    before = everything(store)
    store.commit([ordered("the same", 5)])
    assert everything(store) == before


def test_what_is_given_otherwise_does_not_change_what_is_ordered(store: PeerStore) -> None:
    store.commit([ordered("I do not agree", 3)])
    before = everything(store)
    store.commit([given("I agree"), given("I agree", 3), given("I agree", 9)])
    assert everything(store) == before


def test_what_was_erased_stays_so(store: PeerStore) -> None:
    store.commit([given("one", 3), EraseLine("#ops", "burak", NAME)])
    assert store.commit([ordered("two", 5)]) == {("#ops", "burak", NAME)}
    (only,) = store.lines("#ops", limit=9)
    assert (only.deleted, only.line.text) == (True, "")


def test_a_line_takes_the_place_of_what_is_there_for_its_signature_alone(store: PeerStore) -> None:
    about = replace(text("", 3, kind=LineKind.ABOUT), reply=("cem", b"x" * 16))
    sign = original(Reaction(About("cem", b"x" * 16), "+", on=True))
    store.commit([between(1), AddLine("#ops", about, sign), between(4)])
    store.commit([ordered("after all", 5)])
    shown = store.lines("#ops", limit=9)
    assert [one.line.text for one in shown] == ["between 1", "between 4", "after all"]
    (conversation,) = store.conversations()
    assert (conversation.count, conversation.last) == (3, shown[-1])


def test_they_disappear_when_they_are_to(store: PeerStore) -> None:
    stays, goes = given("stays", 3), ordered("goes", 5)
    store.commit([stays])
    store.commit([replace(goes, line=replace(goes.line, expires=50.0))])
    store.commit([DropExpired(60.0)])
    assert store.lines("#ops", limit=9) == []
    store.commit([replace(stays, line=replace(stays.line, expires=50.0))])
    store.commit([goes])
    store.commit([DropExpired(60.0)])
    assert [one.line.text for one in store.lines("#ops", limit=9)] == ["goes"]


def test_how_far_a_line_of_ours_came_stays_known(store: PeerStore) -> None:
    store.commit([given("one", 3), MarkLine("#ops", "burak", NAME, Status.SENT)])
    store.commit([ordered("two", 5)])
    (only,) = store.lines("#ops", limit=9)
    assert only.line.status is Status.SENT


def test_a_commit_that_fails_leaves_the_words_that_are_there(store: PeerStore) -> None:
    store.commit([given("one", 3), between(4), PutEntry(NAME, 1, b"taken")])
    before = everything(store)
    anew = ordered("two", 5)
    with pytest.raises(StorageError):
        store.commit([replace(anew, line=replace(anew.line, expires=50.0)), PutEntry(NAME, 1, b"again")])
    assert everything(store) == before
    store.commit([DropExpired(60.0)])
    assert everything(store) == before


@pytest.mark.parametrize("together", [False, True])
def test_what_is_ordered_last_is_shown_after_an_edit_that_came_before_its_line(
    store: PeerStore, *, together: bool
) -> None:
    records: list[Record] = [
        AmendLine("#ops", "burak", NAME, "edited", 10.0),
        ordered("one", 6, 7.0),
        ordered("two", 8, 8.0),
    ]
    for batch in [records] if together else [[one] for one in records]:
        store.commit(batch)
    assert [one.line.text for one in store.lines("#ops", limit=9)] == ["two"]


def edit(words: str, at: float, *, alone: bool = False) -> AmendLine:
    return AmendLine("#ops", "burak", NAME, words, at, alone)


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("together", [False, True])
def test_an_edit_that_some_have_alone_counts_less_than_any_that_is_in_the_order(
    store: PeerStore, *, early: bool, together: bool
) -> None:
    edits: list[Record] = [edit("alone", 99.0, alone=True), edit("in the order", 10.0)]
    line: list[Record] = [ordered("one", 3)]
    records = [*edits, *line] if early else [*line, *edits]
    for batch in [records] if together else [[one] for one in records]:
        store.commit(batch)
    store.commit([edit("alone", 99.0, alone=True)])
    assert [one.line.text for one in store.lines("#ops", limit=9)] == ["in the order"]
    store.commit([edit("later", 11.0), edit("earlier", 9.0)])
    assert [one.line.text for one in store.lines("#ops", limit=9)] == ["later"]


def test_of_what_some_have_alone_the_newest_counts_until_something_is_in_the_order(store: PeerStore) -> None:
    store.commit([given("one"), edit("newer", 8.0, alone=True), edit("older", 7.0, alone=True)])
    assert [one.line.text for one in store.lines("#ops", limit=9)] == ["newer"]
    store.commit([ordered("two", 5, 1.0), edit("alone", 99.0, alone=True)])
    assert [one.line.text for one in store.lines("#ops", limit=9)] == ["two"]


def test_what_is_said_of_other_words_counts_from_when_they_were_ordered(store: PeerStore) -> None:
    """So for whoever never had the words that were there before, and finds these as they are."""
    about = AddLine("#ops", replace(text("", 4, kind=LineKind.ABOUT), id=b"e" * 16, reply=("burak", NAME)), b"edit")
    store.commit([ordered("one", 3), about, edit("edited", 30.0), ordered("two", 5, 20.0)])
    assert [one.line.text for one in store.lines("#ops", limit=9)] == ["two"]
    assert store.original("#ops", "burak", b"e" * 16) is None, "who is shown them is not shown the edit"
    store.commit([edit("edited again", 10.0)])
    assert [one.line.text for one in store.lines("#ops", limit=9)] == ["edited again"]


@pytest.mark.parametrize("alone", [False, True])
def test_what_is_said_about_a_line_takes_the_place_of_words_under_its_name_too(
    store: PeerStore, *, alone: bool
) -> None:
    """Else whoever was given them alone would read them where the others read nothing."""
    sign = original(Edit(b"x" * 16, "other words"))
    about = AddLine("#ops", replace(text("", 5, kind=LineKind.ABOUT), reply=("burak", b"x" * 16)), sign, ordered=True)
    store.commit([given("I agree"), SetPin("#ops", "burak", NAME, on=True, at=1.0), *([] if alone else [between(4)])])
    store.commit([about])
    assert [one.line.text for one in store.lines("#ops", limit=9)] == ([] if alone else ["between 4"])
    assert [(one.name, one.count) for one in store.conversations()] == ([] if alone else [("#ops", 1)])
    assert (store.pinned("#ops"), store.search("agree", 9)) == ([], [])
    assert store.original("#ops", "burak", NAME) == sign
    store.commit([AddLine("#ops", replace(text("", 6), id=b"x" * 16)), EraseLine("#ops", "burak", b"x" * 16)])
    assert store.original("#ops", "burak", NAME) is None


def test_neither_does_it_keep_words_for_a_line_that_is_erased(store: PeerStore) -> None:
    store.commit([given("I agree"), EraseLine("#ops", "burak", b"x" * 16)])
    store.commit([AddLine("#ops", replace(text("", 6), id=b"x" * 16))])
    about = replace(text("", 5, kind=LineKind.ABOUT), reply=("burak", b"x" * 16))
    store.commit([AddLine("#ops", about, original(Edit(b"x" * 16, "other words")), ordered=True)])
    assert store.original("#ops", "burak", NAME) is None


LINES = st.builds(
    AddLine,
    NAMES,
    st.builds(
        Line,
        IDS,
        NAMES,
        st.sampled_from([LineKind.TEXT, LineKind.ABOUT, LineKind.FILE]),
        TEXTS,
        st.floats(0, 9),
        st.floats(0, 9),
        st.sampled_from([Status.SENT, Status.RECEIVED]),
        st.integers(0, 5),
        st.none() | st.tuples(NAMES, IDS),
        st.sampled_from([0.0, 0.0, 3.0, 6.0]),
    ),
    st.sampled_from([b"", *(original(Text(words)) for words in ("one", "two", "one"))]),
    FLAGS,
)


class TwoStoresOfAnOrder(TwoStores):
    """As many lines give way to others."""

    @rule(records=st.lists(LINES | LINES | RECORDS, max_size=12))
    def order(self, records: list[Record]) -> None:
        self.commit(records)


TestTwoStoresOfAnOrder = TwoStoresOfAnOrder.TestCase
TestTwoStoresOfAnOrder.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
