"""``conclave export`` as typed, against a node's socket with a history behind it."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path

import pytest

from conclave.chat.words.transcript_proof import verify_transcript
from conclave.errors import LocalError
from conclave.node.door import commands as ask
from conclave.node.door.export import export
from conclave.node.door.socket import SocketServer
from conclave.node.identity import Identity
from conclave.node.paths import vault_path
from conclave.store.vault import unlock
from tests.node.homes import PASSPHRASE, make_home, realm
from tests.node.test_export import history


async def conclave(home: Path, *words: str) -> tuple[int, bytes, str]:
    typed = (sys.executable, "-m", "conclave", "--home", str(home), *words)
    child = await asyncio.create_subprocess_exec(*typed, stdout=-1, stderr=-1, cwd=home.parent)
    out, errors = await child.communicate()
    assert child.returncode is not None
    return child.returncode, out, errors.decode()


def left_behind(home: Path) -> list[str]:
    return [path.name for path in home.iterdir() if path.name.startswith(".export")]


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    make_home(tmp_path / "home", "deniz")
    return tmp_path / "home"


async def test_to_a_file_and_to_standard_output(home: Path) -> None:
    store, identity = history(), Identity(unlock(vault_path(home), PASSPHRASE))

    async def serve(command: ask.Command) -> object:
        if not isinstance(command, ask.Export):
            raise LocalError("only records here")
        return export(store, identity, command.conversation, Path(command.path))

    node = SocketServer(home, serve)
    await node.start()
    try:
        code, out, told = await conclave(home, "export", "#ops", "-o", "ops.transcript")
        assert (code, out) == (0, b"")
        assert "25 lines of #ops written to ops.transcript" in told
        written = (home.parent / "ops.transcript").read_bytes()
        assert verify_transcript(written.splitlines(keepends=True), realm().trust.root).exporter == "deniz"
        code, out, told = await conclave(home, "export", "#ops")
        assert (code, told) == (0, "")
        assert len(verify_transcript(out.splitlines(keepends=True), realm().trust.root).authors) == 2
        code, out, told = await conclave(home, "export", "#ops", "-o", "more.transcript", "--json")
        assert json.loads(out)["lines"] == 25
        for words in (("#ops", "-o", "ops.transcript"), ("#board",)):
            code, out, told = await conclave(home, "export", *words)
            assert (code, out) == (1, b"")
            assert "try:" in told
        assert (home.parent / "ops.transcript").read_bytes() == written
        assert left_behind(home) == []
    finally:
        await node.close()


async def test_without_a_node_it_says_what_to_do(home: Path) -> None:
    code, _, told = await conclave(home, "export", "#ops")
    assert code == 3
    assert "conclave up" in told


async def test_a_name_that_was_changed_is_told_in_our_words_alone(home: Path) -> None:
    """Its library warns of a country of five letters, and goes on."""
    record, root = home.parent / "ops.transcript", home.parent / "root.pem"
    root.write_bytes(realm().trust.root.pem)
    export(history(), Identity(unlock(vault_path(home), PASSPHRASE)), "#ops", record)
    first, *others = record.read_bytes().splitlines(keepends=True)
    certificate = json.loads(first)["certificate"].encode()
    common_name, country = bytes.fromhex("0603550403"), bytes.fromhex("0603550406")
    changed = base64.b64encode(base64.b64decode(certificate).replace(common_name, country))
    record.write_bytes(first.replace(certificate, changed) + b"".join(others))
    code, _, told = await conclave(home, "verify-transcript", str(record), "--root", str(root))
    assert code == 6
    assert "conclave: " in told
    assert "Warning" not in told
