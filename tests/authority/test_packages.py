"""Key packages: each given once, whoever asks at the same time, and never those of somebody who is out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conclave.authority.members import Member
from conclave.authority.packages import PACKAGE_BYTES, STOCK_MOST, Taken, peek, publish, take
from conclave.authority.revocation import resume, revoke, suspend
from conclave.authority.settings import AuthoritySettings
from conclave.errors import Refused
from conclave.pki.names import Handle
from conclave.pki.policy import DAY
from conclave.pki.revocation import Reason
from conclave.store.authority import AuthorityStore
from tests.authority.desk import CONSOLE, HERE, Desk, join
from tests.pki.ward import NOW

AYSE, BURAK = Handle("ayse"), Handle("burak")


def put(desk: Desk, who: Member, packages: list[bytes], last: bytes = b"", *, replace: bool = False) -> int:
    return publish(desk.store, who, packages, last, NOW, HERE, replace=replace).result()


def got(desk: Desk, who: Member, owner: str = "ayse", *, single: bool = True) -> Taken:
    return take(desk.store, who, owner, single=single).result()


def refused(reason: str, call: object) -> None:
    with pytest.raises(Refused) as caught:
        call()  # type: ignore[operator]
    assert caught.value.reason == reason
    assert caught.value.remedy


def test_the_oldest_first_each_once_then_the_last_one_for_ever(desk: Desk) -> None:
    ayse, burak = join(desk, "ayse"), join(desk, "burak")
    refused("no-package", lambda: got(desk, burak))
    assert put(desk, ayse, [b"one", b"two"], b"last") == 2
    assert peek(desk.store.reads, "ayse") == b"last"
    assert got(desk, burak, single=False) == Taken(AYSE, b"last", last=True, left=2)
    assert got(desk, burak) == Taken(AYSE, b"one", last=False, left=1)
    assert got(desk, burak) == Taken(AYSE, b"two", last=False, left=0)
    for _ in range(3):
        assert got(desk, burak) == Taken(AYSE, b"last", last=True, left=0)
    assert peek(desk.store.reads, "ayse") == b"last"


def test_what_was_taken_is_never_stocked_again(desk: Desk) -> None:
    """A device whose answer was lost publishes the same again; nobody may get what somebody has."""
    ayse, burak = join(desk, "ayse"), join(desk, "burak")
    put(desk, ayse, [b"one", b"two"], b"last")
    got(desk, burak)
    for replace in (False, True):
        assert put(desk, ayse, [b"one", b"two"], b"last", replace=replace) == 1
    assert got(desk, burak).data == b"two"
    assert put(desk, ayse, [b"one", b"two"]) == 0


def test_replacing_drops_what_was_there(desk: Desk) -> None:
    ayse, burak = join(desk, "ayse"), join(desk, "burak")
    put(desk, ayse, [b"old"], b"old last")
    assert put(desk, ayse, [b"new"], b"new last", replace=True) == 1
    assert (got(desk, burak).data, got(desk, burak).data) == (b"new", b"new last")
    assert put(desk, ayse, [], b"newest last") == 0
    assert peek(desk.store.reads, "ayse") == b"newest last"


def test_bounds(desk: Desk) -> None:
    ayse = join(desk, "ayse")
    many = [b"%d" % n for n in range(STOCK_MOST)]
    assert put(desk, ayse, many, b"x" * PACKAGE_BYTES) == STOCK_MOST
    assert put(desk, ayse, many) == STOCK_MOST
    refused("stock-full", lambda: put(desk, ayse, [b"one more"], b"another last"))
    assert peek(desk.store.reads, "ayse") == b"x" * PACKAGE_BYTES, "all of it or nothing"
    assert put(desk, ayse, [b"y" * PACKAGE_BYTES], replace=True) == 1
    for packages, last in (([b""], b""), ([b"x" * (PACKAGE_BYTES + 1)], b""), ([], b"x" * (PACKAGE_BYTES + 1))):
        refused("package-size", lambda p=packages, la=last: put(desk, ayse, p, la))


def test_who_is_out_gets_and_gives_none(desk: Desk) -> None:
    ayse, burak = join(desk, "ayse"), join(desk, "burak")
    put(desk, ayse, [b"one"], b"last")
    refused("unknown-user", lambda: got(desk, burak, "cem"))
    refused("unknown-user", lambda: peek(desk.store.reads, "x" * 100))
    suspend(desk.store, AYSE, "on leave", NOW, CONSOLE).result()
    refused("expelled-user", lambda: got(desk, burak))
    refused("expelled-user", lambda: peek(desk.store.reads, "ayse"))
    refused("suspended", lambda: put(desk, ayse, [b"two"]))
    resume(desk.store, AYSE, NOW, CONSOLE).result()
    suspend(desk.store, BURAK, "", NOW, CONSOLE).result()
    refused("suspended", lambda: got(desk, burak))
    assert desk.store.reads.stock("ayse") == 1


def test_what_a_revoked_device_published_is_gone(desk: Desk) -> None:
    """Else somebody would be added by keys that nobody has, or that a thief has."""
    ayse, burak = join(desk, "ayse"), join(desk, "burak")
    put(desk, ayse, [b"one"], b"last")
    revoke(desk.store, "ayse", Reason.key_compromise, NOW, CONSOLE).result()
    refused("expelled-user", lambda: got(desk, burak))
    again = join(desk, "ayse", now=NOW + 1)
    refused("no-package", lambda: got(desk, burak))
    assert put(desk, again, [b"new"], b"new last") == 1
    revoke(desk.store, "ayse/d1", Reason.superseded, NOW + 2, CONSOLE).exception()
    assert got(desk, burak).data == b"new"


def test_who_is_away_for_long_is_not_out(desk: Desk) -> None:
    ayse = join(desk, "ayse")
    put(desk, ayse, [b"one"], b"last")
    assert not desk.store.reads.is_expelled("ayse")
    later = join(desk, "burak", now=NOW + 20 * DAY)
    assert got(desk, later).data == b"one"
    assert not desk.store.reads.is_expelled("nobody")


def test_old_ones_are_dropped(desk: Desk) -> None:
    ayse = join(desk, "ayse")
    put(desk, ayse, [b"one"], b"last")
    age = AuthoritySettings().package_seconds
    assert not desk.store.reads.has_expired(0, NOW - 1)
    assert desk.store.reads.has_expired(0, NOW + age - age)
    desk.store.decide(lambda t: t.purge(0, NOW, 10)).result()
    assert (desk.store.reads.stock("ayse"), desk.store.reads.last_package("ayse")) == (0, None)


def test_fifty_take_at_once_and_none_gets_anothers(desk: Desk, tmp_path: Path) -> None:
    """Two servers on one file, even."""
    ayse, burak = join(desk, "ayse"), join(desk, "burak")
    put(desk, ayse, [b"%d" % n for n in range(50)], b"last")
    other = AuthorityStore(tmp_path / "authority.db")
    try:
        with ThreadPoolExecutor(10) as threads:
            stores = [desk.store, other] * 30
            taken = list(threads.map(lambda store: take(store, burak, "ayse", single=True).result(), stores))
    finally:
        other.close()
    single = [each.data for each in taken if not each.last]
    assert len(single) == len(set(single)) == 50
    assert sum(each.last for each in taken) == 10


def test_the_log_tells_how_many_and_never_what(desk: Desk) -> None:
    ayse = join(desk, "ayse")
    put(desk, ayse, [b"secret one"], b"secret last", replace=True)
    rows = [row for row in desk.store.reads.audit(0, 100) if row.action == "packages"]
    assert [(row.who, row.what, row.outcome) for row in rows] == [
        ("ayse", "d1: 1 and a last one, replacing", "done"),
    ]
