"""A line shows when it was said; when it came stands beside it where that differs."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest

from conclave.cli import moments, talk, up

SAID = time.mktime((2026, 3, 4, 3, 48, 0, 0, 0, -1))
CAME = SAID + 180


def line(sent: float = SAID, stored: float = CAME, **more: Any) -> dict[str, Any]:
    shown = {"from": "ayse", "kind": "text", "text": "turn bed 4", "status": "received", "id": "00" * 16}
    return shown | {"sent": sent, "stored": stored} | more


def printed(capsys: pytest.CaptureFixture[str], **of: Any) -> str:
    talk.show_line(line(**of), "#ops", as_json=False)
    return capsys.readouterr().out.rstrip()


def test_a_line_that_came_late_shows_when_it_was_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: CAME)
    assert printed(capsys) == "04.03. 03:48  ayse       turn bed 4  (arrived 03:51)"
    assert printed(capsys, stored=SAID + 60) == "04.03. 03:48  ayse       turn bed 4"
    assert printed(capsys, kind="notice", text="burak entered").endswith("burak entered  (arrived 03:51)")
    assert printed(capsys, stored=SAID + 86_400).endswith("(arrived 05.03. 03:48)")
    receipts = {"conversation": "#ops", "lines": [line(summary="everybody has it")]}
    talk.show_receipts(receipts, as_json=False)
    assert "03:48" in capsys.readouterr().out


def test_a_clock_that_is_ahead_shows_with_its_date(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: CAME)
    assert printed(capsys, sent=CAME + 7200).endswith("turn bed 4  (arrived 03:51)")
    assert printed(capsys, sent=CAME + 400 * 86_400).startswith("08.04.2027 03:51")
    assert moments.clock(CAME + 3599) == "04:50"
    assert moments.clock(CAME + 3600) == "04.03. 04:51"
    assert moments.clock(CAME - 86_400) == "03.03. 03:51"


def test_the_nodes_own_screen_shows_when_a_line_was_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: CAME)
    up._show({"notice": "line-added", "conversation": "#ops", "line": line()})
    assert capsys.readouterr().out == "03:48  #ops  ayse: turn bed 4  (arrived 03:51)\n"


def test_when_it_came_is_dim_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b" not in printed(capsys)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert printed(capsys).endswith("\x1b[2m(arrived 03:51)\x1b[0m")
