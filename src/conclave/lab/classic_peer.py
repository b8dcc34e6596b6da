"""A real peer on the classic link: ``net.classic`` and all below it, as a node has it, and what it saw.

Left out: conversations (``classic.desk``); a person who is asked says OK at once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import cast

from conclave.classic.events import Answer, Closed, Ending, Peer, Verify
from conclave.classic.handshake import Own, Receiver, Sender
from conclave.classic.keys import NONCE_BYTES, SECRET_BYTES
from conclave.classic.limits import ClassicLimits
from conclave.classic.machine import ClassicLink
from conclave.crypto.classic import RsaPrivate
from conclave.lab.careless import server_context, verifier
from conclave.lab.classic_wire import FragmentCutter
from conclave.lab.middle import LOOPBACK, Middle, between, until
from conclave.lab.realm import Realm
from conclave.lab.report_reader import OFF_BY_CHECK, CarelessLink
from conclave.lab.tls_peer import TlsPeer
from conclave.link.limits import LinkLimits
from conclave.net.classic import ClassicStream
from conclave.net.gate import Gate
from conclave.net.listener import Listener, listen
from conclave.pki.certificate import read_certificate
from conclave.pki.credentials import Credentials
from conclave.pki.profile import Profile
from conclave.pki.trust import Trust
from conclave.values import dataclass

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
        """How its link ended, or why none opened."""
        self.port = 0
        self._realm = realm
        self._without = without
        self._listener: Listener | None = None
        self._stream: _Stream | None = None

    async def listen(self, verify: Verify | None = None, *, beside: TlsPeer | None = None) -> int:
        """Listen on loopback; the port, also kept in ``port``.

        ``beside`` takes TLS on the same port; where it is not given, somebody of the same name does.
        """
        verify = verify or classic_verifier(self._realm, self._without)

        def accepted(gate: Gate) -> ClassicStream:
            self.nonce = os.urandom(NONCE_BYTES)
            self._stream = _Stream(self, Receiver(own(self.credentials), verify, self.nonce), gate)
            return self._stream

        other = beside or TlsPeer(self.name, self._realm.credentials(self.name), self._realm)
        context = server_context(other.credentials, self._realm)
        limits = LinkLimits(handshake_seconds=LIMITS.handshake_seconds)
        self._listener = await listen(
            LOOPBACK, 0, lambda: context, verifier(self._realm, self._without), limits, other, accepted
        )
        self.port = self._listener.address[1]
        return self.port

    async def dial(self, port: int, expected: str, verify: Verify | None = None) -> bool:
        """Dial; whether the other side's person said OK."""
        verify = verify or classic_verifier(self._realm, self._without, expected)
        sender = Sender(own(self.credentials), verify, self.secret)
        self._stream = stream = _Stream(self, sender)
        await asyncio.get_running_loop().create_connection(lambda: stream, LOOPBACK, port)
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
        """Send each as one message; on a link that is over, words are lost."""
        for text in texts:
            if self._stream is not None:
                self._stream.send(text.encode())

    async def heard(self, count: int) -> None:
        """Wait for the ``count``-th message. Raises ``TimeoutError``."""
        await until(lambda: len(self.texts) >= count)

    async def over(self) -> None:
        """Wait for the end of the link. Raises ``TimeoutError``."""
        await until(lambda: self.ended)

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
        if self._stream is not None:
            self._stream.abort()
        if self._listener is not None:
            self._listener.close()
        await asyncio.sleep(0)

    # ClassicOwner

    def on_asked(self, stream: ClassicStream, peer: Peer) -> None:
        """Somebody asks; the person says OK."""
        self.asked.append(peer.handle)
        stream.answer(Answer.OK)

    def on_opened(self, stream: ClassicStream, peer: Peer) -> None:
        """A link is there."""
        self.met.append(peer.handle)
        self.proven = not stream.initiator

    def on_proven(self, stream: ClassicStream, peer: Peer) -> None:
        """The other side has used its key."""
        del stream, peer
        self.proven = True

    def on_message(self, stream: ClassicStream, message: bytes) -> None:
        """Words came."""
        del stream
        self.texts.append(message.decode(errors="replace"))

    def on_ended(self, stream: ClassicStream, closed: Closed) -> None:
        """It is over."""
        del stream
        self.closed = closed

    def on_turned_away(self, address: str, closed: Closed) -> None:
        """Somebody did not come as far as the question."""
        del address
        self.closed = closed


class _Stream(ClassicStream):
    """A peer's connection: the real one, with the machine that its peer wants."""

    __slots__ = ("_lab_peer",)

    def __init__(self, peer: ClassicPeer, handshake: Sender | Receiver, gate: Gate | None = None) -> None:
        super().__init__(handshake, LIMITS, peer, gate=gate)
        self._lab_peer = peer

    def _make_link(self) -> ClassicLink:
        return self._lab_peer.make(self._handshake, self._now())

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()


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
