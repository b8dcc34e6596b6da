"""``conclave lab``: attacks on real peers, run on this machine, told step by step. Needs no home and no authority.

Exit 1 where an attack that must fail succeeds, or where a weakness that is taught is not there. Left out: the lessons
(``lab``).
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from textwrap import wrap
from typing import Annotated

import typer

from conclave.cli.context import Json, emit, note, say, table
from conclave.errors import LocalError
from conclave.lab.story import Attempt, Field, LinkKind, Step, Story, Verdict
from conclave.wire.safe_text import safe_text

app = typer.Typer(
    help="Watch attacks fail, and see where the classic suite falls: real peers, a real man in the middle.",
    epilog="Start here: conclave lab list, then conclave lab run replay.",
    no_args_is_help=True,
)

NARROWEST, WIDEST = 70, 100
_MARGIN, _COLUMN = "  ", 9
_SHOWN_BYTES = 6
_COLOURS = ("36", "33", "35", "32", "94", "96")
_MARKS = {
    Verdict.HELD: ("✓", "32"),
    Verdict.FELL: ("▼", "33"),
    Verdict.BROKEN: ("✗", "1;31"),
    Verdict.UNSHOWN: ("?", "1;31"),
}
_WORDS = {
    Verdict.HELD: "held",
    Verdict.FELL: "fell, as its known weakness",
    Verdict.BROKEN: "BROKEN: an attack that must fail got through",
    Verdict.UNSHOWN: "NOT SHOWN: what is taught here did not happen",
}


class Links(StrEnum):
    """What ``--link`` takes."""

    TLS = "tls"
    CLASSIC = "classic"
    BOTH = "both"

    @property
    def kinds(self) -> frozenset[LinkKind]:
        """The links that are meant."""
        return frozenset(LinkKind) if self is Links.BOTH else frozenset({LinkKind(self.value)})


Link = Annotated[Links, typer.Option("--link", help="Lessons on this link only.")]


@app.command("list", epilog="Example: conclave lab list --link classic")
def list_(link: Link = Links.BOTH, as_json: Json = False) -> None:
    """Tell which lessons there are, and how each must end."""
    from conclave.lab.catalogue import LESSONS

    lessons = [lesson for lesson in LESSONS if lesson.link in link.kinds]
    if as_json:
        emit(
            {"lesson": one.name, "link": one.link, "title": one.title, "teaches": one.teaches, "falls": one.falls}
            for one in lessons
        )
        return
    rows = [(one.name, one.link, "falls" if one.falls else "holds", one.title) for one in lessons]
    table(("LESSON", "LINK", "ENDS", "WHAT HAPPENS"), rows)
    note("holds: every attack must fail; falls: a known weakness is shown. Run one: conclave lab run NAME")


@app.command("run", epilog="Example: conclave lab run replay --link tls")
def run(
    name: Annotated[str, typer.Argument(help="A lesson's name (conclave lab list), or all.")],
    link: Link = Links.BOTH,
    brief: Annotated[bool, typer.Option("--brief", help="One line a lesson.")] = False,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="CHECK",
            help="Have the victims leave a check out, to see what it is good for; may come several times: "
            "certificate, handle, revocation, sequence, mac, ending, chain.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run lessons against real peers on loopback. Exit 1 if any attack that must fail succeeds."""
    import asyncio

    from conclave.lab import catalogue
    from conclave.lab.careless import CHECKS, parse_checks
    from conclave.lab.realm import Realm
    from conclave.lab.scene import Scene

    try:
        checks = parse_checks(without or ())
        lessons = catalogue.choose(name, link.kinds)
    except LocalError as error:
        raise typer.BadParameter(f"{error}; try {error.remedy}") from error
    realm = Realm()
    screen = _Screen()
    begun = time.monotonic()
    verdicts: Counter[Verdict] = Counter()
    if not as_json and not brief:
        screen.text("Bytes are shown by field; a * marks what the attacker made or changed.")
        for check in sorted(checks):
            screen.text(f"Without the check {check!r}: the victim {CHECKS[check]}.")

    async def teach() -> None:
        for lesson in lessons:
            given = await catalogue.give(lesson, Scene(realm, checks))
            verdicts[given.story.verdict] += 1
            if as_json:
                emit([given.as_json()])
            elif brief:
                screen.brief(lesson.name, lesson.link, given.story.verdict, lesson.title)
            else:
                screen.lesson(f"{lesson.name} · {lesson.link}", lesson.title, lesson.teaches, given.story)

    asyncio.run(teach())  # one loop for all: Ctrl-C never meets one that is half made
    if not as_json and len(lessons) > 1:
        say()
        counts = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in Verdict if verdicts[verdict])
        say(f"{len(lessons)} lessons in {time.monotonic() - begun:.0f} seconds: {counts}")
    if not all(verdict.good for verdict in verdicts):
        raise typer.Exit(1)


