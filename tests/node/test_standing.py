"""Whom the authority suspended or revoked is told so, everywhere, in plain words; others are told of them alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from conclave.authority.revocation import resume, revoke, suspend
from conclave.cli import people, up
from conclave.errors import NetworkError, Refused
from conclave.net.authority_watch import Offline
from conclave.node import directory
from conclave.node.door import commands as ask
from conclave.node.files.commands import FileOffer
from conclave.node.home import doctor
from conclave.pki.names import Handle
from conclave.pki.revocation import Reason, because, in_words, parse_reason
from tests.authority.desk import CONSOLE
from tests.cli.test_talk import Answers
from tests.net.house import House, open_house
from tests.node.homes import Running, running
from tests.node.post import make_identity
from tests.node.screen import conclave


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    (tmp_path / "authority").mkdir()
    async with open_house(tmp_path / "authority") as house:
        yield house


@pytest.fixture
async def ayse(house: House, tmp_path: Path) -> AsyncIterator[Running]:
    make_identity(tmp_path / "ayse", house, "ayse")
    async with running(tmp_path / "ayse") as ayse:
        await ayse.until(lambda: state(ayse)["reached"])
        yield ayse


def state(one: Running) -> dict[str, Any]:
    return one.node.directory.describe()


async def refused(one: Running) -> None:
    await one.until(lambda: one.node.directory.standing is not None)


async def test_who_is_suspended_is_told_so_and_may_speak_once_resumed(
    house: House, ayse: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(directory, "RESUMED_SECONDS", 0.05)
    await ayse.serve(ask.LobbyOpen("ops"))
    suspend(house.store, Handle("ayse"), "on leave", house.clock(), CONSOLE).result()
    await refused(ayse)
    words = "your account is suspended (on leave)"
    for command in (ask.Say("#ops", "hello?"), ask.React("#ops", "last", "👍"), FileOffer("#ops", "/x")):
        with pytest.raises(Refused, match="suspended") as no:
            await ayse.serve(command)
        assert (str(no.value), no.value.reason) == (words, "suspended")
    answer = await ayse.serve(ask.Who())
    assert (answer["source"], words in answer["standing"]) == ("memory", True)
    assert (state(ayse)["text"], "resume" in state(ayse)["remedy"]) == (words, True)
    notice = ayse.told("authority-reached")[-1]
    up._show(notice)
    printed = capsys.readouterr().out
    assert words in printed
    assert "go on without it" not in printed
    ayse.node.directory._take(Offline(NetworkError("no route"), 1.0))  # away, and what it said stands
    assert state(ayse)["text"] == words
    resume(house.store, Handle("ayse"), house.clock(), CONSOLE).result()
    await ayse.until(lambda: state(ayse)["reached"])
    assert (await ayse.serve(ask.Say("#ops", "here again")))["status"] == "alone"


async def test_who_is_revoked_is_told_why_and_what_to_do(house: House, ayse: Running) -> None:
    revoke(house.store, "ayse", Reason.key_compromise, house.clock(), CONSOLE).result()
    await refused(ayse)
    with pytest.raises(Refused) as no:
        await ayse.serve(ask.LobbyOpen("ops"))
    assert str(no.value) == "your certificate was revoked: its key was stolen or lost"
    assert "join again with a new invite" in no.value.remedy


def test_doctor_does_not_blame_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = {
        "reached": False, "reason": "suspended", "text": "your account is suspended (on leave)", "remedy": "ask"
    }  # fmt: skip
    status: dict[str, Any] = {
        "handle": "ayse",
        "listen": "x",
        "certificates": [{"profile": "tls", "until": 4e9}],
        "crl_time": None,
        "clock_offset": 0.0,
    }
    monkeypatch.setattr(doctor, "NodeClient", Answers(**status, authority=authority, waiting={}))
    checks = {one.name: one for one in doctor._node(tmp_path)}
    certificate, check = checks["certificate tls"], checks["authority"]
    assert (certificate.good, certificate.text[:10], certificate.remedy) == (False, "suspended,", "ask")
    assert (check.good, check.text, check.remedy) == (False, authority["text"], "ask")


def test_who_shows_it_instead_of_an_authority_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    me = {"handle": "ayse", "online": False, "me": True}
    monkeypatch.setattr(
        people, "NodeClient", Answers(source="memory", standing="your account is suspended", users=[me])
    )
    assert conclave(None, "who").err == "your account is suspended: this is what your node remembers\n"


def test_every_reason_has_plain_words() -> None:
    for reason in Reason:
        words = in_words(reason.value)
        assert (words == "") is (reason is Reason.unspecified)
        assert reason.value not in words
        assert words == in_words(reason.name.replace("_", "-"))
    assert in_words("certificateHold") == "suspended"
    assert because("keyCompromise") == ": its key was stolen or lost"
    assert because(parse_reason("unspecified").value) == ""
    assert in_words("because of the weather") == "because of the weather"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("certificateHold", "suspended"),
        ("suspended", "suspended"),
        ("keyCompromise", "certificate revoked: its key was stolen or lost"),
        ("unspecified", "certificate revoked"),
        ("", "certificate revoked"),
    ],
)
async def test_others_are_told_in_plain_words(ayse: Running, reason: str, words: str) -> None:
    ayse.node._revoked("burak", reason)
    assert ayse.told("revoked")[-1]["reason"] == words
