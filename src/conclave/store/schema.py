"""Schema migrations: a list of SQL steps that only ever grows, counted by ``PRAGMA user_version``.

Each step brings a database from one version to the next, the first one an empty one to ``first``. A step that was
published is never edited; a change is a new step at the end. Left out: what the steps say, which stands beside the
store that owns the tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from conclave.errors import LocalError, NotReady, StorageError, of_no_release


class Cursor(Protocol):
    """The little of a DB-API cursor that migrations need."""

    def fetchone(self) -> Any:
        """The next row, or ``None``."""


class Connection(Protocol):
    """The little of a connection that migrations need; those of sqlite3 and sqlcipher3 both have it."""

    @property
    def Error(self) -> type[Exception]:  # noqa: N802 - the DB-API's own name, PEP 249 "Connection.Error"
        """The driver's base error."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""

    def execute(self, sql: str, /) -> Cursor:
        """Run one statement."""


def migrate(connection: Connection, steps: Sequence[str], first: int = 1) -> None:
    """Bring the database to the version of the last of ``steps``, each missing one in a transaction of its own.

    No transaction may be open. Two processes may do this at once: the later one waits for the connection's busy
    timeout and finds the work done. Raises ``LocalError`` for a database that is newer, or of before ``first``, and
    is left as it is, and ``StorageError`` where a step fails: it then stands at the last step that succeeded.
    """
    try:
        while _done(connection, steps, first) < len(steps):
            connection.execute("BEGIN IMMEDIATE")
            try:
                done = _done(connection, steps, first)  # again, now that nobody else can move it
                if done < len(steps):
                    for statement in statements(steps[done]):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {first + done}")
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk has rolled back already
                    connection.execute("ROLLBACK")
                raise
    except connection.Error as error:
        raise StorageError(
            f"the database could not be brought up to date: {error}",
            remedy="free some disk space, end other programs that use this folder, and start again",
        ) from error


def _done(connection: Connection, steps: Sequence[str], first: int) -> int:
    """How many of the steps were taken."""
    version, known = int(connection.execute("PRAGMA user_version").fetchone()[0]), first + len(steps) - 1
    if 0 < version < first:
        raise of_no_release()
    if version > known:
        raise NotReady(
            f"the database has schema version {version}, this program knows {known}: a newer Conclave wrote it",
            remedy="use the newer version of Conclave, or another --home",
        )
    return version and version - first + 1


def statements(script: str) -> Iterator[str]:
    """The single statements of an SQL script, triggers kept whole. Raises ``LocalError`` for an unfinished one."""
    pending = ""
    for piece in script.split(";")[:-1]:
        pending += piece + ";"
        if sqlite3.complete_statement(pending):
            yield pending.strip()
            pending = ""
    if (pending + script.rpartition(";")[2]).strip():
        raise LocalError("a migration step ends in the middle of a statement")
