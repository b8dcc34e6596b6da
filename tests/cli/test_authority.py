"""``conclave authority …`` as typed, without a server where none is needed."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from conclave.cli import authority
from conclave.cli.context import Context
from conclave.cli.office import open_office, parse_duration
from conclave.errors import ConclaveError, LocalError, Refused, StorageError
from conclave.pki.bundle import decode_pem
from conclave.pki.certificate import read_certificate
from conclave.pki.credentials import open_credentials
from conclave.pki.invite import parse_invite
from conclave.pki.keys import generate_device_key
from conclave.pki.names import Handle
from conclave.pki.profile import Profile
from conclave.pki.request import build_request, request_pem
from conclave.pki.revocation import read_crl
from conclave.pki.trust import pin_root
from conclave.pki.verify import verify_peer

PASSPHRASE = "a passphrase of four words"


@dataclass
class Operator:
    home: Path

    def type(self, *words: str) -> str:
        """Type a command; what it printed. Raises what it raised."""
        (self.home.parent / "passphrase").write_text(PASSPHRASE + "\n")
        context = Context(self.home, self.home.parent / "passphrase")
        result = CliRunner().invoke(authority.app, list(words), obj=context)
        if isinstance(result.exception, ConclaveError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    def rows(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.type(*words, "--json").splitlines()]


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    made = Operator(tmp_path / "home")
    made.type("init", "--name", "Ward 7")
    return made


def request_file(folder: Path, profile: Profile, handle: str = "ayse", challenge: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{profile}.csr.pem"
    path.write_bytes(request_pem(build_request(generate_device_key(profile), Handle(handle), challenge)))
    return path


def test_init(tmp_path: Path) -> None:
    operator = Operator(tmp_path / "home")
    (row,) = operator.rows("init", "--name", "Ward 7")
    folder = operator.home / "authority"
    assert row["realm"] == "ward-7.internal"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = {"root.p12", "issuing.p12", "root.pem", "authority.db"}
    for name in names:
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name
    root = open_credentials((folder / "root.p12").read_bytes(), PASSPHRASE)
    assert root.certificate.fingerprint.hex() == row["root_sha256"]
    with pytest.raises(LocalError, match="already"):
        operator.type("init", "--name", "Ward 7")
    assert sorted(p.name for p in operator.home.iterdir()) == ["authority"], "nothing half made is left"


def test_init_that_fails_leaves_nothing(tmp_path: Path) -> None:
    operator = Operator(tmp_path / "home")
    for name, realm in (("病棟", ""), ("x" * 60, ""), ("Ward 7", "Not A Realm")):
        with pytest.raises(ConclaveError) as caught:
            operator.type("init", "--name", name, "--realm", realm)
        assert caught.value.remedy
    assert not operator.home.exists()


def test_without_an_authority(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="no authority") as caught:
        Operator(tmp_path / "home").type("users")
    assert "authority init" in caught.value.remedy


def test_invite(operator: Operator) -> None:
    with pytest.raises(LocalError, match="not known yet"):
        operator.type("invite", "ayse")
    line = operator.type("invite", "ayse", "--name", "Ayse", "--at", "192.0.2.7:8443", "--valid", "15m").strip()
    invite = parse_invite(line)
    with open_office(operator.home) as office:
        assert invite.root_sha256 == office.root_sha256
    assert (invite.handle, str(invite.addresses[0])) == ("ayse", "192.0.2.7:8443")
    (row,) = operator.rows("invite", "ayse", "--at", "192.0.2.7:8443")
    assert parse_invite(row["invite"]).token != invite.token
    assert invite.token is not None
    for file in (operator.home / "authority").iterdir():
        assert invite.token not in file.read_bytes()
    drawn = operator.type("invite", "burak", "--at", "192.0.2.7:8443", "--qr")
    assert "█" in drawn or "\x1b[" in drawn


def test_account(operator: Operator, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct horse battery\n")
    words = ("account", "ayse", "--password-file", str(tmp_path / "password"), "--at", "192.0.2.7:8443")
    first, again = operator.rows(*words)[0], operator.rows(*words)[0]
    assert (first["new"], again["new"]) == (True, False)
    assert parse_invite(first["invite"]).token is None
    with open_office(operator.home) as office:
        account = office.store.reads.account("ayse")
        assert account is not None
        assert account.password.startswith("$argon2id$")
    (tmp_path / "password").write_text("short\n")
    with pytest.raises(LocalError, match="characters"):
        operator.type(*words)


def test_sign_users_revoke_log(operator: Operator, tmp_path: Path) -> None:
    files = [request_file(tmp_path / "usb", profile) for profile in (Profile.TLS, Profile.IM)]
    out = tmp_path / "back"
    rows = operator.rows("sign", *map(str, files), "--out", str(out))
    assert [(r["handle"], r["device"], r["profile"], r["vouched"]) for r in rows] == [
        ("ayse", "d1", "tls", True),
        ("ayse", "d1", "im", True),
    ]
    assert [r["account_made"] for r in rows] == [True, False]
    assert sorted(p.name for p in out.iterdir()) == ["crl.pem", "im.pem", "issuing.pem", "root.pem", "tls.pem"]
    root, issuing = (read_certificate((out / name).read_bytes()) for name in ("root.pem", "issuing.pem"))
    trust = pin_root((root, issuing), root.fingerprint)
    for profile in (Profile.TLS, Profile.IM):
        leaf, above = decode_pem((out / f"{profile}.pem").read_bytes())
        assert verify_peer(leaf.der, trust, leaf.not_before + 1, profile, Handle("ayse")).device == "d1"
        assert above.der == issuing.der
    openssl = ["openssl", "crl", "-in", str(out / "crl.pem"), "-outform", "DER"]
    der = subprocess.run(openssl, capture_output=True, check=True).stdout
    assert read_crl(der, (issuing,)).number == 1

    (user,) = operator.rows("users")
    assert (user["handle"], user["devices"], user["online"]) == ("ayse", ["d1"], False)
    assert {c["profile"] for c in user["certificates"]} == {"tls", "im"}
    assert "ayse" in operator.type("users", "ay")
    assert operator.rows("users", "zz") == []
    revoked = operator.rows("revoke", rows[0]["serial"], "--reason", "key-compromise")
    assert [r["profile"] for r in revoked] == ["tls"]
    assert [r["suspended"] for r in operator.rows("suspend", "ayse", "--why", "on leave")] == ["on leave"]
    assert "suspended: on leave" in operator.type("users")
    operator.type("resume", "ayse")
    assert "d1  " in operator.type("users")
    operator.type("revoke", "ayse/d1")
    assert "d1 (revoked)  " in operator.type("users")
    with pytest.raises(Refused, match="no certificate, account or device"):
        operator.type("revoke", "deniz")
    log = operator.rows("log")
    assert [(r["action"], r["outcome"]) for r in log] == [
        ("init", "done"),
        ("sign", "done"),
        ("sign", "done"),
        ("crl", "done"),
        ("revoke", "done"),
        ("suspend", "done"),
        ("resume", "done"),
        ("revoke", "done"),
        ("revoke", "unknown-target"),
    ]
    assert all(r["who"] == "operator" and r["origin"] for r in log)
    assert len(operator.rows("log", "--limit", "3")) == 3


def test_sign_for_several_people_and_odd_files(operator: Operator, tmp_path: Path) -> None:
    files = [request_file(tmp_path / who, Profile.TLS, who) for who in ("ayse", "burak")]
    out = tmp_path / "back"
    operator.type("sign", *map(str, files), "--out", str(out))
    assert sorted(p.name for p in out.iterdir()) == ["ayse-d1", "burak-d1"]
    odd = tmp_path / "odd.pem"
    odd.write_bytes(files[0].read_bytes())
    with pytest.raises(LocalError, match="unclear"):
        operator.type("sign", str(odd), "--out", str(out))
    (row,) = operator.rows("sign", str(odd), "--out", str(out), "--profile", "tls", "--handle", "ayse")
    assert row["device"] == "d1"
    odd.write_bytes(b"junk")
    with pytest.raises(LocalError, match="cannot be read"):
        operator.type("sign", str(odd), "--out", str(out), "--profile", "tls")
    with pytest.raises(LocalError, match="cannot be read"):
        operator.type("sign", str(tmp_path / "none.pem"), "--out", str(out), "--profile", "tls")


def test_sign_follows_no_link_on_the_stick(operator: Operator, tmp_path: Path) -> None:
    """Whoever prepared the stick must not reach another file of the authority's machine."""
    usb, precious = tmp_path / "usb", tmp_path / "precious"
    precious.write_text("precious")
    files = [request_file(usb, profile) for profile in (Profile.TLS, Profile.IM)]
    (usb / "crl.pem").symlink_to(precious)
    (usb / "issuing.pem").symlink_to(tmp_path / "made")
    operator.type("sign", *map(str, files), "--out", str(usb))
    assert precious.read_text() == "precious"
    assert not (tmp_path / "made").exists()
    assert not any(path.is_symlink() for path in usb.iterdir())
    names = {"crl.pem", "im.csr.pem", "im.pem", "issuing.pem", "root.pem", "tls.csr.pem", "tls.pem"}
    assert {path.name for path in usb.iterdir()} == names, "nothing temporary is left"
    linked, pipe = tmp_path / "link" / "tls.csr.pem", tmp_path / "pipe" / "tls.csr.pem"
    for path in (linked, pipe):
        path.parent.mkdir()
    linked.symlink_to(files[0])
    os.mkfifo(pipe)
    for path in (linked, pipe):
        with pytest.raises(LocalError, match="cannot be read"):
            operator.type("sign", str(path), "--out", str(tmp_path / "out"))
    two = [request_file(tmp_path / who, Profile.TLS, who) for who in ("burak", "cem")]
    (tmp_path / "several").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "several" / "burak-d1").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="link"):
        operator.type("sign", *map(str, two), "--out", str(tmp_path / "several"))
    assert not list((tmp_path / "elsewhere").iterdir())


