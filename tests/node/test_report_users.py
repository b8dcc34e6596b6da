"""What the report's users could do, from registering to the log, done by three people in either suite.

One authority, real sockets, a node for each person; the people know one another's handles only. What the authority
alone does (unique names, passwords, silence) has tests of its own, which ``docs/report.md`` names.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from conclave.errors import Refused
from conclave.node.classic import commands as classic_commands
from conclave.node.door import commands
from conclave.node.door.commands import Command
from conclave.node.home import enrolment
from conclave.node.paths import database_path, vault_path
from conclave.pki.invite import Invite, decode_base32
from conclave.pki.names import Handle
from conclave.pki.profile import Profile
from conclave.store import vault as vaults
from conclave.store.peer import PeerDatabase
from tests.net.house import House, open_house
from tests.node.homes import PASSPHRASE, Running, running

PEOPLE = ("ayse", "burak", "cem")


class Suite:
    """How one suite's commands are said."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.classic = name == "classic"
        self.prefix = "legacy:" if self.classic else ""

    def say(self, to: str, text: str, *, wait: bool = True) -> Command:
        kind = classic_commands.ClassicSay if self.classic else commands.Say
        return kind(to, text, wait=wait, timeout=60)

    def answer(self, peer: str, *, accept: bool) -> Command:
        return classic_commands.ClassicAnswer(peer, accept) if self.classic else commands.AnswerTo(peer, accept)

    def requests(self) -> Command:
        return classic_commands.ClassicRequests() if self.classic else commands.Requests()

    def open_lobby(self, name: str, *people: str) -> Command:
        if self.classic:
            return classic_commands.ClassicGather(name, people)
        return commands.LobbyOpen(name, people)

    def leave(self, lobby: str, leader: str) -> Command:
        return classic_commands.ClassicHangUp(leader) if self.classic else commands.LobbyLeave(lobby)

    def in_lobby(self, lobby: str, leader: str) -> str:
        """Where a member speaks: a classic member knows its leader alone."""
        return f"@{leader}" if self.classic else lobby

    async def history(self, one: Running, conversation: str) -> list[dict[str, Any]]:
        kind = classic_commands.ClassicLines if self.classic else commands.Lines
        answer = await one.serve(kind(conversation, limit=1000))
        lines: list[dict[str, Any]] = answer["lines"]
        return lines

    async def until_told(self, one: Running, conversation: str, words: str) -> None:
        """Until the words stand in a history."""
        async with asyncio.timeout(15):
            while not any(words in line["text"] for line in await self.history(one, conversation)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)


def invite(house: House, handle: str) -> Invite:
    token = decode_base32(house.invite(handle), 16, "token")
    trust = house.ward.trust
    return Invite(
        Handle(handle), trust.realm, (house.address,), trust.root.fingerprint, token, int(time.time()) + 3600
    )


async def register(home: Path, line: Invite, suite: Suite) -> None:
    profiles = (*enrolment.STANDARD, Profile.CLASSIC) if suite.classic else enrolment.STANDARD
    await asyncio.to_thread(enrolment.join, home, line, line.secret, PASSPHRASE, profiles, lambda _: None)


@asynccontextmanager
async def log_in(home: Path, suite: Suite) -> AsyncIterator[Running]:
    content = vaults.unlock(vault_path(home), PASSPHRASE).content
    store = PeerDatabase(database_path(home), content.database_key)
    kinds = "tls,classic" if suite.classic else "tls"
    async with running(home, store=store, kinds=kinds) as one:
        yield one


async def online(one: Running) -> set[str]:
    return {user["handle"] for user in (await one.serve(commands.Who()))["users"] if user["online"]}


async def until_asked(one: Running, suite: Suite, peer: str) -> None:
    async with asyncio.timeout(15):
        while peer not in {r["from"] for r in (await one.serve(suite.requests()))["requests"]}:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def until_true(true: Any) -> None:
    async with asyncio.timeout(15):
        while not await true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("suite", [Suite("tls"), Suite("classic")], ids=lambda suite: str(suite.name))
