"""The demo's own manners: ended at any moment it leaves nothing; told as wide as the terminal is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conclave.cli import demo_people, demo_proof
from conclave.cli.narrator import Narrator
from conclave.cli.stage import DidNotHappen, Stage


def processes(folder: Path) -> list[str]:
    """Command lines that name ``folder``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # ended meanwhile
            continue
        if str(folder) in words:
            found.append(words)
    return found


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path: those of Unix sockets end at some hundred bytes."""
    with tempfile.TemporaryDirectory(prefix="c-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("number", "after"),
    [(signal.SIGINT, "authority serve"), (signal.SIGTERM, "node up"), (signal.SIGHUP, "Two people chat")],
)
def test_ended_at_any_moment_it_leaves_no_process_and_no_file(
    number: signal.Signals, after: str, short: Path
) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "conclave", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(short)},
    )
    try:
        assert demo.stdout is not None
        for line in demo.stdout:
            if after in line:
                break
        (root,) = short.glob("conclave-demo-*")
        while not processes(root):
            time.sleep(0.01)
        demo.send_signal(number)
        time.sleep(0.1)
        demo.send_signal(number)  # impatient people press it twice
        _, errors = demo.communicate(timeout=60)
    finally:
        demo.kill()
    assert demo.returncode == 130, errors
    assert "Traceback" not in errors
    assert not processes(root)
    assert not root.exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_file_of_100_mb_goes_on_after_a_kill(monkeypatch: pytest.MonkeyPatch, short: Path) -> None:
    monkeypatch.setattr(demo_proof, "FILE_BYTES", 100_000_000)
    monkeypatch.setattr(demo_people, "PEERS", ("ayse", "burak"))
    stage, tell = Stage(root=short), Narrator()
    try:
        demo_people.authority(stage, tell)
        demo_people.enrol(stage, tell)
        stage.wait("both are online", lambda: len(stage.ask("ayse", "find", handle="burak")["address"]) > 0)
        demo_people.pair(stage, tell)
        demo_proof.file(stage, tell)
    finally:
        stage.close()


def test_a_frozen_process_is_ended_too(tmp_path: Path) -> None:
    stage = Stage(root=tmp_path)
    process = subprocess.Popen([sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"])
    stage.running["ayse"] = process
    time.sleep(0.2)
    stage.freeze("ayse")
    stage.close()
    assert process.poll() is not None
    assert not tmp_path.exists()


def test_a_process_is_known_to_whoever_interrupts_its_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, _command: list[str], **options: Any) -> None:
            super().__init__([sys.executable, "-c", "import time; time.sleep(60)"], **options)
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.2)  # the main thread has it by now, if it is another one

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    stage = Stage(root=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        stage.start("ayse", "up")
    process = stage.running["ayse"]
    assert process.poll() is None
    stage.close()
    assert process.poll() is not None


def test_what_was_said_is_found_on_any_disk(tmp_path: Path) -> None:
    stage = Stage(root=tmp_path)
    (tmp_path / "notes").write_bytes(b"... the words ...")
    with pytest.raises(DidNotHappen, match=r"notes holds 'the words'"):
        stage.search(b"the words", stage.root)
    with pytest.raises(DidNotHappen):
        stage.search(b"other words", stage.root, b"other words")


def test_waiting_has_an_end(tmp_path: Path) -> None:
    with pytest.raises(DidNotHappen, match="did not happen within 0 s: a miracle"):
        Stage(root=tmp_path).wait("a miracle", lambda: False, 0.2)


@pytest.mark.parametrize("columns", [80, 200])
def test_no_line_is_wider_than_the_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    tell = Narrator()
    for speak in (tell.seen, tell.means, tell.does, lambda text: tell.typed("ayse", text)):
        speak("a word and another " * 20)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= min(columns, 120)
    assert len(lines) > 8
