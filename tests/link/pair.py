"""Two machines joined by a fake network: no sockets, no clock, every byte at the test's hand."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from conclave.link.events import Closed, Event, FramesArrived, Opened, Verify
from conclave.link.limits import LinkLimits
from conclave.link.machine import Link
from conclave.link.tls import Tunnel
from conclave.wire.frames import Frame
from conclave.wire.order import Have
from tests.link.identities import Verifier, usual

START = 1_000_000.0
GROUP = bytes(16)


def have(seq: int) -> Have:
    """Some frame of the conversation tier."""
    return Have(GROUP, seq)


def whole(data: bytes) -> list[bytes]:
    return [data]


class End:
    """One machine and everything that it said."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.events: list[Event] = []
        self.sent = b""

    def take(self) -> bytes:
        data = b"".join(iter(self.link.data_to_send, b""))
        self.sent += data
        self.events += self.link.events()
        return data

    def give(self, data: bytes, now: float) -> None:
        self.link.receive(data, now)
        self.events += self.link.events()

    @property
    def frames(self) -> list[Frame]:
        return [frame for event in self.events if isinstance(event, FramesArrived) for frame in event.frames]

    @property
    def opened(self) -> Opened | None:
        return next((event for event in self.events if isinstance(event, Opened)), None)

    @property
    def closed(self) -> Closed | None:
        return next((event for event in self.events if isinstance(event, Closed)), None)


class Pair:
    """``ayse`` dials ``burak``. ``chop`` cuts what the network carries into the pieces in which it arrives."""

    def __init__(
        self,
        *,
        dialler: ssl.SSLContext | None = None,
        listener: ssl.SSLContext | None = None,
        dialler_verify: Verify | None = None,
        listener_verify: Verify | None = None,
        limits: LinkLimits | None = None,
        chop: Callable[[bytes], list[bytes]] = whole,
    ) -> None:
        limits = limits or LinkLimits()
        self.now = START
        self.chop = chop
        listening = Tunnel(listener or usual("burak", server=True), server_side=True)
        dialling = Tunnel(dialler or usual("ayse", server=False), server_side=False)
        self.burak = End(Link(listening, listener_verify or Verifier(), limits, START))
        self.ayse = End(Link(dialling, dialler_verify or Verifier("burak"), limits, START))

    def run(self) -> Pair:
        """Carry bytes until both are silent."""
        for _ in range(50):
            there, back = self.ayse.take(), b""
            for piece in self.chop(there):
                self.burak.give(piece, self.now)
            back = self.burak.take()
            for piece in self.chop(back):
                self.ayse.give(piece, self.now)
            if not there and not back:
                return self
        raise AssertionError("the two talk for ever")

    def tick(self, seconds: float) -> None:
        """Let time pass for both."""
        self.now += seconds
        for end in (self.ayse, self.burak):
            end.link.tick(self.now)
