"""What every link has of its TCP connection: a shared buffer to read into, an address, a place at the gate, a clock.

Links of one kind share a receive buffer in each thread: the loop fills it and hands it over before it turns to the
next link. The time is the system's clock at the connection, carried on by the loop's own, so that a clock that is set
does not cut links. Left out: what the bytes mean (``net.streams``, ``net.classic``).
"""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import cast

from conclave.net.gate import Gate


class ReceiveBuffer(threading.local):
    """One for each thread, of ``size`` bytes."""

    def __init__(self, size: int) -> None:
        self.view = memoryview(bytearray(size))


class TcpStream(asyncio.BufferedProtocol, ABC):
    """One connection; the machine on it is its subclass's."""

    __slots__ = ("_buffer", "_epoch", "_gate", "_host", "_loop", "_port", "_timer", "_transport")

    def __init__(self, buffer: ReceiveBuffer, gate: Gate | None) -> None:
        """``gate``: where it was accepted; whoever dials has none."""
        self._loop = asyncio.get_running_loop()
        self._gate = gate
        self._buffer = buffer.view
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._epoch = time.time() - self._loop.time()
        self._host, self._port = "", 0

    @property
    def address(self) -> str:
        """The other end's IP address and port."""
        return f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"

    def abort(self) -> None:
        """Cut the connection, whatever is still to leave."""
        if self._transport is not None:
            self._transport.abort()

    # For asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The TCP connection is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._host, self._port = (transport.get_extra_info("peername") or ("", 0))[:2]
        if self._gate is not None and not self._gate.enter(self._host):
            self._gate = None
            self._transport.abort()
            return
        self._begin(self._transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the loop may put what it reads."""
        del sizehint
        return self._buffer

    def eof_received(self) -> bool:
        """Note that the other side will send no more."""
        self._cut()
        return False  # close the transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the TCP connection is gone."""
        del exc
        self._transport = None
        self._disarm()
        self._leave_gate()
        self._cut()

    # For the subclass.

    @abstractmethod
    def _begin(self, transport: asyncio.Transport) -> None:
        """Put the machine on the connection, which the gate has let in."""

    @abstractmethod
    def _cut(self) -> None:
        """Tell the machine that no more comes."""

    def _now(self) -> float:
        return self._epoch + self._loop.time()

    def _end_ours(self, transport: asyncio.Transport) -> None:
        """Let the last bytes out, and the other side's go by."""
        transport.resume_reading()
        with suppress(OSError):  # the other side has reset the connection already
            transport.write_eof()

    def _leave_gate(self) -> None:
        if self._gate is not None:
            gate, self._gate = self._gate, None
            gate.leave(self._host)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
