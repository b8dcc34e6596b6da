"""The authority, running: one HTTPS listener for enrolment, directory, revocation list, presence, and what waits.

It keeps its own short-lived key and certificate, the revocation list, and an eye on what other processes do to the
database. Everything that matters is on disk before it is answered, so it may be killed at any point. Left out: where
its settings, keys and signals come from (``cli.authority``).
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import logging
import socket
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Self, cast

from aiohttp import web

from conclave.authority.audit import Actor, entry
from conclave.authority.enrolment import Enrolment
from conclave.authority.ports import Store, Transaction
from conclave.authority.presence import Roster
from conclave.authority.records import OPERATOR, Action
from conclave.authority.revocation import RevocationLists, expelled
from conclave.authority.settings import AuthoritySettings
from conclave.errors import ConclaveError
from conclave.net.accept import Acceptor, listen_at
from conclave.net.admission import Admission
from conclave.net.answers import Next, errors_as_json, http_log
from conclave.net.authority_limits import ServerLimits
from conclave.net.contexts import authority_server_context
from conclave.net.directory import Directory
from conclave.net.est import Est
from conclave.net.mailbox import Mailbox
from conclave.net.packages import Packages
from conclave.net.presence import Presence
from conclave.net.tally import Tally
from conclave.pki.address import Address
from conclave.pki.credentials import Credentials, Issuer
from conclave.pki.issue import issue_server
from conclave.pki.keys import generate_key
from conclave.pki.policy import renewal_due
from conclave.pki.profile import KeyKind
from conclave.pki.revocation import RevocationList
from conclave.pki.trust import Trust

log = logging.getLogger("conclave.authority")

NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME. OpenSSL would end the handshake over an expired certificate with a bare alert; instead
it comes in, ``pki.verify`` finds it expired, and its owner is told what to do."""


