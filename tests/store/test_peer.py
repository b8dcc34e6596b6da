"""The database on a disk that is real: keys, damage, full disks, kills, other programs, older and newer versions."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from hashlib import sha256
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.chat.effects import (
    AddLine,
    AmendLine,
    DropExpired,
    DropPosts,
    EraseLine,
    MarkLine,
    PutCertificate,
    PutEntry,
    PutPost,
    PutState,
    Record,
    SetPin,
    SetReaction,
)
from conclave.chat.words.line import Line, LineKind, Status
from conclave.errors import LocalError, StorageError
from conclave.store import peer as module
from conclave.store import peer_rows, sqlcipher
from conclave.store.memory import MemoryStore
from conclave.store.peer import PeerDatabase
from conclave.store.peer_schema import FIRST, STEPS
from conclave.values import replace

KEY = bytes(range(32))
WORDS = "the-unmistakable-marker"


def line(number: int, text: str = WORDS) -> Line:
    return Line(number.to_bytes(16), "ayse", LineKind.TEXT, text, 1.0, 2.0, Status.WAITING)


def batch(number: int, items: int = 4, size: int = 4000) -> list[Record]:
    """A commit that touches every table and whose parts can be counted."""
    body = number.to_bytes(4) * (size // 4)
    records: list[Record] = [PutState("batch", b"%d" % number)]
    for n in range(number * items, (number + 1) * items):
        name = (f"#{n % 3}", "ayse", n.to_bytes(16))
        records += [SetReaction(*name, "cem", "+", on=True, at=1.0), AmendLine(*name, f"b{number} {WORDS}", 1.0)]
        records += [AddLine(f"#{n % 3}", line(n, "before"), b"signed"), PutPost("burak", n, 1, body)]
        records += [SetPin(*name, on=True, at=1.0), AddLine("@cem", line(n, "secret")), EraseLine("@cem", *name[1:])]
        records += [AddLine("@deniz", replace(line(n), expires=1.0)), DropExpired(2.0)]
        records += [PutEntry(bytes(16), n, body), PutCertificate(b"%d" % n)]
    return records


def whole_batches(store: PeerDatabase, items: int = 4) -> int:
    """How many batches are there, from 0 on; fails where one of them is there in part."""
    states = dict(store.states())
    count = int(states["batch"]) + 1 if states else 0
    wanted = list(range(count * items))
    assert [number for number, _, _ in store.posts("burak", 0, 1 << 30)] == wanted
    assert [body[:4] for _, _, body in store.posts("burak", 0, 1 << 30)] == [(n // items).to_bytes(4) for n in wanted]
    assert len(store.entries(bytes(16), 0, 1 << 30)) == len(wanted)
    there = [one for name in "012" for one in store.recorded(f"#{name}", 0, 1 << 30)]
    assert sorted(int.from_bytes(one.stored.line.id) for one in there) == wanted
    assert all(one.stored.edited and one.stored.pinned and one.stored.reactions for one in there)
    assert all(one.original == b"signed" for one in there)
    assert sum(one.count for one in store.conversations()) == 2 * len(wanted)
    assert all(one.deleted for one in store.lines("@cem", limit=1 << 30))
    assert all(store.certificate(sha256(b"%d" % n).digest()) for n in wanted)
    assert store._writer.execute("SELECT count(*) FROM early").fetchone() == (0,)
    assert len(store.search(WORDS, 1 << 30)) == len(wanted)
    assert store._writer.execute("PRAGMA cipher_integrity_check").fetchall() == []
    store._writer.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
    return count


def test_nothing_is_plain_on_disk_and_all_files_are_private(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    store = PeerDatabase(path, KEY)
    for number in range(10):
        store.commit(batch(number))
    files = list(tmp_path.iterdir())
    assert {file.name for file in files} == {"history.db", "history.db-wal", "history.db-shm"}
    store._writer.execute("PRAGMA wal_checkpoint")
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o600
        for shown in (b"unmistakable", b"ayse", b"burak", b"SQLite format", b"CREATE TABLE"):
            assert shown not in file.read_bytes()
    store.close()
    assert [file.name for file in tmp_path.iterdir()] == ["history.db"]


def test_it_is_durable_by_its_settings(tmp_path: Path) -> None:
    store = PeerDatabase(tmp_path / "history.db", KEY)
    assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()


def test_a_wrong_key_opens_nothing_and_harms_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "history.db"
    store = PeerDatabase(path, KEY)
    store.commit(batch(0))
    store.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="vault's key") as caught:
        PeerDatabase(path, bytes(32))
    assert caught.value.remedy
    assert path.read_bytes() == before
    assert KEY.hex() not in str(caught.value)
    store = PeerDatabase(path, KEY)
    assert whole_batches(store) == 1
    store.close()
    assert capfd.readouterr().err == ""
    with pytest.raises(LocalError):
        PeerDatabase(path, b"a passphrase")


@pytest.mark.parametrize("kind", ["text", "plain database"])
def test_a_plain_file_is_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "history.db"
    if kind == "text":
        path.write_text("these are my notes\n" * 1000)
    else:
        plain = sqlite3.connect(path)
        plain.execute("CREATE TABLE states (key, value)")
        plain.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="vault's key"):
        PeerDatabase(path, KEY)
    assert path.read_bytes() == before


def test_damage_anywhere_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    store = PeerDatabase(path, KEY)
    store.commit(batch(0))
    store.close()
    whole = path.read_bytes()
    assert len(whole) % 4096 == 0
    noticed = 0
    for page in range(len(whole) // 4096):
        damaged = bytearray(whole)
        damaged[page * 4096 + 2000] ^= 1
        path.write_bytes(damaged)
        try:
            store = PeerDatabase(path, KEY)
        except StorageError as error:
            noticed += bool(error.remedy)
            continue
        failed = store._writer.execute("PRAGMA cipher_integrity_check").fetchall()
        noticed += bool(failed)
        store.close()
    assert noticed == len(whole) // 4096
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StorageError):
        whole_batches(PeerDatabase(path, KEY))


def test_a_damaged_page_is_an_error_of_ours_when_read(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    store = PeerDatabase(path, KEY)
    for number in range(20):
        store.commit(batch(number))
    store.close()
    data = bytearray(path.read_bytes())
    for page in range(len(data) // 8192, len(data) // 4096):
        data[page * 4096 + 100] ^= 1
    path.write_bytes(data)
    store = PeerDatabase(path, KEY)
    with pytest.raises(StorageError) as caught:
        store.posts("burak", 0, 1000)
    assert "damaged" in str(caught.value)
    store.close()


def fill(store: PeerDatabase, start: int) -> tuple[int, StorageError]:
    """Commit batches until the disk refuses one; the number of that batch, and the error."""
    for number in range(start, start + 10_000):
        try:
            store.commit(batch(number))
        except StorageError as error:
            return number, error
    raise AssertionError("the disk was never full")


def test_no_more_pages(tmp_path: Path) -> None:
    store = PeerDatabase(tmp_path / "history.db", KEY)
    store._writer.execute("PRAGMA max_page_count = 200")
    refused, error = fill(store, 0)
    assert "the disk is full: nothing of this was kept" in str(error)
    assert error.remedy == "free some space and try again"
    assert refused > 1
    assert whole_batches(store) == refused
    with pytest.raises(StorageError):
        store.commit(batch(refused))
    store._writer.execute("PRAGMA max_page_count = 100000")
    store.commit(batch(refused))
    assert whole_batches(store) == refused + 1
    store.close()


def test_a_file_system_that_is_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "conclave-test", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"NOT TESTED on a full file system, which takes root and mount: {done.stderr.strip()}")
    try:
        store = PeerDatabase(disk / "history.db", KEY)
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(300_000))
        refused, error = fill(store, 0)
        assert "disk" in str(error)
        assert error.remedy
        assert whole_batches(store) == refused > 1
        store.close()
        store = PeerDatabase(disk / "history.db", KEY)
        assert whole_batches(store) == refused
        ballast.unlink()
        store.commit(batch(refused))
        assert whole_batches(store) == refused + 1
        store.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_files_that_may_not_grow(tmp_path: Path) -> None:
    script = """
        import resource, sys
        from pathlib import Path
        from tests.store.test_peer import KEY, batch, fill, whole_batches
        from conclave.store.peer import PeerDatabase
        store = PeerDatabase(Path(sys.argv[1]), KEY)
        store.commit(batch(0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (147 * 4096, resource.RLIM_INFINITY))
        refused, error = fill(store, 1)
        print(error, "/", error.remedy)
        assert whole_batches(store) == refused > 1
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        store.commit(batch(refused))
        assert whole_batches(store) == refused + 1
        store.close()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "history.db")],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert "nothing of this was kept" in done.stdout
    assert "free some space" in done.stdout


