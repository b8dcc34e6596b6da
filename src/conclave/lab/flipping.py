"""Bits of every field of a session turned over, one at a time, each on a link of its own; for any link."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from conclave.lab.fields import Span, flip, paint
from conclave.lab.lesson import Story
from conclave.lab.middle import Middle, Unit, Way, happens

SAID = "pay cem 10"
_STALL_SECONDS = 0.15
"""After this long without a word the attacker hangs up: a length that he raised makes its reader wait for more."""


class Person(Protocol):
    """A peer on any link."""

    texts: list[str]
    met: list[str]

    async def dial(self, port: int, expected: str) -> bool:
        """Dial."""

    def say(self, *texts: str) -> None:
        """Speak."""

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


Open = Callable[[], AbstractAsyncContextManager[Wire]]
"""A fresh wire on which nobody has dialled yet."""


async def _flipped(open_wire: Open, target: Unit, place: int) -> tuple[bool, str]:
    """One link with one bit turned over on its way: whether anybody was fooled, and what came of it."""

    def rule(unit: Unit) -> Iterable[bytes]:
        hit = (unit.way, unit.number) == (target.way, target.number)
        return (flip(unit.data, place % len(unit.data)) if hit else unit.data,)

    async with open_wire() as wire:
        wire.middle.rule = rule
        ayse, burak = wire.ayse, wire.burak

        async def talk() -> None:
            if await ayse.dial(wire.middle.port, "burak"):
                ayse.say(SAID)

        def settled() -> bool:
            return bool(burak.texts) or burak.ended or ayse.ended

        async with asyncio.TaskGroup() as group:
            group.create_task(talk())
            if not await happens(settled, _STALL_SECONDS):
                wire.middle.hang_up()
        await happens(lambda: bool(burak.texts) or burak.ended, _STALL_SECONDS)
        wrong = burak.texts not in ([], [SAID]) or any(name != "burak" for name in ayse.met)
        if burak.texts == [SAID]:
            return wrong, "means nothing: the words arrived as they were said"
        if burak.texts:
            return wrong, f"was shown {burak.texts[0]!r}"
        if burak.met and ayse.met:
            return wrong, "the link ended, and nothing was shown"
        return wrong, "no link opened"


async def flip_everything(
    story: Story,
    open_wire: Open,
    session: Sequence[Unit],
    spans: Callable[[Unit], Sequence[Span]],
    title: Callable[[Unit], str],
    stopped: str,
) -> None:
    """An attempt for each direction of ``session``, which was recorded on such a wire."""
    for way, who, victim in ((Way.THERE, "ayse", "burak"), (Way.BACK, "burak", "ayse")):
        with story.attempt(f"a bit in the middle and one at the end of each field of what {who} sends") as attempt:
            fooled, count = False, 0
            for unit in (one for one in session if one.way is way):
                outcomes: dict[str, list[str]] = defaultdict(list)
                for name, start, stop in spans(unit):
                    for place in sorted({(start + stop) // 2, stop - 1}):
                        wrong, outcome = await _flipped(open_wire, unit, place)
                        fooled |= wrong
                        count += 1
                        if name not in outcomes[outcome]:
                            outcomes[outcome].append(name)
                attempt.did(f"flips bits in {title(unit)}", paint(unit.data, spans(unit)))
                for outcome, names in outcomes.items():
                    attempt.saw(victim, f"{', '.join(names)}: {outcome}")
            attempt.aside(f"{count} links, one flipped bit each")
            attempt.ends(succeeded=fooled, stopped=stopped)
