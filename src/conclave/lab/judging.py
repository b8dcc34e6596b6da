"""The one rule by which a lesson about a stream of messages is judged.

What the victim was shown must be the beginning of what was said, in its order, nothing changed and nothing twice; and
where something is missing, the victim must know that its link ended badly. Everything else is the attacker's success.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from conclave.lab.middle import happens
from conclave.lab.story import Attempt

SETTLE_SECONDS = 4.0
"""How long a victim may take to notice, on a machine with other things to do."""
_SHOWN = 3


class Victim(Protocol):
    """Whoever reads, on any link."""

    name: str
    texts: list[str]

    @property
    def end(self) -> str:
        """How its link stands or ended, in words."""

    @property
    def ended(self) -> bool:
        """Whether its link is over."""

    @property
    def alarmed(self) -> bool:
        """Whether it knows that its link ended badly, so that something may be missing."""


def misled(victim: Victim, said: Sequence[str]) -> bool:
    """Whether the victim was shown what nobody said, or not so."""
    return victim.texts != list(said[: len(victim.texts)])


def fooled(victim: Victim, said: Sequence[str]) -> bool:
    """Whether the victim believes something of what was said that is not so."""
    return misled(victim, said) or (len(victim.texts) < len(said) and not victim.alarmed)


def told(texts: Sequence[str]) -> str:
    """What somebody was shown, in short."""
    if not texts:
        return "nothing"
    short = [f"“{text}”" if len(text) <= 40 else f"{len(text):,} characters" for text in texts[:_SHOWN]]
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(short) + more


async def judge(attempt: Attempt, victim: Victim, said: Sequence[str], stopped: str, let: str = "") -> None:
    """Wait until the victim's link is over or it was misled; then judge."""
    await happens(lambda: victim.ended or misled(victim, said), SETTLE_SECONDS)
    attempt.saw(victim.name, f"was shown {told(victim.texts)}; {victim.end}")
    attempt.ends(succeeded=fooled(victim, said), stopped=stopped, let=let)
