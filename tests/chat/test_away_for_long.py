"""Somebody is away for longer than its certificate lives and mail is kept: what all have means the same to it."""

from __future__ import annotations

import pytest
from cryptography import x509

from conclave.chat import events as ev
from conclave.chat.reading import earlier
from conclave.chat.state import Desk, Judges
from conclave.errors import VerificationError
from conclave.mls.group import Credential
from tests.chat import desks
from tests.chat.desks import Table
from tests.chat.people import judge, own

DAY = 86_400.0
DAYS = 40


def strictly(credential: Credential, key: bytes, now: float) -> bytes:
    """As newcomers are judged: a certificate ends after ten days."""
    begins = x509.load_der_x509_certificate(credential.certificates[0]).not_valid_before_utc.timestamp()
    if now > begins + 10 * DAY:
        raise VerificationError("the certificate has expired", reason="expired")
    return judge(credential, key, now)


class Ward(Table):
    """A table at which certificates end, and are renewed every five days by those who are there."""

    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self.serial = 1000
        self.renew()
        for other in names[1:]:
            self.link(names[0], other)

    def renew(self) -> None:
        self.serial += 1
        for name in self.desks:
            self.own[name] = own(name, serial=self.serial, since=self.now - DAY / 2, number=1)
            self.put(name, ev.OwnChanged(self.own[name]))

    def switch_off(self, name: str) -> Desk:
        """Somebody's machine; nothing waits for it at the authority so long."""
        self.authority = False
        self.part({name}, {other for other in self.desks if other != name})
        return self.desks.pop(name)

    def days(self, words: str = "") -> list[str]:
        said = []
        for day in range(0, DAYS, 5):
            self.now += 5 * DAY
            self.renew()
            if words:
                said.append(f"{words} {day}")
                self.say("ayse", "#ops", said[-1])
            self.run(40, 5)
        return said


@pytest.fixture(autouse=True)
def ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "JUDGES", Judges(strictly, judge))


def test_who_was_away_gets_what_was_said_and_is_heard() -> None:
    table = Ward("ayse", "burak", "cem")
    table.lobby("ayse", "burak", "cem")
    table.run(70, 10)
    sleeping = table.switch_off("burak")
    said = table.days("day")
    table.desks["burak"] = sleeping
    table.renew()
    table.put("burak", ev.Tick())
    table.part()
    table.run(300, 5)
    table.say("burak", "#ops", "can you hear me?")
    table.run(60, 5)
    assert table.words("burak") == [*said, "can you hear me?"]
    assert "can you hear me?" in table.words("ayse")


def test_others_get_in_meanwhile() -> None:
    table = Ward("ayse", "burak", "cem", "deniz")
    table.lobby("ayse", "burak", "cem")
    table.run(70, 10)
    table.switch_off("burak")
    table.days()
    table.put("ayse", ev.InviteTo("#ops", ("deniz",)))
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
    table.run(60, 5)
    table.say("ayse", "#ops", "welcome")
    table.run(30, 5)
    assert table.words("deniz") == ["welcome"]


def test_halves_of_the_others_heal_meanwhile() -> None:
    table = Ward("ayse", "burak", "cem", "deniz")
    table.lobby("ayse", "burak", "cem", "deniz")
    table.run(70, 10)
    table.switch_off("burak")
    table.days()
    table.part({"ayse"}, {"cem", "deniz"})
    table.run(100, 5)
    for name in ("ayse", "cem", "deniz"):
        table.say(name, "#ops", f"{name} apart")
    table.renew()  # a commit in each half: who lost has not the keys of the other
    table.run(100, 5)
    table.part()
    table.run(300, 5)
    for name in ("ayse", "cem", "deniz"):
        assert set(table.words(name)) == {"ayse apart", "cem apart", "deniz apart"}


def test_a_newcomer_can_be_shown_what_was_said_long_ago() -> None:
    table = Ward("ayse", "burak", "deniz")
    table.lobby("ayse", "burak")
    table.run(70, 10)
    table.say("burak", "#ops", "where the key of the safe lies")
    table.run(10, 5)
    table.days()
    (group,) = table.desks["ayse"].lobbies
    table.put("ayse", ev.InviteTo("#ops", ("deniz",)))
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
    table.run(60, 5)
    shown = [signed for _, signed in earlier(table.stores["ayse"], "#ops", group, 1, 1 << 40)]
    table.put("ayse", ev.ShareHistory("#ops", "deniz", 1, tuple(shown)))
    table.run(60, 5)
    assert table.words("deniz", "#ops") == ["where the key of the safe lies"]
