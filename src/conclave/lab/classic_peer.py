"""A real peer on the classic link: ``classic.machine`` on a TCP connection, and what it saw.

Left out: conversations (``classic.desk``); a person who is asked says OK at once.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from conclave.classic.events import Answer, Arrived, Asked, Closed, Ending, Opened, Peer, Proven, Verify
from conclave.classic.handshake import Own, Receiver, Sender
from conclave.classic.keys import NONCE_BYTES, SECRET_BYTES
from conclave.classic.limits import ClassicLimits
from conclave.classic.machine import ClassicLink
from conclave.classic.state import State
from conclave.crypto.classic import RsaPrivate
from conclave.lab.careless import verifier
from conclave.lab.classic_wire import FragmentCutter
from conclave.lab.middle import LOOPBACK, Middle, between, until
from conclave.lab.realm import Realm
from conclave.lab.report_reader import OFF_BY_CHECK, CarelessLink
from conclave.pki.certificate import read_certificate
from conclave.pki.credentials import Credentials
from conclave.pki.profile import Profile
from conclave.pki.trust import Trust

LIMITS = ClassicLimits(handshake_seconds=5.0, answer_seconds=5.0)


def classic_verifier(
    realm: Realm, without: frozenset[str] = frozenset(), expected: str | None = None, trust: Trust | None = None
) -> Verify:
    """``classic.events.Verify`` as a node has it, less what is left out."""
    judge = verifier(realm, without, expected, trust=trust, profile=Profile.CLASSIC)
    return lambda pem, now: cast("Peer", judge(read_certificate(pem).der, now))


@lru_cache(32)
def _own(certificate: bytes, key: bytes) -> Own:
    return Own(certificate, RsaPrivate(key))


def own(credentials: Credentials) -> Own:
    """What a peer shows and proves; read once, for the library examines an RSA key for long."""
    return _own(credentials.certificate.pem, credentials.key.der())


class ClassicPeer:
    """Somebody with a certificate of profile ``classic``: listens, dials, speaks, and writes down what came."""

    def __init__(
        self, name: str, credentials: Credentials, realm: Realm, without: frozenset[str] = frozenset()
    ) -> None:
        self.name = name
        self.credentials = credentials
        self.secret = os.urandom(SECRET_BYTES)
        """The master secret, where this side dials."""
        self.nonce = b""
        """The nonce of the newest connection, where this side listens."""
        self.first = 1
        """The number of the first fragment."""
        self.texts: list[str] = []
        """What was shown to the person."""
        self.asked: list[str] = []
        """Who asked to chat."""
        self.met: list[str] = []
        """With whom a link opened."""
        self.proven = False
        """Whether whoever is there has used the key of its certificate."""
        self.closed: Closed | None = None
        self.port = 0
        self._realm = realm
        self._without = without
        self._server: asyncio.Server | None = None
        self._line: _Line | None = None

    async def listen(self, verify: Verify | None = None) -> int:
        """Listen on loopback; the port, also kept in ``port``."""
        verify = verify or classic_verifier(self._realm, self._without)

        def accepted() -> _Line:
            self.nonce = os.urandom(NONCE_BYTES)
            self._line = _Line(self, Receiver(own(self.credentials), verify, self.nonce))
            return self._line

        self._server = await asyncio.get_running_loop().create_server(accepted, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    async def dial(self, port: int, expected: str, verify: Verify | None = None) -> bool:
        """Dial; whether the other side's person said OK."""
        verify = verify or classic_verifier(self._realm, self._without, expected)
        sender = Sender(own(self.credentials), verify, self.secret)
        self._line = line = _Line(self, sender)
        await asyncio.get_running_loop().create_connection(lambda: line, LOOPBACK, port)
        await until(lambda: bool(self.met) or self.ended)
        return bool(self.met)

    def make(self, handshake: Sender | Receiver, now: float) -> ClassicLink:
        """The machine of one connection: the real one, unless checks are left out."""
        if not self._without & OFF_BY_CHECK:
            return ClassicLink(handshake, LIMITS, now, first=self.first)
        link = CarelessLink(handshake, LIMITS, now, first=self.first)
        link.without = self._without & OFF_BY_CHECK
        return link

    def say(self, *texts: str) -> None:
        """Send each as one message, in a write of its own."""
        for text in texts:
            if self._line is not None:
                self._line.say(text.encode())

    async def heard(self, count: int) -> None:
        """Wait for the ``count``-th message. Raises ``TimeoutError``."""
        await until(lambda: len(self.texts) >= count)

    async def over(self) -> None:
        """Wait for the end of the link. Raises ``TimeoutError``."""
        await until(lambda: self.ended)

    def hang_up(self) -> None:
        """End the link, as the suite does: by ending the connection."""
        if self._line is not None:
            self._line.close()

    @property
    def ended(self) -> bool:
        """Whether the link is over, or never was."""
        return self.closed is not None

    @property
    def alarmed(self) -> bool:
        """Whether it knows that something went wrong: the suite itself cannot tell a goodbye from a cut."""
        return self.closed is not None and self.closed.ending is not Ending.DONE

    @property
    def end(self) -> str:
        """How its link stands or ended, in words."""
        if self.closed is None:
            return "the link is open" if self.met else "no link has opened"
        return f"{'link ended' if self.met else 'no link opened'}: {self.closed.text}"

    async def away(self) -> None:
        """Leave nothing open."""
        if self._line is not None:
            self._line.close()
        if self._server is not None:
            self._server.close()
        await asyncio.sleep(0)

    def on_event(self, event: object, link: ClassicLink, now: float) -> None:
        """What the machine tells."""
        match event:
            case Asked():
                self.asked.append(event.peer.handle)
                if link.state is State.ASKED:  # it may be over already
                    link.answer(Answer.OK, now)
            case Opened():
                self.met.append(event.peer.handle)
                self.proven = not event.initiator
            case Proven():
                self.proven = True
            case Arrived():
                self.texts.append(event.message.decode(errors="replace"))
            case Closed():
                self.closed = event


