"""A file that is there whole or not at all, and never in another's place: for what people keep and pass on."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from conclave.errors import LocalError, StorageError


def demand_free(path: Path) -> None:
    """Assert that nothing has this name. Raises ``LocalError``."""
    if path.exists() or path.is_symlink():
        raise LocalError(f"{path} is there already: nothing is written over it", remedy="give another name")


def sync_folder(folder: Path) -> None:
    """Have the folder's names on the disk itself."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems do not sync folders
                raise
    finally:
        os.close(descriptor)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file (0600) to write into, and to read again, which gets its name once all of it is on disk.

    Raises ``LocalError`` where the name is taken, and ``StorageError`` where the disk refuses; nothing is left then.
    """
    demand_free(path)
    there = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(there, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            demand_free(path)
            there = there.rename(path)
            sync_folder(path.parent)
        except BaseException:
            there.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageError(
            f"{path} could not be written: {error.strerror}", remedy="free some space, or name a place that is yours"
        ) from error
