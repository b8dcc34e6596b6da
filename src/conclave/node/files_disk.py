"""Files on disk: read to be offered, read to be served, written beside their goal, and put there without overwriting.

Everything here blocks and runs on a thread. An unfinished file is ``.NAME.ID.part`` in the folder of its goal. What
of it counts after a crash is what its hashes say, chunk by chunk: no note of progress has to be true. The finished
file, readable by its owner alone, is flushed to disk, then linked to the first free name, which fails where a file
has it. Errors of the system leave as ``StorageError`` with its own words. Left out: who may have what
(``node.files``).
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from conclave.errors import LocalError, StorageError
from conclave.files.names import numbered, safe_name
from conclave.files.offer import LARGEST_BYTES, Offered, seal_chunk
from conclave.files.tree import LeafList, leaf_hash, root_of
from conclave.wire.files import CHUNK_BYTES

NAMES = 1000
"""So many numbered names are tried for a file whose name is taken."""
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # not to wait for the other end of a pipe
_WRITE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Translate the system's errors at this file."""
    try:
        yield
    except OSError as error:
        remedy = "free some space, then fetch it again: what is there is kept" if error.errno == errno.ENOSPC else ""
        raise StorageError(f"{path}: {error.strerror or error}", remedy=remedy) from error


def open_regular(path: Path) -> int:
    """A descriptor of a regular file, for reading. Raises ``LocalError`` for anything else, ``StorageError``."""
    with told(path):
        descriptor = os.open(path, _READ)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LocalError(f"{path} is no file that can be sent", remedy="send a folder as an archive: tar, zip")
    return descriptor


