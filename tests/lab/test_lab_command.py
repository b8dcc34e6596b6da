"""The command: what it prints, for people and for programs, and its exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from conclave.cli.lab import _Screen, shown
from conclave.cli.main import app
from conclave.errors import LocalError
from conclave.lab.careless import CHECKS
from conclave.lab.catalogue import LESSONS
from conclave.lab.story import Field, Story, Verdict
from tests.lab.transcripts import run


def test_the_list_for_programs_has_every_lesson() -> None:
    rows = [json.loads(line) for line in run("lab list --json").stdout.splitlines()]
    assert [(row["lesson"], row["link"]) for row in rows] == [(one.name, one.link) for one in LESSONS]
    classic = [json.loads(line) for line in run("lab list --json --link classic").stdout.splitlines()]
    assert {row["link"] for row in classic} == {"classic"}


def test_a_lesson_for_programs_is_one_object_a_line() -> None:
    done = run("lab run reorder --json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["lesson"], row["link"], row["verdict"], row["good"]) for row in rows] == [
        ("reorder", "classic", "held", True),
        ("reorder", "tls", "held", True),
    ]
    step = rows[1]["attempts"][0]["steps"][0]
    assert step["role"] == "did"
    assert step["bytes"][0] == {"field": "type", "hex": "17", "changed": False}


@pytest.mark.parametrize("words", ["nope", "exhaust --link tls", "replay --without nothing", "replay --link ssh", ""])
def test_what_cannot_be_run_is_a_mistake_of_usage(words: str) -> None:
    done = run(f"lab run {words}")
    assert done.exit_code == 2
    assert "Traceback" not in done.output


def test_the_help_names_every_check() -> None:
    printed = " ".join(run("lab run --help").output.replace("│", " ").split())
    assert ", ".join(CHECKS) in printed


def test_ctrl_c_ends_it_at_once_and_leaves_no_traceback() -> None:
    command = [sys.executable, "-m", "conclave", "lab", "run", "all", "--link", "classic", "--brief"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == b""


def test_what_a_victim_saw_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    story = Story()
    with story.attempt("a \x1b]2;title\x07") as attempt:
        attempt.did("says \x1b[2J\u202eno", [Field("te\x1bxt", b'"\x1b[31m'), Field("text", b"plain")])
        attempt.saw("bu\x9brak", "\x1b[31mred")
        attempt.ends(succeeded=False, stopped="\x1b[0m")
    _Screen().lesson("a · b", "t", "teaches", story)
    printed = capsys.readouterr().out
    assert not any(mark in printed for mark in ("\x1b", "\x9b", "\u202e", "\x07"))
    assert '22 1b 5b 33 31 6d · text "plain"' in printed


def test_fields_have_colours_on_a_terminal_and_marks_without(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story()
    with story.attempt("one") as attempt:
        attempt.did("this", [Field("seq", b"000001"), Field("type", b"1", changed=True)])
        attempt.ends(succeeded=False)
    _Screen().lesson("a · b", "t", "teaches", story)
    plain = capsys.readouterr().out
    assert 'seq "000001" · *type "1"' in plain
    assert "✓ held" in plain
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _Screen().lesson("a · b", "t", "teaches", story)
    coloured = capsys.readouterr().out
    assert '\x1b[36mseq "000001"\x1b[0m · \x1b[7;33m*type "1"\x1b[0m' in coloured


@pytest.mark.parametrize("columns", ["40", "80", "300"])
def test_no_line_is_wider_than_the_terminal(columns: str) -> None:
    done = CliRunner().invoke(app, ["lab", "run", "downgrade"], env={"COLUMNS": columns})
    assert max(map(len, done.output.splitlines())) <= max(70, min(100, int(columns)))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"HELLO", '"HELLO"'),
        (b"\x03\x03", "03 03"),
        (bytes(8), "00 00 00 00 00 00 00 00"),
        (bytes(9), "00 00 00 00 00 00 … (9 bytes)"),
        (b"x" * 17, "78 78 78 78 78 78 … (17 bytes)"),
    ],
)
def test_bytes_as_people_read_them(data: bytes, text: str) -> None:
    assert shown(data) == text


@pytest.mark.parametrize(
    ("attempts", "verdict"),
    [
        ([], Verdict.UNSHOWN),
        ([(True, False)], Verdict.HELD),
        ([(True, True)], Verdict.BROKEN),
        ([(False, True)], Verdict.FELL),
        ([(False, False)], Verdict.UNSHOWN),
        ([(True, False), (False, True)], Verdict.FELL),
        ([(False, False), (False, True), (True, False)], Verdict.UNSHOWN),
        ([(False, False), (True, True)], Verdict.BROKEN),
    ],
)
def test_the_worst_attempt_is_the_lessons_verdict(attempts: list[tuple[bool, bool]], verdict: Verdict) -> None:
    story = Story()
    for must_fail, succeeded in attempts:
        with story.attempt("one", must_fail=must_fail) as attempt:
            attempt.ends(succeeded=succeeded)
    assert story.verdict is verdict


def test_an_attempt_that_nobody_judged_is_a_mistake() -> None:
    story = Story()
    with pytest.raises(LocalError, match="nobody judged"), story.attempt("one"):
        pass
    assert story.verdict is Verdict.UNSHOWN
