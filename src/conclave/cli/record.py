"""``export`` and ``verify-transcript``: the record of a conversation, and whether one holds, for anybody, offline."""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from conclave.cli.context import Json, context_of, emit, note, say
from conclave.errors import LocalError
from conclave.node.door.client import NodeClient

if TYPE_CHECKING:  # imported where it is used: --help must be quick
    from conclave.chat.words.transcript_proof import VerifiedTranscript
    from conclave.pki.certificate import Certificate

EXPORT_SECONDS = 3600.0
"""How long a node may take to write a record."""
CHANGED = 6
"""Exit code: the record does not hold."""


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("export", epilog="Example: conclave export '#ops' -o ops.transcript")(export)
    app.command("verify-transcript", epilog="Example: conclave verify-transcript ops.transcript --root root.pem")(
        verify
    )


def export(
    ctx: typer.Context,
    conversation: Annotated[
        str, typer.Argument(metavar="@PEER|#LOBBY", help="Whose record; quote the # for your shell.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="A new file; else standard output.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a conversation's record: every message as its author signed it, bound together under your signature.

    It holds all that your history has, in the clear: whoever gets it can read it, and check who said what with the
    authority's root certificate alone.
    """
    home = context_of(ctx).home
    path = output.expanduser().absolute() if output is not None else home / f".export-{secrets.token_hex(8)}"
    with NodeClient(home) as node:
        try:
            result = node.call("export", patience=EXPORT_SECONDS, conversation=conversation, path=str(path))
            if output is None:
                with path.open("rb") as file:
                    shutil.copyfileobj(file, sys.stdout.buffer)
                sys.stdout.buffer.flush()
        finally:
            if output is None:
                path.unlink(missing_ok=True)
    if output is not None and as_json:
        emit([result])
    elif output is not None:
        note(f"{result['lines']} lines of {result['conversation']} written to {output}")
        note(f"anybody can check it: conclave verify-transcript {output.name} --root root.pem")


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The record; - reads standard input.")],
    root: Annotated[
        Path,
        typer.Option(metavar="PEM", help="The authority's root certificate, from its folder or from a member."),
    ],
    as_json: Json = False,
) -> None:
    """Check a conversation's record: that nothing was changed, left out or put in, and who signed what.

    Needs nothing but the file and the root: no home, no network. Exit code 6 where it does not hold.
    """
    from conclave.chat.words.transcript_proof import TranscriptChanged, verify_transcript

    anchor = _root(root)
    try:
        with _open(file) as stream:
            proven = verify_transcript(_lines(stream), anchor)
    except TranscriptChanged as error:
        if as_json:
            emit([{"holds": False, "findings": error.findings, "more": error.more}])
            raise typer.Exit(CHANGED) from error
        for finding in error.findings:
            say(f"  {finding}")
        if error.more:
            say(f"  and {error.more} more")
        raise
    if as_json:
        emit([_as_json(proven)])
    else:
        _tell(proven)


def _open(file: Path) -> BinaryIO:
    if str(file) == "-":
        return sys.stdin.buffer
    try:
        return file.open("rb")
    except OSError as error:
        raise LocalError(f"{file} cannot be read: {error.strerror}") from error


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines, none of them longer than a reader will take."""
    from conclave.chat.words.transcript import LINE_BYTES

    while line := stream.readline(LINE_BYTES + 2):
        yield line


def _root(path: Path) -> Certificate:
    from conclave.pki.bundle import BUNDLE_BYTES, decode_pem

    try:
        with path.open("rb") as file:
            first, *others = decode_pem(file.read(BUNDLE_BYTES + 1))
    except OSError as error:
        raise LocalError(f"{path} cannot be read: {error.strerror}", remedy="ask the authority for it") from error
    if others:
        raise LocalError(f"{path} holds more than one certificate", remedy="give the root's alone")
    return first


def _as_json(proven: VerifiedTranscript) -> dict[str, object]:
    return {
        "holds": True,
        "conversation": proven.conversation,
        "realm": proven.realm,
        "exporter": proven.exporter,
        "made": proven.made,
        "lines": proven.lines,
        "authors": proven.authors,
        "first": proven.first,
        "last": proven.last,
        "groups": [group.hex() for group in proven.groups],
        "unproven": proven.unproven,
        "unsigned": proven.unsigned,
        "remarks": [
            {"author": one.author, "line": one.line, "lines": one.lines, "what": one.what} for one in proven.remarks
        ],
        "gaps": [
            {"author": author, "device": device, "from": first, "to": last}
            for author, device, first, last in proven.gaps
        ],
        "more_gaps": proven.more,
    }


def _lines_of(count: int) -> str:
    return "1 line" if count == 1 else f"{count} lines"


def _tell(proven: VerifiedTranscript) -> None:
    from conclave.pki.certificate import moment

    say(f"it holds: {proven.conversation} of {proven.realm}, as {proven.exporter} had it on {moment(proven.made)}")
    if not proven.authors:
        say("nothing in it is signed by its author")
    else:
        by = ", ".join(f"{author} {count}" for author, count in proven.authors.items())
        say(f"signed by their authors: {by}; from {moment(proven.first)} to {moment(proven.last)}")
    if len(proven.groups) > 1:
        say(f"said in {len(proven.groups)} groups: the conversation was begun anew")
    beside = proven.unproven - proven.unsigned
    if beside:
        say(f"on {proven.exporter}'s word alone: {_lines_of(beside)} (notices, and what was deleted)")
    if proven.unsigned:
        say(
            f"signed by nobody, whoever they name: {_lines_of(proven.unsigned)} with words ({proven.exporter}'s word)"
        )
    for one in proven.remarks:
        more = f", and {_lines_of(one.lines - 1)} more" if one.lines > 1 else ""
        say(f"line {one.line}, {one.author}'s{more}: {one.what}")
    for author, device, first, last in proven.gaps:
        numbers = f"number {first}" if first == last else f"numbers {first} to {last}"
        say(f"not in it, as {proven.exporter} says too: {author}'s {numbers} from {device}")
    if proven.more:
        say(f"not in it either: {proven.more} more stretches of numbers, of those of whom the most are missing")
    if proven.gaps:
        note(
            "a number that is not in it may be a timer, which has no line, words that went, or some that are missing"
        )
    note("whether a certificate was revoked is not in a record: ask the authority where it matters")
