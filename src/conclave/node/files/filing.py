"""The node's files: what is offered and fetched, remembered in the store, sent and taken over the links.

The conversation is a port of three functions (``Conversations``); the links are those of the node. Records are
committed before anything is sent or told for their sake. Left out: fetching (``node.files.downloads``), sending
(``node.files.serving``), the disk (``node.files.disk``).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from conclave.errors import LocalError, NotReady, Refused, StorageError
from conclave.files.limits import FileLimits
from conclave.files.offer import KEY_BYTES
from conclave.files.record import FileRecord, Stage
from conclave.node.files import commands as ask
from conclave.node.files import disk
from conclave.node.files.downloads import Downloads
from conclave.node.files.ports import Conversations, FileLinks
from conclave.node.files.records import Records
from conclave.node.files.serving import Serving
from conclave.node.files.standing import Standing
from conclave.node.files.views import CHANGED, shown
from conclave.node.notices import FileFailed, FileListed, FileProgress, Notice, Trouble
from conclave.node.pause import unbroken
from conclave.store.ports import PeerStore
from conclave.values import replace
from conclave.wire.files import Ask, FileFrame
from conclave.wire.limits import ID_BYTES

THREADS = 6
"""Two that read for others, and for each download by default one that writes, or waits for a slow disk."""
KEPT_BYTES = 8 << 20
"""Freed memory that may stay ours. The C library keeps as much as the largest block that was ever freed (mallopt(3),
M_TRIM_THRESHOLD); what the chunks of one turn lie in it would give back, and get anew for the next, page by page."""


class Files:
    """All files of one node. Called on the loop's thread only; ``run`` must be running."""

    def __init__(
        self,
        me: str,
        home: Path,
        store: PeerStore,
        links: FileLinks,
        conversations: Conversations,
        tell: Callable[[Notice], None],
        limits: FileLimits,
        *,
        clock: Callable[[], float],
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._me = me
        self._links = links
        self._conversations = conversations
        self._tell = tell
        self._limits = limits
        self._clock = clock
        self._random = random
        self._deciding = asyncio.Lock()  # what becomes of a file is said by one at a time
        self._ending = self._ended = False
        self._pool = ThreadPoolExecutor(THREADS, "files", initializer=lambda: bytes(KEPT_BYTES))
        self._loop = asyncio.get_running_loop()
        self._records = Records(store, home / "files", self._on_thread)
        find, leaves = self._served, self._records.leaves_path
        self._standing = Standing(conversations.until, self._on_thread, clock, self._withdraw)
        self._serving = Serving(links, limits, find, leaves, self._on_thread, self._loop.time, self._found_changed)
        others, spawn = conversations.others, self._spawn
        self._downloads = Downloads(me, self._records, links, others, tell, limits, spawn, self._on_thread)

    async def run(self) -> None:
        """Send what is asked for, fetch what was accepted before a restart; until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self._downloads.take_up()
                for record in self._records:
                    with suppress(StorageError):  # the next start looks again
                        await self._standing.look(record)
                self._spawn(self._standing.run())
                try:
                    await self._serving.run()
                finally:
                    self._ending = True
                    self._downloads.end()
        finally:
            self._ended = True
            self._pool.shutdown(wait=True)

    # What the links tell.

    def arrived(self, peer: str, frame: FileFrame) -> None:
        """A frame of files came in."""
        if isinstance(frame, Ask):
            self._serving.asked(peer, frame)
        else:
            self._downloads.arrived(peer, frame)

    def linked(self, peer: str) -> None:
        """A link is open."""
        self._downloads.found(peer)

    def unlinked(self, peer: str) -> None:
        """A link ended."""
        self._serving.lost(peer)
        self._downloads.lost(peer)

    def drained(self) -> None:
        """A slow link has room again."""
        self._serving.drained()

    # What the conversation tells.

    async def heard(self, record: FileRecord) -> None:
        """An offer arrived (``files.record.record_of``). The same one again changes nothing."""
        if record.id in self._records or record.sender == self._me:
            return
        try:
            async with self._deciding:  # what gives way is not fetched again meanwhile
                await self._records.make_room(record.conversation, record.sender, self._limits.offers)
        except LocalError as error:
            await self._records.forget(record)  # it came with its line, and would be here again at the next start
            self._tell(Trouble(record.sender, f"{record.offered.name} is not taken note of: {error}"))
            return
        await self._records.keep(record)
        if await self._standing.look(record):
            offered = record.offered
            self._tell(FileListed(record.conversation, record.id, record.sender, offered.name, offered.size))

    def offered_in(self, message: bytes) -> bool:
        """Whether a file is known that was offered in a message of that id."""
        return bool(self._records.offered_in(message))

    async def changed(self, conversation: str, message: bytes) -> None:
        """The line of a message is another: an offer that was taken back stands no more. Raises ``StorageError``."""
        for record in self._records.offered_in(message):
            if record.conversation == conversation:
                await self._standing.look(record)

    async def _withdraw(self, record: FileRecord, why: str) -> None:
        """An offer is none any more: it is neither fetched nor served. What was fetched stays where it is."""
        async with self._deciding:
            running = record.id in self._records and await self._downloads.stop(record)
            whole = record.id in self._records and self._records[record.id].stage is Stage.HERE
            await self._records.forget(record)
            self._serving.forget(record.offered.root)
        if running and not whole:
            remedy = "ask for it to be offered again"
            self._tell(FileFailed(record.conversation, record.id, record.offered.name, why, remedy))

    async def _found_changed(self, record: FileRecord) -> None:
        """A file that was asked for is not what was offered any more: so it is shown until it is written again."""
        written = await self._on_thread(disk.written_at, Path(record.path))
        async with self._deciding:
            if record.id in self._records:
                with suppress(StorageError):  # who asks for it next has it noted
                    await self._records.keep(replace(self._records[record.id], changed=written))

    # What fronts ask.

    async def serve(self, command: ask.FileCommand) -> dict[str, Any]:
        """The answer to a command. Raises ``ConclaveError``. A conversation's name must have been checked."""
        match command:
            case ask.FileOffer():
                return await self._offer(command.to, Path(command.path))
            case ask.FileList():
                return {"files": await self._list(command.conversation)}
            case ask.FileAccept(name, into, conversation):
                async with self._deciding:
                    return await self._accept(self._records.named(name, conversation), Path(into))
            case ask.FileCancel(name, conversation):
                async with self._deciding:
                    return await self._cancel(self._records.named(name, conversation))

    async def _list(self, conversation: str) -> list[dict[str, Any]]:
        ours = [record for record in self._records if record.sender == self._me and record.stage is Stage.HERE]
        changed = await asyncio.to_thread(_changed, ours)  # the files' own threads may have gigabytes to read
        wanted = [record for record in self._records if conversation in ("", record.conversation)]
        wanted.sort(key=lambda each: each.at)
        return [self._shown(record) | (CHANGED if record.id in changed else {}) for record in wanted]

    async def _offer(self, conversation: str, path: Path) -> dict[str, Any]:
        if not path.is_absolute():
            raise LocalError(f"{path} is no absolute path")
        message = self._random(ID_BYTES)
        progress: Callable[[int, int], None] = lambda done, size: self._read(  # noqa: E731
            conversation, message, path.name, done, size
        )
        offered, *kept = await self._on_thread(disk.read_offered, path, self._random(KEY_BYTES), progress)
        record = FileRecord(conversation, self._me, message, offered, self._clock(), Stage.HERE, str(path))
        await self._on_thread(disk.keep_leaves, self._records.leaves_path(record), *kept)
        async with self._deciding:
            await self._records.make_room(conversation, self._me, self._limits.offers)
        await self._records.keep(record)
        try:
            await self._conversations.say(conversation, message, offered)
        except BaseException:
            await self._records.forget(record)
            raise
        shown = self._shown(record)
        await self._standing.look(record)
        return shown

    async def _accept(self, record: FileRecord, folder: Path) -> dict[str, Any]:
        offered = record.offered
        if record.sender == self._me:
            raise LocalError(f"{offered.name} is your own: it is at {record.path}")
        if self._downloads.running(record):
            return self._shown(record)
        if record.stage is Stage.HERE and await self._on_thread(Path(record.path).is_file):
            raise LocalError(f"{offered.name} is here already: {record.path}")
        if offered.size > self._limits.largest_bytes:
            raise Refused(
                f"{offered.name} has {offered.size} bytes, at most {self._limits.largest_bytes} are fetched",
                reason="too-large",
                remedy="raise files.largest_bytes in the settings",
            )
        if not await self._on_thread(folder.is_dir):
            raise LocalError(f"there is no folder {folder}", remedy="make it first, or --into another one")
        if not folder.is_absolute() or not await self._on_thread(_writable, folder):
            raise LocalError(f"{folder} is no folder that can be written to", remedy="--into DIR")
        if record.path and Path(record.path).parent != folder:  # what an earlier attempt left elsewhere
            with suppress(StorageError):
                await self._downloads.discard(record)
        record = replace(record, stage=Stage.FETCHING, path=str(folder / offered.name), why="")
        await self._records.keep(record)
        self._downloads.start(record)
        return self._shown(record)

    async def _cancel(self, record: FileRecord) -> dict[str, Any]:
        running = await self._downloads.stop(record)
        record = self._records[record.id]
        if record.stage is Stage.HERE and record.sender != self._me:
            raise LocalError(f"{record.offered.name} is here already: {record.path}", remedy="remove it yourself")
        why = "taken back" if record.sender == self._me else ""
        record = replace(record, stage=Stage.CANCELLED, why=why)
        await self._records.keep(record)
        self._serving.forget(record.offered.root)
        await self._records.drop_leaves(record)
        if running:
            self._tell(FileFailed(record.conversation, record.id, record.offered.name, "cancelled", ""))
        return self._shown(record)

    def _read(self, conversation: str, message: bytes, name: str, done: int, size: int) -> None:
        """Tell how far a file to be offered was read. Called on a thread. Raises ``LocalError`` as the node ends."""
        if self._ending:
            raise NotReady("the node is ending: nothing was offered", remedy="start it again: conclave up")
        self._loop.call_soon_threadsafe(self._tell, FileProgress(conversation, message, name, done, size))

    def _served(self, peer: str, root: bytes) -> FileRecord | None:
        """A file that is here, from a conversation that ``peer`` is in."""
        here = self._records.here(root)
        return next((each for each in here if peer in self._conversations.others(each.conversation)), None)

    def offered(self, conversation: str, sender: str, message: bytes) -> FileRecord | None:
        """What a line of the kind *file* offers; None where that is not known here (yet)."""
        wanted = conversation, sender, message
        return next((one for one in self._records if (one.conversation, one.sender, one.message) == wanted), None)

    def _shown(self, record: FileRecord) -> dict[str, Any]:
        record = self._records[record.id]
        return shown(record, self._downloads.of(record), self._conversations.others(record.conversation))

    # Threads and tasks.

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._group.create_task(work)

    async def _on_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Its result, ``unbroken``."""
        if self._ended:
            raise StorageError("the node is ending: the next start looks at it again")
        return await unbroken(self._loop.run_in_executor(self._pool, function, *arguments))


def _changed(records: Sequence[FileRecord]) -> set[bytes]:
    """Of offered files, which are not there, of another size, or as they were when found to be other ones."""
    return {
        record.id
        for record in records
        if not _is_there(path := Path(record.path), record.offered.size)
        or (record.changed and disk.written_at(path) == record.changed)
    }


def _is_there(path: Path, size: int) -> bool:
    try:
        return path.is_file() and path.stat().st_size == size
    except OSError:
        return False


def _writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
