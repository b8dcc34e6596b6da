"""The number that two people compare: those of before are known again, after a restart and from a backup too."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import groups, links, views
from conclave.chat.delivery import Fate
from conclave.chat.pairs.safety import ANEW, KEPT, decode_safety, encode_safety, number
from conclave.chat.peer_records import decode_peer, encode_peer
from conclave.chat.restoring import forget
from conclave.chat.state import PairGroup, Peer
from conclave.chat.work import Work
from conclave.errors import DecodeError
from conclave.mls import group as mls
from conclave.wire.delivery import Post
from conclave.wire.posts import Begin, Handshake, pack_parcel
from tests.chat.desks import Table
from tests.chat.people import JUDGES, own
from tests.chat.test_certificates import FIRST, SECOND, revoke, somebody_else


@pytest.fixture
def table() -> Table:
    table = Table("ayse", "cem")
    table.link("ayse", "cem")
    table.say("ayse", "@cem", "hello")
    table.say("cem", "@ayse", "hi")
    return table


def present(table: Table, name: str = "ayse") -> bytes:
    state = views.pair_state(table.desks[name], "cem" if name == "ayse" else "ayse")
    assert state is not None
    return number(state, "ayse", "cem")


def former(table: Table, name: str = "ayse") -> tuple[bytes, ...]:
    table.restart(name)
    peer = table.desks[name].peers.get("cem" if name == "ayse" else "ayse")
    assert peer is not None
    return peer.numbers


def test_a_renewal_makes_another_number(table: Table) -> None:
    before = present(table)
    table.own["cem"] = own("cem", 2)
    table.put("cem", ev.OwnChanged(table.own["cem"]))
    for _ in range(4):
        table.cut("ayse", "cem")
        table.link("ayse", "cem")
        table.run(130, 10)
    assert present(table) == present(table, "cem") != before
    assert former(table) == former(table, "cem") == (before,)


@pytest.mark.parametrize("out", ["ayse", "cem"])
@pytest.mark.parametrize("first", ["ayse", "cem"])
def test_who_was_suspended_speaks_in_the_new_group_too(table: Table, out: str, first: str) -> None:
    before = present(table)
    other = "cem" if out == "ayse" else "ayse"
    table.put(other, ev.Expelled(out, "suspended"))
    table.put(other, ev.Readmitted(out))
    table.restart(out)
    table.link("ayse", "cem")
    table.say(first, f"@{'cem' if first == 'ayse' else 'ayse'}", "welcome back")
    table.say(other, f"@{out}", "so it is")
    assert present(table) == present(table, "cem") != before
    assert before in former(table)
    assert former(table) == former(table, "cem")
    assert ANEW.format(out) in table.texts(other, f"@{out}")
    assert ANEW.format(other) in table.texts(out, f"@{other}")


def test_where_both_begin_at_once_nobody_is_told_of_new_keys() -> None:
    table = Table("ayse", "cem")
    table.stock("ayse", "cem")
    table.say("ayse", "@cem", "one")
    table.say("cem", "@ayse", "two")
    table.link("ayse", "cem")
    table.run(60, 5)
    assert present(table) == present(table, "cem")
    for name, other in (("ayse", "cem"), ("cem", "ayse")):
        assert sorted(table.texts(name, "@" + other)) == ["one", "two"]


def test_a_home_that_comes_back_without_keys_is_said_in_the_pair(table: Table) -> None:
    before = present(table)
    somebody_else(table, own("cem"))
    table.say("cem", "@ayse", "it is me")
    assert ANEW.format("cem") in table.texts("ayse", "@cem")
    assert before in former(table)


def test_a_home_is_new_once_though_its_first_post_is_left_again_and_again(table: Table) -> None:
    kind, body = pack_parcel(Handshake(bytes(16), b"too early"))
    for minute in range(5):
        work = Work(table.desks["ayse"], table.now, table.random)
        links.post_arrived(work, "cem", Post(b"new home", 1, 1, kind, body), lambda *_: Fate.LEFT)
        table.desks["ayse"] = work.done()[0]
        table.say("ayse", "@cem", f"minute {minute}")
        table.run(60)
    assert table.texts("ayse", "@cem").count(ANEW.format("cem")) == 1
    assert table.words("cem", "@ayse")[-1] == "minute 4"


def test_a_backup_keeps_the_number_of_before(table: Table) -> None:
    before = present(table)
    table.cut("ayse", "cem")
    store = table.stores["ayse"]
    for _ in range(2):
        store.commit(forget(store.states(), store.outbox(), store.heads(), []))
    assert former(table) == (before,)


def test_a_certificate_that_a_lobby_alone_shows_is_told_of(table: Table) -> None:
    table.lobby("ayse", "cem")
    assert views.shown(table.desks["ayse"], "cem") == {}
    somebody_else(table, own("cem", 2))
    if "cem" in table.view("ayse").roster:
        table.put("ayse", ev.RemoveFrom("ops", "cem"))
    table.wait(1)
    table.put("ayse", ev.InviteTo("ops", ("cem",)))
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.wait(1)
    assert views.shown(table.desks["ayse"], "cem") == {"#ops": SECOND}
    revoke(table, FIRST)
    assert views.pair_state(table.desks["ayse"], "cem") is None
    assert views.shown(table.desks["ayse"], "cem") == {"#ops": SECOND}
    table.say("ayse", "@cem", "you are back")
    assert views.shown(table.desks["ayse"], "cem") == {}


def test_only_the_last_numbers_are_kept() -> None:
    many = [bytes([one]) * 32 for one in range(KEPT + 2)]
    assert decode_safety(encode_safety(many, many[:3])) == (tuple(many[2:]), tuple(many[:3]))
    with pytest.raises(DecodeError):
        decode_safety(encode_safety(many, ())[:-1])


@pytest.mark.parametrize("until", [0, 9])
@pytest.mark.parametrize("answered", [True, False])
def test_in_which_groups_the_peer_spoke_is_kept(until: int, *, answered: bool) -> None:
    group = PairGroup(b"g" * 16, ours=True, turn=False, begun=3, answered=answered)
    peer = Peer("cem", groups=(group, PairGroup(b"h" * 16, ours=False, turn=True)), mail_until=until)
    assert decode_peer("cem", encode_peer(peer)) == peer


def begins(table: Table, by: str, package: bytes, stream: bytes, post: int) -> None:
    """``by`` begins a group with ayse, and says nothing in it."""
    work = Work(table.desks[by], table.now, table.random)
    alone = mls.create(
        groups.package(work), table.random(16), verify=JUDGES.members, now=table.now, random=table.random
    )
    add = mls.Add(mls.read_key_package(package))
    welcome = mls.commit(alone, [add], verify=JUDGES.newcomers, now=table.now, random=table.random).welcome
    kind, body = pack_parcel(Begin(welcome))
    table.put("ayse", ev.Arrived(by, Post(stream, post, post, kind, body)))


@pytest.mark.parametrize("restarted", [False, True])
def test_who_begins_anew_has_lost_a_group_too_in_which_it_renewed_keys_and_said_nothing(*, restarted: bool) -> None:
    table = Table("ayse", "cem")
    table.stock("ayse")
    last = table.published["ayse"][-1]
    table.link("ayse", "cem")
    table.say("ayse", "@cem", "hello")
    table.run(130, 10)
    table.cut("ayse", "cem")
    table.link("ayse", "cem")
    table.run(130, 10)
    state = views.pair_state(table.desks["ayse"], "cem")
    assert state is not None
    assert state.number > 1  # who was taken in commits first
    before = present(table)
    if restarted:
        table.restart("ayse")
        table.link("ayse", "cem")
    peer = table.desks["ayse"].peers.get("cem")
    assert peer is not None
    [stream] = peer.inbound.streams
    begins(table, "cem", last, stream.name, stream.last + 1)
    assert present(table) != before
    assert former(table)[-1] == before
    assert table.texts("ayse", "@cem").count(ANEW.format("cem")) == 1


@pytest.mark.parametrize("blocked", [True, False])
def test_who_begins_over_and_over_without_a_word_fills_nothing(*, blocked: bool) -> None:
    table = Table("ayse", "cem")
    table.stock("ayse")
    last = table.published["ayse"][-1]  # the authority gives it to anybody, on and on
    table.link("ayse", "cem")
    compared: tuple[bytes, ...] = ()
    if blocked:
        table.say("cem", "@ayse", "hello")
        compared = (present(table),)
        table.put("ayse", ev.AnswerRequest("cem", accept=False, block=True))
    stream = table.random(8)
    for post in range(1, KEPT + 3):
        begins(table, "cem", last, stream, post)
        table.wait(60)
    told = [one for one in table.texts("ayse", "@cem") if one == ANEW.format("cem")]
    assert len(told) == len(compared)
    assert former(table) == compared
