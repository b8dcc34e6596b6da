"""``conclave join``: from an invite to a certificate, over the network or by file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from conclave.cli.context import Context, Json, PassphraseFile, context_of, emit, note, read_passphrase
from conclave.errors import LocalError


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command(
        "join",
        epilog="Examples: conclave join 'conclave://…'. By file: conclave join 'conclave://…' --csr-out DIR; "
        "there conclave authority sign DIR/*.pem --out DIR2; then conclave join --certificates DIR2",
    )(join)


def join(
    ctx: typer.Context,
    invite: Annotated[str, typer.Argument(help="The one-line invite.", show_default=False)] = "",
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
    classic: Annotated[
        bool, typer.Option("--classic", help="A certificate of the profile classic (RSA) too.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Enrol this device: make keys, ask the authority, verify the certificates, keep them under a passphrase."""
    from conclave.node import enrolment
    from conclave.node.identity import read_trust
    from conclave.node.paths import vault_path
    from conclave.pki.invite import parse_invite
    from conclave.pki.names import parse_handle
    from conclave.pki.profile import Profile
    from conclave.store.vault import unlock

    context = context_of(ctx)
    profiles = (*enrolment.STANDARD, Profile.CLASSIC) if classic else enrolment.STANDARD
    if certificates is not None:
        passphrase = read_passphrase(context, "passphrase", file=passphrase_file)
        pin = _fingerprint(root_sha256)
        me = enrolment.take_certificates(context.home, certificates, passphrase, pin)
        if pin is None and not as_json:
            root = read_trust(unlock(vault_path(context.home), passphrase).content.trust).root
            note(f"the root's SHA-256 is {root.fingerprint.hex()}: compare it with the authority's own")
        _joined(context, me.handle, me.realm, me.device, me.not_after, as_json=as_json)
        return
    if not invite and not (csr_out and handle):
        raise LocalError(
            "an invite is needed", remedy="conclave join '<invite>'; conclave join --help for enrolment by file"
        )
    parsed = parse_invite(invite) if invite else None
    if parsed is not None:
        parsed.demand_fresh(time.time())
    passphrase = read_passphrase(context, "a passphrase for this home", file=passphrase_file, confirm=True)
    if csr_out is not None:
        name = parsed.handle if parsed is not None else parse_handle(handle)
        files = enrolment.write_requests(
            context.home, csr_out, name, parsed, passphrase, profiles, _progress(as_json)
        )
        if as_json:
            emit([{"handle": name, "requests": [str(path) for path in files]}])
        else:
            names = ", ".join(path.name for path in files)
            note(f"carry {names} to the authority: conclave authority sign … --out DIR")
            note("then bring DIR back: conclave join --certificates DIR")
        return
    if parsed is None:  # pragma: no cover - ruled out above
        raise LocalError("an invite is needed")
    secret = parsed.secret or _password(context, password_file)
    me = enrolment.join(context.home, parsed, secret, passphrase, profiles, _progress(as_json))
    _joined(context, me.handle, me.realm, me.device, me.not_after, as_json=as_json)


def _password(context: Context, file: Path | None) -> str:
    if file is None and context.passphrase_file is not None:
        raise LocalError("this invite has no token: the account's password is needed", remedy="--password-file FILE")
    return read_passphrase(Context(context.home, None), "the account's password", file=file)


def _fingerprint(text: str) -> bytes | None:
    if not text:
        return None
    try:
        return bytes.fromhex(text.replace(":", ""))
    except ValueError as error:
        raise LocalError(
            "--root-sha256 is not hex", remedy="64 hex digits, as `authority init` printed them"
        ) from error


def _progress(quiet: bool) -> Callable[[str], None]:
    return (lambda _text: None) if quiet else note


def _joined(context: Context, handle: str, realm: str, device: str, until: float, *, as_json: bool) -> None:
    if as_json:
        emit([{"handle": handle, "realm": realm, "device": device, "until": until, "home": str(context.home)}])
    else:
        days = (until - time.time()) / 86_400
        note(f"you are {handle}@{realm}, device {device}; valid for {days:.0f} days and renewed by itself")
        note("next: conclave up")
