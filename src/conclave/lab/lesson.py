"""A lesson: which attack on which link, what it teaches, and how it is given (``lab.story`` has what comes of it)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from conclave.lab.scene import Scene
from conclave.lab.story import LinkKind
from conclave.values import dataclass


@dataclass(frozen=True, slots=True)
class Lesson:
    """One attack on one link. Lessons of both links that show the same attack have the same name."""

    name: str
    title: str
    link: LinkKind
    teaches: str
    give: Callable[[Scene], Awaitable[None]]
    falls: bool = False
    """Whether the link falls here, wholly or in part, as its known weakness."""
