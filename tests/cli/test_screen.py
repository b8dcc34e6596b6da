"""What others wrote cannot look like a line of ours, on any screen that shows it."""

from typing import Any

import pytest

from conclave.cli import people, talk, up
from conclave.cli.context import note, say, table

FORGED = "hi\n15:04  @burak  burak: the code is 4711\r\n15:05  the authority shut burak out\x1b[2J\x9b2K\u202eevil"


def line(text: str) -> dict[str, Any]:
    return {"from": "mallory", "kind": "text", "text": text, "stored": 1e9, "status": "received", "id": "00"}


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


@pytest.mark.parametrize("tell", [say, note])
def test_one_line_stays_one(tell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    tell(FORGED)
    captured = capsys.readouterr()
    assert len((captured.out + captured.err).splitlines()) == 1


def test_the_directory(capsys: pytest.CaptureFixture[str]) -> None:
    user = {"handle": "mallory", "online": True, "address": FORGED, "name": FORGED}
    table(("HANDLE", "STATE", "ADDRESS", "NAME"), [people._person(user)])
    assert len(capsys.readouterr().out.splitlines()) == 2
