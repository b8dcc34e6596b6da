"""What happens in a lesson, as data: what was tried, what came of it, and the verdict.

A story is made of attempts. Each says beforehand whether the attack must fail or, where a weakness is taught, must
succeed; what really happened decides, and nothing else. Left out: how it is shown (``cli.lab``) and the attacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from conclave.errors import LocalError
from conclave.values import dataclass, field


class LinkKind(StrEnum):
    """Which link is attacked. The value is what ``--link`` takes."""

    TLS = "tls"
    CLASSIC = "classic"


class Verdict(StrEnum):
    """What became of an attempt, or of a whole lesson."""

    HELD = "held"
    """The attack had to fail, and failed."""
    FELL = "fell"
    """The attack shows a known weakness, and succeeded."""
    BROKEN = "broken"
    """The attack had to fail, and succeeded."""
    UNSHOWN = "not shown"
    """The attack did not take place, or a known weakness was not there: the lesson is not true as it stands."""

    @property
    def good(self) -> bool:
        """Whether it is as the lesson says."""
        return self in (Verdict.HELD, Verdict.FELL)


@dataclass(frozen=True, slots=True)
class Field:
    """A stretch of bytes on the wire and what it is. ``changed``: the attacker touched it."""

    name: str
    data: bytes
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done or seen. ``role``: ``did``, ``saw``, ``stopped``, ``let`` or ``aside``."""

    role: str
    who: str
    text: str
    fields: tuple[Field, ...] = ()


@dataclass(slots=True)
class Attempt:
    """One attack, as it goes."""

    title: str
    must_fail: bool
    careless: bool = False
    """Whether the victims leave a check out: what stops a whole one may not be what stopped them."""
    steps: list[Step] = field(default_factory=list)
    verdict: Verdict | None = None

    def did(self, text: str, fields: Sequence[Field] = (), *, who: str = "mallory") -> None:
        """Tell what was done, and with which bytes."""
        self.steps.append(Step("did", who, text, tuple(fields)))

    def saw(self, who: str, text: str) -> None:
        """Tell what the victim, or whoever looked, saw."""
        self.steps.append(Step("saw", who, text))

    def aside(self, text: str) -> None:
        """Tell what an onlooker should know."""
        self.steps.append(Step("aside", "", text))

    def ends(self, *, succeeded: bool, stopped: str = "", let: str = "") -> None:
        """Judge: did the attacker get what he wanted? ``stopped`` and ``let`` say why not, and why."""
        if self.must_fail:
            self.verdict = Verdict.BROKEN if succeeded else Verdict.HELD
        else:
            self.verdict = Verdict.FELL if succeeded else Verdict.UNSHOWN
        if self.careless and not succeeded:
            stopped = f"in a whole victim: {stopped}"
        text = (
            (let or "nothing stopped it: the attack got through")
            if succeeded
            else (stopped or "the attack did not work")
        )
        self.steps.append(Step("let" if succeeded else "stopped", "", text))

    def as_json(self) -> dict[str, Any]:
        """For programs; bytes are hexadecimal."""
        return {
            "title": self.title,
            "must_fail": self.must_fail,
            "verdict": self.verdict or Verdict.UNSHOWN,
            "steps": [
                {
                    "role": step.role,
                    "who": step.who,
                    "text": step.text,
                    "bytes": [
                        {"field": one.name, "hex": one.data.hex(), "changed": one.changed} for one in step.fields
                    ],
                }
                for step in self.steps
            ],
        }


@dataclass(slots=True)
class Story:
    """Everything that happened in one lesson."""

    careless: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    trouble: str = ""
    """Why the lesson could not be given to its end, or empty."""

    @contextmanager
    def attempt(self, title: str, *, must_fail: bool = True) -> Iterator[Attempt]:
        """Begin an attack; it must be judged by ``Attempt.ends`` before it is over."""
        one = Attempt(title, must_fail, self.careless)
        self.attempts.append(one)
        yield one
        if one.verdict is None:
            raise LocalError(f"nobody judged the attempt {title!r}")

    @property
    def verdict(self) -> Verdict:
        """The worst of the attempts'."""
        found = [one.verdict or Verdict.UNSHOWN for one in self.attempts]
        if self.trouble or not found:
            found.append(Verdict.UNSHOWN)
        return next(v for v in (Verdict.BROKEN, Verdict.UNSHOWN, Verdict.FELL, Verdict.HELD) if v in found)
