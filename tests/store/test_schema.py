"""Migrations: whole steps, in order, once, by whichever driver and however many processes."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlcipher3 import dbapi2 as sqlcipher

from conclave.errors import LocalError, StorageError
from conclave.store.schema import migrate, statements

STEPS = [
    "CREATE TABLE a (x TEXT);",
    """CREATE TABLE b (y TEXT);
    CREATE TRIGGER t AFTER INSERT ON a BEGIN
      INSERT INTO b VALUES (new.x); INSERT INTO b VALUES ('; END');
    END;
    INSERT INTO a VALUES ('one; two');""",
]


def version(connection: Any) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@pytest.fixture(params=[sqlite3, sqlcipher], ids=["sqlite3", "sqlcipher3"])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    connection = request.param.connect(str(tmp_path / "db"))
    yield connection
    connection.close()


def test_from_nothing_and_from_each_version(connection: Any) -> None:
    migrate(connection, STEPS[:1])
    assert version(connection) == 1
    connection.execute("INSERT INTO a VALUES ('kept')")
    connection.commit()
    migrate(connection, STEPS)
    migrate(connection, STEPS)
    assert version(connection) == 2
    assert connection.execute("SELECT x FROM a").fetchall() == [("kept",), ("one; two",)]
    assert connection.execute("SELECT y FROM b").fetchall() == [("one; two",), ("; END",)]


def test_a_step_is_all_or_nothing(connection: Any) -> None:
    with pytest.raises(StorageError, match="brought up to date"):
        migrate(connection, [*STEPS, "CREATE TABLE c (z); INSERT INTO nowhere VALUES (1);"])
    assert version(connection) == 2
    assert not connection.in_transaction
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'c'").fetchone() == (0,)


def test_a_newer_database_is_refused_and_left_alone(connection: Any) -> None:
    migrate(connection, STEPS)
    with pytest.raises(LocalError, match="schema version 2, this program knows 1") as caught:
        migrate(connection, STEPS[:1])
    assert caught.value.remedy
    assert version(connection) == 2


def test_a_database_from_before_the_first_version_is_refused_and_left_alone(connection: Any) -> None:
    migrate(connection, STEPS[:1], 5)
    assert version(connection) == 5
    migrate(connection, STEPS, 5)
    assert version(connection) == 6
    with pytest.raises(LocalError, match="before the first release"):
        migrate(connection, STEPS, 7)
    assert version(connection) == 6


def test_several_openers_at_once(tmp_path: Path) -> None:
    path = tmp_path / "db"
    steps = [f"CREATE TABLE t{n} (x); INSERT INTO t{n} VALUES ({n});" for n in range(10)]
    barrier = Barrier(4)
    failures: list[Exception] = []

    def work() -> None:
        connection = sqlite3.connect(path, timeout=20)
        barrier.wait()
        try:
            migrate(connection, steps)
        except Exception as error:  # noqa: BLE001 - handed to the test
            failures.append(error)
        connection.close()

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    connection = sqlite3.connect(path)
    assert version(connection) == 10
    assert [connection.execute(f"SELECT count(*) FROM t{n}").fetchone()[0] for n in range(10)] == [1] * 10
    connection.close()


def test_an_unfinished_statement_is_refused() -> None:
    assert list(statements("SELECT 1; -- over;\n SELECT ';' ;")) == ["SELECT 1;", "-- over;\n SELECT ';' ;"]
    with pytest.raises(LocalError):
        list(statements("SELECT 1; SELECT 'a"))
    with pytest.raises(LocalError):
        list(statements("CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;"))
