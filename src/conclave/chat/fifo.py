"""An immutable queue: ``push`` and ``pop`` take the same time however long it is (Okasaki's two-list queue)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from conclave.values import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fifo(Generic[T]):
    """First in, first out; never changed in place. Make it with ``Fifo()``."""

    _front: tuple[T, ...] = ()
    _at: int = 0
    _back: Any = None  # (newest, (next newest, (... None)))
    _waiting: int = 0  # how many stand in _back

    def __len__(self) -> int:
        return len(self._front) - self._at + self._waiting

    def __iter__(self) -> Iterator[T]:
        yield from self._front[self._at :]
        yield from self._behind()

    def _behind(self) -> tuple[T, ...]:
        items: list[T] = []
        cell = self._back
        while cell is not None:
            items.append(cell[0])
            cell = cell[1]
        return tuple(reversed(items))

    def push(self, item: T) -> Fifo[T]:
        """This queue with ``item`` at its end."""
        return Fifo(self._front, self._at, (item, self._back), self._waiting + 1)

    def last(self) -> T | None:
        """The item that was pushed last, or None where there is none."""
        if self._back is not None:
            return self._back[0]  # type: ignore[no-any-return]
        return self._front[-1] if self._at < len(self._front) else None

    def peek(self) -> T | None:
        """The first item of a settled queue, or None where there is none."""
        return self._front[self._at] if self._at < len(self._front) else None

    def settled(self) -> Fifo[T]:
        """The same queue, with what was pushed brought to the front if the front is used up."""
        return Fifo(self._behind()) if self._waiting and self._at >= len(self._front) else self

    def pop(self) -> Fifo[T]:
        """This queue without its first item, which must be there."""
        front, at, back, waiting = self._front, self._at, self._back, self._waiting
        if at >= len(front):
            front, at, back, waiting = self._behind(), 0, None, 0
        return Fifo(front, at + 1, back, waiting)
