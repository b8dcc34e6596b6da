"""A record written from history, and judged by a stranger with nothing but the root."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from conclave.chat.effects import AddLine, EraseLine, MarkLine, PutCertificate, Record
from conclave.chat.words.content import Text
from conclave.chat.words.line import LineKind, Status
from conclave.chat.words.transcript_proof import verify_transcript
from conclave.errors import LocalError, StorageError
from conclave.node.door import export as module
from conclave.node.door.export import export
from conclave.node.identity import Identity
from conclave.node.newfile import new_file, sync_folder
from conclave.node.paths import vault_path
from conclave.store import peer as database
from conclave.store.memory import MemoryStore
from conclave.store.peer import PeerDatabase
from conclave.store.peer_rows import recorded
from conclave.store.ports import Recorded
from conclave.store.vault import unlock
from conclave.values import replace
from tests.chat.recorded import talk
from tests.node.homes import PASSPHRASE, make_home, realm


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    make_home(tmp_path / "home", "deniz")
    return Identity(unlock(vault_path(tmp_path / "home"), PASSPHRASE))


def history() -> MemoryStore:
    made = talk("ayse", "burak", realm=realm())
    made.add("ayse", LineKind.NOTICE, "burak entered")
    for n in range(20):
        made.say("ayse" if n % 2 else "burak", Text(f"n{n}"), f"n{n}")
    store = MemoryStore()
    store.commit([PutCertificate(der) for der in made.certificates.values()])
    store.commit([AddLine("#ops", one.line, one.original) for one in made.entries])
    gone = made.entries[4].line
    store.commit([EraseLine("#ops", gone.sender, gone.id)])
    return store


def conclave(*words: str, data: bytes = b"", home: str = "/nonexistent/home") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "conclave", "--home", home, *words], input=data, capture_output=True, check=False
    )


def test_a_record_is_written_and_checked_by_a_stranger(
    tmp_path: Path, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    file, root = tmp_path / "ops.transcript", tmp_path / "root.pem"
    told = export(history(), identity, "#ops", file)
    assert told == {"conversation": "#ops", "path": str(file), "lines": 25}
    assert file.stat().st_mode & 0o777 == 0o600
    proven = verify_transcript(file.read_bytes().splitlines(keepends=True), realm().trust.root)
    assert (proven.exporter, proven.authors, proven.unproven) == ("deniz", {"ayse": 9, "burak": 10}, 2)
    assert proven.gaps == (("ayse", "laptop", 2, 2),)
    root.write_bytes(realm().trust.root.pem)
    held = conclave("verify-transcript", str(file), "--root", str(root))
    assert held.returncode == 0, held.stderr
    assert b"it holds: #ops of" in held.stdout
    assert b"ayse 9, burak 10" in held.stdout
    assert b"ayse's number 2 from laptop" in held.stdout
    assert b"may be a timer, which has no line" in held.stderr
    assert not Path("/nonexistent").exists()
    rows = json.loads(
        conclave("verify-transcript", "-", "--root", str(root), "--json", data=file.read_bytes()).stdout
    )
    assert (rows["holds"], rows["lines"]) == (True, 25)
    for damaged in (file.read_bytes().replace(b'"n7"', b'"n8"'), b"".join(file.read_bytes().splitlines(True)[:-1])):
        refused = conclave("verify-transcript", "-", "--root", str(root), data=damaged)
        assert refused.returncode == 6
        assert b"this record does not hold" in refused.stderr
        assert b"Traceback" not in refused.stderr
        rows = json.loads(conclave("verify-transcript", "-", "--root", str(root), "--json", data=damaged).stdout)
        assert rows["holds"] is False
        assert rows["findings"]


def test_what_a_stranger_may_get_wrong(tmp_path: Path, identity: Identity) -> None:
    file, root = tmp_path / "ops.transcript", tmp_path / "root.pem"
    export(history(), identity, "#ops", file)
    root.write_bytes(realm().trust.issuing[0].pem)
    other = conclave("verify-transcript", str(file), "--root", str(root))
    assert other.returncode == 6
    assert b"another authority" in other.stderr
    root.write_bytes(realm().trust.root.pem + realm().trust.issuing[0].pem)
    for words, told in (
        ((str(file), "--root", str(root)), b"more than one certificate"),
        ((str(file), "--root", str(file)), b"no certificates in PEM"),
        ((str(file), "--root", str(tmp_path / "none")), b"cannot be read"),
        ((str(tmp_path / "none"), "--root", str(root)), b""),
        ((str(root), "--root", str(root)), b""),
    ):
        done = conclave("verify-transcript", *words)
        assert done.returncode not in (0, 6)
        assert told in done.stderr
        assert b"Traceback" not in done.stderr


def test_a_record_holds_though_its_conversation_goes_on(
    tmp_path: Path, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line gets its place, which puts it behind all; another begins a group that the header does not name."""
    made = talk("ayse", "deniz", realm=realm(), conversation="@ayse")
    for n in range(10):
        made.say("ayse", Text(f"n{n}"), f"n{n}")
    again = talk("ayse", "deniz", realm=realm(), conversation="@ayse", group_id=b"h" * 16)
    again.entries, again.counts = list(made.entries), {"ayse": 10}
    again.say("ayse", Text("n10"), "n10")
    waits = made.entries[7].line
    later: list[list[Record]] = [
        [MarkLine("@ayse", waits.sender, waits.id, Status.SENT, 11)],
        [AddLine("@ayse", again.entries[-1].line, again.entries[-1].original)],
    ]
    store = PeerDatabase(tmp_path / "history.db", bytes(32))
    store.commit([PutCertificate(der) for der in (made.certificates | again.certificates).values()])
    for n, one in enumerate(made.entries):
        line = replace(one.line, seq=0, status=Status.WAITING) if n == 7 else one.line
        store.commit([AddLine("@ayse", line, one.original)])
    rows = 0

    def read(row: Sequence[Any]) -> Recorded:
        nonlocal rows
        rows += 1
        if rows > 11 and later:  # in the second pass, behind the first line
            store.commit(later.pop(0))
        return recorded(row)

    monkeypatch.setattr(database, "recorded", read)
    monkeypatch.setattr(module, "PAGE", 4)
    export(store, identity, "@ayse", tmp_path / "first.transcript")
    assert not later
    proven = verify_transcript((tmp_path / "first.transcript").read_bytes().splitlines(True), realm().trust.root)
    assert (proven.authors, len(proven.groups), proven.gaps) == ({"ayse": 10}, 1, ())
    export(store, identity, "@ayse", tmp_path / "second.transcript")
    proven = verify_transcript((tmp_path / "second.transcript").read_bytes().splitlines(True), realm().trust.root)
    assert (proven.authors, len(proven.groups), proven.gaps) == ({"ayse": 11}, 2, ())
    store.close()


