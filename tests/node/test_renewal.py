"""Certificates that live for a minute: real processes renew them, and chats go on over their end."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LIFETIME = 60
"""Seconds: the shortest life that an authority grants."""


class Ward:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "passphrase").write_text("a passphrase for tests\n")
        self.running: list[subprocess.Popen[bytes]] = []

    def words(self, who: str, *words: str) -> list[str]:
        home = ["--home", str(self.folder / who), "--passphrase-file", str(self.folder / "passphrase")]
        return [sys.executable, "-m", "conclave", *home, *words, "--json"]

    def run(self, who: str, *words: str) -> list[dict[str, Any]]:
        done = subprocess.run(self.words(who, *words), capture_output=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return [json.loads(line) for line in done.stdout.splitlines()]

    def start(self, who: str, *words: str) -> None:
        process = subprocess.Popen(self.words(who, *words), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline()


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    ward = Ward(tmp_path)
    yield ward
    for process in ward.running:
        process.terminate()
    for process in ward.running:
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_certificates_are_renewed_and_chats_outlive_them(ward: Ward) -> None:
    ward.run("authority", "authority", "init", "--name", "Ward 7")
    ward.start("authority", "authority", "serve", "--listen", "127.0.0.1:0", "--lifetime", f"{LIFETIME}s")
    for who in ("ayse", "burak"):
        ward.run(who, "join", ward.run("authority", "authority", "invite", who)[0]["invite"])
        ward.start(who, "up", "--listen", "127.0.0.1:0")
    ward.run("ayse", "say", "@burak", "before", "--wait", "delivered", "--timeout", "10")
    first = {c["profile"]: c for c in ward.run("ayse", "whoami")[0]["certificates"]}
    while time.time() < max(c["until"] for c in first.values()) + 0.5:
        time.sleep(0.2)
    [said] = ward.run("ayse", "say", "@burak", "after", "--wait", "delivered", "--timeout", "15")
    assert said["status"] == "delivered"
    for certificate in ward.run("ayse", "whoami")[0]["certificates"]:
        assert certificate["serial"] != first[certificate["profile"]]["serial"]
        assert certificate["until"] > time.time()
    heard = [line["text"] for line in ward.run("burak", "read", "@ayse")]
    assert [text for text in heard if text != "ayse has a renewed certificate"] == ["before", "after"]
    assert heard[-2:] == ["ayse has a renewed certificate", "after"]  # said before the words that it vouches for
    assert {user["handle"] for user in ward.run("burak", "who") if user["online"]} == {"ayse", "burak"}
