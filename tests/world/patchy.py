"""Patchy worlds: rough ones (``rough``) in which one reaches another, and not whom that one reaches.

So it is with people behind home routers. It lasts for minutes, so that who waits for others may give up.
"""

from __future__ import annotations

import itertools

from tests.world.rough import RoughTown


class PatchyTown(RoughTown):
    """A town with pairs who do not reach each other: ``apart``."""

    chaos = 300.0

    def __init__(self, seed: int, *, suite: int) -> None:
        self.apart: frozenset[frozenset[str]] = frozenset()
        super().__init__(seed, suite=suite)

    def reaches(self, one: str, other: str) -> bool:
        return super().reaches(one, other) and frozenset((one, other)) not in self.apart

    def heal(self) -> None:
        self.apart = frozenset()
        super().heal()

    def _misfortune(self) -> None:
        draw = self.random
        if draw.random() < 0.4:
            super()._misfortune()
            return
        at = 0.0
        for _ in range(3):
            self.later(at, self._block)
            at += draw.uniform(10.0, 120.0)

    def _block(self) -> None:
        if not self.healed:
            draw, pairs = self.random, itertools.combinations(sorted(self.nodes), 2)
            share = draw.choice((0.2, 0.4, 0.6))
            self.apart = frozenset(frozenset(pair) for pair in pairs if draw.random() < share)
            self.reach_changed()
