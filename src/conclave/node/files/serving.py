"""Sending files that are here to peers that ask: read, seal and check on a thread, send while the link takes it.

Two turns are under way at once, so that the disk works while the link does. A link that is slow gets nothing until it
has drained, so that a file never waits ahead of words by more than a turn. Left out: whose turn it is
(``files.sending``), which files are here (``node.files.filing``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from conclave.errors import ConclaveError, LocalError, Refused, VerificationError
from conclave.files.limits import FileLimits
from conclave.files.record import FileRecord
from conclave.files.sending import Turn, Uploads
from conclave.files.tree import LeafList, check_leaves
from conclave.node.files import disk
from conclave.values import dataclass
from conclave.wire.files import DIGEST_BYTES, Ask, Lack, Leaves, Part, Why
from conclave.wire.frames import encode_chunk, encode_frame

log = logging.getLogger(__name__)

TURNS = 2
"""Turns under way at once."""
OPEN_FILES = 8
"""Files that are kept open between turns."""
IDLE_SECONDS = 5.0
"""After so long without a turn all are closed."""

OnThread = Callable[..., Awaitable[Any]]
"""``on_thread(function, *arguments)``: its result, worked out on a thread."""


class Sender(Protocol):
    """What is needed of links to send: ``node.peers.Peers``."""

    def send(self, peer: str, frame: bytes) -> None:
        """Hand an encoded frame to the link of ``peer``; without one it is dropped."""

    def slow(self, peer: str) -> bool:
        """Whether enough waits to leave for ``peer`` already."""


@dataclass(slots=True)
class _Open:
    record: FileRecord
    descriptor: int
    leaves: LeafList
    tags: bytes
    users: int = 0
    stale: bool = False

    def close_unless_used(self) -> None:
        if not self.users and self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class Serving:
    """Uploads of one node. ``find`` gives a file that is here by its root, if ``peer`` may have it.

    ``changed`` is told of a file that is not what was offered any more.
    """

    def __init__(
        self,
        links: Sender,
        limits: FileLimits,
        find: Callable[[str, bytes], FileRecord | None],
        leaves_path: Callable[[FileRecord], Path],
        on_thread: OnThread,
        clock: Callable[[], float],
        changed: Callable[[FileRecord], Awaitable[None]],
    ) -> None:
        self._links = links
        self._uploads = Uploads(limits)
        self._find = find
        self._leaves_path = leaves_path
        self._on_thread = on_thread
        self._clock = clock
        self._open: OrderedDict[bytes, _Open] = OrderedDict()
        self._opening = asyncio.Lock()
        self._stirred = asyncio.Event()
        self._changed = changed

    def asked(self, peer: str, ask: Ask) -> None:
        """A peer asks for a part of a file."""
        record = self._find(peer, ask.root)
        if record is None:
            self._links.send(peer, encode_frame(Lack(ask.root, Why.UNKNOWN)))
            return
        try:
            self._uploads.asked(peer, ask, record.offered.chunks, self._clock())
        except Refused:
            self._links.send(peer, encode_frame(Lack(ask.root, Why.BUSY)))
        self._stirred.set()

    def drained(self) -> None:
        """A link has room again."""
        self._stirred.set()

    def lost(self, peer: str) -> None:
        """The link to a peer ended."""
        self._uploads.lost(peer)

    def forget(self, root: bytes) -> None:
        """A file is not to be sent any more."""
        self._uploads.ended(root)
        if (held := self._open.pop(root, None)) is not None:
            held.stale = True
            held.close_unless_used()

    async def run(self) -> None:
        """Send, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(TURNS):
                    tasks.create_task(self._turns())
        finally:
            for held in self._open.values():
                held.close_unless_used()
            self._open.clear()

    async def _turns(self) -> None:
        while True:
            turn = self._uploads.turn(lambda peer: not self._links.slow(peer), self._clock())
            if turn is not None:
                await self._serve(turn)
                continue
            self._stirred.clear()
            held_back = self._uploads.wait(self._clock())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS if held_back is None else held_back):
                    await self._stirred.wait()
                    continue
            if held_back is None:
                for root in [root for root, held in self._open.items() if not held.users]:
                    self._open.pop(root).close_unless_used()

    async def _serve(self, turn: Turn) -> None:
        try:
            held = await self._opened(turn)
            held.users += 1
            try:
                frames = await self._on_thread(_frames, held, turn)
            finally:
                held.users -= 1
                if held.stale:
                    held.close_unless_used()
        except ConclaveError as error:
            log.info("%s: not sent to %s: %s", turn.root.hex()[:8], turn.peer, error)
            self.forget(turn.root)
            if (record := self._find(turn.peer, turn.root)) is not None:
                await self._changed(record)
            self._links.send(turn.peer, encode_frame(Lack(turn.root, Why.CHANGED)))
            return
        except Exception:  # a fault of ours costs this turn, not the node
            log.exception("a turn of %s was not sent", turn.root.hex()[:8])
            return
        for frame in frames:
            self._links.send(turn.peer, frame)

    async def _opened(self, turn: Turn) -> _Open:
        async with self._opening:
            held = self._open.get(turn.root)
            if held is None:
                record = self._find(turn.peer, turn.root)
                if record is None:
                    raise LocalError("it is not here any more")
                held = await self._on_thread(_open, record, self._leaves_path(record))
                self._open[turn.root] = held
                while len(self._open) > OPEN_FILES:
                    _, oldest = self._open.popitem(last=False)
                    oldest.stale = True
                    oldest.close_unless_used()
            self._open.move_to_end(turn.root)
            return held


def _open(record: FileRecord, leaves_path: Path) -> _Open:
    """The file, its leaves and tags; made again from the file where they are not kept. Raises ``ConclaveError``."""
    path = Path(record.path)
    descriptor = disk.open_regular(path)
    try:
        offered = record.offered
        joined, tags = disk.kept_leaves(leaves_path, offered.chunks)
        try:
            leaves = check_leaves(joined, offered.root, offered.chunks)
        except VerificationError:
            with disk.told(path):
                joined, tags = disk.leaves_of(descriptor, offered)
            leaves = check_leaves(joined, offered.root, offered.chunks)
            disk.keep_leaves(leaves_path, joined, tags)
    except BaseException:
        os.close(descriptor)
        raise
    return _Open(record, descriptor, leaves, tags)


def _frames(held: _Open, turn: Turn) -> list[bytes]:
    if turn.part is Part.LEAVES:
        end = turn.first + turn.count
        hashes = held.leaves.joined[turn.first * DIGEST_BYTES : end * DIGEST_BYTES]
        return [encode_frame(Leaves(turn.root, turn.first, hashes))]
    with disk.told(Path(held.record.path)):
        offered = held.record.offered
        chunks = disk.sealed_chunks(held.descriptor, offered, held.leaves, held.tags, turn.first, turn.count)
    return [encode_chunk(turn.root, number, sealed) for number, sealed in chunks]
