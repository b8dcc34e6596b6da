"""A home kept for the day its machine is lost, and a home made of it again.

A backup has the history and whom to trust, and none of what makes this device somebody: no private key, no state of a
conversation (``chat.restoring``). A home made of it is the same person's, and becomes somebody by joining again. The
node may run meanwhile: the copy is what was committed at one moment. A home appears whole or not at all. Left out:
asking for passphrases (``cli``), the file's format (``backup_file``).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from conclave.crypto import stream
from conclave.crypto.seal import STANDARD, Cost
from conclave.errors import LocalError, NotEnrolled, NotReady, StorageError
from conclave.node.home.backup_file import Manifest, read_database, read_manifest, write_backup
from conclave.node.newfile import demand_free, new_file, sync_folder
from conclave.node.paths import database_path, vault_path
from conclave.store import vault as vaults
from conclave.store.copying import copy_database, demand_whole, strip_database
from conclave.store.peer import PeerDatabase
from conclave.values import dataclass

TOLD_BYTES = 64 << 20
"""Of what is longer, every tenth is told."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds. ``made`` is UNIX seconds, ``size`` the database's bytes."""

    handle: str
    realm: str
    device: str
    made: float
    lines: int
    size: int


def back_up(
    home: Path, path: Path, passphrase: str, backup_passphrase: str, tell: Tell, *, cost: Cost = STANDARD
) -> Backup:
    """Write a backup of ``home`` to ``path``, and read it again to see that it holds.

    Raises ``LocalError`` where ``path`` is there already, its folder is not, nobody is enrolled or the passphrase is
    wrong, and ``StorageError`` where a disk refuses or the database is damaged. No file is left then.
    """
    demand_free(path)
    if not path.parent.is_dir():  # a medium that is not mounted: made here, it would be on the disk that may be lost
        raise LocalError(f"the folder {path.parent} is not there", remedy="mount the medium, or make the folder")
    content = vaults.unlock(vault_path(home), passphrase).content
    if not content.trust.root:
        raise NotEnrolled("nobody has joined here: there is nothing to keep", remedy="conclave join '<invite>'")
    vaults.prepared(backup_passphrase)
    with _scratch(path) as folder:
        copy = folder / database_path(home).name
        tell("copying the history as it is now")
        if database_path(home).exists():
            copy_database(database_path(home), content.database_key, copy)
        else:
            PeerDatabase(copy, content.database_key).close()
        lines = strip_database(copy, content.database_key)
        demand_whole(copy, content.database_key)
        manifest = Manifest(
            round(time.time(), 3),
            content.handle,
            content.realm,
            content.device,
            content.authorities,
            content.trust,
            content.database_key,
            secrets.token_bytes(stream.KEY_BYTES),
            copy.stat().st_size,
            _sha256(copy),
            lines,
        )
        with new_file(path) as file, copy.open("rb") as database:
            write_backup(file, manifest, database, backup_passphrase, cost, _told(tell, "sealed"))
            file.flush()
            file.seek(0)
            tell("reading it again")
            for _ in read_database(file, read_manifest(file, backup_passphrase), _told(tell, "read")):
                pass
    return _backup(manifest)


def check(path: Path, backup_passphrase: str, tell: Tell) -> Backup:
    """Restore a backup beside itself, look it over, and throw it away. Raises as ``restore``."""
    with _scratch(path) as folder:
        return _backup(_unpack(path, folder, backup_passphrase, tell))


def restore(
    path: Path, home: Path, backup_passphrase: str, passphrase: str, tell: Tell, *, cost: Cost = STANDARD
) -> Backup:
    """Make a home of a backup: its history under ``passphrase``, and nobody yet until it joins.

    Raises ``LocalError`` where there is something in ``home`` or the backup's passphrase is wrong, ``DecodeError`` or
    ``VerificationError`` where it is none or damaged, ``StorageError`` where a disk refuses. No home is left then.
    """
    home = home.resolve()
    demand_empty(home)
    vaults.prepared(passphrase)
    with _scratch(home, parents=True) as folder:
        manifest = _unpack(path, folder, backup_passphrase, tell)
        content = vaults.VaultContent(
            database_key=manifest.database_key,
            handle=manifest.handle,
            realm=manifest.realm,
            device=manifest.device,
            authorities=manifest.authorities,
            profiles=(),
            trust=manifest.trust,
        )
        vaults.create(vault_path(folder), passphrase, content, cost=cost)
        there = folder
        try:
            there = folder.rename(home)  # in the place of an empty folder too
            sync_folder(home.parent)
        except OSError as error:
            there.rename(folder)
            raise StorageError(f"{home} could not be made: {error.strerror}", remedy="name another --home") from error
    return _backup(manifest)


def demand_empty(home: Path) -> None:
    """Assert that nothing is in ``home``. Raises ``LocalError``."""
    try:
        there = sorted(entry.name for entry in home.iterdir()) if home.exists() else []
    except OSError as error:
        raise NotReady(f"{home} cannot be read: {error.strerror}", remedy="name another --home") from error
    if there:
        raise NotReady(
            f"{home} is not empty ({', '.join(there[:3])}{'…' if there[3:] else ''}): nothing is written over it",
            remedy="restore into another home: conclave --home DIR restore FILE",
        )


def _unpack(path: Path, folder: Path, passphrase: str, tell: Tell) -> Manifest:
    """The database of a backup in ``folder``, looked over and stripped."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise LocalError(f"{path} cannot be read: {error.strerror}") from error
    target = database_path(folder)
    with file:
        manifest = read_manifest(file, passphrase)
        tell(f"the backup is {manifest.handle}@{manifest.realm}'s; {manifest.lines} lines of history")
        try:
            with target.open("xb") as database:
                target.chmod(0o600)
                for piece in read_database(file, manifest, _told(tell, "opened")):
                    database.write(piece)
                database.flush()
                os.fsync(database.fileno())
        except OSError as error:
            raise StorageError(
                f"{target} could not be written: {error.strerror}", remedy="free some space"
            ) from error
    strip_database(target, manifest.database_key)
    demand_whole(target, manifest.database_key)
    return manifest


@contextmanager
def _scratch(beside: Path, *, parents: bool = False) -> Iterator[Path]:
    """A private folder on the same disk, gone afterwards; ``parents``: make those above it where they are missing."""
    folder = beside.with_name(f".{beside.name[:100]}.{secrets.token_hex(8)}")
    try:
        if parents:
            folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise StorageError(
            f"{folder.parent} cannot be written: {error.strerror}", remedy="name a place that is yours"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _told(tell: Tell, word: str) -> Callable[[int, int], None]:
    """Progress in words, every tenth of what is long."""
    told = 0

    def progress(done: int, size: int) -> None:
        nonlocal told
        tenths = done * 10 // size if size >= TOLD_BYTES else 0
        if tenths > told:
            told = tenths
            tell(f"{word} {tenths * 10} %")

    return progress


def _backup(manifest: Manifest) -> Backup:
    return Backup(
        manifest.handle, manifest.realm, manifest.device, manifest.made, manifest.lines, manifest.size
    )  # fmt: skip
