"""A peer's store that forgets: the same promises as the one on disk, as fast as dicts, for tests and simulations.

A commit takes time in proportion to its records, however much is kept already. What it did is undone backwards where
a record fails. Left out: surviving the process; a simulated crash keeps the store and drops everything around it.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter, itemgetter
from typing import Generic, TypeVar

from conclave.chat.effects import (
    AddLine,
    AddState,
    AmendLine,
    CutEntries,
    DropEntries,
    DropExpired,
    DropPosts,
    DropState,
    EraseLine,
    ExpireLine,
    KeepOriginal,
    MarkLine,
    PassLine,
    PutCertificate,
    PutEntry,
    PutPost,
    PutState,
    Record,
    SetPin,
    SetReaction,
    UnplaceLines,
)
from conclave.chat.words.line import Status
from conclave.errors import StorageError
from conclave.store.bounds import SEARCH_WORDS, bounded, check, words
from conclave.store.memory_history import Histories, Kept, Undo
from conclave.store.ports import PINS_SHOWN, Conversation, Found, LineName, Lines, Recorded, StoredLine, name_of

T = TypeVar("T")

_position = attrgetter("position")


class _Numbered(Generic[T]):
    """Values under numbers, in order of the number; fast where numbers come growing and go from the front."""

    __slots__ = ("numbers", "values")

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.values: dict[int, T] = {}

    def put(self, number: int, value: T) -> bool:
        if number in self.values:
            return False
        if not self.numbers or number > self.numbers[-1]:
            self.numbers.append(number)
        else:
            insort(self.numbers, number)
        self.values[number] = value
        return True

    def drop(self, number: int) -> None:
        del self.values[number]
        self.numbers.remove(number)

    def drop_through(self, number: int) -> dict[int, T]:
        end = bisect_right(self.numbers, number)
        dropped = {n: self.values.pop(n) for n in self.numbers[:end]}
        del self.numbers[:end]
        return dropped

    def put_in_front(self, dropped: dict[int, T]) -> None:
        self.numbers[:0] = dropped
        self.values.update(dropped)

    def drop_past(self, number: int) -> dict[int, T]:
        start = bisect_right(self.numbers, number)
        dropped = {n: self.values.pop(n) for n in self.numbers[start:]}
        del self.numbers[start:]
        return dropped

    def put_behind(self, dropped: dict[int, T]) -> None:
        self.numbers.extend(dropped)
        self.values.update(dropped)

    def slice(self, first: int, count: int) -> Iterator[tuple[int, T]]:
        at = bisect_left(self.numbers, first)
        return ((n, self.values[n]) for n in self.numbers[at : at + bounded(count)])


class MemoryStore:
    """A ``PeerStore`` in memory. To be used from one thread."""

    def __init__(self) -> None:
        self._states: dict[str, bytes] = {}
        self._histories = Histories()
        self._posts: defaultdict[str, _Numbered[tuple[int, bytes]]] = defaultdict(_Numbered)
        self._entries: defaultdict[bytes, _Numbered[bytes]] = defaultdict(_Numbered)
        self._certificates: dict[bytes, bytes] = {}

    def commit(self, records: Sequence[Record]) -> frozenset[LineName]:
        """Take all records or none, as ``PeerStore.commit``."""
        check(records)
        added = {name_of(record) for record in records if isinstance(record, AddLine)}
        stale = {name for name in added if self.line(*name) is not None} - self._histories.replaced(records)
        undo: Undo = []
        try:
            for record in records:
                self._take(record, undo)
        except StorageError:
            for step in reversed(undo):
                step()
            raise
        erased = (name for name in added if (there := self.line(*name)) is not None and there.deleted)
        return frozenset(stale.union(erased))

    def _take(self, record: Record, undo: Undo) -> None:
        match record:
            case PutState(key):
                self._set_state(key, record.value, undo)
            case DropState(key):
                self._set_state(key, None, undo)
            case AddState(key, value):
                if key not in self._states:
                    self._set_state(key, value, undo)
            case AddLine():
                self._histories.add(record, undo)
            case MarkLine():
                self._histories.mark(record, undo)
            case KeepOriginal():
                self._histories.keep_original(record, undo)
            case AmendLine() | EraseLine() | SetReaction() | SetPin():
                self._histories.amend(record, undo)
            case UnplaceLines():
                self._histories.unplace(record, undo)
            case ExpireLine():
                self._histories.expire(record, undo)
            case PassLine():
                self._histories.pass_by(record, undo)
            case DropExpired(now):
                self._histories.drop_expired(now, undo)
            case PutPost(peer, number, kind, body):
                posts = self._posts[peer]
                if not posts.put(number, (kind, body)):
                    raise StorageError(f"the outbox to {peer} has a post {number} already")
                undo.append(lambda: posts.drop(number))
            case DropPosts(peer, number):
                posts = self._posts[peer]
                dropped = posts.drop_through(number)
                undo.append(lambda: posts.put_in_front(dropped))
            case PutEntry(group, seq, entry):
                entries = self._entries[group]
                if not entries.put(seq, entry):
                    raise StorageError(f"the lobby's order has an entry {seq} already")
                undo.append(lambda: entries.drop(seq))
            case DropEntries(group):
                order = self._entries.pop(group, None)
                if order is not None:
                    undo.append(lambda: self._entries.__setitem__(group, order))
            case CutEntries(group, seq):
                entries = self._entries[group]
                cut = entries.drop_past(seq)
                undo.append(lambda: entries.put_behind(cut))
            case PutCertificate(der):
                fingerprint = hashlib.sha256(der).digest()
                if fingerprint not in self._certificates:
                    self._certificates[fingerprint] = der
                    undo.append(lambda: self._certificates.pop(fingerprint))

    def _set_state(self, key: str, value: bytes | None, undo: Undo) -> None:
        old = self._states.pop(key, None) if value is None else self._states.get(key)
        if value is not None:
            self._states[key] = value
        if old is not None:
            undo.append(lambda: self._states.__setitem__(key, old))
        elif value is not None:
            undo.append(lambda: self._states.pop(key))

    def states(self, prefix: str = "") -> list[tuple[str, bytes]]:
        """As ``PeerStore.states``."""
        return sorted((key, value) for key, value in self._states.items() if key.startswith(prefix))

    def lines(
        self, conversation: str, *, before: int | None = None, after: int | None = None, limit: int
    ) -> list[StoredLine]:
        """As ``PeerStore.lines``."""
        limit = bounded(limit)
        lines = self._histories.get(conversation).shown()
        end = len(lines) if before is None else bisect_left(lines, before, key=_position)
        if after is None:
            return lines[max(0, end - limit) : end]
        start = bisect_right(lines, after, key=_position)
        return lines[start : min(end, start + limit)]

    def line(self, conversation: str, sender: str, id: bytes) -> StoredLine | None:  # noqa: A002 - Line's own word
        """As ``PeerStore.line``."""
        kept = self._histories.get(conversation).find(sender, id)
        return None if kept is None else kept.stored

    def pinned(self, conversation: str) -> list[StoredLine]:
        """As ``PeerStore.pinned``."""
        return [one for one in self._histories.get(conversation).shown() if one.pinned][-PINS_SHOWN:]

    def original(self, conversation: str, sender: str, id: bytes) -> bytes | None:  # noqa: A002 - Line's own word
        """As ``PeerStore.original``."""
        kept = self._histories.get(conversation).find(sender, id)
        return None if kept is None else kept.original or None

    def originals(self, conversation: str, after_seq: int, before_seq: int, limit: int) -> list[Recorded]:
        """As ``PeerStore.originals``."""
        found = [k for k in self._placed(conversation, after_seq) if k.stored.line.seq < before_seq]
        return [_recorded(kept) for kept in found[: bounded(limit)]]

    def recorded(self, conversation: str, after: int, limit: int) -> list[Recorded]:
        """As ``PeerStore.recorded``."""
        lines = self._histories.get(conversation).lines
        start = bisect_right(lines, after, key=lambda kept: kept.stored.position)
        return [_recorded(kept) for kept in lines[start : start + bounded(limit)]]

    @contextmanager
    def unmoved(self) -> Iterator[Lines]:
        """As ``PeerStore.unmoved``."""
        still = MemoryStore()
        still._histories = self._histories.copy()
        yield still

    def lines_after(self, conversation: str, seq: int) -> list[tuple[str, bytes]]:
        """As ``PeerStore.lines_after``."""
        return [(k.stored.line.sender, k.stored.line.id) for k in self._placed(conversation, seq)]

    def _placed(self, conversation: str, after: int) -> list[Kept]:
        lines = self._histories.get(conversation).lines
        return sorted((k for k in lines if k.stored.line.seq > max(0, after)), key=lambda k: k.stored.line.seq)

    def certificate(self, fingerprint: bytes) -> bytes | None:
        """As ``PeerStore.certificate``."""
        return self._certificates.get(fingerprint)

    def certificates(self) -> Iterator[bytes]:
        """As ``PeerStore.certificates``."""
        return iter(list(self._certificates.values()))

    def conversations(self) -> list[Conversation]:
        """As ``PeerStore.conversations``."""
        shown = ((name, history.shown()) for name, history in self._histories.items())
        found = [Conversation(name, len(lines), lines[-1]) for name, lines in shown if lines]
        return sorted(found, key=lambda one: one.last.position, reverse=True)

    def posts(self, peer: str, first: int, count: int) -> list[tuple[int, int, bytes]]:
        """As ``PeerStore.posts``."""
        posts = self._posts.get(peer)
        return [] if posts is None else [(number, kind, body) for number, (kind, body) in posts.slice(first, count)]

    def outbox(self) -> dict[str, tuple[int, int, int]]:
        """As ``PeerStore.outbox``."""
        boxes = ((peer, box.numbers) for peer, box in self._posts.items())
        return {peer: (numbers[0], numbers[-1], len(numbers)) for peer, numbers in boxes if numbers}

    def unsent(self) -> list[tuple[str, str, bytes]]:
        """As ``PeerDatabase.unsent``."""
        lines = ((name, kept.stored.line) for name, history in self._histories.items() for kept in history.lines)
        waiting = (Status.WAITING, Status.MAILED)
        return [(name, one.sender, one.id) for name, one in lines if one.status in waiting]

    def entries(self, group: bytes, first: int, count: int) -> list[bytes]:
        """As ``PeerStore.entries``."""
        entries = self._entries.get(group)
        return [] if entries is None else [entry for _, entry in entries.slice(first, count)]

    def heads(self) -> dict[bytes, tuple[int, bytes]]:
        """As ``PeerStore.heads``."""
        orders = ((group, order) for group, order in self._entries.items() if order.numbers)
        return {group: (order.numbers[-1], order.values[order.numbers[-1]]) for group, order in orders}

    def search(self, text: str, limit: int) -> list[Found]:
        """As ``PeerStore.search``; letters with and without marks are told apart here."""
        wanted = words(text)[:SEARCH_WORDS]
        found = [
            (kept.key, Found(conversation, kept.stored.position, kept.stored.line))
            for conversation, history in self._histories.items()
            for kept in history.lines
            if wanted and _begins(wanted, words(kept.stored.line.text))
        ]
        return [one for _, one in sorted(found, key=itemgetter(0), reverse=True)[: bounded(limit)]]

    def close(self) -> None:
        """Nothing to let go of."""


def _recorded(kept: Kept) -> Recorded:
    return Recorded(kept.stored, kept.original)


def _begins(wanted: list[str], there: list[str]) -> bool:
    return all(any(word.startswith(start) for word in there) for start in wanted)
