"""Until when offers stand: as long as the lines that they were said in, which may be taken back, or disappear.

Who says something else under the name of an offer has taken it back too.

Left out: what becomes of a file whose offer stands no more (``node.files.filing``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf

from conclave.chat.words.content import Offer
from conclave.chat.words.line import LineKind
from conclave.chat.words.originals import said_in
from conclave.errors import DecodeError, StorageError
from conclave.files.offer import read_offer
from conclave.files.record import FileRecord
from conclave.node.files.serving import OnThread
from conclave.store.ports import PeerStore

TIME_IS_OVER = "the time that it was offered for is over"
LOOK_SECONDS = 30.0
"""So long at most is slept until a time is over: a clock may jump, and a machine sleep."""

Until = Callable[[FileRecord], tuple[float, str]]
"""Until when (UNIX seconds; ``inf`` for good) an offer stands, and why no longer. May block."""


def by_line(store: PeerStore, record: FileRecord) -> tuple[float, str]:
    """An offer stands as long as its line does. Raises ``StorageError``."""
    stored = store.line(record.conversation, record.sender, record.message)
    if stored is not None and (stored.deleted or not _offers(store, stored.line.kind, record)):
        return 0.0, f"{record.sender} took it back"
    return (0.0 if stored is None else stored.line.expires or inf), TIME_IS_OVER


def _offers(store: PeerStore, kind: LineKind, record: FileRecord) -> bool:
    """Whether the line that is under an offer's name is of this offer."""
    original = store.original(record.conversation, record.sender, record.message)
    if kind is not LineKind.FILE or original is None:
        return kind is LineKind.FILE
    try:
        body = said_in(original).body
        return isinstance(body, Offer) and read_offer(body) == record.offered
    except DecodeError:
        return True


class Standing:
    """Watches over offers; ``over`` is told of each whose time is over, and why."""

    def __init__(
        self,
        until: Until,
        on_thread: OnThread,
        clock: Callable[[], float],
        over: Callable[[FileRecord, str], Awaitable[None]],
    ) -> None:
        self._until = until
        self._on_thread = on_thread
        self._clock = clock
        self._over = over
        self._ending: dict[bytes, tuple[float, FileRecord]] = {}
        self._later = asyncio.Event()  # there is another one of them

    async def look(self, record: FileRecord) -> bool:
        """Whether an offer still stands. Raises ``StorageError``."""
        until, why = await self._on_thread(self._until, record)
        self._ending.pop(record.id, None)
        if until <= self._clock():
            await self._over(record, why)
            return False
        if until < inf:
            self._ending[record.id] = (until, record)
            self._later.set()
        return True

    async def run(self) -> None:
        """Look again when a time is over; until cancelled."""
        while True:
            now = self._clock()
            for name, (until, record) in list(self._ending.items()):
                if until <= now:
                    self._ending[name] = (now + LOOK_SECONDS, record)  # a disk that fails now is asked again
                    with suppress(StorageError):
                        await self.look(record)
            self._later.clear()
            first = min((until for until, _ in self._ending.values()), default=inf) - self._clock()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(max(first, 0.01), LOOK_SECONDS)):
                    await self._later.wait()
