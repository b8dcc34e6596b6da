"""Another certificate of a peer is said in the pair; a revoked one ends the groups that it is in."""

from __future__ import annotations

import itertools

import pytest

from conclave.chat import events as ev
from conclave.chat import groups, views
from conclave.chat.pairs.certificates import CERTIFICATES_KEPT, decode_met, encode_met
from conclave.chat.pairs.safety import ANEW, number
from conclave.chat.records import MET_KEY
from conclave.chat.restoring import forget
from conclave.chat.state import Judges, Own
from conclave.chat.words.line import LineKind
from conclave.errors import DecodeError, VerificationError
from conclave.mls.group import Credential
from conclave.pki.revocation import Revocation
from conclave.wire.order import EntryKind, Submit
from tests.chat.desks import Table
from tests.chat.people import JUDGES, own

ANOTHER = "cem has a new certificate (another key): compare safety numbers: conclave verify @cem"
RENEWED = "cem has a renewed certificate"
KNOWN = "cem has a new certificate, known from elsewhere"
FIRST, SECOND = own("cem").credential.certificates[0], own("cem", 2).credential.certificates[0]


@pytest.fixture
def table() -> Table:
    table = Table("ayse", "cem")
    table.link("ayse", "cem")
    table.say("ayse", "@cem", "hello")
    table.say("cem", "@ayse", "hi")
    assert notices(table) == []
    return table


def notices(table: Table) -> list[str]:
    return [one.text for one in table.lines("ayse", "@cem") if one.kind is LineKind.NOTICE]


def shown(table: Table, name: str) -> bytes:
    """Which certificate of cem's is in the group in which ``name`` speaks."""
    state = views.pair_state(table.desks[name], {"ayse": "cem", "cem": "ayse"}[name])
    return groups.certificate(state, groups.roster(state)["cem"]) if state is not None else b""


def somebody_else(table: Table, with_own: Own) -> None:
    """The handle is enrolled once more, on another device."""
    table.own["cem"] = with_own
    table.lose_home("cem")
    table.published.pop("cem", None)
    table.link("ayse", "cem")


@pytest.mark.parametrize("first", ["ayse", "cem"])
def test_another_key_under_a_known_handle_is_said_once(table: Table, first: str) -> None:
    somebody_else(table, own("cem", 2))
    table.say(first, f"@{'cem' if first == 'ayse' else 'ayse'}", "it is me")
    assert said(table, "ayse", "@cem") == [ANOTHER]
    table.say("cem", "@ayse", "really")
    table.say("ayse", "@cem", "hm")
    table.restart("ayse")
    somebody_else(table, own("cem", 2))
    table.say("cem", "@ayse", "once more")
    assert said(table, "ayse", "@cem") == [ANOTHER]
    somebody_else(table, own("cem"))
    table.say("cem", "@ayse", "and me")
    assert said(table, "ayse", "@cem") == [ANOTHER]


def test_the_notice_stands_before_the_words(table: Table) -> None:
    somebody_else(table, own("cem", 2))
    table.say("cem", "@ayse", "it is me")
    assert table.texts("ayse", "@cem")[-2:] == [ANOTHER, "it is me"]


def test_a_renewal_that_the_former_key_signed_is_said_gently(table: Table) -> None:
    table.own["cem"] = own("cem", 2)
    table.put("cem", ev.OwnChanged(table.own["cem"]))
    for _ in range(4):
        table.cut("ayse", "cem")
        table.link("ayse", "cem")
        table.run(130, 10)
    assert notices(table) == [RENEWED]


def test_a_home_from_a_backup_knows_them_still(table: Table) -> None:
    table.cut("ayse", "cem")
    store = table.stores["ayse"]
    store.commit(forget(store.states(), store.outbox(), store.heads(), []))
    table.restart("ayse")
    table.link("ayse", "cem")  # and once more: it is nothing to us yet
    table.cut("ayse", "cem")
    somebody_else(table, own("cem", 2))
    table.say("cem", "@ayse", "it is me")
    assert notices(table) == [ANOTHER]


def test_only_the_last_certificates_are_kept() -> None:
    many = [bytes([number]) * 32 for number in range(CERTIFICATES_KEPT + 2)]
    assert decode_met(encode_met(many)) == tuple(many[2:])
    with pytest.raises(DecodeError):
        decode_met(encode_met(many)[:-1])


