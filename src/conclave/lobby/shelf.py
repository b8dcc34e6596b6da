"""An immutable map that is cheap to change: ``put`` copies one bin of it, not the whole.

The cores keep their state in values that never change, so that a step whose commit failed can be dropped. With
thousands of conversations a plain dictionary would be copied whole for every message; here it is one in 64 bins.
Iteration follows a checksum of the key, so it is the same in every process. Left out: anything but text and bytes
as keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Generic, TypeVar
from zlib import crc32

K = TypeVar("K", str, bytes)
V = TypeVar("V")

BINS = 64
_EMPTY: tuple[dict[str, object], ...] = ({},) * BINS


@lru_cache(1 << 14)
def _bin(key: str | bytes) -> int:
    return crc32(key.encode() if isinstance(key, str) else key) % BINS


class Shelf(Generic[K, V]):
    """A map from text or bytes to values. Never changed in place."""

    __slots__ = ("_bins", "_size")

    def __init__(self) -> None:
        self._bins: tuple[dict[K, V], ...] = _EMPTY  # type: ignore[assignment]
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __contains__(self, key: K) -> bool:
        return key in self._bins[_bin(key)]

    def __iter__(self) -> Iterator[K]:
        return chain.from_iterable(filter(None, self._bins))  # most are empty

    def items(self) -> Iterator[tuple[K, V]]:
        """Every key with its value."""
        return chain.from_iterable(map(dict.items, filter(None, self._bins)))

    def values(self) -> Iterator[V]:
        """Every value."""
        return chain.from_iterable(map(dict.values, filter(None, self._bins)))

    def get(self, key: K) -> V | None:
        """The value under ``key``, or None."""
        return self._bins[_bin(key)].get(key)

    def put(self, key: K, value: V) -> Shelf[K, V]:
        """This map with ``value`` under ``key``."""
        number = _bin(key)
        old = self._bins[number]
        return self._with(number, {**old, key: value}, self._size + (key not in old))

    def update(self, changed: Mapping[K, V]) -> Shelf[K, V]:
        """This map with all of ``changed`` in it."""
        if not changed:
            return self
        bins = list(self._bins)
        fresh: set[int] = set()
        for key, value in changed.items():
            number = _bin(key)
            if number not in fresh:
                fresh.add(number)
                bins[number] = dict(bins[number])
            bins[number][key] = value
        new: Shelf[K, V] = Shelf()
        new._bins, new._size = tuple(bins), self._size + sum(len(bins[one]) - len(self._bins[one]) for one in fresh)
        return new

    def drop(self, key: K) -> Shelf[K, V]:
        """This map without ``key``, which need not be there."""
        number = _bin(key)
        old = self._bins[number]
        if key not in old:
            return self
        return self._with(number, {k: v for k, v in old.items() if k != key}, self._size - 1)

    def _with(self, number: int, changed: dict[K, V], size: int) -> Shelf[K, V]:
        new: Shelf[K, V] = Shelf()
        bins = list(self._bins)
        bins[number] = changed
        new._bins = tuple(bins)
        new._size = size
        return new


class Draft(Generic[K, V]):
    """A shelf under way: changed in place over a shelf that stays as it is, and a new one of both once it is done."""

    __slots__ = ("_before", "_now")

    def __init__(self, shelf: Shelf[K, V]) -> None:
        self._before: Shelf[K, V] = shelf
        self._now: dict[K, V | None] = {}  # of what changed; None: dropped

    def get(self, key: K) -> V | None:
        """The value under ``key``, or None."""
        now = self._now
        return now[key] if key in now else self._before.get(key)

    def put(self, key: K, value: V) -> None:
        """``value`` is under ``key`` from now on."""
        self._now[key] = value

    def drop(self, key: K) -> None:
        """Nothing is under ``key`` from now on."""
        if self.get(key) is not None:
            self._now[key] = None

    def changes(self) -> list[tuple[K, V | None, V | None]]:
        """The keys that were put or dropped, what was under each before, and what is now."""
        return [(key, self._before.get(key), now) for key, now in self._now.items()]

    def done(self) -> Shelf[K, V]:
        """The shelf as it is now: the very one it was where nothing changed."""
        if not self._now:
            return self._before
        shelf = self._before.update({key: now for key, now in self._now.items() if now is not None})
        for key in (key for key, now in self._now.items() if now is None):
            shelf = shelf.drop(key)
        return shelf
