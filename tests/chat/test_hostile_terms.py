"""Terms that nobody took, shown by who leads or by a member: in whose name, and how far ahead, they like."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.deeds import Send
from conclave.chat.effects import Effect
from conclave.chat.lobbies.terms import at_first
from conclave.chat.lobby_state import Step
from conclave.chat.work import Work
from conclave.lobby import order as orders
from conclave.lobby.order import LAST_TERM, Order
from conclave.mls import group as mls
from conclave.values import replace
from conclave.wire.delivery import Post, PostKind
from conclave.wire.order import LAST_SEQ, EntryKind, Head, Info, Ordered, Refusal, Refused, Run, Submit
from conclave.wire.posts import Welcome, open_post, pack_parcel
from tests.chat.desks import Table, together

ALL = ("ayse", "burak", "cem", "deniz")


@pytest.fixture
def table() -> Table:
    return together(*ALL)


def made_up(order: Order, sender: str, term: int) -> tuple[Order, Ordered]:
    """Behind ``order``, ``sender`` takes a term, as who writes it says."""
    behind = orders.new_term(order, Run(term, 0, sender, 0, 0))
    behind, entry, _ = orders.write(behind, sender, 10**13, 0, EntryKind.TERM, b"junk")
    return behind, entry


def at(table: Table, name: str) -> Order:
    (group,) = table.desks[name].lobbies
    order = table.state(name, group).order
    assert order is not None
    return order


def talk(table: Table) -> None:
    """burak and the others hear each other, and are of one mind about who leads."""
    table.run(120, 2)
    table.say("cem", "#ops", "hello burak")
    table.say("burak", "#ops", "hello cem")
    table.run(120, 2)
    for name in ALL:
        assert {"hello burak", "hello cem"} <= set(table.words(name))
    assert len({(table.view(name).leader, table.view(name).term) for name in ALL}) == 1


@pytest.mark.parametrize("term", [2, 1000, LAST_TERM])
@pytest.mark.parametrize("by", ["ayse", "cem"], ids=["the leader", "a member"])
def test_nobody_is_made_to_lead_by_an_entry_that_it_did_not_write(table: Table, by: str, term: int) -> None:
    order = at(table, "burak")
    _, entry = made_up(order, "burak", term)
    if by == "cem":
        table.link("burak", "cem")
        table.cut("ayse", "burak")
        longer = replace(orders.head(order), seq=order.seq + 5, runs=(replace(order.run, last=order.seq + 5),))
        table.step("burak", ev.Arrived("cem", longer))
    table.step("burak", ev.Arrived(by, entry))
    table.put("burak", ev.Tick())
    assert (table.view("burak").leader, table.view("burak").term) == ("ayse", 1)
    assert any("did not make" in text for text in table.troubles("burak"))
    talk(table)


@pytest.mark.parametrize("as_it_was", [True, False], ids=["as it was", "under another number"])
def test_a_term_that_one_took_comes_back_as_one_wrote_it_alone(table: Table, *, as_it_was: bool) -> None:
    """What burak had behind his term is cut, by a lie of cem; who leads later shows it again."""
    table.part({"burak", "cem", "deniz"}, {"ayse"})
    table.run(60, 2)
    assert table.view("cem").leader == "burak"
    table.say("burak", "#ops", "mine")
    order = at(table, "burak")
    group = order.group
    entries = [one for _, _, one in table.frames if isinstance(one, Ordered) and one.seq == order.run.first]
    term = next(one for one in entries if one.kind is EntryKind.TERM and one.sender == "burak")
    table.part(*({one} for one in ALL))
    table.link("burak", "cem")
    table.drop = lambda *_: True
    older = replace(order.runs[1], last=term.seq - 1)
    later = Run(order.run.term + 1, 0, "cem", term.seq, term.seq + 8)
    table.put("burak", ev.Arrived("cem", Head(group, later.last, bytes(32), (later, older))))
    assert (at(table, "burak").seq, table.state("burak", group).healing.step) == (term.seq - 1, Step.SOUND)
    table.restart("burak")
    table.link("burak", "cem")
    shown = term if as_it_was else replace(term, number=term.number + 1)
    table.step("burak", ev.Arrived("cem", shown))
    assert table.view("burak").leader == "cem"
    if as_it_was:
        assert orders.same(at(table, "burak").run, order.run)
    else:
        assert at(table, "burak").seq == term.seq - 1


def coming_in(table: Table) -> Submit:
    """ayse makes burak come in anew; his commit, which is lost on its way to her."""
    held: list[Submit] = []

    def drop(one: str, _: str, frame: object) -> bool:
        if one == "burak" and isinstance(frame, Submit):
            held.append(frame)
        return bool(held) and frame is held[-1]

    table.drop = drop
    group = at(table, "burak").group
    table.put("burak", ev.Arrived("ayse", Refused(group, 0, 0, Refusal.GONE)))
    for _ in range(100):
        if held:
            break
        table.run(0.2, 0.2)
    assert table.state("burak", group).healing.step is Step.ENTER
    assert held[0].kind is EntryKind.COMMIT
    return held[0]


@pytest.mark.parametrize("name", ["../../x", "x\x1b[2J", "deniz", "ayse", "burak"])
@pytest.mark.parametrize("term", [2, LAST_TERM])
def test_who_comes_in_anew_believes_of_who_leads_alone_that_it_takes_a_term(
    table: Table, name: str, term: int
) -> None:
    submit = coming_in(table)
    behind, entry = made_up(at(table, "burak"), name, term)
    _, commit, _ = orders.write(behind, "burak", submit.number, submit.epoch, EntryKind.COMMIT, submit.payload)
    table.step("burak", ev.Arrived("ayse", entry))
    believed = name == "ayse" and term == 2  # by her Head she is believed as much
    assert (table.view("burak").leader, table.view("burak").term) == ("ayse", 2 if believed else 1)
    table.step("burak", ev.Arrived("ayse", commit))
    table.put("burak", ev.Tick())
    assert table.wants("burak") <= set(ALL)
    table.drop = lambda *_: False
    talk(table)
    table.restart("burak")
    assert table.wants("burak") <= set(ALL)


def test_who_comes_in_anew_does_not_take_nothing_for_its_words(table: Table) -> None:
    """What burak is yet to protect has no ciphertext, as an entry that ayse makes up."""
    table.drop = lambda one, _, frame: one == "burak" and isinstance(frame, Submit)
    table.say("burak", "#ops", "mine")
    submit = coming_in(table)
    (words,) = [one for one in table.state("burak", submit.group).voice.flying if one.id]
    _, entry, _ = orders.write(at(table, "burak"), "burak", words.number, 0, EntryKind.MESSAGE, b"")
    table.step("burak", ev.Arrived("ayse", entry))
    assert table.statuses("burak", "#ops")[-1] == "waiting"
    table.drop = lambda *_: False
    talk(table)
    assert all("mine" in table.words(name) for name in ALL)


def names_as_leader(table: Table, leader: str, newcomer: str) -> None:
    """The Welcome of cem to ``newcomer`` says that ``leader`` took a term behind it."""
    honest = table.step

    def lie(name: str, event: ev.Event) -> list[Effect]:
        frame = event.frame if isinstance(event, ev.Arrived) else None
        if name == newcomer and isinstance(frame, Post) and frame.kind is PostKind.WELCOME:
            welcome = open_post(frame)
            assert isinstance(welcome, Welcome)
            top = Run(welcome.runs[0].term + 1, 0, leader, welcome.seq + 1, welcome.seq)
            _, body = pack_parcel(replace(welcome, runs=(top, *welcome.runs)))
            event = ev.Arrived("cem", replace(frame, body=body))
        return honest(name, event)

    table.step = lie  # type: ignore[method-assign]


@pytest.mark.parametrize("leader", ["elif", "cem", "nobody"], ids=["the newcomer", "who lets it in", "nobody"])
def test_a_welcome_of_a_term_that_nobody_took_makes_nobody_deaf(leader: str) -> None:
    table = together(*ALL, beside=("elif",))
    table.link("cem", "elif")
    names_as_leader(table, leader, "elif")
    table.put("cem", ev.InviteTo("ops", ("elif",)))
    table.run(2)
    table.put("elif", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    table.run(120, 2)
    talk(table)
    if leader == "elif":
        assert any("it says that you lead" in text for text in table.troubles("elif"))
        assert table.stages()["elif"] != "member"
    else:
        assert {"hello burak", "hello cem"} <= set(table.words("elif"))


def test_who_is_alone_behind_a_leader_that_never_was_in_leads() -> None:
    """cem names ayse, who is in no lobby, and is put out."""
    table = Table("ayse", "cem", "deniz")
    table.link("cem", "deniz")
    names_as_leader(table, "ayse", "deniz")
    table.lobby("cem", "deniz")
    assert table.view("deniz").leader == "ayse"
    table.cut("cem", "deniz")
    table.put("deniz", ev.RemoveFrom("ops", "cem"))
    table.run(60, 2)
    assert (table.view("deniz").leader, table.view("deniz").roster) == ("deniz", ("deniz",))


def test_a_half_whose_term_nobody_began_is_one_that_others_come_into(table: Table) -> None:
    """cem draws burak into a half of his own, in which no entry begins the term, and is gone."""
    order = at(table, "cem")
    state = table.desks["cem"].sessions.get(order.group)
    assert state is not None
    order = orders.new_term(order, Run(order.run.term + 1, 1, "cem", 0, 0))
    table.link("burak", "cem")
    table.drop = lambda one, other, _: "cem" in (one, other)
    table.put("burak", ev.Arrived("cem", orders.head(order)))
    table.put("burak", ev.Arrived("cem", Refused(order.group, 0, 0, Refusal.GONE)))
    data = mls.group_info(state, random=table.random, external_pub=True)
    effects = table.step("burak", ev.Arrived("cem", Info(order.group, order.seq, order.hash, order.runs, data)))
    (one,) = [deed.frame for deed in effects if isinstance(deed, Send) and isinstance(deed.frame, Submit)]
    _, entry, _ = orders.write(order, "burak", one.number, one.epoch, one.kind, one.payload)
    table.put("burak", ev.Arrived("cem", entry))
    assert table.view("burak").leader == "cem"
    table.part({"ayse", "burak", "deniz"}, {"cem"})
    table.drop = lambda *_: False
    table.run(200, 2)
    table.say("ayse", "#ops", "from ayse")
    table.say("burak", "#ops", "from burak")
    table.run(60, 2)
    for name in ("ayse", "burak", "deniz"):
        assert {"from ayse", "from burak"} <= {*table.words(name)}


@pytest.mark.parametrize("far", ["terms", "entries"])
def test_newcomers_come_into_a_lobby_however_far_ahead_somebody_opened_it(far: str) -> None:
    table = Table("ayse", "burak", "cem", "mallory")
    for one, other in (("mallory", "ayse"), ("mallory", "burak"), ("ayse", "burak")):
        table.link(one, other)
    group = table.lobby("mallory")
    desk, lobby = table.desks["mallory"], table.state("mallory", group)
    assert lobby.order is not None
    term = at_first(Work(desk, table.now, table.random)) if far == "terms" else 1
    last = LAST_SEQ // 4 + int(table.now) * orders.FIRST_EACH_SECOND
    seq = last - 1 if far == "entries" else 0
    order = replace(lobby.order, seq=seq, runs=(Run(term, 0, "mallory", 1, seq),), base=seq)
    lobby = replace(lobby, order=order, lead=Run(term, 0, "mallory", 0, 0))
    table.desks["mallory"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.put("mallory", ev.InviteTo("#ops", ("ayse", "burak")))
    for name in ("ayse", "burak"):
        table.put(name, ev.AnswerRequest("mallory", accept=True, lobby="#ops"))
    table.wait(0.5)
    assert table.stages() == {"mallory": "leading", "ayse": "member", "burak": "member"}
    table.part({"ayse", "burak", "cem"}, {"mallory"})
    table.run(60)
    table.link("ayse", "cem")
    table.put("ayse", ev.InviteTo("#ops", ("cem",)))
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
    table.run(30)
    assert (table.view("cem").term > term, table.view("cem").seq > seq) == (True, True)
    assert table.stages()["cem"] == "member"
