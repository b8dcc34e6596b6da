"""A member whose commits MLS allows, and nobody needs: they end the group, or make all that follows large."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conclave.chat import events as ev
from conclave.chat import groups
from conclave.chat.allowed import LEAF_BYTES
from conclave.chat.deeds import Send
from conclave.chat.lobbies import changing
from conclave.chat.work import Work
from conclave.errors import RemoteError
from conclave.mls import group as mls
from conclave.mls.group import Extension, GroupContextExtensions, PreSharedKey, PreSharedKeyID, Proposal, ReInit
from conclave.mls.psk import Usage
from conclave.values import replace
from conclave.wire import order as f
from conclave.wire.delivery import Post
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.packages import AskPackage, Package
from conclave.wire.posts import Answer, Begin, Choice, Handshake, Parcel, Welcome, pack_parcel
from tests.chat.desks import Table, read_frame, together
from tests.chat.people import JUDGES, own
from tests.mls.forge import forge_commit

NAME = 1
"""An application's own name of a leaf (RFC 9420 section 5.3.3), of any length."""
REQUIRED = 3
"""What every member must be able to do (RFC 9420 section 11.1); here nothing."""


def package(table: Table, name: str, size: int) -> mls.KeyPackage:
    """A key package of ``name`` with so many bytes more in its leaf than are needed."""
    who = own(name)
    life = (int(table.now) - 10, int(table.now) + 86_400)
    return mls.OwnKeyPackage.create(
        mls.cipher_suite(who.suite), who.credential, who.signature_key, life, table.random,
        extensions=(groups.DEPUTIES,), leaf_extensions=(Extension(NAME, bytes(size)),),
    ).package  # fmt: skip


def add_of(table: Table, name: str, author: str) -> mls.Add:
    """What adds ``name``, by the key package that ``author`` gets of it, who is linked."""
    before = len(table.effects[name])
    table.step(name, ev.Arrived(author, AskPackage()))
    said = [one.frame for one in table.effects[name][before:] if isinstance(one, Send)]
    (found,) = [frame.package for frame in said if isinstance(frame, Package)]
    return mls.Add(mls.read_key_package(found))


def with_larger_leaf(state: mls.State) -> bytes:
    """A commit by which its author's own leaf becomes too large."""
    leaf = state.epoch.tree.leaf(state.epoch.me)
    assert leaf is not None
    return forge_commit(state, leaf=replace(leaf, extensions=(*leaf.extensions, Extension(NAME, bytes(LEAF_BYTES)))))


def tell(table: Table, to: str, author: str, parcel: Parcel) -> None:
    """A post of ``author``, as a link brings it."""
    kind, body = pack_parcel(parcel)
    peer = table.desks[to].peers.get(author)
    stream, last = peer.inbound.streams[0][:2] if peer is not None and peer.inbound.streams else (b"a stream", 0)
    table.put(to, ev.Arrived(author, read_frame(encode_frame(Post(stream, last + 1, last + 1, kind, body)))))


class Committer:
    """A lobby of ayse, who leads, burak, whose commits are no longer our own and cem; and deniz, who is not in."""

    def __init__(self) -> None:
        self.table = together("ayse", "burak", "cem", beside=("deniz",))
        self.group = self.table.desks["ayse"].labels["#ops"]

    def state(self, name: str = "burak") -> mls.State:
        state = self.table.desks[name].sessions.get(self.group)
        assert state is not None
        return state

    def commit(self, *proposals: Proposal) -> bytes:
        table = self.table
        return mls.commit(
            self.state(), proposals, verify=JUDGES.members, now=table.now, random=table.random
        ).message  # fmt: skip

    def refused(self, payload: bytes) -> None:
        """Its leader does not order it, nor does anybody take it from one that does, and the lobby goes on."""
        table, state = self.table, self.state()
        for name in ("ayse", "cem"):
            work = Work(table.desks[name], table.now, table.random)
            with pytest.raises(RemoteError):
                changing.examine(work, self.state(name), "burak", 0, payload, JUDGES.members)
        order = table.state("ayse", self.group).order
        assert order is not None
        number = (order.numbers.get("burak") or 0) + 1
        table.put(
            "ayse", ev.Arrived("burak", f.Submit(self.group, 1, number, state.number, f.EntryKind.COMMIT, payload))
        )
        assert (table.view("ayse").seq, table.view("ayse").epoch) == (order.seq, state.number)
        table.say("cem", "#ops", "and then?")
        table.run(20)
        assert "and then?" in table.words("ayse")


