"""What is kept back from who came in behind it reaches who was in all the same: it is given to each alone.

Left out: where nobody is to be kept from hearing it (``test_healing``), and lies of newcomers where all have it
(``test_hostile_halves``, ``test_hostile_newcomer``).
"""

from __future__ import annotations

import copy

import pytest

from conclave.chat import events as ev
from conclave.chat.lobbies import coming_in
from conclave.chat.lobby_records import decode_lobby, encode_lobby, encode_place
from conclave.chat.lobby_state import Healing, Step
from conclave.chat.words.content import ORIGINALS, Timer
from conclave.lobby import order as orders
from conclave.values import replace
from conclave.wire.codec import Writer
from conclave.wire.delivery import Post
from conclave.wire.order import EntryKind, Fetch, Head, Ordered, Run
from conclave.wire.posts import Handshake, pack_parcel
from tests.chat.desks import Table, together
from tests.chat.halves import ask_in, restored
from tests.chat.room import ALL, let_in, says_before, signed
from tests.chat.test_hostile_halves import room

OLD = [f"old {number}" for number in range(5)]


@pytest.mark.parametrize("common", [0, 4])
def test_a_lie_about_a_term_tells_a_newcomer_nothing_of_before_where_somebody_is_away(common: int) -> None:
    """cem's laptop is shut, so not all have told to have what elif, who came last, wants to hear."""
    table, group = room("elif")
    table.part({"ayse", "burak", "deniz", "elif"}, {"cem"})
    says_before(table, "deniz")
    let_in(table, "ayse", "elif")
    table.run(70, 5)
    order = table.state("burak", group).order
    assert order is not None
    table.link("burak", "elif")
    runs = (Run(50, 0, "elif", common + 1, order.seq + 3), Run(1, 0, "ayse", 1, common))
    table.put("burak", ev.Arrived("elif", Head(group, order.seq + 3, bytes(32), runs[: 1 + (common > 0)])))
    table.run(300)
    assert len({table.view(one).leader for one in ALL if one != "cem"}) == 1
    assert table.words("elif") == []
    table.part()
    table.run(300)
    assert table.words("elif") == []
    for name in ALL:
        assert sorted(table.words(name)) == OLD


def test_an_entry_that_nobody_made_tells_a_newcomer_nothing_of_before_where_somebody_is_away() -> None:
    table = together("ayse", "burak", "cem", "deniz", beside=("elif",))
    table.run(60)
    table.part({"ayse", "burak", "cem", "elif"}, {"deniz"})
    for name in ("ayse", "burak", "cem"):
        table.say(name, "#ops", f"secret of {name}")
    table.run(60)
    ask_in(table, "ayse", "elif")
    table.run(60)
    group = table.desks["cem"].labels["#ops"]
    table.link("elif", "cem")
    order = table.state("cem", group).order
    assert order is not None
    runs = (replace(order.run, last=order.seq + 1), *order.runs[1:])
    head = replace(orders.head(order), seq=order.seq + 1, hash=bytes(32), runs=runs)
    _, false, _ = orders.write(order, "ayse", 1 << 40, order.epoch, EntryKind.MESSAGE, b"nobody said so")
    table.drop = lambda one, other, frame: (one, other) == ("cem", "elif") and isinstance(frame, Fetch)
    table.put("cem", ev.Arrived("elif", head))
    table.put("cem", ev.Arrived("elif", false))
    table.drop = lambda *_: False
    table.say("ayse", "#ops", "since")
    table.run(300)
    assert table.words("elif") == ["since"]
    table.part()
    table.run(300)
    for name in ("ayse", "burak", "cem", "deniz"):
        assert {f"secret of {one}" for one in ("ayse", "burak", "cem")} < set(table.words(name))
    assert table.words("elif") == ["since"]


def _alone(table: Table, *, leads: bool) -> None:
    """ayse says something alone, and lets elif in, whom burak asks in as well, and whom that half follows, maybe."""
    table.part({"ayse", "elif"}, {"burak", "cem"})
    table.run(60)
    table.say("ayse", "#ops", "alone")
    ask_in(table, "ayse", "elif")
    table.run(10)
    table.part({"ayse"}, {"burak", "cem", "elif"})
    table.run(60)
    table.put("burak", ev.InviteTo("ops", ("elif",)))
    table.run(30)
    assert "elif" in table.view("burak").roster
    if leads:
        table.put("burak", ev.SetDeputies("ops", ("elif",)))
        table.run(10)
        table.part({"ayse"}, {"burak"}, {"cem", "elif"})
        table.run(60)
        table.part({"ayse"}, {"burak", "cem", "elif"})
        table.run(60)
        assert table.view("burak").leader == "elif"


