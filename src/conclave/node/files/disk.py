"""Files on disk, read to be offered and to be served; and their leaves, which are kept beside.

Everything here blocks and runs on a thread. Errors of the system leave as ``StorageError`` with its own words. Left
out: a file that is fetched (``node.files.part``), and who may have what (``node.files.filing``).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from conclave.errors import LocalError, StorageError
from conclave.files.names import safe_name
from conclave.files.offer import LARGEST_BYTES, SEAL_BYTES, Offered, is_offered, seal_chunk, tag_of
from conclave.files.tree import LeafList, leaf_hash, root_of
from conclave.wire.files import CHUNK_BYTES, DIGEST_BYTES

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # not to wait for the other end of a pipe


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Translate the system's errors at this file."""
    try:
        yield
    except OSError as error:
        remedy = "free some space, then fetch it again: what is there is kept" if error.errno == errno.ENOSPC else ""
        raise StorageError(f"{path}: {error.strerror or error}", remedy=remedy) from error


def written_at(path: Path) -> int:
    """When a file was written last (UNIX nanoseconds, at least 1); 0 where that cannot be told."""
    try:
        return max(1, path.stat().st_mtime_ns)
    except OSError:
        return 0


def open_regular(path: Path) -> int:
    """A descriptor of a regular file, for reading. Raises ``LocalError`` for anything else, ``StorageError``."""
    try:
        with told(path):
            descriptor = os.open(path, _READ)
    except StorageError as error:
        if os.path.exists(path):  # noqa: PTH110 - does not raise where the folder cannot be looked into
            raise
        raise LocalError(str(error), remedy=error.remedy) from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        remedy = "send a folder as an archive: tar, zip" if stat.S_ISDIR(mode) else "copy what it gives into a file"
        raise LocalError(f"{path} is no file that can be sent", remedy=remedy)
    return descriptor


def _state(descriptor: int) -> tuple[int, ...]:
    found = os.fstat(descriptor)
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def read_offered(path: Path, key: bytes, tell: Callable[[int, int], None]) -> tuple[Offered, bytes, bytes]:
    """Seal the whole of a file once, to name it: the offer, joined leaves and tags. ``tell(done, size)`` as it goes.

    Raises ``LocalError`` for what is no file, is too large, or changes meanwhile.
    """
    descriptor = open_regular(path)
    try:
        before = _state(descriptor)
        size = before[0]
        if size > LARGEST_BYTES:
            raise LocalError(f"{path} has {size} bytes, at most {LARGEST_BYTES} can be sent", remedy="split it")
        leaves, tags = bytearray(), bytearray()
        with told(path):
            for number in range(-(-size // CHUNK_BYTES)):
                sealed = seal_chunk(key, number, os.pread(descriptor, CHUNK_BYTES, number * CHUNK_BYTES))
                leaves += leaf_hash(sealed)
                tags += tag_of(sealed)
                if number % 256 == 0:
                    tell(number * CHUNK_BYTES, size)
            if _state(descriptor) != before:
                raise LocalError(f"{path} changed while it was read", remedy="send it when nobody writes to it")
    finally:
        os.close(descriptor)
    joined = bytes(leaves)
    return Offered(safe_name(path.name), size, CHUNK_BYTES, root_of(joined), key), joined, bytes(tags)


def leaves_of(descriptor: int, offered: Offered) -> tuple[bytes, bytes]:
    """The joined leaves and tags of an open file under the key of ``offered``, as far as the file goes."""
    leaves, tags = bytearray(), bytearray()
    for number in range(offered.chunks):
        sealed = _sealed(descriptor, offered, number)
        leaves += leaf_hash(sealed)
        tags += tag_of(sealed)
    return bytes(leaves), bytes(tags)


def _sealed(descriptor: int, offered: Offered, number: int) -> bytes:
    plain = os.pread(descriptor, offered.plain_size(number), number * offered.chunk)
    return seal_chunk(offered.key, number, plain)


def is_whole(descriptor: int, offered: Offered) -> bool:
    """Whether an open file is the one that was offered, to the last byte."""
    return os.fstat(descriptor).st_size == offered.size and root_of(leaves_of(descriptor, offered)[0]) == offered.root


def sealed_chunks(
    descriptor: int, offered: Offered, leaves: LeafList, tags: bytes, first: int, count: int
) -> list[tuple[int, bytes]]:
    """Number and sealed bytes of chunks of an open file, each exactly as it was offered.

    Raises ``LocalError`` where the file is not that any more: nothing else may be sealed under the same key.
    """
    found = []
    for number in range(first, first + count):
        sealed = _sealed(descriptor, offered, number)
        if not is_offered(number, sealed, leaves[number], tags):
            raise LocalError(f"{offered.name} is not what it was when it was offered", remedy="offer it again")
        found.append((number, sealed))
    return found


def keep_leaves(path: Path, leaves: bytes, tags: bytes = b"") -> None:
    """Write leaves and tags of a file; they save reading all of it again, and can be made again from it."""
    with told(path):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        beside = path.with_name(f"{path.name}.new")
        beside.write_bytes(leaves + tags)
        beside.replace(path)


def kept_leaves(path: Path, count: int) -> tuple[bytes, bytes]:
    """What ``keep_leaves`` wrote for ``count`` chunks, unchecked; empty where there is nothing, or no tags."""
    try:
        kept = path.read_bytes()
    except OSError:
        return b"", b""
    leaves, tags = kept[: count * DIGEST_BYTES], kept[count * DIGEST_BYTES :]
    return leaves, tags if len(tags) == count * SEAL_BYTES else b""
