"""The leader orders, the member follows and believes nothing that does not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conclave.lobby.member import Following, Place
from conclave.lobby.roster import Change, Turn, encode_change

from conclave.errors import RemoteError, VerificationError
from conclave.lobby import chain
from conclave.lobby import leader as lead
from conclave.lobby import member as mem
from conclave.lobby.leader import FETCH_ENTRIES, Leading
from conclave.wire.frames import EntryKind, Fetch, Head, Ordered

GROUP = b"g" * 16
MOST = 5


def said(leading: Leading, sender: str = "ayse", kind: EntryKind = EntryKind.MESSAGE) -> tuple[Leading, Ordered]:
    leading, entry, _ = lead.append(leading, sender, b"i" * 16, 0, kind, b"words")
    return leading, entry


@pytest.fixture
def leading() -> Leading:
    return lead.admit(lead.found(GROUP, "ops", "ayse"), "burak", 0.0, linked=True)


@pytest.fixture
def following(leading: Leading) -> Following:
    return Following(GROUP, "ayse", leading.term, leading.seq, leading.hash, frozenset({"ayse", "burak"}))


def test_an_order_is_followed_to_the_same_hash(leading: Leading, following: Following) -> None:
    for _ in range(5):
        leading, entry = said(leading)
        following, change = mem.follow(following, entry, MOST)
        assert change is None
    assert (following.seq, following.hash) == (leading.seq, leading.hash)


def test_lobbies_and_leaders_begin_with_different_hashes() -> None:
    starts = {chain.start(b"a" * 16, "ayse"), chain.start(b"b" * 16, "ayse"), chain.start(b"a" * 16, "burak")}
    assert len(starts) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"previous": b"x" * 32},
        {"term": 2},
        {"sender": "deniz"},
        {"sender": "burak", "kind": EntryKind.ROSTER, "payload": encode_change(Change(Turn.LEFT, "ayse", 1.0))},
        {"kind": EntryKind.ROSTER, "payload": b"junk"},
    ],
)
def test_what_does_not_fit_is_refused(leading: Leading, following: Following, wrong: dict[str, object]) -> None:
    _, entry = said(leading)
    mem.follow(following, entry, MOST)
    with pytest.raises(RemoteError):
        mem.follow(following, replace(entry, **wrong), MOST)  # type: ignore[arg-type]


def test_places(leading: Leading, following: Following) -> None:
    leading, one = said(leading)
    leading, two = said(leading)
    assert [mem.place(following, entry.seq) for entry in (one, two)] == [Place.NEXT, Place.AHEAD]
    following, _ = mem.follow(following, one, MOST)
    assert mem.place(following, one.seq) is Place.REPEATED


def test_the_roster_changes_by_the_leaders_entries(leading: Leading, following: Following) -> None:
    for change in (Change(Turn.ENTERED, "cem", 1.0), Change(Turn.REMOVED, "burak", 1.0, "gone")):
        leading, entry, _ = lead.append(leading, "ayse", b"i" * 16, 0, EntryKind.ROSTER, encode_change(change))
        following, seen = mem.follow(following, entry, MOST)
        assert seen == change
    assert following.roster == {"ayse", "cem"}


def test_a_roster_has_an_end(leading: Leading, following: Following) -> None:
    def enters(handle: str) -> Ordered:
        nonlocal leading
        change = encode_change(Change(Turn.ENTERED, handle, 1.0))
        leading, entry, _ = lead.append(leading, "ayse", b"i" * 16, 0, EntryKind.ROSTER, change)
        return entry

    for handle in ("cem", "deniz", "elif", "elif"):
        following, _ = mem.follow(following, enters(handle), MOST)
    with pytest.raises(VerificationError) as caught:
        mem.follow(following, enters("fatma"), MOST)
    assert caught.value.reason == "lobby-full"
    assert len(following.roster) == MOST


def test_a_head_that_contradicts_is_refused(leading: Leading, following: Following) -> None:
    leading, entry = said(leading)
    following, _ = mem.follow(following, entry, MOST)
    assert mem.told(following, Head(GROUP, 1, 1, leading.hash)) == following
    assert mem.told(following, Head(GROUP, 1, 9, b"x" * 32)).head == 9
    for head in (Head(GROUP, 1, 1, b"x" * 32), Head(GROUP, 1, 0, b"x" * 32), Head(GROUP, 2, 1, leading.hash)):
        with pytest.raises(RemoteError):
            mem.told(following, head)


def test_one_fetch_at_a_time_repeated_after_a_while(following: Following) -> None:
    following, fetch = mem.missing(mem.noticed(following, 600), 100.0, 10.0)
    assert fetch == Fetch(GROUP, 1, FETCH_ENTRIES)
    assert mem.missing(following, 109.0, 10.0)[1] is None
    assert mem.missing(following, 110.0, 10.0)[1] == fetch


def test_the_next_fetch_follows_as_soon_as_one_is_filled(leading: Leading, following: Following) -> None:
    following, _ = mem.missing(mem.noticed(following, FETCH_ENTRIES + 1), 100.0, 10.0)
    for _ in range(FETCH_ENTRIES):
        leading, entry = said(leading)
        assert mem.missing(following, 101.0, 10.0)[1] is None
        following, _ = mem.follow(following, entry, MOST)
    assert mem.missing(following, 101.0, 10.0)[1] == Fetch(GROUP, FETCH_ENTRIES + 1, FETCH_ENTRIES)


def test_who_lags_gets_nothing_pushed_and_the_others_do(leading: Leading) -> None:
    leading = lead.admit(leading, "cem", 0.0, linked=True)
    pushed: list[list[str]] = []
    for _ in range(5):
        leading, _ = said(leading)
        leading, handles, _ = lead.audience(leading, 3)
        pushed.append(sorted(handles))
        leading, _, _ = lead.heard(leading, "cem", leading.seq, 1.0)
    assert pushed == [["burak", "cem"]] * 3 + [["cem"]] * 2


def test_who_lagged_comes_back_by_fetching(leading: Leading) -> None:
    for _ in range(5):
        leading, _ = said(leading)
        leading, _, _ = lead.audience(leading, 3)
    leading, tell, _ = lead.heard(leading, "burak", 2, 1.0)
    assert not tell
    leading, tell, _ = lead.heard(leading, "burak", 3, 1.0)
    assert tell
    leading, first, count = lead.fetched(leading, "burak", 4, FETCH_ENTRIES, 1.0)
    assert (first, count) == (4, 2)
    leading, _ = said(leading)
    assert lead.audience(leading, 3)[1] == ["burak"]


def test_nobody_gets_what_was_said_before_it_entered_or_after_it_left(leading: Leading) -> None:
    for _ in range(3):
        leading, _ = said(leading)
    leading = lead.admit(leading, "cem", 0.0, linked=True)
    leading, _ = said(leading)
    assert lead.fetched(leading, "cem", 1, 99, 0.0)[1:] == (4, 1)
    leading = lead.part(leading, "cem", at_once=False)
    leading, _ = said(leading)
    assert lead.fetched(leading, "cem", 5, 99, 0.0)[2] == 0
    assert "cem" not in lead.audience(leading, 9)[1]
    assert lead.fetched(leading, "deniz", 1, 99, 0.0)[2] == 0
    head = lead.head_for(leading, "cem")
    assert head is not None
    assert head.seq == 4
    assert lead.heard(leading, "cem", 4, 0.0)[2]


def test_a_member_cannot_claim_more_than_there_is(leading: Leading) -> None:
    leading, _ = said(leading)
    leading, _, _ = lead.heard(leading, "burak", 1 << 60, 1.0)
    one = leading.followers.get("burak")
    assert one is not None
    assert one.have == 1


def test_the_silent_are_asked_less_and_less_often(leading: Leading) -> None:
    leading, _ = said(leading)
    asked = 0
    for now in range(1, 2000):
        leading, silent, behind = lead.unmoved(leading, float(now), 10.0)
        asked += len(silent)
        assert behind
    assert 6 <= asked <= 12


def test_closing_lets_everybody_follow_to_the_end(leading: Leading) -> None:
    leading, _ = said(leading)
    leading = lead.close(leading)
    assert leading.roster == ("ayse",)
    assert lead.audience(leading, 9)[1] == ["burak"]
