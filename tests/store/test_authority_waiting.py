"""What waits at the authority, on disk: older databases gain its tables, and no look reads all of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from conclave.authority.records import Account, Held
from conclave.pki.names import Device, Handle
from conclave.store.authority import AuthorityStore
from conclave.store.authority_schema import STEPS
from conclave.store.schema import migrate

AYSE, BURAK = Handle("ayse"), Handle("burak")


def test_a_database_from_before_gains_the_tables(tmp_path: Path) -> None:
    path = tmp_path / "authority.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        migrate(old, STEPS[:2])
        old.execute("INSERT INTO accounts VALUES ('ayse', '', 'ayse', 0, '', '', 0, 0)")
    store = AuthorityStore(path)
    try:
        store.decide(lambda t: t.add_mail(AYSE, AYSE, b"sealed", 1.0)).result()
        store.decide(lambda t: t.set_last_package(AYSE, Device("d1"), b"last", 1.0)).result()
        assert store.reads.held(recipient="ayse") == Held(1, 6)
        assert store.reads.last_package("ayse") == b"last"
    finally:
        store.close()


def test_what_was_fetched_is_gone_from_the_file(tmp_path: Path) -> None:
    secret = b"sealed, and to be overwritten" * 40
    path = tmp_path / "authority.db"
    store = AuthorityStore(path)
    for handle in (AYSE, BURAK):
        store.decide(lambda t, h=handle: t.add_account(Account(h, "", 0))).result()  # type: ignore[misc]
    mail = store.decide(lambda t: t.add_mail(AYSE, BURAK, secret, 1.0)).result()
    store.close()
    assert secret[:29] in path.read_bytes(), "else what follows would prove nothing"
    store = AuthorityStore(path)
    store.decide(lambda t: t.drop_mail(AYSE, [mail])).result()
    store.close()
    assert secret[:29] not in path.read_bytes()
    assert not path.with_name("authority.db-wal").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, data FROM packages WHERE handle = 'a' AND data IS NOT NULL ORDER BY id LIMIT 1",
        "SELECT count(*) FROM packages WHERE handle = 'a' AND data IS NOT NULL",
        "SELECT EXISTS (SELECT 1 FROM mail WHERE at <= 1) OR EXISTS (SELECT 1 FROM last_packages WHERE at <= 2)",
        "SELECT EXISTS (SELECT 1 FROM packages WHERE at <= 2)",
        "SELECT size FROM mail WHERE recipient = 'a' AND id > 1 AND at > 2 ORDER BY id LIMIT 64",
        "SELECT id FROM mail WHERE at <= 1 ORDER BY at LIMIT 500",
        "DELETE FROM mail WHERE id = 1 AND recipient = 'a'",
        "DELETE FROM last_packages WHERE at <= 1",
        "SELECT max(revoked) FROM certificates WHERE handle = 'a' AND profile = 'tls'",
    ],
)
def test_no_look_reads_a_whole_table(tmp_path: Path, sql: str) -> None:
    store = AuthorityStore(tmp_path / "authority.db")
    try:
        plan = [row[3] for row in store._reader.execute(f"EXPLAIN QUERY PLAN {sql}")]
    finally:
        store.close()
    assert not any(step.startswith("SCAN") and "CONSTANT ROW" not in step for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan
