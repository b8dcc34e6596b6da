"""``backup`` and ``restore``: a home kept for the day its machine is lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conclave.cli.context import Context, Json, PassphraseFile, context_of, emit, note, read_passphrase
from conclave.errors import LocalError

if TYPE_CHECKING:  # imported where it is used: --help must be quick
    from conclave.node.home.backup import Backup

BackupPassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--backup-passphrase-file", help="Read the backup's passphrase from its first line.", show_default=False
    ),
]


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("backup", epilog="Example: conclave backup /media/stick/ayse.backup")(backup)
    app.command("restore", epilog="Example: conclave restore ayse.backup; then conclave join '<invite>'")(restore)


def backup(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    backup_passphrase_file: BackupPassphraseFile = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Keep this home in a file, under a passphrase of the file's own; your node may run meanwhile.

    It holds your history and whom you trust. It holds no key of this device, so that whoever finds it cannot be you:
    a restored home joins again, with a new invite.
    """
    from conclave.node.home.backup import back_up

    context = context_of(ctx)
    passphrase = read_passphrase(context, "this home's passphrase", file=passphrase_file)
    own = read_passphrase(
        Context(context.home, None),
        "a passphrase for the backup",
        file=backup_passphrase_file,
        confirm=True,
        option="--backup-passphrase-file",
    )
    made = back_up(context.home, file.expanduser().absolute(), passphrase, own, _silent if as_json else note)
    if as_json:
        emit([_row(made) | {"path": str(file)}])
    else:
        note(f"{made.lines} lines of history kept in {file}; it was read again and holds")
        note(f"on another machine: conclave restore {file.name}; then conclave join '<a new invite>'")


def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What conclave backup wrote.")],
    check: Annotated[bool, typer.Option("--check", help="Only see whether it restores; nothing is made.")] = False,
    backup_passphrase_file: BackupPassphraseFile = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Make a home of a backup, in an empty folder: its history is there, and you join again as a new device."""
    from conclave.node.home import backup as backups

    context = context_of(ctx)
    if not check:
        backups.demand_empty(context.home)
    if not file.exists():  # before anybody is asked for a passphrase
        raise LocalError(f"{file} is not there")
    own = read_passphrase(
        Context(context.home, None),
        "the backup's passphrase",
        file=backup_passphrase_file,
        option="--backup-passphrase-file",
    )
    tell = _silent if as_json else note
    if check:
        found = backups.check(file.absolute(), own, tell)
    else:
        passphrase = read_passphrase(context, "a passphrase for this home", file=passphrase_file, confirm=True)
        found = backups.restore(file, context.home, own, passphrase, tell)
    if as_json:
        emit([_row(found) | ({} if check else {"home": str(context.home)})])
    elif check:
        note(f"it restores: {found.lines} lines of history of {found.handle}@{found.realm}")
    else:
        note(
            f"{found.lines} lines of history restored in {context.home}; messages that waited may have arrived since"
        )
        note(f"now ask for an invite for {found.handle}, then: conclave join '<invite>'; chats move to this device")


def _silent(_: str) -> None:
    """Programs want no progress."""


def _row(made: Backup) -> dict[str, object]:
    return {
        "handle": made.handle,
        "realm": made.realm,
        "device": made.device,
        "made": made.made,
        "lines": made.lines,
        "bytes": made.size,
    }
