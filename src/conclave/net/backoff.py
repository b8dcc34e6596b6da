"""How long to wait before dialling again, with some chance. Left out: waiting."""

from __future__ import annotations

import secrets
from collections.abc import Callable


def chance() -> float:
    """A number from 0 up to 1, so that not everybody does the same at once."""
    return secrets.randbelow(1 << 30) / (1 << 30)


class Backoff:
    """Doubling delays with jitter, so that a crowd that lost the same peer does not return as one.

    ``first`` and ``most`` bound the delay (seconds); ``random`` gives floats from 0 up to 1. Each delay lies between
    half and the whole of its step: never at once, never in lockstep.
    """

    __slots__ = ("_first", "_most", "_random", "_step")

    def __init__(self, random: Callable[[], float], *, first: float = 0.5, most: float = 60.0) -> None:
        self._random = random
        self._first = first
        self._most = most
        self._step = first

    def delay(self) -> float:
        """Seconds to wait before the next attempt; each call is one more failure."""
        step = self._step
        self._step = min(step * 2, self._most)
        return step * (0.5 + 0.5 * self._random())

    def reset(self) -> None:
        """An attempt succeeded."""
        self._step = self._first
