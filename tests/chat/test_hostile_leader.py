"""A leader that renumbers, replaces, withholds, or shows two orders is found out; a blind one learns nothing."""

from __future__ import annotations

import pickle

import pytest

from conclave.chat import events as ev
from conclave.chat.deeds import Deposit, DepositEntries
from conclave.chat.groups import payload_name
from conclave.chat.lobbies import lacks, ordering
from conclave.chat.lobby_state import Step
from conclave.chat.work import Work
from conclave.lobby import followers as positions
from conclave.lobby import order as orders
from conclave.lobby.followers import Followers
from conclave.lobby.shelf import Shelf
from conclave.node.sendings import deposits_of
from conclave.values import replace
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.order import EntryKind, Fetch, Have, Head, Ordered, Originals, Recall, Refusal, Refused, Submit
from tests.chat.desks import Table


@pytest.fixture
def table() -> Table:
    """ayse leads, and is not honest: what she sends is made in the tests."""
    table = Table("ayse", "burak", "cem")
    for one, other in (("ayse", "burak"), ("ayse", "cem")):
        table.link(one, other)
    table.lobby("ayse", "burak", "cem")
    table.say("ayse", "#ops", "one")
    table.wait(5)
    table.wait(5)
    return table


def last(table: Table) -> Ordered:
    return next(frame for *_, frame in reversed(table.frames) if isinstance(frame, Ordered))


def held(table: Table, name: str, author: str, *texts: str) -> list[Ordered]:
    """What ``author`` says is ordered, and does not reach ``name``: the entries."""
    entries: list[Ordered] = []

    def drop(_: str, other: str, frame: Frame) -> bool:
        if other == name and isinstance(frame, Ordered):
            entries.append(frame)
        return other == name

    table.drop = drop
    for text in texts:
        table.say(author, "#ops", text)
    table.drop = lambda _one, _other, _frame: False
    return entries


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"previous": b"x" * 32}, "two different orders"),
        ({"term": 7}, "an entry of term 7 in term 1"),
        ({"kind": EntryKind.TERM}, "in term 1"),
    ],
)
def test_an_entry_that_does_not_fit_is_refused_and_told_once(
    table: Table, how: dict[str, object], words: str
) -> None:
    (entry,) = held(table, "burak", "ayse", "two")
    for _ in range(5):
        table.step("burak", ev.Arrived("ayse", replace(entry, **how)))  # type: ignore[arg-type]
    assert len(table.troubles("burak")) == 1
    assert words in table.troubles("burak")[0]
    assert table.words("burak") == ["one"]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"payload": b"junk"}, "could not be read"),
        ({"sender": "cem"}, "it is ayse's, shown as 'cem'"),
        ({"number": 77}, "another number inside than outside"),
    ],
)
def test_an_entry_that_was_changed_shows_nothing_and_is_told(
    table: Table, how: dict[str, object], words: str
) -> None:
    (entry,) = held(table, "burak", "ayse", "two")
    table.now += 100
    table.step("burak", ev.Arrived("ayse", replace(entry, **how)))  # type: ignore[arg-type]
    assert words in table.troubles("burak")[-1]
    assert table.words("burak") == ["one"]
    assert table.view("burak").marks["burak"].missing == ((entry.seq, entry.seq),)


def test_two_orders_are_found_out_by_the_heads_in_authenticated_data(table: Table) -> None:
    """burak is shown something else at the place where cem has words; cem's next words tell where cem stood."""
    (entry,) = held(table, "burak", "ayse", "for cem alone")
    forged = replace(entry, payload=entry.payload[:-1] + bytes([entry.payload[-1] ^ 1]))
    table.step("burak", ev.Arrived("ayse", forged))
    (honest,) = held(table, "burak", "cem", "where I stand")
    order = table.state("burak", entry.group).order
    assert order is not None
    table.now += 100
    table.step("burak", ev.Arrived("ayse", replace(honest, previous=order.hash)))
    assert (
        "cem says that it was shown another order than we: ayse shows two, or cem lies" in table.troubles("burak")[-1]
    )


def test_members_who_meet_find_out_a_forked_order_too(table: Table) -> None:
    (entry,) = held(table, "burak", "ayse", "for cem alone")
    forged = replace(entry, payload=entry.payload[:-1] + bytes([entry.payload[-1] ^ 1]))
    table.step("burak", ev.Arrived("ayse", forged))
    assert table.view("burak").hash != table.view("cem").hash
    assert table.view("burak").seq == table.view("cem").seq


