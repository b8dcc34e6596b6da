"""The authority's SQLite file: one writer thread that commits decisions in groups, and direct reads beside it.

Decisions that wait while another commit is under way share the next one, so that many enrolments cost one write to
the disk; each stands in a savepoint of its own, so that a refusal of one undoes nothing of the others. WAL with
``synchronous = FULL``: what a future has confirmed survives a power cut. Several processes may have the file open
(the server, and the operator's commands). Left out: the statements (``authority_rows``) and tables
(``authority_schema``).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack, closing
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from conclave.authority.ports import Transaction
from conclave.errors import LocalError, Refused, StorageError
from conclave.store.authority_rows import SqlReads, SqlTransaction
from conclave.store.authority_schema import STEPS
from conclave.store.authority_sql import storage_error
from conclave.store.schema import migrate

T = TypeVar("T")

BUSY_SECONDS = 5.0
"""How long to wait for another process that writes."""
GROUP = 256
"""Most decisions that share a commit."""

_Decision = Callable[[Transaction], Any]
_OnRefusal = Callable[[Transaction, Refused], None]


class _Task:
    __slots__ = ("_decision", "_on_refusal", "future", "outcome")

    def __init__(self, decision: _Decision, on_refusal: _OnRefusal | None) -> None:
        self._decision = decision
        self._on_refusal = on_refusal
        self.future: Future[Any] = Future()
        self.outcome: Any = None

    def run(self, connection: sqlite3.Connection, transaction: Transaction) -> None:
        connection.execute("SAVEPOINT decision")
        try:
            self.outcome = self._decision(transaction)
        except (sqlite3.Error, StorageError):
            raise
        except Exception as error:  # noqa: BLE001 - it goes to whoever waits for the future
            connection.execute("ROLLBACK TO decision")
            self.outcome = error
            if isinstance(error, Refused) and self._on_refusal is not None:
                self._on_refusal(transaction, error)
        connection.execute("RELEASE decision")

    def resolve(self) -> None:
        if isinstance(self.outcome, Exception):
            self.future.set_exception(self.outcome)
        else:
            self.future.set_result(self.outcome)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    with ExitStack() as failing:
        failing.callback(connection.close)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA secure_delete = ON")  # mail that was fetched is to be gone
        failing.pop_all()
    return connection


class AuthorityStore:
    """``authority.ports.Store`` in one file. Raises ``StorageError`` where it cannot be opened."""

    def __init__(self, path: Path) -> None:
        try:
            path.touch(mode=0o600, exist_ok=True)
            with ExitStack() as failing:
                self._writer = failing.enter_context(closing(_connect(path)))
                migrate(self._writer, STEPS)
                self._reader = failing.enter_context(closing(_connect(path)))
                failing.pop_all()
        except sqlite3.Error as error:
            raise storage_error(error) from error
        except OSError as error:
            raise StorageError(f"the authority's database {path} cannot be opened: {error}") from error
        self._queue: SimpleQueue[_Task | None] = SimpleQueue()
        self._closed = False
        self.reads = SqlReads(self._reader)
        self._thread = threading.Thread(target=self._serve, name="authority-store", daemon=True)
        self._thread.start()

    def decide(self, decision: Callable[[Transaction], T], refused: _OnRefusal | None = None) -> Future[T]:
        """See ``ports.Store``. Raises ``LocalError`` after ``close``."""
        if self._closed:
            raise LocalError("the authority's database is closed")
        task = _Task(decision, refused)
        self._queue.put(task)
        return task.future

    def changes(self) -> int:
        """See ``ports.Store``."""
        try:
            return int(self._reader.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error as error:
            raise storage_error(error) from error

    def close(self) -> None:
        """See ``ports.Store``."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        self._reader.close()
        self._writer.close()

    def _serve(self) -> None:
        ended = False
        while not ended:
            waiting = [self._queue.get()]
            while len(waiting) < GROUP:
                try:
                    waiting.append(self._queue.get_nowait())
                except Empty:
                    break
            ended = None in waiting
            tasks = [task for task in waiting if task is not None and task.future.set_running_or_notify_cancel()]
            if tasks:
                self._commit(tasks)

    def _commit(self, tasks: list[_Task]) -> None:
        transaction = SqlTransaction(self._writer)
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for task in tasks:
                task.run(self._writer, transaction)
            self._writer.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - the thread must live, and whoever waits must hear
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            if len(tasks) > 1:  # one that cannot be written must not take the others along
                for task in tasks:
                    self._commit([task])
                return
            tasks[0].outcome = storage_error(error) if isinstance(error, sqlite3.Error) else error
        for task in tasks:
            task.resolve()
