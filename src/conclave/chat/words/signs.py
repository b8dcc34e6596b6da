"""Whether a text is one sign, as people put it at a line: an emoji with its modifiers, or one letter with its marks.

After the grapheme clusters of UAX 29 and the emoji sequences of UTS 51, as far as the standard library tells them.
"""

from __future__ import annotations

from unicodedata import category

from conclave.wire.safe_text import safe_text

_JOINER = "\u200d"


def is_sign(text: str) -> bool:
    """Whether ``text`` draws as one sign that a terminal may show."""
    signs, joined, flag = 0, False, False
    for c in text:
        if c == _JOINER:
            joined = True
        elif "\U0001f1e6" <= c <= "\U0001f1ff":  # two letters of a country make one flag
            signs, flag = signs + (not flag), not flag
        elif not _follows(c):
            signs, joined, flag = signs + (not joined), False, False
    return signs == 1 and safe_text(text) == text and not text.isspace()


def _follows(c: str) -> bool:
    """Whether it changes the sign before it: marks and selectors, tones of skin, tags of a flag."""
    return category(c)[0] == "M" or "\U0001f3fb" <= c <= "\U0001f3ff" or "\U000e0061" <= c <= "\U000e007f"
