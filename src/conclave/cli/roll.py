"""``roll`` and ``verify``: who is in the room now, and whether somebody is who you think.

Left out: the certificates' own checks, which every device makes by itself.
"""

from __future__ import annotations

import io
from typing import Annotated

import typer

from conclave.cli.context import Json, context_of, emit, note, say, table
from conclave.cli.lobby import Lobby
from conclave.cli.moments import dated
from conclave.cli.people import Who
from conclave.errors import UsageError
from conclave.node.door.client import NodeClient

DIFFERENT = 6
"""Exit code: an identity that is not the one that was compared."""


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("roll", epilog="Example: conclave roll ops --seconds 10")(roll)
    app.command("verify", epilog="Examples: conclave verify @burak; conclave verify @burak --is '48213 90771 …'")(
        verify
    )


def roll(
    ctx: typer.Context,
    lobby: Lobby,
    seconds: Annotated[float, typer.Option(min=0, max=60, help="How long to wait for answers.")] = 5.0,
    as_json: Json = False,
) -> None:
    """Call the roll: every device in the lobby is asked for a signed answer now. Exit 1 if somebody is missing."""
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("roll", patience=seconds + 30, lobby=lobby, seconds=seconds)
    if as_json:
        emit(result["members"])
    else:
        note(f"{result['lobby']}: {result['present']} of {result['of']} answered within {seconds:g} s")
        table(
            ("MEMBER", "ANSWER", "CERTIFICATE UNTIL", "SHA-256"),
            (
                (
                    m["handle"],
                    _answer(m["present"], m["me"]),
                    dated(m["until"], seconds=False),
                    _print(m["fingerprint"]),
                )
                for m in result["members"]
            ),
        )
    if result["present"] < result["of"]:
        raise typer.Exit(1)


def _answer(present: bool, me: bool) -> str:
    return "you" if me else "here" if present else "no answer"


def _print(fingerprint: str) -> str:
    return f"{fingerprint[:16]}…" if fingerprint else "-"


def verify(
    ctx: typer.Context,
    peer: Who,
    other: Annotated[
        str,
        typer.Option(
            "--is", metavar="WORDS|DIGITS", help="Compare with what the other side reads.", show_default=False
        ),
    ] = "",
    qr: Annotated[bool, typer.Option("--qr", help="Show it as a QR code too.")] = False,
    as_json: Json = False,
) -> None:
    """Show the safety number of you and a peer. Both see the same, unless somebody stands between you.

    Compare it by another way than this one: face to face, or on the telephone. Exit 6 if --is differs, or if the
    peer's certificate is revoked or suspended.
    """
    if peer.startswith("#"):
        raise UsageError(
            "people are compared, one by one", remedy=f"conclave verify @PEER; who is in: conclave roll '{peer}'"
        )
    with NodeClient(context_of(ctx).home) as node:
        result = node.call("verify", peer=peer)
    same = _same(other, result["words"], result["digits"]) if other else None
    former = same is False and any(_same(other, *_spoken(one)) for one in result.get("former", ()))
    if as_json:
        emit([result | ({} if same is None else {"same": same, "of_before": former})])
    else:
        note(f"you and {result['peer']}: the other side must see the same words, and the same digits")
        for row in (result["words"], result["digits"]):
            for at in range(0, len(row), 4):
                say("  " + "  ".join(row[at : at + 4]))
        if qr:
            _show_qr(result["number"])
        for handle, certificate in result["certificates"].items():
            shown = _print(certificate["fingerprint"])
            note(f"{handle}'s certificate: SHA-256 {shown}, valid until {dated(certificate['until'], seconds=False)}")
        for label, fingerprint in result.get("elsewhere", {}).items():
            note(f"in {label} {result['peer']} shows another certificate, SHA-256 {_print(fingerprint)}:")
            note(f"this number says nothing of it: say something to {peer}, which may bring keys with it, then again")
    if result["revoked"]:
        note(f"{'SUSPENDED' if result.get('suspended') else 'REVOKED'}: {result['revoked']}")
        note(f"do not trust this conversation until {result['peer']} is back with a certificate that holds")
        raise typer.Exit(DIFFERENT)
    if former:
        note(f"that is the number of before: since then certificates were renewed or new keys were made with {peer}")
        note("compare the present one, by another way than this one; the conversation says what became of its keys")
        raise typer.Exit(DIFFERENT)
    if same is False:
        note(f"these are DIFFERENT: do not trust this conversation, and tell whoever runs the authority about {peer}")
        raise typer.Exit(DIFFERENT)
    if same:
        note(f"the same: it is {result['peer']}, and nobody stands between you")


def _same(given: str, words: list[str], digits: list[str]) -> bool:
    """What the other side read, in words or digits. Raises ``LocalError`` where that is not the whole of it."""
    letters = "".join(given.lower().split()).replace("-", "")
    whole = "".join(digits if letters.isdigit() else words)
    if len(letters) != len(whole):
        raise UsageError(
            "that is not the whole number of the other side: nothing was compared",
            remedy=f"give all {len(words)} words, or all {len(digits)} groups of digits, in quotes",
        )
    return letters == whole


def _spoken(number: str) -> tuple[list[str], list[str]]:
    from conclave.wire.spoken import digits, words

    data = bytes.fromhex(number)
    return list(words(data)), list(digits(data))


def _show_qr(number: str) -> None:
    import segno

    out = io.StringIO()
    segno.make(f"conclave-safety:{number}", error="m").terminal(out, compact=True)
    typer.echo(out.getvalue())
