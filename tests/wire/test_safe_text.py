"""What a stranger writes cannot drive a screen; what people write in their own scripts comes through."""

from __future__ import annotations

from unicodedata import category, combining

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conclave.wire.safe_text import MARKS, REPLACEMENT, safe_text

R = REPLACEMENT
VISIBLE_FORMAT = {0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
NASTY = [
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202d\u202e\u202c",
    *"\u2060\u2064\u2066\u2067\u2068\u2069\u206a\u3164\ufeff\ufff9\ufffe\uffa0\ud800\udfff\ue000",
    *"\U0001d173\U000e0001\U000e0041\U000e007f\U000e01f0\U000f0000\U0010ffff\ufe00\ufe0f\U000e0100",
    *"a1#\u0301\u0308\u20e3\u2764\U0001f469\U0001f3fd\u094d\u0915\u0631\u06a9\ufffd \u2026",
]


def tagged(letters: str, end: str = "\U000e007f") -> str:
    """The black flag with tags."""
    return "🏴" + "".join(chr(0xE0000 + ord(c)) for c in letters) + end


@pytest.mark.parametrize(
    "text",
    [
        "hello, world ~!",
        "Grüße, İstanbul’da çay içiyoruz; ñandú",
        "e\u0301a\u0308 Tiê\u0301ng Viê\u0323t",
        "Ελληνικά русский հայերեն ქართული አማርኛ",
        "שָׁלוֹם עוֹלָם",
        "بِسْمِ ٱللَّهِ ۝",
        "می\u200cخواهم کتاب\u200cها",  # Persian needs the non-joiner
        "क्ष क्\u200dष क्\u200cष தமிழ் മലയാളം ര\u200dക്".replace("ര\u200d", "ര്\u200d"),
        "র\u200d\u09cdয",  # Bengali: the joiner before the virama
        "ශ්\u200dරී ලංකා",
        "ကြွှိုင့် ភាសាខ្មែរ བོད་སྐད",
        "日本語 한국어 中文\u3000葛\U000e0100 ᠮᠣᠩᠭᠣᠯ\u180b",
        "😀 👍🏽 ❤\ufe0f 1\ufe0f\u20e3 #\ufe0f\u20e3 🇹🇷 ℹ\ufe0f",
        "👩\u200d👩\u200d👧\u200d👦 🏳\ufe0f\u200d🌈 👩🏽\u200d⚕\ufe0f ❤\ufe0f\u200d🔥 🙂\u200d↔\ufe0f \U0001fa77",
        f"{tagged('gbeng')}{tagged('gbsct')} {tagged('gbwls')}\u0301 🏴\u200d☠\ufe0f",
        "∑ ≠ ≨\ufe00 ½ € « »",
        "\ufffd",
    ],
)
def test_what_people_write_is_kept(text: str) -> None:
    assert safe_text(text) == text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("\x1b]2;owned\x1b\\", f"{R}]2;owned{R}\\"),
        ("\x9b31mred", f"{R}31mred"),
        ("a\x00\x07\x08\x7f\x85b", f"a{R}b"),
        ("invoice\u202egpj.exe", f"invoice{R}gpj.exe"),
        ("\u2066a\u2069\u200eb\u200f", f"{R}a{R}b{R}"),
        ("ay\u200bse a\u200dyse a\u200cyse ay\u00adse", f"ay{R}se a{R}yse a{R}yse ay{R}se"),
        ("\ud800\udc9b", R),
        ("one\u2028two\u2029three", f"one{R}two{R}three"),
        ("a\U000e0068\U000e0069b", f"a{R}b"),
        ("\ufeffa", f"{R}a"),
        ("😀" + "\ufe0f" * 500, f"😀\ufe0f{R}"),
        ("a\ufe0f b\U000e0101", f"a{R} b{R}"),
        ("z" + "\u0301" * 500 + "x", "z" + "\u0301" * MARKS + R + "x"),
        ("\u0301a", f"{R}a"),
        ("\u3164\uffa0\u2800", R),
        ("\ue0a0\U000f0000\ufdd0\U0001ffff", R),
        ("a\tb", "a b"),
        ("a\rb", f"a{R}b"),
        ("a\nb", f"a{R}b"),
        ("😀\u200d", f"😀{R}"),
        (tagged("ustx"), f"🏴{R}"),
        (tagged("gben") + tagged("gbeng", ""), f"🏴{R}🏴{R}"),
        (tagged("gbengx") + "x", f"🏴{R}x"),
        (tagged("gbeng") * 2 + "\U000e007f\ufe0f", tagged("gbeng") * 2 + R),
        (tagged("gbeng") + "\u200d😀", f"{tagged('gbeng')}{R}😀"),
        (tagged("gbeng")[1:], R),
        ("😀\u200d\u200d😀", f"😀{R}😀"),
    ],
)
def test_what_drives_a_screen_is_replaced(text: str, safe: str) -> None:
    assert safe_text(text) == safe


def test_line_breaks_only_where_asked_for() -> None:
    assert safe_text("a\r\nb\n\u0301c\r", newlines=True) == f"a\nb\n{R}c{R}"
    assert safe_text("a\r\nb\nc") == f"a{R}b{R}c"


@pytest.mark.parametrize(
    ("text", "limit", "safe"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("ab", 1, "…"),
        ("ab", 0, ""),
        ("👩\u200d👩x", 3, "👩…"),
        *((tagged("gbeng") + "x", limit, "🏴…") for limit in range(2, 8)),
    ],
)
def test_a_limit_cuts_visibly(text: str, limit: int, safe: str) -> None:
    assert safe_text(text, limit=limit) == safe


def test_no_character_of_all_unicode_drives_a_screen() -> None:
    for code in range(0x110000):
        for c in safe_text("a" + chr(code) + "b").strip("ab"):
            group = category(c)
            assert group not in ("Cc", "Cs", "Co", "Zl", "Zp"), hex(code)
            assert group != "Cf" or ord(c) in VISIBLE_FORMAT, hex(code)


FLAGS = [tagged("gbeng"), tagged("gbsct"), tagged("ustx"), tagged("gbwls", "")]
ONES = st.one_of(st.sampled_from(NASTY), st.characters(), st.sampled_from(FLAGS))
TEXTS = st.lists(ONES, max_size=40).map("".join)


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.booleans(), st.none() | st.integers(0, 20))
@example("क" + "\u094d" * 12 + "\u200d\u094d", False, None)
@example("क\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u200d\u094d", False, None)
def test_whatever_comes(text: str, newlines: bool, limit: int | None) -> None:
    safe = safe_text(text, newlines=newlines, limit=limit)
    assert safe_text(safe, newlines=newlines, limit=limit) == safe
    assert len(safe) <= len(text)
    assert limit is None or len(safe) <= limit
    safe.encode()
    for flag in map(tagged, ("gbeng", "gbsct", "gbwls")):
        safe = safe.replace(flag, "🏴")
    run = 0
    for before, c, after in zip(" " + safe, safe, safe[1:] + " ", strict=False):
        group = category(c)
        assert group not in ("Cs", "Co", "Zl", "Zp")
        assert group != "Cc" or (newlines and c == "\n")
        if group == "Cf" and ord(c) not in VISIBLE_FORMAT:
            assert c in "\u200c\u200d"
            assert not (before.isascii() or after.isascii()) or combining(before) == 9
        run = run + 1 if group[0] == "M" else 0 if group != "Cf" else run
        assert run <= MARKS + 1  # a selector is a mark by category