async def test_what_the_reports_users_could_do(tmp_path: Path, suite: Suite) -> None:
    folder = tmp_path / "authority"
    folder.mkdir()
    async with open_house(folder) as house, AsyncExitStack() as stack:
        # register, each name once; log in
        lines = {handle: invite(house, handle) for handle in PEOPLE}
        for handle, line in lines.items():
            await register(tmp_path / handle, line, suite)
        with pytest.raises(Refused, match="used already"):
            await register(tmp_path / "another", lines["ayse"], suite)
        ayse, burak = [await stack.enter_async_context(log_in(tmp_path / h, suite)) for h in PEOPLE[:2]]

        # be listed, list who is online, search a name: address, offline, not found
        await until_true(lambda: _is(online(ayse), {"ayse", "burak"}))
        found = await ayse.serve(commands.Find("burak"))
        assert (found["found"], found["online"], found["address"]) == (True, True, burak.address)
        found = await ayse.serve(commands.Find("cem"))
        assert (found["found"], found["online"]) == (True, False)
        assert not (await ayse.serve(commands.Find("deniz")))["found"]

        # ask someone to chat: REJECT, BUSY, OK
        await ayse.serve(suite.say("@burak", "may I?", wait=False))
        await until_asked(burak, suite, "ayse")
        await burak.serve(suite.answer("ayse", accept=False))
        told = "legacy-answered" if suite.classic else "request-answered"
        await ayse.until(lambda: [n for n in ayse.told(told) if n["answer"] == "rejected"])
        async with log_in(tmp_path / "cem", suite) as cem:
            await burak.serve(commands.Busy(on=True))
            await until_true(lambda: _is(online(cem), set(PEOPLE)))
            await cem.serve(suite.say("@burak", "have a minute?", wait=False))
            await cem.until(lambda: [n for n in cem.told(told) if n["answer"] == "busy"])
            await burak.serve(commands.Busy(on=False))
            saying = asyncio.ensure_future(burak.serve(suite.say("@ayse", "now I can")))
            if suite.classic:
                await until_asked(ayse, suite, "burak")
                await ayse.serve(suite.answer("burak", accept=True))
            assert (await saying)["status"] == ("sent" if suite.classic else "delivered")
            await suite.until_told(ayse, "@burak", "now I can")

            # gather several people into a lobby and lead it; see who enters
            await ayse.serve(suite.open_lobby("ops", "burak", "cem"))
            await until_asked(cem, suite, "ayse")
            await cem.serve(suite.answer("ayse", accept=True))
            if not suite.classic:  # whoever was accepted is called into a classic lobby without another question
                await until_asked(burak, suite, "ayse")
                await burak.serve(suite.answer("ayse", accept=True))
            for handle in ("burak", "cem"):
                await suite.until_told(ayse, "#ops", f"{handle} entered")
            await burak.serve(suite.say(suite.in_lobby("#ops", "ayse"), "the pump is back"))
            await suite.until_told(cem, suite.in_lobby("#ops", "ayse"), "the pump is back")
            await ayse.serve(suite.say("#ops", "thanks"))
            await suite.until_told(burak, suite.in_lobby("#ops", "ayse"), "thanks")

            # see who left
            await burak.serve(suite.leave("#ops", "ayse"))
            await suite.until_told(ayse, "#ops", "burak left")
            await suite.until_told(cem, suite.in_lobby("#ops", "ayse"), "burak left")
        if suite.classic:  # in the default suite a member that is away is still a member
            await suite.until_told(ayse, "#ops", "cem left")

        # log out: cem is not online any more; everything is logged on all sides, and at the authority
        await until_true(lambda: _is(online(ayse), {"ayse", "burak"}))
        texts = [line["text"] for line in await suite.history(ayse, "#ops") if line["kind"] == "text"]
        assert texts == ["the pump is back", "thanks"]
        told_there = {("cem", "login"), ("cem", "logout")}
        await ayse.until(lambda: told_there <= {(row[0], row[1]) for row in house.log()})


async def _is(found: Any, expected: object) -> bool:
    return bool(await found == expected)
