"""What the node remembers of files: records in the store, the lists of leaves in a folder of the home.

A record is committed before anything is done for its sake. Left out: what a record says (``files.record``).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from conclave.chat.effects import DropState, PutState
from conclave.errors import DecodeError, LocalError, StorageError
from conclave.files.record import PREFIX, FileRecord, Stage, decode_record, encode_record
from conclave.node.files.part import part_of
from conclave.node.files.serving import OnThread
from conclave.store.ports import PeerStore

log = logging.getLogger(__name__)

IDLE = frozenset({Stage.OFFERED, Stage.FAILED, Stage.CANCELLED})
"""Stages in which nothing of a file is under way or here."""
ON_THE_WAY = frozenset({Stage.FETCHING, Stage.PLACING})
"""Stages in which a file is fetched."""


class Records:
    """Every file that was offered, by us or to us."""

    def __init__(self, store: PeerStore, folder: Path, on_thread: OnThread) -> None:
        self._store = store
        self._folder = folder
        self._on_thread = on_thread
        self._records: dict[bytes, FileRecord] = {}
        self._of: dict[bytes, set[bytes]] = {}  # by root and by message: strangers may ask for any root, often
        for key, value in store.states(PREFIX):
            try:
                record = decode_record(value)
            except DecodeError as error:
                log.warning("%s is left alone: %s", key, error)
                continue
            self._remember(record)

    def __iter__(self) -> Iterator[FileRecord]:
        return iter(list(self._records.values()))

    def __getitem__(self, name: bytes) -> FileRecord:
        return self._records[name]

    def __contains__(self, name: object) -> bool:
        return name in self._records

    async def keep(self, record: FileRecord) -> None:
        """Commit a record, then remember it. Raises ``StorageError``."""
        await self._on_thread(self.commit, record)
        self._remember(record)

    def commit(self, record: FileRecord) -> None:
        """Put a record into the store. Blocks. Raises ``StorageError``."""
        self._store.commit([PutState(record.key, encode_record(record))])

    async def forget(self, record: FileRecord) -> None:
        """Drop a record and its leaves. Raises ``StorageError``."""
        await self._on_thread(self._store.commit, [DropState(record.key)])
        if self._records.pop(record.id, None) is not None:
            for key in (record.offered.root, record.message):
                self._of[key].discard(record.id)
                if not self._of[key]:
                    del self._of[key]
        await self.drop_leaves(record)

    def _remember(self, record: FileRecord) -> None:
        self._records[record.id] = record
        for key in (record.offered.root, record.message):
            self._of.setdefault(key, set()).add(record.id)

    async def make_room(self, conversation: str, sender: str, most: int) -> None:
        """Have room for one more offer of ``sender``. Raises ``LocalError``.

        The oldest that is idle goes, of whoever has most of them with this one: nobody's because another offers many.
        """
        held = [record for record in self if record.conversation == conversation]
        if len(held) < most:
            return
        idle = [record for record in held if record.stage in IDLE]
        if not idle:
            raise LocalError(f"{most} files are offered in {conversation}", remedy="conclave fetch --cancel ID")
        of = Counter([sender, *(record.sender for record in idle)])
        oldest = min(idle, key=lambda each: (-of[each.sender], each.at))
        if oldest.path:
            with suppress(StorageError):
                await self._on_thread(part_of(oldest).discard)
        await self.forget(oldest)

    def named(self, digits: str, conversation: str) -> FileRecord:
        """The one whose id begins so, in this conversation or, where that is empty, in any. Raises ``LocalError``."""
        found = [
            record
            for record in self
            if record.id.hex().startswith(digits.lower()) and conversation in ("", record.conversation)
        ]
        if not found:
            raise LocalError(f"no file {digits} is offered here", remedy="conclave files")
        if len(found) > 1:
            raise LocalError(
                f"{len(found)} files begin with {digits}", remedy="give more digits: conclave files --json"
            )
        return found[0]

    def here(self, root: bytes) -> list[FileRecord]:
        """Files of this root that are here, whole: one for each conversation that it was fetched in or offered to."""
        found = (self._records[name] for name in self._of.get(root, ()))
        return [record for record in found if record.stage is Stage.HERE]

    def offered_in(self, message: bytes) -> list[FileRecord]:
        """Files that were offered in messages of this id."""
        return [self._records[name] for name in self._of.get(message, ())]

    def leaves_path(self, record: FileRecord) -> Path:
        """Where the leaves of a file are kept."""
        return self._folder / f"{record.id.hex()}.leaves"

    async def drop_leaves(self, record: FileRecord) -> None:
        """Remove the leaves of a file; they can be made again."""

        def drop() -> None:
            with suppress(OSError):
                self.leaves_path(record).unlink(missing_ok=True)

        await self._on_thread(drop)
