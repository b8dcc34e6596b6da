"""A peer's store on disk: SQLCipher, one connection that writes and one that reads.

``commit`` may be called from any thread, as ``asyncio.to_thread`` does; a lock keeps writers apart. Reads have a
connection of their own, so they go on during a commit (WAL) and see whole commits only. Left out: opening and errors
(``sqlcipher``), statements (``peer_rows``), tables (``peer_schema``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from conclave.chat.effects import AddLine, Record
from conclave.chat.words.originals import other_words
from conclave.store import peer_rows as sql
from conclave.store.bounds import NUMBER_MAX, SEARCH_WORDS, bounded, check, words
from conclave.store.peer_rows import LINE, LINES, RECORDED, Rows, Runs, recorded, runs, stored
from conclave.store.peer_schema import FIRST, STEPS
from conclave.store.ports import PINS_SHOWN, Conversation, Found, LineName, Lines, Recorded, StoredLine, name_of
from conclave.store.schema import migrate
from conclave.store.sqlcipher import BUSY_SECONDS, connect, translated

WIPE_MILLISECONDS = 50
"""How long a commit that erased something waits for reads to end, but for long ones, behind which it is wiped."""


class _Unmoved:
    """History as one transaction shows it."""

    def __init__(self, path: Path, reader: Any) -> None:
        self._path = path
        self._reader = reader
        with translated(path):
            reader.execute("PRAGMA query_only = ON")
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the first read says as of when

    def recorded(self, conversation: str, after: int, limit: int) -> list[Recorded]:
        """As ``PeerStore.recorded``."""
        with translated(self._path):
            window = (conversation, bounded(after), bounded(limit))
            return [recorded(row) for row in self._reader.execute(sql.RECORDED_AFTER, window).fetchall()]


class PeerDatabase:
    """A ``PeerStore`` in an encrypted file."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Open, or make, the database at ``path`` under the raw ``key`` (32 bytes), brought up to date.

        Raises ``StorageError`` where it does not open with the key, and ``LocalError`` for a newer program's, or one
        from before the first release.
        """
        self._path = path
        self._key = key
        self._unwiped = False
        self._unmoved = 0  # long reads that are on
        self._writing = Lock()
        self._reading = Lock()
        self._counting = Lock()
        with closing(connect(path, key)) as first:  # one that changed the schema goes on slower: a third as fast
            migrate(first, STEPS, FIRST)
        self._writer = connect(path, key)
        try:
            self._reader = connect(path, key)
        except BaseException:
            self._writer.close()
            raise
        self._writer.create_function("reacted", 6, sql.react, deterministic=True)
        self._writer.create_function("times", 6, sql.time_reaction, deterministic=True)
        self._writer.create_function("other_words", 2, other_words, deterministic=True)
        self._reader.execute("PRAGMA query_only = ON")

    def commit(self, records: Sequence[Record]) -> frozenset[LineName]:
        """As ``PeerStore.commit``."""
        check(records)
        todo = runs(records)
        if not todo:
            return frozenset()
        added = {name_of(record) for record in records if isinstance(record, AddLine)}
        drops = any(statement is sql.DROP_EXPIRED for statement, _ in todo)  # a line that is here may be one of them
        with self._writing, translated(self._path):
            try:  # nearly always all lines are new, and it is dear to look for each
                stale = self._carried_out(todo, added, new=bool(added) and not drops)
            except self._writer.IntegrityError:
                stale = self._carried_out(todo, added, new=False)
            self._wipe()
        return frozenset(stale)

    def _carried_out(self, todo: Runs, added: Collection[LineName], *, new: bool) -> set[LineName]:
        """One transaction; which of the lines ``added`` are no news. ``new``: fail where one of them is here."""
        erasing = any(statement is sql.ERASE_LINE for statement, _ in todo)
        writer = self._writer
        writer.execute("BEGIN IMMEDIATE")
        try:
            known = () if new else added
            stale = {name for name in known if writer.execute(sql.KNOWN_LINE, name).fetchone() is not None}
            for statement, rows in todo:
                added_here = statement in (sql.ADD_LINE, sql.ADD_ORDERED)
                if added_here and new:
                    writer.executemany(sql.ADD_NEW_LINE, self._placed(rows))
                elif statement is sql.ADD_ORDERED:  # one by one: a line that gives way stands before those behind it
                    for row in rows:
                        writer.execute(statement, row)
                        if self._replaced(row):
                            stale.discard(row[:3])
                        erasing = self._settle([row]) or erasing
                else:
                    changed = writer.executemany(statement, rows).rowcount
                    self._unwiped = self._unwiped or (changed > 0 and statement in sql.WIPING)
                if added_here and (new or statement is sql.ADD_LINE):
                    erasing = self._settle(rows) or erasing
            if erasing:
                stale |= {name for name in added if writer.execute(sql.KNOWN_LINE, name).fetchone() == (1,)}
            writer.execute("COMMIT")
        except BaseException:
            if writer.in_transaction:  # SQLite itself rolls back on some errors, a full disk among them
                writer.execute("ROLLBACK")
            raise
        return stale

    def _replaced(self, row: tuple[Any, ...]) -> bool:
        """Put a line in the place of other words under its name; whether there are any."""
        words, kind, erased, edits, place, count = sql.REPLACED
        if not self._writer.execute(words, row).rowcount:
            return False
        for statement, used in ((kind, 4), (erased, 3), (edits, 3), (place, 3), (count, 1)):
            self._writer.execute(statement, row[:used])
        self._unwiped = True
        return True

    def _placed(self, rows: Rows) -> Iterator[tuple[Any, ...]]:
        """Rows of new lines, with their positions, and with keys of conversations in place of the names."""
        [first] = self._writer.execute(sql.NEXT_POSITION).fetchone()
        keys = {name: self._writer.execute(sql.KEY_OF, (name,)).fetchone()[0] for name in {row[0] for row in rows}}
        return ((position, keys[row[0]], *row[1:]) for position, row in enumerate(rows, first))

    def _wipe(self) -> None:
        """Let go of older pages in the write-ahead log where something was erased, unless a long read is on."""
        if self._unmoved or not self._unwiped:
            return
        writer = self._writer
        with suppress(writer.Error):  # the commit stands all the same
            writer.execute(f"PRAGMA busy_timeout = {WIPE_MILLISECONDS}")
            try:
                busy, _, _ = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                self._unwiped = bool(busy)
            finally:
                writer.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")

    def _settle(self, added: Rows) -> bool:
        """Let what was said of the lines before they came take effect; whether something may have been erased."""
        writer = self._writer
        if writer.execute("SELECT NOT EXISTS (SELECT 1 FROM early)").fetchone()[0]:
            return False
        for row in added:
            name = row[:3]
            for early in writer.execute(sql.EARLY, name).fetchall():
                writer.execute(*sql.settled(name, early))
            writer.execute(sql.DROP_EARLY, name)
        return True

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
        between = f"{LINES} AND l.kind <> 'about' AND l.position > ? AND l.position < ? ORDER BY l.position"
        order = " DESC" if after is None else ""
        rows = self._read(f"{between}{order} LIMIT ?", conversation, start, end, bounded(limit))
        return [stored(row) for row in (reversed(rows) if after is None else rows)]

    def line(self, conversation: str, sender: str, id: bytes) -> StoredLine | None:  # noqa: A002 - Line's own word
        """As ``PeerStore.line``."""
        rows = self._read(f"{LINES} AND l.sender = ? AND l.id = ?", conversation, sender, id)
        return stored(rows[0]) if rows else None

    def pinned(self, conversation: str) -> list[StoredLine]:
        """As ``PeerStore.pinned``."""
        query = f"{LINES} AND l.pinned = 1 AND l.kind <> 'about' ORDER BY l.position DESC LIMIT ?"
        return [stored(row) for row in reversed(self._read(query, conversation, PINS_SHOWN))]

    def original(self, conversation: str, sender: str, id: bytes) -> bytes | None:  # noqa: A002 - Line's own word
        """As ``PeerStore.original``."""
        rows = self._read(f"{RECORDED} AND l.sender = ? AND l.id = ?", conversation, sender, id)
        return (recorded(rows[0]).original or None) if rows else None

    def originals(self, conversation: str, after_seq: int, before_seq: int, limit: int) -> list[Recorded]:
        """As ``PeerStore.originals``."""
        query = f"{RECORDED} AND l.seq > 0 AND l.seq > ? AND l.seq < ? ORDER BY l.seq, l.position LIMIT ?"
        window = (bounded(after_seq), bounded(before_seq), bounded(limit))
        return [recorded(row) for row in self._read(query, conversation, *window)]

    def recorded(self, conversation: str, after: int, limit: int) -> list[Recorded]:
        """As ``PeerStore.recorded``."""
        rows = self._read(sql.RECORDED_AFTER, conversation, bounded(after), bounded(limit))
        return [recorded(row) for row in rows]

    @contextmanager
    def unmoved(self) -> Iterator[Lines]:
        """As ``PeerStore.unmoved``: a connection of its own, in one transaction."""
        with self._counting:
            self._unmoved += 1
        try:
            with closing(connect(self._path, self._key)) as reader:
                yield _Unmoved(self._path, reader)
        finally:
            with self._counting:
                self._unmoved -= 1
            with self._writing:
                self._wipe()

    def lines_after(self, conversation: str, seq: int) -> list[tuple[str, bytes]]:
        """As ``PeerStore.lines_after``."""
        return [(sender, name) for sender, name in self._read(sql.LINES_AFTER, conversation, bounded(seq))]

    def certificate(self, fingerprint: bytes) -> bytes | None:
        """As ``PeerStore.certificate``."""
        rows = self._read("SELECT der FROM certificates WHERE fingerprint = ?", fingerprint)
        return bytes(rows[0][0]) if rows else None

    def certificates(self) -> Iterator[bytes]:
        """As ``PeerStore.certificates``."""
        return (bytes(der) for (der,) in self._read("SELECT der FROM certificates"))

    def conversations(self) -> list[Conversation]:
        """As ``PeerStore.conversations``."""
        rows = self._read(
            f"SELECT c.name, c.count, {LINE} FROM conversations c JOIN lines l ON l.position = c.last "  # noqa: S608
            "ORDER BY c.last DESC"
        )
        return [Conversation(name, count, stored(line)) for name, count, *line in rows]

    def posts(self, peer: str, first: int, count: int) -> list[tuple[int, int, bytes]]:
        """As ``PeerStore.posts``."""
        rows = self._read(sql.POSTS, peer, first, bounded(count))
        return [(number, kind, body if tail is None else body + tail) for number, kind, body, tail in rows]

    def outbox(self) -> dict[str, tuple[int, int, int]]:
        """As ``PeerStore.outbox``."""
        rows = self._read("SELECT peer, min(number), max(number), count(*) FROM posts GROUP BY peer")
        return {peer: (first, last, count) for peer, first, last, count in rows}

    def unsent(self) -> list[tuple[str, str, bytes]]:
        """Lines that wait here or in a mailbox: conversation, sender, id. Looks at all of history."""
        rows = self._read(
            "SELECT c.name, l.sender, l.id FROM lines l JOIN conversations c ON c.key = l.conversation "
            "WHERE l.status IN ('waiting', 'in mailbox')"
        )
        return [(name, sender, identity) for name, sender, identity in rows]

    def entries(self, group: bytes, first: int, count: int) -> list[bytes]:
        """As ``PeerStore.entries``."""
        sql = "SELECT entry FROM entries WHERE lobby = ? AND seq >= ? ORDER BY seq LIMIT ?"
        return [entry for (entry,) in self._read(sql, group, first, bounded(count))]

    def heads(self) -> dict[bytes, tuple[int, bytes]]:
        """As ``PeerStore.heads``."""
        return {lobby: (seq, entry) for lobby, seq, entry in self._read(sql.HEADS)}

    def search(self, text: str, limit: int) -> list[Found]:
        """As ``PeerStore.search``; letters are found with and without their marks."""
        wanted = " ".join(f'"{word}"*' for word in words(text)[:SEARCH_WORDS])
        if not wanted:
            return []
        rows = self._read(
            sql.SEARCH,
            wanted,
            bounded(limit),
        )
        found = ((name, stored(line)) for name, *line in rows)
        return [Found(name, one.position, one.line) for name, one in found]

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
