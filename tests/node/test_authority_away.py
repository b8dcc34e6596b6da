"""A node whose authority is away says so, says nothing that it does not know, and finds whom it found before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conclave.cli import people
from conclave.errors import NetworkError, VerificationError
from conclave.node import addresses
from conclave.node.addresses import Addresses
from conclave.node.door import commands as ask
from conclave.node.home import doctor
from conclave.store.memory import MemoryStore
from conclave.wire.link import CloseReason
from tests.cli.test_talk import Answers
from tests.node.homes import NOBODY, Running, befriend, make_home, running
from tests.node.screen import conclave
from tests.node.test_lobby_links import gather


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    for handle in ("ayse", "burak"):
        make_home(tmp_path / handle, handle)
    return tmp_path


async def kept(one: Running) -> None:
    await one.until(lambda: one.store.states(addresses.KEY))


async def test_up_says_it_once_though_it_was_never_reached(homes: Path) -> None:
    async with running(homes / "ayse") as ayse:
        await ayse.until(lambda: ayse.told("authority-reached"))
        first = ayse.node.directory._why
        await ayse.until(lambda: ayse.node.directory._why is not first)
        [told] = ayse.told("authority-reached")
        assert not told["reached"]
        assert "is out of reach at 127.0.0.1:9" in told["text"]


async def test_what_waits_says_how_to_reach_somebody_without_it(homes: Path) -> None:
    async with running(homes / "ayse") as ayse:
        answer = await ayse.serve(ask.Say("@burak", "hello", at=NOBODY, wait=True, timeout=0.1))
        assert answer["status"] == "waiting"
        assert "conclave say @burak TEXT --at HOST:PORT" in answer["remedy"]


async def test_a_lobby_does_not_blame_its_leader_for_our_clock(homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(homes / "ayse") as ayse, running(homes / "burak") as burak:
        await gather(ayse, burak)

        def ahead(_: float) -> None:
            raise VerificationError("your own certificate is valid only from 09:00 on", reason="not-yet-valid")

        for one in (ayse, burak):
            monkeypatch.setattr(one.identity, "demand_valid", ahead)
        ayse.node.peers.cut("burak", CloseReason.EXPIRED, "their certificates do not hold")
        await burak.until(lambda: burak.told("trouble"))
        answer = await burak.serve(ask.Say("#ops", "hello", wait=True, timeout=0.1))
        assert answer["why"] == ("no link to ayse, who leads #ops: your own certificate is valid only from 09:00 on")


async def test_whom_it_reached_before_it_reaches_again_after_a_restart(
    homes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "GATHER_SECONDS", 0.0)
    async with running(homes / "burak") as burak:
        async with running(homes / "ayse") as ayse:
            await befriend(ayse, burak)
            await kept(ayse)
            where = burak.address
        async with running(homes / "ayse") as ayse:
            [row] = (await ayse.serve(ask.Who()))["users"]
            assert (row["handle"], row["online"], row["last"]) == ("burak", False, where)
            found = await ayse.serve(ask.Find("burak"))
            assert (found["source"], found["last"]) == ("memory", where)
            with pytest.raises(NetworkError):
                await ayse.serve(ask.Find("cem"))
            answer = await ayse.serve(ask.Say("@burak", "here again", wait=True))
            assert answer["status"] == "delivered"
            [row] = (await ayse.serve(ask.Who()))["users"]
            assert (row["online"], row["linked"]) == (True, True)


async def test_addresses_are_bounded_and_the_latest_stays() -> None:
    one = Addresses(MemoryStore(), nothing)
    for number in range(addresses.PEOPLE):
        one.note(f"p{number}", "10.0.0.1:7443")
    one.note("p0", "10.0.0.2:7443")
    one.note("more", "10.0.0.3:7443")
    assert len(list(one)) == addresses.PEOPLE
    assert (one.of("p0"), one.of("p1"), one.of("more")) == ("10.0.0.2:7443", "", "10.0.0.3:7443")


async def nothing(_: object) -> None:
    pass


def test_nobody_is_said_to_be_enrolled_by_a_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "NodeClient", Answers(source="memory", standing="", users=[]))
    told = conclave(None, "who").err
    assert "nobody is remembered here" in told
    assert "enrolled" not in told


def test_who_and_find_show_where_somebody_was(monkeypatch: pytest.MonkeyPatch) -> None:
    user = {"handle": "ece", "online": False, "address": "", "last": "10.0.0.3:7443", "linked": False}
    monkeypatch.setattr(people, "NodeClient", Answers(source="memory", standing="", users=[user]))
    row = conclave(None, "who").out.splitlines()[1]
    assert "not linked" in row
    assert "was at 10.0.0.3:7443" in row
    monkeypatch.setattr(people, "NodeClient", Answers(found=True, source="memory", **user))
    assert conclave(None, "find", "ece").out == "ece was at 10.0.0.3:7443\n"


def test_doctor_compares_no_clock_with_one_that_it_never_saw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away = {"reached": False, "compared": False, "reason": "", "text": "is out of reach", "remedy": "look at it"}
    status: dict[str, Any] = {"handle": "ayse", "listen": "x", "certificates": [], "crl_time": None, "waiting": {}}
    monkeypatch.setattr(doctor, "NodeClient", Answers(**status, authority=away, clock_offset=0.0))
    checks = {one.name: one for one in doctor._node(tmp_path)}
    assert checks["clock"].text == "not compared with the authority's: it was not reached yet"
    assert "conclave say @PEER TEXT --at HOST:PORT" in checks["authority"].remedy


async def test_a_lobby_is_linked_again_after_a_restart(homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "GATHER_SECONDS", 0.0)
    async with running(homes / "burak") as burak:
        async with running(homes / "ayse") as ayse:
            await gather(ayse, burak)
            await kept(ayse)
        async with running(homes / "ayse") as ayse:
            await ayse.until(lambda: "burak" in ayse.node.peers.linked())
