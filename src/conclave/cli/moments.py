"""When a line was said, as people read it: by its author's clock, and when it came here where that differs.

What was said while we were away keeps the time at which it was said. An author's clock is the author's word, so a
time of ours stands beside one that is more than a minute off. Left out: what else is shown of a line (``cli.talk``).
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

LATE_SECONDS = 60.0
"""Where a line came so much later or earlier than its author says, both times are shown."""
AHEAD_SECONDS = 3600.0
"""A time so far in the future is shown with its date."""


def moment(at: float, now: float | None = None) -> str:
    """``26.11. 03:48``; with the year where that is another than now."""
    when, today = _both(at, now)
    return f"{when:%d.%m. %H:%M}" if when.year == today.year else f"{when:%d.%m.%Y %H:%M}"


def dated(at: float, *, seconds: bool = True) -> str:
    """``2026-11-26 03:48:21``, for what is looked up later; ``-`` for never."""
    when = datetime.fromtimestamp(at).astimezone()
    return "-" if not at else f"{when:%Y-%m-%d %H:%M:%S}" if seconds else f"{when:%Y-%m-%d %H:%M}"


def clock(at: float, now: float | None = None) -> str:
    """``03:48``; with the date where that is not today's, or the time is an hour or more in the future."""
    when, today = _both(at, now)
    plain = when.date() == today.date() and (when - today).total_seconds() < AHEAD_SECONDS
    return f"{when:%H:%M}" if plain else moment(at, now)


def arrived(line: dict[str, Any]) -> str:
    """``arrived 03:51`` of a line that came at another time than it was said; else nothing."""
    sent, stored = line["sent"], line["stored"]
    if abs(stored - sent) <= LATE_SECONDS:
        return ""
    said, came = _both(sent, stored)
    return f"arrived {came:%H:%M}" if said.date() == came.date() else f"arrived {moment(stored)}"


def _both(at: float, now: float | None) -> tuple[datetime, datetime]:
    return (
        datetime.fromtimestamp(at).astimezone(),
        datetime.fromtimestamp(time.time() if now is None else now).astimezone(),
    )
