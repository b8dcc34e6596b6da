"""What is kept back from a newcomer is given by who came in elsewhere, kept in mind until it arrived, and passed on.

Left out: who is given what, and lies (``test_apart``).
"""

from __future__ import annotations

from collections.abc import Collection

import pytest

from conclave.chat import events as ev
from conclave.chat.effects import PutState
from conclave.chat.lobbies import apart
from conclave.chat.lobby_records import encode_lobby
from conclave.chat.records import LOBBY_KEY
from conclave.values import replace
from conclave.wire.codec import Writer
from conclave.wire.delivery import Post
from conclave.wire.order import Ordered, Originals
from conclave.wire.posts import Handshake, pack_parcel
from tests.chat.desks import Table, together
from tests.chat.halves import ask_in, restored
from tests.chat.room import let_in, signed
from tests.chat.test_hostile_halves import room


def owe(table: Table, giver: str, author: str, identity: bytes, *to: str) -> None:
    """``giver`` has a line of #ops to give, as where it is kept back from who came in behind it."""
    desk = table.desks[giver]
    lobby = table.state(giver, desk.labels["#ops"])
    owed = {**lobby.healing.apart, (author, identity): to}
    lobby = replace(lobby, healing=replace(lobby.healing, apart=owed))
    table.desks[giver] = replace(desk, lobbies=desk.lobbies.put(lobby.group, lobby))
    table.stores[giver].commit([PutState(LOBBY_KEY + lobby.group.hex(), encode_lobby(lobby))])


def _in_another_half() -> tuple[Table, bytes]:
    """elif and deniz know each other; elif is let in in ayse's half, deniz is in burak's."""
    table = together("ayse", "burak", "cem", "deniz", beside=("elif",))
    table.mail_life = 14 * 86_400.0
    table.stock()
    table.link("elif", "deniz")
    table.say("elif", "@deniz", "hello")
    table.say("deniz", "@elif", "hello to you")
    table.run(60)
    table.part({"ayse", "cem", "elif"}, {"burak", "deniz"})
    table.run(60)
    assert table.view("deniz").leader == "burak"
    ask_in(table, "ayse", "elif")
    table.run(20)
    return table, table.say("ayse", "#ops", "in ayse's half")


@pytest.mark.parametrize("mail", [False, True])
def test_words_of_another_half_hold_up_nothing_that_a_newcomer_of_it_says(*, mail: bool) -> None:
    table, identity = _in_another_half()
    table.run(20)
    if not mail:
        table.part({"ayse", "cem"}, {"burak"}, {"elif"}, {"deniz"})
    owe(table, "elif", "ayse", identity, "deniz")
    table.run(5)
    table.say("elif", "@deniz", "are you there?")
    if not mail:
        table.part({"ayse", "cem"}, {"burak"}, {"elif", "deniz"})
        table.link("elif", "deniz")
    for _ in range(3):
        table.run(600, 60)
        for name in ("deniz", "elif"):
            table.collect(name)
    assert "are you there?" in table.words("deniz", "@elif")
    assert table.statuses("elif", "@deniz")[-1] == "delivered"
    assert "in ayse's half" in table.words("deniz")


def _reaches(table: Table, *pairs: Collection[str]) -> None:
    """Only these reach each other from now on."""
    table.reach = lambda one, other: any({one, other} <= {*pair} for pair in pairs)
    for ends in [ends for ends in table.links if not table.reach(*ends)]:
        table.cut(*ends)


@pytest.mark.parametrize("first", ["nobody", "leader", "follower", "all", "far"])
def test_words_of_another_half_reach_who_leads_or_follows_a_third(first: str) -> None:
    table = together("ayse", "burak", "cem", "deniz", "fatma", beside=("elif", "zoe"))
    table.run(60)
    table.part({"ayse", "elif", "zoe"}, {"burak", "cem"}, {"deniz", "fatma"})
    ask_in(table, "ayse", "elif")
    table.run(20)
    table.say("ayse", "#ops", "alone")
    table.run(80)
    ask_in(table, "ayse", "zoe")
    table.run(60)
    others, third = {"elif", "burak", "cem", "zoe"}, {"deniz", "fatma"}
    table.part(others, {"ayse"}, third)
    table.run(20)
    table.put("burak", ev.InviteTo("ops", ("elif", "zoe")))
    table.run(120)
    assert table.view("deniz").leader == "deniz" != table.view("burak").leader
    match first:
        case "leader":
            table.part(others - {"elif"}, {"elif"} | third, {"ayse"})
            table.run(5)
        case "follower":
            table.part(others - {"elif"}, {"elif", "fatma"}, {"deniz"}, {"ayse"})
            table.run(5)
        case "all":
            table.link("elif", "deniz")
            table.link("elif", "fatma")
        case "far":  # fatma alone meets elif, for a minute, while deniz leads her
            _reaches(table, third, {"fatma", "elif"}, others - {"elif"})
            table.link("fatma", "elif")
            table.run(60)
    table.part(others | third, {"ayse"})
    table.run(600, 2)
    assert table.words("zoe") == []
    for name in ("burak", "cem", "deniz", "fatma"):
        assert "alone" in table.words(name), name


