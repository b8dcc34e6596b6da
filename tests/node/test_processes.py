"""``conclave up`` as a process: ended, killed, doubled, with a full disk, with nobody reading what it prints."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from conclave.node.door.client import NodeClient
from tests.node.homes import PATIENCE, Process, command, make_home, open_store
from tests.node.screen import conclave


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    for handle in ("ayse", "burak"):
        make_home(tmp_path / handle, handle)
    return tmp_path


@pytest.fixture
def started(homes: Path) -> Iterator[Callable[..., Process]]:
    made: list[Process] = []

    def start(handle: str, *words: str, **environment: str) -> Process:
        made.append(Process(homes / handle, *words, **environment))
        return made[-1]

    yield start
    for process in made:
        process.end(signal.SIGKILL)
        assert "Traceback" not in process.errors.read_text()


def wait(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def befriended(homes: Path, started: Callable[..., Process]) -> tuple[Process, Process]:
    ayse, burak = started("ayse"), started("burak")
    assert conclave(homes / "ayse", "say", "@burak", "may I?", "--at", burak.address).code == 0
    assert conclave(homes / "burak", "accept", "ayse").code == 0
    assert conclave(homes / "burak", "say", "@ayse", "you may", "--wait", "delivered").code == 0
    return ayse, burak


def texts(home: Path, conversation: str) -> list[str]:
    return [row["text"] for row in conclave(home, "read", conversation, "-n", "1000", "--json").rows]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_ends_in_good_order_and_starts_again(
    homes: Path, started: Callable[..., Process], number: signal.Signals
) -> None:
    ayse, _ = befriended(homes, started)
    assert ayse.end(number) == 0
    assert not (homes / "ayse" / "node.sock").exists()
    started("ayse")
    assert texts(homes / "ayse", "@burak") == ["may I?", "you may"]


def test_ctrl_c_at_any_moment_of_the_start_is_no_traceback(homes: Path) -> None:
    for delay in (0.05, 0.2, 0.3, 0.4, 0.6):
        process = subprocess.Popen(
            [*command(homes / "ayse"), "up", "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        if delay > 0.1:  # before that it is Python that starts
            assert b"Traceback" not in errors
            assert process.returncode in (0, 130, -signal.SIGINT)
    assert conclave(homes / "ayse", "doctor").code == 1  # no node runs; nothing else is said to be broken
    open_store(homes / "ayse", "ayse").close()


def test_130_ctrl_c_of_read_follow(homes: Path, started: Callable[..., Process]) -> None:
    befriended(homes, started)
    follower = subprocess.Popen(
        [*command(homes / "ayse"), "read", "@burak", "--follow", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert follower.stdout is not None
    heard = [json.loads(follower.stdout.readline())["text"] for _ in range(2)]
    assert heard == ["may I?", "you may"]
    assert conclave(homes / "burak", "say", "@ayse", "live").code == 0
    assert json.loads(follower.stdout.readline())["text"] == "live"
    follower.send_signal(signal.SIGINT)
    _, errors = follower.communicate(timeout=PATIENCE)
    assert follower.returncode == 130
    assert b"Traceback" not in errors
    assert conclave(homes / "ayse", "whoami").code == 0


def test_read_follow_says_so_when_the_node_ends(homes: Path, started: Callable[..., Process]) -> None:
    ayse = started("ayse")
    follower = subprocess.Popen([*command(homes / "ayse"), "read", "@burak", "--follow"], stderr=subprocess.PIPE)
    assert follower.stderr is not None
    follower.stderr.readline()
    assert ayse.end() == 0
    _, errors = follower.communicate(timeout=PATIENCE)
    assert follower.returncode == 3
    assert b"conclave up" in errors


def test_ctrl_c_of_the_authority_leaves_nothing_broken(tmp_path: Path) -> None:
    home = tmp_path / "authority"
    assert conclave(home, "authority", "init", "--name", "Ward 7").code == 0
    for _ in range(2):
        server = subprocess.Popen(
            [*command(home), "authority", "serve", "--listen", "127.0.0.1:0", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert server.stdout is not None
        assert json.loads(server.stdout.readline())["realm"] == "ward-7.internal"
        assert conclave(home, "authority", "invite", "ayse", "--json").code == 0
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=PATIENCE)
        assert server.returncode == 0
        assert b"Traceback" not in errors


def test_two_nodes_on_one_home(homes: Path, started: Callable[..., Process]) -> None:
    started("ayse")
    done = conclave(homes / "ayse", "up")
    assert done.code == 3
    assert "running already" in done.err
    assert conclave(homes / "ayse", "whoami").code == 0


def test_many_nodes_started_at_once_on_one_home_leave_one(homes: Path, started: Callable[..., Process]) -> None:
    """After a kill the old socket is left behind; whoever comes first takes it, and nobody else."""
    started("ayse").end(signal.SIGKILL)
    assert (homes / "ayse" / "node.sock").exists()
    words = [*command(homes / "ayse"), "up", "--listen", "127.0.0.1:0", "--json"]
    crowd = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    wait(lambda: sum(one.poll() is None for one in crowd) == 1)
    winner = next(one for one in crowd if one.poll() is None)
    losers = [one for one in crowd if one is not winner]
    assert [one.communicate()[0] for one in losers] == [b""] * 3
    assert {one.returncode for one in losers} == {3}
    assert winner.stdout is not None
    assert json.loads(winner.stdout.readline())["notice"] == "node-started"
    assert conclave(homes / "ayse", "whoami").code == 0
    winner.send_signal(signal.SIGINT)
    winner.communicate(timeout=PATIENCE)
    assert winner.returncode == 0


@pytest.mark.parametrize("runtime", ["short", "long" * 30])
def test_a_home_with_a_long_path(tmp_path: Path, runtime: str) -> None:
    home = tmp_path / ("deep" * 20) / ("deeper" * 20) / "home"
    make_home(home, "ayse")
    with TemporaryDirectory(dir="/tmp") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(Path(folder) / runtime))
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", None)
        process = Process(home, XDG_RUNTIME_DIR=str(Path(folder) / runtime), TMPDIR=folder)
        try:
            assert conclave(home, "whoami").code == 0
            assert conclave(home, "logout").code == 0
            assert process.popen.wait(PATIENCE) == 0
        finally:
            process.end()


# A disk that is full.


class Limit:
    """The process may make no file longer than it is: every write that would fails, as on a full disk."""

    def __init__(self, process: Process, home: Path) -> None:
        self.pid = process.popen.pid

    def fill(self) -> None:
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))

    def empty(self) -> None:
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class Disk:
    """A file that takes up all the room that is left."""

    def __init__(self, process: Process, home: Path) -> None:
        self.file = home / "filler"

    def fill(self) -> None:
        with self.file.open("ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def empty(self) -> None:
        self.file.unlink()


@pytest.fixture(params=[Limit, Disk])
def full(request: pytest.FixtureRequest, homes: Path) -> Iterator[type[Limit | Disk]]:
    if request.param is Limit:
        yield Limit
        return
    keep = homes / "kept"
    (homes / "ayse").rename(keep)
    (homes / "ayse").mkdir(mode=0o700)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(homes / "ayse")],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root only")
    (homes / "ayse" / "vault").write_bytes((keep / "vault").read_bytes())
    yield Disk
    subprocess.run(["umount", "--lazy", str(homes / "ayse")], check=True)


def test_a_full_disk_is_told_and_nothing_is_lost(
    homes: Path, started: Callable[..., Process], full: type[Limit | Disk]
) -> None:
    ayse, _ = befriended(homes, started)
    disk = full(ayse, homes / "ayse")
    disk.fill()
    refused = 0
    for n in range(4):  # what is free inside the database's own files may be used first
        done = conclave(homes / "ayse", "say", "@burak", f"{n:02}" * 30_000)
        assert done.code in (0, 3), done
        if done.code == 3:
            assert "disk" in done.err
            assert "free some space" in done.err
            refused += 1
    assert refused
    assert conclave(homes / "ayse", "whoami").code == 0
    assert conclave(homes / "ayse", "read", "@burak", "--json").code == 0
    assert (
        conclave(homes / "burak", "say", "@ayse", "through" * 5000, "--wait", "delivered", "--timeout", "0.2").code
        == 5
    )
    disk.empty()
    assert conclave(homes / "ayse", "say", "@burak", "room again", "--wait", "delivered").code == 0
    wait(
        lambda: (
            texts(homes / "ayse", "@burak")[-1] == "through" * 5000
            or "through" * 5000 in texts(homes / "ayse", "@burak")
        )
    )
    assert texts(homes / "burak", "@ayse").count("room again") == 1
    ours = [text for text in texts(homes / "ayse", "@burak") if not text.startswith("through")]
    theirs = [text for text in texts(homes / "burak", "@ayse") if not text.startswith("through")]
    assert ours == theirs
    assert len(ours) == 3 + 4 - refused


# Nobody reads what it prints.


def test_a_reader_that_stops_does_not_hold_the_node(homes: Path, started: Callable[..., Process]) -> None:
    _, _ = befriended(homes, started)
    with NodeClient(homes / "ayse") as node:
        for n in range(600):  # far more than a pipe holds
            node.call("say", to="@burak", text=f"{n} " * 50)
        wait(lambda: not node.call("status")["waiting"])
    assert len(texts(homes / "burak", "@ayse")) == 602
    assert conclave(homes / "burak", "whoami").code == 0


def test_a_reader_that_goes_away_does_not_end_the_node(homes: Path, started: Callable[..., Process]) -> None:
    ayse, _ = befriended(homes, started)
    assert ayse.popen.stdout is not None
    os.close(os.dup(ayse.popen.stdout.fileno()))
    ayse.popen.stdout.close()
    ayse.popen.stdout = None
    for n in range(20):
        assert conclave(homes / "burak", "say", "@ayse", f"{n}", "--wait", "delivered").code == 0
    assert ayse.end() == 0


def test_doctor_knows_a_vault_from_junk_and_says_what_it_looked_at(homes: Path) -> None:
    home = homes / "ayse"
    open_store(home, "ayse").close()
    checks = {row["name"]: row for row in conclave(home, "doctor", "--json").rows}
    assert checks["identity"]["good"]
    assert "not looked into" in checks["history"]["text"]
    whole = (home / "vault").read_bytes()
    for junk in (os.urandom(100), whole[:40], b""):
        (home / "vault").write_bytes(junk)
        checks = {row["name"]: row for row in conclave(home, "doctor", "--json").rows}
        assert not checks["identity"]["good"]
        assert "is not a vault that can be read" in checks["identity"]["text"]
