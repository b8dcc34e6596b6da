"""The legacy suite on the command line: what ``--link classic`` does to the verbs, and how its notices read.

Every line that it prints says *legacy*. Left out: the verbs themselves (``cli.talk``, ``cli.people``, ``cli.lobby``).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from conclave.cli.context import Json, context_of, emit, note, say, table
from conclave.errors import LocalError
from conclave.node.door.client import NodeClient

QUEUED = 5
"""Exit code: not sent yet, the peer has not answered."""
LEGACY = "legacy:"
"""What the names of legacy conversations begin with."""


class Link(StrEnum):
    """Over which kind of link."""

    TLS = "tls"
    CLASSIC = "classic"


ByLink = Annotated[
    Link,
    typer.Option(
        "--link", help="tls, or the legacy suite of the report: classic, which both sides must have switched on."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Register the verb of its own."""
    app.command("hangup", epilog="Example: conclave hangup ayse")(hang_up)


def is_legacy(conversation: str, link: Link) -> bool:
    """Whether a conversation is a legacy one, by its name or by the option."""
    return link is Link.CLASSIC or conversation.startswith(LEGACY)


def speak(ctx: typer.Context, to: str, text: str, *, wait: bool, timeout: float, at: str, as_json: bool) -> None:
    """``say --link classic``."""
    with NodeClient(context_of(ctx).home) as node:
        patience = timeout + 30
        result = node.call("classic.say", patience=patience, to=to, text=text, wait=wait, timeout=timeout, at=at)
    status, why = result["status"], result.get("why", "")
    if as_json:
        emit([result])
    elif status == "sent":
        unproven = "" if result.get("proven", True) else "; the peer has not proven its key yet: its first words will"
        note(f"sent, {result['protection']}: nothing confirms it{unproven}")
    else:
        note(f"{status}{f' ({why})' if why else ''} · {result['protection']}")
    if status == "not sent":
        raise typer.Exit(1)
    if wait and status != "sent":
        raise typer.Exit(QUEUED)


def requests(home_call: list[dict[str, Any]]) -> None:
    """The legacy requests of ``requests``, for people."""
    for request in home_call:
        when = datetime.fromtimestamp(request["since"]).astimezone().strftime("%d.%m. %H:%M")
        peer = request["from"]
        say(f"{when}  {peer} asks to chat over a legacy link   conclave accept {peer} --link classic")


def answer(ctx: typer.Context, peer: str, *, as_json: bool, accept: bool, block: bool = False) -> None:
    """``accept`` and ``reject`` with ``--link classic``."""
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("classic.answer", peer=peer, accept=accept, block=block)
    if as_json:
        emit([result])
    else:
        note(f"{'accepted' if accept else 'rejected'}: chatting with {result['from']} · {result['protection']}")


def unblock(ctx: typer.Context, peer: str, *, as_json: bool) -> None:
    """``unblock --link classic``."""
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("classic.unblock", peer=peer)
    if as_json:
        emit([result])
    else:
        note(f"{result['peer']} may ask again over legacy links")


def gather(ctx: typer.Context, name: str, invited: list[str], *, opening: bool, as_json: bool) -> None:
    """``lobby open`` and ``lobby invite`` with ``--link classic``."""
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("classic.gather", lobby=name, invited=invited, opening=opening)
    if as_json:
        emit([result])
    else:
        note(f"{result['lobby']} · {result['protection']}: you lead it and read everything in it")
        note(f"asked: {', '.join(result['invited'])}")


def close_lobby(ctx: typer.Context, name: str, *, as_json: bool) -> None:
    """``lobby close --link classic``."""
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("classic.close", lobby=name)
    if as_json:
        emit([result])
    else:
        say(f"closed {result['lobby']} · {result['protection']}")


def lobbies(ctx: typer.Context, name: str = "", *, as_json: bool) -> None:
    """``lobby list`` and ``lobby who`` with ``--link classic``: those that we lead; members know the leader alone."""
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("classic.who")
    wanted = f"#{name.removeprefix('#')}" if name else ""
    found = [lobby for lobby in result["lobbies"] if wanted in ("", lobby["lobby"])]
    if name and not found:
        raise LocalError(f"you lead no legacy lobby {wanted}", remedy="conclave lobby list --link classic")
    if as_json:
        emit(found)
        return
    if not found:
        note("you lead no legacy lobby: conclave lobby open --link classic ops @burak @cem")
        return
    table(
        ("LOBBY", "MEMBERS", "ASKED"),
        ((one["lobby"], ", ".join(one["members"]) or "-", ", ".join(one["asked"]) or "-") for one in found),
    )


def hang_up(
    ctx: typer.Context,
    peer: Annotated[str, typer.Argument(metavar="PEER", help="A handle, with or without @.")],
    as_json: Json = False,
) -> None:
    """End the legacy link with somebody: out of a chat, or out of the legacy lobby that they lead."""
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("classic.hangup", peer=peer)
    if as_json:
        emit([result])
    else:
        note(f"the legacy link with {result['peer']} is ended")


_ANSWERS = {"accepted": "accepted", "rejected": "said no", "busy": "is busy"}


def words(notice: dict[str, Any]) -> str:
    """A notice about legacy links, for people; empty for any other."""
    match notice:
        case {"notice": "legacy-asked", "peer": peer}:
            return f"{peer} asks to chat over a legacy link: conclave accept {peer} --link classic"
        case {"notice": "legacy-answered", "peer": peer, "answer": word}:
            return f"{peer} {_ANSWERS.get(word, word)} (legacy link)"
        case {"notice": "legacy-opened", "peer": peer, "address": address, "proven": proven}:
            how = "its signature verified" if proven else "not proven before its first words"
            return f"legacy link with {peer} at {address}: {how}"
        case {"notice": "legacy-proven", "peer": peer}:
            return f"{peer} has proven its key (legacy link)"
        case {"notice": "legacy-closed", "peer": peer, "reason": reason, "text": text}:
            return f"legacy link with {peer} ended: {text or reason}"
        case _:
            return ""
