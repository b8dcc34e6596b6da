"""What any store can keep: checked for a whole commit before its first record is taken.

Numbers fit a signed integer of 64 bits, times are finite, names and texts are Unicode. The cores see to all of this;
a store that meets something else says so instead of keeping it altered. And what a search looks for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import isfinite
from unicodedata import normalize

from conclave.chat.effects import (
    AddLine,
    AddState,
    AmendLine,
    CutEntries,
    DropEntries,
    DropExpired,
    DropPosts,
    DropState,
    EraseLine,
    ExpireLine,
    KeepOriginal,
    MarkLine,
    PassLine,
    PutCertificate,
    PutEntry,
    PutPost,
    PutState,
    Record,
    SetPin,
    SetReaction,
    UnplaceLines,
)
from conclave.chat.words.line import Line
from conclave.errors import StorageError
from conclave.wire.limits import ID_BYTES

NUMBER_MAX = (1 << 63) - 1
"""The largest number of a post, an entry or a line's place: what SQLite's integers hold."""
CERTIFICATE_BYTES = 64 * 1024
"""The longest certificate."""
EARLY_KEPT = 64
"""What one person said in one conversation of lines that have not come yet: the last ones of it."""
GONE_KEPT = 16_384
"""Lines of one conversation that disappeared whose names are known: the last ones."""
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
                _text(conversation)
                _line(line)
            case MarkLine():
                _number(record.seq)
                _text(record.conversation)
                _text(record.sender)
            case PutPost(peer, number):
                _number(number)
                _text(peer)
            case PutState(key) | AddState(key) | DropState(key):
                _text(key)
            case KeepOriginal():
                _text(record.conversation)
                _text(record.sender)
            case ExpireLine() | PassLine() | AmendLine() | EraseLine() | SetReaction() | SetPin():
                _amendment(record)
            case DropExpired(now):
                _time(now)
            case UnplaceLines(conversation, seq):
                _text(conversation)
                _number(seq)
            case DropPosts(peer):  # any number will do: what is past all posts drops all
                _text(peer)
            case PutEntry(group, seq) | CutEntries(group, seq):
                _id(group)
                _number(seq)
            case DropEntries(group):
                _id(group)
            case PutCertificate(der):
                if not 0 < len(der) <= CERTIFICATE_BYTES:
                    raise StorageError(f"a certificate of {len(der)} bytes, of at most {CERTIFICATE_BYTES}")


def _line(line: Line) -> None:
    _id(line.id)
    _number(line.seq)
    _time(line.sent)
    _time(line.stored)
    _time(line.expires)
    _text(line.sender)
    _text(line.text)
    if line.reply is not None:
        _text(line.reply[0])
        _id(line.reply[1])


def _amendment(record: ExpireLine | PassLine | AmendLine | EraseLine | SetReaction | SetPin) -> None:
    _text(record.conversation)
    _text(record.sender)
    _id(record.id)
    if isinstance(record, AmendLine):
        _text(record.text)
        _time(record.at)
    elif isinstance(record, SetReaction):
        _text(record.by)
        _text(record.sign)
        _time(record.at)
    elif isinstance(record, SetPin | ExpireLine):
        _time(record.at)


def _time(value: float) -> None:
    if not isfinite(value):
        raise StorageError("a line's time is not finite")


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