def test_nothing_is_written_over_or_left_behind(tmp_path: Path, identity: Identity) -> None:
    store = history()
    file = tmp_path / "ops.transcript"
    with pytest.raises(LocalError, match="no history") as caught:
        export(store, identity, "#board", file)
    assert caught.value.remedy
    file.write_text("mine")
    with pytest.raises(LocalError, match="there already"):
        export(store, identity, "#ops", file)
    assert file.read_text() == "mine"
    with pytest.raises(StorageError):
        export(store, identity, "#ops", tmp_path / "nowhere" / "file")
    made = talk("ayse", realm=realm())
    made.say("ayse", Text("one"), "one")
    store.commit([AddLine("@ayse", made.entries[0].line, b"damaged")])
    with pytest.raises(StorageError):
        export(store, identity, "@ayse", tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "ops.transcript"]


def test_a_name_that_is_taken_meanwhile(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with pytest.raises(LocalError), new_file(file):
        file.write_text("theirs")
    assert (file.read_text(), len(list(tmp_path.iterdir()))) == ("theirs", 1)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(LocalError), new_file(tmp_path / "link"):
        pass


@pytest.mark.parametrize(("number", "refused"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_synced_is_a_disk_that_fails(
    number: int, *, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="Input") if refused else nullcontext():
        sync_folder(tmp_path)


def test_nothing_is_left_of_a_file_whose_folder_cannot_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StorageError), new_file(tmp_path / "record") as file:
        file.write(b"all of it")
    assert not list(tmp_path.iterdir())
