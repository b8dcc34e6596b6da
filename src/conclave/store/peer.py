"""A peer's store on disk: SQLCipher, one connection that writes and one that reads.

``commit`` may be called from any thread, as ``asyncio.to_thread`` does; a lock keeps writers apart. Reads have a
connection of their own, so they go on during a commit (WAL) and see whole commits only. A commit sorts its records
by table, as no table knows another, and gives runs of the same statement to the driver together. Left out: opening
and errors (``sqlcipher``), tables (``peer_schema``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from conclave.chat.effects import (
    AddLine,
    DropEntries,
    DropPosts,
    DropState,
    Line,
    LineKind,
    MarkLine,
    PutEntry,
    PutPost,
    PutState,
    Record,
    Status,
)
from conclave.store.bounds import NUMBER_MAX, SEARCH_WORDS, bounded, check, words
from conclave.store.peer_schema import STEPS
from conclave.store.ports import Conversation, Found, StoredLine
from conclave.store.schema import migrate
from conclave.store.sqlcipher import connect, translated

_PUT_STATE = "INSERT INTO states VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
_DROP_STATE = "DELETE FROM states WHERE key = ?"
_ADD_CONVERSATION = "INSERT INTO conversations (name) VALUES (?) ON CONFLICT DO NOTHING"
_ADD_LINE = """
    INSERT INTO lines (conversation, sender, id, kind, text, sent, stored, status, seq)
    VALUES ((SELECT key FROM conversations WHERE name = ?), ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
_MARK_LINE = """
    UPDATE lines SET status = ?1, seq = iif(?2 = 0, seq, ?2)
    WHERE conversation = (SELECT key FROM conversations WHERE name = ?3) AND sender = ?4 AND id = ?5"""
_PLACE_LINE = """
    UPDATE lines SET status = ?1, seq = ?2, position = iif(
        seq = 0 AND position < (SELECT max(position) FROM lines l WHERE l.conversation = lines.conversation),
        (SELECT max(position) + 1 FROM lines), position)
    WHERE conversation = (SELECT key FROM conversations WHERE name = ?3) AND sender = ?4 AND id = ?5"""
_PUT_POST = "INSERT INTO posts VALUES (?, ?, ?, ?)"
_DROP_POSTS = "DELETE FROM posts WHERE peer = ? AND number <= ?"
_PUT_ENTRY = "INSERT INTO entries VALUES (?, ?, ?)"
_DROP_ENTRIES = "DELETE FROM entries WHERE lobby = ?"

_LINE = "l.position, l.id, l.sender, l.kind, l.text, l.sent, l.stored, l.status, l.seq"
_LINES = f"""
    SELECT {_LINE} FROM lines l WHERE l.conversation = (SELECT key FROM conversations WHERE name = ?)"""  # noqa: S608
_HEADS = """
    WITH RECURSIVE lobbies (lobby) AS (
        SELECT min(lobby) FROM entries
        UNION ALL
        SELECT (SELECT min(lobby) FROM entries e WHERE e.lobby > l.lobby) FROM lobbies l WHERE l.lobby NOTNULL
    ), heads AS (SELECT lobby, (SELECT max(seq) FROM entries e WHERE e.lobby = l.lobby) seq FROM lobbies l)
    SELECT lobby, seq, entry FROM heads JOIN entries USING (lobby, seq)"""

Rows = list[tuple[Any, ...]]


class PeerDatabase:
    """A ``PeerStore`` in an encrypted file."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Open, or make, the database at ``path`` under the raw ``key`` (32 bytes), brought up to date.

        Raises ``StorageError`` where it does not open with the key, and ``LocalError`` for a newer program's.
        """
        self._path = path
        self._writing = Lock()
        self._reading = Lock()
        self._writer = connect(path, key)
        try:
            migrate(self._writer, STEPS)
            self._reader = connect(path, key)
        except BaseException:
            self._writer.close()
            raise
        self._reader.execute("PRAGMA query_only = ON")

    def commit(self, records: Sequence[Record]) -> None:
        """As ``PeerStore.commit``."""
        check(records)
        runs = _runs(records)
        if not runs:
            return
        with self._writing, translated(self._path):
            writer = self._writer
            writer.execute("BEGIN IMMEDIATE")
            try:
                for statement, rows in runs:
                    writer.executemany(statement, rows)
                writer.execute("COMMIT")
            except BaseException:
                if writer.in_transaction:  # SQLite itself rolls back on some errors, a full disk among them
                    writer.execute("ROLLBACK")
                raise

    def states(self, prefix: str = "") -> list[tuple[str, bytes]]:
        """As ``PeerStore.states``."""
        rows = self._read("SELECT key, value FROM states WHERE key >= ? ORDER BY key", prefix)
        return [(key, value) for key, value in rows if key.startswith(prefix)]

    def lines(
        self, conversation: str, *, before: int | None = None, after: int | None = None, limit: int
    ) -> list[StoredLine]:
        """As ``PeerStore.lines``."""
        end = NUMBER_MAX if before is None else bounded(before)
        start = 0 if after is None else bounded(after)
        between = f"{_LINES} AND l.position > ? AND l.position < ? ORDER BY l.position"
        order = " DESC" if after is None else ""
        rows = self._read(f"{between}{order} LIMIT ?", conversation, start, end, bounded(limit))
        return [_stored(row) for row in (reversed(rows) if after is None else rows)]

    def line(self, conversation: str, sender: str, id: bytes) -> StoredLine | None:  # noqa: A002 - Line's own word
        """As ``PeerStore.line``."""
        rows = self._read(f"{_LINES} AND l.sender = ? AND l.id = ?", conversation, sender, id)
        return _stored(rows[0]) if rows else None

    def conversations(self) -> list[Conversation]:
        """As ``PeerStore.conversations``."""
        rows = self._read(
            f"SELECT c.name, c.count, {_LINE} FROM conversations c JOIN lines l ON l.position = c.last "  # noqa: S608
            "ORDER BY c.last DESC"
        )
        return [Conversation(name, count, _stored(line)) for name, count, *line in rows]

    def posts(self, peer: str, first: int, count: int) -> list[tuple[int, int, bytes]]:
        """As ``PeerStore.posts``."""
        sql = "SELECT number, kind, body FROM posts WHERE peer = ? AND number >= ? ORDER BY number LIMIT ?"
        return self._read(sql, peer, first, bounded(count))

    def outbox(self) -> dict[str, tuple[int, int, int]]:
        """As ``PeerStore.outbox``."""
        rows = self._read("SELECT peer, min(number), max(number), count(*) FROM posts GROUP BY peer")
        return {peer: (first, last, count) for peer, first, last, count in rows}

    def entries(self, group: bytes, first: int, count: int) -> list[bytes]:
        """As ``PeerStore.entries``."""
        sql = "SELECT entry FROM entries WHERE lobby = ? AND seq >= ? ORDER BY seq LIMIT ?"
        return [entry for (entry,) in self._read(sql, group, first, bounded(count))]

    def heads(self) -> dict[bytes, tuple[int, bytes]]:
        """As ``PeerStore.heads``."""
        return {lobby: (seq, entry) for lobby, seq, entry in self._read(_HEADS)}

    def search(self, text: str, limit: int) -> list[Found]:
        """As ``PeerStore.search``; letters are found with and without their marks."""
        wanted = " ".join(f'"{word}"*' for word in words(text)[:SEARCH_WORDS])
        if not wanted:
            return []
        rows = self._read(
            f"SELECT c.name, {_LINE} FROM words w JOIN lines l ON l.position = w.rowid "  # noqa: S608
            "JOIN conversations c ON c.key = l.conversation WHERE words MATCH ? ORDER BY w.rowid DESC LIMIT ?",
            wanted,
            bounded(limit),
        )
        found = ((name, _stored(line)) for name, *line in rows)
        return [Found(name, stored.position, stored.line) for name, stored in found]

    def close(self) -> None:
        """As ``PeerStore.close``; waits for a commit under way."""
        with self._writing, self._reading, translated(self._path):
            self._reader.close()
            self._writer.close()

    def _read(self, sql: str, *values: object) -> Rows:
        with self._reading, translated(self._path):
            try:
                rows: Rows = self._reader.execute(sql, values).fetchall()  # all at once: no read holds the WAL back
            except (OverflowError, UnicodeEncodeError):  # what cannot be kept (``bounds``) is not there
                return []
            return rows


def _stored(row: Sequence[Any]) -> StoredLine:
    position, name, sender, kind, text, sent, stored, status, seq = row
    return StoredLine(position, Line(name, sender, LineKind(kind), text, sent, stored, Status(status), seq))


def _runs(records: Sequence[Record]) -> list[tuple[str, Rows]]:
    """The statements of a commit with their rows: in the order of the records within each table."""
    states: dict[str, bytes | None] = {}  # of a key only the last matters
    conversations: dict[str, None] = {}
    lines: list[tuple[str, Rows]] = []
    posts: list[tuple[str, Rows]] = []
    entries: list[tuple[str, Rows]] = []
    for record in records:
        match record:
            case PutState(key, value):
                states[key] = value
            case DropState(key):
                states[key] = None
            case AddLine(conversation, line):
                conversations[conversation] = None
                row = (
                    line.sender,
                    line.id,
                    line.kind.value,
                    line.text,
                    line.sent,
                    line.stored,
                    line.status.value,
                    line.seq,
                )
                _add(lines, _ADD_LINE, (conversation, *row))
            case MarkLine(conversation, sender, name, status, seq):
                _add(lines, _PLACE_LINE if seq else _MARK_LINE, (status.value, seq, conversation, sender, name))
            case PutPost(peer, number, kind, body):
                _add(posts, _PUT_POST, (peer, number, int(kind), body))
            case DropPosts(peer, number):
                _add(posts, _DROP_POSTS, (peer, max(-1, min(number, NUMBER_MAX))))
            case PutEntry(group, seq, entry):
                _add(entries, _PUT_ENTRY, (group, seq, entry))
            case DropEntries(group):
                _add(entries, _DROP_ENTRIES, (group,))
    first: list[tuple[str, Rows]] = [
        (_PUT_STATE, [(key, value) for key, value in states.items() if value is not None]),
        (_DROP_STATE, [(key,) for key, value in states.items() if value is None]),
        (_ADD_CONVERSATION, [(name,) for name in conversations]),
    ]
    return [*(run for run in first if run[1]), *lines, *posts, *entries]


def _add(runs: list[tuple[str, Rows]], statement: str, row: tuple[Any, ...]) -> None:
    if runs and runs[-1][0] is statement:
        runs[-1][1].append(row)
    else:
        runs.append((statement, [row]))
