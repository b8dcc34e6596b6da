"""Backups: made beside a running node, whole or not there, restored by nobody else, and with no key twice."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conclave.chat.effects import AddLine, PutCertificate, PutEntry, PutPost, PutState, Record
from conclave.chat.pair import Ours, Pair
from conclave.chat.peer_records import encode_peer
from conclave.chat.records import encode_busy
from conclave.chat.restoring import RESTORED_KEY, decode_remains
from conclave.chat.state import Peer
from conclave.chat.words.line import Line, LineKind, Status
from conclave.crypto import stream
from conclave.crypto.seal import SealingKey, seal
from conclave.errors import ConclaveError, DecodeError, LocalError, NotEnrolled, StorageError, VerificationError
from conclave.node.home import backup as module
from conclave.node.home import backup_file, enrolment
from conclave.node.home.backup import Backup, back_up, check, restore
from conclave.node.home.backup_file import MAGIC
from conclave.node.home.enrolment import STANDARD
from conclave.node.identity import Identity
from conclave.node.paths import database_path, vault_path
from conclave.pki.invite import Invite, decode_base32
from conclave.pki.names import Handle
from conclave.store.peer import PeerDatabase
from conclave.store.vault import unlock
from conclave.values import replace
from tests.net.house import open_house
from tests.node.homes import CHEAP, PASSPHRASE, database_key, make_home, open_store, realm
from tests.pki.ward import make_ward

OWN = "the backup's own passphrase"
FRESH = "another passphrase, of another machine"
SECRET = b"a private key that was used"


def quiet(_: str) -> None:
    pass


def line(n: int, text: str = "words", status: Status = Status.DELIVERED) -> Line:
    return Line(n.to_bytes(16), "ayse", LineKind.TEXT, f"{text} {n}", 1.0 + n, 2.0 + n, status)


def history(lines: int = 50, text: str = "words") -> list[Record]:
    peer = encode_peer(Peer("burak", pair=Pair(Ours.BLOCKED)))
    return [
        *(AddLine("@burak" if n % 2 else "#ops", line(n, text), b"signed") for n in range(lines)),
        AddLine("@burak", line(lines, "never went", Status.WAITING)),
        PutState("mls/00/epoch", SECRET),
        PutState("peer/burak", peer),
        PutState("desk", encode_busy(busy=True)),
        PutPost("burak", 1, 1, SECRET),
        PutEntry(b"g" * 16, 1, SECRET),
        PutCertificate(b"certificate"),
    ]


def home_of(folder: Path, lines: int = 50, text: str = "words") -> Path:
    home = folder / "home"
    make_home(home, "ayse")
    store = open_store(home, "ayse")
    store.commit(history(lines, text))
    store.close()
    return home


def backed_up(home: Path, path: Path, own: str = OWN, tell: Callable[[str], None] = quiet) -> Backup:
    return back_up(home, path, PASSPHRASE, own, tell, cost=CHEAP)


def restored(path: Path, home: Path, own: str = OWN) -> Backup:
    return restore(path, home, own, FRESH, quiet, cost=CHEAP)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_history_comes_back_and_keys_do_not(tmp_path: Path) -> None:
    home, path = home_of(tmp_path), tmp_path / "ayse.backup"
    made = backed_up(home, path)
    assert (made.handle, made.device, made.lines) == ("ayse", "laptop", 51)
    assert path.stat().st_mode & 0o777 == 0o600
    assert check(path, OWN, quiet) == restored(path, tmp_path / "new") == made
    assert names(tmp_path) == ["ayse.backup", "home", "new"]
    assert names(tmp_path / "new") == ["history.db", "vault"]
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert {one.stat().st_mode & 0o777 for one in (tmp_path / "new").iterdir()} == {0o600}
    vault = unlock(vault_path(tmp_path / "new"), FRESH).content
    assert (vault.handle, vault.profiles, vault.pending) == ("ayse", (), None)
    assert vault.trust == unlock(vault_path(home), PASSPHRASE).content.trust
    old, new = open_store(home, "ayse"), open_store(tmp_path / "new", "ayse")
    for conversation in ("@burak", "#ops"):
        before, after = old.recorded(conversation, 0, 999), new.recorded(conversation, 0, 999)
        assert [(one.stored.line.id, one.original) for one in before] == [
            (one.stored.line.id, one.original) for one in after
        ]
    assert new.line("@burak", "ayse", line(50).id).line.status is Status.SENT  # type: ignore[union-attr]
    assert len(new.search("words", 999)) == 50
    states = dict(new.states())
    assert set(states) == {"desk", RESTORED_KEY}
    assert decode_remains(states[RESTORED_KEY]).peers == (("burak", Ours.BLOCKED),)
    assert (new.outbox(), new.heads()) == ({}, {})
    assert dict(old.states())["mls/00/epoch"] == SECRET
    assert old.outbox() == {"burak": (1, 1, 1)}
    old.close()
    new.close()


def test_no_home_is_left_where_its_folder_cannot_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, path = home_of(tmp_path), tmp_path / "ayse.backup"
    backed_up(home, path)

    def refused(_: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(module, "sync_folder", refused)
    with pytest.raises(StorageError, match="could not be made"):
        restored(path, tmp_path / "new")
    assert names(tmp_path) == ["ayse.backup", "home"]


def test_what_waited_here_or_in_a_mailbox_may_have_arrived(tmp_path: Path) -> None:
    home, path = home_of(tmp_path), tmp_path / "ayse.backup"
    statuses = (Status.WAITING, Status.MAILED, Status.SENT)
    store = open_store(home, "ayse")
    store.commit([AddLine("@cem", line(100 + n, status=status)) for n, status in enumerate(statuses)])
    store.close()
    backed_up(home, path)
    restored(path, tmp_path / "new")
    store = open_store(tmp_path / "new", "ayse")
    assert [one.line.status for one in store.lines("@cem", limit=9)] == [Status.SENT] * 3
    assert store.unsent() == []
    store.close()


def test_no_private_key_is_in_a_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the device's nor a conversation's: not in the manifest, and not in a free page of the database."""
    home, seen, manifests = home_of(tmp_path), list[bytes](), list[bytes]()

    def digest(path: Path) -> bytes:
        seen.append(path.read_bytes())
        return sha256(seen[0]).digest()

    def sealing(key: SealingKey, content: bytes, *, nonce: bytes) -> bytes:
        manifests.append(content)
        return seal(key, content, nonce=nonce)

    monkeypatch.setattr(module, "_sha256", digest)
    monkeypatch.setattr(backup_file, "seal", sealing)
    backed_up(home, tmp_path / "ayse.backup")
    plain = b""
    for start in range(0, len(seen[0]), 4096):
        page = seen[0][start : start + 4096]
        decryptor = Cipher(algorithms.AES(database_key("ayse")), modes.CBC(page[-80:-64])).decryptor()
        plain += decryptor.update(page[16 if start == 0 else 0 : -80])
    assert b"words 7" in plain
    assert SECRET not in plain
    for profile in unlock(vault_path(home), PASSPHRASE).content.profiles:
        assert profile.key not in manifests[0]
        assert profile.key[-32:] not in manifests[0]
    raw = (tmp_path / "ayse.backup").read_bytes()
    assert not any(shown in raw for shown in (b"ayse", b"burak", b"words", SECRET, database_key("ayse")))


