"""Bits of every field of a session turned over, one at a time, each on a link of its own; for any link."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from conclave.errors import RemoteError
from conclave.lab.fields import Span, flip, paint
from conclave.lab.judging import SETTLE_SECONDS, told
from conclave.lab.middle import Middle, Unit, Way, happens
from conclave.lab.story import Story

SAID = "pay cem 10"
_LONG_BYTES = 32
"""In a longer field a bit in the middle and one at the end are flipped, else one in the middle."""
ARRIVED = "the words arrived as they were said; it means nothing"


class Person(Protocol):
    """A peer on any link."""

    texts: list[str]
    met: list[str]

    async def dial(self, port: int, expected: str) -> bool:
        """Dial."""

    def say(self, *texts: str) -> None:
        """Speak."""

    async def heard(self, count: int) -> None:
        """Wait for the ``count``-th message."""

    @property
    def ended(self) -> bool:
        """Whether its link is over, or never was."""


class Wire(Protocol):
    """Two peers and the attacker between them."""

    @property
    def ayse(self) -> Person:
        """Who dials."""

    @property
    def burak(self) -> Person:
        """Who listens."""

    @property
    def middle(self) -> Middle:
        """Who is in between."""


class Open(Protocol):
    """A fresh wire."""

    def __call__(self, *, dial: bool) -> AbstractAsyncContextManager[Wire]:
        """With ``dial`` the link is open already, else nobody has dialled yet."""


async def _flipped(open_wire: Open, target: Unit | None, place: int, patience: float) -> tuple[bool, str]:
    """One link with one bit turned over on its way: whether anybody was fooled, and what came of it.

    After ``patience`` seconds without a byte the attacker hangs up: a length that he raised makes its reader wait for
    more. Raises ``RemoteError`` where the link did not come as far as ``target``.
    """
    hit = False

    def rule(unit: Unit) -> Iterable[bytes]:
        nonlocal hit
        if target is None or (unit.way, unit.number) != (target.way, target.number):
            return (unit.data,)
        hit = True
        return (flip(unit.data, place % len(unit.data)),)

    async with open_wire(dial=False) as wire:
        wire.middle.rule = rule
        ayse, burak = wire.ayse, wire.burak

        async def talk() -> None:
            if await ayse.dial(wire.middle.port, "burak"):
                ayse.say(SAID)

        def settled() -> bool:
            return bool(burak.texts) or burak.ended or ayse.ended

        async with asyncio.TaskGroup() as group:
            group.create_task(talk())
            passed = -1
            while passed < len(wire.middle.seen):
                passed = len(wire.middle.seen)
                await happens(lambda seen=passed: settled() or len(wire.middle.seen) > seen, patience)  # type: ignore[misc]
            if not settled():
                wire.middle.hang_up()
        await happens(lambda: bool(burak.texts) or burak.ended, patience)
        if target is not None and not hit:
            raise RemoteError(
                f"the link did not come as far as unit {target.number}, so that no bit of it was flipped"
            )
        wrong = burak.texts not in ([], [SAID]) or any(name != "burak" for name in ayse.met)
        if burak.texts == [SAID]:
            return wrong, ARRIVED
        if burak.texts:
            return wrong, f"was shown {told(burak.texts)}"
        if burak.met and ayse.met:
            return wrong, "the link ended, and nothing was shown"
        return wrong, "no link opened"


async def _patience(open_wire: Open) -> float:
    """How long a link that nobody touches takes here and now, twice over. Raises ``RemoteError``."""
    begun = time.monotonic()
    _, outcome = await _flipped(open_wire, None, 0, SETTLE_SECONDS)
    if outcome != ARRIVED:
        raise RemoteError(f"on a link that nobody touched: {outcome}")
    return 0.05 + 2 * (time.monotonic() - begun)


async def flip_everything(
    story: Story,
    open_wire: Open,
    spans: Callable[[Unit], Sequence[Span]],
    title: Callable[[Unit], str],
    stopped: str,
) -> None:
    """An attempt for each direction of a session, which is recorded first."""
    async with open_wire(dial=True) as wire:
        wire.ayse.say(SAID)
        await wire.burak.heard(1)
        session = list(wire.middle.seen)
    for way, who, victim in ((Way.THERE, "ayse", "burak"), (Way.BACK, "burak", "ayse")):
        with story.attempt(f"a bit of each field of what {who} sends") as attempt:
            fooled, count = False, 0
            patience = await _patience(open_wire)
            for unit in (one for one in session if one.way is way):
                outcomes: dict[str, list[str]] = defaultdict(list)
                for name, start, stop in spans(unit):
                    places = {stop - 1, (start + stop) // 2} if stop - start > _LONG_BYTES else {(start + stop) // 2}
                    for place in sorted(places):
                        wrong, outcome = await _flipped(open_wire, unit, place, patience)
                        fooled |= wrong
                        count += 1
                        if name not in outcomes[outcome]:
                            outcomes[outcome].append(name)
                attempt.did(f"flips bits in {title(unit)}", paint(unit.data, spans(unit)))
                for outcome, names in outcomes.items():
                    attempt.saw(victim, f"{', '.join(names)}: {outcome}")
            attempt.aside(f"{count} links, one flipped bit each")
            attempt.ends(succeeded=fooled, stopped=stopped)
