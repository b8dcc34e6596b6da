"""Hundreds of small worlds, each from its seed: one order, nothing lost, nothing twice, nothing invented.

Run one again: python -m tests.world.test_worlds SEED
"""

from __future__ import annotations

import sys

import pytest

from tests.world.invariants import violations
from tests.world.script import Town

WORLDS = 500
CHUNK = 50


def outcome(seed: int, *, send_before_commit: bool = False) -> list[str]:
    """Play the world of ``seed``; what was wrong in the end."""
    town = Town(seed, send_before_commit=send_before_commit)
    if not town.play():
        return ["it never became quiet"]
    return violations(town)


def check(seeds: range) -> None:
    for seed in seeds:
        wrong = outcome(seed)
        assert not wrong, f"seed {seed}; again: python -m tests.world.test_worlds {seed}\n" + "\n".join(wrong)


@pytest.mark.parametrize("first", range(0, WORLDS, CHUNK))
def test_one_order_nothing_lost_nothing_twice(first: int) -> None:
    check(range(first, first + CHUNK))


if __name__ == "__main__":
    print("\n".join(outcome(int(sys.argv[1]))) or "nothing is wrong")
