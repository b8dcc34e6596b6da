"""Worlds are played to their ends, and what was wrong in them is told, with how to play one again."""

from __future__ import annotations

from collections.abc import Callable

from tests.world.conftest import ROUNDS
from tests.world.invariants import violations
from tests.world.script import Town


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
