"""``conclave join``: from an invite to a certificate, over the network or by file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conclave.cli.context import Context, Json, PassphraseFile, context_of, emit, note, read_passphrase, typed
from conclave.errors import NotReady, UsageError

if TYPE_CHECKING:  # imported where it is used: --help must be quick
    from conclave.node.home.enrolment import Joined

INPUT_CHARACTERS = 4096
"""More of a line on standard input is not read."""


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command(
        "join",
        epilog="Examples: conclave join 'conclave://…'. By file: conclave join 'conclave://…' --csr-out DIR; "
        "there conclave authority sign DIR/*.pem --out DIR2; then conclave join --certificates DIR2",
    )(join)


def join(
    ctx: typer.Context,
    invite: Annotated[
        str,
        typer.Argument(
            help="The one-line invite; - reads it from standard input, or asks for it: the way where others use this "
            "machine too, since they can read a command's arguments.",
            show_default=False,
        ),
    ] = "",
    csr_out: Annotated[
        Path | None,
        typer.Option(
            "--csr-out", metavar="DIR", help="By file: make keys here, write requests there.", show_default=False
        ),
    ] = None,
    certificates: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="By file: take in what the authority wrote.", show_default=False),
    ] = None,
    handle: Annotated[
        str, typer.Option(help="Your handle, for --csr-out without an invite.", show_default=False)
    ] = "",
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--password-file", help="The account's password, where the invite has no token.", show_default=False
        ),
    ] = None,
    root_sha256: Annotated[
        str,
        typer.Option("--root-sha256", help="The root's fingerprint (hex), for --certificates.", show_default=False),
    ] = "",
    again: Annotated[
        bool,
        typer.Option("--again", help="Replace keys and certificate, though they hold; history and outbox stay."),
    ] = False,
    classic: Annotated[
        bool, typer.Option("--classic", help="A certificate of the profile classic (RSA) too.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Enrol this device: make keys, ask the authority, verify the certificates, keep them under a passphrase.

    A device whose certificate expired or was revoked joins again with a new invite; history and outbox stay.
    """
    from conclave.node.home import enrolment
    from conclave.pki.invite import parse_invite
    from conclave.pki.names import parse_handle
    from conclave.pki.profile import Profile

    context = context_of(ctx)
    profiles = (*enrolment.STANDARD, Profile.CLASSIC) if classic else enrolment.STANDARD
    if certificates is not None:
        passphrase = read_passphrase(context, "passphrase", file=passphrase_file)
        pin = _fingerprint(root_sha256)
        joined = enrolment.take_certificates(context.home, certificates, passphrase, pin)
        if pin is None and not as_json:
            note(f"the root's SHA-256 is {joined.root_sha256.hex()}: compare it with the authority's own")
        _tell(context, joined, as_json=as_json)
        return
    if not invite and not (csr_out and handle):
        raise UsageError(
            "an invite is needed", remedy="conclave join '<invite>'; conclave join --help for enrolment by file"
        )
    parsed = typed(parse_invite, _read_invite() if invite == "-" else invite) if invite else None
    if parsed is not None:
        parsed.demand_fresh(time.time())
    passphrase = read_passphrase(context, "a passphrase for this home", file=passphrase_file, confirm=True)
    if csr_out is not None:
        name = parsed.handle if parsed is not None else typed(parse_handle, handle)
        files = enrolment.write_requests(
            context.home, csr_out, name, parsed, passphrase, profiles, _progress(as_json), again=again
        )
        if as_json:
            emit([{"handle": name, "requests": [str(path) for path in files]}])
        else:
            names = ", ".join(path.name for path in files)
            note(f"carry {names} to the authority: conclave authority sign … --out DIR")
            note("then bring DIR back: conclave join --certificates DIR")
        return
    if parsed is None:  # pragma: no cover - ruled out above
        raise UsageError("an invite is needed")
    secret = parsed.secret or _password(context, password_file)
    joined = enrolment.join(context.home, parsed, secret, passphrase, profiles, _progress(as_json), again=again)
    _tell(context, joined, as_json=as_json)


def _read_invite() -> str:
    if sys.stdin.isatty():
        sys.stderr.write("invite: ")
        sys.stderr.flush()
    line = sys.stdin.readline(INPUT_CHARACTERS)
    if not line.strip():
        raise UsageError("there is no invite on standard input", remedy="paste the line, from conclave:// to its end")
    return line


def _password(context: Context, file: Path | None) -> str:
    if file is None and context.passphrase_file is not None:
        raise NotReady("this invite has no token: the account's password is needed", remedy="--password-file FILE")
    return read_passphrase(Context(context.home, None), "the account's password", file=file)


def _fingerprint(text: str) -> bytes | None:
    if not text:
        return None
    try:
        return bytes.fromhex(text.replace(":", ""))
    except ValueError as error:
        raise UsageError(
            "--root-sha256 is not hex", remedy="64 hex digits, as `authority init` printed them"
        ) from error


def _progress(quiet: bool) -> Callable[[str], None]:
    return (lambda _text: None) if quiet else note


def _tell(context: Context, joined: Joined, *, as_json: bool) -> None:
    from conclave.pki.names import device_number

    me = joined.me
    if as_json:
        row = {"handle": me.handle, "realm": me.realm, "device": me.device, "until": me.not_after}
        emit([row | {"home": str(context.home), "root_sha256": joined.root_sha256.hex()}])
    else:
        days = (me.not_after - time.time()) / 86_400
        note(f"you are {me.handle}@{me.realm}, device {me.device}; valid for {days:.0f} days and renewed by itself")
        if device_number(me.device) != 1:
            note(
                f"chats move to this device. End any other one of {me.handle}, or they get in each other's way; "
                f"to shut one out for good: conclave authority revoke {me.handle}/dN"
            )
        note("next: conclave up")
