"""A lobby over real links: members that are slow, far behind, or away do not hold up the others."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from conclave.chat import events as ev
from tests.node.homes import Running, make_home, running

OPS = b"ops-of-the-test!"
LONGEST = 64 * 1024


def asked_by(member: Running, leader: str) -> bool:
    return leader in member.requested()


async def gather(leader: Running, *members: Running) -> None:
    """``leader`` opens #ops, everybody accepts, and nothing is on its way any more."""
    for member in members:
        leader.meets(member)
    await leader.ask(ev.OpenLobby("ops", OPS, tuple(member.me for member in members)))
    for member in members:
        await member.until(partial(asked_by, member, leader.me))
        await member.ask(ev.AnswerRequest(leader.me, accept=True, lobby="#ops"))
    await leader.until(lambda: not leader.waiting() and not any(member.waiting() for member in members))


async def test_a_member_that_is_far_behind_in_long_messages_catches_up(tmp_path: Path) -> None:
    """All that one fetch asks for is more than a link may hold unsent: it must go out as the link takes it."""
    texts = [f"{n:08}" * (LONGEST // 8) for n in range(260)]
    assert len(texts) * LONGEST > 16 * 1024 * 1024
    for handle in ("ayse", "burak"):
        make_home(tmp_path / handle, handle)
    async with running(tmp_path / "ayse") as ayse:
        async with running(tmp_path / "burak") as burak:
            await gather(ayse, burak)
        await ayse.until(lambda: "burak" not in ayse.node.peers.linked())
        for text in texts:
            await ayse.say("#ops", text)
        async with running(tmp_path / "burak") as burak:
            burak.meets(ayse)
            await burak.until(lambda: len(burak.lines("#ops")) == len(texts))
            assert burak.texts("#ops") == texts
            assert not burak.told("link-closed")


async def test_a_member_that_does_not_read_disturbs_nobody_and_catches_up_by_fetch(tmp_path: Path) -> None:
    texts = [f"{n:08}" * 1024 for n in range(700)]  # far more than the push window, and than the sockets hold
    for handle in ("ayse", "burak", "cem"):
        make_home(tmp_path / handle, handle)
    async with AsyncExitStack() as stack:
        ayse, burak, cem = [
            await stack.enter_async_context(running(tmp_path / handle, silence_seconds=60.0))
            for handle in ("ayse", "burak", "cem")
        ]
        await gather(ayse, burak, cem)
        burak.node.peers.hold(True)
        for text in texts:
            await ayse.say("#ops", text)
        await cem.until(lambda: len(cem.lines("#ops")) == len(texts))
        link = ayse.node.peers._peers["burak"].link
        assert link is not None
        assert link.unsent < 2 * 1024 * 1024
        assert not burak.lines("#ops")
        await cem.say("#ops", "and from cem")
        await ayse.until(lambda: "and from cem" in ayse.texts("#ops"))
        burak.node.peers.hold(False)
        await burak.until(lambda: len(burak.lines("#ops")) == len(texts) + 1)
        assert burak.texts("#ops") == cem.texts("#ops") == ayse.texts("#ops") == [*texts, "and from cem"]
        assert not [notice for one in (ayse, burak, cem) for notice in one.told("link-closed")]