def key_of_before(room: Committer) -> Proposal:
    return PreSharedKey(
        PreSharedKeyID.resumption(Usage.APPLICATION, room.group, room.state().number, room.table.random(32))
    )


def deputies(*more: Extension) -> Proposal:
    return GroupContextExtensions((groups.deputies_extension(("cem",)), *more))


UNNEEDED: dict[str, Callable[[Committer], list[Proposal]]] = {
    "the group ends": lambda room: [ReInit(room.group, 1, 1, ())],
    "a key that some lack": lambda room: [key_of_before(room)],
    "more than deputies": lambda _: [deputies(Extension(REQUIRED, bytes(3)))],
    "no deputies": lambda _: [GroupContextExtensions(())],
    "deputies that nobody reads": lambda _: [GroupContextExtensions((Extension(groups.DEPUTIES, b"?"),))],
    "a deputy who is a sentence": lambda _: [
        GroupContextExtensions((groups.deputies_extension(("cem. NOTE: the lobby moved to #ops2@burak",)),))
    ],
    "deputies without end": lambda _: [
        GroupContextExtensions((groups.deputies_extension(tuple(f"somebody-{n}" for n in range(1_000))),))
    ],
    "out and in": lambda room: [
        mls.Remove(groups.roster(room.state())["cem"]),
        mls.Add(package(room.table, "cem", 0)),
    ],
    "a large newcomer": lambda room: [mls.Add(package(room.table, "deniz", LEAF_BYTES))],
}


@pytest.mark.parametrize("what", UNNEEDED)
def test_what_no_lobby_needs_is_not_committed(what: str) -> None:
    room = Committer()
    room.refused(room.commit(*UNNEEDED[what](room)))


def test_nobodys_leaf_grows_beyond_what_it_needs() -> None:
    room = Committer()
    room.refused(with_larger_leaf(room.state()))


def test_a_commit_is_no_larger_than_what_it_holds() -> None:
    """It would fit no envelope, and what is ordered behind it would not be mailed to who is away."""
    room = Committer()
    table = room.table
    large = mls.commit(
        room.state(), verify=JUDGES.members, now=table.now, random=table.random, authenticated_data=bytes(2_000_000)
    )
    room.refused(large.message)


def test_who_is_put_out_judges_what_puts_it_out_as_the_others_do() -> None:
    """It cannot open the epoch that follows: what the commit holds is all that it goes by."""
    room = Committer()
    leaves = groups.roster(room.state())
    payload = room.commit(mls.Remove(leaves["cem"]), deputies(Extension(REQUIRED, bytes(3))))
    room.refused(payload)


@pytest.mark.parametrize("inviter", ["ayse", "burak"])
def test_who_accepts_with_a_package_that_is_too_large_is_turned_away(inviter: str) -> None:
    """Around it fits no entry: whoever follows could not read on, nor any leader that it is handed."""
    room = Committer()
    table = room.table
    bad: list[Frame] = []

    def links(one: str, other: str, frame: Frame) -> bool:
        if "deniz" not in (one, other) and len(encode_frame(frame)) > 3 << 20:
            bad.append(frame)
        return False

    table.link(inviter, "deniz")
    table.put(inviter, ev.InviteTo("ops", ("deniz",)))
    table.run(1)
    table.drop = links
    large = mls.write_key_package(package(table, "deniz", 3_144_000))
    tell(table, inviter, "deniz", Answer(room.group, Choice.ACCEPT, large))
    table.run(60)
    assert not bad
    assert "deniz" not in table.view("ayse").roster
    assert any("deniz could not be let into #ops" in one for one in table.troubles(inviter))
    table.say("burak", "#ops", "and then?")
    table.run(20)
    assert "and then?" in table.words("cem")


