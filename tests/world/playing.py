"""Worlds are played to their ends, and what was wrong in them is told, with how to play one again."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.world.conftest import ROUNDS
from tests.world.invariants import violations
from tests.world.script import Town
from tests.world.standin import standing_in


def play(town: Town, rounds: list[int] | None) -> list[str]:
    """What was wrong in the end. ``rounds`` takes how many it needed to heal."""
    if not town.play():
        return ["it never became quiet"]
    if rounds is not None:
        rounds.append(town.rounds)
    return violations(town)


def check_all(
    seeds: range,
    outcome: Callable[[int, list[int]], list[str]],
    module: str,
    record_property: Callable[[str, object], None],
) -> None:
    """Play a world for each seed, by ``outcome`` of ``module``; the whole run prints the rounds: see ``conftest``."""
    rounds: list[int] = []
    for seed in seeds:
        wrong = outcome(seed, rounds)
        assert not wrong, f"seed {seed}; again: python -m {module} {seed}\n" + "\n".join(wrong)
    record_property(ROUNDS, rounds)


class Family:
    """Worlds of one ``kind`` of town, with a stand-in for the signatures, that ``module`` plays by their seeds."""

    def __init__(self, kind: Callable[..., Town], module: str) -> None:
        self._kind = kind
        self._module = module

    def outcome(self, seed: int, rounds: list[int] | None = None) -> list[str]:
        """Play the world of ``seed``; what was wrong in the end. ``rounds`` takes how many it needed to heal."""
        with standing_in() as suite:
            return play(self._kind(seed, suite=suite), rounds)

    def check(self, seeds: range, record_property: Callable[[str, object], None]) -> None:
        """Play a world for each seed: nothing is wrong in any."""
        check_all(seeds, self.outcome, self._module, record_property)

    def by_hand(self) -> None:
        """Play the world of the seed that was typed, and say what is wrong."""
        print("\n".join(self.outcome(int(sys.argv[1]))) or "nothing is wrong")  # noqa: T201 - it is run by hand
