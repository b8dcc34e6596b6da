"""Timers, deletions and files as people type them: real processes, the real command line."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conclave.cli import demo_people
from conclave.cli.narrator import Narrator
from conclave.cli.stage import Stage

PEERS = ("ayse", "burak", "cem")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """ayse leads #nw, cem is in; burak is up, and not asked in yet."""
    with (
        tempfile.TemporaryDirectory(prefix="c-", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as m,
    ):
        m.setattr(demo_people, "PEERS", PEERS)
        stage, tell = Stage(root=Path(folder)), Narrator()
        try:
            demo_people.authority(stage, tell)
            demo_people.enrol(stage, tell)
            stage.wait("all are online", lambda: _online(stage) == set(PEERS))
            stage.run("ayse", "lobby", "open", "nw", "@cem")
            enter(stage, "cem", 2)
            yield stage
        finally:
            stage.close()


def _online(stage: Stage) -> set[str]:
    return {user["handle"] for user in stage.ask("ayse", "who")["users"] if user["online"]}


def enter(stage: Stage, who: str, of: int) -> None:
    stage.wait(f"{who} is asked", lambda: bool(stage.ask(who, "requests")["requests"]))
    stage.run(who, "accept", "ayse")
    for name in PEERS:
        if name == who or of == len(PEERS):
            stage.wait(f"{name} sees {of}", lambda name=name: count(stage, name) == of)  # type: ignore[misc]


def count(stage: Stage, who: str) -> int:
    lobbies = stage.ask(who, "lobby.list")["lobbies"]
    return sum(each["members"] for each in lobbies if each["role"] in ("leader", "member"))


def typed(stage: Stage, who: str, *words: str, code: int = 0) -> str:
    """What a person who types this sees."""
    done = subprocess.run(stage.command(who, *words), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout + done.stderr


def test_a_timer_holds_for_who_comes_in_later_and_is_shown(stage: Stage) -> None:
    assert "disappear" not in typed(stage, "ayse", "lobby", "who", "nw") + typed(
        stage, "ayse", "read", "#nw", "--peek"
    )
    typed(stage, "cem", "timer", "#nw", "1h")
    stage.run("ayse", "lobby", "invite", "nw", "@burak")
    enter(stage, "burak", 3)
    stage.wait("burak is told", lambda: any("after 1 hour here" in text for text in stage.texts("burak", "#nw")))
    stage.say("burak", "#nw", "soon gone", "--wait", "delivered")
    for name in PEERS:
        [line] = [line for line in stage.lines(name, "#nw") if line["text"] == "soon gone"]
        assert 3500 < line["expires"] - time.time() <= 3600
        assert "#nw · end-to-end encrypted · lines disappear after 1 hour" in typed(stage, name, "read", "#nw")
        assert "lines disappear after 1 hour" in typed(stage, name, "lobby", "who", "nw")
    assert stage.run("burak", "read", "#nw").rows[0] == {"conversation": "#nw", "timer": 3600}
    assert {row["timer"] for row in stage.run("burak", "lobby", "who", "nw").rows} == {3600}
    typed(stage, "cem", "timer", "#nw", "off")
    stage.wait("it is off", lambda: stage.ask("ayse", "lobby.who", lobby="nw")["timer"] == 0)


def test_a_deleted_file_is_offered_no_more(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "plan.bin").write_bytes(os.urandom(1_000_000))
    typed(stage, "ayse", "send", "#nw", str(tmp_path / "plan.bin"))
    stage.wait("cem is offered it", lambda: bool(stage.ask("cem", "file.list")["files"]))
    [offered] = stage.ask("cem", "file.list")["files"]
    typed(stage, "ayse", "delete", "#nw", "last")
    for name in PEERS:
        stage.wait("nobody is", lambda name=name: not stage.ask(name, "file.list")["files"])  # type: ignore[misc]
    assert "no file" in typed(stage, "cem", "fetch", offered["id"], "--into", str(tmp_path), code=1)


def test_who_waits_for_a_file_is_told_that_it_may_be_left_and_when_it_is_taken_back(
    stage: Stage, tmp_path: Path
) -> None:
    (tmp_path / "plan.bin").write_bytes(os.urandom(1_000_000))
    into = tmp_path / "into"
    into.mkdir()
    typed(stage, "ayse", "send", "#nw", str(tmp_path / "plan.bin"))
    stage.wait("cem is offered it", lambda: bool(stage.ask("cem", "file.list")["files"]))
    [offered] = stage.ask("cem", "file.list")["files"]
    typed(stage, "ayse", "fetch", offered["id"], "--cancel")  # it is served no more, and the line stays
    words = stage.command("cem", "fetch", offered["id"], "--into", str(into))
    fetch = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        assert fetch.stderr is not None
        told = fetch.stderr.readline()
        assert "ayse: does not have it" in told
        assert "Ctrl-C leaves it to your node" in told
        typed(stage, "ayse", "delete", "#nw", "last")
        _, told = fetch.communicate(timeout=60)
    finally:
        fetch.send_signal(signal.SIGKILL)
        fetch.wait()
    assert "plan.bin was not fetched: ayse took it back" in told
    assert "ask for it to be offered again" in told
    assert list(into.iterdir()) == []