def _posts(table: Table, giver: str, to: str) -> int:
    peer = table.desks[giver].peers.get(to)
    return peer.out.count if peer is not None else 0


@pytest.mark.parametrize("posted", [False, True])
@pytest.mark.parametrize("backup", [False, True])
def test_what_is_to_be_given_is_given_once_by_a_home_that_comes_back(*, backup: bool, posted: bool) -> None:
    table = together("ayse", "burak", "cem", "deniz")
    table.run(120)
    table.part({"ayse", "burak", "deniz"}, {"cem"})
    identity = table.say("deniz", "#ops", "mine")
    table.run(5)
    owe(table, "burak", "deniz", identity, "cem")
    if posted:
        table.run(5)
        assert _posts(table, "burak", "cem") == 1
    if backup:
        restored(table, "burak")
    else:
        table.restart("burak")
    table.run(180)
    assert _posts(table, "burak", "cem") == 1
    group = table.desks["burak"].labels["#ops"]
    table.part()
    table.run(60)
    assert "mine" in table.words("cem")
    assert table.state("burak", group).healing.apart == {}


@pytest.mark.parametrize("posted", [False, True])
def test_what_is_to_be_given_is_given_again_where_its_post_was_dropped(*, posted: bool) -> None:
    table = together("ayse", "burak", "cem", "deniz")
    table.run(120)
    table.part({"ayse", "burak", "deniz"}, {"cem"})
    identity = table.say("deniz", "#ops", "mine")
    table.run(5)
    table.part({"ayse"}, {"burak"}, {"deniz"}, {"cem"})
    owe(table, "burak", "deniz", identity, "cem")
    if posted:
        table.run(5)
        assert _posts(table, "burak", "cem") == 1
    table.put("burak", ev.Expelled("cem", "suspended"))
    table.put("burak", ev.Readmitted("cem"))
    assert _posts(table, "burak", "cem") == 0
    table.restart("burak")
    table.run(20)
    table.drop = lambda _, other, frame: other == "cem" and isinstance(frame, (Ordered, Originals))
    table.part()
    table.run(60)
    assert "mine" in table.words("cem")
    group = table.desks["burak"].labels["#ops"]
    assert not table.state("burak", group).healing.apart


def test_what_is_to_be_given_to_who_has_no_room_for_it_waits() -> None:
    table = together("ayse", "burak", "cem", "deniz")
    desk = table.desks["burak"]
    table.desks["burak"] = replace(desk, settings=replace(desk.settings, outbox_posts=1))
    table.part({"ayse", "burak", "deniz"}, {"cem"})
    first, second = (table.say("deniz", "#ops", text) for text in ("first", "second"))
    table.run(5)
    owe(table, "burak", "deniz", first, "cem")
    table.run(5)
    owe(table, "burak", "deniz", second, "cem")
    table.run(5)
    assert _posts(table, "burak", "cem") == 1
    table.part()
    table.run(60)
    assert {"first", "second"} <= set(table.words("cem"))
    assert table.state("burak", table.desks["burak"].labels["#ops"]).healing.apart == {}


def _given_while_deniz_is_away(*, mail: bool) -> Table:
    """elif, whom ayse let in in another half, gives burak and cem what ayse said there; zoe came in behind that."""
    table = together("ayse", "burak", "cem", "deniz", beside=("elif", "zoe"))
    table.authority = mail
    table.run(60)
    table.part({"ayse", "elif", "zoe"}, {"burak", "cem"}, {"deniz"})
    ask_in(table, "ayse", "elif")
    table.run(20)
    table.say("ayse", "#ops", "alone")
    table.run(80)
    assert table.words("elif") == ["alone"]
    ask_in(table, "ayse", "zoe")
    table.run(60)
    table.part({"elif", "burak", "cem", "zoe"}, {"ayse"}, {"deniz"})
    table.run(20)
    table.put("burak", ev.InviteTo("ops", ("elif", "zoe")))
    table.run(120)
    for name in ("burak", "cem"):
        assert "alone" in table.words(name)
    return table