def test_what_is_withheld_shows_as_a_gap_by_name_after_a_while(table: Table) -> None:
    table.say("cem", "#ops", "before")
    withheld, shown = held(table, "burak", "cem", "secretly left out", "and this is shown")
    table.step("burak", ev.Arrived("ayse", replace(shown, seq=withheld.seq, previous=withheld.previous)))
    assert table.words("burak") == ["one", "before", "and this is shown"]
    assert not [one for one in table.troubles("burak") if "has not arrived" in one]
    table.now += table.settings.gap_after + 1
    table.step("burak", ev.Tick())
    assert any("message 2 of cem has not arrived" in one for one in table.troubles("burak"))


def test_what_is_never_ordered_stays_waiting_at_its_author(table: Table) -> None:
    table.drop = lambda _one, other, frame: other == "ayse" and isinstance(frame, Submit)
    table.say("burak", "#ops", "into the void")
    for _ in range(5):
        table.wait(30)
    assert table.statuses("burak", "#ops")[-1] == "waiting"
    assert table.view("burak").waiting >= 1
    table.drop = lambda _one, _other, _frame: False
    table.wait(30)
    assert table.statuses("burak", "#ops")[-1] in ("sent", "delivered")


def test_the_same_again_under_another_number_is_not_shown_again(table: Table) -> None:
    entry = last(table)
    table.say("ayse", "#ops", "two")
    order = table.state("burak", entry.group).order
    assert order is not None
    replayed = replace(last(table), seq=order.seq + 1, previous=order.hash, number=999)
    table.step("burak", ev.Arrived("ayse", replayed))
    assert table.words("burak") == ["one", "two"]


def test_entries_from_anybody_but_the_leader_are_not_taken(table: Table) -> None:
    table.link("burak", "cem")
    (entry,) = held(table, "burak", "ayse", "true, but not from cem")
    table.step("burak", ev.Arrived("cem", entry))
    assert table.words("burak") == ["one"]
    table.step("burak", ev.Arrived("ayse", entry))
    assert table.words("burak") == ["one", "true, but not from cem"]


def test_a_stranger_gets_nothing_and_hands_in_nothing() -> None:
    table = Table("ayse", "burak", "deniz")
    table.link("ayse", "burak")
    group = table.lobby("ayse", "burak")
    table.say("ayse", "#ops", "secret")
    table.link("ayse", "deniz")
    before = table.view("ayse").seq
    for frame in (
        Fetch(group, 1, 99), Recall(group, 0, 99), Have(group, 1), Submit(group, 1, 1, 1, EntryKind.MESSAGE, b"x"),
        Originals(group, 0, 2, ((1, b"x"),), whole=True),
    ):  # fmt: skip
        effects = table.put("ayse", ev.Arrived("deniz", frame))
        assert not [one for one in effects if type(one).__name__ in ("Replay", "SendOriginals")]
    assert table.view("ayse").seq == before


class Relay:
    """A leader that is no member, made of ``lobby.order`` and ``lobby.followers`` alone: all that leading needs."""

    def __init__(self, order: orders.Order, followers: Followers) -> None:
        self.order, self.followers = order, followers
        self.disk: list[bytes] = []

    def submit(self, sender: str, submit: Submit) -> Ordered | None:
        if orders.handed_in(self.order, sender, submit.base, submit.number) is not orders.Place.NEXT:
            return None
        self.order, entry, encoded = orders.write(
            self.order, sender, submit.number, submit.epoch, submit.kind, submit.payload
        )
        self.followers, _, _ = positions.audience(self.followers, entry.seq, 256)
        self.disk.append(encoded)
        return entry


def test_a_blind_leader_orders_a_groups_traffic_and_learns_nothing_of_it(table: Table) -> None:
    """ayse's machine is a relay from now on: what reaches it is ordered there, and its whole state is searched."""
    seen = table.state("ayse", last(table).group).order
    assert seen is not None
    people: Followers = Shelf()
    for name in ("burak", "cem"):
        people = positions.admit(people, name, seen.seq, table.now, linked=True)
    relay = Relay(seen, people)
    wire: list[bytes] = []

    def through_the_relay(_: str, other: str, frame: Frame) -> bool:
        if other != "ayse":
            return False
        wire.append(encode_frame(frame))
        if isinstance(frame, Submit):
            entry = relay.submit(_, frame)
            for name in ("burak", "cem"):
                if entry is not None:
                    table.step(name, ev.Arrived("ayse", entry))
        return True

    table.drop = through_the_relay
    said = ["the harbour at noon", "bring nobody with you", "understood and agreed"]
    for name, text in zip(("burak", "cem", "burak"), said, strict=True):
        table.say(name, "#ops", text)
    assert table.words("burak") == table.words("cem") == ["one", *said]
    assert len(relay.disk) >= len(said)
    everything = pickle.dumps((relay.order, list(relay.followers.items()), relay.disk)) + b"".join(wire)
    for text in (*said, "#ops", "harbour", "nobody"):
        assert text.encode() not in everything
    for name in ("burak", "cem"):
        state = table.desks[name].sessions.get(seen.group)
        assert state is not None
        assert state.authenticator not in everything
        assert table.own[name].signature_key not in everything
        assert table.own[name].credential.certificates[0] not in everything


