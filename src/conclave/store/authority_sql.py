"""What the authority's statements stand on: a connection, and SQLite's errors in our words."""

from __future__ import annotations

import sqlite3
from typing import Any

from conclave.errors import StorageError


def storage_error(error: sqlite3.Error) -> StorageError:
    """Translate what SQLite says."""
    match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return StorageError(
                "the disk is full: the authority's database could not be written, and nothing of this was kept",
                remedy="free some space, then ask again",
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StorageError(
                "the authority's database is locked by another program", remedy="end that program, or ask again"
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StorageError(
                f"the authority's database is damaged: {error}", remedy="restore authority.db from a backup"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_IOERR | sqlite3.SQLITE_PERM:
            return StorageError(
                f"the authority's database cannot be written or read: {error}",
                remedy="check the folder's owner, permissions and disk",
            )
        case _:
            return StorageError(f"the authority's database refused: {error}")


class Rows:
    """Questions over one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _all(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise storage_error(error) from error

    def _one(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        rows = self._all(sql, *values)
        return rows[0] if rows else None


class Writes(Rows):
    """Changes, within a transaction that somebody else opens and ends. SQLite's errors pass, for it to judge."""

    def _do(self, sql: str, *values: object) -> int:
        return self._connection.execute(sql, values).rowcount