# --- in lobbies ---


LOBBY = ("ayse", "burak", "cem")


@pytest.fixture
def lobby() -> Table:
    """Three in a lobby, of whom no two speak with each other alone."""
    table = Table(*LOBBY)
    for one, other in (("ayse", "burak"), ("ayse", "cem"), ("burak", "cem")):
        table.link(one, other)
    table.lobby("ayse", "burak", "cem")
    return table


def said(table: Table, name: str, where: str) -> list[str]:
    """Whose certificates people were told of there."""
    texts = [one.text for one in table.lines(name, where) if one.kind is LineKind.NOTICE]
    return [one for one in texts if "certificate" in one]


@pytest.mark.parametrize("first", ["burak", "cem"])
def test_who_is_known_from_a_lobby_is_known_in_a_pair(lobby: Table, first: str) -> None:
    somebody_else(lobby, own("cem", 2))
    lobby.link("burak", "cem")
    lobby.say(first, f"@{'cem' if first == 'burak' else 'burak'}", "it is me")
    assert said(lobby, "burak", "@cem") == [ANOTHER]
    lobby.say("ayse", "@burak", "it is me")
    assert said(lobby, "burak", "@ayse") == []


def test_who_is_known_from_a_pair_or_a_lobby_is_known_in_another_lobby(lobby: Table) -> None:
    lobby.say("ayse", "@cem", "hello")
    somebody_else(lobby, own("cem", 2))
    lobby.link("burak", "cem")
    lobby.lobby("ayse", "burak", "cem", name="two")
    assert said(lobby, "ayse", "#two") == said(lobby, "burak", "#two") == [ANOTHER]
    lobby.say("ayse", "@cem", "who are you?")
    assert said(lobby, "ayse", "@cem") == [ANOTHER]
    assert said(lobby, "cem", "#two") == []


def test_who_lets_us_into_its_lobby_is_known(lobby: Table) -> None:
    somebody_else(lobby, own("cem", 2))
    lobby.link("burak", "cem")
    lobby.lobby("cem", "burak", name="two")
    assert said(lobby, "burak", "#two") == [ANOTHER]


def test_who_was_put_out_of_a_lobby_and_comes_again_is_known(lobby: Table) -> None:
    lobby.put("ayse", ev.RemoveFrom("ops", "cem"))
    lobby.wait(1)
    somebody_else(lobby, own("cem", 2))
    lobby.restart("burak")
    lobby.link("ayse", "burak")
    lobby.link("burak", "cem")
    lobby.put("ayse", ev.InviteTo("ops", ("cem",)))
    lobby.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    lobby.wait(1)
    assert said(lobby, "burak", "#ops") == said(lobby, "ayse", "#ops") == [ANOTHER]


