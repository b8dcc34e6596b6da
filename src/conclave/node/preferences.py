"""What our person prefers of conversations, kept in the node's database: which are muted, how long words last.

In a lobby the timer is the lobby's own; here stand those of pairs, for what we say in them. Left out: what is done
with it (``node.words``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

from conclave.chat.effects import PutState
from conclave.errors import StorageError
from conclave.store.ports import PeerStore

KEY = "node/preferences"


class Keep(Protocol):
    """Commits records of the node's own, in turn with the core's."""

    async def keep(self, records: Sequence[PutState]) -> None:
        """Raises ``StorageError``."""


class Preferences:
    """Read once, and written whenever they change."""

    def __init__(self, store: PeerStore, pump: Keep) -> None:
        self._pump = pump
        kept = dict(store.states(KEY)).get(KEY)
        try:
            content: dict[str, Any] = json.loads(kept) if kept else {}
        except ValueError as error:
            raise StorageError("what you prefer cannot be read", remedy="restore the home from a backup") from error
        self.muted: frozenset[str] = frozenset(content.get("muted", ()))
        self.timers: dict[str, int] = dict(content.get("timers", {}))

    async def mute(self, conversation: str, *, on: bool) -> None:
        """Ring no more for a conversation, or again. Raises ``StorageError``."""
        muted = self.muted | {conversation} if on else self.muted - {conversation}
        await self._write(muted, self.timers)
        self.muted = muted

    async def set_timer(self, conversation: str, seconds: int) -> None:
        """What we say there from now on lasts so long; 0: for good. Raises ``StorageError``."""
        timers = {name: value for name, value in self.timers.items() if name != conversation}
        if seconds:
            timers[conversation] = seconds
        await self._write(self.muted, timers)
        self.timers = timers

    async def _write(self, muted: frozenset[str], timers: dict[str, int]) -> None:
        content = {"muted": sorted(muted), "timers": timers}
        await self._pump.keep([PutState(KEY, json.dumps(content).encode())])
