"""What every peer's store promises: the same checks in memory and on disk, and the one against the other."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from conclave.chat.effects import (
    AddLine,
    AddState,
    AmendLine,
    CutEntries,
    DropEntries,
    DropExpired,
    DropPosts,
    DropState,
    EraseLine,
    ExpireLine,
    KeepOriginal,
    MarkLine,
    PassLine,
    PutCertificate,
    PutEntry,
    PutPost,
    PutState,
    Record,
    SetPin,
    SetReaction,
    UnplaceLines,
)
from conclave.chat.words.line import Line, LineKind, Status
from conclave.errors import StorageError
from conclave.store.bounds import GONE_KEPT
from conclave.store.memory import MemoryStore
from conclave.store.peer import PeerDatabase
from conclave.store.ports import Conversation, LineName, PeerStore, StoredLine
from conclave.values import replace

KEY = bytes(range(32))
GROUP = b"g" * 16
OTHER = b"h" * 16


def line(number: int, text: str = "words", sender: str = "ayse", status: Status = Status.WAITING) -> Line:
    return Line(number.to_bytes(16), sender, LineKind.TEXT, text, number + 0.25, number + 0.5, status)


def everything(store: PeerStore) -> object:
    conversations = store.conversations()
    return (
        store.states(),
        conversations,
        {one.name: store.recorded(one.name, 0, 10_000) for one in conversations},
        {one.name: (store.pinned(one.name), store.lines_after(one.name, 0)) for one in conversations},
        outbox := store.outbox(),
        {peer: store.posts(peer, 0, 10_000) for peer in outbox},
        heads := store.heads(),
        {group: store.entries(group, 0, 10_000) for group in heads},
    )


@pytest.fixture(params=["memory", "sqlcipher"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PeerStore]:
    made: PeerStore = MemoryStore() if request.param == "memory" else PeerDatabase(tmp_path / "history.db", KEY)
    yield made
    made.close()
    made.close()


def test_an_empty_store(store: PeerStore) -> None:
    store.commit([])
    assert everything(store) == ([], [], {}, {}, {}, {}, {}, {})
    assert store.lines("@burak", limit=5) == []
    assert store.line("@burak", "ayse", GROUP) is None
    assert store.posts("burak", 0, 5) == []
    assert store.entries(GROUP, 0, 5) == []
    assert store.search("words", 5) == []


def test_states(store: PeerStore) -> None:
    store.commit([PutState("pair/burak", b"1"), PutState("pair/cem", b"\x00"), PutState("lobby/ops", b"")])
    store.commit([PutState("pair/burak", b"2"), DropState("pair/cem"), PutState("pair/çiğdem", b"3")])
    store.commit([DropState("pair/çiğdem"), PutState("pair/çiğdem", b"4"), PutState("x", b""), DropState("x")])
    store.commit([DropState("never there")])
    assert store.states() == [("lobby/ops", b""), ("pair/burak", b"2"), ("pair/çiğdem", b"4")]
    assert store.states("pair/") == [("pair/burak", b"2"), ("pair/çiğdem", b"4")]
    assert store.states("pair/ç") == [("pair/çiğdem", b"4")]
    assert store.states("q") == []


def test_lines_keep_their_order_and_are_kept_once(store: PeerStore) -> None:
    first = line(1, "günaydın\x00\n\ud7ff 👋")
    store.commit([AddLine("@burak", first), AddLine("#ops", line(2)), AddLine("@burak", line(3, sender="burak"))])
    store.commit([AddLine("@burak", line(1, "another")), AddLine("#ops", line(1)), AddLine("@burak", line(4))])
    store.commit([AddLine("@burak", line(1, sender="burak"))])
    stored = store.lines("@burak", limit=10)
    assert [one.line for one in stored] == [first, line(3, sender="burak"), line(4), line(1, sender="burak")]
    assert [one.position for one in stored] == [1, 3, 5, 6]
    assert store.line("@burak", "ayse", first.id) == StoredLine(1, first)
    assert store.line("#ops", "ayse", first.id) == StoredLine(4, line(1))
    assert store.line("#ops", "burak", first.id) is None
    assert store.conversations() == [
        Conversation("@burak", 4, stored[-1]),
        Conversation("#ops", 2, StoredLine(4, line(1))),
    ]


def test_leafing_and_following(store: PeerStore) -> None:
    store.commit([AddLine("@burak" if n % 2 else "#ops", line(n)) for n in range(1, 21)])

    def positions(**window: int) -> list[int]:
        return [one.position for one in store.lines("@burak", **window)]

    assert positions(limit=3) == [15, 17, 19]
    assert positions(limit=3, before=15) == [9, 11, 13]
    assert positions(limit=3, before=4) == [1, 3]
    assert positions(limit=3, before=1) == []
    assert positions(limit=3, after=0) == [1, 3, 5]
    assert positions(limit=3, after=5) == [7, 9, 11]
    assert positions(limit=3, after=16) == [17, 19]
    assert positions(limit=3, after=19) == []
    assert positions(limit=3, after=5, before=10) == [7, 9]
    assert positions(limit=1, after=5, before=10) == [7]
    assert positions(limit=0) == []
    assert positions(limit=0, after=3) == []


def test_history_has_the_order_of_the_lobby(store: PeerStore) -> None:
    """Our own line waits where it was said, until it is ordered: behind what was ordered before it."""
    store.commit([AddLine("#ops", line(1, "mine")), AddLine("@burak", line(9))])
    store.commit([AddLine("#ops", replace(line(2, "theirs", "burak", Status.RECEIVED), seq=1))])
    store.commit([AddLine("#ops", line(3, "mine too"))])
    assert [one.line.text for one in store.lines("#ops", limit=9)] == ["mine", "theirs", "mine too"]
    before = everything(store)
    with pytest.raises(StorageError):
        store.commit(
            [MarkLine("#ops", "ayse", line(1).id, Status.DELIVERED, 2), *[PutPost("burak", 1, 1, b"")] * 2]
        )  # fmt: skip
    assert everything(store) == before
    store.commit([MarkLine("#ops", "ayse", line(1).id, Status.DELIVERED, 2)])
    store.commit([MarkLine("#ops", "ayse", line(3).id, Status.DELIVERED, 3)])
    stored = store.lines("#ops", limit=9)
    assert [(one.line.text, one.line.seq) for one in stored] == [("theirs", 1), ("mine", 2), ("mine too", 3)]
    assert stored[-1] == store.conversations()[0].last == store.line("#ops", "ayse", line(3).id)
    assert [found.position for found in store.search("mine", 9)] == [stored[2].position, stored[1].position]
    store.commit([MarkLine("#ops", "ayse", line(1).id, Status.DELIVERED, 2), AddLine("#ops", line(4))])
    assert [one.position for one in store.lines("#ops", limit=9)] == [3, 5, 6, 7]


def test_marks(store: PeerStore) -> None:
    store.commit([AddLine("#ops", line(1)), MarkLine("#ops", "ayse", line(1).id, Status.DELIVERED, 7)])
    store.commit([MarkLine("#ops", "ayse", line(1).id, Status.FAILED)])
    store.commit([MarkLine("#ops", "ayse", line(1).id, Status.FAILED, 9)])
    store.commit([AddLine("#ops", replace(line(1), seq=8))])  # of several places the first one counts
    store.commit(
        [MarkLine("#ops", "burak", line(1).id, Status.FAILED), MarkLine("@cem", "ayse", GROUP, Status.FAILED)]
    )
    stored = store.lines("#ops", limit=2)
    assert [(one.position, one.line.status, one.line.seq) for one in stored] == [(1, Status.FAILED, 7)]
    assert [one.name for one in store.conversations()] == ["#ops"]


def test_the_outbox(store: PeerStore) -> None:
    store.commit([PutPost("burak", n, n % 3, bytes([n])) for n in range(1, 8)] + [PutPost("cem", 4, 1, b"")])
    assert store.outbox() == {"burak": (1, 7, 7), "cem": (4, 4, 1)}
    store.commit([DropPosts("burak", 3), DropPosts("cem", 9), DropPosts("deniz", 1)])
    store.commit([DropPosts("burak", 2), DropPosts("burak", 0), DropPosts("burak", -1)])
    assert store.outbox() == {"burak": (4, 7, 4)}
    assert store.posts("burak", 0, 2) == [(4, 1, b"\x04"), (5, 2, b"\x05")]
    assert store.posts("burak", 6, 9) == [(6, 0, b"\x06"), (7, 1, b"\x07")]
    assert store.posts("burak", 8, 9) == store.posts("cem", 0, 9) == []
    store.commit([DropPosts("burak", 1 << 64)])
    assert store.outbox() == {}


def test_orders(store: PeerStore) -> None:
    store.commit([PutEntry(GROUP, n, b"e%d" % n) for n in range(5, 9)] + [PutEntry(OTHER, 1, b"one")])
    assert store.heads() == {GROUP: (8, b"e8"), OTHER: (1, b"one")}
    assert store.entries(GROUP, 0, 2) == [b"e5", b"e6"]
    assert store.entries(GROUP, 7, 9) == [b"e7", b"e8"]
    assert store.entries(GROUP, 9, 9) == []
    store.commit([DropEntries(GROUP), DropEntries(b"i" * 16)])
    assert store.heads() == {OTHER: (1, b"one")}
    store.commit([PutEntry(GROUP, 2, b"anew")])
    assert store.entries(GROUP, 0, 9) == [b"anew"]


SEED: list[Record] = [
    PutState("a", b"1"),
    AddLine("@burak", line(1)),
    PutPost("burak", 1, 1, b"body"),
    PutPost("burak", 2, 1, b"body"),
    PutEntry(GROUP, 1, b"entry"),
    PutEntry(OTHER, 1, b"entry"),
]
TOUCH_ALL: list[Record] = [
    PutState("a", b"2"),
    DropState("a"),
    PutState("b", b"2"),
    AddLine("@burak", line(2)),
    AddLine("#new", line(3)),
    MarkLine("@burak", "ayse", line(1).id, Status.DELIVERED, 3),
    PutPost("burak", 3, 1, b"body"),
    DropPosts("burak", 1),
    PutPost("cem", 1, 1, b"body"),
    PutEntry(GROUP, 2, b"entry"),
    DropEntries(OTHER),
    CutEntries(GROUP, 1),
    AmendLine("@burak", "ayse", line(2).id, "other words", 5.0),
    AmendLine("@burak", "ayse", line(8).id, "early", 5.0),
    SetReaction("@burak", "ayse", line(1).id, "cem", "+", on=True, at=1.0),
    SetPin("@burak", "ayse", line(2).id, on=True, at=1.0),
    EraseLine("#new", "ayse", line(3).id),
    UnplaceLines("@burak", 0),
    AddLine("#new", replace(line(4), expires=1.0)),
    DropExpired(2.0),
    ExpireLine("@burak", "ayse", line(1).id, 4.0),
    PassLine("@burak", "ayse", line(8).id),
    PassLine("@burak", "ayse", line(7).id),
    PutCertificate(b"der"),
]


@pytest.mark.parametrize(
    "bad",
    [
        PutPost("burak", 2, 1, b"another"),
        PutEntry(GROUP, 1, b"another"),
        PutPost("burak", 1 << 63, 1, b""),
        PutPost("burak", -1, 1, b""),
        PutEntry(GROUP, 1 << 63, b""),
        PutEntry(b"short", 1, b""),
        DropEntries(b""),
        PutState("\ud800", b""),
        DropPosts("\udfff", 1),
        AddLine("@burak", line(9, "\ud800")),
        AddLine("@burak", Line(b"short", "ayse", LineKind.TEXT, "", 0, 0, Status.WAITING)),
        AddLine("@burak", Line(GROUP, "ayse", LineKind.TEXT, "", float("nan"), 0, Status.WAITING)),
        AddLine("@burak", Line(GROUP, "ayse", LineKind.TEXT, "", 0, float("inf"), Status.WAITING)),
        AddLine("@burak", Line(GROUP, "ayse", LineKind.TEXT, "", 0, 0, Status.WAITING, 1 << 63)),
        MarkLine("@burak", "ayse", line(1).id, Status.DELIVERED, 1 << 64),
        AddLine("@burak", replace(line(9), expires=float("nan"))),
        AddLine("@burak", replace(line(9), reply=("cem", b"short"))),
        AddLine("@burak", replace(line(9), reply=("\ud800", GROUP))),
        AmendLine("@burak", "ayse", line(1).id, "\ud800", 1.0),
        AmendLine("@burak", "ayse", line(1).id, "", float("inf")),
        EraseLine("@burak", "ayse", b"short"),
        SetReaction("@burak", "ayse", line(1).id, "cem", "\ud800", on=True, at=1.0),
        SetReaction("@burak", "ayse", line(1).id, "\ud800", "+", on=True, at=1.0),
        SetPin("\ud800", "ayse", line(1).id, on=True, at=1.0),
        DropExpired(float("nan")),
        ExpireLine("@burak", "ayse", line(1).id, float("nan")),
        ExpireLine("@burak", "ayse", b"short", 1.0),
        PassLine("@burak", "ayse", b"short"),
        UnplaceLines("@burak", -1),
        CutEntries(b"short", 1),
        CutEntries(GROUP, 1 << 63),
        KeepOriginal("@burak", "\ud800", line(1).id, b""),
        PutCertificate(b""),
        PutCertificate(bytes((1 << 16) + 1)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("place", ["first", "last"])
def test_all_or_nothing(store: PeerStore, bad: Record, place: str) -> None:
    store.commit(SEED)
    before = everything(store)
    with pytest.raises(StorageError):
        store.commit([bad, *TOUCH_ALL] if place == "first" else [*TOUCH_ALL, bad])
    assert everything(store) == before
    assert store.search("words", 9) == store.search("word", 9) != []
    store.commit(TOUCH_ALL)  # usable as before
    positions = [one.position for one in store.lines("@burak", limit=9)]
    assert positions == [2, 4]  # the marked line moved behind the new one, whose position was not used up before
    assert everything(store) != before


def test_reads_past_what_can_be_kept(store: PeerStore) -> None:
    store.commit(SEED)
    huge = 1 << 64
    assert not store.entries(GROUP, huge, 5)
    assert not store.posts("burak", huge, 5)
    assert len(store.entries(GROUP, 0, huge)) == 1
    assert len(store.posts("burak", 0, huge)) == 2
    assert (
        len(store.lines("@burak", before=huge, limit=huge)) == len(store.lines("@burak", after=-huge, limit=5)) == 1
    )
    assert store.lines("@burak", before=-huge, limit=5) == store.lines("@burak", after=huge, limit=5) == []
    assert store.lines("@burak", limit=-1) == store.lines("@burak", after=0, limit=-1) == []
    assert not any((store.posts("burak", 0, -1), store.entries(GROUP, 0, -1), store.search("words", -1)))
    assert not any((store.lines("\ud800", limit=5), store.states("\ud800"), store.posts("\ud800", 0, 5)))
    assert store.line("@burak", "\ud800", GROUP) is None
    assert store.search("\ud800", 5) == []


def test_search(store: PeerStore) -> None:
    texts = [
        "The quick brown fox",
        "quicker, Quickest!",
        "slow-brown dog",
        "İstanbul'da ÇAY içtik",
        'x"y* AND (z',
        "fox",
    ]
    store.commit([AddLine("@burak" if n % 2 else "#ops", line(n, text)) for n, text in enumerate(texts, 1)])

    def found(text: str, limit: int = 9) -> list[int]:
        return [one.position for one in store.search(text, limit)]

    assert found("quick") == [2, 1]
    assert found("QUICK fox") == [1]
    assert found("bro") == [3, 1]
    assert found("brown-dog") == [3]
    assert found("çay") == [4]
    assert found("fox", 1) == [6]
    assert found('y" z') == [5]
    assert found("and or not near") == found("uick") == found("") == found('"*()-:^') == []
    assert found("fox " * 10_000) == [6, 1]
    [one] = store.search("dog", 5)
    assert (one.conversation, one.position, one.line) == ("@burak", 3, line(3, "slow-brown dog"))


def test_a_thousand_mixed_records_in_one_commit(store: PeerStore) -> None:
    records: list[Record] = []
    for n in range(1, 126):
        records += [PutState("pair", b"%d" % n), AddLine("@burak", line(n)), PutPost("burak", n, 1, b"b")]
        records += [MarkLine("@burak", "ayse", line(n).id, Status.DELIVERED), DropPosts("burak", n - 2)]
        records += [PutEntry(GROUP, n, b"%d" % n), PutState(f"k{n}", b""), DropState(f"k{n - 1}")]
    store.commit(records)
    assert len(records) == 1000
    assert store.states() == [("k125", b""), ("pair", b"125")]
    assert store.outbox() == {"burak": (124, 125, 2)}
    assert {one.line.status for one in store.lines("@burak", limit=999)} == {Status.DELIVERED}
    assert store.heads() == {GROUP: (125, b"125")}


def test_commits_from_other_threads(store: PeerStore) -> None:
    for n in range(5):
        worker = Thread(target=store.commit, args=([PutState(f"{n}", b"")],))
        worker.start()
        worker.join()
        assert len(store.states()) == n + 1


def test_an_edit_gives_no_file_another_name(store: PeerStore) -> None:
    file = replace(line(1, "update.desktop"), kind=LineKind.FILE)
    store.commit([AmendLine("#ops", "ayse", file.id, "plan.pdf", 5.0), AddLine("#ops", file)])
    store.commit([AmendLine("#ops", "ayse", file.id, "ward-plan.pdf", 6.0)])
    [stored] = store.lines("#ops", limit=9)
    assert (stored.line.text, stored.edited) == ("update.desktop", False)


def test_an_edit(store: PeerStore) -> None:
    name = ("#ops", "ayse", line(1).id)
    store.commit([AddLine("#ops", line(1, "first words"), b"signed"), AddLine("#ops", line(2))])
    store.commit([AmendLine(*name, "second words", 7.0)])
    [edited] = store.search("second", 9)
    assert (edited.line.text, store.search("first", 9)) == ("second words", [])
    assert store.line(*name) == StoredLine(1, replace(line(1), text="second words"), edited=True)
    store.commit([AmendLine(*name, "older", 6.0), AmendLine(*name, "second", 7.0)])
    [recorded, _] = store.recorded("#ops", 0, 9)
    assert (recorded.stored.line.text, recorded.original) == ("second words", b"signed")
    store.commit([AmendLine(*name, "second words, greater", 7.0)])
    assert [one.line.text for one in store.search("greater", 9)] == ["second words, greater"]


def test_history_that_stands_still_while_it_is_read(store: PeerStore) -> None:
    store.commit([AddLine("#ops", line(n), b"%d" % n) for n in (1, 2, 3)])
    before = store.recorded("#ops", 0, 9)
    with store.unmoved() as still:
        store.commit([MarkLine("#ops", "ayse", line(1).id, Status.SENT, 7), AddLine("#ops", line(4))])
        store.commit([EraseLine("#ops", "ayse", line(2).id)])
        assert [*still.recorded("#ops", 0, 2), *still.recorded("#ops", before[1].stored.position, 2)] == before
        assert still.recorded("#board", 0, 9) == []
        with store.unmoved() as later:
            assert later.recorded("#ops", 0, 9) == store.recorded("#ops", 0, 9) != before
    assert len(store.recorded("#ops", 0, 9)) == 4
    store.commit([EraseLine("#ops", "ayse", line(3).id)])


def test_an_erasure_is_for_good(store: PeerStore) -> None:
    name = ("#ops", "ayse", line(1).id)
    said = replace(line(1, "first words"), reply=("cem", GROUP))
    store.commit([AddLine("#ops", said, b"signed"), SetPin(*name, on=True, at=1.0)])
    store.commit([AmendLine(*name, "second words", 7.0), SetReaction(*name, "cem", "+", on=True, at=1.0)])
    assert store.original(*name) == b"signed"
    store.commit([EraseLine(*name)])
    gone = StoredLine(1, replace(line(1), text=""), deleted=True)
    assert store.line(*name) == gone
    store.commit(
        [
            AmendLine(*name, "third", 9.0),
            SetReaction(*name, "cem", "+", on=True, at=9.0),
            SetPin(*name, on=True, at=9.0),
        ]
    )
    store.commit([AddLine("#ops", said, b"signed"), EraseLine(*name)])
    [recorded] = store.recorded("#ops", 0, 9)
    assert (recorded.stored, recorded.original) == (gone, b"")
    assert store.original(*name) is None
    assert not any(store.search(word, 9) for word in ("first", "second", "third"))
    assert store.pinned("#ops") == []
    assert store.conversations()[0].count == 1


def test_reactions_and_their_bounds(store: PeerStore) -> None:
    name = ("#ops", "ayse", line(1).id)
    store.commit([AddLine("#ops", line(1))])
    store.commit(
        [
            SetReaction(*name, by, sign, on=True, at=1.0)
            for by, sign in (("cem", "👍"), ("burak", "👍"), ("cem", "\0"))
        ]
    )
    store.commit(
        [SetReaction(*name, "cem", "👍", on=True, at=1.0), SetReaction(*name, "deniz", "!", on=False, at=2.0)]
    )
    assert store.lines("#ops", limit=1)[0].reactions == (("\0", "cem"), ("👍", "burak", "cem"))
    store.commit(
        [SetReaction(*name, "cem", "👍", on=False, at=2.0), SetReaction(*name, "cem", "\0", on=False, at=2.0)]
    )
    assert store.lines("#ops", limit=1)[0].reactions == (("👍", "burak"),)
    store.commit([SetReaction(*name, "cem", f"{n:02}", on=True, at=1.0) for n in range(20)])
    assert [sign for sign, *_ in store.lines("#ops", limit=1)[0].reactions] == [f"{n:02}" for n in range(8)] + ["👍"]
    store.commit([SetReaction(*name, f"p{n // 8}", f"s{n}", on=True, at=1.0) for n in range(80)])
    assert len(store.lines("#ops", limit=1)[0].reactions) == 64


def test_a_commit_says_which_lines_are_no_news(store: PeerStore) -> None:
    one, two, three = (("#ops", "ayse", line(n).id) for n in (1, 2, 3))
    assert store.commit([AddLine("#ops", line(1)), AddLine("#ops", line(1))]) == frozenset()
    assert store.commit([AddLine("#ops", replace(line(1), seq=7)), AddLine("#ops", line(2))]) == {one}
    assert store.commit([EraseLine(*two), EraseLine(*three)]) == frozenset()
    assert store.commit([AddLine("#ops", line(n)) for n in (2, 3, 4)]) == {two, three}
    assert store.commit([AddLine("@cem", line(1)), EraseLine("@cem", "ayse", line(1).id)]) == {("@cem", *one[1:])}
    brief = AddLine("#ops", replace(line(5), expires=3.0))
    assert store.commit([brief]) == frozenset()
    assert store.commit([DropExpired(5.0), brief, AddLine("#ops", line(6))]) == {("#ops", "ayse", line(5).id)}
    assert store.commit([PutState("a", b"")]) == store.commit([]) == frozenset()


def test_a_state_that_is_added_leaves_one_that_is_there_as_it_is(store: PeerStore) -> None:
    store.commit([PutState("a", b"put"), AddState("b", b"added"), AddState("b", b"again")])
    store.commit([AddState("a", b"added"), AddState("b", b"again"), AddState("c", b"added"), PutState("c", b"put")])
    assert store.states() == [("a", b"put"), ("b", b"added"), ("c", b"put")]
    store.commit([DropState("a"), AddState("a", b"anew"), AddState("b", b"again"), DropState("b")])
    assert store.states() == [("a", b"anew"), ("c", b"put")]


def test_pins(store: PeerStore) -> None:
    store.commit([AddLine("#ops", line(n)) for n in range(1, 151)])
    store.commit([SetPin("#ops", "ayse", line(n).id, on=True, at=1.0) for n in range(150, 0, -1)])
    assert [one.position for one in store.pinned("#ops")] == list(range(51, 151))
    store.commit([SetPin("#ops", "ayse", line(n).id, on=False, at=2.0) for n in range(4, 151)])
    assert [one.position for one in store.pinned("#ops") if one.pinned] == [1, 2, 3]


def test_of_a_sign_and_of_a_pin_the_newest_word_counts_however_often_older_ones_come(store: PeerStore) -> None:
    name = ("#ops", "ayse", line(1).id)
    put, taken = (SetReaction(*name, "cem", "+", on=on, at=at) for on, at in ((True, 5.0), (False, 6.0)))
    pinned, unpinned = SetPin(*name, on=True, at=5.0), SetPin(*name, on=False, at=6.0)
    burak = SetReaction(*name, "burak", "+", on=True, at=4.0)
    store.commit([put, taken, pinned, unpinned])  # before the line
    store.commit([put, pinned])
    store.commit([AddLine("#ops", line(1))])
    for again in ((), (put, pinned), (taken, unpinned, put, pinned), (burak,)):
        store.commit(list(again))
        [shown] = store.lines("#ops", limit=9)
        assert (shown.reactions, shown.pinned) == ((("+", "burak"),) if again == (burak,) else (), False)
    store.commit([replace(put, at=6.0), replace(pinned, at=6.0)])  # of two at once what takes off
    assert not store.pinned("#ops")
    assert store.lines("#ops", limit=9)[0].reactions == (("+", "burak"),)
    store.commit([replace(put, at=7.0), replace(pinned, at=7.0), taken, unpinned])
    assert store.pinned("#ops")[0].reactions == (("+", "burak", "cem"),)


def test_signs_that_were_taken_off_are_remembered_within_bounds_and_beyond_them_all_that_is_old(
    store: PeerStore,
) -> None:
    name = ("#ops", "ayse", line(1).id)
    store.commit([AddLine("#ops", line(1))])
    for n in range(40):
        put = SetReaction(*name, "cem", f"{n:02}", on=True, at=2.0 * n)
        store.commit([put, replace(put, on=False, at=2.0 * n + 1)])
    store.commit([SetReaction(*name, "cem", f"{n:02}", on=True, at=2.0 * n) for n in range(40)])
    assert store.lines("#ops", limit=9)[0].reactions == ()
    store.commit([SetReaction(*name, "cem", "00", on=True, at=90.0)])
    store.commit([SetReaction(*name, "burak", "01", on=True, at=1.0)])
    assert store.lines("#ops", limit=9)[0].reactions == (("00", "cem"), ("01", "burak"))


def test_what_is_said_of_a_line_before_it_comes(store: PeerStore) -> None:
    one, two = ("#ops", "ayse", line(1).id), ("#ops", "ayse", line(2).id)
    store.commit([AmendLine(*one, "newer", 9.0), AmendLine(*one, "older", 8.0)])
    store.commit([SetReaction(*one, "cem", "+", on=True, at=1.0), SetReaction(*one, "cem", "-", on=True, at=1.0)])
    store.commit([SetReaction(*one, "cem", "+", on=False, at=2.0), SetPin(*one, on=True, at=1.0)])
    store.commit([AmendLine(*two, "never to be seen", 9.0), EraseLine(*two), AmendLine(*two, "nor this", 9.5)])
    assert everything(store) == ([], [], {}, {}, {}, {}, {}, {})
    store.commit([AddLine("#ops", line(1), b"signed"), SetReaction(*one, "cem", "-", on=False, at=2.0)])
    store.commit([AddLine("#ops", line(2), b"signed")])
    first, second = store.recorded("#ops", 0, 9)
    assert first.stored == StoredLine(1, replace(line(1), text="newer"), edited=True, pinned=True)
    assert first.original == b"signed"
    assert second.stored == StoredLine(2, replace(line(2), text=""), deleted=True)
    assert second.original == b""
    store.commit([AmendLine(*one, "newest", 10.0)])
    assert store.lines("#ops", limit=1, after=0)[0].line.text == "newest"


def test_what_waits_for_its_line_is_bounded(store: PeerStore) -> None:
    def names(n: int) -> tuple[str, str, bytes]:
        return ("#ops", "ayse", line(n).id)

    store.commit([SetReaction(*names(n), "cem", "+", on=True, at=1.0) for n in range(1, 100)])
    store.commit([SetReaction(*names(1), "burak", "+", on=True, at=1.0)])
    store.commit([SetReaction(*names(n), "deniz", "+", on=True, at=1.0) for n in range(1, 65)])
    store.commit(
        [
            SetReaction(*names(1), "deniz", "+", on=False, at=2.0),
            SetReaction(*names(99), "deniz", "+", on=True, at=1.0),
        ]
    )
    store.commit([AddLine("#ops", line(n)) for n in range(1, 100)])
    by = {
        one.position: {who for _, *people in one.reactions for who in people} for one in store.lines("#ops", limit=99)
    }
    assert by[1] == {"burak"}
    assert [n for n, people in by.items() if "cem" in people] == list(range(36, 100))
    assert [n for n, people in by.items() if "deniz" in people] == [*range(2, 65), 99]


def test_lines_that_expire(store: PeerStore) -> None:
    store.commit([AddLine("#ops", replace(line(n, f"n{n}"), expires=n % 3 * 10.0)) for n in range(1, 9)])
    store.commit([AddLine("@cem", replace(line(1), expires=10.0)), DropExpired(9.9)])
    assert [one.count for one in store.conversations()] == [1, 8]
    store.commit([DropExpired(10.0)])
    assert [one.line.text for one in store.lines("#ops", limit=9)] == ["n2", "n3", "n5", "n6", "n8"]
    assert [(one.name, one.count, one.last.position) for one in store.conversations()] == [("#ops", 5, 8)]
    store.commit([DropExpired(20.0)])
    assert [one.line.text for one in store.lines("#ops", limit=9)] == ["n3", "n6"]
    assert store.search("n8", 9) == []
    assert store.line("#ops", "ayse", line(8).id) is None
    store.commit([AddLine("#ops", line(9)), AddLine("#ops", replace(line(8), expires=30.0))])
    assert [one.position for one in store.lines("#ops", limit=9)] == [3, 6, 10, 11]  # a position never comes again
    before = everything(store)
    with pytest.raises(StorageError):
        store.commit([DropExpired(99.0), AddLine("#ops", line(10)), *[PutPost("burak", 1, 1, b"")] * 2])
    assert everything(store) == before
    store.commit([DropExpired(99.0)])
    assert [one.position for one in store.lines("#ops", limit=9)] == [3, 6, 10]


@pytest.mark.parametrize("came", [True, False])
@pytest.mark.parametrize("early", [True, False])
def test_what_is_said_of_a_line_that_disappeared_goes_too(store: PeerStore, came: bool, early: bool) -> None:
    name = ("#ops", "ayse", line(1).id)
    edit: list[Record] = [
        AddLine("#ops", replace(line(2, ""), kind=LineKind.ABOUT, reply=("ayse", line(1).id)), b"edit"),
        AmendLine(*name, "other words", 5.0),
        SetReaction(*name, "cem", "+", on=True, at=5.0),
    ]
    gone: list[Record] = [PassLine(*name)]
    if came:
        gone = [AddLine("#ops", replace(line(1), expires=1.0), b"one"), DropExpired(2.0)]
    for records in (edit, gone) if early else (gone, edit):
        store.commit(records)
    store.commit([KeepOriginal("#ops", "ayse", line(2).id, b"edit")])
    assert not store.original("#ops", "ayse", line(2).id)
    store.commit([AddLine("#ops", line(1)), PassLine(*name)])  # which does nothing to one that is here
    [stored] = store.lines("#ops", limit=9)
    assert (stored.line.text, stored.edited, stored.reactions) == (line(1).text, False, ())
    store.commit([AmendLine(*name, "other words", 5.0), KeepOriginal("#ops", "ayse", line(2).id, b"edit")])
    assert (store.lines("#ops", limit=9)[0].edited, store.original("#ops", "ayse", line(2).id)) == (True, b"edit")


def test_of_lines_that_disappeared_the_last_ones_are_known(store: PeerStore) -> None:
    """Their names filled the file, and each backup, for ever."""

    def edited(n: int) -> bool:
        of = line(n).id
        about = replace(line(100_000 + n, ""), kind=LineKind.ABOUT, reply=("ayse", of))
        store.commit([AddLine("#ops", about, b"words")])
        return bool(store.original("#ops", "ayse", about.id))

    many = range(1, GONE_KEPT + 2)
    store.commit([PassLine("#ops", "ayse", line(0).id), PassLine("@cem", "ayse", line(1).id)])
    store.commit([AddLine("#ops", replace(line(n), expires=1.0)) for n in many])
    assert not edited(0)
    store.commit([DropExpired(2.0), PassLine("#ops", "ayse", line(2).id)])  # which is known already
    assert [edited(n) for n in (1, 2, GONE_KEPT, GONE_KEPT + 1)] == [True, False, False, False]
    store.commit([PassLine("#ops", "ayse", line(50_000).id), AddLine("#ops", line(GONE_KEPT))])
    assert [edited(n) for n in (50_000, 60_000)] == [False, True]
    store.commit([AddLine("@cem", replace(line(9), kind=LineKind.ABOUT, reply=("ayse", line(1).id)), b"words")])
    assert not store.original("@cem", "ayse", line(9).id)


def test_a_line_that_disappeared_and_was_erased_stays_so(store: PeerStore) -> None:
    name = ("#ops", "ayse", line(1).id)
    store.commit([AddLine("#ops", replace(line(1), expires=1.0)), DropExpired(2.0), EraseLine(*name)])
    store.commit([PassLine(*name), AddLine("#ops", line(1))])
    assert store.lines("#ops", limit=9)[0].deleted


def test_a_line_that_is_to_disappear_after_all(store: PeerStore) -> None:
    store.commit([AddLine("#ops", replace(line(n, f"n{n}"), expires=n % 2 * 10.0)) for n in range(1, 5)])
    store.commit([EraseLine("#ops", "ayse", line(4).id)])
    store.commit([ExpireLine("#ops", "ayse", line(n).id, 20.0) for n in range(1, 6)])
    assert [one.line.expires for one in store.lines("#ops", limit=9)] == [10.0, 20.0, 10.0, 0.0]
    store.commit([DropExpired(20.0)])
    assert [one.line.id for one in store.lines("#ops", limit=9)] == [line(4).id]  # an erasure is for good


def test_places_of_a_half_that_lost(store: PeerStore) -> None:
    store.commit([AddLine("#ops", replace(line(n, f"n{n}"), seq=n), b"o%d" % n) for n in range(1, 6)])
    store.commit([AddLine("#ops", line(6, "waits"))])
    assert store.lines_after("#ops", 3) == [("ayse", line(4).id), ("ayse", line(5).id)]
    assert [one.original for one in store.originals("#ops", 1, 5, 2)] == [b"o2", b"o3"]
    assert [one.stored.line.seq for one in store.originals("#ops", 1, 5, 9)] == [2, 3, 4]
    store.commit([PutEntry(GROUP, n, b"e") for n in range(1, 6)])
    store.commit([CutEntries(GROUP, 3), UnplaceLines("#ops", 3), CutEntries(OTHER, 1), UnplaceLines("@cem", 1)])
    assert store.heads() == {GROUP: (3, b"e")}
    assert store.lines_after("#ops", 3) == []
    store.commit([AddLine("#ops", replace(line(5, "other words"), seq=4, status=Status.FAILED), b"other")])
    store.commit([AddLine("#ops", replace(line(5, "other words"), seq=9))])
    assert [(one.line.text, one.line.seq) for one in store.lines("#ops", limit=9)] == [
        ("n1", 1),
        ("n2", 2),
        ("n3", 3),
        ("n4", 0),
        ("waits", 0),
        ("n5", 4),
    ]
    assert store.lines("#ops", limit=1)[0].line.status is Status.WAITING
    assert store.original("#ops", "ayse", line(5).id) == b"o5"
    store.commit([PutEntry(GROUP, 4, b"anew")])
    assert store.entries(GROUP, 1, 9) == [b"e"] * 3 + [b"anew"]


def test_lines_that_are_there_for_their_signature(store: PeerStore) -> None:
    def edit(n: int, of: int) -> AddLine:
        about = replace(line(n, ""), kind=LineKind.ABOUT, reply=("ayse", line(of).id), seq=n)
        return AddLine("#ops", about, b"words%d" % n)

    store.commit([edit(7, of=1)])
    assert (store.conversations(), store.lines("#ops", limit=9)) == ([], [])
    store.commit([AddLine("#ops", line(1), b"one"), edit(2, of=1), AddLine("#ops", replace(line(3), expires=1.0))])
    store.commit([edit(4, of=3), AddLine("#ops", line(5), b"five"), edit(6, of=5)])
    assert [one.position for one in store.lines("#ops", limit=9)] == [2, 4, 6]
    assert [one.position for one in store.lines("#ops", limit=1, before=6)] == [4]
    assert [(one.count, one.last.position) for one in store.conversations()] == [(3, 6)]
    assert store.lines_after("#ops", 2) == [("ayse", line(n).id) for n in (4, 6, 7)]
    assert [one.original for one in store.originals("#ops", 0, 7, 9)] == [b"words2", b"words4", b"words6"]
    store.commit([EraseLine("#ops", "ayse", line(1).id), DropExpired(2.0), edit(8, of=1)])
    kept = {int.from_bytes(one.stored.line.id): one.original for one in store.recorded("#ops", 0, 99)}
    assert kept == {7: b"", 1: b"", 2: b"", 4: b"", 5: b"five", 6: b"words6", 8: b""}


def test_an_original_that_comes_after_its_line(store: PeerStore) -> None:
    about = replace(line(3, ""), kind=LineKind.ABOUT, reply=("ayse", line(1).id))
    store.commit([AddLine("#ops", line(1)), AddLine("#ops", line(2)), AddLine("#ops", about)])
    store.commit(
        [KeepOriginal("#ops", "ayse", line(2).id, b"two"), KeepOriginal("#ops", "ayse", line(9).id, b"none")]
    )
    store.commit([KeepOriginal("#ops", "ayse", line(2).id, b"another"), EraseLine("#ops", "ayse", line(1).id)])
    store.commit([KeepOriginal("#ops", "ayse", line(n).id, b"erased words") for n in (1, 3)])
    assert [one.original for one in store.recorded("#ops", 0, 9)] == [b"", b"two", b""]


def test_certificates(store: PeerStore) -> None:
    store.commit([PutCertificate(b"one"), PutCertificate(b"two"), PutCertificate(b"one")])
    store.commit([PutCertificate(b"two")])
    assert store.certificate(sha256(b"two").digest()) == b"two"
    assert store.certificate(sha256(b"three").digest()) is None
    assert sorted(store.certificates()) == [b"one", b"two"]


NAMES = st.sampled_from(["burak", "cem"])
TEXTS = st.sampled_from(["one two", "two", "three"])
FLAGS = st.booleans()
TIMES = st.sampled_from([1.0, 2.0, 3.0])
NUMBERS = st.integers(0, 6)
IDS = st.sampled_from([bytes([n]) * 16 for n in range(4)])
RECORDS = st.one_of(
    st.builds(PutState, st.sampled_from("abé"), st.binary(max_size=3)),
    st.builds(DropState, st.sampled_from("abé")),
    st.builds(AddState, st.sampled_from("abé"), st.binary(max_size=3)),
    st.builds(
        AddLine,
        NAMES,
        st.builds(
            Line,
            IDS,
            NAMES,
            st.sampled_from(LineKind),
            TEXTS,
            st.floats(0, 9),
            st.floats(0, 9),
            st.sampled_from(Status),
            NUMBERS,
            st.none() | st.tuples(NAMES, IDS),
            st.sampled_from([0.0, 0.0, 3.0, 6.0]),
        ),
        st.binary(max_size=2),
    ),
    st.builds(AmendLine, NAMES, NAMES, IDS, TEXTS, TIMES, FLAGS),
    st.builds(EraseLine, NAMES, NAMES, IDS),
    st.builds(KeepOriginal, NAMES, NAMES, IDS, st.binary(max_size=2)),
    st.builds(SetReaction, NAMES, NAMES, IDS, NAMES, st.sampled_from(["+", "\0", "👍"]), FLAGS, TIMES),
    st.builds(SetPin, NAMES, NAMES, IDS, FLAGS, TIMES),
    st.builds(ExpireLine, NAMES, NAMES, IDS, st.sampled_from([1.0, 3.0, 9.0])),
    st.builds(PassLine, NAMES, NAMES, IDS),
    st.builds(DropExpired, st.sampled_from([1.0, 3.0, 9.0])),
    st.builds(UnplaceLines, NAMES, NUMBERS),
    st.builds(CutEntries, IDS, NUMBERS),
    st.builds(PutCertificate, st.binary(min_size=1, max_size=1)),
    st.builds(MarkLine, NAMES, NAMES, IDS, st.sampled_from(Status), NUMBERS),
    st.builds(PutPost, NAMES, NUMBERS, NUMBERS, st.binary(max_size=3)),
    st.builds(DropPosts, NAMES, NUMBERS),
    st.builds(PutEntry, IDS, NUMBERS, st.binary(max_size=3)),
    st.builds(DropEntries, IDS),
)


class TwoStores(RuleBasedStateMachine):
    """Whatever one store does, the other does."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "history.db"
        self.memory: PeerStore = MemoryStore()
        self.disk: PeerStore = PeerDatabase(self.path, KEY)

    @rule(records=st.lists(RECORDS, max_size=12))
    def commit(self, records: list[Record]) -> None:
        answers: list[frozenset[LineName] | None] = []
        for store in (self.memory, self.disk):
            try:
                answers.append(store.commit(records))
            except StorageError:
                answers.append(None)
        assert answers[0] == answers[1]

    @rule(
        name=NAMES,
        before=st.none() | st.integers(0, 30),
        after=st.none() | st.integers(0, 30),
        limit=NUMBERS,
        word=st.sampled_from(["one", "tw", "t o"]),
    )
    def look(self, name: str, before: int | None, after: int | None, limit: int, word: str) -> None:
        window = self.memory.lines(name, before=before, after=after, limit=limit)
        assert window == self.disk.lines(name, before=before, after=after, limit=limit)
        assert self.memory.search(word, limit) == self.disk.search(word, limit)
        assert self.memory.originals(name, limit, 5, 2) == self.disk.originals(name, limit, 5, 2)
        assert self.memory.posts(name, limit, 2) == self.disk.posts(name, limit, 2)

    @rule()
    def reopen(self) -> None:
        self.disk.close()
        self.disk = PeerDatabase(self.path, KEY)

    @invariant()
    def same(self) -> None:
        assert everything(self.memory) == everything(self.disk)

    def teardown(self) -> None:
        self.disk.close()
        self.folder.cleanup()


TwoStores.TestCase.settings = settings(max_examples=50, stateful_step_count=12, deadline=None)
TestTwoStores = TwoStores.TestCase


def test_of_several_places_of_a_line_the_first_counts(store: PeerStore) -> None:
    store.commit([AddLine("#ops", line(1)), AddLine("#ops", replace(line(2), seq=30))])
    for seq, kept in ((9, 9), (12, 9), (7, 7)):
        store.commit([MarkLine("#ops", "ayse", line(1).id, Status.SENT, seq)])
        assert store.lines("#ops", limit=9)[-1].line.seq == kept
    for seq, kept in ((31, 30), (20, 20)):
        store.commit([AddLine("#ops", replace(line(2), seq=seq))])
        assert store.lines("#ops", limit=9)[0].line.seq == kept
    assert [one.line.id for one in store.lines("#ops", limit=9)] == [line(2).id, line(1).id]