def test_words_said_before_a_newcomer_came_reach_the_half_that_asked_it_in_too() -> None:
    table = together("ayse", "burak", "cem", beside=("elif",))
    _alone(table, leads=False)
    table.part()
    table.run(300)
    for name in ("burak", "cem"):
        assert "alone" in table.words(name)


def test_words_said_under_no_timer_reach_a_half_that_set_one_shorter_than_they_were_away() -> None:
    table = together("ayse", "burak", "cem", beside=("elif",))
    _alone(table, leads=False)
    table.put("burak", ev.Utter("#ops", table.random(16), Timer(600)))
    table.run(1200, 10)
    table.part()
    table.run(300)
    for name in ("ayse", "burak", "cem"):
        assert "alone" in table.words(name), name


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("leads", [False, True])
def test_words_said_before_a_newcomer_reach_a_half_in_which_it_is_too(*, leads: bool, restarts: bool) -> None:
    table = together("ayse", "burak", "cem", beside=("elif",))
    _alone(table, leads=leads)
    group = table.desks["ayse"].labels["#ops"]
    table.part({"ayse", "burak", "elif"}, {"cem"})
    for _ in range(200):
        table.run(1)
        if table.state("ayse", group).healing.step is Step.SOUND and table.view("ayse").leader != "ayse":
            break
    if restarts:
        table.restart("ayse")
        table.restart("burak")
    table.run(300)
    assert "alone" in table.words("burak")
    table.part({"ayse", "burak", "cem", "elif"})
    table.run(600)
    assert "alone" in table.words("cem")
    assert "alone" not in table.words("elif")
    assert table.state("ayse", group).healing.apart == {}


@pytest.mark.parametrize("gone", [{"burak", "cem"}, {"burak"}, {"cem"}, set()], ids=["both", "burak", "cem", "none"])
def test_words_of_who_is_gone_reach_a_third_half_from_those_who_did_not_see_who_was_in(gone: set[str]) -> None:
    """ayse's half came into burak's anew, and has what was said there; then it loses to deniz's."""
    people = "ayse", "fatma", "burak", "cem", "deniz", "elif", "gamze"
    table = together(*people)
    table.run(120, 5)  # everybody has renewed its keys since it came in
    first, second, third = {"ayse", "fatma"}, {"burak", "cem"}, {"deniz", "elif", "gamze"}
    table.part(first, second, third)
    table.run(60)
    for name, deputy in (("ayse", "fatma"), ("burak", "cem"), ("deniz", "elif")):  # keys part
        table.put(name, ev.SetDeputies("ops", (deputy,)))
    table.run(10)
    said = {f"{name}'s words" for name in ("burak", "cem")}
    for name in ("burak", "cem"):
        table.say(name, "#ops", f"{name}'s words")
    table.run(30)
    for _ in range(2):  # the third comes to a later term
        table.part(first, second, {"elif", "gamze"}, {"deniz"})
        table.run(60)
        table.part(first, second, {"deniz", "gamze"}, {"elif"})
        table.run(60)
    table.part(first | second, third)
    table.run(180)
    assert said <= set(table.words("fatma"))
    assert table.view("deniz").term > table.view("burak").term
    table.part({*people} - gone, *({one} for one in gone))
    table.run(900, 5)
    there = [one for one in people if one not in gone]
    assert len({(table.view(one).leader, table.view(one).term) for one in there}) == 1
    for name in there:
        assert said <= set(table.words(name)), name


def _cem_is_restored() -> Table:
    """cem says something in burak's half, and is let in there again by a backup of then."""
    table = together("ayse", "burak", "cem", "deniz", "elif")
    table.run(120, 5)
    table.part({"burak", "cem"}, {"ayse", "deniz", "elif"})
    table.run(60)
    table.put("burak", ev.SetDeputies("ops", ("cem",)))
    table.put("ayse", ev.SetDeputies("ops", ("deniz",)))
    table.run(5)
    for name in ("burak", "cem"):
        table.say(name, "#ops", f"{name}'s words")
    table.run(30)
    restored(table, "cem")
    table.run(120)
    assert "you were let in again as a new device" in table.texts("cem", "#ops")
    return table


