"""One line of the table, and the table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Row(NamedTuple):
    """One measurement. ``target`` bounds the ratio of ours to the floor, or our value where there is no floor."""

    name: str
    ours: float
    unit: str
    floor: float | None = None
    target: float | None = None
    better: str = "more"  # or "less"

    @property
    def ratio(self) -> float | None:
        return self.ours / self.floor if self.floor else None

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        measured = self.ours if self.ratio is None else self.ratio
        met = measured >= self.target if self.better == "more" else measured <= self.target
        return "met" if met else "MISSED"


def table(rows: Iterable[Row]) -> str:
    """The rows as aligned text."""
    lines = [("measured", "ours", "floor", "unit", "ratio", "target", "")]
    for row in rows:
        sign = ">=" if row.better == "more" else "<="
        lines.append(
            (
                row.name,
                f"{row.ours:,.4g}" if row.ours < 1000 else f"{row.ours:,.0f}",
                "" if row.floor is None else f"{row.floor:,.4g}" if row.floor < 1000 else f"{row.floor:,.0f}",
                row.unit,
                "" if row.ratio is None else f"{row.ratio:.2f}",
                "" if row.target is None else f"{sign} {row.target:g}",
                row.verdict,
            )
        )
    widths = [max(len(line[at]) for line in lines) for at in range(7)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
