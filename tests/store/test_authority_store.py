from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from conclave.authority.ports import Store, Transaction
from conclave.authority.records import Account, Action, AuditEntry
from conclave.errors import ConclaveError, LocalError, Refused, StorageError
from conclave.pki.names import Handle
from conclave.store.authority import AuthorityStore

AYSE = Account(Handle("ayse"), "Ayse", 1.0)
ROW = AuditEntry(5.0, "ayse", Action.LOGIN, "d1", "192.0.2.1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "authority.db"


@pytest.fixture
def store(path: Path) -> Iterator[AuthorityStore]:
    made = AuthorityStore(path)
    yield made
    made.close()


def test_it_is_a_store(store: AuthorityStore) -> None:
    port: Store = store
    assert port.decide(lambda t: t.add_account(AYSE)).result()
    assert port.reads.account("ayse") == AYSE
    assert not port.decide(lambda t: t.add_account(AYSE)).result()


def test_how_it_writes(store: AuthorityStore, path: Path) -> None:
    for connection in (store._writer, store._reader):
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert connection.execute(f"PRAGMA {pragma}").fetchone()[0] == value
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_confirmed_is_on_disk(store: AuthorityStore, path: Path) -> None:
    store.decide(lambda t: t.set_setting("a", "1")).result()
    other = sqlite3.connect(path)
    assert other.execute("SELECT value FROM settings").fetchall() == [("1",)]
    other.close()


def test_a_refusal_undoes_its_decision_and_is_recorded(store: AuthorityStore) -> None:
    def decision(transaction: Transaction) -> None:
        transaction.add_account(AYSE)
        raise Refused("no", reason="because")

    with pytest.raises(Refused):
        store.decide(decision, lambda t, refused: t.record(ROW)).result()
    assert store.reads.account("ayse") is None
    assert [row.who for row in store.reads.audit(0, 10)] == ["ayse"]


def test_decisions_that_share_a_commit_do_not_share_a_fate(store: AuthorityStore) -> None:
    def bad(transaction: Transaction) -> None:
        transaction.set_setting("bad", "1")
        raise ValueError("a fault in the decision")

    def broken(transaction: Transaction) -> None:
        transaction.set_setting("broken", None)  # type: ignore[arg-type] # NOT NULL

    def hold(_: Transaction) -> None:  # while this runs, the others gather behind it
        for n in range(20):
            names = (f"good {n}", bad, broken)
            futures.append(store.decide(lambda t, k=names[0]: t.set_setting(k, "1")))  # type: ignore[misc]
            faults.extend((store.decide(bad), store.decide(broken)))

    futures: list[object] = []
    faults: list[object] = []
    store.decide(hold).result()
    for future in futures:
        future.result(10)  # type: ignore[attr-defined]
    for fault in faults:
        assert isinstance(fault.exception(10), (ValueError, StorageError))  # type: ignore[attr-defined]
    assert store.reads.setting("good 0") == store.reads.setting("good 19") == "1"
    assert store.reads.setting("bad") is None


def test_many_decisions_share_a_commit(store: AuthorityStore) -> None:
    commits = []
    store._writer.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)

    def hold(_: Transaction) -> list[object]:
        return [store.decide(lambda t, n=n: t.set_setting(str(n), "1")) for n in range(100)]  # type: ignore[misc]

    for future in store.decide(hold).result():
        future.result(10)  # type: ignore[attr-defined]
    assert len(commits) <= 3


def test_whoever_stops_waiting_harms_nobody(store: AuthorityStore) -> None:
    def hold(_: Transaction) -> object:
        future = store.decide(lambda t: t.set_setting("a", "1"))
        assert future.cancel()
        return None

    store.decide(hold).result()
    store.decide(lambda t: t.set_setting("b", "1")).result(10)
    assert store.reads.setting("a") is None


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit SET who = 'eve'",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit VALUES (1, 0, 'eve', 'login', '', '', 'done')",
    ],
)
def test_the_log_is_append_only_for_everybody(store: AuthorityStore, path: Path, sql: str) -> None:
    store.decide(lambda t: t.record(ROW)).result()
    other = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(sql)
    other.close()
    assert [row.who for row in store.reads.audit(0, 10)] == ["ayse"]


def test_the_log_is_read_in_pages(store: AuthorityStore) -> None:
    for _ in range(5):
        store.decide(lambda t: t.record(ROW)).result()
    assert store.reads.audit_end() == 5
    assert [row.id for row in store.reads.audit(2, 2)] == [3, 4]


def test_a_full_disk_is_told_and_loses_nothing(store: AuthorityStore) -> None:
    store.decide(lambda t: t.set_setting("before", "1")).result()
    pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
    store._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="disk is full") as caught:
        store.decide(lambda t: t.set_setting("large", "x" * 200_000)).result()
    assert caught.value.remedy
    assert store.reads.setting("before") == "1"
    store._writer.execute("PRAGMA max_page_count = 1000000")
    store.decide(lambda t: t.set_setting("large", "x" * 200_000)).result()  # there is room again


def test_another_writer_is_waited_for_then_told_of(store: AuthorityStore, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store._writer.execute("PRAGMA busy_timeout = 50")
    with pytest.raises(StorageError, match="locked"):
        store.decide(lambda t: t.set_setting("a", "1")).result()
    other.execute("ROLLBACK")
    other.close()
    store.decide(lambda t: t.set_setting("a", "1")).result()


def test_changes_of_any_process_are_noticed(store: AuthorityStore, path: Path) -> None:
    first = store.changes()
    assert store.changes() == first
    other = AuthorityStore(path)
    other.decide(lambda t: t.set_setting("a", "1")).result()
    other.close()
    second = store.changes()
    assert second != first
    store.decide(lambda t: t.set_setting("a", "2")).result()
    assert store.changes() != second


def test_what_was_handed_in_is_finished_at_close(path: Path) -> None:
    store = AuthorityStore(path)
    futures = [store.decide(lambda t, n=n: t.set_setting(str(n), "1")) for n in range(50)]  # type: ignore[misc]
    store.close()
    assert all(future.done() for future in futures)
    with pytest.raises(LocalError):
        store.decide(lambda t: None)
    store.close()


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be looked at as one" * 20)
    with pytest.raises(ConclaveError, match="damaged"):
        AuthorityStore(path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        AuthorityStore(tmp_path / "no" / "authority.db")


@pytest.mark.parametrize("broken", ["connecting", "bringing up to date"])
def test_what_does_not_open_leaves_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def kept(*where: Any, **how: Any) -> sqlite3.Connection:
        made.append(connect(*where, **how))
        return made[-1]

    path = tmp_path / "authority.db"
    if broken == "connecting":
        path.write_text("these are my notes\n" * 1000)
    else:
        with closing(connect(path)) as newer:
            newer.execute("PRAGMA user_version = 99")
    monkeypatch.setattr(sqlite3, "connect", kept)
    with pytest.raises(ConclaveError):
        AuthorityStore(path)
    assert made
    for connection in made:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")