def test_who_came_from_a_backup_says_again_in_another_half_what_it_had_by_then() -> None:
    table = _cem_is_restored()
    for alone, pair in (("ayse", {"deniz", "elif"}), ("deniz", {"ayse", "elif"})) * 3:  # they come to a later term
        table.part({"burak", "cem"}, pair, {alone})
        table.run(60)
    table.part({"burak", "cem"}, {"ayse", "deniz", "elif"})
    table.run(60)
    assert table.view("deniz").term > table.view("cem").term
    table.part({"cem", "ayse", "deniz", "elif"}, {"burak"})
    table.run(900, 5)
    for name in ("ayse", "cem", "deniz", "elif"):
        assert {"burak's words", "cem's words"} <= set(table.words(name)), name


def test_who_comes_into_its_half_gets_of_who_came_from_a_backup_what_it_had_by_then() -> None:
    table = _cem_is_restored()
    table.part({"burak"}, {"cem"}, {"ayse", "deniz", "elif"})
    table.run(5)
    table.part({"cem", "ayse", "deniz", "elif"}, {"burak"})
    table.run(1200, 5)
    for name in ("ayse", "deniz", "elif"):
        assert "cem's words" in table.words(name), name


def test_a_restored_home_gets_its_own_words_of_those_who_did_not_see_whether_it_was_in() -> None:
    table = together("ayse", "fatma", "burak", "cem")
    table.run(120, 5)
    table.part({"ayse", "fatma"}, {"burak", "cem"})
    table.run(60)
    table.put("ayse", ev.SetDeputies("ops", ("fatma",)))
    table.put("burak", ev.SetDeputies("ops", ("cem",)))
    table.run(10)
    backup = copy.deepcopy(table.stores["burak"])
    table.say("burak", "#ops", "burak's words")
    table.run(30)
    table.part()
    table.run(180)
    assert "burak's words" in table.words("ayse")
    assert table.view("ayse").leader == "burak"
    table.part({"ayse", "fatma"}, {"burak"}, {"cem"})
    table.run(60)
    table.stores["burak"] = backup
    restored(table, "burak")
    table.part({"ayse", "fatma", "burak"}, {"cem"})
    table.run(900, 5)
    assert "burak's words" in table.words("burak")


def test_what_is_to_be_given_is_kept() -> None:
    table, group = room()
    lobby = table.state("ayse", group)
    owed = {("burak", b"i" * 16): ("cem", "deniz"), ("ayse", b"j" * 16): ("cem",)}
    posted = {("burak", b"i" * 16, "deniz"): 7}
    gone = {("burak", b"i" * 16, "elif"): 8}
    lobby = replace(
        lobby,
        healing=replace(lobby.healing, apart=owed, posted=posted | gone, handed=frozenset([("ayse", b"j" * 16)])),
    )
    healing = decode_lobby(group, encode_lobby(lobby), encode_place(lobby)).healing
    assert (healing.apart, healing.posted, healing.handed) == (owed, posted, frozenset([("ayse", b"j" * 16)]))


@pytest.mark.parametrize("author", ["deniz", "fatma"], ids=["of a member", "of a stranger"])
@pytest.mark.parametrize("by", ["cem", "zeki"], ids=["by a member", "by a stranger"])
def test_words_outside_the_order_are_taken_where_their_author_or_who_gives_them_is_in(by: str, author: str) -> None:
    """burak lacks what was said; what another gives as its author's, with a byte changed, nobody said."""
    table, group = room("zeki", "fatma")
    table.link(by, "burak")
    table.drop = lambda _, other, frame: other == "burak" and isinstance(frame, Ordered)
    if author == "fatma":
        let_in(table, "ayse", "fatma")
    identity = table.say(author, "#ops", "mine")
    data = signed(table, author, "#ops", author, identity).encode()
    assert table.words("burak") == []
    false = data.replace(b"mine", b"mint")
    for number, one in enumerate((false, data, data), 1):
        kind, body = pack_parcel(
            Handshake(group, Writer().vector([one], Writer.opaque).vector([], Writer.text).done())
        )
        table.put("burak", ev.Arrived(by, Post(b"newhomes", number, number, kind, body)))
        peer = table.desks["burak"].peers.get(by)
        assert peer is not None
        assert peer.inbound.streams[0].last == number, "nothing waits behind it"
        taken = one == data and (by == "cem" or author == "deniz")
        assert table.words("burak") == (["mine"] if taken else [])
    if author == "deniz":
        assert table.lines("burak", "#ops")[-1].seq == 0, "it has no place by the word of one"
    table.drop = lambda *_: False
    table.run(60)
    assert table.words("burak") == ["mine"]
    assert table.lines("burak", "#ops")[-1].seq > 0 or author == "fatma"


