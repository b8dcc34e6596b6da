"""What the cores keep of a lobby and a pair is a record that a stranger can check, on every member's device."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from conclave.chat import allowed, groups
from conclave.chat import events as ev
from conclave.chat.state import Judges, Own
from conclave.chat.words.content import About, Delete, Edit, Reaction
from conclave.chat.words.originals import CONTENT_BYTES, read_kept
from conclave.chat.words.transcript import Entry, Header, write_transcript
from conclave.chat.words.transcript_proof import EARLY, VerifiedTranscript, verify_transcript
from conclave.crypto.signature import ED25519
from conclave.crypto.suite import CLASSICAL
from conclave.mls.group import Credential, Extension, read_original
from conclave.node.authentication import verifier
from conclave.pki.credentials import Credentials
from conclave.pki.profile import Profile
from tests.chat import desks
from tests.pki.ward import NOW, ward

PEOPLE = ("ayse", "burak", "cem")
CREDENTIALS = {name: ward().enrol(name, Profile.IM) for name in (*PEOPLE, "deniz")}


def own(name: str, renewed: Credentials | None = None) -> Own:
    held = renewed or CREDENTIALS[name]
    return Own(Credential.x509((held.certificate.der,)), held.key.raw(), CLASSICAL.code, held.certificate.not_after)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> desks.Table:
    """Three people certified by one authority, linked with one another."""
    judge = verifier(ward().trust)
    monkeypatch.setattr(desks, "own", own)
    monkeypatch.setattr(desks, "JUDGES", Judges(judge, judge))
    made = desks.Table(*CREDENTIALS)
    made.now = NOW + 10
    for one, other in (("ayse", "burak"), ("ayse", "cem"), ("burak", "cem")):
        made.link(one, other)
    return made


def record(table: desks.Table, name: str, conversation: str) -> tuple[list[str], VerifiedTranscript]:
    """The kinds of the lines that ``name`` exports, and what they prove."""
    store, trust, key = table.stores[name], ward().trust, CREDENTIALS[name].key.raw()
    kept = store.recorded(conversation, 0, 10_000)
    groups = dict.fromkeys(read_original(read_kept(one.original)[0]).group_id for one in kept if one.original)
    header = Header(
        conversation, trust.realm, tuple(groups), name, CREDENTIALS[name].certificate.der, table.now,
        trust.root.fingerprint, tuple(one.der for one in trust.issuing),
    )  # fmt: skip
    entries = [Entry(one.stored.line, one.original, one.stored.deleted) for one in kept]
    lines = list(write_transcript(header, entries, store.certificate, lambda data: ED25519.sign(key, data)))
    kinds = [json.loads(line)["kind"] for line in lines]
    return [kind for kind in kinds if kind not in ("notice", "certificate")], verify_transcript(lines, trust.root)


def test_a_lobby(table: desks.Table) -> None:
    table.lobby("ayse", "burak", "cem")
    ids = []
    for n in range(9):
        table.now += 1
        ids.append(table.say(("ayse", "burak", "cem")[n % 3], "#ops", f"words {n}"))
    table.put("burak", ev.Utter("#ops", table.random(16), Edit(ids[1], "other words")))
    table.put("cem", ev.Utter("#ops", table.random(16), Delete(ids[2])))
    table.put("cem", ev.Utter("#ops", table.random(16), Reaction(About("burak", ids[1]), "+", on=True)))
    table.wait(2.0)
    for name in PEOPLE:
        kinds, proven = record(table, name, "#ops")
        said = ["message", "message", "deleted", *["message"] * 6]
        assert kinds == ["transcript", *said, "edit", "deletion", "reaction", "end"]
        assert proven.authors == {"ayse": 3, "burak": 4, "cem": 4}
        assert (len(proven.groups), proven.gaps) == (1, ())


def test_a_lobby_whose_keeper_makes_its_context_too_long_to_keep(
    table: desks.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every signature is over the context: such words are without one, but nobody's record is taken from them.

    Nobody comes into such a lobby any more; who is in one from before stays in.
    """
    junk = Extension(groups.DEPUTIES, bytes(CONTENT_BYTES))
    monkeypatch.setattr(allowed, "demand_context", lambda *_, **__: None)
    monkeypatch.setattr(groups, "spoilt", lambda _: False)
    monkeypatch.setattr(groups, "deputies_extension", lambda _: junk)
    table.lobby("ayse", "burak", "cem")
    for name in PEOPLE:
        table.say(name, "#ops", "words")
    table.wait(2.0)
    for name in PEOPLE:
        _, proven = record(table, name, "#ops")
        assert (proven.authors, proven.unsigned) == ({}, 3)


