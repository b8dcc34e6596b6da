"""The running authority: its server wired to folder, clock and signals, until it is told to end."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Any

from conclave.authority.settings import MIB, AuthoritySettings
from conclave.cli.context import typed
from conclave.cli.office import Office, parse_duration
from conclave.errors import UsageError
from conclave.net.authority_limits import ServerLimits
from conclave.net.authority_server import AuthorityServer, outward_address
from conclave.pki.address import Address, parse_address
from conclave.pki.credentials import Issuer
from conclave.pki.policy import GrantSettings

_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised, not bound


def read_settings(
    lifetime: str, heartbeat: str, silence: str, mail: str, mailbox: str, mail_room: str
) -> AuthoritySettings:
    """Read what was typed. Raises ``LocalError`` for what makes no sense, or not together."""
    envelopes, size = _two(mailbox, "--mailbox", "2000,32")
    of_sender, in_all = _two(mail_room, "--mail-room", "256,4096")
    return AuthoritySettings(
        grant=GrantSettings(lifetime=parse_duration(lifetime)),
        heartbeat=parse_duration(heartbeat),
        silence=parse_duration(silence),
        mail_seconds=parse_duration(mail),
        mail_envelopes=envelopes,
        mail_bytes=size * MIB,
        mail_sender_bytes=of_sender * MIB,
        mail_total_bytes=in_all * MIB,
    )


def _two(text: str, option: str, default: str) -> tuple[int, int]:
    first, _, second = text.partition(",")
    if not all(part.isascii() and part.isdigit() and 0 < len(part) < 10 for part in (first, second)):
        raise UsageError(f"{option} takes two whole numbers", remedy=f"write them as in: {option} {default}")
    return int(first), int(second)


def serve(
    office: Office,
    issuer: Issuer,
    settings: AuthoritySettings,
    listen: tuple[str, int],
    advertise: list[str],
    ready: Callable[[Address, tuple[Address, ...]], None],
) -> None:
    """Serve until SIGINT or SIGTERM. ``ready`` is told where it listens and where others reach it.

    Raises ``LocalError`` where it cannot listen or another server runs, ``DecodeError`` for a bad address.
    """
    named = tuple(typed(parse_address, text) for text in advertise)
    with office.serving(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(office, issuer, settings, listen, named, ready))


async def _serve(
    office: Office,
    issuer: Issuer,
    settings: AuthoritySettings,
    listen: tuple[str, int],
    named: tuple[Address, ...],
    ready: Callable[[Address, tuple[Address, ...]], None],
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    host, port = listen
    server = AuthorityServer(
        office.store,
        issuer,
        office.trust,
        settings,
        ServerLimits(),
        time.time,
        host=host,
        port=port,
        names=[address.host for address in named],
    )
    async with server:
        own = server.address
        reach = named or (Address(outward_address() if own.host in _EVERYWHERE else own.host, own.port),)
        text = " ".join(map(str, reach))
        await asyncio.wrap_future(office.store.decide(lambda t: t.set_setting("addresses", text)))
        ready(own, reach)
        await stop.wait()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    factory: Any = uvloop.new_event_loop
    return factory  # type: ignore[no-any-return]
