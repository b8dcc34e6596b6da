"""One file being fetched: what ``files.receiving`` wants is asked, what arrives is checked and written on a thread.

It can be cancelled or killed at any point: what is on disk counts by its hashes when it is taken up again. Left out:
which files are fetched, and what is remembered of them (``node.files.downloads``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from itertools import count, takewhile
from pathlib import Path

from conclave.errors import Refused, StorageError, VerificationError
from conclave.files.limits import FileLimits
from conclave.files.offer import Offered, check_chunk, open_sealed
from conclave.files.receiving import Fetch
from conclave.files.tree import check_leaves
from conclave.node.files import disk
from conclave.node.files.part import PartFile
from conclave.node.files.serving import OnThread, Sender
from conclave.wire.files import Chunk, Lack, Leaves, Why
from conclave.wire.frames import encode_frame

log = logging.getLogger(__name__)

BATCH_CHUNKS = 16
"""Chunks that are checked and written in one go on the thread."""
FLUSH_CHUNKS = 1024
"""After so many (64 MiB) the disk is told to keep them, while more arrive."""

_Arrived = tuple[str, int, bytes, bytes]
"""Peer, number, leaf, sealed."""


class Download:
    """One file on its way to us. ``moved`` is called when more of it is kept, ``accuse`` when a source lied.

    It takes one of ``places`` while it has somebody to ask; without, it waits for a source and lets others go ahead.
    """

    def __init__(
        self,
        offered: Offered,
        part: PartFile,
        leaves_path: Path,
        links: Sender,
        limits: FileLimits,
        places: asyncio.Semaphore,
        on_thread: OnThread,
        clock: Callable[[], float],
        moved: Callable[[int], None],
        accuse: Callable[[str, str], None],
    ) -> None:
        self.part = part
        self.fetch = Fetch(offered, limits)
        self._offered = offered
        self._leaves_path = leaves_path
        self._links = links
        self._limits = limits
        self._places = places
        self.placed = False
        """Whether it has one of the places."""
        self._on_thread = on_thread
        self._clock = clock
        self._moved = moved
        self._accuse = accuse
        self._chunks: list[_Arrived] = []
        self._list: bytes | None = None  # leaves that wait to be checked
        self._stirred = asyncio.Event()
        self._flushing: asyncio.Future[None] | None = None
        self._unflushed = 0
        self._hopeless = ""

    # What the links tell.

    def found(self, peer: str) -> None:
        """A peer that may have the file is linked."""
        self.fetch.found(peer, self._clock())
        self._stirred.set()

    def lost(self, peer: str) -> None:
        """The link to a peer ended."""
        self.fetch.lost(peer)
        self._stirred.set()

    def arrived(self, peer: str, frame: Leaves | Chunk | Lack, *, last_hope: bool = False) -> None:
        """A frame for this file came; after a *changed* of its ``last_hope`` it will never come."""
        now = self._clock()
        match frame:
            case Chunk():
                leaf = self.fetch.chunk_arrived(peer, frame, now)
                if leaf is not None:
                    self._chunks.append((peer, frame.number, leaf, frame.sealed))
            case Leaves():
                self._list = self.fetch.leaves_arrived(peer, frame, now) or self._list
            case Lack() if peer in self.fetch.sources:
                self.fetch.lacked(peer, frame.why, now)
                if last_hope and frame.why is Why.CHANGED:
                    self._hopeless = f"{peer} has changed or removed it since"
        self._stirred.set()

    # What is done.

    async def run(self, begun: str, beginning: Callable[[Path], None]) -> Path:
        """Fetch what is missing and put the file in its place. Raises ``ConclaveError`` where that cannot be.

        ``begun`` and ``beginning`` are those of ``PartFile.place``.
        """
        try:
            await self._take_place()
            await self._on_thread(self.part.open, self._limits.keep_free_bytes)
            await self._take_up()
            while not self.fetch.whole:
                if self.fetch.awake(self._clock()):
                    await self._take_place()
                    self._ask()
                else:
                    self._leave_place()
                await self._rest()
                self.fetch.tick(self._clock())
                if self._list is not None:
                    await self._check_list()
                while self._chunks:
                    batch, self._chunks = self._chunks[:BATCH_CHUNKS], self._chunks[BATCH_CHUNKS:]
                    await self._keep(batch)
                    self._ask()
                if self._hopeless:
                    raise Refused(self._hopeless, reason="changed", remedy="ask for it to be offered again")
            await self._keep_tags()
            try:
                return await self._on_thread(self.part.place, begun, beginning)  # type: ignore[no-any-return]
            except VerificationError as error:
                raise _of_no_file(error) from error
        finally:
            if self._flushing is not None:
                with suppress(BaseException):
                    await asyncio.shield(self._flushing)
            self.part.close()
            self._leave_place()

    async def _take_place(self) -> None:
        if not self.placed:
            await self._places.acquire()
            self.placed = True

    def _leave_place(self) -> None:
        if self.placed:
            self.placed = False
            self._places.release()

    async def _take_up(self) -> None:
        offered = self._offered
        joined, _ = await self._on_thread(disk.kept_leaves, self._leaves_path, offered.chunks)
        if not offered.chunks or joined:
            try:
                leaves = check_leaves(joined, offered.root, offered.chunks)
            except VerificationError:
                if not offered.chunks:
                    raise Refused("the offer is of no file", reason="wrong-key") from None
                return
            kept = await self._on_thread(self.part.kept, leaves)
            self.fetch.trust(leaves, kept)
            self._moved(self.fetch.kept_bytes)

    async def _check_list(self) -> None:
        joined, self._list = self._list or b"", None
        source = self.fetch.checking
        try:
            leaves = await self._on_thread(check_leaves, joined, self._offered.root, self._offered.chunks)
        except VerificationError as error:
            self.fetch.mistrust()
            self._accuse(source, str(error))
            return
        await self._on_thread(disk.keep_leaves, self._leaves_path, joined)
        self.fetch.trust(leaves, await self._on_thread(self.part.kept, leaves))

    async def _keep(self, batch: list[_Arrived]) -> None:
        for peer, number, error in await self._on_thread(_write, self.part, self._offered, batch):
            if error is None:
                self.fetch.kept(number)
            elif error.reason == "wrong-key":
                raise _of_no_file(error)
            else:
                self.fetch.wrong(peer, number)
                self._accuse(peer, str(error))
        self._moved(self.fetch.kept_bytes)
        self._unflushed += len(batch)
        if self.fetch.whole:
            return  # what is opened next is flushed itself
        if self._unflushed >= FLUSH_CHUNKS and (self._flushing is None or self._flushing.done()):
            if self._flushing is not None:
                self._flushing.result()  # a disk that fails says so here
            self._unflushed = 0
            self._flushing = asyncio.ensure_future(self._on_thread(self.part.flush))

    async def _keep_tags(self) -> None:
        if self.fetch.leaves is not None:
            with suppress(StorageError):  # without them it is passed on by its leaves
                joined, tags = self.fetch.leaves.joined, self.part.tags
                await self._on_thread(disk.keep_leaves, self._leaves_path, joined, tags)

    def _ask(self) -> None:
        for peer, ask in self.fetch.asks(self._clock()):
            self._links.send(peer, encode_frame(ask))

    async def _rest(self) -> None:
        if self._chunks or self._list is not None:
            return
        due = self.fetch.timer()
        try:
            async with asyncio.timeout(None if due is None else max(0.01, due - self._clock())):
                await self._stirred.wait()
        except TimeoutError:
            pass
        self._stirred.clear()


def _of_no_file(error: VerificationError) -> Refused:
    return Refused(str(error), reason="wrong-key", remedy="ask for it to be offered again")


def _write(
    part: PartFile, offered: Offered, batch: list[_Arrived]
) -> list[tuple[str, int, VerificationError | None]]:
    done: list[tuple[str, int, VerificationError | None]] = []
    good: dict[int, bytes] = {}
    for peer, number, leaf, sealed in batch:
        try:
            check_chunk(offered, number, leaf, sealed)
            if not done:  # a wrong key shows early; all are opened in the end
                open_sealed(offered, number, sealed)
        except VerificationError as error:
            done.append((peer, number, error))
        else:
            good[number] = sealed
            done.append((peer, number, None))
    for first in sorted(number for number in good if number - 1 not in good):
        part.write(first, [good[number] for number in takewhile(good.__contains__, count(first))])
    return done
