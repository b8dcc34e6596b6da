"""``conclave authority …``: make the authority, serve it, invite people, take certificates back, read its log."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from conclave.cli.context import Json, PassphraseFile, context_of, emit, note, read_passphrase, say, table, typed
from conclave.cli.moments import dated
from conclave.errors import NotReady

if TYPE_CHECKING:  # imported where they are used: --help must be quick
    from conclave.authority.records import AuditEntry
    from conclave.cli.office import Office

app = typer.Typer(
    help="The certificate authority and directory: for whoever runs it.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
LISTEN = "0.0.0.0:8443"
FOLLOW_SECONDS = 0.5
Handle = Annotated[str, typer.Argument(metavar="HANDLE", help="a-z, 0-9 and hyphen.")]
Name = Annotated[str, typer.Option(help="The person's name, for the directory.", show_default=False)]


@app.command(epilog='Example: conclave authority init --name "Ward 7"')
def init(
    ctx: typer.Context,
    name: Annotated[str, typer.Option(help="The organisation's name.")],
    realm: Annotated[
        str, typer.Option(help="A DNS name for it; made from the name unless given.", show_default=False)
    ] = "",
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Make the authority: a root to keep offline, and an issuing key below it. Once."""
    from conclave.cli import office

    context = context_of(ctx)
    passphrase = read_passphrase(context, "passphrase for the keys", file=passphrase_file, confirm=True)
    made, fingerprint, folder = office.init(context.home, name, realm, passphrase, time.time())
    if as_json:
        emit([{"realm": made, "root_sha256": fingerprint.hex(), "folder": str(folder)}])
        return
    say(f"the authority of {name}, realm {made}, is made in {folder}")
    say(f"root SHA-256: {fingerprint.hex(':').upper()}", whole=True)
    note(f"move {folder / 'root.p12'} to a medium that you lock away: no command here reads it")
    note("next: conclave authority serve")


@app.command(epilog="Example: conclave authority serve --listen 0.0.0.0:8443 --advertise ca.example.net:8443")
def serve(
    ctx: typer.Context,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 picks one.")] = LISTEN,
    advertise: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="What invites say, if that differs; may be repeated."),
    ] = None,
    lifetime: Annotated[str, typer.Option(help="Life of a certificate.")] = "10d",
    heartbeat: Annotated[str, typer.Option(help="How often peers say that they are there.")] = "60s",
    silence: Annotated[str, typer.Option(help="After which a silent peer counts as gone.")] = "200s",
    mail: Annotated[str, typer.Option(help="How long mail waits for who is away; 14d at most.")] = "14d",
    mailbox: Annotated[str, typer.Option(metavar="ENVELOPES,MIB", help="Room in a mailbox.")] = "2000,32",
    mail_room: Annotated[str, typer.Option(metavar="MIB,MIB", help="Of one sender, and in all.")] = "256,4096",
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Serve enrolment, directory and presence until Ctrl-C. Killing it loses nothing."""
    from conclave.cli import serving
    from conclave.cli.office import open_office
    from conclave.pki.address import parse_listen

    context = context_of(ctx)
    settings = serving.read_settings(lifetime, heartbeat, silence, mail, mailbox, mail_room)
    with open_office(context.home) as office:
        at = parse_listen(listen)
        issuer = office.issuer(read_passphrase(context, "passphrase", file=passphrase_file))

        def ready(address: object, reach: Iterable[object]) -> None:
            reachable = [str(one) for one in reach]
            if as_json:
                row = {"address": reachable[0], "listen": str(address), "addresses": reachable}
                emit([row | {"realm": office.realm, "root_sha256": office.root_sha256.hex()}])
            else:
                where = " or ".join(reachable)
                say(f"{office.name} ({office.realm}) is open at {where}, listening on {address}. Ctrl-C ends it.")

        serving.serve(office, issuer, settings, at, advertise or [], ready)
    if not as_json:
        note("ended; everything that was answered is kept")


@app.command(epilog="Example: conclave authority invite ayse --name 'Ayse' --qr")
def invite(
    ctx: typer.Context,
    handle: Handle,
    name: Name = "",
    valid: Annotated[str, typer.Option(help="How long it may be used: 90s, 15m, 24h, 10d.")] = "24h",
    at: Annotated[
        list[str] | None, typer.Option(metavar="HOST:PORT", help="Where to reach the authority, if not as served.")
    ] = None,
    qr: Annotated[bool, typer.Option("--qr", help="Draw it as a QR code, too.")] = False,
    as_json: Json = False,
) -> None:
    """Invite one device of a person: prints one line to hand over. Whoever uses it first has the account."""
    from conclave.authority import accounts
    from conclave.cli.office import console, open_office, parse_duration
    from conclave.pki.invite import TOKEN_BYTES, Invite
    from conclave.pki.names import parse_handle

    person = typed(parse_handle, handle)
    now, seconds, token = time.time(), parse_duration(valid), secrets.token_bytes(TOKEN_BYTES)
    with open_office(context_of(ctx).home) as office:
        addresses = _addresses(office, at)
        accounts.invite(office.store, person, name, token, now, seconds, console()).result()
        line = Invite(person, office.realm, addresses, office.root_sha256, token, int(now + seconds))
        served = office.is_served()
    if as_json:
        emit([{"invite": str(line), "handle": person, "expires": line.expires}])
        return
    say(str(line), whole=True)
    if qr:
        _draw(str(line))
    note(f"for one device of {person}, until {dated(line.expires)}; they type: conclave join '<the line>'")
    if not served:
        note("the authority is not being served now: conclave authority serve")


@app.command(epilog="Example: conclave authority account ayse --password-file ayse.txt")
def account(
    ctx: typer.Context,
    handle: Handle,
    name: Name = "",
    password_file: Annotated[
        Path | None, typer.Option(help="Read the password from this file's first line.", show_default=False)
    ] = None,
    at: Annotated[
        list[str] | None, typer.Option(metavar="HOST:PORT", help="Where to reach the authority, if not as served.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make an account that enrols with a password, or give one a new password."""
    from conclave.authority import accounts
    from conclave.cli.context import Context
    from conclave.cli.office import console, open_office
    from conclave.crypto.password import SALT_BYTES, hash_password
    from conclave.pki.invite import Invite
    from conclave.pki.names import parse_handle

    person = typed(parse_handle, handle)
    home = context_of(ctx).home
    with open_office(home) as office:
        addresses = _addresses(office, at)
        password = read_passphrase(Context(home, None), f"password of {person}", file=password_file, confirm=True)
        hashed = hash_password(password, secrets.token_bytes(SALT_BYTES))
        fresh = accounts.set_password(office.store, person, name, hashed, time.time(), console()).result()
        line = Invite(person, office.realm, addresses, office.root_sha256)
    if as_json:
        emit([{"handle": person, "new": fresh, "invite": str(line)}])
        return
    say(str(line), whole=True)
    note(f"{'new account' if fresh else 'new password for'} {person}; they type: conclave join '<the line>'")


