"""Files between nodes over real links; the conversation alone is a stand-in.

A ``Filer`` is what ``node.run`` will wire: the real links (``Peers`` over TLS), the real store, ``Files``. What it
says is told to the other filers directly, or left to the test.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, TypeVar

from conclave.chat.events import Arrived, Event, Linked, Unlinked
from conclave.errors import LocalError
from conclave.files.limits import FileLimits
from conclave.files.offer import Offered
from conclave.files.record import FileRecord, record_of
from conclave.link.limits import LinkLimits
from conclave.net.dialling import dial
from conclave.net.listener import listen
from conclave.net.streams import LinkStream
from conclave.node.files import commands as ask
from conclave.node.files.filing import Files
from conclave.node.files.ports import Conversations, FileLinks
from conclave.node.notices import FileDone, FileFailed, Notice
from conclave.node.peers import Peers
from conclave.store.memory import MemoryStore
from conclave.store.ports import PeerStore
from conclave.wire.files import FileFrame
from tests.link.identities import Verifier, usual

PATIENCE = 20.0
N = TypeVar("N")


class Filer:
    """One person's files, links and store. ``circle`` maps a conversation to everybody who is in it."""

    def __init__(
        self,
        me: str,
        home: Path,
        circle: dict[str, list[str]],
        *,
        store: PeerStore | None = None,
        limits: FileLimits | None = None,
        between: Callable[[FileLinks], FileLinks] = lambda links: links,
    ) -> None:
        self.me = me
        self.home = home
        self.into = home / "got"
        self.into.mkdir(parents=True, exist_ok=True)
        self.circle = circle
        self.store = store if store is not None else MemoryStore()
        self.limits = limits or FileLimits(patience_seconds=5.0)
        self.between = between
        self.notices: list[Notice] = []
        self.tell: Callable[[Notice], None] = self.notices.append
        self.others: list[Filer] = []
        self.offered: list[tuple[str, bytes, Offered]] = []
        self.address = ""
        self.ends: dict[bytes, tuple[float, str]] = {}  # by the message, where an offer does not stand for good

    def named(self, conversation: str, other: str) -> str:
        """The conversation as another one of it calls it."""
        return f"@{self.me}" if conversation == f"@{other}" else conversation

    async def say(self, conversation: str, message: bytes, offered: Offered) -> None:
        self.offered.append((conversation, message, offered))
        for other in self.others:
            if other.me in self.members(conversation):
                label = self.named(conversation, other.me)
                await other.files.heard(record_of(label, self.me, message, offered, time.time()))

    def members(self, conversation: str) -> list[str]:
        if conversation.startswith("@"):
            return [conversation[1:]]
        return [handle for handle in self.circle.get(conversation, []) if handle != self.me]

    def records(self) -> list[FileRecord]:
        return list(self.files._records)

    async def withdraw(self, message: bytes, why: str) -> None:
        """The line of an offer is taken back, for everybody."""
        for one in (self, *self.others):
            one.ends[message] = (0.0, why)
            for conversation in {record.conversation for record in one.records()}:
                await one.files.changed(conversation, message)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Filer]:
        try:
            async with asyncio.TaskGroup() as group:
                self.peers = Peers(
                    self.me,
                    dial=self._dial,
                    find=self._find,
                    spawn=group.create_task,
                    put=self._put,
                    drained=lambda _: self.files.drained(),
                    tell=self.notices.append,
                    jitter=lambda: 0.0,
                )
                self.files = Files(
                    self.me,
                    self.home,
                    self.store,
                    self.between(self.peers),
                    Conversations(self.say, self.members, lambda record: self.ends.get(record.message, (inf, ""))),
                    lambda notice: self.tell(notice),
                    self.limits,
                    clock=time.time,
                )
                context = usual(self.me, server=True)
                listener = await listen("127.0.0.1", 0, lambda: context, Verifier(), LinkLimits(), self.peers)
                self.address = "{}:{}".format(*listener.address)
                running = group.create_task(self.files.run())
                await asyncio.sleep(0)
                try:
                    yield self
                finally:
                    listener.close()
                    self.peers.close()
                    running.cancel()
        finally:
            await asyncio.sleep(0.05)  # farewells

    async def _dial(self, address: str, handle: str) -> LinkStream:
        host, _, port = address.rpartition(":")
        return await dial(host, int(port), usual(self.me, server=False), Verifier(handle), LinkLimits(), self.peers)

    async def _find(self, handle: str) -> str:
        del handle
        raise LocalError("there is no directory here")

    def _put(self, event: Event) -> None:
        match event:
            case Arrived(peer, frame) if isinstance(frame, FileFrame):
                self.files.arrived(peer, frame)
            case Linked(peer):
                self.files.linked(peer)
            case Unlinked(peer):
                self.files.unlinked(peer)

    # What tests do.

    def told(self, kind: type[N]) -> list[N]:
        return [notice for notice in self.notices if isinstance(notice, kind)]

    async def until(self, true: Callable[[], object], patience: float = PATIENCE) -> None:
        async with asyncio.timeout(patience):
            while not true():  # noqa: ASYNC110 - what it waits for happens in many places
                await asyncio.sleep(0.005)

    def meets(self, *others: Filer) -> None:
        for other in others:
            self.peers.at(other.me, other.address)
            other.peers.at(self.me, self.address)
            self.others.append(other)
            other.others.append(self)

    async def links(self, *others: Filer) -> None:
        for other in others:
            self.peers.want(other.me, True)
            await self.until(partial(self._sees, other))

    def _sees(self, other: Filer) -> bool:
        return other.me in self.peers.linked() and self.me in other.peers.linked()

    async def offer(self, to: str, path: Path) -> dict[str, Any]:
        return await self.files.serve(ask.FileOffer(to, str(path)))

    async def accept(self, shown: dict[str, Any] | bytes, into: Path | None = None) -> dict[str, Any]:
        digits = shown.hex() if isinstance(shown, bytes) else shown["id"]
        return await self.files.serve(ask.FileAccept(digits, str(into or self.into)))

    async def list(self) -> list[dict[str, Any]]:
        files: list[dict[str, Any]] = (await self.files.serve(ask.FileList()))["files"]
        return files

    async def fetched(self, count: int = 1, patience: float = PATIENCE) -> Path:
        """Where the last file is, once ``count`` are done."""
        await self.until(lambda: len(self.told(FileDone)) >= count or self.told(FileFailed), patience)
        assert not self.told(FileFailed), self.told(FileFailed)
        return Path(self.told(FileDone)[-1].path)


@asynccontextmanager
async def filers(*all_of_them: Filer) -> AsyncIterator[None]:
    """All of them running, each knowing where the others are; nobody linked yet."""
    async with AsyncExitStack() as stack:
        for one in all_of_them:
            await stack.enter_async_context(one.running())
        for at, one in enumerate(all_of_them):
            one.meets(*all_of_them[:at])
        yield
