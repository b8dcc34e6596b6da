"""Names from anybody: one part of a path, visible, on any system, and short enough to be numbered."""

from __future__ import annotations

from unicodedata import category

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conclave.files.names import NAME_BYTES, numbered, safe_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("Bericht für Ayşe (2).pdf", "Bericht für Ayşe (2).pdf"),
        ("отчёт.txt", "отчёт.txt"),
        ("報告書.docx", "報告書.docx"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("/etc/passwd", "_etc_passwd"),
        ("C:\\Windows\\system32.dll", "C__Windows_system32.dll"),
        (".bashrc", "bashrc"),
        ("...", "file"),
        ("..", "file"),
        (".", "file"),
        ("", "file"),
        ("   ", "file"),
        ("-rf", "rf"),
        ("~root", "root"),
        ("name. . ", "name"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("Lpt1.log", "_Lpt1.log"),
        ("console.txt", "console.txt"),
        ("a\x00b\nc\x1b[2Jd", "a_b_c_[2Jd"),
        ("photo\u202egpj.exe", "photo_gpj.exe"),
        ("zero\u200bwidth", "zero_width"),
        ("full\uff0fwidth", "full_width"),
        ('what?*|<>".txt', "what______.txt"),
    ],
)  # fmt: skip
def test_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe


HOSTILE = st.text(
    st.characters() | st.sampled_from("/\\.:~- \x00\x1b\u202e\u200d\u2044\ufe0f\u0301\ud800CONnul0123"), max_size=300
)
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@given(HOSTILE)
@example(ENGLAND * 30)
@example("x" + ENGLAND * 30)
@example("xx" + ENGLAND * 30)
@settings(max_examples=300)
def test_no_name_leaves_its_folder_or_drives_a_screen(text: str) -> None:
    name = safe_name(text)
    assert name
    assert len(name.encode()) <= NAME_BYTES
    assert not set(name) & set('/\\:*?"<>|\x00')
    assert name[0] not in ".-~ "
    assert name[-1] not in ". "
    assert not any(category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name)
    assert not set(name) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "third"),
    [
        ("report.pdf", "report (3).pdf"),
        ("archive.tar.gz", "archive (3).tar.gz"),
        ("README", "README (3)"),
        ("v1.2 notes", "v1.2 notes (3)"),
    ],
)
def test_a_taken_name_is_numbered_before_its_suffix(name: str, third: str) -> None:
    assert numbered(name, 3) == third
    assert numbered(name, 0) == name


@given(HOSTILE, st.integers(0, 999))
def test_a_numbered_name_and_its_unfinished_file_fit_any_system(text: str, number: int) -> None:
    name = numbered(safe_name(text), number)
    assert len(f".{name}.12345678.part".encode()) <= 255


def test_a_long_name_keeps_its_suffix() -> None:
    assert safe_name("ş" * 300 + ".pdf").endswith("ş.pdf")
    assert safe_name("x" * 300 + "." + "y" * 300).startswith("xxx")
