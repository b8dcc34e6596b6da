"""File names from anybody, made safe to create in any folder and to show on any screen.

The rules are those of the strictest system that a folder may be carried to, so that the same offer has the same name
everywhere. Left out: which names are taken (``node.files.disk``).
"""

from __future__ import annotations

import re
from unicodedata import normalize

from conclave.wire.safe_text import LOOSE, REPLACEMENT, safe_text

NAME_BYTES = 200
"""Longest name in UTF-8: with a number and the mark of an unfinished file it fits the 255 of common systems."""
_SUFFIX_BYTES = 24
_FORBIDDEN = re.compile(rf'[/\\:*?"<>|{REPLACEMENT}\u2024\u2044\u2215\u29f8\uff0f\uff3c\u3000]')
"""Separators and what other systems forbid, with letters that look like separators."""
_RESERVED = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|CLOCK\$|COM[0-9¹²³]|LPT[0-9¹²³])(?:\.|$)", re.IGNORECASE)
_SUFFIX = re.compile(r"(?:\.tar)?\.[^.\s]{1,16}$", re.IGNORECASE)


def safe_name(text: str) -> str:
    """One part of a path of at most 200 bytes: visible characters, hidden nowhere, a path or an option nowhere.

    Never empty; applied again, it changes nothing.
    """
    name = safe_text(normalize("NFC", text))
    name = _FORBIDDEN.sub("_", name)
    name = _trimmed(_cut(_trimmed(name)))
    if _RESERVED.match(name):
        name = _trimmed(_cut(f"_{name}"))
    return name or "file"


def _trimmed(name: str) -> str:
    """No dots, spaces or signs of an option or a home in front, no dots or spaces behind."""
    return re.sub(r"^[\s.~-]+", "", name).rstrip(". \t")


def _cut(name: str) -> str:
    if len(name.encode()) <= NAME_BYTES:
        return name
    stem, suffix = _parts(name)
    if len(suffix.encode()) > _SUFFIX_BYTES:
        stem, suffix = name, ""
    return stem.encode()[: NAME_BYTES - len(suffix.encode())].decode(errors="ignore").rstrip(f"{LOOSE}. ") + suffix


def _parts(name: str) -> tuple[str, str]:
    found = _SUFFIX.search(name)
    return (name[: found.start()], name[found.start() :]) if found and found.start() else (name, "")


def numbered(name: str, number: int) -> str:
    """``report.pdf`` with 1 as ``report (1).pdf``; with 0 as it is."""
    stem, suffix = _parts(name)
    return f"{stem} ({number}){suffix}" if number else name
