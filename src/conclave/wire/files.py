"""Frames that carry a file's bytes between two peers, beside the conversation that offered it.

A file is named by the root of its chunks' hashes. Whoever wants it asks for leaf hashes or for sealed chunks, and
gets these or a *lack* with its reason. Kinds 48 to 51. Left out: what is asked when, and of whom (``files``).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from conclave.errors import DecodeError
from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer

DIGEST_BYTES = 32
"""A root or a leaf: SHA-256."""
CHUNK_BYTES = 64 * 1024
"""Plain bytes of every chunk but the last, which has the rest."""
SEALED_BYTES = CHUNK_BYTES + 16
"""A chunk with its tag."""
ASK_LEAVES = 1024
"""Leaf hashes that one frame carries at most (32 KiB)."""
ASK_CHUNKS = 64
"""Chunks that one frame asks for at most (4 MiB)."""


class FileKind(IntEnum):
    """What a frame is, in one series with ``wire.kinds.Kind``."""

    ASK = 48
    LEAVES = 49
    CHUNK = 50
    LACK = 51


class Part(IntEnum):
    """What of a file is asked for."""

    LEAVES = 1
    CHUNKS = 2


class Why(IntEnum):
    """Why an ask is not answered with bytes."""

    UNKNOWN = 1  # not here, or not for you: which of the two is not told
    BUSY = 2  # as many uploads as are allowed are under way: ask again later
    CHANGED = 3  # it was changed or removed since it was offered
    OTHER = 255  # a reason that a newer peer has

    @property
    def words(self) -> str:
        """For people."""
        return _WORDS[self]


_WORDS = {
    Why.UNKNOWN: "does not have it",
    Why.BUSY: "is busy with other files",
    Why.CHANGED: "has changed or removed it",
    Why.OTHER: "does not give it",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """Give me ``count`` leaves or chunks of the file ``root`` from number ``first`` on."""

    root: bytes
    part: Part
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Leaves:
    """Leaf hashes from number ``first`` on, joined."""

    root: bytes
    first: int
    hashes: bytes


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk, sealed under the file's key."""

    root: bytes
    number: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Lack:
    """Nothing of the file comes from here for now."""

    root: bytes
    why: Why


FileFrame = Ask | Leaves | Chunk | Lack


def _ask(r: Reader) -> Ask:
    root, part, first, count = r.fixed(DIGEST_BYTES), r.uint8(), r.uint32(), r.uint16()
    if part not in (Part.LEAVES, Part.CHUNKS):
        raise DecodeError(f"{part} is no part of a file")
    most = ASK_LEAVES if part == Part.LEAVES else ASK_CHUNKS
    if not 1 <= count <= most or first + count > 1 << 32:
        raise DecodeError(f"{count} parts of a file are asked for at once, from 1 to {most} are allowed")
    return Ask(root, Part(part), first, count)


def _leaves(r: Reader) -> Leaves:
    leaves = Leaves(r.fixed(DIGEST_BYTES), r.uint32(), r.opaque(ASK_LEAVES * DIGEST_BYTES))
    if len(leaves.hashes) % DIGEST_BYTES:
        raise DecodeError("leaf hashes of a broken length")
    return leaves


def _lack(r: Reader) -> Lack:
    root, why = r.fixed(DIGEST_BYTES), r.uint8()
    return Lack(root, Why(why) if why in _REASONS else Why.OTHER)


_REASONS = frozenset(map(int, Why))
DECODERS: dict[int, Callable[[Reader], FileFrame]] = {
    FileKind.ASK: _ask,
    FileKind.LEAVES: _leaves,
    FileKind.CHUNK: lambda r: Chunk(r.fixed(DIGEST_BYTES), r.uint32(), r.opaque(SEALED_BYTES)),
    FileKind.LACK: _lack,
}
"""What ``wire.frames`` adds to its own table."""


def file_body(frame: FileFrame) -> tuple[int, bytes]:
    """The kind and the body of a frame."""
    w = Writer().fixed(frame.root, DIGEST_BYTES)
    match frame:
        case Chunk():
            return FileKind.CHUNK, w.uint32(frame.number).opaque(frame.sealed).done()
        case Ask():
            w.uint8(frame.part).uint32(frame.first).uint16(frame.count)
            return FileKind.ASK, w.done()
        case Leaves():
            return FileKind.LEAVES, w.uint32(frame.first).opaque(frame.hashes).done()
        case Lack():
            return FileKind.LACK, w.uint8(frame.why).done()
