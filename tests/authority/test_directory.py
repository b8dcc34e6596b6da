from __future__ import annotations

import pytest

from conclave.authority.directory import look_up, search
from conclave.authority.presence import Roster
from conclave.authority.records import Account
from conclave.authority.settings import AuthoritySettings
from conclave.errors import LocalError, Refused
from conclave.pki.names import Device, Handle
from conclave.values import replace
from tests.authority.desk import Desk


@pytest.fixture
def people(desk: Desk) -> Desk:
    names = {"ayse": "Ayse Ak", "burak": "Burak", "cem": "Cem Burakhan", "deniz": "%_"}
    for handle, name in names.items():
        desk.store.decide(lambda t, h=handle, n=name: t.add_account(Account(Handle(h), n, 1.0))).result()  # type: ignore[misc]
    return desk


def found(
    desk: Desk, query: str, *, online: bool = False, roster: Roster | None = None, limit: int = 10
) -> list[str]:
    return [e.handle for e in search(desk.store.reads, roster or Roster(), query, online=online, limit=limit)]


def test_search(people: Desk) -> None:
    assert found(people, "") == ["ayse", "burak", "cem", "deniz"]
    assert found(people, "", limit=2) == ["ayse", "burak"]
    assert found(people, "bur") == ["burak", "cem"], "those whose handle starts so come first"
    assert found(people, "AK") == ["ayse", "burak", "cem"]
    assert found(people, "%") == ["deniz"], "no wildcards"
    assert found(people, "x' OR 1=1") == []
    with pytest.raises(Refused, match="at most 64"):
        found(people, "x" * 65)


def test_who_is_online(people: Desk) -> None:
    roster = Roster()
    for handle in ("cem", "burak"):
        roster.announce(Handle(handle), Device("d1"), 1, f"{handle}:1", 5.0)
    assert found(people, "", online=True, roster=roster) == ["burak", "cem"]
    assert found(people, "bur", online=True, roster=roster, limit=1) == ["burak"]
    entry = look_up(people.store.reads, roster, "cem")
    assert (entry.online, entry.address, entry.since, entry.name) == (True, "cem:1", 5.0, "Cem Burakhan")


def test_last_seen(people: Desk) -> None:
    account = people.store.reads.account("ayse")
    assert account is not None
    people.store.decide(lambda t: t.update_account(replace(account, seen=77.0))).result()
    entry = look_up(people.store.reads, Roster(), "ayse")
    assert (entry.online, entry.address, entry.since) == (False, "", 77.0)


@pytest.mark.parametrize("handle", ["eve", "x" * 40, "\x1b[2J"])
def test_nobody(people: Desk, handle: str) -> None:
    with pytest.raises(Refused) as caught:
        look_up(people.store.reads, Roster(), handle)
    assert caught.value.reason == "unknown-user"
    assert "\x1b" not in str(caught.value)


def test_settings_that_cannot_work() -> None:
    with pytest.raises(LocalError):
        AuthoritySettings(heartbeat=60, silence=30)