@pytest.mark.parametrize("gone", [{"burak"}, {"cem"}, set[str]()], ids=["burak too", "cem too", "nobody else"])
def test_words_that_were_given_are_passed_on_once_who_gave_them_is_gone(gone: set[str]) -> None:
    table = _given_while_deniz_is_away(mail=False)
    for name in ("burak", "cem"):
        table.restart(name)
    table.part({"burak", "cem", "deniz", "zoe"} - gone)
    table.run(900, 2)
    assert "alone" in table.words("deniz")
    assert table.words("zoe") == []


def test_words_that_were_given_are_left_in_a_mailbox_by_who_gave_them_alone() -> None:
    table = _given_while_deniz_is_away(mail=True)
    assert [_posts(table, name, "deniz") for name in ("elif", "burak", "cem")] == [1, 0, 0]
    table.collect("deniz")
    assert "alone" in table.words("deniz")


def test_what_was_given_is_left_in_no_mailbox_by_a_home_from_a_backup() -> None:
    table = together("ayse", "burak", "cem", "deniz")
    table.run(120)
    table.part({"ayse", "burak", "deniz"}, {"cem"})
    identity = table.say("deniz", "#ops", "mine")
    table.run(5)
    owe(table, "burak", "deniz", identity, "cem")
    lobby = table.state("burak", table.desks["burak"].labels["#ops"])
    lobby = replace(lobby, healing=replace(lobby.healing, handed=frozenset({("deniz", identity)})))
    table.stores["burak"].commit([PutState(LOBBY_KEY + lobby.group.hex(), encode_lobby(lobby))])
    restored(table, "burak")
    table.run(180)
    assert _posts(table, "burak", "cem") == 0


def test_of_what_was_given_the_latest_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "HANDED_MOST", 2)
    table, group = room("elif")
    lines = [("deniz", table.say("deniz", "#ops", text)) for text in ("first", "second", "third")]
    data = [signed(table, "deniz", "#ops", *line).encode() for line in lines]
    let_in(table, "ayse", "elif")
    words = Writer().vector(data, Writer.opaque).vector(["elif"], Writer.text).done()
    kind, body = pack_parcel(Handshake(group, words))
    table.link("cem", "burak")
    table.put("burak", ev.Arrived("cem", Post(b"newhomes", 1, 1, kind, body)))
    healing = table.state("burak", group).healing
    assert healing.apart == dict.fromkeys(lines[1:], ("elif",))
    assert healing.handed == {*lines[1:]}


@pytest.mark.parametrize("by", ["cem", "zeki"], ids=["a member", "a stranger"])
def test_nothing_is_passed_on_but_what_a_member_gave(by: str) -> None:
    """elif knows the id of what was said before it came in, and would have it shown."""
    table, group = room("elif", "zeki")
    identity = table.say("deniz", "#ops", "mine")
    data = signed(table, "deniz", "#ops", "deniz", identity).encode()
    let_in(table, "ayse", "elif")
    table.link(by, "burak")
    for number, one in enumerate((data.replace(b"mine", b"mint"), data), 1):
        words = Writer().vector([one], Writer.opaque).vector(["burak", "elif", "zeki"], Writer.text).done()
        kind, body = pack_parcel(Handshake(group, words))
        table.put("burak", ev.Arrived(by, Post(b"newhomes", number, number, kind, body)))
        given = {("deniz", identity): ("elif",)} if by == "cem" and one == data else {}
        assert table.state("burak", group).healing.apart == given


def test_what_a_newcomer_gives_of_another_reaches_by_the_leader_who_has_heard_of_neither() -> None:
    table = together("ayse", "burak", "cem", beside=("elif", "fatma"))
    table.run(60)
    table.drop = lambda _, other, frame: other == "cem" and isinstance(frame, Ordered)
    for name in ("elif", "fatma"):
        ask_in(table, "ayse", name)
        table.run(2)
    identity = table.say("fatma", "#ops", "here I am")
    table.run(2)
    owe(table, "elif", "fatma", identity, "ayse", "cem")
    table.link("elif", "cem")
    table.run(5)
    assert "elif" not in table.view("cem").roster
    assert "here I am" in table.words("cem")


def test_who_is_shut_out_is_given_nothing_more() -> None:
    table = together("ayse", "burak", "cem", "deniz")
    table.run(120)
    table.part({"ayse", "burak", "deniz"}, {"cem"})
    identity = table.say("deniz", "#ops", "mine")
    table.run(5)
    table.part({"ayse"}, {"burak"}, {"deniz"}, {"cem"})
    owe(table, "burak", "deniz", identity, "cem")
    table.run(5)
    assert _posts(table, "burak", "cem") == 1
    table.put("burak", ev.Expelled("cem", "revoked"))
    table.run(20)
    assert _posts(table, "burak", "cem") == 0
