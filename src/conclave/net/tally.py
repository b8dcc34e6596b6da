"""How much mail and how many key packages went through, for the log: one row an hour, counts and no names.

A row for each would tell for ever who wrote to whom. Counts since the last row are lost when the server is killed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from conclave.authority.audit import Actor, entry
from conclave.authority.ports import Store
from conclave.authority.records import OPERATOR, Action
from conclave.net.authority_limits import ServerLimits


class Tally:
    """Counts by word, in the order of their first use."""

    def __init__(self, store: Store, limits: ServerLimits, clock: Callable[[], float]) -> None:
        self._store = store
        self._seconds = limits.tally_seconds
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._due = 0.0  # from the first count on

    def count(self, what: str, number: int = 1) -> None:
        """Something happened."""
        if number:
            self._due = self._due or self._clock() + self._seconds
            self._counts[what] += number

    async def sweep(self) -> None:
        """Write a row where one is due. Raises ``StorageError``."""
        if self._counts and self._clock() >= self._due:
            await self.write()

    async def write(self) -> None:
        """Write a row, unless there is nothing to tell. Raises ``StorageError``; the counts are then kept."""
        counts, self._counts, self._due = self._counts, Counter(), 0.0
        if not counts:
            return
        what = ", ".join(f"{number} {name}" for name, number in counts.items())
        row = entry(Actor(OPERATOR, "authority"), Action.MAIL, what, self._clock())
        try:
            await asyncio.wrap_future(self._store.decide(lambda transaction: transaction.record(row)))
        except BaseException:
            self._counts += counts
            self._due = self._clock() + self._seconds
            raise
