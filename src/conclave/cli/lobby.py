"""``conclave lobby …``: group chats that one peer leads."""

from __future__ import annotations

from typing import Annotated

import typer

from conclave.cli import classic
from conclave.cli.classic import ByLink, Link
from conclave.cli.context import Json, context_of, emit, note, say, table
from conclave.node.client import NodeClient

app = typer.Typer(
    help="Group chats: one peer leads, the others speak through it.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Lobby = Annotated[str, typer.Argument(metavar="LOBBY", help="The lobby's name, with or without #.")]
People = Annotated[list[str], typer.Argument(metavar="@PEER…", help="Whom to ask in.")]


@app.command("open", epilog="Example: conclave lobby open ops @burak @cem")
def open_lobby(
    ctx: typer.Context, name: Lobby, invited: People, link: ByLink = Link.TLS, as_json: Json = False
) -> None:
    """Open a lobby that you lead, and ask people in."""
    if link is Link.CLASSIC:
        classic.gather(ctx, name, invited, opening=True, as_json=as_json)
        return
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("lobby.open", name=name, invited=invited)
    if as_json:
        emit([result])
    else:
        note(f"{result['lobby']} is open, you lead it; asked: {', '.join(result['invited'])}")


@app.command(epilog="Example: conclave lobby invite ops @deniz")
def invite(ctx: typer.Context, lobby: Lobby, invited: People, link: ByLink = Link.TLS, as_json: Json = False) -> None:
    """Ask more people into a lobby that you lead."""
    if link is Link.CLASSIC:
        classic.gather(ctx, lobby, invited, opening=False, as_json=as_json)
        return
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("lobby.invite", lobby=lobby, invited=invited)
    if as_json:
        emit([result])
    else:
        note(f"asked into {result['lobby']}: {', '.join(result['invited'])}")


@app.command(epilog="Example: conclave lobby who ops")
def who(ctx: typer.Context, lobby: Lobby, link: ByLink = Link.TLS, as_json: Json = False) -> None:
    """Show who is in a lobby, who was asked, and who is there now."""
    if link is Link.CLASSIC:
        classic.lobbies(ctx, lobby, as_json=as_json)
        return
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("lobby.who", lobby=lobby)
    if as_json:
        emit(result["members"])
        return
    check = " ".join(result["check"][at : at + 4] for at in range(0, len(result["check"]), 4))
    note(f"{result['lobby']} · led by {result['leader']} · {result['protection']}")
    note(f"{result['entries']} entries, check {check}: the same for everybody who was shown the same")
    table(
        ("MEMBER", "ROLE", "STATE"),
        ((m["handle"], m["role"], "you" if m["me"] else m["state"]) for m in result["members"]),
    )


@app.command("list", epilog="Example: conclave lobby list --json")
def list_lobbies(ctx: typer.Context, link: ByLink = Link.TLS, as_json: Json = False) -> None:
    """List the lobbies that you lead, are in, or are invited to."""
    if link is Link.CLASSIC:
        classic.lobbies(ctx, as_json=as_json)
        return
    with NodeClient(context_of(ctx).home) as node:
        lobbies = node.call("lobby.list")["lobbies"]
    if as_json:
        emit(lobbies)
        return
    if not lobbies:
        note("no lobbies yet: conclave lobby open ops @burak @cem")
        return
    table(
        ("LOBBY", "YOU", "LEADER", "MEMBERS"),
        ((b["lobby"], b["role"], b["leader"], str(b["members"])) for b in lobbies),
    )


@app.command(epilog="Example: conclave lobby leave ops")
def leave(ctx: typer.Context, lobby: Lobby, as_json: Json = False) -> None:
    """Leave a lobby that somebody else leads."""
    _end(ctx, "lobby.leave", lobby, "you left", as_json=as_json)


@app.command(epilog="Example: conclave lobby close ops")
def close(ctx: typer.Context, lobby: Lobby, link: ByLink = Link.TLS, as_json: Json = False) -> None:
    """Close a lobby that you lead, for everybody."""
    if link is Link.CLASSIC:
        classic.close_lobby(ctx, lobby, as_json=as_json)
        return
    _end(ctx, "lobby.close", lobby, "closed", as_json=as_json)


def _end(ctx: typer.Context, method: str, lobby: str, words: str, *, as_json: bool) -> None:
    with NodeClient(context_of(ctx).home) as node:
        result = node.call(method, lobby=lobby)
    if as_json:
        emit([result])
    else:
        say(f"{words} {result['lobby']}")
