"""Text from anybody made safe to print: the one defence of every front and log against text that drives the screen.

A terminal obeys ESC and its kin in a message as it obeys a program; bidirectional controls make ``exe.gpj`` read as
``jpg.exe``; invisible characters hide data and make two names look the same. Whatever is not plainly visible text
becomes U+FFFD, a run of it one U+FFFD, so that people see that something was there and the text never grows. What
the scripts of the world and emoji need is kept, each only where it has a meaning: joiners, variation selectors,
stacked marks up to ``MARKS``, the tags of the three flags that have some. Read with Unicode's UAX 9, UAX 31
and UTS 51, and RFC 5892 appendix A for joiners.

It stands in ``wire`` because every tier above may print or log. Left out: look-alike letters, which names avoid by
being ``[a-z0-9-]``; a right-to-left sentence, which still reads from the right.
"""

from __future__ import annotations

import re
from functools import lru_cache
from string import ascii_lowercase
from unicodedata import bidirectional, category, combining

REPLACEMENT = "\ufffd"
MARKS = 8
"""Marks that may stand on one letter: Burmese and pointed Hebrew need five or six; hundreds cover other lines."""

_JOINER, _NON_JOINER = "\u200d", "\u200c"
_TAGS = str.maketrans({c: chr(0xE0000 + ord(c)) for c in ascii_lowercase})
LOOSE = _JOINER + _NON_JOINER + ascii_lowercase.translate(_TAGS)
"""Characters that mean nothing at the end of a text that was cut off."""
_VIRAMA = 9  # the combining class of the signs that bind Indic consonants

_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
"""Letters, marks and a symbol by category that draw nothing."""
_VISIBLE_FORMAT = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
"""Category Cf but drawn: Unicode's Prepended_Concatenation_Mark, e.g. the Arabic number sign."""
_SELECTOR = re.compile("[\ufe00-\ufe0f\u180b-\u180d\u180f\U000e0100-\U000e01ef]")
_SELECTABLE = frozenset("0123456789#*\u203c\u2049\u2139\u3030")
"""Not symbols or unicameral letters, yet with an emoji form of their own."""
_BLACK_FLAG = "\U0001f3f4"
_TAGGED = re.compile(f"{_BLACK_FLAG}(?:gbeng|gbsct|gbwls)\U000e007f".translate(_TAGS))
"""England, Scotland and Wales, with the tag that ends them. Other tags draw nothing (RGI set of UTS 51)."""
_NEWER = re.compile("[\U0001f000-\U0001faff\U00020000-\U0002fffd\U00030000-\U0003fffd]")
"""Where new emoji and ideographs are added: may be unassigned for this Python and still draw."""


def safe_text(text: str, *, newlines: bool = False, limit: int | None = None) -> str:
    r"""``text`` as it may be printed on one line, or on several with ``newlines``, in at most ``limit`` characters.

    A line break is kept as ``\n`` or replaced, a tab becomes a space, what is cut off at ``limit`` becomes an
    ellipsis. Never longer than ``text``; applied again, it changes nothing.
    """
    if not (text.isascii() and text.isprintable()):
        text = _defused(text.replace("\r\n", "\n").replace("\t", " "), newlines=newlines)
    if limit is not None and len(text) > limit:
        text = (text[: max(0, limit - 1)].rstrip(LOOSE) + "\u2026")[: max(0, limit)]
    return text


def _defused(text: str, *, newlines: bool) -> str:
    out: list[str] = []
    before = ""  # the last character given out
    base = ""  # the last one that is no mark, selector or joiner: what a mark would stand on
    marks = 0
    replaced = False  # whether the last character was
    tagged = 0  # where the last flag with tags ends
    for at, c in enumerate(text):
        kind = _kind(c)
        if c == _BLACK_FLAG and (flag := _TAGGED.match(text, at)):
            tagged = flag.end()
        match kind:
            case "mark":
                marks += 1
                keep = not replaced and base not in ("", "\n") and marks <= MARKS
            case "selector":
                keep = before == base and _selectable(base)
            case "joiner":
                keep = _joins(c, before, base, text[at + 1 : at + 2])
            case _:
                keep = kind == "plain" or at < tagged or (kind == "newline" and newlines)
        given = c if keep else "" if replaced else REPLACEMENT
        if given:
            out.append(given)
            before = given
            if not keep or kind in ("plain", "newline"):
                base, marks = given, 0
        replaced = not keep
    return "".join(out)


@lru_cache(4096)
def _kind(c: str) -> str:
    if c == "\n":
        return "newline"
    if c in (_JOINER, _NON_JOINER):
        return "joiner"
    if _SELECTOR.match(c):
        return "selector"
    group = category(c)
    if c in _INVISIBLE or group in ("Cc", "Cs", "Co", "Zl", "Zp"):
        return "unsafe"
    if group == "Cf":
        return "plain" if c in _VISIBLE_FORMAT else "unsafe"
    if group == "Cn":
        return "plain" if _NEWER.match(c) else "unsafe"
    return "mark" if group[0] == "M" else "plain"


def _selectable(base: str) -> bool:
    return base not in ("", REPLACEMENT) and (base in _SELECTABLE or category(base) in ("So", "Sm", "Lo", "Cn"))


def _pictured(c: str) -> bool:
    return c >= "\u2190" and c != REPLACEMENT and _kind(c) == "plain" and category(c) in ("So", "Sm", "Sk", "Cn")


def _joins(joiner: str, before: str, base: str, after: str) -> bool:
    """Whether a joiner stands where it changes what is drawn: in Indic conjuncts, Arabic script or emoji."""
    if before == "" or before in (_JOINER, _NON_JOINER):
        return False
    if combining(before) == _VIRAMA:
        return True
    if after == "":
        return False
    if joiner == _NON_JOINER:
        return _kind(after) == "plain" and bidirectional(after) == "AL" == bidirectional(base)
    if combining(after) == _VIRAMA:
        return before == base and category(base) == "Lo"
    return _pictured(after) and _pictured(base) and (before == base or _kind(before) == "selector")
