"""What stands in a terminal's first column is ours, and no words look like what is said of them."""

from __future__ import annotations

import io
import os
import termios
from typing import Any
from unicodedata import category

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conclave.cli import context, moments, rows, talk, up
from conclave.wire.safe_text import safe_text

WIDE = 80


def line(text: str, **more: Any) -> dict[str, Any]:
    shown = {"kind": "text", "text": text, "from": "burak", "id": "ab" * 16, "sent": 1e9, "stored": 1e9}
    return shown | {"status": "received"} | more


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has so many columns."""
    monkeypatch.setattr(context, "columns", lambda _: WIDE)
    monkeypatch.setattr(talk, "columns", lambda _: WIDE)


def shown(capsys: pytest.CaptureFixture[str], *args: Any, **more: Any) -> list[str]:
    """The rows that a terminal has then, which goes on in its first column."""
    talk.show_line(line(*args, **more), "#ops", as_json=False)
    printed = capsys.readouterr().out.splitlines()
    return [row[at : at + WIDE] for row in printed for at in range(0, max(len(row), 1), WIDE)]


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("filler", [" ", "\u2800", "\u00a0", "x", "-"])
@pytest.mark.parametrize("author", ["burak", "b" * 63])
def test_no_words_go_on_as_the_line_of_another(filler: str, author: str, capsys: pytest.CaptureFixture[str]) -> None:
    [true] = shown(capsys, "I agree, switch it off", **{"from": "cem"})
    before = len(moments.moment(1e9)) + 3 + max(len(author), 10)
    for more in range(WIDE):
        words = shown(capsys, "so? " + filler * (WIDE - before % WIDE - 4 + more) + true, **{"from": author})
        assert [row for row in words if not row.startswith(" ")] == words[:1]


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    "first", ["↳ ayse: I resign", "[👍 cem]", "(deleted)", "[file] plan.pdf, 2.0 kB: conclave fetch 3f"]
)
def test_no_words_go_on_as_what_is_said_of_them(first: str, capsys: pytest.CaptureFixture[str]) -> None:
    for more in range(WIDE):
        for filler in ("x", " ", "x "):
            words = shown(capsys, (filler * WIDE)[:more] + " " + first + " " + "y" * WIDE)
            assert not any(row[25:].lstrip().startswith(first[:9]) for row in words)


@pytest.mark.parametrize(
    "mark",
    [
        {"reactions": {"👍": ["cem", "deniz"]}},
        {"edited": True, "pinned": True},
        {"status": "in mailbox"},
        {"stored": 1e9 + 100},
        {"deleted": True},
        {"kind": "file", "file": {"id": "3f9a02c1" * 4, "size": 2048, "status": "offered"}},
        {"reply": {"from": "ayse", "text": "when?"}},
    ],
)
def test_no_words_look_like_what_is_said_of_others(mark: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    talk.show_line(line("switch it off", **mark), "#ops", as_json=False)
    true = capsys.readouterr().out
    said = true.split("burak", 1)[1].strip()
    for words in (said, "\n".join(row.strip() for row in said.split("\n"))):
        talk.show_line(line(words), "#ops", as_json=False)
        assert capsys.readouterr().out != true


def test_nor_on_the_nodes_own_screen(capsys: pytest.CaptureFixture[str]) -> None:
    for words, mark in (("hello  (arrived 03:48)", {}), ("hello", {"stored": 1e9 + 100})):
        up._show({"notice": "line-added", "conversation": "#ops", "line": line(words, **mark)})
    forged, true = capsys.readouterr().out.splitlines()
    assert "burak: | hello" in forged
    assert "burak: hello" in true


@pytest.mark.usefixtures("terminal")
def test_signs_that_draw_nothing_make_no_row_longer_than_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Letters joined by signs that ``safe_text`` keeps are drawn as so many letters, and count as more."""
    joined = "\u2d7f\u200d"
    [true] = shown(capsys, "yes", **{"from": "cem"})
    for more in range(WIDE):
        words = safe_text("x" * more + joined + joined.join(true.replace(" ", "\u00a0")))
        talk.show_line(line(words), "#ops", as_json=False)
        assert all(rows.cells(row) <= WIDE for row in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("words", ["(de{}leted)", "{}(deleted)", "hello  (arr{}ived 03:48)", "[{}file] plan.pdf"])
@pytest.mark.parametrize("nothing", ["\u2d7f\u200d", "\u0323"])
def test_signs_that_draw_nothing_hide_no_row_that_looks_like_one_of_ours(words: str, nothing: str) -> None:
    (row,) = rows.said(safe_text(words.format(nothing), newlines=True), WIDE)
    assert row.startswith(rows.SAID)


@pytest.mark.usefixtures("terminal")
def test_no_row_of_ours_goes_on_in_the_first_column(capsys: pytest.CaptureFixture[str]) -> None:
    context.say("x" * 100 + " 3f9a02c1  #ops", "y" * 60)
    context.note("cem: " + "x" * 200)
    context.table(("ID", "NAME"), [("3f9a02c1", "x" * 90 + "  [file]")])
    printed = capsys.readouterr()
    assert [row[:2] for row in printed.out.splitlines()] == ["xx", "  ", "  ", "ID", "3f", "  ", "  "]
    assert [row[:2] for row in printed.err.splitlines()] == ["ce", "  ", "  "]
    assert all(len(row) <= WIDE for row in (printed.out + printed.err).splitlines())
    context.say("y" * 200, whole=True)
    assert len(capsys.readouterr().out) == 201


@given(
    st.text(st.sampled_from("x \u2d7f\u200d\u0323\u6f22\U0001f468\U0001f3fb") | st.characters()).map(safe_text),
    st.integers(24, 60),
    st.integers(0, 8),
)
@example("x" * 24 + "\u0323", 24, 0)
def test_folding_loses_nothing_but_blanks(text: str, room: int, behind: int) -> None:
    first, *more = folded = rows.fold(text, room, behind)
    assert rows.cells(first) <= room
    assert all(rows.cells(row) <= room - behind for row in more)
    assert "".join(folded).replace(" ", "") == text.replace(" ", "")
    assert rows.fold(text, 0, behind) == [text]


def test_a_terminal_has_columns_and_nothing_else_has() -> None:
    one, other = os.openpty()
    termios.tcsetwinsize(other, (24, WIDE))
    with os.fdopen(one, "wb"), os.fdopen(other, "w") as terminal:
        assert (rows.columns(terminal), rows.columns(io.StringIO())) == (WIDE, 0)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("mark", ["\u0323", "\U00016fe4"])
@pytest.mark.parametrize("first", ["[👍 cem]", "(deleted)", "↳ cem:", "[read]"])
def test_nor_behind_a_mark_that_draws_nothing(first: str, mark: str, capsys: pytest.CaptureFixture[str]) -> None:
    for filler in range(1, 80):
        for row in shown(capsys, "x" * filler + mark + first):
            assert not "".join(one for one in row if category(one)[0] != "M").strip().startswith(first)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("blank", ["\u00a0", "\u2002", " "])
def test_no_words_say_when_they_arrived(blank: str, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = shown(capsys, f"hello  (arrived{blank}01:48)")
    assert rows.SAID in row


@pytest.mark.usefixtures("terminal")
def test_a_quote_that_is_folded_begins_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    for filler in range(1, 80):
        reply = {"from": "burak-at-the-desk-of-the-ward-7x", "text": "x" * filler + ' cem: "I resign'}
        shown_rows = shown(capsys, "as you say", reply=reply)
        assert sum(rows.ANSWERS in row for row in shown_rows) == 1


@pytest.mark.usefixtures("terminal")
def test_what_is_not_shown_of_a_sign_takes_no_room(capsys: pytest.CaptureFixture[str]) -> None:
    _, marks = shown(capsys, "hello", reactions={"\u202e" * WIDE: ["cem"]})
    assert marks.strip() == "[\ufffd cem]"


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("text", ["\U0001f468\u200d\U0001f469\u200d\U0001f467" * 30, "क्\u200dष" * 40, "❤\ufe0f" * 40])
def test_what_is_drawn_as_one_is_not_cut(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    for more in range(6):
        assert "\ufffd" not in "".join(shown(capsys, "x" * more + text))
