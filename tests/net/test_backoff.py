"""Delays double up to a bound, with jitter, and start anew after a success."""

from __future__ import annotations

from conclave.net.backoff import Backoff


def test_delays_double_up_to_the_most() -> None:
    backoff = Backoff(lambda: 1.0, first=0.5, most=4.0)
    assert [backoff.delay() for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    backoff.reset()
    assert backoff.delay() == 0.5


def test_jitter_takes_at_most_half() -> None:
    rolls = iter([0.0, 0.5, 0.25])
    backoff = Backoff(lambda: next(rolls), first=1.0, most=1.0)
    assert [backoff.delay() for _ in range(3)] == [0.5, 0.75, 0.625]
