"""Rows of a terminal: what is longer is folded here, with blanks in front, and no words look like a row of ours.

A terminal goes on in its first column, where its reader looks for who speaks: whoever counts its columns could put a
line of somebody else there. Left out: what is no terminal, which gets rows as they are, and one that is made narrower
later, which folds by itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TextIO
from unicodedata import category, east_asian_width

ANSWERS = "↳"
"""Begins a row of ours that says what a line answers."""
SAID = "| "
"""Before a row of somebody's words that begins as one of ours does, or tells when it arrived."""
BEHIND = 8
"""Blanks before what a row goes on with."""
ROOM = 16
"""Cells that a row has at least: beside what stands before it, or below."""

_OURS = re.compile(rf"\s*(?:{ANSWERS}|\[|\(deleted\))|.*\(arrived\s")
_JOINER = "\u200d"
_SKINS = range(0x1F3FB, 0x1F400)
_PARTS = re.compile(" +|[^ ]+")


def columns(stream: TextIO) -> int:
    """So many cells a row of the terminal has; 0 where it is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):
        return 0


def cells(text: str) -> int:
    """So many cells a text takes at most: wide letters two, and signs that a terminal may draw wide."""
    return len(text) + sum(east_asian_width(c) in "WF" or c >= "\U0001f000" for c in text if c >= "\u1100")


def fold(text: str, room: int, behind: int = 0) -> list[str]:
    """A text in rows of at most ``room`` cells, after the first ``behind`` less; all in one where ``room`` is 0."""
    if not room or cells(text) <= room:
        return [text]
    rows: list[str] = []
    row, used = "", 0
    for part, size in _parts(text, room - behind):
        if used + size > room - (behind if rows else 0):
            if row.strip():
                rows.append(row.rstrip())
            row, used = "", 0
            if part.isspace():
                continue
        row, used = row + part, used + size
    return [*rows, row] if row.strip() or not rows else rows


def _parts(text: str, most: int) -> Iterator[tuple[str, int]]:
    """Words and the blanks between them, longer ones in pieces of ``most`` cells at most; and how long each is."""
    for part in _PARTS.findall(text):
        piece, size = "", 0
        for sign in _signs(part, most):
            wide = cells(sign)
            if size + wide > most:
                yield piece, size
                piece, size = "", 0
            piece, size = piece + sign, size + wide
        yield piece, size


def _signs(text: str, most: int) -> Iterator[str]:
    """What is drawn as one, where that takes no more than ``most`` cells: letters that draw nothing count as well."""
    first = size = 0
    for at, letter in enumerate(text):
        if at > first and (size + cells(letter) > most or not _goes_on(text[at - 1], letter)):
            yield text[first:at]
            first, size = at, 0
        size += cells(letter)
    yield text[first:]


def _goes_on(before: str, letter: str) -> bool:
    """Whether a letter is drawn with the one before it, and is not to begin a row."""
    return _JOINER in (before, letter) or category(letter)[0] == "M" or ord(letter) in _SKINS


def folded(text: str, room: int) -> list[str]:
    """A row of ours as rows of a terminal: what it goes on with stands behind blanks."""
    first, *more = fold(text, room, BEHIND)
    return [first, *(" " * BEHIND + row for row in more)]


def said(text: str, room: int) -> list[str]:
    """Somebody's words in rows, none of which looks like one of ours."""
    rows = [row for line in text.split("\n") for row in fold(line, room and room - len(SAID))]
    return [SAID + row if _OURS.match(_seen(row)) else row for row in rows]


def _seen(row: str) -> str:
    """A row as it is read: without signs that may draw nothing, and what stands before all others as a blank."""
    drawn = (" " if category(one)[0] == "Z" else one for one in row if category(one)[0] not in "MC")
    return "".join(drawn).lstrip(" \ufffd")
