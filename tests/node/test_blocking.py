"""Who is blocked or muted is seen, and nobody who does not exist can be; and what an answer led to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from conclave.cli import people
from conclave.errors import Refused
from conclave.node import commands as ask
from tests.cli.test_talk import Answers
from tests.node.homes import Running, make_home, running
from tests.node.screen import conclave


@pytest.fixture
async def ayse(tmp_path: Path) -> AsyncIterator[Running]:
    make_home(tmp_path / "ayse", "ayse")
    async with running(tmp_path / "ayse") as ayse:
        yield ayse


def nobody(monkeypatch: pytest.MonkeyPatch, one: Running) -> None:
    async def find(_: str) -> None:
        return None

    monkeypatch.setattr(one.node.directory, "find", find)


async def users(one: Running) -> dict[str, dict[str, Any]]:
    return {user["handle"]: user for user in (await one.serve(ask.Who()))["users"]}


async def test_who_shows_whom_we_blocked_and_muted(ayse: Running) -> None:
    answer = await ayse.serve(ask.AnswerTo("burak", accept=False, block=True))
    assert answer["answered"] == [{"from": "burak", "lobby": "", "accepted": False, "blocked": True}]
    await ayse.serve(ask.Mute("@cem"))
    shown = await users(ayse)
    assert (shown["burak"]["blocked"], shown["burak"]["muted"]) == (True, False)
    assert (shown["cem"]["blocked"], shown["cem"]["muted"]) == (False, True)
    await ayse.serve(ask.Unblock("burak"))
    await ayse.serve(ask.Mute("@cem", on=False))
    assert not await users(ayse)
    await ayse.serve(ask.LobbyOpen("ops"))
    await ayse.serve(ask.Mute("#ops"))
    assert [one["muted"] for one in (await ayse.serve(ask.LobbyList()))["lobbies"]] == [True]


async def test_nobody_who_does_not_exist_is_blocked_or_muted(ayse: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody(monkeypatch, ayse)
    for command in (ask.AnswerTo("nobodyx", accept=False, block=True), ask.Mute("@nobodyx")):
        with pytest.raises(Refused, match="nobody is called nobodyx") as no:
            await ayse.serve(command)
        assert no.value.reason == "not-found"
    assert not await users(ayse)
    await ayse.serve(ask.Mute("@nobodyx", on=False))


def test_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    done = {"from": "burak", "lobby": "", "accepted": False, "blocked": True}
    monkeypatch.setattr(people, "NodeClient", Answers(answered=[done]))
    assert conclave(None, "reject", "burak", "--block").err == (
        "blocked: burak; nothing of theirs reaches you outside lobbies\n"
    )
    user = {"handle": "burak", "online": True, "address": "h:1", "name": "", "linked": True}
    assert people._person(user | {"blocked": True, "muted": True})[1] == "online, linked, blocked, muted"


@pytest.mark.parametrize(
    ("stage", "code", "words"),
    [
        ("member", 0, "accepted: ayse's invitation to #ops"),
        ("joining", 0, "accepted: ayse's invitation to #ops; you are let in as soon as somebody there is online"),
        ("ended", 1, "#ops was closed meanwhile, or ayse's invitation taken back: you are not let in"),
        ("", 1, "#ops was closed meanwhile, or ayse's invitation taken back: you are not let in"),
    ],
)
def test_an_accepted_invitation_in_words(monkeypatch: pytest.MonkeyPatch, stage: str, code: int, words: str) -> None:
    done = {"from": "ayse", "lobby": "#ops", "accepted": True, "stage": stage}
    monkeypatch.setattr(people, "NodeClient", Answers(answered=[done]))
    shown = conclave(None, "accept", "ayse")
    assert (shown.code, shown.err) == (code, words + "\n")
