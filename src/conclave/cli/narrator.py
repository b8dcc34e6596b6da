"""The demo's voice: what is typed, what came of it, what it proves, as wide as the terminal is.

Left out: what happens (``cli.stage``), and the story (``cli.demo``).
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap

from conclave.cli.context import note, say
from conclave.wire.safe_text import safe_text

WIDTH_MOST = 120
"""Columns that are used of a wide terminal; where there is none, ``WIDTH_ELSE``."""
WIDTH_ELSE = 100
MARGIN = "   "
TICK = f"{'':13}✓ "


class Narrator:
    """Tells what happens, and what it proves."""

    def __init__(self) -> None:
        self._step = 0
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def step(self, title: str) -> None:
        """A new chapter."""
        self._step += 1
        heading = f"{self._step}. {title}"
        say()
        sys.stdout.write(f"\x1b[1m{heading}\x1b[0m\n" if self._colour else heading + "\n")
        sys.stdout.flush()

    def typed(self, who: str, words: str) -> None:
        """What the person types."""
        _say(f"{MARGIN}{who:>9} $ ", f"conclave {words}")

    def does(self, text: str) -> None:
        """What happens to somebody's machine: nobody types that."""
        _say(f"{'':13}! ", text)

    def seen(self, text: str) -> None:
        """What came of it; checked before it is said."""
        _say(TICK, text)

    def means(self, text: str) -> None:
        """What it proves."""
        _say(MARGIN, text)

    def failed(self, text: str) -> None:
        """It did not happen."""
        note(f"{MARGIN}✗ {text}")


class Waiting:
    """One line on a terminal that tells what is waited for and since when; nothing elsewhere."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._shown = False

    def tick(self, seconds: float) -> None:
        """``seconds`` have passed."""
        if seconds >= 1 and sys.stderr.isatty():
            columns = shutil.get_terminal_size().columns
            text = safe_text(f"{'':13}… waiting: {self._what}, {seconds:.0f} s")[: columns - 1]
            sys.stderr.write(f"\r\x1b[2K{text}")
            sys.stderr.flush()
            self._shown = True

    def over(self) -> None:
        """Take the line back."""
        if self._shown:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


def _say(lead: str, text: str) -> None:
    width = min(shutil.get_terminal_size((WIDTH_ELSE, 24)).columns, WIDTH_MOST)
    for row in textwrap.wrap(
        safe_text(text), width, initial_indent=lead, subsequent_indent=" " * len(lead), break_on_hyphens=False
    ):
        say(row)
