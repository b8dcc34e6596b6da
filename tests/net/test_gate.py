"""Half-open connections are counted per address and in all, and forgotten when they end."""

from __future__ import annotations

from conclave.link.limits import LinkLimits
from conclave.net.gate import Gate


def test_one_address_does_not_take_all_places() -> None:
    gate = Gate(LinkLimits(half_open_per_address=2, half_open=3))
    assert [gate.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert [gate.enter(f"192.0.2.{n}") for n in (2, 3)] == [True, False]
    gate.leave("192.0.2.1")
    assert gate.enter("192.0.2.3")
    assert gate.standing == 3


def test_addresses_that_one_host_can_choose_count_as_one() -> None:
    gate = Gate(LinkLimits(half_open_per_address=1))
    assert gate.enter("2001:db8::1")
    assert not gate.enter("2001:db8::2")
    assert gate.enter("2001:db8:0:1::1")
    assert gate.enter("192.0.2.1")
    assert not gate.enter("::ffff:192.0.2.1")
    assert gate.enter("fe80::1%eth0")
    assert not gate.enter("fe80::2%eth1")
    assert gate.enter("a socket without an address")


def test_nothing_is_remembered_of_those_who_left() -> None:
    gate = Gate(LinkLimits())
    for address in ("192.0.2.1", "2001:db8::1", "192.0.2.1"):
        assert gate.enter(address)
    for address in ("192.0.2.1", "2001:db8::1", "192.0.2.1"):
        gate.leave(address)
    assert gate.standing == 0
    assert not gate._per_origin