class _Screen:
    """Prints stories, as wide as the terminal and no wider than reads well."""

    def __init__(self) -> None:
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._width = max(NARROWEST, min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns))

    def text(self, text: str, margin: str = "", colour: str = "") -> None:
        """A paragraph."""
        for line in wrap(safe_text(text), self._width - len(margin)):
            self._put(margin + (self._paint(line, colour) if colour else line))

    def lesson(self, name: str, title: str, teaches: str, story: Story) -> None:
        """One lesson from its heading to its verdict."""
        say()
        self.text(f"{name} · {title}", colour="1")
        self.text(teaches, _MARGIN)
        before = ""
        for number, attempt in enumerate(story.attempts, 1):
            say()
            before = self._attempt(number, attempt, before)
        if story.trouble:
            self._words("trouble", story.trouble)
        say()
        self._put(f"{_MARGIN}{self._judged(story.verdict, _WORDS[story.verdict])} · {_count(story.attempts)}")

    def brief(self, name: str, link: str, verdict: Verdict, title: str) -> None:
        """One lesson in one line."""
        word = str(verdict) if verdict.good else str(verdict).upper()
        self._put(f"{name:<10}{link:<9}{self._judged(verdict, f'{word:<9}')}  {title}")

    def _judged(self, verdict: Verdict, words: str) -> str:
        mark, colour = _MARKS[verdict]
        return self._paint(f"{mark} {words}", colour)

    def _attempt(self, number: int, attempt: Attempt, before: str) -> str:
        """One attempt; ``before`` is what stopped the one before it, so as not to repeat it."""
        lines = wrap(safe_text(attempt.title), self._width - 5)
        for at, line in enumerate(lines):
            self._put(self._paint(f"{number:>3}  {line}" if at == 0 else f"     {line}", "1"))
        for step in attempt.steps:
            before = self._step(step, before)
        verdict = attempt.verdict or Verdict.UNSHOWN
        self._put(f"     {self._judged(verdict, _WORDS[verdict])}")
        return before

    def _step(self, step: Step, before: str) -> str:
        match step.role:
            case "stopped":
                self._words("stopped", "by the same" if step.text == before else step.text)
                return step.text
            case "let":
                self._words("because", step.text)
            case "aside":
                self._words("note", step.text)
            case _:
                self._words(step.who, step.text)
                self._bytes(step.fields)
        return before

    def _words(self, who: str, text: str) -> None:
        indent = " " * (5 + _COLUMN)
        lines = wrap(safe_text(text), self._width - len(indent), break_on_hyphens=False) or [""]
        self._put(f"     {safe_text(who):<{_COLUMN}}{lines[0]}")
        for line in lines[1:]:
            self._put(indent + line)

    def _bytes(self, fields: Sequence[Field]) -> None:
        indent = " " * (5 + _COLUMN)
        line, length = "", 0
        for plain, painted in self._fields(fields):
            if length and length + 3 + len(plain) > self._width - len(indent):
                self._put(indent + line)
                line, length = "", 0
            joint = " · " if length else ""
            line += joint + painted
            length += len(joint) + len(plain)
        if line:
            self._put(indent + line)

    def _fields(self, fields: Sequence[Field]) -> Iterator[tuple[str, str]]:
        """Each field as it reads, and the same with its colour."""
        for at, one in enumerate(fields):
            plain = f"{'*' if one.changed else ''}{safe_text(one.name)} {shown(one.data)}"
            colour = _COLOURS[at % len(_COLOURS)]
            yield plain, self._paint(plain, f"7;{colour}" if one.changed else colour)

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text

    def _put(self, text: str) -> None:
        """Print a line that was made safe piece by piece."""
        sys.stdout.write(text.rstrip() + "\n")
        sys.stdout.flush()


def shown(data: bytes) -> str:
    """A field's bytes as people read them: text where they are text, else hexadecimal, long ones shortened."""
    if data and all(0x21 <= byte <= 0x7E for byte in data) and len(data) <= 16:
        return f'"{data.decode("ascii")}"'
    if len(data) <= _SHOWN_BYTES + 2:
        return data.hex(" ")
    return f"{data[:_SHOWN_BYTES].hex(' ')} … ({len(data):,} bytes)"


def _count(attempts: Sequence[Attempt]) -> str:
    """How many attempts ended how."""
    counts = Counter(attempt.verdict or Verdict.UNSHOWN for attempt in attempts)
    total = f"{len(attempts)} attack{'' if len(attempts) == 1 else 's'}"
    return f"{total}: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