def test_of_more_than_is_given_at_once_nothing_is_looked_at() -> None:
    """Three million empty ones fit one post, and each that is looked at takes its time."""
    table, group = room()
    table.drop = lambda _, other, frame: other == "burak" and isinstance(frame, Ordered)
    data = signed(table, "deniz", "#ops", "deniz", table.say("deniz", "#ops", "mine")).encode()
    table.link("cem", "burak")
    for number, more in enumerate((ORIGINALS, ORIGINALS - 1), 1):
        pieces = Writer().vector([data, *[b""] * more], Writer.opaque).vector((), Writer.text).done()
        kind, body = pack_parcel(Handshake(group, pieces))
        table.put("burak", ev.Arrived("cem", Post(b"newhomes", number, number, kind, body)))
        assert table.words("burak") == ([] if more == ORIGINALS else ["mine"])


def test_nobody_is_kept_from_sharing_by_who_gives_it_the_same_outside_the_order() -> None:
    table, group = room()
    identity = table.say("deniz", "#ops", "mine")
    data = signed(table, "deniz", "#ops", "deniz", identity).encode()
    lobby = table.state("burak", group)
    lobby = replace(lobby, healing=replace(lobby.healing, orphans=(("deniz", identity),)))
    table.desks["burak"] = replace(table.desks["burak"], lobbies=table.desks["burak"].lobbies.put(group, lobby))
    table.link("cem", "burak")
    kind, body = pack_parcel(Handshake(group, Writer().vector([data], Writer.opaque).vector([], Writer.text).done()))
    table.put("burak", ev.Arrived("cem", Post(b"newhomes", 1, 1, kind, body)))
    healing = table.state("burak", group).healing
    assert (healing.orphans, healing.vouched) == ((("deniz", identity),), {})


def test_who_makes_the_others_keep_the_same_back_again_and_again_fills_nobodys_mailbox() -> None:
    table, group = room()
    identity = table.say("deniz", "#ops", "mine")
    table.part({"ayse", "burak", "deniz"}, {"cem"})
    for _ in range(3):
        lobby = table.state("burak", group)
        lobby = replace(lobby, healing=replace(lobby.healing, apart={("deniz", identity): ("cem",)}))
        table.desks["burak"] = replace(table.desks["burak"], lobbies=table.desks["burak"].lobbies.put(group, lobby))
        table.run(3)
        peer = table.desks["burak"].peers.get("cem")
        assert peer is not None
        assert peer.out.count == 1


@pytest.mark.parametrize("away", [False, True])
def test_words_given_apart_by_a_newcomer_reach_who_was_away(*, away: bool) -> None:
    table = together("ayse", "burak", "cem", "deniz", beside=("elif", "zoe"))
    table.run(60)
    table.part({"ayse", "elif", "zoe"}, {"burak", "cem"}, {"deniz"})
    ask_in(table, "ayse", "elif")
    table.run(20)
    table.say("ayse", "#ops", "alone")
    table.run(20)
    assert table.words("elif") == ["alone"]
    table.run(60)
    ask_in(table, "ayse", "zoe")
    table.run(60)
    others = {"elif", "burak", "cem", "zoe"}
    if away:
        table.part(others, {"ayse"}, {"deniz"})
    else:
        table.part(others | {"deniz"}, {"ayse"})
    table.run(20)
    table.put("burak", ev.InviteTo("ops", ("elif", "zoe")))
    table.run(120)
    assert "elif" in table.view("burak").roster
    if away:  # deniz comes back, and reaches elif a little before it reaches the others
        table.part(others, {"elif", "deniz"}, {"ayse"})
        table.run(20)
    table.part(others | {"deniz"}, {"ayse"})
    table.run(600, 2)
    assert table.words("zoe") == []
    assert "alone" in table.words("burak")
    assert "alone" in table.words("deniz")


def test_what_was_given_us_to_pass_on_is_ours_to_give_once_it_stood_in_our_half() -> None:
    """Else it is left in no mailbox, and kept in no backup; and who was to have it before still is."""
    line, other = ("cem", b"o" * 16), ("cem", b"p" * 16)
    healing = Healing(apart={line: ("deniz",), other: ("deniz",)}, handed=frozenset({line, other}))
    healing = coming_in.owed(healing, {line: ("elif",), ("cem", b"q" * 16): ()})
    assert healing.apart == {line: ("deniz", "elif"), other: ("deniz",)}
    assert healing.handed == {other}
