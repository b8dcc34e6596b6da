"""The leader's process is killed in mid-conversation: the lobby goes on, nothing is lost, the leader comes back."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from conclave.node.door import commands as ask
from conclave.node.door.client import NodeClient
from tests.node.homes import Process, Running, make_home, running
from tests.node.test_words import in_room

TAKEOVER_SECONDS = 30.0
"""10 s of silence and a moment to collect, on a machine with much else to do."""


def asked(one: Running) -> bool:
    return "ayse" in one.requested()


def leader(one: Running) -> str:
    return str(one.node.service._known.lobby("#ops").leader)


@pytest.mark.timeout(180)
async def test_a_lobby_outlives_its_leaders_process(tmp_path: Path) -> None:
    for handle in ("ayse", "burak", "cem"):
        make_home(tmp_path / handle, handle)
    async with AsyncExitStack() as stack:
        burak, cem = [await stack.enter_async_context(running(tmp_path / h)) for h in ("burak", "cem")]
        burak.meets(cem)
        ayse = Process(tmp_path / "ayse")
        stack.callback(ayse.end)
        with NodeClient(tmp_path / "ayse") as node:
            for one in (burak, cem):
                node.call("say", to=f"@{one.me}", text="hello", at=one.address, wait=False)
                await one.until(lambda one=one: asked(one))  # type: ignore[misc]
            node.call("lobby.open", name="ops", invited=["burak", "cem"])
        for one in (burak, cem):
            await one.until(lambda one=one: "#ops" in str(one.node.service._rooms.requests()))  # type: ignore[misc]
            await one.serve(ask.AnswerTo("ayse", accept=True))
        for one in (burak, cem):
            await one.until(lambda one=one: len(in_room(one)) == 3)  # type: ignore[misc]
        await cem.serve(ask.Say("#ops", "before", wait=True, timeout=20))
        ayse.popen.kill()
        killed = time.monotonic()
        said = await burak.serve(ask.Say("#ops", "is she gone?", wait=True, goal="sent", timeout=TAKEOVER_SECONDS))
        assert said["status"] in ("sent", "delivered"), said
        assert time.monotonic() - killed < TAKEOVER_SECONDS
        await cem.until(lambda: "is she gone?" in cem.texts("#ops"))
        assert leader(burak) == leader(cem) != "ayse"
        ayse.popen.wait()
        again = Process(tmp_path / "ayse")
        stack.callback(again.end)
        for one in (burak, cem):
            one.node.peers.at("ayse", again.address)
        with NodeClient(tmp_path / "ayse") as node:
            end = time.monotonic() + 60
            while True:
                texts = [row["text"] for row in node.call("lines", conversation="#ops")["lines"]]
                if "is she gone?" in texts:
                    break
                assert time.monotonic() < end, texts
                await asyncio.sleep(0.1)
            assert texts.count("before") == texts.count("is she gone?") == 1
