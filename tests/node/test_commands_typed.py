"""The command line on real nodes without an authority: exit codes, objects for programs, safe words for people."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from conclave.cli.main import app
from conclave.pki.address import parse_address
from conclave.pki.invite import Invite
from conclave.pki.names import parse_handle
from tests.node.homes import DAY, NOBODY, Process, command, make_home, realm, revoking, stranger_realm
from tests.node.screen import conclave

ESCAPES = "red \x1b[31m, title \x1b]2;pwned\x07, \x9b31m, bidi \u202egnp.exe\u202c, bell \x07, back \x08, line\r"


class Town:
    """Homes and processes that all tests here share; ayse and burak are linked friends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.up: dict[str, Process] = {}
        expired = make_home(folder / "eski", "eski", enrolled=-20 * DAY)
        crl = revoking(make_home(folder / "kovulan", "kovulan"))
        for handle in ("ayse", "burak", "cem", "deniz"):
            make_home(folder / handle, handle, crl=crl)
        make_home(folder / "stranger", "burak", ward=stranger_realm())
        assert expired.certificate.not_after < time.time()
        for handle in ("ayse", "burak", "cem", "kovulan", "eski", "stranger"):
            self.up[handle] = Process(folder / handle)
        self.at = {handle: process.address for handle, process in self.up.items()}

    def home(self, handle: str) -> Path:
        return self.folder / handle


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town(tmp_path_factory.mktemp("town"))
    ayse, burak = town.home("ayse"), town.home("burak")
    assert conclave(ayse, "say", "@burak", "may I?", "--at", town.at["burak"]).code == 0
    assert conclave(burak, "accept", "ayse").code == 0
    yield town
    codes = {handle: process.end() for handle, process in town.up.items()}
    assert set(codes.values()) == {0}
    for process in town.up.values():
        assert "Traceback" not in process.errors.read_text()


# Exit codes.


def test_0_done(town: Town) -> None:
    done = conclave(town.home("ayse"), "say", "@burak", "hello", "--wait", "delivered", "--timeout", "10")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("delivered")


def test_1_refused(town: Town) -> None:
    ayse, cem = town.home("ayse"), town.home("cem")
    conclave(ayse, "say", "@cem", "may I?", "--at", town.at["cem"])
    assert conclave(cem, "reject", "ayse").code == 0
    deadline = time.monotonic() + 10
    while (done := conclave(ayse, "say", "@cem", "and now?", "--wait", "delivered")).code != 1:
        assert time.monotonic() < deadline
    assert "does not want" in done.err or "not sent" in done.err


USELESS = [
    ("say",), ("say", "@burak"), ("say", "@burak", ""), ("say", "@burak", "  "), ("say", "@burak", "x" * 65_537),
    ("shout", "hello"), ("busy", "perhaps"), ("up", "--x"), ("fetch", "abc"), ("react", "@burak", "last", ""),
    ("say", "burak", "hello"), ("say", "@Burak!", "hello"), ("find", "Burak"), ("authority", "invite", "Burak"),
    ("join",), ("join", "nonsense"), ("up", "--log-level", "loud"), ("say", "", "x"), ("say", "＠burak", "x"),
    ("say", "@burak", "x", "--at", "nonsense"), ("up", "--listen", "nonsense"),
]  # fmt: skip


@pytest.mark.parametrize("words", USELESS, ids=lambda words: " ".join(words)[:20])
def test_2_usage(town: Town, words: tuple[str, ...]) -> None:
    done = conclave(town.home("ayse"), *words)
    assert done.code == 2
    assert done.err


