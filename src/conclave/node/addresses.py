"""Where people were last reached, kept in the node's database: where to dial while the authority is out of reach.

It is advice as the directory's is: who answers there must show the certificate. Left out: who is online
(``node.directory``), dialling (``node.peers``).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence

from conclave.chat.effects import PutState
from conclave.errors import StorageError
from conclave.store.ports import PeerStore

log = logging.getLogger(__name__)

KEY = "node/addresses"
PEOPLE = 1000
"""The addresses of so many people are kept: those heard of last."""
GATHER_SECONDS = 1.0
"""Changes gather for this long: with the authority everybody's come at once."""

Keep = Callable[[Sequence[PutState]], Awaitable[None]]
"""Commits records of the node's own. Raises ``StorageError``."""


class Addresses:
    """Read once, and written after they changed."""

    def __init__(self, store: PeerStore, keep: Keep) -> None:
        kept = dict(store.states(KEY)).get(KEY)
        try:
            content = json.loads(kept) if kept else {}
        except ValueError:  # advice that cannot be read is none
            content = {}
        self._last: dict[str, str] = content
        self._keep = keep
        self._changed = asyncio.Event()

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def of(self, handle: str) -> str:
        """``host:port`` at which somebody was reached last; empty where that is not known."""
        return self._last.get(handle, "")

    def note(self, handle: str, address: str) -> None:
        """Somebody is reached there."""
        if self._last.get(handle) == address:
            return
        self._last.pop(handle, None)
        self._last[handle] = address
        if len(self._last) > PEOPLE:
            del self._last[next(iter(self._last))]
        self._changed.set()

    async def run(self) -> None:
        """Keep what changes, until cancelled."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._changed.clear()
            try:
                await self._keep([PutState(KEY, json.dumps(self._last).encode())])
            except StorageError as error:  # with the next change
                log.warning("where people are is not kept: %s", error)
