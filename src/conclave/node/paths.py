"""Where a home keeps its things: vault, database, socket, configuration, the authority's folder.

A home is one folder (0700) that holds everything of one user on one device. Left out: what the files hold.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

import platformdirs

from conclave.errors import NotReady, StorageError

SOCKET_PATH_BYTES = 100
"""Longer paths do not fit a UNIX socket's address (108 on Linux, 104 on macOS)."""


def default_home() -> Path:
    """The home where none is named, by the platform's custom."""
    return Path(platformdirs.user_data_dir("conclave", appauthor=False))


def prepare_home(home: Path) -> None:
    """Make the folder, readable by its owner alone. Raises ``StorageError``."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{home} cannot be made: {error.strerror}", remedy="name another --home") from error


def vault_path(home: Path) -> Path:
    """Keys, certificates and trust, under the passphrase."""
    return home / "vault"


def database_path(home: Path) -> Path:
    """History and outbox, encrypted with a key from the vault."""
    return home / "history.db"


def config_path(home: Path) -> Path:
    """Settings, as TOML, written by people."""
    return home / "config.toml"


def lock_path(home: Path) -> Path:
    """Locked by the node while it runs, so that there is one."""
    return home / "node.lock"


def socket_path(home: Path) -> Path:
    """Where the node listens for fronts: in the home, or, where that path is too long, in a private folder."""
    path = home / "node.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:24]
    bases = [Path(base) for base in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir()) if base]
    elsewhere = [base / f"conclave-{os.getuid()}" / f"{digest}.sock" for base in bases]
    return next((path for path in elsewhere if len(os.fsencode(path)) <= SOCKET_PATH_BYTES), elsewhere[-1])


def demand_private(folder: Path) -> None:
    """Assert that a folder is ours alone, and no link to another. Raises ``LocalError``.

    In a folder that everybody may write to, somebody else may have made it first.
    """
    try:
        found = folder.lstat()
    except OSError as error:
        raise NotReady(f"{folder} cannot be read: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise NotReady(
            f"{folder} is not private to you",
            remedy="set XDG_RUNTIME_DIR to a folder of yours, or use a shorter --home",
        )
