"""What our person prefers of conversations, kept in the node's database: which are muted.

A lobby is named by its group, as its label may be another one's later. Left out: what is done with it
(``node.door.words``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
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
        self.muted: frozenset[str] = frozenset(content.get("muted", []))

    async def mute(self, conversation: str, *, on: bool) -> None:
        """Ring no more for ``@handle``, or a group in hex, or again. Raises ``StorageError``."""
        muted = self.muted | {conversation} if on else self.muted - {conversation}
        await self._pump.keep([self._record(muted)])
        self.muted = muted

    @staticmethod
    def _record(muted: Collection[str]) -> PutState:
        return PutState(KEY, json.dumps({"muted": sorted(muted)}).encode())
