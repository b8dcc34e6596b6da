"""Who is blocked or muted is seen, and nobody who does not exist can be; and what an answer led to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from conclave.cli import lines, people, talk
from conclave.errors import Refused
from conclave.node.directory import Person
from conclave.node.door import commands as ask
from conclave.node.door import words
from conclave.node.files.commands import FileOffer
from tests.cli.test_talk import Answers
from tests.node.homes import Running, make_home, running
from tests.node.screen import conclave

READING = (ask.Lines("@burak"), ask.Receipts("@burak"), ask.Pins("@burak"))


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


@pytest.mark.parametrize("block", [True, False])
async def test_who_is_blocked_or_told_no_gets_no_file_that_was_offered_before(
    ayse: Running, tmp_path: Path, *, block: bool
) -> None:
    (tmp_path / "plan.pdf").write_bytes(b"plan")
    await ayse.serve(FileOffer("@burak", str(tmp_path / "plan.pdf")))
    [record] = ayse.node.files._records
    assert ayse.node.files._served("burak", record.offered.root) == record
    await ayse.serve(ask.AnswerTo("burak", accept=False, block=block))
    assert ayse.node.files._served("burak", record.offered.root) is None


async def test_a_lobby_that_takes_the_label_of_a_muted_one_is_told(tmp_path: Path) -> None:
    make_home(tmp_path / "ayse", "ayse")
    async with running(tmp_path / "ayse") as ayse:
        await ayse.serve(ask.LobbyOpen("ops"))
        await ayse.serve(ask.Mute("#ops"))
    async with running(tmp_path / "ayse") as ayse:
        assert await muted(ayse) == {"#ops": True}
        await ayse.serve(ask.LobbyClose("ops"))
        await ayse.serve(ask.LobbyOpen("ops"))
        assert await muted(ayse) == {"#ops": False}
        assert not ayse.notices[-1].get("muted")
    async with running(tmp_path / "ayse") as ayse:
        assert await muted(ayse) == {"#ops": False}


async def muted(one: Running) -> dict[str, bool]:
    return {lobby["lobby"]: lobby["muted"] for lobby in (await one.serve(ask.LobbyList()))["lobbies"]}


async def test_nobody_who_does_not_exist_is_blocked_muted_or_read(
    ayse: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody(monkeypatch, ayse)
    commands: list[ask.Command] = [
        ask.AnswerTo("nobodyx", accept=False, block=True),
        ask.Mute("@nobodyx"),
        ask.Lines("@nobodyx"),
    ]
    for command in (*commands, ask.Receipts("@nobodyx"), ask.Pins("@nobodyx")):
        with pytest.raises(Refused, match="nobody is called nobodyx") as no:
            await ayse.serve(command)
        assert no.value.reason == "not-found"
    assert not await users(ayse)
    await ayse.serve(ask.Mute("@nobodyx", on=False))


async def test_of_whom_nothing_is_known_that_is_said_where_the_authority_cannot_be_asked(ayse: Running) -> None:
    for command in READING:
        answer = await ayse.serve(command)
        assert answer["outside"] == "nothing is known of burak here, and the authority cannot be asked"
    ayse.node.directory._people["burak"] = Person("burak", "", online=False, address="", since=0.0)
    assert "outside" not in await ayse.serve(ask.Lines("@burak"))
    ayse.node.directory._people.clear()
    await ayse.serve(ask.Say("@burak", "hello"))
    for after in (None, 7):
        assert "outside" not in await ayse.serve(ask.Lines("@burak", after=after))


async def test_who_is_in_the_directory_is_read_without_the_authority_and_nobody_waits_long_for_one_that_hangs(
    ayse: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def find(handle: str) -> None:
        asked.append(handle)
        await asyncio.Event().wait()

    monkeypatch.setattr(ayse.node.directory, "find", find)
    monkeypatch.setattr(words, "ASK_SECONDS", 0.01)
    for command in READING:
        assert "cannot be asked" in (await ayse.serve(command))["outside"]
    assert len(asked) == len(READING)
    ayse.node.directory._people["burak"] = Person("burak", "", online=False, address="", since=0.0)
    for command in READING:
        assert "outside" not in await ayse.serve(command)
    assert len(asked) == len(READING)


@pytest.mark.parametrize("args", [("read", "@burak"), ("read", "@burak", "--receipts"), ("pins", "@burak")])
def test_that_nothing_is_known_of_somebody_is_said_instead_of_what_to_say(
    monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    answer = {"conversation": "@burak", "protection": "sealed", "lines": [], "outside": "nobody", "remedy": "look"}
    for front in (talk, lines):
        monkeypatch.setattr(front, "NodeClient", Answers(**answer))
    assert conclave(None, *args).err.splitlines()[-1] == "nobody: look"


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
        ("joining", 0, "accepted: ayse's invitation to #ops; you are let in as soon as ayse is online"),
        ("ended", 1, "#ops was closed meanwhile, or ayse's invitation taken back: you are not let in"),
        ("", 1, "#ops was closed meanwhile, or ayse's invitation taken back: you are not let in"),
    ],
)
def test_an_accepted_invitation_in_words(monkeypatch: pytest.MonkeyPatch, stage: str, code: int, words: str) -> None:
    done = {"from": "ayse", "lobby": "#ops", "accepted": True, "stage": stage}
    monkeypatch.setattr(people, "NodeClient", Answers(answered=[done]))
    shown = conclave(None, "accept", "ayse")
    assert (shown.code, shown.err) == (code, words + "\n")