class _Line(asyncio.Protocol):
    """One connection of a peer."""

    def __init__(self, peer: ClassicPeer, handshake: Sender | Receiver) -> None:
        self._peer = peer
        self._link = peer.make(handshake, time.time())
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The TCP connection is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._act()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._link.receive(data, time.time())
        self._act()

    def eof_received(self) -> None:
        """No more will come."""
        self._link.receive_eof()
        self._act()

    def connection_lost(self, exc: Exception | None) -> None:
        """The TCP connection is gone."""
        del exc
        self._link.receive_eof()
        self._act()

    def say(self, message: bytes) -> None:
        """Send one message."""
        if self._link.state is State.OPEN:  # on a link that is over, words are lost
            self._link.send(message)
        self._act()

    def close(self) -> None:
        """End the link."""
        self._link.close()
        self._act()

    def _act(self) -> None:
        now = time.time()
        for event in self._link.events():
            self._peer.on_event(event, self._link, now)
        for event in self._link.events():  # what the answer to a question brought about
            self._peer.on_event(event, self._link, now)
        if self._transport is None:
            return
        if data := self._link.data_to_send():
            self._transport.write(data)
        if self._timer is not None:
            self._timer.cancel()
        due = self._link.timer()
        if self._link.state is State.CLOSED:
            self._transport.close()
        elif due is not None:
            wait = min(max(0.0, due - now), LIMITS.answer_seconds)
            self._timer = asyncio.get_running_loop().call_later(wait, self._ring)

    def _ring(self) -> None:
        self._link.tick(time.time())
        self._act()


@dataclass(frozen=True, slots=True)
class ClassicWire:
    """ayse, the sender, has dialled burak, the receiver, through the attacker."""

    ayse: ClassicPeer
    burak: ClassicPeer
    middle: Middle


@asynccontextmanager
async def classic_wire(
    realm: Realm, without: frozenset[str] = frozenset(), *, dial: bool = True, first: int = 1
) -> AsyncIterator[ClassicWire]:
    """Two real peers and mallory between them; the link is open unless ``dial`` is off."""
    ayse, burak = (
        ClassicPeer(name, realm.credentials(name, Profile.CLASSIC), realm, without) for name in ("ayse", "burak")
    )
    ayse.first = burak.first = first
    async with between(await burak.listen(), FragmentCutter) as middle:
        try:
            if dial:
                await ayse.dial(middle.port, "burak")
                await until(lambda: bool(burak.met))
            yield ClassicWire(ayse, burak, middle)
        finally:
            await ayse.away()
            await burak.away()
