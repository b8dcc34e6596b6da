"""A pause before something is tried again, which ends early when there is reason to hope."""

from __future__ import annotations

import asyncio
from contextlib import suppress

LEAST_SECONDS = 0.2
"""So long at least, however much hope there is."""


async def until(hope: asyncio.Event, seconds: float) -> None:
    """Wait for ``seconds``, or until ``hope`` is set."""
    await asyncio.sleep(min(LEAST_SECONDS, seconds))
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds - LEAST_SECONDS)):
            await hope.wait()