def test_sign_spends_a_token(operator: Operator, tmp_path: Path) -> None:
    (row,) = operator.rows("invite", "ayse", "--at", "192.0.2.7:8443")
    file = request_file(tmp_path / "usb", Profile.TLS, "ayse", parse_invite(row["invite"]).secret)
    (signed,) = operator.rows("sign", str(file), "--out", str(tmp_path / "back"))
    assert (signed["vouched"], signed["account_made"]) == (False, False)


def test_a_wrong_passphrase(operator: Operator, tmp_path: Path) -> None:
    file = request_file(tmp_path / "usb", Profile.TLS)
    (tmp_path / "wrong").write_text("something else\n")
    words = ("sign", str(file), "--out", str(tmp_path / "back"), "--passphrase-file", str(tmp_path / "wrong"))
    with pytest.raises(LocalError, match="passphrase"):
        operator.type(*words)


def test_every_command_helps_with_an_example() -> None:
    for command in authority.app.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        assert f"conclave authority {name}" in (command.epilog or ""), name
        assert "Example" in CliRunner().invoke(authority.app, [name, "--help"]).stdout


def test_help_is_light() -> None:
    """Help must not wait for cryptography, web servers or databases to be loaded."""
    code = (
        "import sys, conclave.cli.authority; "
        "heavy = {'cryptography', 'aiohttp', 'segno', 'uvloop'} & {n.partition('.')[0] for n in sys.modules}; "
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("24h", 86_400), ("10d", 864_000)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "10", "-1h", "1w", "9999999s", "１h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(LocalError):
        parse_duration(text)
