"""Every file that is on its way to us: begun, stopped, taken up again after a restart; what comes of it is told.

A record is committed before anything is told for its sake. Left out: one file's way here (``node.files.fetching``),
and which files are wanted (``node.files.filing``).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from conclave.errors import ConclaveError, LocalError, StorageError
from conclave.files.limits import FileLimits
from conclave.files.record import FileRecord, Stage
from conclave.node.files import disk
from conclave.node.files.fetching import Download
from conclave.node.files.part import PartFile, part_of
from conclave.node.files.ports import FileLinks
from conclave.node.files.records import ON_THE_WAY, Records
from conclave.node.files.serving import OnThread
from conclave.node.notices import FileDone, FileFailed, FileProgress, Notice, Trouble
from conclave.values import replace
from conclave.wire.files import Chunk, Lack, Leaves

log = logging.getLogger(__name__)

REACHED = 8
"""Others whom a file is asked of besides its sender are dialled so many at a time,"""
REACHED_MOST = 32
"""so many at most, since a lobby may have a thousand members,"""
REACH_FIRST_SECONDS = 3.0
"""the first ones after so long,"""
REACH_SECONDS = 30.0
"""and the next ones after so long without the whole file."""
TELL_SECONDS = 0.2
"""Progress of one file is told at most so often."""


class Downloads:
    """All files under way. Called on the loop's thread only.

    ``others(conversation)`` is everybody else who is in it now; of nobody else its files are taken. ``spawn`` runs a
    task for as long as the node does.
    """

    def __init__(
        self,
        me: str,
        records: Records,
        links: FileLinks,
        others: Callable[[str], Collection[str]],
        tell: Callable[[Notice], None],
        limits: FileLimits,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        on_thread: OnThread,
    ) -> None:
        self._me = me
        self._records = records
        self._links = links
        self._others = others
        self._tell = tell
        self._limits = limits
        self._spawn = spawn
        self._on_thread = on_thread
        self._clock = asyncio.get_running_loop().time
        self._downloads: dict[bytes, Download] = {}
        self._tasks: dict[bytes, asyncio.Task[None]] = {}
        self._told: dict[bytes, float] = {}
        self._places = asyncio.Semaphore(limits.downloads)

    # What the links tell.

    def arrived(self, peer: str, frame: Leaves | Chunk | Lack) -> None:
        """A frame of a file came in."""
        for name, download in self._downloads.items():
            if download.fetch.offered.root == frame.root:  # from whom it is taken, the fetch knows
                pair = isinstance(frame, Lack) and len(self._others(self._records[name].conversation)) == 1
                download.arrived(peer, frame, last_hope=pair)

    def found(self, peer: str) -> None:
        """A link is open."""
        for name, download in self._downloads.items():
            if peer in self._others(self._records[name].conversation):
                download.found(peer)

    def lost(self, peer: str) -> None:
        """A link ended."""
        for download in self._downloads.values():
            download.lost(peer)

    # What is wanted.

    async def take_up(self) -> None:
        """Fetch what was accepted before a restart, and remove what was left of what is whole."""
        for record in self._records:
            if record.stage in ON_THE_WAY:
                self.start(record)
            elif record.stage is Stage.HERE and record.sender != self._me:
                with suppress(StorageError):  # an earlier life may not have come to it
                    await self.discard(record)

    def start(self, record: FileRecord) -> None:
        """Fetch a file to the path of its record."""
        task = self._tasks[record.id] = self._spawn(self._fetch(record))
        task.add_done_callback(lambda _: self.running(record) or self._tasks.pop(record.id, None))

    def running(self, record: FileRecord) -> bool:
        """Whether a file is being fetched."""
        return record.id in self._tasks and not self._tasks[record.id].done()

    def of(self, record: FileRecord) -> Download | None:
        """A file's way here; None where it is not under way."""
        return self._downloads.get(record.id)

    async def stop(self, record: FileRecord) -> bool:
        """Remove what is on disk of a file that is not whole; whether it was being fetched."""
        running = self.running(record)
        if running:
            if (download := self._downloads.get(record.id)) is not None:
                download.part.stop()
            self._tasks[record.id].cancel()
            await asyncio.wait([self._tasks[record.id]])
        record = self._records[record.id]
        if record.stage in ON_THE_WAY or record.stage is Stage.FAILED:
            await self.discard(record)
        return running

    async def discard(self, record: FileRecord) -> None:
        """Remove what is on disk of a file under way. Raises ``StorageError``."""
        await self._on_thread(part_of(record).discard)

    def end(self) -> None:
        """The node ends: no thread works on a file any more."""
        for download in self._downloads.values():
            download.part.stop()

    # Fetching.

    async def _fetch(self, record: FileRecord) -> None:
        part = part_of(record)
        try:
            placed = await self._on_thread(_placed, record)
            path = placed or await self._download(record, part)
            await self._records.keep(replace(self._records[record.id], stage=Stage.HERE, path=str(path)))
            with suppress(StorageError):  # a second name of the same file: the next start tries again
                await self._on_thread(part.discard)
        except ConclaveError as error:
            await self._failed(record, error)
        except Exception as error:  # a fault of ours, or of the disk's: it costs this file, not the node
            log.exception("%s was not fetched", record.id.hex()[:8])
            await self._failed(record, LocalError(f"by a fault of the program: {error}", remedy="see its log"))
        else:
            self._tell(FileDone(record.conversation, record.id, record.offered.name, str(path)))

    async def _download(self, record: FileRecord, part: PartFile) -> Path:
        download = self._downloads[record.id] = Download(
            record.offered,
            part,
            self._records.leaves_path(record),
            self._links,
            self._limits,
            self._places,
            self._on_thread,
            self._clock,
            lambda done: self._progressed(record, done),
            lambda peer, text: self._tell(Trouble(peer, f"{record.offered.name}: {text}")),
        )
        try:
            others = self._others(record.conversation)
            for peer in set(others) & set(self._links.linked()):
                download.found(peer)
            begun = record.path if record.stage is Stage.PLACING else ""
            reaching = self._spawn(self._reach(record, others))
            try:
                return await download.run(begun, lambda path: self._placing(record, path))
            finally:
                reaching.cancel()
        finally:
            del self._downloads[record.id]
            self._told.pop(record.id, None)

    async def _reach(self, record: FileRecord, others: Collection[str]) -> None:
        """Have links dialled: to the sender, then, if the file does not come, to others in an order of our own."""
        if record.sender in others:
            self._links.want(record.sender, True)
        rest = sorted(
            set(others) - {record.sender}, key=lambda peer: sha256(record.id + f"{self._me} {peer}".encode()).digest()
        )
        for at in range(0, min(len(rest), REACHED_MOST), REACHED):
            await asyncio.sleep(REACH_SECONDS if at else REACH_FIRST_SECONDS)
            for peer in rest[at : at + REACHED]:
                self._links.want(peer, True)

    def _placing(self, record: FileRecord, path: Path) -> None:
        """Note the name that was taken for a file. Runs on a thread."""
        self._records.commit(replace(record, stage=Stage.PLACING, path=str(path)))

    async def _failed(self, record: FileRecord, error: ConclaveError) -> None:
        why = str(error)
        with suppress(StorageError):  # it is taken up again with the next start
            if await self._on_thread(part_of(record).path.is_file):
                why += f"; what came of it is kept: conclave fetch {record.id.hex()[:8]} --cancel removes it"
            await self._records.keep(replace(self._records[record.id], stage=Stage.FAILED, why=why))
        name = record.offered.name
        self._tell(FileFailed(record.conversation, record.id, name, why, error.remedy))

    def _progressed(self, record: FileRecord, done: int) -> None:
        now = self._clock()
        if now >= self._told.get(record.id, 0.0) + TELL_SECONDS or done == record.offered.size:
            self._told[record.id] = now
            offered = record.offered
            self._tell(FileProgress(record.conversation, record.id, offered.name, done, offered.size))


def _placed(record: FileRecord) -> Path | None:
    """Where an earlier life moved the whole file, on a disk without hard links. Runs on a thread."""
    path = Path(record.path)
    if record.stage is not Stage.PLACING or not path.is_file():
        return None
    descriptor = disk.open_regular(path)
    try:
        whole = disk.is_whole(descriptor, record.offered)
    finally:
        os.close(descriptor)
    return path if whole else None
