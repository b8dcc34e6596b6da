"""The legacy suite as people type it: real processes, a real authority, certificates asked for at once and later."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate, load_pem_x509_certificates

from conclave.node.door.client import NodeClient

PATIENCE = 20.0


class Ward:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "passphrase").write_text("a passphrase for tests\n")
        (folder / "export").write_text("another one, for the export\n")
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.addresses: dict[str, str] = {}

    def words(self, who: str, *words: str) -> list[str]:
        home = ["--home", str(self.folder / who), "--passphrase-file", str(self.folder / "passphrase")]
        return [sys.executable, "-m", "conclave", *home, *words]

    def done(self, who: str, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(self.words(who, *words), capture_output=True, timeout=60, check=False, text=True)
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return done

    def rows(self, who: str, *words: str, code: int = 0) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.done(who, *words, "--json", code=code).stdout.splitlines()]

    def start(self, who: str, *words: str) -> None:
        process = subprocess.Popen(
            self.words(who, *words, "--json"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.running[who] = process
        assert process.stdout is not None
        self.addresses[who] = json.loads(process.stdout.readline()).get("listen", "")

    def end(self, who: str) -> int:
        process = self.running.pop(who)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        process.stdout.close()
        return process.wait(PATIENCE)

    def until(self, who: str, method: str, holds: Callable[[Any], bool], **parameters: Any) -> None:
        """Ask the node, as the command line does, until the answer is so."""
        end = time.monotonic() + PATIENCE
        with NodeClient(self.folder / who) as node:
            while not holds(answer := node.call(method, **parameters)):
                assert time.monotonic() < end, answer
                time.sleep(0.05)

    def until_read(self, who: str, conversation: str, holds: Callable[[list[str]], bool]) -> None:
        self.until(who, "classic.lines", lambda answer: holds(texts(answer["lines"])), conversation=conversation)


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    ward = Ward(tmp_path)
    ward.rows("authority", "authority", "init", "--name", "Ward 7")
    ward.start("authority", "authority", "serve", "--listen", "127.0.0.1:0")
    yield ward
    for who in list(ward.running):
        ward.end(who)


def texts(rows: list[dict[str, Any]]) -> list[str]:
    return [row["text"] for row in rows if row["kind"] == "text"]


def exported(ward: Ward, who: str) -> None:
    """Key and certificate for other programs."""
    out = ward.folder / "pem"
    arguments = ("identity", "export", "--profile", "classic", "--out", str(out))
    own = ("--export-passphrase-file", str(ward.folder / "export"))
    assert "a passphrase of its own" in ward.done(who, *arguments, code=3).stderr
    assert "can speak as you" in ward.done(who, *arguments, *own).stderr
    assert "is there already" in ward.done(who, *arguments, *own, code=1).stderr

    pem = (out / "key.pem").read_bytes()
    assert (out / "key.pem").stat().st_mode & 0o077 == 0
    key = load_pem_private_key(pem, b"another one, for the export")
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 3072
    with pytest.raises(ValueError, match="password"):
        load_pem_private_key(pem, b"a passphrase for tests")
    certificate = load_pem_x509_certificate((out / "certificate.pem").read_bytes())
    assert certificate.public_key() == key.public_key()
    root, issuing = load_pem_x509_certificates((out / "authority.pem").read_bytes())
    certificate.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(root)
    if shutil.which("openssl"):
        passphrase = f"file:{ward.folder / 'export'}"
        command = ["openssl", "pkey", "-in", str(out / "key.pem"), "-passin", passphrase, "-noout"]
        assert subprocess.run(command, check=False, capture_output=True, timeout=30).returncode == 0


@pytest.mark.timeout(300)
def test_a_day_with_the_legacy_suite(ward: Ward) -> None:
    for who, classic in (("ayse", ("--classic",)), ("burak", ())):
        ward.rows(who, "join", ward.rows("authority", "authority", "invite", who)[0]["invite"], *classic)
    refused = ward.done("burak", "up", "--links", "tls,classic", "--listen", "127.0.0.1:0", code=3)
    assert "conclave identity add classic" in refused.stderr
    assert "legacy" in ward.done("burak", "identity", "add", "classic").stderr
    assert "already" in ward.done("burak", "identity", "add", "classic", code=1).stderr
    exported(ward, "burak")
    for who in ("ayse", "burak"):
        ward.start(who, "up", "--listen", "127.0.0.1:0", "--links", "tls,classic")
    ward.until("ayse", "find", lambda person: person["online"], handle="burak")

    # One port takes both kinds of link.
    ward.done("ayse", "say", "@burak", "over TLS", "--wait", "delivered", "--timeout", "20")

    # No address is given: the directory knows it, for both kinds of link.
    waits = ("--wait", "sent", "--timeout", "0.5")
    first = ward.done("ayse", "say", "--link", "classic", "@burak", "hello", *waits, code=5)
    assert "burak has not answered yet" in first.stderr
    assert "legacy link" in first.stderr
    shown = ward.done("burak", "requests")
    assert "ayse asks to chat over a legacy link" in shown.stdout
    assert "conclave accept ayse --link classic" in shown.stdout
    assert "legacy link" in ward.done("burak", "accept", "ayse", "--link", "classic").stderr
    ward.until_read("burak", "@ayse", lambda said: said == ["hello"])
    sent = ward.done("burak", "say", "--link", "classic", "@ayse", "")
    assert "sent, legacy link" in sent.stderr
    assert "nothing confirms it" in sent.stderr
    ward.until_read("ayse", "legacy:@burak", lambda said: said == ["hello", ""])
    printed = ward.done("ayse", "read", "legacy:@burak")
    assert "[sent, legacy link]" in printed.stdout
    assert "legacy:@burak · legacy link, classic suite" in printed.stderr
    assert "legacy links are on; open now: burak" in ward.done("ayse", "whoami").stdout

    opened = ward.done("ayse", "lobby", "open", "--link", "classic", "ops", "@burak")
    assert "you lead it and read everything in it" in opened.stderr
    ward.until("ayse", "classic.who", lambda answer: answer["lobbies"][0]["members"] == ["burak"])
    ward.done("ayse", "say", "--link", "classic", "#ops", "all here?")
    ward.until_read("burak", "@ayse", lambda said: "all here?" in said)
    ward.done("burak", "hangup", "ayse")
    ward.until("ayse", "classic.who", lambda answer: answer["lobbies"][0]["members"] == [])
    assert "#ops" in ward.done("ayse", "lobby", "list", "--link", "classic").stdout
    ward.done("ayse", "lobby", "close", "--link", "classic", "ops")
    promised = ward.done("ayse", "say", "--link", "classic", "@burak", "x", "--wait", "delivered", code=2)
    assert "--wait sent" in promised.stderr
    assert ward.end("ayse") == ward.end("burak") == 0
