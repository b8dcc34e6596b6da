"""Who accepted, until it is in: whom it waits for, and what its key package may spoil."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import groups, packages, views
from conclave.chat.lobbies import committing
from conclave.chat.lobbies.meaning import SHOWN_KEPT_SECONDS, STEP_SECONDS, WELCOME_SECONDS
from conclave.chat.lobby_state import Step
from conclave.chat.notices import RequestAnswered
from conclave.chat.work import Work
from conclave.crypto.suite import HYBRID
from conclave.lobby import order as orders
from conclave.mls import group as mls
from conclave.mls.group import OwnKeyPackage
from conclave.values import replace
from conclave.wire import order as f
from conclave.wire.delivery import Post, PostKind
from conclave.wire.order import decode_ordered
from conclave.wire.posts import Answer, Choice, Invite, pack_parcel
from tests.chat.desks import Table

ALL = ("ayse", "burak", "cem", "deniz")


@pytest.fixture
def table() -> Table:
    table = Table(*ALL)
    for one in ALL[1:]:
        table.link("ayse", one)
    return table


def test_a_welcome_that_cannot_be_used_leaves_nobody_in_the_roster_who_is_not_in() -> None:
    table = Table("ayse", "burak", "cem")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    group = table.lobby("ayse", "burak")
    table.put("ayse", ev.InviteTo("ops", ("cem",)))
    table.drop = lambda one, _, __: one == "cem"
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.drop = lambda *_: False
    work = Work(table.desks["cem"], table.now, table.random)
    packages.taken_back(work, group)
    table.desks["cem"], *_ = work.done()
    table.run(15)
    assert "was refused" in table.troubles("cem")[-1]
    said = [one for who, _, one in table.frames if who == "cem" and isinstance(one, Post)]
    assert said[-1].kind is PostKind.LEAVE
    assert table.texts("cem", "#ops")[-1] == "ayse's welcome could not be used: you did not come in"
    assert table.view("burak").roster == ("ayse", "burak")
    assert "cem left, as ayse says" in table.texts("burak", "#ops")
    table.put("ayse", ev.InviteTo("ops", ("cem",)))
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(5)
    assert table.view("cem").roster == ("ayse", "burak", "cem")


@pytest.mark.parametrize("out", [False, True], ids=["in", "out again"])
def test_who_was_put_out_and_asked_in_while_away_by_an_answer_of_before_does_not_stay_behind(*, out: bool) -> None:
    """cem answered twice; its second answer comes late, and its keys were used: the welcome is none for it."""
    table = Table("ayse", "burak", "cem")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    table.lobby("ayse", "burak")
    answers: list[int] = []

    def drop(one: str, _: str, frame: object) -> bool:
        if one == "cem" and isinstance(frame, Post) and frame.kind is PostKind.ANSWER:
            answers.append(frame.number)
            return frame.number > min(answers)
        return False

    table.drop = lambda one, _, __: one == "cem"
    table.put("ayse", ev.InviteTo("ops", ("cem",)))
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.put("ayse", ev.InviteTo("ops", ("cem",)))
    table.drop, table.authority = drop, False
    table.run(20)
    assert table.view("cem").roster == ("ayse", "burak", "cem")
    table.part({"ayse", "burak"}, {"cem"})
    table.put("ayse", ev.RemoveFrom("ops", "cem"))
    table.put("ayse", ev.InviteTo("ops", ("cem",)))
    table.drop = lambda _, other, frame: (
        out and other == "cem" and not (isinstance(frame, Post) and frame.kind is PostKind.INVITE)
    )
    table.part()
    table.run(10)
    if out:
        assert table.view("burak").roster == ("ayse", "burak", "cem")
        table.put("ayse", ev.RemoveFrom("ops", "cem"))
    table.drop = lambda *_: False
    table.run(30)
    assert (table.stages()["cem"] == "member") is not out
    people = {"ayse", "burak"} if out else {"ayse", "burak", "cem"}
    assert len({table.view(one).authenticator for one in people}) == 1


def test_a_welcome_that_comes_while_we_come_in_by_a_commit_of_our_own_waits() -> None:
    """cem was put out and let in while away; who leads lets it in anew before the welcome of burak is there."""
    table = Table("ayse", "burak", "cem")
    table.authority = False
    for one in ("burak", "cem"):
        table.link("ayse", one)
    group = table.lobby("ayse", "burak", "cem")
    table.part({"ayse", "burak"}, {"cem"})
    table.put("burak", ev.RemoveFrom("ops", "cem"))
    table.put("burak", ev.InviteTo("ops", ("cem",)))
    late = {"Head", "Ordered", "WELCOME"}

    def drop(_: str, other: str, frame: object) -> bool:
        return other == "cem" and (frame.kind.name if isinstance(frame, Post) else type(frame).__name__) in late

    table.drop = drop
    table.part({"ayse", "burak"}, {"burak", "cem"})
    table.link("burak", "cem")
    table.run(5)
    late.remove("Head")
    table.part({"ayse", "burak"}, {"ayse", "cem"}, {"burak", "cem"})
    table.link("ayse", "cem")
    table.run(2)
    assert table.state("cem", group).healing.step is Step.ENTER
    late.remove("WELCOME")
    table.run(6)
    late.clear()
    table.part()
    table.run(30)
    assert table.stages()["cem"] == "member"
    assert table.view("cem").authenticator == table.view("ayse").authenticator


def accepted_of_one_who_dies(*, committed: bool) -> tuple[Table, bytes]:
    """deniz accepts burak, whose device dies: before it lets deniz in, or before its welcome leaves."""
    table = Table(*ALL)
    for one in ("burak", "cem", "deniz"):
        table.link("ayse", one)
    for one in ("burak", "cem"):
        table.link(one, "deniz")
    group = table.lobby("ayse", "burak", "cem")
    table.put("burak", ev.InviteTo("ops", ("deniz",)))
    table.drop = lambda one, other, frame: (
        (one, other) == ("burak", "deniz") if committed else one == "burak"
    )  # fmt: skip
    table.put("deniz", ev.AnswerRequest("burak", accept=True, lobby="ops"))
    table.wait(1)
    assert ("deniz" in table.view("ayse").roster) is committed
    table.part({"ayse", "cem", "deniz"}, {"burak"})
    table.mail.clear()
    table.drop = lambda *_: False
    table.restart("deniz")
    table.dial()
    return table, group


def test_who_accepted_somebody_who_is_gone_is_let_in_by_another_who_asks() -> None:
    table, _ = accepted_of_one_who_dies(committed=False)
    table.run(30, 2)
    assert table.stages()["deniz"] == "joining"
    table.put("cem", ev.InviteTo("ops", ("deniz",)))
    table.run(5)
    assert table.view("cem").roster == ("ayse", "burak", "cem", "deniz")
    assert table.view("deniz").roster == table.view("cem").roster
    table.part()
    table.run(60)  # what burak still has to say to it changes nothing
    assert table.view("deniz").roster == table.view("cem").roster == table.view("burak").roster
    assert table.view("burak").invited == ()


def test_whose_welcome_never_came_is_put_out_after_a_while_and_can_be_asked_anew() -> None:
    table, _ = accepted_of_one_who_dies(committed=True)
    table.run(WELCOME_SECONDS - 60, 5)
    assert "deniz" in table.view("ayse").roster  # the welcome may be under way
    table.restart("deniz")
    table.run(WELCOME_SECONDS + 60, 5)
    assert table.view("ayse").roster == ("ayse", "burak", "cem")
    table.put("cem", ev.InviteTo("ops", ("deniz",)))
    table.run(5)
    assert table.view("deniz").roster == table.view("cem").roster == ("ayse", "burak", "cem", "deniz")
    table.part()
    table.run(60)
    assert table.view("deniz").roster == table.view("cem").roster == table.view("burak").roster


def test_whose_links_live_for_less_than_that_says_so_too() -> None:
    table, _ = accepted_of_one_who_dies(committed=True)
    for _ in range(int(WELCOME_SECONDS / 60)):
        table.run(60, 3)
        table.cut("ayse", "deniz")
    table.run(60, 3)
    assert table.view("ayse").roster == ("ayse", "burak", "cem")


def test_who_slept_while_its_welcome_lay_in_the_mailbox_comes_in(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.link("cem", "deniz")
    table.put("cem", ev.InviteTo("ops", ("deniz",)))
    table.drop = lambda one, other, _: (one, other) == ("cem", "deniz")
    table.put("deniz", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    table.part({"ayse", "burak", "deniz"}, {"ayse", "burak", "cem"})
    table.run(15)
    assert "deniz" in table.view("ayse").roster
    table.part({"ayse", "burak", "cem"}, {"deniz"})
    table.now += 12 * WELCOME_SECONDS
    table.part({"ayse", "burak", "deniz"}, {"ayse", "burak", "cem"})
    table.link("ayse", "deniz")  # it wakes: the link is a moment before the mail
    assert table.collect("deniz")
    table.run(15)
    assert table.stages()["deniz"] == "member"
    assert table.view("ayse").roster == table.view("deniz").roster == ALL


def test_people_are_asked_of_whom_nobody_knows_to_be_in_while_they_wait_for_another() -> None:
    table = Table(*ALL)
    for one in ("burak", "cem", "deniz"):
        table.link("ayse", one)
    table.link("cem", "deniz")
    table.put("ayse", ev.OpenLobby("ops", b"g" * 16, ("burak", "cem", "deniz")))
    table.drop = lambda one, other, _: (one, other) == ("deniz", "ayse")
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="ops"))  # which shows that ayse alone is in
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.wait(1)
    table.put("cem", ev.InviteTo("ops", ("deniz",)))
    assert table.notices("cem", RequestAnswered) == []
    assert table.stages()["deniz"] == "joining"
    assert views.requests(table.desks["deniz"]) == (views.Request("cem", "#ops"),)
    table.drop = lambda *_: False
    table.run(15)
    assert table.view("deniz").roster == ("ayse", "cem", "deniz")


def test_who_takes_an_invitation_back_leaves_us_to_the_other_who_asked(table: Table) -> None:
    table.link("burak", "deniz")
    table.link("cem", "deniz")
    group = table.lobby("ayse", "burak", "cem")
    table.put("burak", ev.InviteTo("ops", ("deniz",)))
    table.drop = lambda one, _, __: one == "deniz"
    table.put("deniz", ev.AnswerRequest("burak", accept=True, lobby="ops"))
    table.put("cem", ev.InviteTo("ops", ("deniz",)))
    table.put("burak", ev.RemoveFrom("ops", "deniz"))
    table.drop = lambda one, other, _: (one, other) == ("deniz", "cem")
    table.run(15)
    assert (table.stages()["deniz"], table.state("deniz", group).inviter) == ("joining", "cem")
    table.drop = lambda *_: False
    table.run(15)
    assert table.view("deniz").roster == ALL
    assert "deniz entered: cem let you in" in table.texts("deniz", "#ops")


def test_a_head_puts_nobody_out_who_is_about_to_be_let_in(table: Table) -> None:
    group = table.lobby("ayse", "burak", "cem")
    order = table.state("ayse", group).order
    assert order is not None
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    table.drop = lambda one, _, frame: one == "deniz" and not isinstance(frame, f.Refused)
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    for _ in range(int(WELCOME_SECONDS / STEP_SECONDS) + 1):
        table.put("deniz", ev.Arrived("ayse", orders.head(order)))
        table.now += STEP_SECONDS
    assert [one for _, _, one in table.frames if isinstance(one, f.Refused)] == [
        f.Refused(group, 0, 0, f.Refusal.NOT_IN)
    ]
    table.drop = lambda *_: False
    table.run(15)
    assert "deniz" in table.view("ayse").roster
    assert table.stages()["deniz"] == "member"
    assert not table.state("deniz", group).watch.shown


def test_who_took_us_for_in_a_day_ago_is_not_remembered(table: Table) -> None:
    group = table.lobby("ayse", "burak", "cem")
    order = table.state("ayse", group).order
    assert order is not None
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    for name in ("burak", "cem"):
        table.link(name, "deniz")
        table.put("deniz", ev.Arrived(name, orders.head(order)))
    assert set(table.state("deniz", group).watch.shown) == {"burak", "cem"}
    table.now += SHOWN_KEPT_SECONDS
    table.put("deniz", ev.Arrived("burak", orders.head(order)))
    assert table.state("deniz", group).watch.shown == {"burak": (0.0, table.now)}


# --- key packages that no commit takes ---


def key_package(table: Table, name: str, *extensions: int) -> OwnKeyPackage:
    own, now = table.own[name], int(table.now)
    suite = mls.cipher_suite(own.suite)
    return OwnKeyPackage.create(
        suite, own.credential, own.signature_key, (now - 10, now + 9999), table.random, extensions=extensions
    )


def signed(table: Table, name: str, one: OwnKeyPackage) -> bytes:
    """As it is sent, signed anew."""
    own = table.own[name]
    suite = mls.cipher_suite(own.suite)
    package = replace(one.package, leaf=one.package.leaf.sign(suite, own.signature_key))
    return mls.write_key_package(package.sign(suite, own.signature_key))


def accept(table: Table, name: str, group: bytes, package: bytes, number: int = 1) -> None:
    """``name`` accepts with that key package, whatever its device would do."""
    kind, body = pack_parcel(Answer(group, Choice.ACCEPT, package))
    table.put("ayse", ev.Arrived(name, Post(b"another1", number, number, kind, body)))


@pytest.mark.parametrize("bad", ["capabilities", "suite", "lifetime"])
def test_a_key_package_that_the_group_does_not_take_is_turned_away_when_it_comes(table: Table, bad: str) -> None:
    group = table.lobby("ayse", "burak")
    table.put("ayse", ev.InviteTo("ops", ("cem", "deniz")))
    one = key_package(table, "deniz", *(() if bad == "capabilities" else (groups.DEPUTIES,)))
    if bad == "suite":
        one = replace(one, package=replace(one.package, cipher_suite=HYBRID.code))
    if bad == "lifetime":
        leaf = replace(one.package.leaf, lifetime=(int(table.now) - 20, int(table.now) - 10))
        one = replace(one, package=replace(one.package, leaf=leaf))
    accept(table, "deniz", group, signed(table, "deniz", one))
    assert "deniz could not be let into #ops" in table.troubles("ayse")[-1]
    assert table.state("ayse", group).intents.adds == {}
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(3)
    assert table.view("cem").roster == ("ayse", "burak", "cem")


def test_who_spoils_a_commit_is_turned_away_alone(table: Table) -> None:
    """Its key is one that a member has: that is seen in the tree that a commit makes."""
    group = table.lobby("ayse", "burak")
    table.put("ayse", ev.InviteTo("ops", ("cem", "deniz")))
    state = table.desks["ayse"].sessions.get(group)
    assert state is not None
    one = key_package(table, "deniz", groups.DEPUTIES)
    leaf = replace(one.package.leaf, encryption_key=state.epoch.leaf(1).encryption_key)
    accept(table, "deniz", group, signed(table, "deniz", replace(one, package=replace(one.package, leaf=leaf))))
    assert set(table.state("ayse", group).intents.adds) == {"deniz"}
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(3)
    assert "deniz could not be let into #ops" in table.troubles("ayse")[-1]
    assert table.view("cem").roster == ("ayse", "burak", "cem")
    assert table.state("ayse", group).intents.adds == {}


def test_of_two_who_do_not_fit_together_one_is_let_in_and_nobody_else_is_turned_away(table: Table) -> None:
    group = table.lobby("ayse")
    table.put("ayse", ev.InviteTo("ops", ("burak", "cem", "deniz")))
    ours, other = key_package(table, "deniz", groups.DEPUTIES), key_package(table, "cem", groups.DEPUTIES)
    leaf = replace(ours.package.leaf, encryption_key=other.package.leaf.encryption_key)
    accept(table, "cem", group, signed(table, "cem", other))
    accept(table, "deniz", group, signed(table, "deniz", replace(ours, package=replace(ours.package, leaf=leaf))))
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(3)
    assert {"cem entered", "burak entered"} <= set(table.texts("ayse", "#ops"))
    assert table.view("burak").roster == ("ayse", "burak")  # cem's own device knows nothing of its answer
    assert "deniz could not be let into #ops" in table.troubles("ayse")[-1]


def test_those_who_fit_no_entry_together_come_in_by_several(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    room = len(mls.write_key_package(key_package(table, "cem", groups.DEPUTIES).package)) * 5 // 2
    monkeypatch.setattr(committing, "PAYLOAD_BYTES", room + 1024)
    table.put("ayse", ev.OpenLobby("ops", table.random(16), ("burak", "cem", "deniz")))
    for one in ALL[1:]:
        table.put(one, ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(3)
    assert all(set(table.view(one).roster) == set(ALL) for one in ALL)
    state = table.desks["ayse"].lobbies.get(table.desks["ayse"].labels["#ops"])
    assert state is not None
    entries = [decode_ordered(one) for one in table.stores["ayse"].entries(state.group, 1, 100)]
    commits = [one for one in entries if one.kind is f.EntryKind.COMMIT]
    assert len(commits) > 1
    assert all(len(one.payload) <= room + 1024 for one in commits)


def test_who_accepted_two_is_told_by_the_one_whose_welcome_it_need_not_wait_for() -> None:
    """The other may have taken its invitation back by now: then nobody's welcome comes."""
    table = Table(*ALL)
    for one in ("burak", "cem", "deniz"):
        table.link("ayse", one)
    for one in ("burak", "cem"):
        table.link(one, "deniz")
    group = table.lobby("ayse", "burak", "cem")

    def drop(one: str, other: str, frame: object) -> bool:
        welcome = isinstance(frame, Post) and frame.kind is PostKind.WELCOME
        return isinstance(frame, f.Submit) or (one, other) == ("burak", "deniz") or (other == "deniz" and welcome)

    table.drop = drop
    table.put("cem", ev.InviteTo("ops", ("deniz",)))
    table.put("deniz", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    table.put("deniz", ev.Arrived("burak", Post(b"burakpos", 1, 1, *pack_parcel(Invite(group, "ops", ALL[:3])))))
    assert packages.holders(Work(table.desks["deniz"], table.now, table.random), group) == ["burak", "cem"]
    table.run(5)
    lobby = table.state("cem", group)
    assert "deniz" in lobby.intents.adds
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    table.run(3)
    assert "deniz" in table.view("cem").roster
    table.run(15)
    assert "cem" not in packages.holders(Work(table.desks["deniz"], table.now, table.random), group)


def test_who_accepts_again_and_again_keeps_nobody_else_waiting(table: Table) -> None:
    """Each time with another key package, a little before those who accepted are let in together."""
    group = table.lobby("ayse", "burak")
    table.put("ayse", ev.InviteTo("ops", ("cem", "deniz", "elif")))
    table.drop = lambda one, other, _: "cem" in (one, other)
    for number in range(1, 20):
        accept(table, "cem", group, mls.write_key_package(key_package(table, "cem", groups.DEPUTIES).package), number)
        if number == 3:
            table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
        table.run(0.2, 0.2)
    assert "deniz" in table.view("ayse").roster