def _state(descriptor: int) -> tuple[int, ...]:
    found = os.fstat(descriptor)
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def read_offered(path: Path, key: bytes, tell: Callable[[int, int], None]) -> tuple[Offered, bytes]:
    """Seal the whole of a file once, to name it: the offer and its joined leaves. ``tell(done, size)`` as it goes.

    Raises ``LocalError`` for what is no file, is too large, or changes meanwhile.
    """
    descriptor = open_regular(path)
    try:
        before = _state(descriptor)
        size = before[0]
        if size > LARGEST_BYTES:
            raise LocalError(f"{path} has {size} bytes, at most {LARGEST_BYTES} can be sent", remedy="split it")
        leaves = bytearray()
        with told(path):
            for number in range(-(-size // CHUNK_BYTES)):
                plain = os.pread(descriptor, CHUNK_BYTES, number * CHUNK_BYTES)
                leaves += leaf_hash(seal_chunk(key, number, plain))
                if number % 256 == 0:
                    tell(number * CHUNK_BYTES, size)
            if _state(descriptor) != before:
                raise LocalError(f"{path} changed while it was read", remedy="send it when nobody writes to it")
    finally:
        os.close(descriptor)
    joined = bytes(leaves)
    return Offered(safe_name(path.name), size, CHUNK_BYTES, root_of(joined), key), joined


def leaves_of(descriptor: int, offered: Offered) -> bytes:
    """The joined leaves of an open file under the key of ``offered``, as far as the file goes."""
    leaves = bytearray()
    for number in range(offered.chunks):
        plain = os.pread(descriptor, offered.plain_size(number), number * offered.chunk)
        leaves += leaf_hash(seal_chunk(offered.key, number, plain))
    return bytes(leaves)


def is_whole(descriptor: int, offered: Offered) -> bool:
    """Whether an open file is the one that was offered, to the last byte."""
    return os.fstat(descriptor).st_size == offered.size and root_of(leaves_of(descriptor, offered)) == offered.root


def sealed_chunks(
    descriptor: int, offered: Offered, leaves: LeafList, first: int, count: int
) -> list[tuple[int, bytes]]:
    """Number and sealed bytes of chunks of an open file, each exactly as it was offered.

    Raises ``LocalError`` where the file is not that any more: nothing else may be sealed under the same key.
    """
    found = []
    for number in range(first, first + count):
        plain = os.pread(descriptor, offered.plain_size(number), number * offered.chunk)
        sealed = seal_chunk(offered.key, number, plain)
        if leaf_hash(sealed) != leaves[number]:
            raise LocalError(f"{offered.name} is not what it was when it was offered", remedy="offer it again")
        found.append((number, sealed))
    return found


class PartFile:
    """A file on its way, in the folder where it will be."""

    def __init__(self, folder: Path, offered: Offered, mark: str) -> None:
        self.folder = folder
        self.path = folder / f".{offered.name}.{mark}.part"
        self._offered = offered
        self._descriptor = -1
        self._stopped = False

    @property
    def exists(self) -> bool:
        """Whether something of it is on disk."""
        return self.path.is_file() and not self.path.is_symlink()

    def open(self, keep_free: int) -> None:
        """Make it, or take up what is there. Raises ``StorageError`` where there is no room, ``LocalError``."""
        with told(self.path):
            self._descriptor = os.open(self.path, _WRITE, 0o600)
            found = os.fstat(self._descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid():
                raise LocalError(f"{self.path} is in the way", remedy="remove it, or fetch into another folder")
            if found.st_size > self._offered.size:
                os.ftruncate(self._descriptor, self._offered.size)
            missing = self._offered.size - found.st_blocks * 512
            free = shutil.disk_usage(self.folder).free
        if missing + keep_free > free:
            raise StorageError(
                f"{self.folder} has {max(0, free - keep_free)} bytes free for {max(0, missing)} that are missing",
                remedy="free some space, or fetch into another folder: --into DIR",
            )

    def kept(self, leaves: LeafList) -> list[int]:
        """The chunks that are there and whole, by their hashes."""
        with told(self.path):
            size = os.fstat(self._descriptor).st_size
            last = min(self._offered.chunks, -(-size // self._offered.chunk))
            found = []
            for number in range(last):
                if self._stopped:
                    raise LocalError(f"{self._offered.name} was stopped")
                plain = os.pread(self._descriptor, self._offered.plain_size(number), number * self._offered.chunk)
                if leaf_hash(seal_chunk(self._offered.key, number, plain)) == leaves[number]:
                    found.append(number)
            return found

    def write(self, number: int, plain: bytes) -> None:
        """Put a chunk in its place."""
        at = number * self._offered.chunk
        with told(self.path):
            while plain:
                done = os.pwrite(self._descriptor, plain, at)
                plain, at = plain[done:], at + done

    def flush(self) -> None:
        """Have what was written on the disk itself."""
        with told(self.path):
            os.fdatasync(self._descriptor)

    def place(self, begun: str, beginning: Callable[[Path], None]) -> Path:
        """Give the whole file its name, the first that is free; where it is then. ``close`` and ``discard`` follow.

        Where an earlier life has done so, that is found. On a disk without hard links the name is taken first, by an
        empty file: ``beginning(path)`` must have noted it when it returns, ``begun`` is what was noted earlier.
        """
        with told(self.path):
            os.ftruncate(self._descriptor, self._offered.size)
            os.fsync(self._descriptor)
            for goal in self._names():
                if goal.exists() and goal.samefile(self.path):
                    return goal  # linked by an earlier life
                try:
                    os.link(self.path, goal, follow_symlinks=False)
                except FileExistsError:
                    continue
                except OSError as error:
                    if error.errno not in _NO_LINKS:
                        raise
                    return self._moved(Path(begun) if begun else None, beginning)
                sync_folder(self.folder)
                return goal
        raise StorageError(f"{self.folder} has {NAMES} files called {self._offered.name}", remedy="tidy it up")

    def _moved(self, begun: Path | None, beginning: Callable[[Path], None]) -> Path:
        goal = self._reserved(begun, beginning)
        self.path.replace(goal)
        sync_folder(self.folder)
        return goal

    def _reserved(self, begun: Path | None, beginning: Callable[[Path], None]) -> Path:
        """A name that only our own empty file has."""
        if begun is not None and begun.parent == self.folder and begun.is_file() and not begun.stat().st_size:
            return begun
        for goal in self._names():
            with suppress(FileExistsError):
                os.close(os.open(goal, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
                beginning(goal)
                return goal
        raise FileExistsError(errno.EEXIST, f"{NAMES} numbered names are taken")

    def _names(self) -> Sequence[Path]:
        return [self.folder / numbered(self._offered.name, number) for number in range(NAMES)]

    def stop(self) -> None:
        """Have ``kept`` end soon, which may have gigabytes to read. From any thread."""
        self._stopped = True

    def close(self) -> None:
        """Let go of it; what is on disk stays."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def discard(self) -> None:
        """Remove what is on disk under the unfinished name."""
        with told(self.path):
            self.path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Have the folder's names on the disk itself."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # some file systems do not sync folders
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep_leaves(path: Path, leaves: bytes) -> None:
    """Write the leaves of a file; they save reading all of it again, and can be made again from it."""
    with told(path):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        beside = path.with_name(f"{path.name}.new")
        beside.write_bytes(leaves)
        beside.replace(path)


def kept_leaves(path: Path) -> bytes:
    """What ``keep_leaves`` wrote, unchecked; empty where there is nothing."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
