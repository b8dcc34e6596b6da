"""``conclave``: the verbs, the options before them, and what an error's exit code is.

Exit codes: 0 done, 1 failed or refused, 2 usage, 3 home, vault, settings, node or disk not there, locked or wrong,
4 not enrolled or certificate refused, 5 queued (with ``--wait``), 6 identity unverified or changed, 7 authority
unreachable, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import warnings
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from conclave import __version__
from conclave.cli import (
    about,
    authority,
    backup,
    classic,
    demo,
    files,
    identity,
    join,
    lab,
    lines,
    lobby,
    people,
    record,
    roll,
    talk,
    up,
)
from conclave.cli.context import Context, note
from conclave.errors import (
    ConclaveError,
    NetworkError,
    NotEnrolled,
    NotReady,
    Refused,
    StorageError,
    UsageError,
    VerificationError,
)
from conclave.node.paths import default_home

FAILED, USAGE, LOCKED, NOT_ENROLLED, IDENTITY, UNREACHABLE, INTERRUPTED = 1, 2, 3, 4, 6, 7, 130
_CERTIFICATE = frozenset(
    {
        "bad-credentials", "certificate-required", "credentials-required", "expired", "invite-expired", "key-used",
        "not-enrolled", "not-yet-valid", "other-handle", "revoked", "suspended", "token-used",
    }
)  # fmt: skip
_IDENTITY = frozenset(
    {"unexpected-handle", "unknown-authority", "bad-certificate", "transcript-changed", "wrong-root"}
)

app = typer.Typer(
    help="Secure team chat on your organisation's own trust and machines.",
    epilog="Start here: conclave demo. A folder of its own per person: conclave --home DIR VERB.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"conclave {__version__}")
        raise typer.Exit


@app.callback()
def before(
    ctx: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(envvar="CONCLAVE_HOME", help="Whose data: one folder per person.", show_default=False),
    ] = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(
            envvar="CONCLAVE_PASSPHRASE_FILE", help="Where a passphrase would be asked for.", show_default=False
        ),
    ] = None,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the verb."""
    ctx.obj = Context((home or default_home()).expanduser().absolute(), passphrase_file)


app.add_typer(authority.app, name="authority")
app.add_typer(lobby.app, name="lobby")
app.add_typer(identity.app, name="identity")
app.add_typer(lab.app, name="lab")
for commands in (join, up, people, talk, lines, roll, files, record, backup, classic, about, demo):
    commands.add_to(app)


def exit_code(error: ConclaveError) -> int:
    """What a program that calls us can tell from the exit code."""
    match error:
        case VerificationError() | Refused() if error.reason in _CERTIFICATE:
            return NOT_ENROLLED
        case VerificationError() | Refused() if error.reason in _IDENTITY:
            return IDENTITY
        case NotEnrolled():
            return NOT_ENROLLED
        case Refused(reason="unreachable") | NetworkError():
            return UNREACHABLE
        case Refused() | VerificationError():
            return FAILED
        case UsageError():
            return USAGE
        case StorageError() | NotReady():
            return LOCKED
        case _:
            return FAILED


def run() -> None:
    """Run one command and exit; an error of ours is told in words, never as a traceback."""
    _open_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what the terminal's encoding lacks is shown as its code
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # a library's, of what strangers sent: what is wrong is told in words
    try:
        app(prog_name="conclave")
    except ConclaveError as error:
        note(f"conclave: {error}")
        if error.remedy:
            note(f"  try: {error.remedy}")
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        sys.exit(FAILED)
    except OSError as error:  # what is ours was translated: this is our output, on a disk that is full
        where = f"{error.filename}: " if error.filename else ""
        note(f"conclave: {where}{error.strerror or error}")
        sys.exit(FAILED)
    finally:
        _settle_output()


def _open_closed() -> None:
    """A standard stream that we were started without is an empty one; else the next file would take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this very one
            setattr(sys, name, os.fdopen(descriptor, "w" if number else "r", encoding="utf-8"))


def _settle_output() -> None:
    """What is still to be written of our output and cannot be, goes nowhere; it does not change the exit code."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
