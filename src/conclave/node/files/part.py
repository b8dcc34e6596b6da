"""A file that is fetched: sealed on disk while it is on its way, opened once whole, put there without overwriting.

Everything here blocks and runs on a thread. The unfinished file is ``.NAME.ID.part`` in the folder of its goal: the
chunks as they came, each in its place, so that without the key, which only the encrypted store has, a disk shows
none of it. What of it counts after a crash is what its hashes say, chunk by chunk: no note of progress has to be
true. Once all are there they are opened into ``.NAME.ID.open``, readable by its owner alone, which is flushed to
disk and then linked to the first free name; that fails where a file has it. Whoever dies before begins the opening
anew. Left out: what is fetched (``node.files.fetching``).
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from conclave.errors import LocalError, StorageError
from conclave.files.names import numbered
from conclave.files.offer import SEAL_BYTES, Offered, open_into, tag_of
from conclave.files.record import FileRecord
from conclave.files.tree import LeafList, leaf_hash
from conclave.node.files.disk import told
from conclave.node.newfile import sync_folder

NAMES = 1000
"""So many numbered names are tried for a file whose name is taken."""
PIECE_CHUNKS = 4
"""So many are opened and written at once: fewer calls than one by one; 16 cost more than 1, as measured."""
_WRITE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


class PartFile:
    """A file on its way, in the folder where it will be."""

    def __init__(self, folder: Path, offered: Offered, mark: str) -> None:
        self.folder = folder
        self.path = folder / f".{offered.name}.{mark}.part"
        self._open = folder / f".{offered.name}.{mark}.open"
        self._offered = offered
        self._tags = bytearray()
        self._descriptor = -1
        self._stopped = False
        self._ours = False

    def open(self, keep_free: int) -> None:
        """Make it, or take up what is there. Raises ``StorageError`` where there is no room, ``LocalError``."""
        with told(self.path):
            self._descriptor = os.open(self.path, _WRITE, 0o600)
            found = os.fstat(self._descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid():
                raise LocalError(f"{self.path} is in the way", remedy="remove it, or fetch into another folder")
            self._ours = True
            sealed = self._offered.size + self._offered.chunks * SEAL_BYTES
            self._tags = bytearray(self._offered.chunks * SEAL_BYTES)
            if found.st_size > sealed:
                os.ftruncate(self._descriptor, sealed)
            if self._linked() is None:
                self._open.unlink(missing_ok=True)  # an earlier life's; never written to: it may be linked elsewhere
            missing = sealed + self._offered.size - found.st_blocks * 512  # in the end, for a moment, both are there
            free = shutil.disk_usage(self.folder).free
        if missing + keep_free > free:
            raise StorageError(
                f"{self.folder} has {_mebibytes(free)} free, of which {_mebibytes(keep_free)} are to stay free "
                f"(files.keep_free_bytes), and {_mebibytes(max(0, missing))} are missing",
                remedy="free some space, fetch into another folder (--into DIR), or lower that setting",
            )

    def kept(self, leaves: LeafList) -> list[int]:
        """The chunks that are there and whole, by their hashes."""
        with told(self.path):
            size = os.fstat(self._descriptor).st_size
            last = min(self._offered.chunks, -(-size // self._at(1)))
            return [number for number in range(last) if self._is_kept(number, leaves[number])]

    def _is_kept(self, number: int, leaf: bytes) -> bool:
        sealed = self._read(number)
        if leaf_hash(sealed) != leaf:
            return False
        self._note(number, sealed)
        return True

    def _note(self, number: int, sealed: bytes) -> None:
        self._tags[number * SEAL_BYTES : (number + 1) * SEAL_BYTES] = tag_of(sealed)

    @property
    def tags(self) -> bytes:
        """The joined tags, once every chunk was written or found ``kept``."""
        return bytes(self._tags)

    def _at(self, number: int) -> int:
        return number * (self._offered.chunk + SEAL_BYTES)

    def _read(self, number: int) -> bytes:
        if self._stopped:
            raise LocalError(f"{self._offered.name} was stopped")
        size = self._offered.plain_size(number) + SEAL_BYTES
        return os.pread(self._descriptor, size, self._at(number))

    def write(self, first: int, sealed: Sequence[bytes]) -> None:
        """Put neighbours in their places. They must have been checked: another size would overwrite what follows."""
        with told(self.path):
            _write(self._descriptor, sealed, self._at(first))
        for number, each in enumerate(sealed, first):
            self._note(number, each)

    def flush(self) -> None:
        """Have what was written on the disk itself."""
        with told(self.path):
            os.fdatasync(self._descriptor)

    def place(self, begun: str, beginning: Callable[[Path], None]) -> Path:
        """Open the whole file, and give it the first name that is free; where it is then. ``discard`` follows.

        Where an earlier life has done so, that is found. On a disk without hard links the name is taken first, by an
        empty file: ``beginning(path)`` must have noted it when it returns, ``begun`` is what was noted earlier.
        Raises ``VerificationError`` where a chunk does not open, ``StorageError``.
        """
        with told(self.path):
            linked = self._linked()
            if linked is not None:
                return linked
            self._unseal()
            for goal in self._names():
                try:
                    os.link(self._open, goal, follow_symlinks=False)
                except FileExistsError:
                    continue
                except OSError as error:
                    if error.errno not in _NO_LINKS:
                        raise
                    return self._moved(Path(begun) if begun else None, beginning)
                sync_folder(self.folder)
                return goal
        raise StorageError(f"{self.folder} has {NAMES} files called {self._offered.name}", remedy="tidy it up")

    def _linked(self) -> Path | None:
        """Where an earlier life linked the opened file."""
        if not self._open.is_file() or self._open.is_symlink() or self._open.stat().st_nlink < 2:
            return None
        return next((goal for goal in self._names() if goal.exists() and goal.samefile(self._open)), None)

    def _unseal(self) -> None:
        descriptor = os.open(self._open, _WRITE | os.O_EXCL, 0o600)
        try:
            count = min(PIECE_CHUNKS, self._offered.chunks)
            sealed, plain = memoryview(bytearray(self._at(count))), memoryview(bytearray(count * self._offered.chunk))
            for first in range(0, self._offered.chunks, PIECE_CHUNKS):
                _write(descriptor, [self._opened(first, sealed, plain)], first * self._offered.chunk)
            os.fsync(descriptor)
        except BaseException:  # a full disk, a wrong key: nothing plain is left behind
            with suppress(OSError):
                self._open.unlink()
            raise
        finally:
            os.close(descriptor)

    def _opened(self, first: int, sealed: memoryview, plain: memoryview) -> memoryview:
        """The plain bytes of ``PIECE_CHUNKS`` from ``first`` on; both buffers are used again for the next ones."""
        if self._stopped:
            raise LocalError(f"{self._offered.name} was stopped")
        found = sealed[: _fill(self._descriptor, sealed, self._at(first))]
        end = 0
        for number in range(first, min(first + PIECE_CHUNKS, self._offered.chunks)):
            start, end = end, end + self._offered.plain_size(number)
            piece = found[self._at(number - first) : self._at(number - first + 1)]
            open_into(self._offered, number, piece, plain[start:end])
        return plain[:end]

    def _moved(self, begun: Path | None, beginning: Callable[[Path], None]) -> Path:
        goal = self._reserved(begun, beginning)
        self._open.replace(goal)
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
        """Have ``kept`` and ``place`` end soon, which may have gigabytes to read. From any thread."""
        self._stopped = True

    def close(self) -> None:
        """Let go of it; what is on disk stays, unless that is nothing but a name."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            if self._ours and not os.fstat(descriptor).st_size:
                with suppress(OSError):
                    self.path.unlink()
            os.close(descriptor)

    def discard(self) -> None:
        """Remove what is on disk under the unfinished names, the plain one first."""
        with told(self.path):
            self._open.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)


def part_of(record: FileRecord) -> PartFile:
    """The file of a record as it is on its way."""
    return PartFile(Path(record.path).parent, record.offered, record.id.hex()[:8])


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB" if size >= 1 << 20 else f"{size} bytes"


def _fill(descriptor: int, room: memoryview, at: int) -> int:
    """Read until there is no more room, or no more file; how many bytes came."""
    done = 0
    while done < len(room) and (read := os.preadv(descriptor, [room[done:]], at + done)):
        done += read
    return done


def _write(descriptor: int, pieces: Sequence[bytes | memoryview], at: int) -> None:
    """Write pieces one behind the other, in one call of the system where it takes them all."""
    left = [piece for piece in pieces if piece]
    while left:
        done = os.pwritev(descriptor, left, at)
        at += done
        while left and done >= len(left[0]):
            done -= len(left.pop(0))
        if done:
            left[0] = left[0][done:]
