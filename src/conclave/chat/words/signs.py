"""Whether a text is one sign, as people put it at a line: an emoji with its modifiers, or one letter with its marks.

After the grapheme clusters of UAX 29 and the emoji sequences of UTS 51, as far as the standard library tells them.
"""

from __future__ import annotations

import re
from unicodedata import category

from conclave.wire.safe_text import safe_text

_JOINER = "\u200d"
_PICTURE = re.compile(
    "[\u2194\u2195\u2600-\u2775\u2794-\u27bf\u2b05-\u2b07\u2b1b\u2b1c"
    "\U0001f300-\U0001f6ff\U0001f7e0-\U0001f7eb\U0001f900-\U0001faff]"
)
"""What joiners make one sign of: of letters, be it in circles, they would make words."""


def is_sign(text: str) -> bool:
    """Whether ``text`` draws as one sign that a terminal may show."""
    signs, picture, joined, flag = 0, False, False, False
    for c in text:
        if c == _JOINER:
            joined, flag = picture, False
        elif "\U0001f1e6" <= c <= "\U0001f1ff":  # two letters of a country make one flag
            signs, picture, flag = signs + (not flag), False, not flag
        elif not _follows(c):
            picture = _PICTURE.match(c) is not None
            signs, joined, flag = signs + (not (joined and picture)), False, False
    return signs == 1 and safe_text(text) == text and not text.isspace()


def _follows(c: str) -> bool:
    """Whether it changes the sign before it: marks and selectors, tones of skin, tags of a flag."""
    return category(c)[0] == "M" or "\U0001f3fb" <= c <= "\U0001f3ff" or "\U000e0061" <= c <= "\U000e007f"
