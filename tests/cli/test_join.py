"""``conclave join`` as typed: where the invite comes from, and what programs are told."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conclave.pki.invite import Invite, decode_base32
from conclave.pki.names import Handle
from tests.net.house import open_house


def typed(home: Path, *words: str) -> list[str]:
    passphrase = home.parent / "passphrase"
    passphrase.write_text("a passphrase of four words\n")
    return [sys.executable, "-m", "conclave", "--home", str(home), "--passphrase-file", str(passphrase), *words]


async def test_an_invite_from_standard_input(tmp_path: Path) -> None:
    """It is in no argument, which other users of the machine can read."""
    async with open_house(tmp_path) as house:
        token = decode_base32(house.invite("ayse"), 16, "token")
        root = house.ward.trust.root.fingerprint
        line = Invite(Handle("ayse"), house.ward.trust.realm, (house.address,), root, token, int(time.time()) + 60)
        words = typed(tmp_path / "home", "join", "-", "--json")
        joining = await asyncio.create_subprocess_exec(*words, stdin=-1, stdout=-1, stderr=-1)
        out, errors = await joining.communicate(f"{line}\n".encode())
        assert joining.returncode == 0, errors.decode()
        row = json.loads(out)
        assert (row["handle"], row["device"], row["root_sha256"]) == ("ayse", "d1", root.hex())


async def test_a_second_device_is_told_that_it_replaces_the_first_in_chats(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for home, moved in (("first", False), ("second", True)):
            token = decode_base32(house.invite("ayse"), 16, "token")
            root = house.ward.trust.root.fingerprint
            line = Invite(
                Handle("ayse"), house.ward.trust.realm, (house.address,), root, token, int(time.time()) + 60
            )
            joining = await asyncio.create_subprocess_exec(
                *typed(tmp_path / home, "join", str(line)), stdout=-1, stderr=-1
            )
            _, errors = await joining.communicate()
            assert joining.returncode == 0, errors.decode()
            assert ("chats move to this device" in errors.decode()) == moved


@pytest.mark.parametrize(("given", "told"), [("", "no invite on standard input"), ("hello\n", "conclave://")])
def test_no_invite_on_standard_input(tmp_path: Path, given: str, told: str) -> None:
    done = subprocess.run(
        typed(tmp_path / "home", "join", "-"), input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_help_names_the_ways(tmp_path: Path) -> None:
    environment = os.environ | {"COLUMNS": "200"}
    done = subprocess.run(
        typed(tmp_path / "home", "join", "--help"), capture_output=True, text=True, check=True, env=environment
    )
    for part in ("standard input", "--again", "history and outbox stay"):
        assert part in done.stdout