async def test_a_restored_home_joins_as_the_same_person_under_its_history(tmp_path: Path) -> None:
    (tmp_path / "authority").mkdir()
    async with open_house(tmp_path / "authority", ward=realm()) as house:
        home = home_of(tmp_path)
        backed_up(home, tmp_path / "ayse.backup")
        new = tmp_path / "new"
        restored(tmp_path / "ayse.backup", new)
        with pytest.raises(NotEnrolled, match="restored") as caught:
            Identity(unlock(vault_path(new), FRESH))
        assert "conclave join" in caught.value.remedy
        token = decode_base32(house.invite("ayse"), 16, "token")
        root, until = house.ward.trust.root.fingerprint, int(time.time()) + 3600
        line = Invite(Handle("ayse"), house.ward.trust.realm, (house.address,), root, token, until)
        other = make_ward("Ward 8").trust.root.fingerprint
        for wrong in (replace(line, handle=Handle("burak")), replace(line, root_sha256=other)):
            with pytest.raises(LocalError):
                await asyncio.to_thread(enrolment.join, new, wrong, wrong.secret, FRESH, STANDARD, quiet)
        joined = await asyncio.to_thread(enrolment.join, new, line, line.secret, FRESH, STANDARD, quiet)
        assert joined.me.handle == "ayse"
        identity = Identity(unlock(vault_path(new), FRESH))
        assert identity.database_key == database_key("ayse")
        before = {held.key for held in unlock(vault_path(home), PASSPHRASE).content.profiles}
        assert not before & {held.key for held in unlock(vault_path(new), FRESH).content.profiles}
        store = PeerDatabase(database_path(new), identity.database_key)
        assert len(store.search("words", 999)) == 50
        store.close()


