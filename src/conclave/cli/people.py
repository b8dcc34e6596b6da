"""``who``, ``find``, ``requests``, ``accept``, ``reject``, ``unblock``, ``busy``: people, and what they ask of us."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from conclave.cli import classic
from conclave.cli.classic import ByLink, Link
from conclave.cli.context import Json, context_of, emit, note, say, table
from conclave.cli.moments import moment
from conclave.node.door.client import NodeClient

Who = Annotated[str, typer.Argument(metavar="PEER", help="A handle, with or without @.")]
OfLobby = Annotated[
    str, typer.Option("--lobby", metavar="LOBBY", help="Only the invitation to this lobby.", show_default=False)
]


AWAY = "not linked"
"""Of who may be online or not, as the authority cannot be asked."""


class OnOff(StrEnum):
    """A switch."""

    ON = "on"
    OFF = "off"


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("who", epilog="Example: conclave who --json")(who)
    app.command("find", epilog="Example: conclave find burak")(find)
    app.command("requests", epilog="Example: conclave requests")(requests)
    app.command("accept", epilog="Example: conclave accept ayse; conclave accept ayse --lobby ops")(accept)
    app.command("reject", epilog="Example: conclave reject ayse --block")(reject)
    app.command("unblock", epilog="Example: conclave unblock ayse")(unblock)
    app.command("busy", epilog="Example: conclave busy on")(busy)


def who(
    ctx: typer.Context,
    query: Annotated[str, typer.Argument(help="Part of a handle or name.", show_default=False)] = "",
    as_json: Json = False,
) -> None:
    """List the directory: who exists, who is online, who is linked to you; and whom you blocked or muted."""
    with NodeClient(context_of(ctx).home) as node:
        answer = node.call("who", query=query)
    if as_json:
        emit(answer["users"])
        return
    if answer["source"] != "authority":
        note(f"{answer.get('standing') or 'the authority is out of reach'}: this is what your node remembers")
    if not answer["users"]:
        if answer["source"] != "authority":
            note("nobody is remembered here")
        else:
            note("nobody found" if query else "nobody is enrolled yet: conclave authority invite NAME")
        return
    away = "offline" if answer["source"] == "authority" else AWAY
    table(("HANDLE", "STATE", "ADDRESS", "NAME"), [_person(user, away) for user in answer["users"]])


def _person(user: dict[str, Any], away: str = "offline") -> tuple[str, str, str, str]:
    state = "you" if user.get("me") else "online" if user["online"] else away
    state += "".join(f", {word}" for word in ("linked", "blocked", "muted") if user.get(word))
    return user["handle"], state, user.get("address") or _before(user) or "-", user.get("name") or ""


def _before(user: dict[str, Any]) -> str:
    """Where somebody was reached before."""
    return f"was at {user['last']}" if user.get("last") else ""


def find(ctx: typer.Context, handle: Who, as_json: Json = False) -> None:
    """Look one person up: address, offline, or not found."""
    with NodeClient(context_of(ctx).home) as node:
        user = node.call("find", handle=handle)
    if as_json:
        emit([user])
    elif not user["found"]:
        note(f"{user['handle']} is not in the directory")
    elif user["linked"] and not user["address"]:
        say(f"{user['handle']} is online and linked to you")
    elif user["source"] != "authority" and not user["linked"]:
        note("the authority is out of reach: this is what your node remembers")
        say(f"{user['handle']} {_before(user) or 'is in the directory'}")
    elif user["online"]:
        say(f"{user['handle']} is online at {user['address']}")
    else:
        say(", ".join(filter(None, (f"{user['handle']} is offline", _before(user)))))
    if not user["found"]:
        raise typer.Exit(1)


def requests(ctx: typer.Context, as_json: Json = False) -> None:
    """List who asks to chat, and who invites you to a lobby."""
    with NodeClient(context_of(ctx).home) as node:
        waiting = node.call("requests")["requests"]
        legacy = node.call("classic.requests")["requests"]
    if as_json:
        emit([*waiting, *legacy])
        return
    classic.requests(legacy)
    if not waiting and not legacy:
        note("no requests")
    for request in waiting:
        when, peer, label = moment(request["since"]) if request["since"] else "", request["from"], request["lobby"]
        asks = f"{peer} invites you to {label}" if label else f"{peer} asks to chat: {request['text']}"
        several = sum(one["from"] == peer for one in waiting) > 1  # without a name, all are accepted at once
        say(f"{when}  {asks}   conclave accept {peer}{f' --lobby {label[1:]}' if label and several else ''}")


def accept(
    ctx: typer.Context, peer: Who, lobby: OfLobby = "", link: ByLink = Link.TLS, as_json: Json = False
) -> None:
    """Accept somebody's request to chat, and the invitations that came from them."""
    if link is Link.CLASSIC:
        classic.answer(ctx, peer, as_json=as_json, accept=True)
        return
    _answer(ctx, peer, lobby, as_json=as_json, accept=True)


def reject(
    ctx: typer.Context,
    peer: Who,
    lobby: OfLobby = "",
    block: Annotated[
        bool, typer.Option("--block", help="For good: nothing of theirs reaches you outside lobbies.")
    ] = False,
    link: ByLink = Link.TLS,
    as_json: Json = False,
) -> None:
    """Reject somebody's request to chat, and the invitations that came from them."""
    if link is Link.CLASSIC:
        classic.answer(ctx, peer, as_json=as_json, accept=False, block=block)
        return
    _answer(ctx, peer, lobby, as_json=as_json, accept=False, block=block)


def _answer(ctx: typer.Context, peer: str, lobby: str, *, as_json: bool, **answer: bool) -> None:
    with NodeClient(context_of(ctx).home) as node:
        answered = node.call("answer", peer=peer, lobby=lobby, **answer)["answered"]
    if as_json:
        emit(answered)
        return
    for done in answered:
        note(_answered(done, accepted=answer["accept"]))
    if answered and all(done.get("stage") in ("ended", "") for done in answered):
        raise typer.Exit(1)


def _answered(done: dict[str, Any], *, accepted: bool) -> str:
    if done.get("blocked"):
        return f"blocked: {done['from']}; nothing of theirs reaches you outside lobbies"
    what = f"{done['from']}'s invitation to {done['lobby']}" if done["lobby"] else f"chatting with {done['from']}"
    match done.get("stage"):
        case "ended" | "":
            return (
                f"{done['lobby']} was closed meanwhile, or {done['from']}'s invitation taken back: you are not let in"
            )
        case "joining":
            return f"accepted: {what}; you are let in as soon as {done['from']} is online"
    return f"{'accepted' if accepted else 'rejected'}: {what}"


def unblock(ctx: typer.Context, peer: Who, link: ByLink = Link.TLS, as_json: Json = False) -> None:
    """Let somebody ask again whom you blocked."""
    if link is Link.CLASSIC:
        classic.unblock(ctx, peer, as_json=as_json)
        return
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("unblock", peer=peer)
    if as_json:
        emit([result])
    else:
        note(f"{result['peer']} may ask again")


def busy(
    ctx: typer.Context, switch: Annotated[OnOff, typer.Argument(help="on or off")], as_json: Json = False
) -> None:
    """Turn new requests away for a while; those who asked are told when you are free again."""
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("busy", on=switch is OnOff.ON)
    if as_json:
        emit([result])
    else:
        note("busy: new requests are turned away" if result["busy"] else "free: whoever was turned away is told")
