"""Prints how long the worlds of a run took to be one again."""

from __future__ import annotations

from collections import Counter
from typing import Any

ROUNDS = "rounds to heal"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many worlds needed how many rounds."""
    found = Counter(
        rounds
        for report in terminalreporter.stats.get("passed", ())
        for name, value in report.user_properties
        if name == ROUNDS
        for rounds in value
    )
    if found:
        total = found.total()
        terminalreporter.write_sep("-", f"rounds until {total} worlds were one again")
        for rounds, count in sorted(found.items()):
            terminalreporter.write_line(f"{rounds:4}  {count:6}  {count / total:6.1%}")