def test_of_who_comes_and_goes_people_are_warned_once_in_a_lobby(lobby: Table) -> None:
    lobby.say("ayse", "@cem", "hello")
    somebody_else(lobby, own("cem", 2))
    lobby.link("burak", "cem")
    for _ in range(2):
        if "cem" in lobby.view("ayse").roster:
            lobby.put("ayse", ev.RemoveFrom("ops", "cem"))
        lobby.wait(1)
        assert "cem" not in lobby.view("ayse").roster
        lobby.restart("ayse")
        lobby.link("ayse", "burak")
        lobby.link("ayse", "cem")
        lobby.put("ayse", ev.InviteTo("ops", ("cem",)))
        lobby.put("cem", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
        lobby.wait(1)
        assert "cem" in lobby.view("ayse").roster
        assert said(lobby, "ayse", "#ops") == [ANOTHER]
    lobby.lobby("ayse", "cem", name="two")
    assert said(lobby, "ayse", "#two") == [ANOTHER]


def test_who_was_in_a_lobby_that_we_left_is_known(lobby: Table) -> None:
    lobby.put("burak", ev.LeaveLobby("ops"))
    lobby.wait(1)
    assert lobby.stages()["burak"] == "ended"
    somebody_else(lobby, own("cem", 2))
    lobby.restart("burak")
    lobby.link("burak", "cem")
    lobby.say("cem", "@burak", "it is me")
    assert said(lobby, "burak", "@cem") == [ANOTHER]


def test_a_renewal_in_a_lobby_is_said_gently_and_vouches_in_a_pair(lobby: Table) -> None:
    lobby.say("ayse", "@cem", "hello")
    lobby.say("cem", "@ayse", "hi")
    lobby.own["cem"] = own("cem", 2)
    lobby.put("cem", ev.OwnChanged(lobby.own["cem"]))
    lobby.run(5)
    for name in LOBBY:
        assert said(lobby, name, "#ops") == [RENEWED]
    assert said(lobby, "ayse", "@cem") == [RENEWED]
    somebody_else(lobby, own("cem", 2))
    lobby.say("cem", "@ayse", "another home")
    lobby.say("cem", "@burak", "hello")
    assert said(lobby, "ayse", "@cem") == [RENEWED]
    assert said(lobby, "burak", "@cem") == []


@pytest.mark.parametrize("deputies", [False, True])
def test_a_leader_that_does_not_believe_a_new_certificate_yet_is_asked_ever_more_rarely(
    lobby: Table, *, deputies: bool
) -> None:
    new = own("cem", 2)

    def strict(credential: Credential, key: bytes, now: float) -> bytes:
        if credential == new.credential:
            raise VerificationError("its certificate is not good yet")
        return JUDGES.members(credential, key, now)

    lobby.put("ayse", ev.JudgesChanged(Judges(strict, strict)))
    since = len(lobby.frames)

    def commits() -> int:
        frames = (frame for _, _, frame in lobby.frames[since:])
        return sum(isinstance(one, Submit) and one.kind is EntryKind.COMMIT for one in frames)

    lobby.drop = lambda *_: commits() > 50  # else nothing ends it
    lobby.own["cem"] = new
    if deputies:
        lobby.put("cem", ev.SetDeputies("ops", ("cem",)))
    lobby.put("cem", ev.OwnChanged(new))
    lobby.run(600)
    assert 2 < commits() < 20
    lobby.put("ayse", ev.JudgesChanged(JUDGES))
    lobby.run(90)
    assert said(lobby, "burak", "#ops") == [RENEWED]
    assert lobby.view("burak").deputies == (("cem",) if deputies else ())


@pytest.mark.parametrize("away", ["ayse", "burak"])
def test_a_renewal_is_said_gently_to_who_was_away_and_follows_the_commits(lobby: Table, away: str) -> None:
    lobby.part(set(LOBBY) - {away}, {away})
    lobby.run(40)
    lobby.own["cem"] = own("cem", 2)
    lobby.put("cem", ev.OwnChanged(lobby.own["cem"]))
    lobby.run(40)
    lobby.restart(away)
    lobby.part()
    lobby.run(60)
    assert said(lobby, away, "#ops") == [RENEWED]


def test_a_renewal_that_a_pair_knows_is_no_other_key_where_its_owner_comes_in_anew() -> None:
    table = Table("ayse", "burak", "cem", "deniz", "eda")
    for one, other in itertools.combinations(table.desks, 2):
        table.link(one, other)
    table.lobby("cem", "ayse", "burak", "deniz", "eda")
    table.say("burak", "@cem", "hello")
    table.say("cem", "@burak", "hi")
    table.part({"ayse", "burak", "deniz"}, {"cem", "eda"})
    table.run(40)
    table.put("ayse", ev.SetDeputies("ops", ("ayse",)))
    table.put("cem", ev.SetDeputies("ops", ("eda",)))
    table.run(40)
    table.own["cem"] = own("cem", 2)
    table.put("cem", ev.OwnChanged(table.own["cem"]))
    apart = table.reach
    table.reach = lambda one, other: apart(one, other) or {one, other} == {"burak", "cem"}
    table.link("burak", "cem")
    table.run(40, 5)
    assert said(table, "burak", "@cem") == [RENEWED]
    table.part()
    table.run(200, 2)
    assert said(table, "burak", "#ops") == [KNOWN]
    assert said(table, "ayse", "#ops") == [ANOTHER]  # to whom nobody vouched for it


def test_a_renewal_that_one_lobby_vouched_for_is_known_when_another_ends(lobby: Table) -> None:
    lobby.lobby("cem", "ayse", "burak", name="two")
    lobby.reach = lambda one, other: {one, other} != {"ayse", "cem"}
    lobby.cut("ayse", "cem")
    lobby.own["cem"] = own("cem", 2)
    lobby.put("cem", ev.OwnChanged(lobby.own["cem"]))
    lobby.run(4)
    assert (said(lobby, "burak", "#ops"), said(lobby, "burak", "#two")) == ([], [RENEWED])
    lobby.put("ayse", ev.CloseLobby("ops"))
    lobby.run(5)
    assert lobby.stages()["burak"] == "ended"
    lobby.say("cem", "@burak", "hello")
    assert lobby.words("burak", "@cem") == ["hello"]
    assert said(lobby, "burak", "@cem") == []


def test_whom_a_home_knew_from_a_lobby_alone_it_knows_when_it_comes_from_a_backup(lobby: Table) -> None:
    for name in ("ayse", "cem"):
        lobby.cut("burak", name)
    store = lobby.stores["burak"]
    store.commit(forget(store.states(), store.outbox(), store.heads(), []))
    assert not store.states(MET_KEY + "burak")
    lobby.restart("burak")
    somebody_else(lobby, own("cem", 2))
    lobby.link("burak", "cem")
    lobby.say("cem", "@burak", "it is me")
    assert said(lobby, "burak", "@cem") == [ANOTHER]
    lobby.link("burak", "ayse")
    lobby.say("ayse", "@burak", "and me")
    assert said(lobby, "burak", "@ayse") == []


# --- revoked ---


def revoke(table: Table, der: bytes) -> None:
    """Everybody has the list that names it."""
    judges = Judges(JUDGES.newcomers, JUDGES.members, lambda one: Revocation("revoked") if one == der else None)
    for name in table.desks:
        table.put(name, ev.JudgesChanged(judges))


@pytest.mark.parametrize("first", ["ayse", "cem"])
def test_what_is_said_after_a_revocation_is_said_in_a_new_group(table: Table, first: str) -> None:
    table.cut("ayse", "cem")
    table.put("ayse", ev.Expelled("cem", "certificate revoked: key-compromise"))
    table.own["cem"] = own("cem", 2)  # its home is the same
    table.restart("cem")
    revoke(table, FIRST)
    assert shown(table, "ayse") == shown(table, "cem") == b""
    table.link("ayse", "cem")
    other = "cem" if first == "ayse" else "ayse"
    table.say(first, f"@{other}", "you are back")
    table.say(other, f"@{first}", "yes")
    assert shown(table, "ayse") == shown(table, "cem") == SECOND
    assert table.words("ayse", "@cem") == table.words("cem", "@ayse")
    assert notices(table) == [ANOTHER]


def test_whoever_is_put_out_is_spoken_with_in_a_new_group_though_nothing_waited(table: Table) -> None:
    before = views.pair_state(table.desks["ayse"], "cem")
    table.put("ayse", ev.Expelled("cem", "suspended"))
    assert views.pair_state(table.desks["ayse"], "cem") is None
    table.say("ayse", "@cem", "welcome back")
    after = views.pair_state(table.desks["ayse"], "cem")
    assert before is not None
    assert after is not None
    assert before.group_id != after.group_id
    assert table.words("cem", "@ayse")[-1] == "welcome back"
    for name, other in (("ayse", "cem"), ("cem", "ayse")):
        assert [one.text for one in table.lines(name, "@" + other) if one.kind is LineKind.NOTICE] == [
            ANEW.format(other)
        ]
        table.restart(name)
        held = table.desks[name].peers.get(other)
        assert held is not None
        assert held.numbers == (number(before, "ayse", "cem"),)


def test_a_list_that_names_neither_changes_nothing(table: Table) -> None:
    revoke(table, SECOND)
    assert shown(table, "ayse") == shown(table, "cem") == FIRST


def test_a_group_begun_with_a_revoked_certificate_is_heard_but_not_spoken_in() -> None:
    table = Table("ayse", "cem")
    table.stock("ayse")
    table.part({"ayse"}, {"cem"})
    table.say("cem", "@ayse", "from before")
    table.run(10)
    table.own["cem"] = own("cem", 2)
    table.restart("cem")
    revoke(table, FIRST)
    assert table.collect("ayse") == 1
    assert table.words("ayse", "@cem") == ["from before"]
    assert shown(table, "ayse") == b""
    table.link("ayse", "cem")
    table.say("ayse", "@cem", "I see")
    assert table.words("cem", "@ayse")[-1] == "I see"
    assert shown(table, "ayse") == SECOND
