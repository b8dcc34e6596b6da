"""Nodes that kill themselves: a small program that forks them, so that hundreds of lives cost little.

It reads one JSON object a line: ``{"folder": …, "play": …, "who": …, "point": …}``, forks a node for every role of
the play, each on its home ``folder/<role>``, and answers one when all of them have come through. The node of ``who``
kills itself (SIGKILL) at its ``point``-th point: before a commit, after it, before a frame is handed to a link, and
after that frame was given to the kernel. It is then started again, without points. The answer tells whether that
happened, and which roles did not come through.

A role is a coroutine that plays its part again from wherever the disk says that it was: whatever was committed is
not done again. Homes find each other by a file in which each writes where it listens.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import cast

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.effects import Record
from conclave.node.pump import Links
from conclave.store.peer import PeerDatabase
from conclave.store.ports import LineName
from tests.node.homes import Running, running

LIFE_SECONDS = 20.0
NEVER = 1 << 30


class Fuse:
    """Counts points, and kills the process at one of them."""

    def __init__(self, point: int) -> None:
        self.point = point
        self.passed = 0

    def burn(self) -> None:
        self.passed += 1
        if self.passed == self.point:
            os.kill(os.getpid(), signal.SIGKILL)


class FusedStore(PeerDatabase):
    """The real store, with a point before and after every commit."""

    fuse: Fuse

    def commit(self, records: Sequence[Record]) -> frozenset[LineName]:
        self.fuse.burn()
        stale = super().commit(records)
        self.fuse.burn()
        return stale


class FusedLinks:
    """The real links, with a point before and after every frame."""

    def __init__(self, links: Links, fuse: Fuse) -> None:
        self._links = links
        self._fuse = fuse

    def __getattr__(self, name: str) -> object:
        return getattr(self._links, name)

    def send(self, peer: str, frame: bytes) -> None:
        self._fuse.burn()
        self._links.send(peer, frame)
        known = self._links._peers.get(peer)  # type: ignore[attr-defined]
        if known is not None and known.link is not None:
            known.link._flush()  # into the kernel, which delivers it though we die
        self._fuse.burn()


# The plays. Ids follow from the words, so that a line is said once however often its sayer dies.

Part = Callable[[Running], Awaitable[None]]
OPS = sha256(b"ops").digest()[:16]


async def say_all(one: Running, conversation: str, texts: Sequence[str]) -> None:
    for text in texts:
        identity = sha256(text.encode()).digest()[:16]
        label = one.node.service._known.conversation(conversation)
        if one.store.line(label, one.me, identity) is None:
            await one.say(label, text, identity)


async def hear(one: Running, conversation: str, text: str) -> None:
    await one.until(lambda: text in one.texts(conversation), LIFE_SECONDS)


async def accept(one: Running, peer: str, lobby: str = "") -> None:
    """Answer what ``peer`` asks; where an earlier life has answered, there is nothing to wait for."""

    def known() -> bool:
        if lobby:
            return OPS in one.node.pump.desk.lobbies
        held = one.node.pump.desk.peers.get(peer)
        return held is not None and bool(held.inbound.streams)

    await one.until(known, LIFE_SECONDS)
    if peer in one.requested():
        await one.ask(ev.AnswerRequest(peer, accept=True, lobby=lobby))


AYSE = ["may I?", "a1", "a2", "a3"]
BURAK = ["b1", "b2"]
CEM = ["c1"]


async def pair_ayse(one: Running) -> None:
    await say_all(one, "@burak", AYSE[:1])
    await hear(one, "@burak", BURAK[0])
    await say_all(one, "@burak", AYSE[1:])
    await hear(one, "@burak", BURAK[-1])


async def pair_burak(one: Running) -> None:
    await accept(one, "ayse")
    await say_all(one, "@ayse", BURAK[:1])
    await hear(one, "@ayse", AYSE[2])
    await say_all(one, "@ayse", BURAK[1:])
    await hear(one, "@ayse", AYSE[-1])


async def lobby_ayse(one: Running) -> None:
    if OPS not in one.node.pump.desk.lobbies:
        await one.ask(ev.OpenLobby("ops", OPS, ("burak", "cem")))
    lobby = one.node.pump.desk.lobbies.get(OPS)
    assert lobby is not None

    def everybody() -> bool:
        view = views.lobby(one.node.pump.desk, "#ops")
        return view is not None and len(view.roster) == 3

    await one.until(everybody, LIFE_SECONDS)
    await say_all(one, "#ops", AYSE)
    await hear(one, "#ops", BURAK[-1])
    await hear(one, "#ops", CEM[-1])


async def lobby_burak(one: Running) -> None:
    await accept(one, "ayse", "#ops")
    await hear(one, "#ops", AYSE[0])
    await say_all(one, "#ops", BURAK)
    await hear(one, "#ops", AYSE[-1])
    await hear(one, "#ops", BURAK[-1])
    await hear(one, "#ops", CEM[-1])


async def lobby_cem(one: Running) -> None:
    await accept(one, "ayse", "#ops")
    await hear(one, "#ops", AYSE[1])
    await say_all(one, "#ops", CEM)
    await hear(one, "#ops", AYSE[-1])
    await hear(one, "#ops", BURAK[-1])


PLAYS: dict[str, dict[str, Part]] = {
    "pair": {"ayse": pair_ayse, "burak": pair_burak},
    "lobby": {"ayse": lobby_ayse, "burak": lobby_burak, "cem": lobby_cem},
}


# One life of one node.


def settled(one: Running) -> bool:
    """Nothing waits, and nobody whom we lead lacks anything."""
    desk = one.node.pump.desk
    led = [(lobby.watch.followers, lobby.order) for lobby in desk.lobbies.values()]
    behind = [
        handle
        for followers, order in led
        if followers is not None and order is not None
        for handle, member in followers.items()
        if member.have < order.seq and not member.until
    ]
    unsaid = [view.label for view in views.lobbies(desk) if view.waiting]
    return not one.waiting() and not behind and not unsaid


async def live(folder: Path, play: str, who: str, point: int) -> None:
    fuse = Fuse(point)
    home = folder / who

    def fused(database: PeerDatabase) -> PeerDatabase:
        database.__class__ = FusedStore
        database.fuse = fuse  # type: ignore[attr-defined]
        return database

    def between(links: Links) -> Links:
        return cast("Links", FusedLinks(links, fuse))

    async with running(home, wrap=fused, links=between) as one, asyncio.TaskGroup() as tasks:
        meeting = tasks.create_task(meet(folder, play, one))
        async with asyncio.timeout(LIFE_SECONDS):
            await PLAYS[play][who](one)
            await one.until(lambda: settled(one), LIFE_SECONDS)
            done = {role: folder / f"{role}.done" for role in PLAYS[play]}
            fuse.point = NEVER  # the others leave once all are done: a second life would have nobody to speak with
            done[who].write_text(str(fuse.passed))
            await one.until(lambda: all(file.exists() for file in done.values()), LIFE_SECONDS)
        meeting.cancel()


async def meet(folder: Path, play: str, one: Running) -> None:
    """Write where we listen, and learn where the others do."""
    (folder / f"{one.me}.new").write_text(one.address)
    (folder / f"{one.me}.new").rename(folder / f"{one.me}.at")
    known: dict[str, str] = {}
    while True:
        for role in PLAYS[play]:
            with contextlib.suppress(FileNotFoundError):
                address = (folder / f"{role}.at").read_text()
                if role != one.me and known.get(role) != address:
                    known[role] = address
                    one.node.peers.at(role, address)
        await asyncio.sleep(0.005)


def fork(folder: Path, play: str, who: str, point: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        sys.stdout = sys.stderr
        asyncio.run(live(folder, play, who, point))
        status = 0
    except BaseException:  # noqa: BLE001 - the file is how the test hears of it
        import traceback

        (folder / f"{who}.failed").write_text(traceback.format_exc())
    finally:
        os._exit(status)


def perform(folder: Path, play: str, who: str, point: int) -> dict[str, object]:
    """One play from the beginning to the end, with one death in it."""
    lives = {fork(folder, play, role, point if role == who else NEVER): role for role in PLAYS[play]}
    failed: list[str] = []
    died = False
    end = time.monotonic() + 2 * LIFE_SECONDS + 5
    while lives:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            if time.monotonic() > end:
                for late in lives:
                    os.kill(late, signal.SIGKILL)
            time.sleep(0.002)
            continue
        role = lives.pop(pid)
        if os.waitstatus_to_exitcode(status) == -signal.SIGKILL and role == who and not died:
            died = True
            lives[fork(folder, play, role, NEVER)] = role
        elif status:
            failed.append(role)
    passed = (folder / f"{who}.done").read_text() if (folder / f"{who}.done").exists() else "0"
    return {"died": died, "failed": failed, "passed": int(passed)}


def main() -> None:
    for line in sys.stdin:
        task = json.loads(line)
        answer = perform(Path(task["folder"]), task["play"], task["who"], task["point"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