def test_killed_at_any_moment_only_whole_batches_are_there(tmp_path: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from tests.store.test_peer import KEY, batch, whole_batches
        from conclave.store.peer import PeerDatabase
        store = PeerDatabase(Path(sys.argv[1]), KEY)
        for number in range(int(sys.argv[2]), 1_000_000):
            store.commit(batch(number))
            sys.stdout.write(f"{number}\\n")
            sys.stdout.flush()
    """
    done = 0
    for delay in (0.0, 0.003, 0.02, 0.05, 0.08, 0.11):
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "history.db"), str(done)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert child.stdout is not None
        with child.stdout as reports:
            told = int(reports.readline())  # it has begun
            time.sleep(delay)
            child.send_signal(signal.SIGKILL)
            for report in reports:
                if report.endswith("\n"):
                    told = int(report)
        assert child.wait() == -signal.SIGKILL
        store = PeerDatabase(tmp_path / "history.db", KEY)
        there = whole_batches(store)
        store.close()
        assert there - 1 in (told, told + 1)  # the last one may be on disk and not yet told
        done = there


def test_an_older_database_is_brought_up_to_date_and_a_newer_one_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.db"
    store = PeerDatabase(path, KEY)
    store.commit(batch(0))
    store.close()
    with monkeypatch.context() as newer:
        newer.setattr(module, "STEPS", (*STEPS, "CREATE TABLE later (x); INSERT INTO later VALUES (1);"))
        store = PeerDatabase(path, KEY)
        assert whole_batches(store) == 1
        store.commit(batch(1))
        store.close()
    with pytest.raises(LocalError, match="newer Conclave") as caught:
        PeerDatabase(path, KEY)
    assert caught.value.remedy


def test_edits_that_a_program_before_kept_count_as_those_of_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did not tell which some have alone."""
    path = tmp_path / "history.db"
    with monkeypatch.context() as older:
        older.setattr(module, "STEPS", STEPS[:1])
        store = PeerDatabase(path, KEY)
    store.commit([AddLine("#ops", line(1))])
    store._writer.execute("UPDATE lines SET text = 'edited', edited = 5.0")
    store._writer.execute(
        "INSERT INTO early (conversation, sender, id, kind, by, sign, state, at, text) "
        "VALUES ('#ops', 'ayse', ?, 'edit', 'ayse', '', 1, 5.0, 'edited early')",
        (line(2).id,),
    )
    store.close()
    store = PeerDatabase(path, KEY)
    edits = [AmendLine("#ops", "ayse", line(n).id, "alone", 9.0, alone=True) for n in (1, 2)]
    store.commit([*edits, AddLine("#ops", line(2))])
    assert [one.line.text for one in store.lines("#ops", limit=9)] == ["edited", "edited early"]
    store.commit([AmendLine("#ops", "ayse", line(1).id, "edited again", 6.0)])
    assert store.lines("#ops", limit=9)[0].line.text == "edited again"
    store.close()


def test_a_database_from_before_the_first_release_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    store = PeerDatabase(path, KEY)
    assert store._writer.execute("PRAGMA user_version").fetchone() == (FIRST + len(STEPS) - 1,)
    store.commit(batch(0))
    store._writer.execute(f"PRAGMA user_version = {FIRST - 1}")
    store.close()
    before = path.read_bytes()
    with pytest.raises(LocalError, match="before the first release") as caught:
        PeerDatabase(path, KEY)
    assert "export" in caught.value.remedy
    assert path.read_bytes() == before


def test_reads_go_on_during_a_commit_and_see_none_of_it(tmp_path: Path) -> None:
    store = PeerDatabase(tmp_path / "history.db", KEY)
    store.commit(batch(0))
    store._writer.execute("BEGIN IMMEDIATE")
    store._writer.execute("UPDATE states SET value = x'00'")
    assert store.states() == [("batch", b"0")]
    store._writer.execute("ROLLBACK")
    store.close()


def test_many_threads(tmp_path: Path) -> None:
    store = PeerDatabase(tmp_path / "history.db", KEY)
    failures: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for n in range(25):
                store.commit([AddLine(f"@{name}", line(n)), PutPost(name, n, 1, b"")])
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failures.append(error)

    def read() -> None:
        try:
            for _ in range(100):
                outbox = store.outbox()
                lines = {one.name: one.count for one in store.conversations()}
                assert all(lines[f"@{name}"] >= count for name, (_, _, count) in outbox.items())
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [Thread(target=write, args=(name,)) for name in ("burak", "cem", "deniz")] + [Thread(target=read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.outbox() == dict.fromkeys(("burak", "cem", "deniz"), (0, 24, 25))
    store.close()


def test_another_program_that_holds_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlcipher, "BUSY_SECONDS", 0.05)
    path = tmp_path / "history.db"
    one, other = PeerDatabase(path, KEY), PeerDatabase(path, KEY)
    other._writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="in use") as caught:
        one.commit(batch(0))
    assert caught.value.remedy
    other._writer.execute("COMMIT")
    one.commit(batch(0))
    assert whole_batches(other) == 1
    one.close()
    other.close()


def test_a_closed_store_and_a_folder_that_is_not_there(tmp_path: Path) -> None:
    store = PeerDatabase(tmp_path / "history.db", KEY)
    store.close()
    with pytest.raises(StorageError):
        store.commit(batch(0))
    with pytest.raises(StorageError):
        store.states()
    with pytest.raises(StorageError):
        PeerDatabase(tmp_path / "nowhere" / "history.db", KEY)


def test_the_search_index_follows_the_lines(tmp_path: Path) -> None:
    store = PeerDatabase(tmp_path / "history.db", KEY)
    store.commit([AddLine("@burak", line(1, "before")), AddLine("@burak", line(1, "ignored"))])
    store._writer.execute("UPDATE lines SET text = 'after' WHERE position = 1")
    assert [store.search(word, 9) == [] for word in ("before", "ignored", "after")] == [True, True, False]
    with pytest.raises(store._writer.IntegrityError):
        store._writer.execute("DELETE FROM lines")
    store._writer.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
    store.close()


def test_a_line_that_is_here_already_among_new_ones_is_told_and_undoes_none_of_them(tmp_path: Path) -> None:
    store = PeerDatabase(tmp_path / "peer.db", KEY)
    assert store.commit([AddLine("#ops", line(1, "one")), AddLine("@cem", line(2))]) == frozenset()
    again = replace(line(1, "not this"), seq=7)
    stale = store.commit(
        [PutState("k", b"v"), AddLine("#ops", line(3)), AddLine("#ops", again), AddLine("#b", line(4))]
    )
    assert stale == {("#ops", "ayse", line(1).id)}
    shown = [(one.position, one.line.text, one.line.seq) for one in store.lines("#ops", limit=9)]
    assert shown == [(3, WORDS, 0), (4, "one", 7)]  # where it is in order, behind what came before that was known
    assert [one.position for one in store.lines("#b", limit=9)] == [5]
    assert dict(store.states()) == {"k": b"v"}
    store.close()


def test_letters_are_found_with_and_without_their_marks(tmp_path: Path) -> None:
    store = PeerDatabase(tmp_path / "history.db", KEY)
    store.commit([AddLine("@burak", line(1, "çay içtik"))])
    assert [len(store.search(word, 9)) for word in ("cay", "çay", "ÇAY", "c\u0327ay", "ictik")] == [1, 1, 1, 1, 1]
    store.close()


def test_a_group_commit_is_one_write(tmp_path: Path) -> None:
    store = PeerDatabase(tmp_path / "history.db", KEY)
    statements: list[str] = []
    store._writer.set_trace_callback(statements.append)
    store.commit([record for number in range(20) for record in batch(number)])
    assert [one for one in statements if one.startswith(("BEGIN", "COMMIT"))] == ["BEGIN IMMEDIATE", "COMMIT"]
    store.close()


def pages(path: Path) -> bytes:
    """What a file under the raw ``KEY`` holds, free pages and all: AES-256-CBC, the vector in front of the MAC."""
    data, plain = path.read_bytes(), b""
    for start in range(0, len(data), 4096):
        page = data[start : start + 4096]
        body = page[16:-80] if start == 0 else page[:-80]
        decryptor = Cipher(algorithms.AES(KEY), modes.CBC(page[-80:-64])).decryptor()
        plain += decryptor.update(body) + decryptor.finalize()
    return plain


@pytest.mark.parametrize("how", ["deleted", "deleted early", "expired"])
def test_words_that_went_are_nowhere_in_the_files(tmp_path: Path, how: str) -> None:
    path, name = tmp_path / "history.db", ("#ops", "ayse", line(7).id)
    store = PeerDatabase(path, KEY)
    store.commit([AddLine("#ops", line(n, f"word{n} " * n)) for n in range(1, 7)])
    marker = "zyxwvunique " + "padding " * 2000  # several pages
    seventh = replace(line(7, marker), expires=3.0, status=Status.SENT)
    if how == "deleted early":
        store.commit([AmendLine(*name, marker, 1.0)])
    else:
        store.commit([AddLine("#ops", seventh, marker.encode()), MarkLine("#ops", "ayse", line(7).id, Status.SENT)])
        store.commit([AmendLine(*name, f"{marker} again", 1.0)])
        store.commit([AddLine("#ops", line(n, f"word{n} " * n)) for n in range(8, 70)])
        store.commit([MarkLine("#ops", "ayse", line(7).id, Status.SENT, 9)])  # which moves it, in the index too
    store._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"zyxwvunique" in pages(path)
    store.commit([DropExpired(3.0) if how == "expired" else EraseLine(*name)])
    assert (tmp_path / "history.db-wal").stat().st_size == 0  # or older pages would be in there
    assert b"zyxwvunique" not in pages(path)
    assert b"yxwvunique" not in pages(path)  # a term that shares its beginning with another is kept in part
    assert b"word6" in pages(path)
    store._writer.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
    store.close()
    assert b"xwvunique" not in pages(path)


def test_a_long_read_holds_no_erasure_up_and_its_traces_go_later(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    store = PeerDatabase(path, KEY)
    store.commit([AddLine("#ops", line(n)) for n in range(1, 9)])
    other = sqlcipher.connect(path, KEY)
    reading = other.execute("SELECT * FROM lines")
    reading.fetchone()
    start = time.monotonic()
    store.commit([EraseLine("#ops", "ayse", line(1).id)])
    assert time.monotonic() - start < sqlcipher.BUSY_SECONDS / 2
    assert (tmp_path / "history.db-wal").stat().st_size > 0
    reading.close()
    store.commit([PutState("another", b"")])
    assert (tmp_path / "history.db-wal").stat().st_size == 0
    assert store._writer.execute("PRAGMA busy_timeout").fetchone() == (int(sqlcipher.BUSY_SECONDS * 1000),)
    other.close()
    store.close()


def test_commits_do_not_wait_for_a_long_read_of_ours_and_what_they_erased_goes_with_its_end(tmp_path: Path) -> None:
    """Each commit took 50 ms longer while a record was exported."""
    path, log = tmp_path / "history.db", tmp_path / "history.db-wal"
    store = PeerDatabase(path, KEY)
    store.commit([AddLine("#ops", line(n)) for n in range(1, 9)])
    statements: list[str] = []
    with store.unmoved() as history, store.unmoved():
        store._writer.set_trace_callback(statements.append)
        store.commit([EraseLine("#ops", "ayse", line(1).id)])
        store.commit([PutState("another", b"")])
        store._writer.set_trace_callback(None)
        assert [one for one in statements if "checkpoint" in one] == []
        assert history.recorded("#ops", 0, 1)[0].stored.line.text == WORDS
        assert log.stat().st_size > 0
    assert log.stat().st_size == 0
    assert not store._unwiped
    with store.unmoved() as history:
        store.commit([EraseLine("#ops", "ayse", line(2).id)])
        store.close()
    assert not log.exists()  # a store that was closed meanwhile leaves it to the read's own end
    assert pages(path).count(WORDS.encode()) == len("345678")


def test_lines_that_are_to_stay_cannot_be_deleted(tmp_path: Path) -> None:
    store = PeerDatabase(tmp_path / "history.db", KEY)
    store.commit([AddLine("#ops", line(1))])
    with pytest.raises(store._writer.IntegrityError, match="never deleted"):
        store._writer.execute("DELETE FROM lines")
    store.close()


def test_a_long_post_to_many_is_kept_once(tmp_path: Path) -> None:
    """As a Welcome to a lobby is: to five hundred it was half a gigabyte on disk, and seven seconds."""
    path = tmp_path / "one.db"
    store = PeerDatabase(path, KEY)
    welcome = os.urandom(200_000)
    people = [f"m{number:02}" for number in range(30)]
    store.commit([PutPost(one, 1, 1, number.to_bytes(1300) + welcome) for number, one in enumerate(people)])
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 1_500_000
    for number, one in enumerate(people):
        assert store.posts(one, 1, 9) == [(1, 1, number.to_bytes(1300) + welcome)]
        store.commit([DropPosts(one, 1)])
    assert store._read("SELECT * FROM tails") == []
    store.close()


POSTS = st.one_of(
    st.builds(PutPost, st.sampled_from("abc"), st.just(0), st.just(1), st.text("xy", max_size=6).map(str.encode)),
    st.builds(DropPosts, st.sampled_from("abc"), st.integers(0, 9)),
)


@given(st.lists(st.lists(POSTS, max_size=6), max_size=6))
@settings(max_examples=60, deadline=None)
def test_ends_that_are_kept_once_belong_to_their_posts(commits: list[list[Record]]) -> None:
    numbers = dict.fromkeys("abc", 0)
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as short:
        short.setattr(peer_rows, "LONG_BYTES", 3)
        short.setattr(peer_rows, "HEAD_BYTES", 1)
        store, model = PeerDatabase(Path(name) / "one.db", KEY), MemoryStore()
        for commit in commits:
            records: list[Record] = []
            for record in commit:
                if isinstance(record, PutPost):
                    numbers[record.peer] += 1
                    record = replace(record, number=numbers[record.peer])
                records.append(record)
            store.commit(records)
            model.commit(records)
            for peer in numbers:
                assert store.posts(peer, 0, 99) == model.posts(peer, 0, 99)
        store.commit([DropPosts(peer, 99) for peer in numbers])
        assert store._read("SELECT * FROM tails") == []
        store.close()
