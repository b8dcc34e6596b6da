"""Accepting HTTPS connections, bounded: so many in all, so many per address, and none that dawdles.

The stock server counts nothing and waits for ever for a request's head. Here a connection is counted from its accept
on, its handshake and first request have a time limit, and a kept one is closed when idle. Left out: HTTP.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from conclave.authority.limits import origin_of
from conclave.errors import NotReady
from conclave.net.authority_limits import ServerLimits
from conclave.pki.verify import VerifiedPeer
from conclave.values import dataclass

_BACKLOG = 512
_EXHAUSTED_PAUSE = 0.1
"""After an accept failed, as for want of file descriptors (seconds)."""

Handler = web.RequestHandler


@dataclass(slots=True)
class Connection:
    """One connection. ``fresh`` until its first request, ``busy``: requests under way."""

    address: str
    idle_since: float
    shaking: bool = True
    fresh: bool = True
    busy: int = 0
    peer: VerifiedPeer | None = None
    """Whose verified certificate it has, once somebody asked."""


def listen_at(host: str, port: int) -> socket.socket:
    """Bind a listening socket; port 0 picks one. Raises ``LocalError``."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(_BACKLOG)
            listening.setblocking(False)
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        raise NotReady(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            remedy="choose an address of this machine and a free port (0 picks one): --listen HOST:PORT",
        ) from error
    return listening


class Acceptor:
    """Accepts on one socket, for an aiohttp server. ``context`` is asked anew for each connection."""

    def __init__(self, server: web.Server, context: Callable[[], ssl.SSLContext], limits: ServerLimits) -> None:
        self._server = server
        self._context = context
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._counts: Counter[str] = Counter()
        self._total = 0
        self._open: dict[Handler, Connection] = {}

    def connection(self, handler: Handler) -> Connection:
        """What is known of a connection."""
        return self._open[handler]

    async def serve(self, listening: socket.socket) -> None:
        """Accept until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    accepted, (address, *_) = await self._loop.sock_accept(listening)
                except OSError:
                    await asyncio.sleep(_EXHAUSTED_PAUSE)
                    continue
                if self._enter(address):
                    group.create_task(self._shake(accepted, address))
                else:
                    accepted.close()

    def sweep(self) -> None:
        """Forget connections that have ended, and close those that are idle too long."""
        now = self._loop.time()
        for handler, connection in list(self._open.items()):
            limit = self._limits.request_seconds if connection.fresh else self._limits.idle_seconds
            if connection.shaking:
                continue
            if handler.transport is None:
                del self._open[handler]
                self._leave(connection.address)
            elif not connection.busy and now - connection.idle_since > limit:
                handler.force_close()

    def _enter(self, address: str) -> bool:
        origin = origin_of(address)
        for last in (False, True):
            if self._total < self._limits.connections and self._counts[origin] < self._limits.connections_per_address:
                break
            if last:
                return False
            self.sweep()  # some may have ended since
        self._total += 1
        self._counts[origin] += 1
        return True

    def _leave(self, address: str) -> None:
        origin = origin_of(address)
        self._total -= 1
        self._counts[origin] -= 1
        if self._counts[origin] <= 0:
            del self._counts[origin]

    async def _shake(self, accepted: socket.socket, address: str) -> None:
        accepted.setblocking(False)
        with suppress(OSError):
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        handler = self._server()
        connection = self._open[handler] = Connection(address, self._loop.time())
        try:
            await self._loop.connect_accepted_socket(
                lambda: handler,
                accepted,
                ssl=self._context(),
                ssl_handshake_timeout=self._limits.request_seconds,
                ssl_shutdown_timeout=self._limits.stop_seconds,
            )
        except (OSError, asyncio.TimeoutError):  # noqa: UP041 - uvloop raises its own
            accepted.close()
        finally:
            connection.shaking = False  # what has ended, the next sweep counts out
            connection.idle_since = self._loop.time()
