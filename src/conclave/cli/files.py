"""``send``, ``files`` and ``fetch``: files to one peer or a lobby, and what was offered."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Self

import typer

from conclave.cli.context import Json, context_of, emit, note, say, table
from conclave.errors import LocalError, NotReady
from conclave.node.door.client import NodeClient
from conclave.wire.safe_text import safe_text

SHORT_DIGITS = 8
"""Of an id, as it is shown; enough to tell some thousand offers apart."""
READ_SECONDS = 3600.0
"""How long ``send`` waits for a large file to be read."""
LOOK_SECONDS = 0.3
"""When ``fetch`` looks what a file that does not come waits for."""

Id = Annotated[str, typer.Argument(metavar="ID", help="The file's id, or its first digits: conclave files.")]
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("send", epilog="Example: conclave send @burak ward-plan.pdf")(send)
    app.command("files", epilog="Example: conclave files '#ops'")(files)
    app.command("fetch", epilog="Example: conclave fetch 3f9a02c1 --into ~/Downloads")(fetch)


def send(
    ctx: typer.Context,
    to: Annotated[str, typer.Argument(metavar="@PEER|#LOBBY", help="A peer or a lobby; quote the # for your shell.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to offer; it must stay where it is.")],
    as_json: Json = False,
) -> None:
    """Offer a file. Whoever wants it fetches it from your node, or from a member of the lobby who has it."""
    with NodeClient(context_of(ctx).home) as node:
        try:
            offered = node.call("file.offer", patience=READ_SECONDS, to=to, path=str(file.absolute()))
        except KeyboardInterrupt:
            note("your node may offer it all the same: conclave files; to take it back: conclave fetch ID --cancel")
            raise
    if as_json:
        emit([offered])
    else:
        size, to = size_words(offered["size"]), offered["conversation"]
        note(f"offered {offered['name']} ({size}) to {to} · {_short(offered)}")


def files(
    ctx: typer.Context,
    of: Annotated[str, typer.Argument(metavar="[@PEER|#LOBBY]", help="Of one conversation only.")] = "",
    as_json: Json = False,
) -> None:
    """List the files that were offered to you and by you, and how far they are."""
    with NodeClient(context_of(ctx).home) as node:
        found = node.call("file.list", conversation=of)["files"]
    if as_json:
        emit(found)
        return
    if not found:
        note("no files yet: conclave send @burak FILE")
        return
    table(
        ("ID", "IN", "FROM", "SIZE", "WHEN", "STATUS", "NAME"),
        (
            (
                _short(each),
                each["conversation"],
                each["from"],
                size_words(each["size"]),
                datetime.fromtimestamp(each["at"]).astimezone().strftime("%d.%m. %H:%M"),
                _status(each),
                each["name"],
            )
            for each in found
        ),
    )
    for each in found:
        if each["why"]:
            say(f"{_short(each)}: {each['why']}")


def fetch(
    ctx: typer.Context,
    id: Id,  # noqa: A002 - what people call it
    into: Annotated[
        Path, typer.Option("--into", metavar="DIR", help="Into which folder; by default the one you are in.")
    ] = Path(),
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Stop fetching and remove what is there; or offer it no more.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fetch an offered file. It goes on in your node, also when this command ends, until it is whole."""
    home = context_of(ctx).home
    with NodeClient(home) as node, NodeClient(home) as told:
        if cancel:
            cancelled = node.call("file.cancel", id=id)
            _report(cancelled, f"{cancelled['name']}: {cancelled['why'] or 'cancelled'}", as_json=as_json)
            return
        told.call("follow")
        shown = node.call("file.accept", id=id, into=str(into.absolute()))
        try:
            with Bar(shown) as bar:
                shown = _until_over(node, told, shown["id"], bar)
        except KeyboardInterrupt:
            note(f"it goes on in your node; to stop it: conclave fetch {_short(shown)} --cancel")
            raise
    if shown["status"] == "here":
        _report(shown, shown["path"], as_json=as_json)
        return
    if as_json:
        emit([shown])
    raise LocalError(
        f"{shown['name']} was not fetched: {shown['why'] or shown['status']}",
        remedy=shown.get("remedy") or f"conclave fetch {_short(shown)} goes on with what is there",
    )


class Bar:
    """How far a file is, on stderr where that is a terminal."""

    def __init__(self, shown: dict[str, Any]) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        console = Console(stderr=True)
        self._progress = Progress(
            *columns, TimeRemainingColumn(), console=console, transient=True, disable=not sys.stderr.isatty()
        )
        name = safe_text(shown["name"], limit=40).replace("[", "\\[")  # brackets are Rich's markup
        self._task = self._progress.add_task(name, total=shown["size"], completed=shown.get("done", 0))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def at(self, done: int) -> None:
        """So many bytes are here."""
        self._progress.update(self._task, completed=done)


def _until_over(node: NodeClient, told: NodeClient, name: str, bar: Bar) -> dict[str, Any]:
    """Follow a file until it is no longer fetched; what is known of it then, with the remedy where it failed."""
    time.sleep(LOOK_SECONDS)
    shown = _look(node, name)
    if shown is None:
        raise LocalError("the offer was taken back meanwhile", remedy="conclave files")
    if shown["status"] == "fetching" and shown["why"]:
        note(f"{shown['why']}; it goes on by itself once somebody who has it is here; Ctrl-C leaves it to your node")
    for notice in told.notices():
        if notice.get("id") != name:
            continue
        match notice["notice"]:
            case "file-progress":
                bar.at(notice["done"])
            case "file-done" | "file-failed":  # what was taken back is listed no more
                failed = shown | {"status": "failed", "why": notice.get("text", "")}
                return (_look(node, name) or failed) | {"remedy": notice.get("remedy", "")}
    raise NotReady("your node ended", remedy="start it again, and it goes on: conclave up")


def _look(node: NodeClient, name: str) -> dict[str, Any] | None:
    return next((dict(each) for each in node.call("file.list")["files"] if each["id"] == name), None)


def _report(shown: dict[str, Any], words: str, *, as_json: bool) -> None:
    if as_json:
        emit([shown])
    else:
        say(words)


def _status(shown: dict[str, Any]) -> str:
    if shown["status"] == "fetching":
        return f"{100 * shown['done'] // max(1, shown['size'])} %"
    return str(shown["status"])


def _short(shown: dict[str, Any]) -> str:
    return str(shown["id"])[:SHORT_DIGITS]


def size_words(size: float) -> str:
    """``1 byte``, ``999 bytes``, ``3.2 MB``."""
    if size < 1000:
        return "1 byte" if size == 1 else f"{size} bytes"
    unit = 0
    while size >= 999.95 and unit < len(_UNITS) - 1:  # rounded, that is a thousand
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}"
