"""``conclave identity …``: certificates for more purposes, and keys for other programs."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from conclave.cli.context import Context, Json, PassphraseFile, context_of, emit, note, read_passphrase
from conclave.errors import NotReady

app = typer.Typer(
    help="This device's certificates: add one for the legacy suite, export one for another program.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Addable(StrEnum):
    """What may be asked for later."""

    CLASSIC = "classic"


Exportable = Addable


@app.command(epilog="Example: conclave identity add classic; then: conclave up --links tls,classic")
def add(
    ctx: typer.Context,
    profile: Annotated[Addable, typer.Argument(help="What the certificate is for.")],
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Ask the authority for one more certificate, by the one that this device has. No invite is needed."""
    from conclave.node.home.profiles import add_profile
    from conclave.pki.profile import Profile

    context = context_of(ctx)
    passphrase = read_passphrase(context, "passphrase", file=passphrase_file)
    progress = (lambda _text: None) if as_json else note
    certificate = add_profile(context.home, passphrase, Profile(profile.value), progress)
    if as_json:
        emit([{"profile": profile.value, "until": certificate.not_after, "serial": f"{certificate.serial:x}"}])
    else:
        note("next: conclave up --links tls,classic. It is legacy cryptography: conclave say --link classic …")


@app.command(epilog="Example: conclave identity export --profile classic --out ~/keys")
def export(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where key.pem, certificate.pem, authority.pem go.")],
    profile: Annotated[Exportable, typer.Option(help="Which certificate.")] = Exportable.CLASSIC,
    export_passphrase_file: Annotated[
        Path | None,
        typer.Option(
            "--export-passphrase-file",
            help="The passphrase for the exported key, from this file's first line; else it is asked for.",
            show_default=False,
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Write the key under a passphrase of its own, the certificate and the authority's, as PEM for other programs."""
    from conclave.node.home.profiles import export_profile
    from conclave.pki.profile import Profile

    context = context_of(ctx)
    passphrase = read_passphrase(context, "passphrase", file=passphrase_file)
    prompt = "a passphrase for the exported key"
    given = passphrase_file or context.passphrase_file or os.environ.get("CONCLAVE_PASSPHRASE_FD")
    if export_passphrase_file is None and given:
        raise NotReady("the exported key needs a passphrase of its own", remedy="--export-passphrase-file FILE")
    own = read_passphrase(Context(context.home, None), prompt, file=export_passphrase_file, confirm=True)
    files = export_profile(context.home, passphrase, Profile(profile.value), out.expanduser(), own)
    if as_json:
        emit([{"profile": profile.value, "files": [str(file) for file in files]}])
    else:
        note(f"written: {', '.join(str(file) for file in files)}")
        note("whoever has the key and its passphrase can speak as you over legacy links, and read what was recorded")