IMPOSSIBLE = [
    (("say", "@ayse", "hello"), "that is you"), (("say", "#nowhere", "hello"), "no lobby"),
    (("say", "@burak", "hello", "--reply", "nope"), "nope"),
    (("read", "#nowhere"), "no lobby"), (("lobby", "leave", "nowhere"), "no lobby"),
    (("unblock", "burak"), "not blocked"), (("fetch", "ffff"), "no file ffff"),
    (("restore", "/nowhere", "--check"), "is not there"), (("send", "@burak", "/dev/null"), "into a file"),
    (("verify-transcript", "-", "--root", "/nowhere"), "cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "text"), IMPOSSIBLE)
def test_1_what_cannot_be_done(town: Town, words: tuple[str, ...], text: str) -> None:
    done = conclave(town.home("ayse"), *words)
    assert done.code == 1, done
    assert text in done.err
    assert done.out == ""


def test_3_misconfigured(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    done = conclave(town.home("ayse"), "authority", "serve")
    assert done.code == 3, done
    assert "no authority" in done.err
    assert done.out == ""
    monkeypatch.setenv("CONCLAVE_LISTEN", "nonsense")
    done = conclave(town.home("ayse"), "up")
    assert done.code == 3, done
    assert "setting listen: 'nonsense' is not an address to listen at" in done.err


def test_3_without_a_node_it_says_what_to_do(town: Town) -> None:
    done = conclave(town.home("deniz"), "say", "@ayse", "hello")
    assert done.code == 3
    assert "conclave up" in done.err


def test_3_with_a_wrong_passphrase(town: Town, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("another passphrase\n")
    done = conclave(None, "--home", str(town.home("deniz")), "up", "--passphrase-file", str(tmp_path / "wrong"))
    assert done.code == 3
    assert "passphrase is wrong" in done.err


@pytest.mark.parametrize("value", ["nonsense", "987"])
def test_3_with_a_passphrase_descriptor_that_is_none(town: Town, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CONCLAVE_PASSPHRASE_FD", value)
    done = conclave(None, "--home", str(town.home("deniz")), "up")
    assert done.code == 3
    assert "CONCLAVE_PASSPHRASE_FD" in done.err


def test_4_not_enrolled(tmp_path: Path) -> None:
    (tmp_path / "nobody").mkdir()
    done = conclave(tmp_path / "nobody", "up")
    assert done.code == 4
    assert "conclave join" in done.err


@pytest.mark.parametrize("bad", ["kovulan", "eski"])
def test_4_certificate_refused(town: Town, bad: str) -> None:
    done = conclave(town.home("ayse"), "say", f"@{bad}", "hello", "--at", town.at[bad])
    assert done.code == 4, done
    assert "revoked" in done.err or "expired" in done.err
    done = conclave(town.home(bad), "say", "@ayse", "hello", "--at", town.at["ayse"])
    assert done.code == 4, done


def test_5_queued(town: Town) -> None:
    done = conclave(town.home("ayse"), "say", "@deniz", "later", "--wait", "delivered", "--timeout", "0.1")
    assert done.code == 5
    assert "waiting" in done.err
    assert "goes out by itself" in done.err


@pytest.mark.parametrize("who", ["cem", "stranger"])
def test_6_identity(town: Town, who: str) -> None:
    done = conclave(town.home("ayse"), "say", "@mehmet", "hello", "--at", town.at[who])
    assert done.code == 6, done
    assert done.out == ""


def test_7_authority_unreachable(town: Town, tmp_path: Path) -> None:
    done = conclave(town.home("ayse"), "find", "burak")
    assert done.code == 7, done
    ward = realm().trust
    until = int(time.time()) + 600
    invite = Invite(
        parse_handle("deniz"), ward.realm, (parse_address(NOBODY),), ward.root.fingerprint, bytes(16), until
    )
    done = conclave(tmp_path / "new", "join", str(invite))
    assert done.code == 7, done
    assert "conclave authority serve" in done.err or "network" in done.err


# For programs.


def test_json_prints_one_object_a_line(town: Town) -> None:
    ayse = town.home("ayse")
    words = [
        ("whoami",), ("who",), ("requests",), ("busy", "on"), ("busy", "off"), ("say", "@burak", "json"),
        ("read", "@burak"), ("search", "json"), ("lobby", "open", "json", "@burak"), ("lobby", "list"),
        ("lobby", "who", "json"), ("lobby", "close", "json"), ("doctor",), ("reject", "mehmet", "--block"),
        ("unblock", "mehmet"),
    ]  # fmt: skip
    for line in words:
        done = conclave(ayse, *line, "--json")
        assert done.code == (1 if line == ("doctor",) else 0), (line, done)
        assert done.rows or line in (("who",), ("requests",)), line
        assert done.err == "", line
    assert conclave(ayse, "find", "burak", "--json").out == ""


def test_words_from_standard_input(town: Town) -> None:
    ayse, burak = town.home("ayse"), town.home("burak")
    text = "first\n\nthird, with a ☕\n"
    assert conclave(ayse, "say", "@burak", "-", "--wait", "delivered", stdin=text.encode()).code == 0
    assert conclave(burak, "read", "@ayse", "-n", "1", "--json").rows[0]["text"] == text.rstrip("\n")
    for bad, why in (
        (b"\xff\xfe", "UTF-8"),
        (b"x" * 70_000, "text"),
        (b"x" * (1 << 21), "too long"),
        (b"", "nothing to say"),
    ):
        done = conclave(ayse, "say", "@burak", "-", stdin=bad)
        assert done.code == 2, (bad[:9], done)
        assert why in done.err


# For people.


def harmless(text: str) -> bool:
    return all(c == "\n" or (c.isprintable() and c not in "\u202e\u202c\u2066\u2069\u200f") for c in text)


def test_words_that_drive_a_terminal_are_defused(town: Town) -> None:
    ayse, burak = town.home("ayse"), town.home("burak")
    assert not harmless(ESCAPES)
    assert conclave(ayse, "say", "@burak", ESCAPES, "--wait", "delivered").code == 0
    for words in (("read", "@ayse"), ("search", "pwned")):
        done = conclave(burak, *words)
        assert "pwned" in done.out
        assert harmless(done.out), repr(done.out)
        assert harmless(done.err)
    make_home(town.folder / "emre", "emre")
    emre = Process(town.folder / "emre")
    try:
        assert conclave(burak, "say", "@emre", ESCAPES, "--at", emre.address).code == 0
        done = conclave(town.folder / "emre", "requests")
        assert "pwned" in done.out
        assert harmless(done.out)
    finally:
        assert emre.end() == 0


def test_up_shows_no_word_that_drives_a_terminal(town: Town, tmp_path: Path) -> None:
    make_home(tmp_path / "fatma", "fatma")
    shown = tmp_path / "shown"
    with shown.open("wb") as out:
        process = subprocess.Popen([*command(tmp_path / "fatma"), "up", "--listen", "127.0.0.1:0"], stdout=out)
    try:
        deadline = time.monotonic() + 15
        while "listening on" not in shown.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        address = conclave(tmp_path / "fatma", "whoami", "--json").rows[0]["listen"]
        assert conclave(town.home("ayse"), "say", "@fatma", ESCAPES, "--at", address).code == 0
        while "pwned" not in shown.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.terminate()
        assert process.wait(10) == 0
    assert harmless(shown.read_text()), repr(shown.read_text())


def verbs() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []

    def walk(command: Any, path: tuple[str, ...]) -> None:
        if hasattr(command, "commands"):
            for name, inner in command.commands.items():
                walk(inner, (*path, name))
        else:
            found.append(path)

    walk(typer.main.get_command(app), ())
    return found


def test_every_verb_has_help_with_an_example() -> None:
    found = verbs()
    assert len(found) > 25
    for verb in found:
        done = conclave(None, *verb, "--help")
        assert done.code == 0
        assert "Example" in done.out or "example" in done.out.lower(), verb


HEAVY = (
    "aiohttp",
    "asyncio",
    "cryptography",
    "pydantic",
    "pydantic_settings",
    "segno",
    "sqlcipher3",
    "ssl",
    "uvloop",
)
"""What a node or an authority needs, and takes long to import."""
IMPORTED = f"""
import runpy, sys
sys.argv[0] = "conclave"
try:
    runpy.run_module("conclave", run_name="__main__")
finally:
    print(*(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)
"""


def test_help_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED, "--help"], check=True, capture_output=True, text=True)
    assert "Usage" in done.stdout
    assert done.stderr.split() == []


def test_neither_does_a_command_to_a_node(tmp_path: Path) -> None:
    words = ["--home", str(tmp_path), "say", "@burak", "hello"]
    done = subprocess.run([sys.executable, "-c", IMPORTED, *words], check=False, capture_output=True, text=True)
    assert done.returncode == 3
    assert "conclave up" in done.stderr
    assert done.stderr.splitlines()[-1] == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_output_that_cannot_be_written_is_no_traceback(town: Town) -> None:
    with Path("/dev/full").open("wb") as full:
        words = [*command(town.home("ayse")), "whoami", "--json"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr == b"conclave: No space left on device\n"


def test_a_reader_that_has_enough_is_no_error_to_tell(town: Town) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run(
        [*command(town.home("ayse")), "whoami", "--json"], stdout=writes, stderr=subprocess.PIPE, check=False
    )
    os.close(writes)
    assert (done.returncode, done.stderr) == (1, b"")


def test_words_that_the_terminal_has_no_letters_for_are_shown_all_the_same(town: Town) -> None:
    assert conclave(town.home("ayse"), "say", "@burak", "çay ☕", "--wait", "delivered").code == 0
    words = [*command(town.home("burak")), "read", "@ayse", "-n", "1"]
    done = subprocess.run(words, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, check=False)
    assert done.returncode == 0
    assert b"\\xe7ay \\u2615" in done.stdout
