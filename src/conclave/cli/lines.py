"""``edit``, ``delete``, ``react``, ``pin``, ``pins``, ``timer``, ``mute``: about lines, and how they are kept.

A line is named by ``last``, its position, or the first letters of its id, which ``read --ids`` shows. Left out:
saying and reading (``cli.talk``).
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from conclave.cli.context import Json, context_of, emit, note, say
from conclave.cli.talk import To, seconds_of, show_line, text_of
from conclave.errors import LocalError
from conclave.node.door.client import NodeClient

Line = Annotated[str, typer.Argument(metavar="LINE", help="last, or a line's name as read --ids shows it.")]
Off = Annotated[bool, typer.Option("--off", help="Take it off again.")]


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("edit", epilog="Example: conclave edit '#ops' last 'the pump is back at 14:00'")(edit)
    app.command("delete", epilog="Example: conclave delete @burak 3f9a10")(delete)
    app.command("react", epilog="Examples: conclave react '#ops' last 👍; conclave react '#ops' last 👍 --off")(react)
    app.command("pin", epilog="Examples: conclave pin '#ops' 3f9a10; conclave pin '#ops' 3f9a10 --off")(pin)
    app.command("pins", epilog="Example: conclave pins '#ops'")(pins)
    app.command(
        "timer", epilog="Examples: conclave timer '#ops'; conclave timer @burak 1h; conclave timer '#ops' off"
    )(timer)
    app.command("mute", epilog="Example: conclave mute '#ops'")(mute)
    app.command("unmute", epilog="Example: conclave unmute '#ops'")(unmute)


def edit(
    ctx: typer.Context,
    conversation: To,
    line: Line,
    text: Annotated[str, typer.Argument(help="The new words; - reads them from standard input.")],
    as_json: Json = False,
) -> None:
    """Put other words in place of something that you said, on every device. That it was edited is shown."""
    _change(ctx, "edit", "edited", conversation, as_json=as_json, line=line, text=text_of(text))


def delete(ctx: typer.Context, conversation: To, line: Line, as_json: Json = False) -> None:
    """Take back something that you said: its words go from every device that gets to know it."""
    _change(ctx, "delete", "deleted", conversation, as_json=as_json, line=line)


def react(
    ctx: typer.Context,
    conversation: To,
    line: Line,
    sign: Annotated[str, typer.Argument(help="One emoji.")],
    off: Off = False,
    as_json: Json = False,
) -> None:
    """Put a sign at a line."""
    words = "taken off" if off else "put there"
    _change(ctx, "react", f"{sign} {words}", conversation, as_json=as_json, line=line, sign=sign, on=not off)


def pin(ctx: typer.Context, conversation: To, line: Line, off: Off = False, as_json: Json = False) -> None:
    """Keep a line in everybody's view."""
    words = "no longer pinned" if off else "pinned"
    _change(ctx, "pin", words, conversation, as_json=as_json, line=line, on=not off)


def _change(ctx: typer.Context, method: str, words: str, conversation: str, *, as_json: bool, **params: Any) -> None:
    with NodeClient(context_of(ctx).home) as node:
        result = node.call(method, conversation=conversation, **params)
    if as_json:
        emit([result])
    else:
        note(words)
        show_line(result, result["conversation"], as_json=False, ids=True)


def pins(ctx: typer.Context, conversation: To, as_json: Json = False) -> None:
    """Show what is pinned."""
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("pins", conversation=conversation)
    if result.get("outside") and not as_json:
        note(f"{result['outside']}: {result['remedy']}")
    elif not result["lines"] and not as_json:
        note(f"nothing is pinned. Pin a line: conclave pin '{result['conversation']}' last")
    for line in result["lines"]:
        show_line(line, result["conversation"], as_json=as_json, ids=True)


def timer(
    ctx: typer.Context,
    conversation: To,
    after: Annotated[
        str, typer.Argument(metavar="[TIME]", help="30s, 10m, 8h, 7d; or off.", show_default=False)
    ] = "",
    as_json: Json = False,
) -> None:
    """Let what anybody says there from now on disappear, on every device; without TIME, show the timer.

    The others are told.
    """
    with NodeClient(context_of(ctx).home) as node:
        if not after:
            there = node.call("lines", conversation=conversation, limit=1)
            if there.get("outside"):
                raise LocalError(there["outside"], remedy=there["remedy"])
            if as_json:
                emit([{"conversation": there["conversation"], "seconds": there["timer"]}])
            else:
                say(f"{there['conversation']}: {there['kept']}")
            return
        result = node.call("timer", conversation=conversation, seconds=seconds_of(after))
    if as_json:
        emit([result])
        return
    kept = f"disappears after {after}" if result["seconds"] else "is kept"
    note(f"{result['conversation']}: what is said from now on {kept}")


def mute(ctx: typer.Context, conversation: To, as_json: Json = False) -> None:
    """Let a conversation ring no more: it is kept as ever, and not told on your node's screen."""
    _mute(ctx, conversation, as_json=as_json, on=True)


def unmute(ctx: typer.Context, conversation: To, as_json: Json = False) -> None:
    """Let a conversation ring again."""
    _mute(ctx, conversation, as_json=as_json, on=False)


def _mute(ctx: typer.Context, conversation: str, *, as_json: bool, on: bool) -> None:
    with NodeClient(context_of(ctx).home) as node:
        result: dict[str, Any] = node.call("mute", conversation=conversation, on=on)
    if as_json:
        emit([result])
    else:
        note(f"{result['conversation']} is {'muted' if on else 'told again'}")
