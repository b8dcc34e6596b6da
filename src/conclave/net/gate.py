"""How many strangers may stand in the door: connections that are not open links yet, per address and in all.

An IPv6 address counts as its /64, which is what one customer of a network commonly holds. Left out: how long they
may stand there (``handshake_seconds``), which the link watches itself.
"""

from __future__ import annotations

from collections import Counter

from conclave.authority.limits import origin_of
from conclave.link.limits import LinkLimits


class Gate:
    """Counts who is half-open."""

    __slots__ = ("_limits", "_per_origin", "_total")

    def __init__(self, limits: LinkLimits) -> None:
        self._limits = limits
        self._per_origin: Counter[str] = Counter()
        self._total = 0

    @property
    def standing(self) -> int:
        """Half-open connections now."""
        return self._total

    def enter(self, address: str) -> bool:
        """Let one more in, or say no."""
        origin = origin_of(address)
        if self._total >= self._limits.half_open or self._per_origin[origin] >= self._limits.half_open_per_address:
            return False
        self._total += 1
        self._per_origin[origin] += 1
        return True

    def leave(self, address: str) -> None:
        """One that was let in is an open link now, or gone."""
        origin = origin_of(address)
        self._total -= 1
        self._per_origin[origin] -= 1
        if self._per_origin[origin] <= 0:
            del self._per_origin[origin]
