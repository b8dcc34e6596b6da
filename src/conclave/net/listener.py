"""Accepting links. Left out: what they do (``net.streams``, ``net.classic``), how many may wait (``net.gate``)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from conclave.errors import NotReady
from conclave.link.events import Verify
from conclave.link.limits import LinkLimits
from conclave.net.door import Door
from conclave.net.gate import Gate
from conclave.net.streams import LinkOwner, LinkStream

_BACKLOG = 256


class Listener:
    """A listening socket. Links that it accepted live on without it."""

    __slots__ = ("_gate", "_server", "address")

    def __init__(self, server: asyncio.Server, gate: Gate) -> None:
        self._server = server
        self._gate = gate
        host, port, *_ = server.sockets[0].getsockname()
        self.address: tuple[str, int] = (host, port)
        """The IP address and port that peers dial."""

    @property
    def half_open(self) -> int:
        """Connections that are not open links yet."""
        return self._gate.standing

    def close(self) -> None:
        """Accept no more."""
        self._server.close()


async def listen(
    host: str,
    port: int,
    context: Callable[[], ssl.SSLContext],
    verify: Verify,
    limits: LinkLimits,
    owner: LinkOwner,
    classic: Callable[[Gate], asyncio.BufferedProtocol] | None = None,
) -> Listener:
    """Accept links at ``host`` and ``port`` (0 picks one).

    ``context`` is asked anew for every connection, so that a renewed certificate counts at once. With ``classic``,
    which makes a stream for who begins so, the port takes classic links too. Raises ``LocalError`` where the address
    cannot be listened on.
    """
    gate = Gate(limits)

    def tls() -> LinkStream:
        return LinkStream(context(), verify, limits, owner, gate=gate)

    def accepted() -> asyncio.BufferedProtocol:
        if classic is None:
            return tls()
        return Door(gate, limits.handshake_seconds, tls=tls, classic=lambda: classic(gate))

    try:
        server = await asyncio.get_running_loop().create_server(accepted, host, port, backlog=_BACKLOG)
    except OSError as error:
        text = f"cannot listen on {host}:{port}: {error.strerror or error}"
        raise NotReady(text, remedy="choose an address of this machine and a free port; port 0 picks one") from error
    return Listener(server, gate)