def test_a_pair(table: desks.Table) -> None:
    table.say("ayse", "@burak", "hello")
    table.put("burak", ev.AnswerRequest("ayse", accept=True))
    table.say("burak", "@ayse", "hi")
    table.wait(2.0)
    for name, other in (("ayse", "burak"), ("burak", "ayse")):
        kinds, proven = record(table, name, f"@{other}")
        assert kinds == ["transcript", "message", "message", "end"]
        assert proven.authors == {"ayse": 1, "burak": 1}


def let_in(table: desks.Table, name: str) -> None:
    table.put("ayse", ev.InviteTo("ops", (name,)))
    table.put(name, ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.wait(1)


@pytest.mark.parametrize("again", ["opened", "removed", "left", "suspended"])
def test_who_comes_in_anew_counts_anew(table: desks.Table, again: str) -> None:
    table.lobby("ayse", "burak", "cem")
    for word in ("one", "two", "three"):
        for name in PEOPLE:
            table.say(name, "#ops", word)
    table.wait(2)
    if again == "opened":
        table.put("ayse", ev.CloseLobby("ops"))
        table.wait(2)
        table.lobby("ayse", "burak", "cem")
    elif again == "removed":
        table.put("ayse", ev.RemoveFrom("ops", "burak"))
        table.wait(2)
    elif again == "left":
        table.put("burak", ev.LeaveLobby("ops"))
        table.wait(2)
    else:
        for name in ("ayse", "cem"):
            table.put(name, ev.Expelled("burak", "suspended"))
        table.wait(2)
        for name in ("ayse", "cem"):
            table.put(name, ev.Readmitted("burak"))
        table.link("ayse", "burak")
        table.link("cem", "burak")
    if again != "opened":
        assert "burak" not in table.view("ayse").roster
        let_in(table, "burak")
    for word in ("four", "five"):
        for name in PEOPLE:
            table.say(name, "#ops", word)
    table.wait(2)
    for name in PEOPLE:
        _, proven = record(table, name, "#ops")
        assert (proven.authors, proven.gaps) == ({"ayse": 5, "burak": 5, "cem": 5}, ())


DAYS = 3 * 86_400.0


def renew(table: desks.Table, name: str) -> None:
    """Days later, under a certificate that begins after what waits was said."""
    table.now += DAYS
    table.own[name] = own(name, ward().enrol(name, Profile.IM, now=table.now))
    table.put(name, ev.OwnChanged(table.own[name]))


def waited_for_keys(table: desks.Table) -> str:
    table.authority = False
    table.cut("ayse", "burak")
    table.say("ayse", "@burak", "the pump is down")
    assert table.statuses("ayse", "@burak") == ["waiting"]
    renew(table, "ayse")
    table.link("ayse", "burak")
    table.run(60, 5)
    return "@{}"


def said_again_to_a_lost_home(table: desks.Table) -> str:
    table.say("ayse", "@burak", "hello")
    table.say("burak", "@ayse", "hi")
    table.cut("ayse", "burak")
    table.authority = False
    table.say("ayse", "@burak", "the pump is down")
    table.lose_home("burak")
    renew(table, "ayse")
    table.authority = True
    table.stock("burak")
    table.link("ayse", "burak")
    table.run(100, 5)
    return "@{}"


def said_again_after_a_heal(table: desks.Table) -> str:
    for one in PEOPLE:
        table.link(one, "deniz")
    table.lobby("burak", "ayse", "cem", "deniz")
    table.run(100, 10)
    table.authority = False
    table.part({"burak"}, {"ayse"}, {"cem", "deniz"})
    table.run(100, 5)
    table.say("ayse", "#ops", "the pump is down")
    table.run(100, 5)
    renew(table, "ayse")
    table.run(20, 5)
    table.part()
    table.run(400, 10)
    return "#ops"


@pytest.mark.parametrize("waited", [waited_for_keys, said_again_to_a_lost_home, said_again_after_a_heal])
def test_words_that_waited_until_their_authors_certificate_was_renewed(
    table: desks.Table, waited: Callable[[desks.Table], str]
) -> None:
    where = waited(table)
    remarked = set()
    for name in PEOPLE if where == "#ops" else PEOPLE[:2]:
        conversation = where.format("ayse" if name == "burak" else "burak")
        assert "the pump is down" in table.words(name, conversation)
        _, proven = record(table, name, conversation)
        assert proven.authors["ayse"] >= 1
        remarked |= {(one.author, one.what) for one in proven.remarks}
    assert remarked == {("ayse", EARLY)}
