from __future__ import annotations

from conclave.authority.presence import Roster, Sighting
from conclave.pki.names import Device, Handle

AYSE, LAPTOP, PHONE = Handle("ayse"), Device("d1"), Device("d2")


def test_login_move_and_logout() -> None:
    roster = Roster()
    came = roster.announce(AYSE, LAPTOP, 1, "192.0.2.1:7000", 10.0)
    assert came.sighting == Sighting(AYSE, online=True, address="192.0.2.1:7000", since=10.0)
    assert (came.login, came.moved, came.replaced) == (True, False, None)
    again = roster.announce(AYSE, LAPTOP, 1, "192.0.2.1:7000", 11.0)
    assert (again.sighting, again.login, again.moved) == (None, False, False)
    moved = roster.announce(AYSE, LAPTOP, 1, "192.0.2.1:7001", 12.0)
    assert (moved.login, moved.moved, moved.since) == (False, True, 10.0)
    assert [s.address for s in roster.everyone()] == ["192.0.2.1:7001"]
    assert roster.leave(AYSE, LAPTOP, 1, 20.0) == Sighting(AYSE, online=False, address="", since=20.0)
    assert roster.leave(AYSE, LAPTOP, 1, 21.0) is None
    assert roster.find(AYSE) is None


def test_online_while_any_device_is() -> None:
    roster = Roster()
    roster.announce(AYSE, LAPTOP, 1, "192.0.2.1:7000", 10.0)
    roster.announce(AYSE, PHONE, 2, "192.0.2.2:7000", 20.0)
    assert roster.find(AYSE) == Sighting(AYSE, online=True, address="192.0.2.2:7000", since=10.0)
    left = roster.leave(AYSE, PHONE, 2, 30.0)
    assert left == Sighting(AYSE, online=True, address="192.0.2.1:7000", since=10.0)


def test_a_second_connection_takes_the_place_of_the_first() -> None:
    roster = Roster()
    roster.announce(AYSE, LAPTOP, 1, "192.0.2.1:7000", 10.0)
    assert roster.announce(AYSE, LAPTOP, 2, "192.0.2.1:7000", 11.0).replaced == 1
    assert roster.leave(AYSE, LAPTOP, 1, 12.0) is None  # the old one's end takes nobody offline
    assert roster.find(AYSE) is not None