class AuthorityServer:
    """``async with`` it: listening from entering to leaving. ``clock`` gives UNIX seconds.

    Raises ``LocalError`` where it cannot listen, ``StorageError`` where the database cannot be written.
    """

    def __init__(
        self,
        store: Store,
        issuer: Issuer,
        trust: Trust,
        settings: AuthoritySettings,
        limits: ServerLimits,
        clock: Callable[[], float],
        *,
        host: str,
        port: int,
        names: Iterable[str] = (),
    ) -> None:
        self._store = store
        self._issuer = issuer
        self._trust = trust
        self._limits = limits
        self._clock = clock
        self._names = list(names)
        self._at = (host, port)
        self._lists = RevocationLists(store, issuer, settings)
        self._crl: RevocationList
        self._context: ssl.SSLContext
        self._renew_at = 0.0
        self._seen = -1
        self._crl_seconds = settings.crl_seconds
        self.roster = Roster()
        self._admission = Admission(store, trust, settings, limits, clock)
        self._presence = Presence(store, self.roster, self._admission, settings, limits, clock, lambda: self._crl)
        self._est = Est(Enrolment(store, issuer, settings), trust, self._admission, limits, clock)
        self._directory = Directory(store, self.roster, self._admission, settings, lambda: self._crl)
        self._tally = Tally(store, limits, clock)
        waiting = (store, self._admission, self._presence, self._tally, limits, clock)
        self._packages = Packages(*waiting)
        self._mailbox = Mailbox(*waiting, settings)
        self._stack = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []
        self.address: Address
        """Where it listens."""

    async def __aenter__(self) -> Self:
        """Start."""
        listening = listen_at(*self._at)
        try:
            host, port, *_ = listening.getsockname()
            self.address = Address(host, port)
            self._renew_own(host)
            await self._presence.forget_all()
            self._crl = await asyncio.wrap_future(self._lists.current(self._clock()))
            await self._record(Action.SERVE, str(self.address))
            self._runner = web.AppRunner(
                self._application(),
                access_log=None,
                logger=http_log,
                handle_signals=False,
                keepalive_timeout=self._limits.idle_seconds,
                lingering_time=self._limits.request_seconds,
                shutdown_timeout=self._limits.stop_seconds,
            )
            await self._runner.setup()
            acceptor = Acceptor(cast("web.Server", self._runner.server), lambda: self._context, self._limits)
            self._admission.acceptor = acceptor
            await self._stack.__aenter__()
        except BaseException:
            listening.close()
            raise
        self._listening = listening
        for loop in (acceptor.serve(listening), self._sweep(acceptor, host), self._watch()):
            self._tasks.append(self._stack.create_task(loop))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Accept no more, log everybody out, finish what is under way."""
        accepting = self._tasks[0]
        accepting.cancel()
        self._listening.close()
        await self._presence.close()
        await self._runner.cleanup()
        for task in self._tasks:
            task.cancel()
        await self._stack.__aexit__(None, None, None)
        with suppress(ConclaveError):
            await self._tally.write()
            await self._record(Action.STOP, str(self.address))

    def _application(self) -> web.Application:
        @web.middleware
        async def counted(request: web.Request, handler: Next) -> web.StreamResponse:
            connection = self._admission.connection(request)
            connection.busy += 1
            connection.fresh = False
            try:
                return await handler(request)
            finally:
                connection.busy -= 1
                connection.idle_since = asyncio.get_running_loop().time()

        application = web.Application(
            middlewares=[counted, errors_as_json(self._trust.realm)], client_max_size=self._limits.body_bytes
        )
        application.on_response_prepare.append(_anonymous)
        for part in (self._est, self._directory, self._presence, self._packages, self._mailbox):
            application.add_routes(part.routes())
        return application

    def _renew_own(self, host: str) -> None:
        now = self._clock()
        key = generate_key(KeyKind.P256)
        certificate = issue_server(self._issuer, key.public, _own_names(host, self._names), now)
        context = authority_server_context(Credentials(key, certificate, (self._issuer.certificate,)), self._trust)
        context.verify_flags = ssl.VerifyFlags(context.verify_flags | NO_CHECK_TIME)
        self._context = context
        self._renew_at = renewal_due(certificate.not_before, certificate.not_after, 0.5)

    async def _sweep(self, acceptor: Acceptor, host: str) -> None:
        while True:
            await asyncio.sleep(self._limits.sweep_seconds)
            acceptor.sweep()
            self._presence.sweep()
            if self._clock() >= self._renew_at:
                self._renew_own(host)
            try:
                await self._mailbox.sweep()
                await self._tally.sweep()
            except ConclaveError as error:
                log.error("mail that is too old could not be dropped: %s", error)  # noqa: TRY400 - no bug of ours

    async def _watch(self) -> None:
        while True:
            try:
                await self._refresh()
            except ConclaveError as error:
                log.error("the revocation list could not be looked after: %s", error)  # noqa: TRY400 - no bug of ours
            await asyncio.sleep(self._limits.poll_seconds)

    async def _refresh(self) -> None:
        changes, now = self._store.changes(), self._clock()
        if changes == self._seen and now - self._crl.this_update < self._crl_seconds:
            return
        old, self._crl = self._crl, await asyncio.wrap_future(self._lists.current(now))
        self._seen = changes
        if self._crl.number == old.number:
            return
        fresh = [self._crl.entries[serial] for serial in self._crl.entries.keys() - old.entries.keys()]
        named = {issued.handle for e in fresh if (issued := self._store.reads.issued(e.serial))}
        self._presence.withdrawn(self._crl, [e for e in expelled(self._store.reads, now) if e.handle in named])

    async def _record(self, action: Action, what: str) -> None:
        row = entry(Actor(OPERATOR, "authority"), action, what, self._clock())

        def decision(transaction: Transaction) -> None:
            transaction.record(row)

        await asyncio.wrap_future(self._store.decide(decision))


async def _anonymous(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "conclave"  # not which library in which version


def _own_names(host: str, names: Iterable[str]) -> list[str]:
    """The hosts for the server's certificate: where it listens, or where that is everywhere, this machine's."""
    if not ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        return [host.partition("%")[0], *names]
    return [*names, "127.0.0.1", "::1", outward_address()]


@functools.cache
def outward_address() -> str:
    """This machine's address on its way to others, or loopback where it has no way. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737): only the route is looked up
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
