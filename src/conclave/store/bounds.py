"""What any store can keep: checked for a whole commit before its first record is taken.

Numbers fit a signed integer of 64 bits, times are finite, names and texts are Unicode. The cores see to all of this;
a store that meets something else says so instead of keeping it altered. And what a search looks for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import isfinite
from unicodedata import normalize

from conclave.chat.effects import AddLine, DropEntries, DropPosts, MarkLine, PutEntry, PutPost, Record
from conclave.errors import StorageError
from conclave.wire.frames import ID_BYTES

NUMBER_MAX = (1 << 63) - 1
"""The largest number of a post, an entry or a line's place: what SQLite's integers hold."""
SEARCH_WORDS = 32
"""Words of a search beyond these are left out."""

_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """The words of a text or a search, letters composed, in small letters."""
    return _WORD.findall(normalize("NFC", text).lower())


def bounded(value: int) -> int:
    """A position or a count of a read, brought within what a store can hold."""
    return max(0, min(value, NUMBER_MAX))


def check(records: Iterable[Record]) -> None:
    """Raise ``StorageError`` for the first record that cannot be kept as it is."""
    for record in records:
        match record:
            case AddLine(conversation, line):
                _id(line.id)
                _number(line.seq)
                if not (isfinite(line.sent) and isfinite(line.stored)):
                    raise StorageError("a line's time is not finite")
                _text(conversation)
                _text(line.sender)
                _text(line.text)
            case MarkLine():
                _number(record.seq)
                _text(record.conversation)
                _text(record.sender)
            case PutPost(peer, number):
                _number(number)
                _text(peer)
            case DropPosts(peer):  # any number will do: what is past all posts drops all
                _text(peer)
            case PutEntry(group, seq):
                _id(group)
                _number(seq)
            case DropEntries(group):
                _id(group)
            case _:
                _text(record.key)


def _number(value: int) -> None:
    if not 0 <= value <= NUMBER_MAX:
        raise StorageError(f"the number {value} is past what a store can keep")


def _id(value: bytes) -> None:
    if len(value) != ID_BYTES:
        raise StorageError(f"an id of {len(value)} bytes where {ID_BYTES} are wanted")


def _text(value: str) -> None:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise StorageError("a text that is not Unicode cannot be kept") from error
