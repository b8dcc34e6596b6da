"""Files that travel between two machines on a medium which others may have prepared: requests out, certificates back.

Nothing here follows a link that lies there under one of our names, neither to read nor to write: what was meant for
a stick must not come from, or end in, another file of this machine. Left out: what the files mean.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path

from conclave.errors import LocalError, StorageError

_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # not to wait for the other end of a pipe


def read_carried(path: Path, limit: int, *, remedy: str = "") -> bytes:
    """What a regular file holds, of at most ``limit`` bytes. Raises ``LocalError``."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | _OPEN), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise LocalError(f"{path} cannot be read: it is no regular file", remedy=remedy)
            return file.read(limit)
    except OSError as error:
        why = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise LocalError(f"{path} cannot be read: {why}", remedy=remedy) from error


def write_carried(path: Path, data: bytes, *, remedy: str = "") -> None:
    """Put a file in the place of whatever has its name, a link included. Raises ``StorageError``."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o644), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # the medium is pulled out next
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageError(f"{path} could not be written: {error.strerror}", remedy=remedy) from error
