"""``send``, ``files`` and ``fetch`` against a node's socket."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.homes import SOURCE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("nodes")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.node.files_node", str(folder)],
        cwd=SOURCE,
        env=os.environ | {"PYTHONPATH": "src:."},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield folder
    process.communicate(timeout=20)
    assert process.returncode == 0


def run(
    folder: Path, who: str, *words: str, cwd: Path | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "conclave", "--home", str(folder / who), *words],
        capture_output=True,
        text=True,
        cwd=cwd or folder,
        env=os.environ | {"PYTHONPATH": str(SOURCE / "src"), "COLUMNS": "120"},
        timeout=60,
        check=False,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    return done


def test_a_file_is_sent_listed_and_fetched(folder: Path, tmp_path: Path) -> None:
    assert "conclave send @burak FILE" in run(folder, "burak", "files").stderr
    source = tmp_path / "ward plan.pdf"
    source.write_bytes(os.urandom(300_000))
    sent = run(folder, "ayse", "send", "@burak", str(source))
    assert "offered ward plan.pdf (300.0 kB) to @burak" in sent.stderr
    listed = run(folder, "burak", "files")
    assert "ward plan.pdf" in listed.stdout
    assert "offered" in listed.stdout
    digits = listed.stdout.splitlines()[1].split()[0]
    fetched = run(folder, "burak", "fetch", digits, cwd=tmp_path / "..", code=0)
    path = Path(fetched.stdout.strip())
    assert path.name == "ward plan.pdf"
    assert path.read_bytes() == source.read_bytes()
    again = run(folder, "burak", "fetch", digits, code=1)
    assert "here already" in again.stderr


def test_programs_get_objects(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "data.bin"
    source.write_bytes(os.urandom(100_000))
    sent = json.loads(run(folder, "ayse", "send", "@burak", str(source), "--json").stdout)
    assert (sent["name"], sent["size"], sent["status"]) == ("data.bin", 100_000, "here")
    rows = [json.loads(line) for line in run(folder, "burak", "files", "--json").stdout.splitlines()]
    [row] = [each for each in rows if each["name"] == "data.bin"]
    into = tmp_path / "into"
    into.mkdir()
    got = json.loads(run(folder, "burak", "fetch", row["id"], "--into", str(into), "--json").stdout)
    assert got["status"] == "here"
    assert Path(got["path"]).read_bytes() == source.read_bytes()


def test_on_a_terminal_there_is_a_bar_and_no_name_drives_it(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "[red]a[bold]\u202e\x1b]2;x\x07.bin"
    source.write_bytes(os.urandom(500_000))
    run(folder, "ayse", "send", "@burak", str(source))
    rows = [json.loads(line) for line in run(folder, "burak", "files", "--json").stdout.splitlines()]
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "conclave", "--home", str(folder / "burak"), "fetch", rows[-1]["id"]],
        stdout=subprocess.PIPE,
        stderr=slave,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(SOURCE / "src"), "TERM": "xterm", "COLUMNS": "100"},
        text=True,
    )
    out, _ = process.communicate(timeout=30)
    os.close(slave)
    shown = b""
    try:
        while more := os.read(master, 65536):
            shown += more
    except OSError:
        pass
    finally:
        os.close(master)
    assert process.returncode == 0, shown
    assert b"[red]a" in shown
    assert b"\x1b]2;" not in shown
    assert "\u202e".encode() not in shown
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("send", "@burak", "missing.bin"), 1, "No such file"),
        (("send", "@burak", "."), 1, "no file that can be sent"),
        (("fetch", "ffffffff"), 1, "conclave files"),
        (("fetch", "xyz"), 2, "id"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(folder: Path, words: tuple[str, ...], code: int, told: str) -> None:
    assert told in run(folder, "ayse", *words, code=code).stderr


def test_an_offer_can_be_taken_back_and_that_fails_the_fetch(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "soon gone.bin"
    source.write_bytes(os.urandom(100_000))
    sent = json.loads(run(folder, "ayse", "send", "@burak", str(source), "--json").stdout)
    source.write_bytes(os.urandom(100_000))
    rows = [json.loads(line) for line in run(folder, "burak", "files", "--json").stdout.splitlines()]
    failed = run(folder, "burak", "fetch", rows[-1]["id"], cwd=tmp_path, code=1)
    assert "changed or removed" in failed.stderr
    assert "ask for it to be offered again" in failed.stderr
    assert "taken back" in run(folder, "ayse", "fetch", sent["id"], "--cancel").stdout
    assert f"{sent['id'][:8]}: taken back" in run(folder, "ayse", "files").stdout


def test_who_waits_for_a_file_that_nobody_has_is_told_that_it_may_be_left(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "kept back.bin"
    source.write_bytes(os.urandom(100_000))
    sent = json.loads(run(folder, "ayse", "send", "@burak", str(source), "--json").stdout)
    run(folder, "ayse", "fetch", sent["id"], "--cancel")
    rows = [json.loads(line) for line in run(folder, "burak", "files", "--json").stdout.splitlines()]
    words = [sys.executable, "-m", "conclave", "--home", str(folder / "burak"), "fetch", rows[-1]["id"]]
    environment = os.environ | {"PYTHONPATH": str(SOURCE / "src")}
    with subprocess.Popen(words, stderr=subprocess.PIPE, cwd=tmp_path, env=environment, text=True) as fetch:
        assert fetch.stderr is not None
        told = fetch.stderr.readline()
        fetch.kill()
    assert "ayse: does not have it; it goes on by itself once somebody who has it is here" in told
    assert "Ctrl-C leaves it to your node" in told
    run(folder, "burak", "fetch", rows[-1]["id"], "--cancel")
