"""``whoami``, ``doctor``, ``logout``: the node and the identity that it speaks for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import typer

from conclave.cli.context import Json, context_of, emit, note, say, table
from conclave.node.door.client import NodeClient, NoNode


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("whoami", epilog="Example: conclave whoami --json")(whoami)
    app.command("doctor", epilog="Example: conclave --home ~/ayse doctor")(doctor)
    app.command("logout", epilog="Example: conclave logout")(logout)


def whoami(ctx: typer.Context, as_json: Json = False) -> None:
    """Tell who you are here: handle, device, certificates and their expiry, authority."""
    with NodeClient(context_of(ctx).home) as node:
        status = node.call("status")
    if as_json:
        emit([status])
        return
    say(f"{status['handle']}@{status['realm']}  device {status['device']}")
    for certificate in status["certificates"]:
        until = datetime.fromtimestamp(certificate["until"]).astimezone().strftime("%d.%m.%Y %H:%M")
        say(f"  {certificate['profile']:<8} valid until {until}  SHA-256 {certificate['fingerprint'][:16]}…")
    say(f"  listening on {status['listen']}")
    if "classic" in status["kinds"]:
        say(f"  legacy links are on; open now: {', '.join(one['peer'] for one in status['legacy_links']) or 'none'}")
    say(f"  authority: {status['authority']['text']}")


def doctor(ctx: typer.Context, as_json: Json = False) -> None:
    """Check this home from the ground up, and say what to do about what is wrong. Exit 1 if anything is."""
    from conclave.node.home.doctor import examine

    checks = examine(context_of(ctx).home)
    if as_json:
        emit([check.as_json() for check in checks])
    else:
        table(("CHECK", "STATE", "WHAT"), ((c.name, "ok" if c.good else "WRONG", c.text) for c in checks))
        for check in checks:
            if check.remedy:
                note(f"  {check.name}: try: {check.remedy}")
    if not all(check.good for check in checks):
        raise typer.Exit(1)


def logout(ctx: typer.Context, as_json: Json = False) -> None:
    """Say goodbye to the directory and end your node. Your history and your certificate stay."""
    result: dict[str, Any] = {"stopped": True}
    try:
        with NodeClient(context_of(ctx).home) as node:
            node.call("stop")
            for _ in node.notices(timeout=10):
                pass  # until it hangs up
    except NoNode:
        result["stopped"] = False
    if as_json:
        emit([result])
    else:
        note("logged out" if result["stopped"] else "your node was not running")
