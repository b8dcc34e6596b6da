from __future__ import annotations

import pytest

from conclave.authority.limits import Buckets, Rate, TooMany, origin_of
from conclave.errors import LocalError


def test_a_burst_then_the_rate() -> None:
    buckets = Buckets("requests", Rate(burst=3, per_second=0.5))
    for _ in range(3):
        buckets.take("a", 100.0)
    with pytest.raises(TooMany) as refused:
        buckets.take("a", 100.0)
    assert (refused.value.wait, refused.value.reason) == (2, "too-many-requests")
    assert "2 seconds" in refused.value.remedy
    buckets.take("b", 100.0)  # others are not held up
    buckets.take("a", 102.0)
    with pytest.raises(TooMany):
        buckets.take("a", 102.0)


def test_never_more_than_the_burst() -> None:
    buckets = Buckets("requests", Rate(burst=2, per_second=1))
    buckets.take("a", 0.0)
    for _ in range(2):
        buckets.take("a", 1e6)
    with pytest.raises(TooMany):
        buckets.take("a", 1e6)


def test_a_clock_that_steps_back_gives_nothing() -> None:
    buckets = Buckets("requests", Rate(burst=1, per_second=1))
    buckets.take("a", 1000.0)
    with pytest.raises(TooMany):
        buckets.take("a", 10.0)


def test_what_is_given_back_can_be_taken() -> None:
    buckets = Buckets("passwords", Rate(burst=1, per_second=0.001))
    buckets.take("a", 5.0)
    buckets.give_back("a")
    buckets.give_back("a")
    buckets.take("a", 5.0)
    with pytest.raises(TooMany):
        buckets.take("a", 5.0)
    buckets.give_back("unknown")


def test_the_number_of_buckets_is_bounded() -> None:
    buckets = Buckets("requests", Rate(burst=1, per_second=0.001), most=10)
    for n in range(100):
        buckets.take(str(n), 0.0)
    with pytest.raises(TooMany):
        buckets.take("99", 0.0)
    buckets.take("0", 0.0)  # forgotten


def test_a_rate_lets_something_through() -> None:
    with pytest.raises(LocalError):
        Rate(0, 1)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2", True),
        ("unix", "unix", True),
    ],
)
def test_what_an_address_counts_as(one: str, other: str, same: bool) -> None:
    assert (origin_of(one) == origin_of(other)) is same