def test_while_a_node_writes_it_is_one_moment(tmp_path: Path) -> None:
    home = home_of(tmp_path, lines=0)
    store = open_store(home, "ayse")
    for n in range(100):
        store.commit([AddLine("#ops", line(2 * n)), AddLine("@burak", line(2 * n + 1))])
    ended, written = Event(), 0

    def write() -> None:
        nonlocal written
        while not ended.is_set():
            store.commit([AddLine("#ops", line(1000 + written)), AddLine("@burak", line(100_000 + written))])
            written += 1

    writer = Thread(target=write)
    writer.start()
    try:
        backed_up(home, tmp_path / "one.backup")
    finally:
        ended.set()
        writer.join()
    assert written
    store.close()
    restored(tmp_path / "one.backup", tmp_path / "new")
    new = open_store(tmp_path / "new", "ayse")
    counts = {one.name: one.count for one in new.conversations()}
    assert counts["@burak"] - counts["#ops"] in (0, 1)
    assert 100 <= counts["#ops"] < 100 + written
    new.close()


def test_a_home_without_a_history(tmp_path: Path) -> None:
    make_home(tmp_path / "home", "ayse")
    assert backed_up(tmp_path / "home", tmp_path / "one").lines == 0
    assert restored(tmp_path / "one", tmp_path / "new").lines == 0


def test_a_home_from_before_the_first_release_is_refused(tmp_path: Path) -> None:
    """Else what it knew of people and lobbies would silently not be in its backup."""
    home = home_of(tmp_path)
    store = open_store(home, "ayse")
    store.commit([PutState("peer/cem", b"\x03" + encode_peer(Peer("cem"))[1:])])
    store.close()
    with pytest.raises(LocalError, match="before the first release"):
        backed_up(home, tmp_path / "ayse.backup")
    assert names(tmp_path) == ["home"]


def test_nothing_is_written_over(tmp_path: Path) -> None:
    home, path = home_of(tmp_path), tmp_path / "ayse.backup"
    path.write_text("mine")
    with pytest.raises(LocalError, match="there already"):
        backed_up(home, path)
    assert path.read_text() == "mine"
    path.unlink()
    backed_up(home, path)
    with pytest.raises(LocalError, match="not empty") as caught:
        restored(path, home)
    assert caught.value.remedy
    (tmp_path / "empty").mkdir()
    restored(path, tmp_path / "empty")
    assert names(tmp_path) == ["ayse.backup", "empty", "home"]


def test_wrong_passphrases_and_places(tmp_path: Path) -> None:
    home, path = home_of(tmp_path), tmp_path / "ayse.backup"
    with pytest.raises(LocalError, match="vault stays locked"):
        back_up(home, path, "wrong", OWN, quiet, cost=CHEAP)
    with pytest.raises(LocalError, match="empty"):
        backed_up(home, path, "")
    with pytest.raises(NotEnrolled):
        backed_up(tmp_path / "nobody", path)
    with pytest.raises((StorageError, LocalError)):
        backed_up(home, Path("/proc/nowhere/ayse.backup"))
    with pytest.raises(LocalError, match="stick is not there"):
        backed_up(home, tmp_path / "stick" / "ayse.backup")
    assert names(tmp_path) == ["home"]
    backed_up(home, path)
    with pytest.raises(LocalError, match="stays closed"):
        restored(path, tmp_path / "new", "wrong")
    with pytest.raises(LocalError, match="empty"):
        restore(path, tmp_path / "new", OWN, "", quiet, cost=CHEAP)
    with pytest.raises(LocalError, match="cannot be read"):
        restored(tmp_path / "none", tmp_path / "new")
    with pytest.raises((StorageError, LocalError)):
        restored(path, Path("/proc/nowhere"))
    assert names(tmp_path) == ["ayse.backup", "home"]


