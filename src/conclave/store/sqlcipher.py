"""SQLCipher's door: an encrypted database opened with its raw key, and the driver's errors in our words.

Every page is AES-256-CBC under the key with HMAC-SHA-512, so a wrong key, a plain-text file and a damaged one are
all noticed at the first read; there is no fall-back to plain text. The WAL holds encrypted pages too, and temporary
tables stay in memory (compiled in). Left out: tables (``peer_schema``) and statements (``peer``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2

from conclave.errors import LocalError, StorageError

KEY_BYTES = 32
"""Size of the raw key: AES-256. The key that authenticates is derived from it by SQLCipher."""
BUSY_SECONDS = 5.0
"""How long one connection waits for another to finish writing."""

_RESTORE = "restore the whole home from a backup; what peers still hold for you will come again"
_FAULTS = {
    "FULL": ("the disk is full: nothing of this was kept", "free some space and try again"),
    "IOERR": ("the disk refused: nothing of this was kept", "free some space or look at the disk, and try again"),
    "BUSY": ("the database is in use by another program", "end the other Conclave that uses this home"),
    "LOCKED": ("the database is in use by another program", "end the other Conclave that uses this home"),
    "READONLY": ("the database may not be written", "make the home and its files yours to write"),
    "CANTOPEN": ("the database cannot be opened", "make the home and its files yours to read and write"),
    "PERM": ("the database cannot be opened", "make the home and its files yours to read and write"),
    "NOTADB": ("the database does not open with the vault's key: it is another's, or damaged", _RESTORE),
    "CORRUPT": ("the database is damaged", _RESTORE),
    "CONSTRAINT": ("a post or an entry under a number that is taken was not kept", ""),
}
"""By the middle of SQLite's result code: what happened, and what to do."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn the driver's errors into ``StorageError``."""
    try:
        yield
    except (dbapi2.Error, OSError) as error:
        name = str(getattr(error, "sqlite_errorname", "")).removeprefix("SQLITE_")
        message, remedy = _FAULTS.get(name.partition("_")[0], ("the database did not do as asked", ""))
        raise StorageError(
            f"{path.name}: {message} ({name or type(error).__name__}: {error})", remedy=remedy
        ) from error


def connect(path: Path, key: bytes) -> Any:
    """A connection in autocommit mode to the database, made (0600) where it is not there.

    Raises ``StorageError`` where the file cannot be opened with ``key`` (32 bytes, random, not a passphrase). The
    connection may be used from any thread, by one at a time.
    """
    if len(key) != KEY_BYTES:
        raise LocalError(f"a database key has {KEY_BYTES} bytes")
    with translated(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = dbapi2.connect(
            str(path), timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        try:
            connection.execute("PRAGMA cipher_log_level = NONE")  # it would write to stderr; errors are raised anyway
            connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the first read tells a wrong key
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # a commit returns when it is on disk
            connection.execute("PRAGMA secure_delete = ON")  # what was erased is not in freed pages
        except BaseException:
            connection.close()
            raise
    return connection
