"""``say``, ``read`` and ``search``: words to one peer or a lobby, and the history."""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from conclave.cli import classic
from conclave.cli.classic import ByLink, Link
from conclave.cli.context import Json, context_of, emit, note, say
from conclave.errors import LocalError
from conclave.node.client import NodeClient
from conclave.wire.safe_text import safe_text

QUEUED = 5
"""Exit code: kept in the outbox, the peer does not have it yet."""

To = Annotated[str, typer.Argument(metavar="@PEER|#LOBBY", help="A peer or a lobby; quote the # for your shell.")]


class Wait(StrEnum):
    """What ``say --wait`` may wait for."""

    DELIVERED = "delivered"
    SENT = "sent"


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("say", epilog="Example: conclave say @burak 'the pump is back' --wait delivered --timeout 10")(speak)
    app.command("read", epilog="Example: conclave read '#ops' --follow")(read)
    app.command("search", epilog="Example: conclave search pump")(search)


def speak(
    ctx: typer.Context,
    to: To,
    text: Annotated[str, typer.Argument(help="What to say; - reads it from standard input.")],
    wait: Annotated[
        Wait | None,
        typer.Option(
            help="Return when the peer has stored it; on a legacy link, when it was sent.", show_default=False
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0, help="How long to wait (seconds).")] = 30.0,
    at: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Dial the peer there, without the directory.", show_default=False)
    ] = "",
    link: ByLink = Link.TLS,
    as_json: Json = False,
) -> None:
    """Say something to a peer or in a lobby. It is kept and sent again until it has arrived."""
    if text == "-":
        try:
            text = sys.stdin.read().rstrip("\n")
        except UnicodeDecodeError as error:
            raise LocalError(
                "what came from standard input is not text in UTF-8", remedy="send files as text"
            ) from error
    if classic.is_legacy(to, link):
        if wait is Wait.DELIVERED:
            raise LocalError("nothing confirms what is said on a legacy link", remedy="--wait sent")
        target = to.removeprefix(classic.LEGACY)
        classic.speak(ctx, target, text, wait=wait is not None, timeout=timeout, at=at, as_json=as_json)
        return
    if wait is Wait.SENT:
        raise LocalError("what is sent is kept until it is confirmed", remedy="--wait delivered")
    with NodeClient(context_of(ctx).home) as node:
        result = node.call(
            "say", patience=timeout + 30, to=to, text=text, wait=wait is not None, timeout=timeout, at=at
        )  # fmt: skip
    status = result["status"]
    if as_json:
        emit([result])
    elif status == "delivered":
        note(f"delivered · {result['protection']}")
    else:
        reason = f" ({result['why']})" if result.get("why") else ""
        note(f"{status}{reason}: kept here, it goes out by itself · {result['protection']}")
    if status == "not sent":
        raise typer.Exit(1)
    if wait is not None and status != "delivered":
        raise typer.Exit(QUEUED)


def read(
    ctx: typer.Context,
    of: To,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what arrives, until Ctrl-C.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many lines of the past.")] = 50,
    after: Annotated[
        int | None, typer.Option(min=0, help="Only lines after this position.", show_default=False)
    ] = None,
    link: ByLink = Link.TLS,
    as_json: Json = False,
) -> None:
    """Show a conversation's history, and with --follow what arrives."""
    with NodeClient(context_of(ctx).home) as node:
        if follow:
            node.call("follow")
        method = "classic.lines" if classic.is_legacy(of, link) else "lines"
        answer = node.call(method, conversation=of, limit=limit, after=after)
        conversation = answer["conversation"]
        if not as_json:
            note(f"{conversation} · {answer['protection']}")
            if not answer["lines"] and not follow:
                note(f"nothing yet. Say something: conclave say '{conversation}' \"hello\"")
        shown = set()
        for line in answer["lines"]:
            shown.add((line["from"], line["id"]))
            _show(line, conversation, as_json=as_json)
        if not follow:
            return
        for notice in node.notices():
            _follow(notice, conversation, shown, as_json=as_json)
    raise LocalError("your node ended", remedy="start it again: conclave up")


def _follow(notice: dict[str, Any], conversation: str, shown: set[tuple[str, str]], *, as_json: bool) -> None:
    if notice.get("conversation") != conversation:
        return
    if notice["notice"] == "line-added":
        line = notice["line"]
        if (line["from"], line["id"]) not in shown:
            _show(line, conversation, as_json=as_json)
        shown.clear()  # only the first notices can repeat what the history showed
    elif notice["notice"] == "line-marked" and as_json:
        emit([{"conversation": conversation, "id": notice["id"], "status": notice["status"]}])


def _show(line: dict[str, Any], conversation: str, *, as_json: bool) -> None:
    if as_json:
        emit([{"conversation": conversation, **line}])
        return
    when = datetime.fromtimestamp(line["stored"]).astimezone().strftime("%d.%m. %H:%M")
    if line["kind"] == "notice":
        say(f"{when}  — {line['text']}")
        return
    status = {"received": "", "delivered": "", "sent": "  [sent, legacy link]"}.get(
        line["status"], f"  [{line['status']}]"
    )
    first, *rest = safe_text(line["text"], newlines=True).split("\n")
    name = line["from"]
    say(f"{when}  {name:<10} {first}{status}")
    for more in rest:
        say(" " * 25 + more)


def search(
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(help="Words to look for.")],
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many lines at most.")] = 20,
    as_json: Json = False,
) -> None:
    """Find lines of your history by their words."""
    with NodeClient(context_of(ctx).home) as node:
        found = node.call("search", text=text, limit=limit)["lines"]
    if not found and not as_json:
        note("nothing found")
    for hit in found:
        if not as_json:
            note(hit["conversation"])
        _show(hit, hit["conversation"], as_json=as_json)
