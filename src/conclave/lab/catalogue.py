"""All lessons, and how one is given."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from conclave.errors import ConclaveError, UsageError
from conclave.lab import (
    classic_bytes,
    classic_identity,
    classic_lobby,
    classic_oracle,
    classic_secrets,
    classic_stream,
    tls_bytes,
    tls_identity,
    tls_lobby,
    tls_relay,
    tls_secrets,
    tls_stream,
)
from conclave.lab.lesson import Lesson
from conclave.lab.scene import Scene
from conclave.lab.story import LinkKind, Story
from conclave.values import dataclass

_TAUGHT = (
    tls_stream, tls_bytes, tls_identity, tls_relay, tls_lobby, tls_secrets,
    classic_stream, classic_bytes, classic_identity, classic_lobby, classic_secrets, classic_oracle,
)  # fmt: skip
_ORDER = (
    "replay", "reorder", "drop", "truncate", "flip", "splice", "reflect", "exhaust", "impostor", "relay", "downgrade",
    "liar", "leader", "later", "oracle", "iv", "strength",
)  # fmt: skip
LESSONS: tuple[Lesson, ...] = tuple(
    sorted(
        (lesson for home in _TAUGHT for lesson in home.LESSONS), key=lambda one: (_ORDER.index(one.name), one.link)
    )
)
"""In the order in which they are taught: each on the classic link, then the same attack on the default one."""
LESSON_SECONDS = 60.0
"""How long one lesson may take; they take about half a second."""


@dataclass(frozen=True, slots=True)
class Given:
    """A lesson that was given, and how long it took (seconds)."""

    lesson: Lesson
    story: Story
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "lesson": self.lesson.name,
            "link": self.lesson.link,
            "title": self.lesson.title,
            "teaches": self.lesson.teaches,
            "verdict": self.story.verdict,
            "good": self.story.verdict.good,
            "trouble": self.story.trouble,
            "seconds": round(self.seconds, 3),
            "attempts": [attempt.as_json() for attempt in self.story.attempts],
        }


def choose(name: str, links: frozenset[LinkKind]) -> list[Lesson]:
    """The lessons of that name, or ``all``, on these links. Raises ``LocalError`` where there is none."""
    named = [lesson for lesson in LESSONS if name in ("all", lesson.name)]
    chosen = [lesson for lesson in named if lesson.link in links]
    if not chosen:
        known = ", ".join(dict.fromkeys(lesson.name for lesson in LESSONS))
        where = " and ".join(lesson.link for lesson in named)
        raise UsageError(
            f"the lesson {name!r} is there for {where} only" if named else f"there is no lesson {name!r}",
            remedy=f"conclave lab run {name} --link {where}" if named else f"one of: {known}, or all",
        )
    return chosen


async def give(lesson: Lesson, scene: Scene) -> Given:
    """Give one lesson. Whatever goes wrong in it is part of its story, and no good verdict."""
    begun = time.monotonic()
    try:
        async with asyncio.timeout(LESSON_SECONDS):
            await lesson.give(scene)
    except TimeoutError:
        scene.story.trouble = "something that should have happened did not happen in time"
    except ConclaveError as error:
        scene.story.trouble = str(error)
    return Given(lesson, scene.story, time.monotonic() - begun)
