"""What is remembered of an offered file, as it is kept in the store under ``file/`` and its id.

The id names one offer in one conversation, by everything that was offered and the message that it came in: the same
message is one record, and a member who offers another's file, as it is or with another key or size, disturbs only an
offer of its own. Left out: the leaves, which lie in a file of their own, and what is on disk of a file under way,
which the disk itself tells.
"""

from __future__ import annotations

from enum import IntEnum
from hashlib import sha256

from conclave.errors import DecodeError
from conclave.files.offer import KEY_BYTES, Offered, OfferLike, read_offer
from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer, decode
from conclave.wire.files import DIGEST_BYTES
from conclave.wire.limits import ID_BYTES, TEXT_BYTES

PREFIX = "file/"
"""How the keys of records in the store begin."""
_VERSION = 2
_LABEL = b"conclave file id 2"
_LABEL_BYTES = 512
_PATH_BYTES = 8192


class Stage(IntEnum):
    """Where a file stands here."""

    OFFERED = 1  # by somebody else; nobody here has asked for it
    FETCHING = 2
    HERE = 3  # whole, at ``path``: offered by us, or fetched
    FAILED = 4
    CANCELLED = 5
    PLACING = 6  # whole, and about to be moved to ``path``, which is taken for it by an empty file

    @property
    def word(self) -> str:
        """As fronts show it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One offer. ``sender`` and ``message`` (16 bytes) name the message that it came in, said ``at`` (UNIX seconds).

    ``path`` is the file where it is here, while it is fetched what it will be called; ``why`` says what went wrong.
    ``changed`` is when a file of ours was written last (UNIX nanoseconds) that was found to be another; 0: none was.
    """

    conversation: str
    sender: str
    message: bytes
    offered: Offered
    at: float
    stage: Stage
    path: str = ""
    why: str = ""
    changed: int = 0

    @property
    def id(self) -> bytes:
        """16 bytes that name this offer in this conversation, made of who said it, how, and all that was offered.

        A pair has another name on each side, so there its sender's stands for it: both see the same id.
        """
        where = f"@{self.sender}" if self.conversation.startswith("@") else self.conversation
        w = Writer().text(where).text(self.offered.name).uint64(self.offered.size)
        w.uint32(self.offered.chunk).fixed(self.offered.root, DIGEST_BYTES).fixed(self.offered.key, KEY_BYTES)
        w.text(self.sender).fixed(self.message, ID_BYTES)
        return sha256(_LABEL + w.done()).digest()[:ID_BYTES]

    @property
    def key(self) -> str:
        """Its key in the store."""
        return PREFIX + self.id.hex()


def record_of(conversation: str, sender: str, message: bytes, offer: OfferLike, at: float) -> FileRecord:
    """The record of an offer that was made at ``at``. Raises ``DecodeError`` for one that is of no file."""
    return FileRecord(conversation, sender, message, read_offer(offer), at, Stage.OFFERED)


def encode_record(record: FileRecord) -> bytes:
    """The record as it is stored."""
    offered = record.offered
    w = Writer().uint8(_VERSION).text(record.conversation).text(record.sender).fixed(record.message, ID_BYTES)
    w.text(offered.name).uint64(offered.size).uint32(offered.chunk)
    w.fixed(offered.root, DIGEST_BYTES).fixed(offered.key, KEY_BYTES)
    w.uint64(round(record.at * 1000)).uint8(record.stage)
    w.opaque(record.path.encode(errors="surrogateescape")).text(record.why[: TEXT_BYTES // 4])
    return w.uint64(record.changed).done()


def _record(r: Reader) -> FileRecord:
    if (version := r.uint8()) != _VERSION:
        raise DecodeError(f"a file's record of version {version}")
    conversation, sender, message = r.text(_LABEL_BYTES), r.text(TEXT_BYTES), r.fixed(ID_BYTES)
    name, size, chunk = r.text(TEXT_BYTES), r.uint64(), r.uint32()
    offered = Offered(name, size, chunk, r.fixed(DIGEST_BYTES), r.fixed(KEY_BYTES))
    at, stage = r.uint64() / 1000, r.uint8()
    path = r.opaque(_PATH_BYTES).decode(errors="surrogateescape")
    if stage not in set(Stage):
        raise DecodeError(f"{stage} is no stage of a file")
    why, changed = r.text(TEXT_BYTES), r.uint64()
    return FileRecord(conversation, sender, message, offered, at, Stage(stage), path, why, changed)


def decode_record(data: bytes) -> FileRecord:
    """The inverse of ``encode_record``. Raises ``DecodeError``."""
    return decode(data, _record)