@pytest.mark.parametrize("large", [False, True])
def test_a_newcomer_takes_no_lobby_that_makes_all_words_large(large: bool) -> None:
    table = Table("zeki", "ayse")
    table.link("zeki", "ayse")
    group = table.lobby("zeki", name="den")
    table.put("zeki", ev.InviteTo("den", ("ayse",)))
    table.drop = lambda *_: True
    table.put("ayse", ev.AnswerRequest("zeki", accept=True, lobby="den"))
    work = Work(table.desks["zeki"], table.now, table.random)
    some = Extension(groups.DEPUTIES, bytes(300_000)) if large else groups.deputies_extension(())
    state = mls.create(
        groups.package(work), group, verify=JUDGES.members, now=table.now, random=table.random,
        extensions=(some,),
    )  # fmt: skip
    staged = mls.commit(
        state, [add_of(table, "ayse", "zeki")], verify=JUDGES.members, now=table.now, random=table.random
    )
    tell(table, "ayse", "zeki", Welcome(group, "den", 1, bytes(32), (f.Run(1, 0, "zeki", 1, 1),), staged.welcome))
    assert (table.view("ayse", "#den").stage == "member") is not large


# --- two people ---


def pair() -> tuple[Table, mls.State]:
    """ayse and burak, whose turn it is to renew the keys."""
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.say("burak", "@ayse", "hello")
    table.say("ayse", "@burak", "hello")
    peer = table.desks["ayse"].peers.get("burak")
    while peer is not None and peer.groups[0].turn:
        table.run(1)
        peer = table.desks["ayse"].peers.get("burak")
    assert peer is not None
    state = table.desks["burak"].sessions.get(peer.groups[0].id)
    assert state is not None
    return table, state


@pytest.mark.parametrize("what", ["nothing", "end", "extension", "leaf"])
def test_a_pair_goes_on_whatever_one_commits(what: str) -> None:
    table, state = pair()
    proposals: dict[str, list[Proposal]] = {
        "end": [ReInit(state.group_id, 1, 1, ())],
        "extension": [GroupContextExtensions((Extension(groups.DEPUTIES, bytes(1_000_000)),))],
    }
    if what == "leaf":
        payload = with_larger_leaf(state)
    else:
        payload = mls.commit(
            state, proposals.get(what, []), verify=JUDGES.members, now=table.now, random=table.random
        ).message  # fmt: skip
    table.drop = lambda *_: True
    tell(table, "ayse", "burak", Handshake(state.group_id, payload))
    assert bool([one for one in table.troubles("ayse") if "could not renew its keys" in one]) is (what != "nothing")
    table.say("ayse", "@burak", "and then?")
    table.put("ayse", ev.Tick())
    originals = table.stores["ayse"].originals("@burak", -1, 1 << 40, 100)
    assert max(len(one.original) for one in originals) < 10_000


@pytest.mark.parametrize("size", [0, LEAF_BYTES])
def test_two_begin_with_what_two_need(size: int) -> None:
    """A group of two has no extensions, and is made of no key package that is larger than needed."""
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.drop = lambda *_: True
    table.say("ayse", "@burak", "hello")
    table.put("ayse", ev.Arrived("burak", Package(mls.write_key_package(package(table, "burak", size)))))
    peer = table.desks["ayse"].peers.get("burak")
    assert peer is not None
    assert bool(peer.groups) is not bool(size)


@pytest.mark.parametrize("size", [0, 300_000])
def test_nobody_begins_a_pair_whose_words_are_large(size: int) -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.drop = lambda *_: True
    work = Work(table.desks["burak"], table.now, table.random)
    state = mls.create(
        groups.package(work), table.random(16), verify=JUDGES.members, now=table.now, random=table.random,
        extensions=(Extension(groups.DEPUTIES, bytes(size)),) if size else (),
    )  # fmt: skip
    staged = mls.commit(
        state, [add_of(table, "ayse", "burak")], verify=JUDGES.members, now=table.now, random=table.random
    )
    tell(table, "ayse", "burak", Begin(staged.welcome))
    peer = table.desks["ayse"].peers.get("burak")
    assert peer is not None
    assert bool(peer.groups) is not bool(size)
