"""Token buckets: how often an address, an account or an invite's token may ask. Time is handed in.

A bucket holds ``burst`` and refills at ``per_second``; each request takes one. The number of buckets is bounded: the
one that was used longest ago is forgotten, which at worst gives a stranger a fresh burst. Left out: what is counted.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from conclave.errors import Refused, UsageError
from conclave.values import dataclass

BUCKETS = 20_000
"""Most buckets of one kind (about 3 MB)."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``burst`` requests at once, ``per_second`` in the long run."""

    burst: int
    per_second: float

    def __post_init__(self) -> None:
        if self.burst < 1 or self.per_second <= 0:
            raise UsageError("a rate must let something through", remedy="use a burst of at least 1")


class TooMany(Refused):
    """Asked too often; ``wait`` is when the next request will be let through (whole seconds, at least 1)."""

    def __init__(self, what: str, wait: float) -> None:
        self.wait = max(1, math.ceil(wait))
        super().__init__(
            f"too many {what}", reason="too-many-requests", remedy=f"wait {self.wait} seconds, then ask again"
        )


class Buckets:
    """Buckets of one rate; ``what`` is how a refusal calls the requests."""

    __slots__ = ("_buckets", "_most", "_rate", "_what")

    def __init__(self, what: str, rate: Rate, most: int = BUCKETS) -> None:
        self._what = what
        self._rate = rate
        self._most = most
        self._buckets: OrderedDict[str | bytes, tuple[float, float]] = OrderedDict()

    def take(self, key: str | bytes, now: float) -> None:
        """Let one request through. Raises ``TooMany``."""
        level, since = self._buckets.pop(key, (float(self._rate.burst), now))
        level = min(float(self._rate.burst), level + max(0.0, now - since) * self._rate.per_second)
        refused = level < 1
        self._buckets[key] = (level if refused else level - 1, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        if refused:
            raise TooMany(self._what, (1 - level) / self._rate.per_second)

    def give_back(self, key: str | bytes) -> None:
        """Undo one ``take``: the request turned out to be none that is limited."""
        level, since = self._buckets.get(key, (0.0, 0.0))
        if since:
            self._buckets[key] = (min(float(self._rate.burst), level + 1), since)


def origin_of(address: str) -> str:
    """What an address counts as: an IPv6 address as its /64, which is what one customer of a network holds."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(known, IPv6Address):
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return known.packed[:8].hex()
