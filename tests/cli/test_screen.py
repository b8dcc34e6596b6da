"""What others wrote cannot look like a line of ours, on any screen that shows it."""

from typing import Any

import pytest

from conclave.cli import people, roll, talk, up
from conclave.cli.context import note, say, table
from conclave.errors import LocalError

FORGED = "hi\n15:04  @burak  burak: the code is 4711\r\n15:05  the authority shut burak out\x1b[2J\x9b2K\u202eevil"


def line(text: str) -> dict[str, Any]:
    return {
        "from": "mallory",
        "kind": "text",
        "text": text,
        "sent": 1e9,
        "stored": 1e9,
        "status": "received",
        "id": "00",
    }


def begins_as_ours(printed: str) -> list[str]:
    return [shown for shown in printed.splitlines() if shown[:2].isdigit()]


@pytest.mark.parametrize(
    "notice",
    [
        {"notice": "line-added", "conversation": "@mallory", "line": line(FORGED)},
        {"notice": "link-closed", "peer": "mallory", "reason": "done", "text": FORGED, "clean": True},
        {"notice": "trouble", "peer": "mallory", "text": FORGED},
        {"notice": "authority-reached", "reached": False, "text": FORGED},
        {"notice": "revoked", "handle": "mallory", "reason": FORGED},
    ],
    ids=lambda notice: notice["notice"],
)
def test_a_running_nodes_screen(notice: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    up._show(notice)
    printed = capsys.readouterr().out
    assert len(begins_as_ours(printed)) == 1
    assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(printed)


def test_history(capsys: pytest.CaptureFixture[str]) -> None:
    talk.show_line(line(FORGED), "@mallory", as_json=False)
    printed = capsys.readouterr().out
    assert len(begins_as_ours(printed)) == 1
    assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(printed)


def test_receipts_are_one_thing_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    answer = {"conversation": "#ops", "lines": [line("all hands") | {"summary": "2 of 3 have it; cem is away"}]}
    talk.show_receipts(answer, as_json=False)
    told = capsys.readouterr()
    assert [row.split("  ")[-1] for row in told.out.splitlines()] == ["all hands", " 2 of 3 have it", " cem is away"]
    talk.show_receipts({"conversation": "#ops", "lines": []}, as_json=False)
    assert "nothing yet" in capsys.readouterr().err


def test_only_the_whole_of_a_safety_number_is_compared() -> None:
    words, digits = ["dogug", "kajaj"], ["99683", "66686"]
    assert roll._same("Dogug-KAJAJ", words, digits)
    assert roll._same("99683 66686", words, digits)
    assert not roll._same("dogug kajak", words, digits)
    assert not roll._same("99683 66687", words, digits)
    for part in ("dogug", "99683 6668", "the same"):
        with pytest.raises(LocalError, match="nothing was compared"):
            roll._same(part, words, digits)


@pytest.mark.parametrize("tell", [say, note])
def test_one_line_stays_one(tell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    tell(FORGED)
    captured = capsys.readouterr()
    assert len((captured.out + captured.err).splitlines()) == 1


def test_the_directory(capsys: pytest.CaptureFixture[str]) -> None:
    user = {"handle": "mallory", "online": True, "address": FORGED, "name": FORGED}
    table(("HANDLE", "STATE", "ADDRESS", "NAME"), [people._person(user)])
    assert len(capsys.readouterr().out.splitlines()) == 2