@app.command(epilog="Example: conclave authority users bur --json")
def users(
    ctx: typer.Context,
    query: Annotated[str, typer.Argument(help="Part of a handle or name.")] = "",
    as_json: Json = False,
) -> None:
    """List accounts with their devices, certificates, and who is online."""
    from conclave.cli.office import open_office

    now = time.time()
    with open_office(context_of(ctx).home) as office:
        rows = [_user(office, handle, now) for handle in _handles(office, query)]
    if as_json:
        emit(rows)
        return
    table(
        ("HANDLE", "STATE", "DEVICES", "CERTIFIED UNTIL", "NAME"),
        (
            (
                row["handle"],
                f"suspended: {row['suspended']}" if row["suspended"] else "online" if row["online"] else "away",
                ", ".join(_device(row, device) for device in row["devices"]) or "none yet",
                dated(max((c["not_after"] for c in row["certificates"] if not c["revoked"]), default=0)),
                row["name"],
            )
            for row in rows
        ),
    )


@app.command(epilog="Example: conclave authority log --follow")
def log(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens, until Ctrl-C.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="How many of the past.")] = 50,
    as_json: Json = False,
) -> None:
    """Show the audit log: who did what, when, from where, and how it ended."""
    from conclave.cli.office import open_office

    with open_office(context_of(ctx).home) as office:
        reads = office.store.reads
        at = max(0, reads.audit_end() - limit)
        while True:
            for row in reads.audit(at, limit):
                at = row.id
                _show(row, as_json=as_json)
            if not follow and at >= reads.audit_end():
                return
            if at >= reads.audit_end():
                time.sleep(FOLLOW_SECONDS)


@app.command(epilog="Example: conclave authority revoke cem --reason key-compromise")
def revoke(
    ctx: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="SERIAL|HANDLE|HANDLE/DEVICE", help="A certificate, a person, or a device.")
    ],
    reason: Annotated[str, typer.Option(help="As in RFC 5280, e.g. key-compromise, superseded.")] = "unspecified",
    as_json: Json = False,
) -> None:
    """Take certificates back for good. Everybody who is online learns it at once."""
    from conclave.authority import revocation
    from conclave.cli.office import console, open_office
    from conclave.pki.revocation import parse_reason

    with open_office(context_of(ctx).home) as office:
        why = parse_reason(reason)
        revoked = revocation.revoke(office.store, target, why, time.time(), console()).result()
        served = office.is_served()
    if as_json:
        emit(
            {"handle": c.handle, "device": c.device, "profile": c.profile, "serial": f"{c.serial:x}"} for c in revoked
        )
        return
    for certificate in revoked:
        say(f"revoked: {certificate.handle}/{certificate.device} {certificate.profile} {certificate.serial:x}")
    _hint(served)


