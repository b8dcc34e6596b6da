"""Bytes on the wire, told apart: which stretch of a unit is what, so that a lesson can show and change it by name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from conclave.lab.story import Field


class Span(NamedTuple):
    """A field's name, and where it lies in its unit: ``start`` up to ``stop``."""

    name: str
    start: int
    stop: int


def cut_spans(*sizes: tuple[str, int], at: int = 0) -> list[Span]:
    """Spans of these names and sizes, one after the other from ``at``; empty ones are left out."""
    found = []
    for name, size in sizes:
        if size > 0:
            found.append(Span(name, at, at + size))
        at += size
    return found


def paint(data: bytes, spans: Sequence[Span], changed: Collection[int] = ()) -> tuple[Field, ...]:
    """The fields of ``data``; ``changed`` are the places of bytes that the attacker touched."""
    return tuple(
        Field(name, data[start:stop], any(start <= place < stop for place in changed)) for name, start, stop in spans
    )


def flip(data: bytes, place: int, bit: int = 0) -> bytes:
    """``data`` with one bit turned over."""
    return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
