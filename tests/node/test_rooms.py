"""Lobbies as people use them over real links: the roll, who has what, removal, deputies, a leader that goes."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from conclave.chat.effects import AddLine
from conclave.chat.lobby_state import Mark
from conclave.chat.notices import LineAdded
from conclave.chat.words.line import Line, LineKind, Status
from conclave.cli import people
from conclave.errors import LocalError
from conclave.node.door import commands as ask
from conclave.node.door import rooms
from conclave.node.door.attendance import in_words
from conclave.node.door.known import Known
from conclave.node.files.commands import FileOffer
from tests.cli.test_talk import Answers
from tests.node.homes import Running, make_home, running
from tests.node.screen import conclave
from tests.node.test_words import Trio, in_room, trio, until_line

__all__ = ["trio"]


def leader(one: Running) -> str:
    return str(one.node.service._known.lobby("#ops").leader)


async def test_the_roll_names_who_answered_and_when_certificates_end(trio: Trio) -> None:
    ayse, burak, cem = trio
    result = await burak.serve(ask.Roll("ops", 10))
    assert (result["present"], result["of"]) == (3, 3)
    for row in result["members"]:
        assert row["until"] > time.time()
    prints = {row["handle"]: row["fingerprint"] for row in result["members"]}
    one = (await ayse.serve(ask.Verify("@burak")))["certificates"]["burak"]
    assert prints["burak"] == one["fingerprint"]
    assert len(set(prints.values())) == 3
    assert [row["handle"] for row in result["members"] if row["me"]] == ["burak"]
    cem.node.peers.hold(True)  # its device takes nothing in
    result = await ayse.serve(ask.Roll("#ops", 2))
    assert {row["handle"]: row["present"] for row in result["members"]} == {"ayse": True, "burak": True, "cem": False}
    cem.node.peers.hold(False)


async def test_who_has_all_up_to_where(trio: Trio) -> None:
    ayse, _, cem = trio
    await ayse.serve(ask.Say("#ops", "one", wait=True, timeout=20))
    who = await ayse.serve(ask.LobbyWho("ops"))
    assert who["words"] == "everybody has everything"
    assert all(row["has"] >= who["said"] for row in who["members"])
    assert who["group_check"] == (await cem.serve(ask.LobbyWho("ops")))["group_check"]


def test_who_has_what_in_words() -> None:
    def member(handle: str, mark: Mark, state: str = "online", since: float = 0.0) -> dict[str, Any]:
        missing = [list(one) for one in mark.missing]
        return {
            "handle": handle, "state": state, "has": mark.has, "missing": missing, "away_since": since,
            "has_all": mark.has >= 8 and not missing, "heard": mark.has > 0,
        }  # fmt: skip

    now = time.mktime((2026, 3, 4, 15, 0, 0, 0, 0, -1))
    at = time.mktime((2026, 3, 4, 14, 2, 0, 0, 0, -1))
    members = [
        member("burak", Mark(8)), member("ayse", Mark(9)), member("cem", Mark(5), "away", at),
        member("deniz", Mark(9, 0, ((38, 41),))), member("elif", Mark(3)), {"handle": "can", "state": "invited"},
    ]  # fmt: skip
    assert in_words(8, members, now) == (
        "2 of 5 have it; cem is away since 14:02; deniz is missing 38 to 41; elif has all up to 3 of 8"
    )
    assert "since 04.03. 14:02" in in_words(8, members, now + 86_400)
    assert in_words(8, members[:2], now) == "everybody has everything"
    assert in_words(8, [*members[:2], member("fatma", Mark())], now) == "2 of 3 have it; nothing heard from fatma yet"


async def test_a_member_is_put_out_and_reads_nothing_more(trio: Trio) -> None:
    ayse, burak, cem = trio
    await burak.serve(ask.LobbyRemove("ops", "@cem", "left the company"))
    for one in (ayse, burak):
        await one.until(lambda one=one: len(in_room(one)) == 2)  # type: ignore[misc]
    await ayse.serve(ask.Say("#ops", "among us", wait=True, timeout=20))
    assert "among us" in burak.texts("#ops")
    await cem.until(lambda: not (cem.node.service._rooms.list())["lobbies"])
    assert "among us" not in cem.texts("#ops")
    line = await until_line(burak, "#ops", kind="notice", text="cem was removed: left the company")
    assert line["seq"]
    with pytest.raises(LocalError, match="not in"):
        await ayse.serve(ask.LobbyRemove("ops", "deniz"))


async def test_whoever_waits_for_a_lobby_longer_than_another_still_hears_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = "joining"
    one = rooms.Rooms(cast(Known, None))
    monkeypatch.setattr(one, "_stage", lambda _: stage)
    async with asyncio.TaskGroup() as group:
        long = group.create_task(one._past("#ops", "joining", 60.0))
        assert await one._past("#ops", "joining", 0.0) == "joining"
        stage = "member"
        one.noticed(
            LineAdded("#ops", Line(bytes(16), "ayse", LineKind.NOTICE, "you are in", 1.0, 1.0, Status.RECEIVED))
        )
        for _ in range(3):
            await asyncio.sleep(0)
        assert long.done()
        assert long.result() == "member"


async def test_a_leader_that_leaves_is_followed_by_its_deputy(trio: Trio) -> None:
    ayse, burak, cem = trio
    await ayse.serve(ask.LobbyDeputies("ops", ("@cem",)))
    for one in trio:
        await one.until(lambda one=one: one.node.service._known.lobby("#ops").deputies == ("cem",))  # type: ignore[misc]
    assert (await burak.serve(ask.LobbyDeputies("ops")))["deputies"] == ["cem"]
    await ayse.serve(ask.LobbyLeave("ops"))
    for one in (burak, cem):
        await one.until(lambda one=one: leader(one) == "cem" and len(in_room(one)) == 2, 40.0)  # type: ignore[misc]
    await burak.serve(ask.Say("#ops", "without ayse", wait=True, timeout=20))
    assert "without ayse" in cem.texts("#ops")
    assert "without ayse" not in ayse.texts("#ops")


async def test_who_leaves_is_out_only_once_that_is_in_order(
    trio: Trio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ayse, burak, cem = trio
    assert await cem.serve(ask.LobbyLeave("ops")) == {"lobby": "#ops", "left": True}
    await burak.until(lambda: len(in_room(burak)) == 2)
    ayse.node.peers.hold(True)  # the leader takes nothing in
    monkeypatch.setattr(rooms, "LEAVE_SECONDS", 0.05)
    assert await burak.serve(ask.LobbyLeave("ops")) == {"lobby": "#ops", "left": False}
    (tmp_path / "plan.txt").write_text("plan")
    for command in (
        ask.Say("#ops", "one more thing"),
        ask.Timer("#ops", 60),
        FileOffer("#ops", str(tmp_path / "plan.txt")),
    ):
        with pytest.raises(LocalError, match="you are leaving #ops"):
            await burak.serve(command)
    ayse.node.peers.hold(False)
    await burak.until(lambda: not (burak.node.service._rooms.list())["lobbies"])
    assert "one more thing" not in ayse.texts("#ops")


async def test_any_member_asks_somebody_in(trio: Trio, tmp_path: Path) -> None:
    ayse, burak, cem = trio
    make_home(tmp_path / "deniz", "deniz")
    async with AsyncExitStack() as stack:
        deniz = await stack.enter_async_context(running(tmp_path / "deniz"))
        for one in (ayse, burak, cem):
            one.meets(deniz)
        await burak.serve(ask.LobbyInvite("ops", ("deniz",)))
        await deniz.until(lambda: "burak" in deniz.requested())
        await deniz.serve(ask.AnswerTo("burak", accept=True))
        for one in (ayse, burak, cem, deniz):
            await one.until(lambda one=one: len(in_room(one)) == 4)  # type: ignore[misc]
        await deniz.serve(ask.Say("#ops", "hello all", wait=True, timeout=20))
        assert "hello all" in cem.texts("#ops")


async def test_who_accepts_hears_whether_it_is_in(
    trio: Trio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ayse, _, _ = trio
    make_home(tmp_path / "deniz", "deniz")
    async with running(tmp_path / "deniz") as deniz:
        for one in trio:
            one.meets(deniz)
        for name in ("bridge", "galley", "attic"):
            await ayse.serve(ask.LobbyOpen(name, ("deniz",)))
        await deniz.until(lambda: len(deniz.requested()) == 3)
        asked = (await deniz.serve(ask.Requests()))["requests"]
        assert all(0 <= time.time() - one["since"] < 60 for one in asked)
        monkeypatch.setattr(people, "NodeClient", Answers(requests=asked))
        shown = conclave(None, "requests").out
        assert "ayse invites you to #attic   conclave accept ayse --lobby attic\n" in shown
        monkeypatch.setattr(people, "NodeClient", Answers(requests=asked[:1]))
        assert conclave(None, "requests").out.endswith("conclave accept ayse\n")
        outside = await deniz.serve(ask.Lines("#attic"))
        assert outside["outside"] == "you are not in #attic yet, ayse invites you"
        assert outside["remedy"] == "conclave accept ayse --lobby attic"
        with pytest.raises(LocalError, match="not in #attic yet"):
            await deniz.serve(ask.React("#attic", "last", "👍"))
        assert (await ayse.serve(ask.LobbyWho("attic")))["words"] == "nobody else is in"
        said = await ayse.serve(ask.Say("#attic", "hello?", wait=True, timeout=20))
        assert (said["status"], said["words"], said["have"], said["of"]) == ("alone", "nobody else is in", 1, 1)
        [row] = (await deniz.serve(ask.AnswerTo("ayse", accept=True, lobby="bridge")))["answered"]
        assert row["stage"] == "member"
        await ayse.serve(ask.LobbyClose("galley"))
        [row] = (await deniz.serve(ask.AnswerTo("ayse", accept=True, lobby="galley")))["answered"]
        assert row["stage"] == "ended"
        monkeypatch.setattr(rooms, "ENTER_SECONDS", 0.05)
        ayse.node.peers.hold(True)
        [row] = (await deniz.serve(ask.AnswerTo("ayse", accept=True, lobby="attic")))["answered"]
        assert row["stage"] == "joining"
        with pytest.raises(LocalError, match="not in #attic yet") as early:
            await deniz.serve(ask.Say("#attic", "hello"))
        assert "ayse lets you in once online" in early.value.remedy
        ayse.node.peers.hold(False)


async def test_who_came_in_later_is_shown_what_was_said_before(trio: Trio, tmp_path: Path) -> None:
    ayse, burak, cem = trio
    for number in range(3):
        await cem.serve(ask.Say("#ops", f"early {number}", wait=True, goal="sent"))
    await burak.until(lambda: "early 2" in burak.texts("#ops"))
    with pytest.raises(LocalError, match="nothing from before cem came in"):
        await burak.serve(ask.LobbyShare("ops", "cem"))
    make_home(tmp_path / "deniz", "deniz")
    async with running(tmp_path / "deniz") as deniz:
        for one in (ayse, burak, cem):
            one.meets(deniz)
        await burak.serve(ask.LobbyInvite("ops", ("deniz",)))
        await deniz.until(lambda: "burak" in deniz.requested())
        await deniz.serve(ask.AnswerTo("burak", accept=True))
        await burak.until(lambda: len(in_room(burak)) == 4)
        await burak.serve(ask.Say("#ops", "welcome", wait=True, goal="sent"))
        older = [Line(bytes([n]) * 16, "cem", LineKind.TEXT, "older", 1.0, 1.0, Status.RECEIVED, n) for n in (1, 2)]
        burak.node._store.commit([AddLine("#ops", line) for line in older])  # of another lobby of this name
        answer = await burak.serve(ask.LobbyShare("#ops", "@deniz", last=2))
        assert answer == {"lobby": "#ops", "member": "deniz", "lines": 2}
        await deniz.until(lambda: "early 2" in deniz.texts("#ops"))
        assert [text for text in deniz.texts("#ops") if "early" in text] == ["early 1", "early 2"]
        assert {line.line.sender for line in deniz.lines("#ops") if "early" in line.line.text} == {"cem"}
        await until_line(ayse, "#ops", kind="notice", text="burak shows deniz 2 lines from before deniz came in")


async def test_both_see_the_same_safety_number(trio: Trio) -> None:
    ayse, burak, _ = trio
    one = await ayse.serve(ask.Verify("@burak"))
    other = await burak.serve(ask.Verify("ayse"))
    assert (one["words"], one["digits"]) == (other["words"], other["digits"])
    assert set(one["certificates"]) == {"ayse", "burak"}
    with pytest.raises(LocalError, match="no keys") as nobody:
        await ayse.serve(ask.Verify("deniz"))
    assert "conclave say @deniz" in nobody.value.remedy
    with pytest.raises(LocalError, match="that is you"):
        await ayse.serve(ask.Verify("ayse"))