@app.command(epilog="Example: conclave authority suspend cem --why 'on leave'")
def suspend(
    ctx: typer.Context,
    handle: Handle,
    why: Annotated[str, typer.Option(help="What the person is told.", show_default=False)] = "",
    as_json: Json = False,
) -> None:
    """Refuse everything to an account until it is resumed."""
    from conclave.authority import revocation
    from conclave.cli.office import console, open_office
    from conclave.pki.names import parse_handle

    with open_office(context_of(ctx).home) as office:
        person = typed(parse_handle, handle)
        marked = revocation.suspend(office.store, person, why, time.time(), console()).result()
        served = office.is_served()
    if as_json:
        emit([{"handle": marked.handle, "suspended": marked.suspended}])
        return
    say(f"{marked.handle} is suspended: {marked.suspended}")
    _hint(served)


@app.command(epilog="Example: conclave authority resume cem")
def resume(ctx: typer.Context, handle: Handle, as_json: Json = False) -> None:
    """End a suspension."""
    from conclave.authority import revocation
    from conclave.cli.office import console, open_office
    from conclave.pki.names import parse_handle

    with open_office(context_of(ctx).home) as office:
        marked = revocation.resume(office.store, typed(parse_handle, handle), time.time(), console()).result()
    if as_json:
        emit([{"handle": marked.handle, "suspended": ""}])
    else:
        say(f"{marked.handle} may come again")


@app.command(epilog="Example: conclave authority sign usb/tls.csr.pem usb/im.csr.pem --out usb")
def sign(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="CSR…", help="Certificate requests: PROFILE.csr.pem.")],
    out: Annotated[Path, typer.Option(help="Folder for certificates, root, issuing and revocation list.")],
    handle: Annotated[
        str, typer.Option(help="Whose they are, whatever they claim.", metavar="HANDLE", show_default=False)
    ] = "",
    profile: Annotated[
        str, typer.Option(help="tls, im or classic, where file names do not say.", show_default=False)
    ] = "",
    lifetime: Annotated[str, typer.Option(help="Life of a certificate.")] = "10d",
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Sign requests that came as files, for machines that cannot reach the authority.

    A request that carries an invite's token is judged by it. For another one you vouch that it is from whom it names.
    """
    from conclave.cli.office import open_office, parse_duration
    from conclave.cli.signing import sign_files

    context = context_of(ctx)
    with open_office(context.home) as office:
        issuer = office.issuer(read_passphrase(context, "passphrase", file=passphrase_file))
        rows = sign_files(office, issuer, files, out, handle, profile, parse_duration(lifetime))
    if as_json:
        emit(rows)
        return
    for row in rows:
        say(f"{row['file']}: {row['handle']}/{row['device']} {row['profile']}, until {dated(row['not_after'])}")
        if row["account_made"]:
            note(f"there was no account {row['handle']}: it was made, on your word")
        elif row["vouched"]:
            note(f"that this is {row['handle']}'s, you vouched for: the request carried no token")
    note(f"bring the folder {out} back; there: conclave join --certificates {out}")


def _addresses(office: Office, at: list[str] | None) -> Any:
    from conclave.pki.address import parse_address

    addresses = tuple(typed(parse_address, text) for text in at) if at else office.addresses
    if not addresses:
        raise NotReady(
            "where the authority can be reached is not known yet",
            remedy="serve it once (conclave authority serve), or say so: --at HOST:PORT",
        )
    return addresses


def _handles(office: Office, query: str) -> list[str]:
    return [account.handle for account in office.store.reads.accounts(query, 1_000_000)]


def _device(row: dict[str, Any], device: str) -> str:
    held = [each["revoked"] for each in row["certificates"] if each["device"] == device]
    return f"{device} (revoked)" if held and all(held) else device


def _user(office: Office, handle: str, now: float) -> dict[str, Any]:
    reads = office.store.reads
    account = reads.account(handle)
    online = reads.online(handle) if office.is_served() else ()
    certificates = [c for c in reads.issued_to(handle) if c.not_after > now]
    return {
        "handle": handle,
        "name": account.name if account else "",
        "created": int(account.created) if account else 0,
        "suspended": account.suspended if account else "",
        "password": bool(account and account.password),
        "online": bool(online),
        "address": online[0].address if online else None,
        "since": int(online[0].since if online else account.seen if account else 0),
        "devices": list(reads.devices(handle)),
        "certificates": [
            {
                "serial": f"{c.serial:x}",
                "device": c.device,
                "profile": c.profile,
                "not_after": int(c.not_after),
                "revoked": c.revoked is not None,
                "reason": c.reason,
            }
            for c in certificates
        ],
    }


def _show(row: AuditEntry, *, as_json: bool) -> None:
    if as_json:
        fields = {"who": row.who, "action": row.action, "what": row.what, "origin": row.origin}
        emit([{"id": row.id, "at": row.at, **fields, "outcome": row.outcome}])
    else:
        say(f"{dated(row.at)}  {row.who:<12} {row.action:<8} {row.outcome:<16} {row.what}  ({row.origin})")


def _hint(served: bool) -> None:
    if served:
        note("the server issues a new revocation list within a second and tells everybody who is online")
    else:
        note("the authority is not being served: the revocation list follows when it is")


def _draw(line: str) -> None:
    import segno

    segno.make(line, error="l").terminal(out=sys.stdout, compact=True)