def test_sizes_show_in_steps(table: Table) -> None:
    """What a leader sees of a message's size is a step of 64 bytes, not a count of letters."""
    sizes = []
    for letters in (1, 2, 9, 9 + 64):
        table.say("burak", "#ops", "x" * letters)
        sizes.append(len(last(table).payload))
    assert sizes == [sizes[0]] * 3 + [sizes[0] + 64]


def test_a_term_beyond_all_leads_nobody_and_stops_no_clock(table: Table) -> None:
    head = orders.head(table.state("ayse", last(table).group).order)  # type: ignore[arg-type]
    top = replace(head.runs[0], term=(1 << 32) - 1, leader="cem")
    table.link("burak", "cem")
    table.step("burak", ev.Arrived("cem", replace(head, runs=(top,))))
    assert "a term that no lobby comes to" in table.troubles("burak")[-1]
    table.part({"burak", "cem"}, {"ayse"})
    table.run(30)
    assert table.view("cem").leader == "burak"


def test_a_head_from_nowhere_changes_nothing(table: Table) -> None:
    head = orders.head(table.state("ayse", last(table).group).order)  # type: ignore[arg-type]
    wrong = Head(head.group, 0, bytes(32), (replace(head.runs[-1], last=0),))
    table.step("burak", ev.Arrived("ayse", wrong))
    table.say("ayse", "#ops", "two")
    assert table.words("burak") == ["one", "two"]


@pytest.mark.parametrize("who", [("burak",), ("cem",), ("burak", "cem")])
def test_a_leader_that_beats_but_orders_nothing_of_others_is_put_out(table: Table, who: tuple[str, ...]) -> None:
    table.link("burak", "cem")
    table.drop = lambda _one, other, frame: other == "ayse" and isinstance(frame, Submit)
    for name in ("burak", "cem"):
        table.say(name, "#ops", f"{name} speaks")
    for name in who:
        table.put(name, ev.RemoveFrom("ops", "ayse"))
    head = orders.head(table.state("ayse", last(table).group).order)  # type: ignore[arg-type]
    for _ in range(30):
        for name in ("burak", "cem"):
            table.put(name, ev.Arrived("ayse", head))
        table.wait(1)
    for name in ("burak", "cem"):
        assert set(table.view(name).roster) == {"burak", "cem"}
        assert sorted(table.words(name)) == ["burak speaks", "cem speaks", "one"]


def test_a_leader_that_beats_is_not_lost_for_whom_it_is_to_let_in(table: Table) -> None:
    """Whoever comes from another half, where the leader was put out: those who are in put it out."""
    group = last(table).group
    head = orders.head(table.state("ayse", group).order)  # type: ignore[arg-type]
    before = table.state("burak", group)
    intents = replace(before.intents, removes={"ayse": "by burak"})
    for step, heard in ((Step.REJOIN, table.now + 1), (Step.SOUND, before.watch.heard)):
        lobby = replace(before, intents=intents, healing=replace(before.healing, step=step))
        desk = table.desks["burak"]
        table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
        table.now = before.watch.heard + 1
        table.step("burak", ev.Arrived("ayse", head))
        assert table.state("burak", group).watch.heard == (table.now if step is Step.REJOIN else heard)


