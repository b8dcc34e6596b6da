"""What every command shares: whose home, where the passphrase comes from, and how things are printed.

Reports go to stdout, as words for people or, with ``--json``, one object a line for programs; progress and errors
go to stderr. Everything that came from somebody else passes ``safe_text`` before a terminal sees it.
"""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, TextIO, TypeVar

import typer

from conclave.cli.rows import BEHIND, cells, columns, folded
from conclave.errors import DecodeError, LocalError, NotReady, UsageError
from conclave.values import dataclass
from conclave.wire.safe_text import safe_text

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]
"""The option that every reporting command takes."""
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="Read the passphrase from this file's first line.", show_default=False),
]
"""The option that every command takes that may need the passphrase; also before the verb, or in the environment."""


FEW_CHARACTERS = 8
"""A new passphrase of fewer is warned about."""


@dataclass(frozen=True, slots=True)
class Context:
    """The options before the verb."""

    home: Path
    passphrase_file: Path | None


def context_of(ctx: typer.Context) -> Context:
    """The options before the verb, from any command's ``typer.Context``."""
    context = ctx.obj
    if not isinstance(context, Context):  # pragma: no cover - main's callback always sets it
        raise LocalError("no context")
    return context


def read_passphrase(
    context: Context, prompt: str, *, file: Path | None = None, confirm: bool = False, option: str = ""
) -> str:
    """The passphrase: from ``file``, the file named before the verb, CONCLAVE_PASSPHRASE_FD, or the terminal.

    ``confirm``: a new one, which is asked for twice, and warned about where it is short. ``option`` is the one that
    names ``file``, where that is another than before the verb.
    Raises ``LocalError`` where there is none to be had, it is empty, or two entries differ.
    """
    source = file or context.passphrase_file
    descriptor = os.environ.get("CONCLAVE_PASSPHRASE_FD")
    if source is not None:
        try:
            text = source.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", "") or "it is not text in UTF-8"
            raise NotReady(f"the passphrase file {source} cannot be read: {why}") from error
        passphrase = text[0] if text else ""
    elif descriptor:
        try:
            with os.fdopen(int(descriptor)) as stream:
                passphrase = stream.readline().rstrip("\n")
        except (OSError, ValueError) as error:
            raise NotReady(f"CONCLAVE_PASSPHRASE_FD {descriptor!r} cannot be read: {error}") from error
    elif sys.stdin.isatty():
        passphrase = _asked(f"{prompt}: ")
        if confirm and _asked("once more: ") != passphrase:
            raise NotReady("the two passphrases differ")
    else:
        raise NotReady(
            f"{prompt} is needed and there is no terminal to ask on",
            remedy=f"{option} FILE" if option else "--passphrase-file FILE, or CONCLAVE_PASSPHRASE_FILE",
        )
    if not passphrase:
        remedy = "give at least a few words" if source is None else f"write it into the first line of {source}"
        raise NotReady(f"{prompt}: nothing was given", remedy=remedy)
    if confirm and len(passphrase) < FEW_CHARACTERS:
        note(f"warning: {prompt}: fewer than {FEW_CHARACTERS} characters are soon guessed")
    return passphrase


def _asked(prompt: str) -> str:
    try:
        return getpass.getpass(prompt)
    except KeyboardInterrupt:
        note("")  # what comes next begins a line of its own
        raise


def typed(read: Callable[[str], T], text: str) -> T:
    """What ``read`` takes a text for that our person typed. Raises ``UsageError`` where that is nothing."""
    try:
        return read(text)
    except DecodeError as error:
        raise UsageError(str(error), remedy=error.remedy) from error


def emit(rows: Iterable[dict[str, Any]]) -> None:
    """Print objects, one a line, for programs; JSON's escapes make them safe for a terminal too."""
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=True) + "\n")
    sys.stdout.flush()


def say(text: str = "", aside: str = "", *, whole: bool = False) -> None:
    """Print one line for people: nothing in it can begin another, which would look like one of ours.

    ``aside`` stands behind it in brackets, dim where a terminal shows it. ``whole``: it is there to be copied, and is
    not folded.
    """
    room = 0 if whole else columns(sys.stdout)
    rows = folded(safe_text(text), room)
    if aside:
        aside = f"({safe_text(aside)})"
        if room and cells(f"{rows[-1]}  {aside}") > room:
            rows.append(" " * (BEHIND - 2))
        rows[-1] += f"  {_dim(aside)}"
    _write(sys.stdout, rows)


def _write(stream: TextIO, rows: Iterable[str]) -> None:
    stream.write("".join(f"{row}\n" for row in rows))
    stream.flush()


def _dim(text: str) -> str:
    return f"\x1b[2m{text}\x1b[0m" if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else text


def note(text: str) -> None:
    """Tell progress or an aside on stderr, in one line."""
    _write(sys.stderr, folded(safe_text(text), columns(sys.stderr)))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns; the last one runs free."""
    lines = [list(headings), *([safe_text(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        row = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        _write(sys.stdout, folded(row, columns(sys.stdout)))
