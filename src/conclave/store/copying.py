"""A peer's database copied whole while others use it, made fit to be restored, and looked over.

The copy is encrypted under the same key. Left out: what of it is dropped (``chat.restoring``), and where it goes.
"""

from __future__ import annotations

from pathlib import Path

from conclave.chat.restoring import forget
from conclave.errors import StorageError
from conclave.store.peer import PeerDatabase
from conclave.store.sqlcipher import connect, translated


def copy_database(source: Path, key: bytes, target: Path) -> None:
    """Write what ``source`` holds at this moment to ``target``, which must not be there; a node may go on writing.

    Raises ``StorageError``; what there is of ``target`` then is of no use.
    """
    connection = connect(source, key)
    try:
        with translated(target):
            connection.execute("VACUUM INTO ?", (str(target),))
    finally:
        with translated(source):
            connection.close()
    target.chmod(0o600)


def strip_database(path: Path, key: bytes) -> int:
    """Drop from a copy what no restored home may go on with. The number of its lines. Raises ``StorageError``."""
    store = PeerDatabase(path, key)
    try:
        store.commit(forget(store.states(), store.outbox(), store.heads(), store.unsent()))
        return sum(one.count for one in store.conversations())
    finally:
        store.close()


def demand_whole(path: Path, key: bytes) -> None:
    """Assert that every page is as it was written and that tables and indexes agree. Raises ``StorageError``."""
    connection = connect(path, key)
    try:
        with translated(path):
            damaged = connection.execute("PRAGMA cipher_integrity_check").fetchall()
            wrong = connection.execute("PRAGMA quick_check(1)").fetchall()
    finally:
        connection.close()
    if damaged or wrong != [("ok",)]:
        raise StorageError(
            f"{path.name}: the database is damaged",
            remedy="look at the disk; restore an earlier backup, or go on with what can be read",
        )