def test_whom_a_leader_lets_in_unseen_is_said_to_whom_it_makes_come_in_anew() -> None:
    """ayse keeps the commit that lets zeki in from burak, and says that what he lacks is gone."""
    table = Table("ayse", "burak", "cem", "zeki")
    for other in ("burak", "cem", "zeki"):
        table.link("ayse", other)
    group = table.lobby("ayse", "burak", "cem")
    table.run(70, 5)
    table.drop = lambda _, other, frame: other == "burak" and isinstance(frame, Ordered)
    table.put("ayse", ev.InviteTo("ops", ("zeki",)))
    table.run(2)
    table.put("zeki", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(2)
    table.drop = lambda _one, _other, _frame: False
    assert "zeki" not in table.view("burak").roster
    table.put("burak", ev.Arrived("ayse", Refused(group, 0, 0, Refusal.GONE)))
    table.run(30)
    assert "zeki" in table.view("burak").roster
    assert table.texts("burak", "#ops")[-2:] == ["this half of the lobby joined ayse's again", "zeki entered"]


def test_who_has_something_else_put_in_the_place_of_its_words_says_them_again(table: Table) -> None:
    (entry,) = held(table, "burak", "burak", "the truth")
    table.now += 100
    table.step("burak", ev.Arrived("ayse", replace(entry, payload=b"junk")))
    assert "something else stands in the place of your words" in table.troubles("burak")[-1]
    assert table.statuses("burak", "#ops")[-1] == "waiting"
    said = [one for one in table.state("burak", entry.group).voice.flying if one.id]
    assert [one.number > entry.number for one in said] == [True]


@pytest.mark.parametrize("restarted", [False, True])
def test_what_we_handed_in_before_we_protected_it_anew_is_our_word_too(table: Table, *, restarted: bool) -> None:
    table.drop = lambda one, _other, frame: one == "burak" and isinstance(frame, Submit)
    table.say("burak", "#ops", "the truth")
    group = last(table).group
    (before,) = table.state("burak", group).voice.flying
    table.put("ayse", ev.RemoveFrom("ops", "cem"))
    refused = Refused(group, before.number, before.epoch, Refusal.STALE)
    table.put("burak", ev.Arrived("ayse", refused))
    if restarted:
        table.restart("burak")
        table.link("ayse", "burak")
    (after,) = table.state("burak", group).voice.flying
    assert (after.number, after.former) == (before.number, (payload_name(before.payload),))
    assert after.payload != before.payload
    order = table.state("burak", group).order
    assert order is not None
    entry = replace(
        last(table), seq=order.seq + 1, previous=order.hash, kind=EntryKind.MESSAGE, epoch=order.epoch,
        sender="burak", number=before.number, payload=before.payload,
    )  # fmt: skip
    table.step("burak", ev.Arrived("ayse", entry))
    assert table.statuses("burak", "#ops")[-1] == "sent"
    assert not table.state("burak", group).voice.flying


def test_a_leader_that_orders_that_it_is_put_out_does_not_lead_on(table: Table) -> None:
    """It beats as before; what it sends from now on is made here."""
    table.link("burak", "cem")
    handed: list[Submit] = []

    def drop(one: str, other: str, frame: Frame) -> bool:
        if one == "burak" and isinstance(frame, Submit) and frame.kind is EntryKind.COMMIT:
            handed.append(frame)
        return "ayse" in (one, other)

    table.drop = drop
    table.put("burak", ev.RemoveFrom("ops", "ayse"))
    while not handed:
        table.run(1)
    order = table.state("ayse", table.desks["ayse"].labels["#ops"]).order
    assert order is not None
    commit = handed[0]
    order, entry, _ = orders.write(order, "burak", commit.number, commit.epoch, commit.kind, commit.payload)
    for name in ("burak", "cem"):
        table.put(name, ev.Arrived("ayse", entry))
    table.say("cem", "#ops", "is she gone?")
    for _ in range(40):
        for name in ("burak", "cem"):
            table.put(name, ev.Arrived("ayse", orders.head(order)))
        table.run(3, 3)
    assert table.view("cem").leader != "ayse"
    assert "is she gone?" in table.words("burak")


def test_no_leader_orders_what_no_later_one_can_leave_in_a_mailbox(table: Table) -> None:
    """The others come in anew behind it, so that what they say does not wait behind it either."""
    table.link("burak", "cem")
    group = table.desks["ayse"].labels["#ops"]
    work = Work(table.desks["ayse"], table.now, table.random)
    lobby = table.state("ayse", group)
    assert lobby.order is not None
    junk = bytes(2 << 20)
    ordering.put_in_order(work, lobby, "ayse", lobby.voice.next, lobby.order.epoch, EntryKind.MESSAGE, junk)
    desk, records, deeds = work.done()
    table.desks["ayse"] = desk
    table.stores["ayse"].commit(records)
    table.do("ayse", deeds, committed=True)
    table.run(20)
    table.part({"burak", "cem"}, {"ayse"})
    table.run(60)
    table.say("burak", "#ops", "and then?")
    assert "and then?" in table.words("cem")
    leader = next(name for name in ("burak", "cem") if table.stages()[name] == "leading")
    order = table.state(leader, group).order
    assert order is not None
    asked = DepositEntries("ayse", group, order.base + 1, order.seq - order.base)
    *_, last_left = deposits_of(table.stores[leader], asked)
    assert isinstance(last_left, Deposit)
    assert last_left.upto == order.seq


def test_names_that_nobody_has_are_not_kept_of_entries_without_a_key(table: Table) -> None:
    """A leader orders junk of an epoch of before under many names: what is kept stays small."""
    ((group, lobby),) = table.desks["ayse"].lobbies.items()
    order = lobby.order
    assert order is not None
    for number in range(100):
        order, entry, _ = orders.write(order, f"nobody-{number}", 1, 0, EntryKind.MESSAGE, b"junk")
        table.step("burak", ev.Arrived("ayse", entry))
    assert table.state("burak", group).healing.untold == {}
    assert lacks.known(table.state("burak", group)) == ((entry.seq - 99, entry.seq),)
