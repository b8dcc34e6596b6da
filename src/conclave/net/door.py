"""One port for both kinds of link: the first byte of a connection tells them apart.

TLS begins with 0x16 (RFC 8446 section 5.1), the classic suite with the digit 0. That byte alone is read here, and
handed on with the connection; what is neither goes to TLS, which refuses it as it always did. Whoever rewrites the
first bytes on the way changes only which of the two refuses: nobody who dials with TLS ever speaks classic, and
nobody who dials classic expects TLS. A listener without the classic suite has no door.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from conclave.classic.frames import FIRST_BYTE
from conclave.net.gate import Gate


class Door(asyncio.BufferedProtocol):
    """A connection of which nothing has come yet; it stands at the gate, and not longer than ``seconds``."""

    __slots__ = ("_buffer", "_classic", "_gate", "_host", "_seconds", "_timer", "_tls", "_transport")

    def __init__(
        self,
        gate: Gate,
        seconds: float,
        *,
        tls: Callable[[], asyncio.BufferedProtocol],
        classic: Callable[[], asyncio.BufferedProtocol],
    ) -> None:
        self._gate: Gate | None = gate
        self._seconds = seconds
        self._tls = tls
        self._classic = classic
        self._buffer = bytearray(1)
        self._host = ""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody dialled."""
        self._transport = cast("asyncio.Transport", transport)
        self._host = (transport.get_extra_info("peername") or ("", 0))[0]
        if self._gate is None or not self._gate.enter(self._host):
            self._gate = None
            self._transport.abort()
            return
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._transport.abort)

    def get_buffer(self, sizehint: int) -> bytearray:
        """Room for one byte: the rest is the other protocol's to read."""
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hand the connection on."""
        transport = self._transport
        if transport is None or self._gate is None or not nbytes:  # pragma: no cover - asyncio reads at least one
            return
        self._leave()
        protocol = self._classic() if self._buffer == FIRST_BYTE else self._tls()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if not transport.is_closing():
            memoryview(protocol.get_buffer(1))[:1] = self._buffer
            protocol.buffer_updated(1)

    def eof_received(self) -> bool:
        """Nothing came."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone without a byte."""
        del exc
        self._leave()

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._gate is not None:
            gate, self._gate = self._gate, None
            gate.leave(self._host)
