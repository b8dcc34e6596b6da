"""A pair with the id of a lobby into which somebody lets us: the lobby counts, whichever comes first.

Unless it is a stranger's, or we made the pair's group: that a lobby has its id is a lie.
"""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import groups, packages, views
from conclave.chat.work import Work
from conclave.mls import group as mls
from conclave.wire.delivery import Post
from conclave.wire.posts import Begin, Invite, pack_parcel
from tests.chat.desks import Table
from tests.chat.people import JUDGES
from tests.chat.test_hostile_commits import tell


def begin(table: Table, victim: str, group: bytes) -> None:
    """burak begins it, with a key package that he asked for."""
    work = Work(table.desks[victim], table.now, table.random)
    package = packages.asked(work, "burak")
    assert package is not None
    table.desks[victim], *_ = work.done()
    mine = groups.package(Work(table.desks["burak"], table.now, table.random))
    alone = mls.create(mine, group, verify=JUDGES.members, now=table.now, random=table.random)
    added = mls.Add(mls.read_key_package(package.package))
    staged = mls.commit(alone, [added], verify=JUDGES.newcomers, now=table.now, random=table.random)
    kind, body = pack_parcel(Begin(staged.welcome))
    peer = table.desks[victim].peers.get("burak")
    streams = peer.inbound.streams if peer is not None else ()
    stream, last = streams[0][:2] if streams else (b"burakish", 0)
    table.put(victim, ev.Arrived("burak", Post(stream, last + 1, last + 1, kind, body)))


def pairs(table: Table) -> list[bytes]:
    """The groups in which cem hears burak."""
    peer = table.desks["cem"].peers.get("burak")
    return [one.id for one in peer.groups] if peer is not None else []


@pytest.mark.parametrize("first", [True, False])
def test_a_pair_with_a_lobbys_id_makes_nobody_deaf_in_the_lobby(*, first: bool) -> None:
    table = Table("ayse", "burak", "cem", "deniz")
    for one, other in (("ayse", "burak"), ("ayse", "cem"), ("burak", "cem"), ("ayse", "deniz")):
        table.link(one, other)
    group = table.lobby("ayse", "burak")
    table.say("cem", "@ayse", "let me in")  # of a stranger it would be refused
    if first:
        begin(table, "cem", group)
        assert pairs(table) == [group]
    table.put("ayse", ev.InviteTo("ops", ("cem",)))
    if not first:
        begin(table, "cem", group)
    assert pairs(table) == []
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(30, 2)
    assert "cem" in table.view("ayse").roster
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(120, 2)
    for name in ("ayse", "cem", "deniz"):
        table.say(name, "#ops", f"from {name}")
    table.run(60, 2)
    for name in ("ayse", "cem", "deniz"):
        assert {f"from {one}" for one in ("ayse", "cem", "deniz")} <= set(table.words(name))
    table.say("cem", "@burak", "between us")
    table.run(60, 2)
    assert "between us" in table.words("burak", "@cem")


@pytest.mark.parametrize(("asked", "accepted"), [("ayse", True), ("burak", False)])
def test_whoever_knows_the_id_of_a_pair_does_not_end_it_by_an_invitation(asked: str, *, accepted: bool) -> None:
    """It stands in every record. ayse made the group; burak gives it up for people whom he accepted alone."""
    table = Table("ayse", "burak", "zeki")
    table.stock()
    table.link("ayse", "burak")
    table.link(asked, "zeki")
    table.say("ayse", "@burak", "hello")
    table.say("burak", "@ayse", "hi")
    table.run(60)
    other = {"ayse": "burak", "burak": "ayse"}[asked]
    before = views.pair_state(table.desks[asked], other)
    assert before is not None
    if accepted:
        table.say(asked, "@zeki", "hello")
    tell(table, asked, "zeki", Invite(before.group_id, "den", ("zeki",)))
    assert table.stages("#den") == {}
    table.say("ayse", "@burak", "after")
    table.say("burak", "@ayse", "and after that")
    table.run(60)
    after = views.pair_state(table.desks[asked], other)
    assert after is not None
    assert after.group_id == before.group_id