def test_a_damaged_history_is_not_kept_as_if_it_were_whole(tmp_path: Path) -> None:
    home, path = home_of(tmp_path, lines=3000), tmp_path / "ayse.backup"
    database = database_path(home)
    data = bytearray(database.read_bytes())
    for page in range(len(data) // 8192, len(data) // 4096):
        data[page * 4096 + 100] ^= 1
    database.write_bytes(data)
    with pytest.raises(StorageError) as caught:
        backed_up(home, path)
    assert caught.value.remedy
    assert names(tmp_path) == ["home"]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A backup of several pieces."""
    folder = tmp_path_factory.mktemp("large")
    home = home_of(folder, lines=60, text="x" * 60_000)
    backed_up(home, folder / "ayse.backup")
    data = (folder / "ayse.backup").read_bytes()
    assert len(data) > 3 * stream.SEALED_BYTES
    return data


def refused(data: bytes, folder: Path) -> ConclaveError:
    path = folder / "bad.backup"
    path.write_bytes(data)
    with pytest.raises((LocalError, DecodeError, VerificationError)) as caught:
        restored(path, folder / "new")
    assert names(folder) == ["bad.backup"]
    return caught.value


def test_pieces_left_out_exchanged_repeated_or_put_behind(tmp_path: Path, large: bytes) -> None:
    envelope = int.from_bytes(large[len(MAGIC) : len(MAGIC) + 4])
    start = len(MAGIC) + 4 + envelope
    pieces = [large[at : at + stream.SEALED_BYTES] for at in range(start, len(large), stream.SEALED_BYTES)]
    for bad in (
        pieces[1:],
        pieces[:-1],
        [pieces[1], pieces[0], *pieces[2:]],
        [pieces[0], pieces[0], *pieces[2:]],
        [*pieces, b"x"],
        [*pieces[:-1], pieces[-1][:-1]],
        [],
    ):
        error = refused(large[:start] + b"".join(bad), tmp_path)
        assert "damaged or cut short" in str(error)
        assert error.remedy


def test_what_is_no_backup(tmp_path: Path, large: bytes) -> None:
    for bad in (b"", b"x" * 100, MAGIC, MAGIC + b"\xff" * 4, MAGIC + b"\x00\x00\x00\x05hello", large[:100]):
        refused(bad, tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(data=st.data())
def test_no_changed_byte_restores(data: st.DataObject, tmp_path: Path, large: bytes) -> None:
    at = data.draw(st.integers(0, 400) | st.integers(0, len(large) - 1))
    refused(large[:at] + bytes((large[at] ^ data.draw(st.integers(1, 255)),)) + large[at + 1 :], tmp_path)


def conclave(home: Path, *words: str, passphrase: Path, **more: object) -> subprocess.Popen[bytes]:
    typed = [sys.executable, "-m", "conclave", "--home", str(home), "--passphrase-file", str(passphrase), *words]
    return subprocess.Popen(typed, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_as_typed(tmp_path: Path) -> None:
    home, path = home_of(tmp_path), tmp_path / "ayse.backup"
    own, mine = tmp_path / "own", tmp_path / "mine"
    own.write_text(OWN + "\n")
    mine.write_text(PASSPHRASE + "\n")
    words = ("--backup-passphrase-file", str(own))
    out, err = (made := conclave(home, "backup", str(path), *words, passphrase=mine)).communicate()
    assert made.returncode == 0, err
    assert b"51 lines of history kept" in err
    assert b"it was read again and holds" in err
    assert out == b""
    out, err = (seen := conclave(home, "restore", str(path), "--check", *words, passphrase=mine)).communicate()
    assert (seen.returncode, b"it restores: 51 lines" in err) == (0, True)
    again = conclave(home, "restore", str(path), *words, passphrase=mine)
    assert b"not empty" in again.communicate()[1]
    assert again.returncode == 3
    new = tmp_path / "new"
    out, err = (done := conclave(new, "restore", str(path), "--json", *words, passphrase=mine)).communicate()
    assert done.returncode == 0, err
    assert err == b""
    row = json.loads(out)
    assert (row["handle"], row["lines"], row["home"]) == ("ayse", 51, str(new))
    up = conclave(new, "up", passphrase=mine)
    assert b"conclave join" in up.communicate()[1]
    assert up.returncode == 4


@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_killed_at_any_moment_it_is_whole_or_not_there(tmp_path: Path, verb: str) -> None:
    home, path, new = home_of(tmp_path, 40, "x" * 60_000), tmp_path / "ayse.backup", tmp_path / "new"
    own, mine = tmp_path / "own", tmp_path / "mine"
    own.write_text(OWN + "\n")
    mine.write_text(PASSPHRASE + "\n")
    if verb == "restore":
        backed_up(home, path)
    killed = 0
    for delay in (0.5, 0.8, 1.0, 1.3, 1.6):
        words = (str(path), "--backup-passphrase-file", str(own))
        running = conclave(home if verb == "backup" else new, verb, *words, passphrase=mine)
        time.sleep(delay)
        running.send_signal(signal.SIGKILL if delay != 1.0 else signal.SIGINT)
        running.communicate()
        killed += running.returncode != 0
        if verb == "backup" and path.exists():
            assert check(path, OWN, quiet).lines == 41
            path.unlink()
        if verb == "restore" and new.exists():
            assert names(new) == ["history.db", "vault"]
            break
    assert killed or path.exists() or new.exists()
    assert len(open_store(home, "ayse").search("x" * 9, 999)) == 40
