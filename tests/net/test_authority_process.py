"""The authority as a process: strangers' clients (curl and openssl), kills at the worst moments, other processes."""

from __future__ import annotations

import base64
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from conclave.authority.accounts import invite
from conclave.authority.records import Action
from conclave.authority.revocation import revoke
from conclave.cli.office import init, open_office
from conclave.pki.invite import encode_base32
from conclave.pki.names import Handle
from conclave.pki.revocation import Reason
from tests.authority.desk import CONSOLE
from tests.net.authority_process import killed, process

HOST = "authority.ward-7.internal"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    init(tmp_path, "Ward 7", "", "passphrase", time.time())
    return tmp_path


def token_for(home: Path, handle: str, token: bytes) -> str:
    with open_office(home) as office:
        invite(office.store, Handle(handle), "", token, time.time(), 600, CONSOLE).result()
    return encode_base32(token)


class Stranger:
    """Somebody with curl and openssl, and the root's certificate."""

    def __init__(self, folder: Path, root: Path) -> None:
        for tool in ("curl", "openssl"):
            assert shutil.which(tool), f"{tool} is missing: apt-get install {tool}"
        self.folder, self.root = folder, root
        folder.mkdir()

    def run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def request(self, name: str, subject: str, *new_key: str) -> None:
        key = ["-newkey", *(new_key or ("ed25519",)), "-nodes", "-keyout", f"{name}.key"]
        self.run("openssl", "req", "-new", *key, "-subj", subject, "-out", f"{name}.csr")
        der = subprocess.run(
            ["openssl", "req", "-in", f"{name}.csr", "-outform", "DER"],
            cwd=self.folder,
            capture_output=True,
            check=True,
        ).stdout
        (self.folder / f"{name}.b64").write_bytes(base64.encodebytes(der))

    def curl(self, port: int, path: str, *options: str, out: str = "answer") -> int:
        target = f"https://{HOST}{path}"
        there = ["--cacert", str(self.root), "--connect-to", f"{HOST}:443:127.0.0.1:{port}"]
        wanted = ["--silent", "--show-error", "--output", out, "--write-out", "%{http_code}"]
        return int(self.run("curl", *there, *wanted, *options, target))

    def certificate(self, name: str) -> str:
        """What came back as certs-only PKCS#7, as PEM; its leaf in words."""
        der = base64.b64decode((self.folder / "answer").read_bytes())
        (self.folder / "answer.p7").write_bytes(der)
        self.run("openssl", "pkcs7", "-inform", "DER", "-in", "answer.p7", "-print_certs", "-out", f"{name}.all")
        blocks = (self.folder / f"{name}.all").read_text().split("\n\n")
        leaf = next(block for block in blocks if "subject=CN = ayse" in block or "subject=CN=ayse" in block)
        above = "\n".join(block for block in blocks if block != leaf)
        (self.folder / f"{name}.pem").write_text(leaf + "\n")
        (self.folder / f"{name}.above").write_text(above)
        return self.run("openssl", "x509", "-in", f"{name}.pem", "-noout", "-text")


def test_a_stranger_enrols_and_renews_with_curl_and_openssl(home: Path) -> None:
    stranger = Stranger(home / "stranger", home / "authority" / "root.pem")
    token = token_for(home, "ayse", b"t" * 16)
    est, kind = "/.well-known/est", ("--header", "Content-Type: application/pkcs10")
    with process(home) as (_, port):
        assert stranger.curl(port, f"{est}/tls/cacerts") == 200
        assert stranger.curl(port, f"{est}/tls/csrattrs") == 200
        stranger.request("tls", "/CN=ayse")
        stranger.request("classic", "/C=TR/ST=CA/L=Istanbul/O=Ward 7/CN=ayse", "rsa:2048")
        for profile in ("tls", "classic"):
            body = ("--data-binary", f"@{profile}.b64")
            assert stranger.curl(port, f"{est}/{profile}/simpleenroll", *kind, *body) == 401
            assert (
                stranger.curl(port, f"{est}/{profile}/simpleenroll", *kind, *body, "--user", f"ayse:{token}") == 200
            )
            text = stranger.certificate(profile)
            assert "URI:im:ayse@ward-7.internal, DNS:d1.ayse.ward-7.internal" in text
            stranger.run("openssl", "verify", "-x509_strict", "-CAfile", str(stranger.root), "-untrusted",
                         f"{profile}.above", f"{profile}.pem")  # fmt: skip
        mine = ("--cert", "tls.pem", "--key", "tls.key")
        assert stranger.curl(port, "/directory/users/ayse", *mine) == 200
        stranger.request("new", "/CN=ayse")
        assert stranger.curl(port, f"{est}/tls/simplereenroll", *kind, *mine, "--data-binary", "@new.b64") == 200
        stranger.certificate("new")
        mine = ("--cert", "new.pem", "--key", "new.key")
        assert stranger.curl(port, "/directory/users", *mine) == 200
        with open_office(home) as office:
            revoke(office.store, "ayse", Reason.unspecified, time.time(), CONSOLE).result()
        assert stranger.curl(port, "/directory/users", *mine) == 403
        assert '"error": "revoked"' in (stranger.folder / "answer").read_text()
        end = time.monotonic() + 1.0  # the server must notice another process's revocation within a second
        while True:
            assert stranger.curl(port, "/crl", out="crl") == 200
            listed = stranger.run("openssl", "crl", "-inform", "DER", "-in", "crl", "-noout", "-text")
            if "Serial Number" in listed:
                break
            assert time.monotonic() < end, listed


@pytest.mark.parametrize("point", ["before-commit", "after-commit"])
def test_killed_during_enrolment_nothing_is_lost_and_nothing_twice(home: Path, point: str) -> None:
    stranger = Stranger(home / "stranger", home / "authority" / "root.pem")
    token = token_for(home, "ayse", b"t" * 16)
    stranger.request("tls", "/CN=ayse")
    ask = ("--user", f"ayse:{token}", "--data-binary", "@tls.b64")
    path = "/.well-known/est/tls/simpleenroll"
    with process(home, point) as (running, port):
        with pytest.raises(AssertionError, match="curl"):
            stranger.curl(port, path, *ask)
        assert killed(running)
    with closing(sqlite3.connect(home / "authority" / "authority.db")) as database:
        tables = ("certificates", "spendings", "devices")
        counts = [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
        assert counts == ([0, 0, 0] if point == "before-commit" else [1, 1, 1])
    with process(home) as (_, port):
        assert stranger.curl(port, path, *ask) == 200
        first = stranger.certificate("tls")
        assert stranger.curl(port, path, *ask) == 200
        assert stranger.certificate("tls") == first
    with open_office(home) as office:
        assert len(office.store.reads.issued_to("ayse")) == 1
        assert office.store.reads.devices("ayse") == ["d1"]
        rows = [row.what for row in office.store.reads.audit(0, 100) if row.action is Action.ENROL]
        made = [what for what in rows if not what.endswith(" again")]
        assert len(made) == 1, "the log tells of one certificate"


def test_one_server_per_folder(home: Path) -> None:
    with process(home), open_office(home) as office:
        assert office.is_served()
        with pytest.raises(Exception, match="served already"), office.serving():
            pass
