"""A peer's store that forgets: the same promises as the one on disk, as fast as dicts, for tests and simulations.

A commit takes time in proportion to its records, however much is kept already. What it did is undone backwards where
a record fails. Left out: surviving the process; a simulated crash keeps the store and drops everything around it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Generic, TypeVar

from conclave.chat.effects import (
    AddLine,
    DropEntries,
    DropPosts,
    DropState,
    Line,
    MarkLine,
    PutEntry,
    PutPost,
    PutState,
    Record,
)
from conclave.errors import StorageError
from conclave.store.bounds import SEARCH_WORDS, bounded, check, words
from conclave.store.ports import Conversation, Found, StoredLine

T = TypeVar("T")
Undo = Callable[[], object]

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

    def slice(self, first: int, count: int) -> Iterator[tuple[int, T]]:
        at = bisect_left(self.numbers, first)
        return ((n, self.values[n]) for n in self.numbers[at : at + bounded(count)])


class _History:
    """One conversation: its lines in order of arrival, and at which index each is."""

    __slots__ = ("at", "lines")

    def __init__(self) -> None:
        self.lines: list[StoredLine] = []
        self.at: dict[tuple[str, bytes], int] = {}

    def replace_from(self, at: int, tail: list[StoredLine]) -> None:
        self.lines[at:] = tail
        self.at |= {(stored.line.sender, stored.line.id): at + n for n, stored in enumerate(tail)}


class MemoryStore:
    """A ``PeerStore`` in memory. To be used from one thread."""

    def __init__(self) -> None:
        self._states: dict[str, bytes] = {}
        self._histories: defaultdict[str, _History] = defaultdict(_History)
        self._last = 0
        self._posts: defaultdict[str, _Numbered[tuple[int, bytes]]] = defaultdict(_Numbered)
        self._entries: defaultdict[bytes, _Numbered[bytes]] = defaultdict(_Numbered)

    def commit(self, records: Sequence[Record]) -> None:
        """Take all records or none, as ``PeerStore.commit``."""
        check(records)
        undo: list[Undo] = []
        try:
            for record in records:
                self._take(record, undo)
        except StorageError:
            for step in reversed(undo):
                step()
            raise

    def _take(self, record: Record, undo: list[Undo]) -> None:
        match record:
            case PutState(key, value):
                self._set_state(key, value, undo)
            case DropState(key):
                self._set_state(key, None, undo)
            case AddLine():
                self._add_line(record, undo)
            case MarkLine():
                self._mark_line(record, undo)
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

    def _set_state(self, key: str, value: bytes | None, undo: list[Undo]) -> None:
        old = self._states.pop(key, None) if value is None else self._states.get(key)
        if value is not None:
            self._states[key] = value
        if old is not None:
            undo.append(lambda: self._states.__setitem__(key, old))
        elif value is not None:
            undo.append(lambda: self._states.pop(key))

    def _add_line(self, record: AddLine, undo: list[Undo]) -> None:
        history = self._histories[record.conversation]
        name = (record.line.sender, record.line.id)
        if name in history.at:
            return
        self._last += 1
        history.at[name] = len(history.lines)
        history.lines.append(StoredLine(self._last, record.line))

        def forget() -> None:
            self._last -= 1
            history.lines.pop()
            del history.at[name]

        undo.append(forget)

    def _mark_line(self, record: MarkLine, undo: list[Undo]) -> None:
        history = self._histories[record.conversation]
        at = history.at.get((record.sender, record.id))
        if at is None:
            return
        old = history.lines[at]
        line = replace(old.line, status=record.status, seq=record.seq or old.line.seq)
        if record.seq and not old.line.seq and at < len(history.lines) - 1:
            self._move_line(history, at, line, undo)
            return
        history.lines[at] = replace(old, line=line)
        undo.append(lambda: history.lines.__setitem__(at, old))

    def _move_line(self, history: _History, at: int, line: Line, undo: list[Undo]) -> None:
        tail = history.lines[at:]
        self._last += 1
        history.replace_from(at, [*tail[1:], StoredLine(self._last, line)])

        def move_back() -> None:
            self._last -= 1
            history.replace_from(at, tail)

        undo.append(move_back)

    def states(self, prefix: str = "") -> list[tuple[str, bytes]]:
        """As ``PeerStore.states``."""
        return sorted((key, value) for key, value in self._states.items() if key.startswith(prefix))

    def lines(
        self, conversation: str, *, before: int | None = None, after: int | None = None, limit: int
    ) -> list[StoredLine]:
        """As ``PeerStore.lines``."""
        history = self._histories.get(conversation)
        if history is None:
            return []
        limit = bounded(limit)
        lines = history.lines
        end = len(lines) if before is None else bisect_left(lines, before, key=_position)
        if after is None:
            return lines[max(0, end - limit) : end]
        start = bisect_right(lines, after, key=_position)
        return lines[start : min(end, start + limit)]

    def line(self, conversation: str, sender: str, id: bytes) -> StoredLine | None:  # noqa: A002 - Line's own word
        """As ``PeerStore.line``."""
        history = self._histories.get(conversation)
        at = None if history is None else history.at.get((sender, id))
        return None if history is None or at is None else history.lines[at]

    def conversations(self) -> list[Conversation]:
        """As ``PeerStore.conversations``."""
        found = [Conversation(name, len(h.lines), h.lines[-1]) for name, h in self._histories.items() if h.lines]
        return sorted(found, key=lambda one: one.last.position, reverse=True)

    def posts(self, peer: str, first: int, count: int) -> list[tuple[int, int, bytes]]:
        """As ``PeerStore.posts``."""
        posts = self._posts.get(peer)
        return [] if posts is None else [(number, kind, body) for number, (kind, body) in posts.slice(first, count)]

    def outbox(self) -> dict[str, tuple[int, int, int]]:
        """As ``PeerStore.outbox``."""
        boxes = ((peer, box.numbers) for peer, box in self._posts.items())
        return {peer: (numbers[0], numbers[-1], len(numbers)) for peer, numbers in boxes if numbers}

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
            Found(conversation, stored.position, stored.line)
            for conversation, history in self._histories.items()
            for stored in history.lines
            if wanted and _begins(wanted, words(stored.line.text))
        ]
        return sorted(found, key=_position, reverse=True)[: bounded(limit)]

    def close(self) -> None:
        """Nothing to let go of."""


def _begins(wanted: list[str], there: list[str]) -> bool:
    return all(any(word.startswith(start) for word in there) for start in wanted)
