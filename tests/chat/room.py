"""A member of a lobby that says and orders what it likes, and what others are shown of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from copy import deepcopy

from conclave.chat import events as ev
from conclave.chat import groups
from conclave.chat.deeds import Recollect, Send
from conclave.chat.groups import write_stand
from conclave.chat.lobbies.rejoining import POLICY
from conclave.chat.reading import recollected
from conclave.chat.words.content import Content, Shared, encode_content
from conclave.chat.words.originals import Signed
from conclave.chat.work import Work
from conclave.lobby.order import Order
from conclave.mls import group as mls
from conclave.values import replace
from conclave.wire import order as f
from conclave.wire.delivery import Post, PostKind
from conclave.wire.order import Head, Run
from conclave.wire.packages import AskPackage, Package
from conclave.wire.posts import Answer, Invite, Welcome, open_post, pack_parcel
from tests.chat.desks import Table
from tests.chat.people import judge


class Room:
    """A lobby led by ayse, with burak, who is not honest any more, and cem; and a pair of ayse and burak."""

    def __init__(self, *others: str) -> None:
        self.table = table = Table("ayse", "burak", "cem", *others)
        for one, other in (("ayse", "burak"), ("ayse", "cem"), ("burak", "cem")):
            table.link(one, other)
        self.group = table.lobby("ayse", "burak", "cem")
        table.say("burak", "@ayse", "hello")
        table.say("ayse", "@burak", "hello")
        table.say("burak", "#ops", "one")
        self.pair = table.desks["burak"].peers.get("ayse").groups[0].id  # type: ignore[union-attr]

    def seal(self, content: bytes, number: int = 0, order: Order | None = None, group: bytes = b"") -> groups.Sealed:
        """What burak's device can be made to protect."""
        table = self.table
        lobby = table.state("burak", self.group)
        stand = order or lobby.order
        assert stand is not None
        work = Work(table.desks["burak"], table.now, table.random)
        sealed = groups.seal(work, group or self.group, content, write_stand(stand, number))
        table.desks["burak"], *_ = work.done()
        return sealed

    def next(self) -> int:
        order = self.table.state("ayse", self.group).order
        assert order is not None
        return (order.numbers.get("burak") or 0) + 1

    def submit(self, content: bytes, **how: object) -> None:
        """Hand in words of any content, under the next number."""
        number = self.next()
        sealed = self.seal(content, number, **how)  # type: ignore[arg-type]
        frame = f.Submit(self.group, 1, number, sealed.epoch, f.EntryKind.MESSAGE, sealed.payload)
        self.table.put("ayse", ev.Arrived("burak", frame))

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """What happens inside has not happened afterwards."""
        table = self.table
        desks, links = dict(table.desks), set(table.links)
        effects = {name: list(seen) for name, seen in table.effects.items()}
        stores, now = deepcopy(table.stores), table.now
        try:
            yield
        finally:
            table.desks, table.links, table.effects, table.stores, table.now = desks, links, effects, stores, now
            table.frames.clear()


def signed(table: Table, name: str, where: str, author: str, identity: bytes) -> Signed:
    """What the store of ``name`` has of it."""
    (item,) = recollected(table.stores[name], Recollect(b"g" * 16, where, ((author, identity),))).items
    return Signed.decode(item[2])


def shared(room: Room, *originals: bytes) -> None:
    room.submit(encode_content(Content(room.table.random(16), 0, room.table.now, Shared(originals))))


def lacking(table: Table, group: bytes, name: str, pull: tuple[int, int], source: str = "") -> None:
    """``name`` lacks what was said between two entries, and has asked ``source``."""
    desk, lobby = table.desks[name], table.state(name, group)
    lobby = replace(lobby, healing=replace(lobby.healing, pull=((pull[0] + 1, pull[1] - 1),), source=source))
    table.desks[name] = replace(desk, lobbies=desk.lobbies.put(group, lobby))


ALL = ("ayse", "burak", "cem", "deniz")


def let_in(table: Table, inviter: str, handle: str) -> None:
    """``inviter`` asks ``handle`` in, who comes."""
    table.put(inviter, ev.InviteTo("ops", (handle,)))
    table.run(2)
    table.put(handle, ev.AnswerRequest(inviter, accept=True, lobby="ops"))
    table.run(5)


def says_before(table: Table, name: str) -> None:
    """``name`` says what whoever comes in later is not to hear."""
    for number in range(5):
        table.say(name, "#ops", f"old {number}")


def shows(table: Table, group: bytes, liar: str, handle: str) -> None:
    """``liar``, who leads, shows ``handle`` her order, as if it had parted from all others' behind entry 4."""
    order = table.state(liar, group).order
    assert order is not None
    runs = (replace(order.runs[0], first=5), replace(order.runs[-1], last=4))
    table.link(liar, handle)
    table.put(handle, ev.Arrived(liar, Head(group, order.seq, order.hash, runs)))


def package_of(table: Table, who: str, victim: str) -> bytes:
    """What anybody gets who asks."""
    table.link(who, victim)
    table.drop = lambda one, other, _: who in (one, other)
    before = len(table.effects[victim])
    table.step(victim, ev.Arrived(who, AskPackage()))
    given = [one.frame for one in table.effects[victim][before:] if isinstance(one, Send)]
    (package,) = [frame.package for frame in given if isinstance(frame, Package)]
    return package


def package_for(table: Table, who: str, victim: str, group: bytes) -> bytes:
    """What ``victim`` answers when ``who``, who is linked to it, asks it in."""
    before = len(table.effects[victim])
    table.step(victim, ev.Arrived(who, Post(b"evilevil", 1, 1, *pack_parcel(Invite(group, "ops", ALL)))))
    if group not in table.desks[victim].sessions:
        table.step(victim, ev.AnswerRequest(who, accept=True, lobby="ops"))
    said = [one.frame for one in table.effects[victim][before:] if isinstance(one, Send) and one.peer == who]
    (answer,) = [open_post(frame) for frame in said if isinstance(frame, Post) and frame.kind is PostKind.ANSWER]
    assert isinstance(answer, Answer)
    return answer.package


def own_group(
    table: Table, who: str, victim: str, group: bytes, package: bytes = b"", term: int = 9, seq: int = 1
) -> Post:
    """``who`` makes a group of the lobby's id and adds ``victim``; the welcome, as a post."""
    package = package or package_of(table, who, victim)
    work = Work(table.desks[who], table.now, table.random)
    state = mls.create(
        groups.package(work),
        group,
        verify=judge,
        now=table.now,
        random=table.random,
        extensions=(groups.deputies_extension(()),),
        policy=POLICY,
    )
    add = mls.Add(mls.read_key_package(package))
    for number in range(12):  # so that its epoch is the higher one
        staged = mls.commit(state, [add] if number == 11 else [], verify=judge, now=table.now, random=table.random)
        state = mls.merge(staged.state or state, staged)
    assert staged.welcome is not None
    kind, body = pack_parcel(Welcome(group, "ops", seq, bytes(32), (Run(term, 0, who, seq, seq),), staged.welcome))
    return Post(b"evilevil", 1, 1, kind, body)
