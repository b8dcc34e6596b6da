"""``conclave lobby …``: group chats that one peer leads."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from conclave.cli import classic, people
from conclave.cli.classic import ByLink, Link
from conclave.cli.context import Json, context_of, emit, note, say, table
from conclave.cli.talk import kept
from conclave.errors import LocalError
from conclave.node.door.client import NodeClient

app = typer.Typer(
    help="Group chats: one peer puts what is said in order, and is succeeded when it is gone.",
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
    """Ask more people into a lobby that you are in."""
    if link is Link.CLASSIC:
        classic.gather(ctx, lobby, invited, opening=False, as_json=as_json)
        return
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("lobby.invite", lobby=lobby, invited=invited)
    if as_json:
        emit([result])
    else:
        note(f"asked into {result['lobby']}: {', '.join(result['invited'])}")


@app.command(epilog="Example: conclave lobby join ops")
def join(ctx: typer.Context, lobby: Lobby, as_json: Json = False) -> None:
    """Accept the invitation to a lobby, as conclave accept does."""
    label = "#" + lobby.removeprefix("#")
    with NodeClient(context_of(ctx).home) as node:
        waiting = node.call("requests")["requests"]
    asking = [one for one in waiting if label in (one["lobby"], one["lobby"].partition("@")[0])]
    if not asking:
        raise LocalError(
            f"no invitation to {label} waits for your answer",
            remedy="conclave lobby list shows where you are in; else ask somebody there to invite you",
        )
    if len(asking) > 1 or asking[0]["lobby"] != label:  # whoever asked first, or a lobby that we are in, has the name
        raise LocalError(
            "; ".join(f"{one['from']} invites you to {one['lobby']}" for one in asking),
            remedy=" or: ".join(f"conclave accept {one['from']} --lobby {one['lobby'][1:]}" for one in asking),
        )
    people.accept(ctx, asking[0]["from"], label, as_json=as_json)


@app.command(epilog="Example: conclave lobby share ops @deniz --last 20")
def share(
    ctx: typer.Context,
    lobby: Lobby,
    member: Annotated[str, typer.Argument(metavar="@PEER", help="Who came in later.")],
    last: Annotated[int, typer.Option(min=1, max=1000, help="So many lines at most, the last ones.")] = 50,
    as_json: Json = False,
) -> None:
    """Show somebody who came in after you what was said before. Everybody there is told."""
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("lobby.share", lobby=lobby, member=member, last=last)
    if as_json:
        emit([result])
    else:
        lines = "1 line" if result["lines"] == 1 else f"{result['lines']} lines"
        shown = "is shown" if result["lines"] == 1 else "are shown"
        note(f"{lines} of {result['lobby']} from before {result['member']} came in {shown} to {result['member']}")


@app.command(epilog="Example: conclave lobby who ops")
def who(ctx: typer.Context, lobby: Lobby, link: ByLink = Link.TLS, as_json: Json = False) -> None:
    """Show who is in a lobby, who was asked, and who is there now."""
    if link is Link.CLASSIC:
        classic.lobbies(ctx, lobby, as_json=as_json)
        return
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("lobby.who", lobby=lobby)
    if not result["members"]:
        raise LocalError(f"{result['lobby']}: {result['words']}", remedy="conclave lobby list shows where you are in")
    if as_json:
        emit([member | {"timer": result["timer"]} for member in result["members"]])
        return
    check = " ".join(result["check"][at : at + 4] for at in range(0, len(result["check"]), 4))
    note(f"{result['lobby']} · led by {result['leader']} · {result['protection']}{kept(result)}")
    if check:
        note(f"{result['entries']} entries, check {check}: the same for everybody who was shown the same")
    note(result["words"])
    table(
        ("MEMBER", "ROLE", "STATE", "HAS ALL UP TO"),
        ((m["handle"], m["role"], "you" if m["me"] else m["state"], _has(m)) for m in result["members"]),
    )


def _has(member: dict[str, Any]) -> str:
    if member["state"] == "invited":
        return "-"
    return "all" if member["has_all"] else str(member["has"]) if member["heard"] else "unknown"


@app.command(epilog="Example: conclave lobby remove ops @cem --reason 'left the company'")
def remove(
    ctx: typer.Context,
    lobby: Lobby,
    member: Annotated[str, typer.Argument(metavar="@PEER", help="Whom to put out.")],
    reason: Annotated[str, typer.Option(help="Told to everybody.", show_default=False)] = "",
    as_json: Json = False,
) -> None:
    """Put somebody out of a lobby: nothing that is said afterwards can be read there."""
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("lobby.remove", lobby=lobby, member=member, reason=reason)
    if as_json:
        emit([result])
    else:
        note(f"{result['member']} is being put out of {result['lobby']}")


@app.command(epilog="Examples: conclave lobby deputies ops; conclave lobby deputies ops @burak @cem")
def deputies(
    ctx: typer.Context,
    lobby: Lobby,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[@PEER…]", help="The new ones, in order.", show_default=False)
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="No deputies any more.")] = False,
    as_json: Json = False,
) -> None:
    """Show or set who leads first when the leader is gone."""
    chosen = [] if none else (names or None)
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("lobby.deputies", lobby=lobby, deputies=chosen)
    if as_json:
        emit([result])
    elif result["deputies"]:
        say(f"{result['lobby']}: when the leader is gone, first {', then '.join(result['deputies'])}")
    else:
        say(f"{result['lobby']} has no deputies: whoever came in first follows")


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
        ((b["lobby"], b["role"] + ", muted" * b["muted"], b["leader"], str(b["members"])) for b in lobbies),
    )


@app.command(epilog="Example: conclave lobby leave ops")
def leave(ctx: typer.Context, lobby: Lobby, as_json: Json = False) -> None:
    """Leave a lobby. If you lead it, somebody else does from then on."""
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("lobby.leave", lobby=lobby)
    if as_json:
        emit([result])
    elif result["left"]:
        say(f"you left {result['lobby']}")
    else:
        say(f"leaving {result['lobby']}; you are out as soon as its leader has ordered it")


@app.command(epilog="Example: conclave lobby close ops")
def close(ctx: typer.Context, lobby: Lobby, link: ByLink = Link.TLS, as_json: Json = False) -> None:
    """Close a lobby that you lead, for everybody."""
    if link is Link.CLASSIC:
        classic.close_lobby(ctx, lobby, as_json=as_json)
        return
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("lobby.close", lobby=lobby)
    if as_json:
        emit([result])
    else:
        say(f"closed {result['lobby']}")
