"""Who comes into a lobby, and under which keys."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import groups, views
from conclave.chat.notices import RequestAnswered, RequestArrived
from conclave.chat.packages import HANDED_SECONDS
from conclave.chat.settings import Settings
from conclave.chat.words.content import Content, Text, encode_content
from conclave.chat.words.originals import read_kept
from conclave.chat.work import Work
from conclave.errors import LocalError, Refused
from conclave.pki.revocation import Revocation
from conclave.values import replace
from conclave.wire.delivery import Ack, Post, PostKind
from conclave.wire.order import Submit
from tests.chat.desks import Table
from tests.chat.people import JUDGES, own

ALL = ("ayse", "burak", "cem", "deniz")


@pytest.fixture
def table() -> Table:
    table = Table(*ALL)
    for one in ALL[1:]:
        table.link("ayse", one)
    return table


def test_everybody_has_one_order_with_words_and_notices(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.say("burak", "#ops", "one")
    table.say("ayse", "#ops", "two")
    table.say("cem", "#ops", "three")
    for name in ("ayse", "burak", "cem"):
        assert table.words(name) == ["one", "two", "three"]
    views_of = [table.view(name) for name in ("ayse", "burak", "cem")]
    assert len({(one.seq, one.hash, one.epoch, one.authenticator, one.leader) for one in views_of}) == 1
    assert views_of[0].roster == ("ayse", "burak", "cem")
    assert {"burak entered", "cem entered"} <= set(table.texts("ayse", "#ops"))
    assert "cem entered: ayse let you in" in table.texts("cem", "#ops")
    assert views_of[0].protection == "end-to-end encrypted"


def test_invitations_are_asked_and_answered(table: Table) -> None:
    table.put("ayse", ev.OpenLobby("ops", b"g" * 16, ("burak", "cem", "deniz")))
    assert table.notices("burak", RequestArrived) == [RequestArrived("ayse", "#ops")]
    assert views.requests(table.desks["cem"]) == (views.Request("ayse", "#ops"),)
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.put("cem", ev.AnswerRequest("ayse", accept=False, lobby="#ops"))
    assert table.notices("ayse", RequestAnswered) == [
        RequestAnswered("burak", "#ops", "accepted"),
        RequestAnswered("cem", "#ops", "rejected"),
    ]
    table.wait(1)
    assert (table.view("ayse").roster, table.view("ayse").invited) == (("ayse", "burak"), ("deniz",))
    assert table.stages() == {"ayse": "leading", "burak": "member", "deniz": "invited"}


def test_who_is_busy_is_asked_when_free(table: Table) -> None:
    table.put("burak", ev.SetBusy(on=True))
    table.put("ayse", ev.OpenLobby("ops", b"g" * 16, ("burak",)))
    assert table.notices("ayse", RequestAnswered) == [RequestAnswered("burak", "#ops", "busy")]
    assert table.notices("burak", RequestArrived) == []
    table.put("burak", ev.SetBusy(on=False))
    assert table.notices("burak", RequestArrived) == [RequestArrived("ayse", "#ops")]


def test_an_invitation_that_is_repeated_is_told_once_and_shows_who_is_in_now(table: Table) -> None:
    table.put("ayse", ev.OpenLobby("ops", b"g" * 16, ("burak", "cem")))
    table.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.wait(1)
    for _ in range(50):
        table.put("ayse", ev.InviteTo("ops", ("burak",)))
    assert table.notices("burak", RequestArrived) == [RequestArrived("ayse", "#ops")]
    view = table.view("burak")
    assert (view.stage, view.roster) == ("invited", ("ayse", "cem"))
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.wait(1)
    assert table.stages()["burak"] == "member"


def test_one_leader_cannot_take_the_place_of_anothers_invitation() -> None:
    table = Table("ayse", "burak", "cem", settings=Settings(invitations=8, invitations_per_peer=5))
    for one in ("ayse", "cem"):
        table.link(one, "burak")
    for number in range(20):
        table.put("cem", ev.OpenLobby(f"l{number}", bytes([number]) * 16, ("burak",)))
    assert len(table.notices("burak", RequestArrived)) == 5
    assert table.notices("cem", RequestAnswered) == [
        RequestAnswered("burak", f"#l{number}", "rejected") for number in range(5, 20)
    ]
    table.put("ayse", ev.OpenLobby("ops", b"x" * 16, ("burak",)))
    assert views.Request("ayse", "#ops") in views.requests(table.desks["burak"])
    table.put("burak", ev.AnswerRequest("cem", accept=True, lobby="l0"))  # which makes room for one more
    table.put("cem", ev.InviteTo("l7", ("burak",)))
    assert views.Request("cem", "#l7") in views.requests(table.desks["burak"])


def test_any_member_asks_in(table: Table) -> None:
    table.link("burak", "deniz")
    table.lobby("ayse", "burak", "cem")
    table.put("burak", ev.InviteTo("ops", ("deniz",)))
    table.put("deniz", ev.AnswerRequest("burak", accept=True, lobby="ops"))
    table.wait(1)
    assert table.view("cem").roster == ALL
    table.say("deniz", "#ops", "hello")
    assert table.words("cem") == ["hello"]
    assert "deniz entered: burak let you in" in table.texts("deniz", "#ops")


def test_those_who_accept_together_are_let_in_together() -> None:
    names = tuple(f"p{number}" for number in range(12))
    table = Table("ayse", *names)
    for one in names:
        table.link("ayse", one)
    group = table.lobby("ayse", *names)
    assert set(table.stages().values()) == {"leading", "member"}
    state = table.desks["ayse"].sessions.get(group)
    assert state is not None
    assert state.number <= 2  # not a commit for each


def test_labels_are_ours_and_do_not_collide(table: Table) -> None:
    table.link("cem", "burak")
    table.lobby("ayse", "burak")
    table.lobby("cem", "burak")
    table.put("burak", ev.OpenLobby("ops", b"x" * 16, ()))
    assert {view.label: view.leader for view in views.lobbies(table.desks["burak"])} == {
        "#ops": "ayse",
        "#ops@cem": "cem",
        "#ops@burak": "burak",
    }
    table.say("burak", "#ops@cem", "for cem")
    assert "for cem" in table.texts("cem", "#ops")
    assert "for cem" not in table.texts("ayse", "#ops")


def test_a_renewed_certificate_updates_the_leaf_and_is_said(table: Table) -> None:
    group = table.lobby("ayse", "burak", "cem")
    table.own["burak"] = own("burak", 2)
    table.put("burak", ev.OwnChanged(table.own["burak"]))
    table.wait(1)
    for name in ("ayse", "burak", "cem"):
        assert "burak has a renewed certificate" in table.texts(name, "#ops")
        state = table.desks[name].sessions.get(group)
        assert state is not None
        assert groups.certificate(state, groups.roster(state)["burak"]) == own("burak", 2).credential.certificates[0]
    table.say("burak", "#ops", "under the new one")
    assert table.words("cem") == ["under the new one"]


def test_keys_in_a_lobby_are_renewed_daily_and_after_a_reconnect(table: Table) -> None:
    table.lobby("ayse", "burak")
    table.run(120, 10)
    before = table.view("ayse").epoch
    table.cut("ayse", "burak")
    table.link("ayse", "burak")
    table.run(120, 10)
    after = table.view("ayse").epoch
    assert after > before
    table.run(87_000, 3_000)
    assert table.view("ayse").epoch >= after + 2  # each of the two
    assert table.view("burak").authenticator == table.view("ayse").authenticator


def _key(table: Table, name: str, group: bytes) -> bytes:
    """The key under which others encrypt for ``name``."""
    state = table.desks[name].sessions.get(group)
    assert state is not None
    return state.epoch.leaf(state.epoch.me).encryption_key


def test_a_leader_renews_its_keys_daily_and_after_a_restart(table: Table) -> None:
    group = table.lobby("ayse", "burak")
    table.run(120, 10)
    keys = [_key(table, "ayse", group)]
    table.restart("ayse")
    for seconds in (120, 90_000):
        table.run(seconds, seconds / 30)
        keys.append(_key(table, "ayse", group))
    assert len(set(keys)) == 3
    assert table.view("burak").leader == "ayse"


def test_deputies_are_agreed_on(table: Table) -> None:
    table.lobby("ayse", "burak", "cem")
    table.put("ayse", ev.SetDeputies("ops", ("cem",)))
    for name in ("ayse", "burak", "cem"):
        assert table.view(name).deputies == ("cem",)
        assert table.view(name).roster[:2] == ("ayse", "cem")
    for wrong in (("deniz",), tuple(f"p{n}" for n in range(40))):
        with pytest.raises(LocalError):
            table.put("ayse", ev.SetDeputies("ops", wrong))


def test_somebody_elses_key_package_lets_nobody_in(table: Table) -> None:
    table.put("ayse", ev.OpenLobby("ops", b"g" * 16, ("burak",)))
    table.desks["burak"] = replace(table.desks["burak"], own=table.own["cem"])
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.wait(1)
    assert "it is 'cem''s" in table.troubles("ayse")[-1]
    assert table.view("ayse").roster == ("ayse",)


def test_lobbies_are_bounded() -> None:
    table = Table("ayse", "burak", settings=Settings(lobbies=2, invitations=2, lobby_members=3))
    table.link("ayse", "burak")
    for number in range(2):
        table.put("ayse", ev.OpenLobby(f"l{number}", bytes([number]) * 16, ("burak",)))
    with pytest.raises(Refused) as caught:
        table.put("ayse", ev.OpenLobby("l3", b"x" * 16, ()))
    assert caught.value.reason == "too-many-lobbies"
    with pytest.raises(Refused) as caught:
        table.put("ayse", ev.InviteTo("l1", ("cem", "deniz", "elif")))
    assert caught.value.reason == "lobby-full"
    with pytest.raises(LocalError):
        table.put("ayse", ev.OpenLobby("l1", b"y" * 16, ()))


def test_packages_are_used_once() -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.put("ayse", ev.OpenLobby("ops", b"g" * 16, ("burak", "cem")))
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    assert len(table.desks["burak"].packages) == 1
    table.wait(1)
    assert len(table.desks["burak"].packages) == 0
    welcomes = [f for *_, f in table.frames if isinstance(f, Post) and f.kind is PostKind.WELCOME]
    assert len(welcomes) == 1


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("spoke", [False, True])
def test_late_words_under_a_certificate_that_was_replaced_are_kept_as_signed(
    table: Table, *, restarts: bool, spoke: bool
) -> None:
    group = table.lobby("ayse", "burak", "cem")
    if spoke:
        table.say("burak", "#ops", "before")
    author = Work(table.desks["burak"], table.now, table.random)
    late = groups.seal(author, group, encode_content(Content(b"i" * 16, 9, table.now, Text("late"))))
    table.own["burak"] = own("burak", 2)
    table.put("burak", ev.OwnChanged(table.own["burak"]))
    table.wait(1)
    if restarts:
        table.restart("cem")
    work = Work(table.desks["cem"], table.now, table.random)
    state = work.session(group)
    assert state is not None
    assert state.number > late.epoch
    opened = groups.open_words(work, state, late.payload)
    kept = groups.original_of(work, work.session(group) or state, opened)
    assert kept == late.original
    _, fingerprint = read_kept(kept)
    assert table.stores["cem"].certificate(fingerprint) == own("burak").credential.certificates[0]


def test_nobody_is_asked_in_by_somebody_whom_the_authority_put_out() -> None:
    table = Table("ayse", "burak")
    table.part({"ayse"}, {"burak"})
    table.put("ayse", ev.OpenLobby("ops", b"g" * 16, ("burak",)))
    table.run(60, 10)
    assert table.mail.get("burak")
    table.put("burak", ev.Expelled("ayse", "revoked"))
    assert table.collect("burak")
    table.run(30, 5)
    assert views.requests(table.desks["burak"]) == ()
    assert views.lobby(table.desks["burak"], "#ops") is None


def test_who_was_put_out_by_the_authority_before_we_came_in_is_put_out_here_too() -> None:
    table = Table("ayse", "burak", "cem")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    table.drop = lambda _, other, frame: (
        other == "burak" and isinstance(frame, Post) and frame.kind is PostKind.WELCOME
    )
    table.lobby("ayse", "burak", "cem")
    table.put("burak", ev.Expelled("cem", "revoked"))
    table.drop = lambda *_: False
    table.run(60)
    assert table.view("burak").roster == ("ayse", "burak")


@pytest.mark.parametrize(("suspended", "reason"), [(True, "suspended"), (False, "certificate revoked")])
def test_who_is_put_out_by_a_list_is_put_out_for_its_reason(table: Table, suspended: bool, reason: str) -> None:
    table.lobby("ayse", "burak", "cem")
    of_cem = own("cem").credential.certificates[0]
    why = Revocation("suspended since yesterday", suspended)
    judges = replace(JUDGES, revoked=lambda one: why if one == of_cem else None)
    for name in ("ayse", "burak"):
        table.put(name, ev.JudgesChanged(judges))
    table.run(10)
    assert f"cem was removed: {reason}" in table.texts("burak", "#ops")


def test_who_was_let_in_by_somebody_who_is_gone_does_not_wait_for_its_welcome_for_ever() -> None:
    """cem let deniz in, was put out by the authority, and its welcome with it; then ayse's older question arrives."""
    table = Table("ayse", "burak", "cem", "deniz")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    table.lobby("ayse", "burak", "cem")
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    table.drop = lambda one, other, frame: (
        isinstance(frame, Post) and (one, other) == ("cem", "deniz") and (frame.kind is PostKind.WELCOME)
    )
    table.link("cem", "deniz")
    table.put("cem", ev.InviteTo("ops", ("deniz",)))
    table.put("deniz", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    table.wait(1)
    assert "deniz" in table.view("ayse").roster
    table.cut("cem", "deniz")
    for one in ("ayse", "burak", "deniz"):
        table.put(one, ev.Expelled("cem", "revoked"))
    table.part({"ayse", "burak", "deniz"}, {"cem"})
    table.link("ayse", "deniz")
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(60)
    assert table.view("ayse").roster == ("ayse", "burak")
    assert table.stages()["deniz"] == "ended"
    table.put("ayse", ev.InviteTo("ops", ("deniz",)))
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(5)
    assert table.view("deniz").roster == ("ayse", "burak", "deniz")


def test_who_answers_with_another_key_package_while_it_is_let_in_comes_in(table: Table) -> None:
    """cem's commit that lets deniz in is under way; deniz's package is no longer young, and cem asks once more."""
    group = table.lobby("ayse", "burak", "cem")
    table.link("cem", "deniz")
    table.put("cem", ev.InviteTo("ops", ("deniz",)))
    table.drop = lambda one, other, frame: (one, other) == ("cem", "ayse") and isinstance(frame, Submit)
    table.put("deniz", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    table.wait(1)
    flies = table.state("cem", group)
    assert flies.voice.staged is not None
    table.wait(HANDED_SECONDS)
    table.put("cem", ev.InviteTo("ops", ("deniz",)))
    assert table.state("cem", group).intents.adds != flies.intents.adds
    table.drop = lambda *_: False
    table.run(60, 3)
    assert table.view("deniz").roster == table.view("ayse").roster == ALL


@pytest.mark.parametrize("welcomed", [False, True], ids=["before it was let in", "its welcome under way"])
@pytest.mark.parametrize("acknowledged", [False, True])
def test_who_was_suspended_while_it_waits_to_be_let_in_does_not_wait_for_ever(
    *, welcomed: bool, acknowledged: bool
) -> None:
    table = Table("ayse", "burak", "cem")
    for one in ("burak", "cem"):
        table.link("ayse", one)
    table.lobby("cem", "ayse")
    table.part({"ayse", "burak"})
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    table.drop = lambda _one, other, frame: isinstance(frame, Ack) and other == "burak" and not acknowledged
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(1)
    table.part({"ayse", "cem"} if welcomed else {"cem"})
    table.run(5)
    assert ("burak" in table.view("cem").roster) is welcomed
    table.drop = lambda *_: False
    for name in ("ayse", "cem"):
        table.put(name, ev.Expelled("burak", "suspended"))
    table.run(60)
    for name in ("ayse", "cem"):
        table.put(name, ev.Readmitted("burak"))
    table.part()
    table.run(60)
    assert table.stages() == {"ayse": "member", "burak": "ended", "cem": "leading"}
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    table.put("burak", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(10)
    assert "burak" in table.view("burak").roster
