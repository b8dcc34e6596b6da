"""Waiting: before something is tried again, and for what must not be broken off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

LEAST_SECONDS = 0.2
"""So long at least, however much hope there is."""


async def until(hope: asyncio.Event, seconds: float) -> None:
    """Wait for ``seconds``, or until ``hope`` is set."""
    await asyncio.sleep(min(LEAST_SECONDS, seconds))
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds - LEAST_SECONDS)):
            await hope.wait()


async def unbroken(work: Awaitable[T]) -> T:
    """Its result. Whoever is cancelled meanwhile goes on only once it is over: nothing is closed beneath it."""
    running = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if not running.done():
            await asyncio.wait([running])
        raise
