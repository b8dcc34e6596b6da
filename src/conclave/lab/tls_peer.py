"""A real peer on the default link: ``net.streams`` and all below it, as a node has it, and what it saw.

Words go as posts of the kind ``message`` with the text itself as body: a lesson is about the link, so that nothing
above the link may save it. Left out: conversations (``chat``) and the end-to-end layer (``lab.tls_lobby``).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from conclave.errors import ConclaveError
from conclave.lab import careless
from conclave.lab.middle import LOOPBACK, Middle, between, until
from conclave.lab.realm import Realm
from conclave.lab.tls_wire import RecordCutter
from conclave.link.events import Closed, Verify
from conclave.link.limits import LinkLimits
from conclave.net.dialling import dial
from conclave.net.listener import Listener, listen
from conclave.net.streams import LinkStream
from conclave.pki.credentials import Credentials
from conclave.values import dataclass
from conclave.wire.delivery import Post, PostKind
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.link import CloseReason

_STREAM = b"lesson 1"
LIMITS = LinkLimits(handshake_seconds=5.0, close_seconds=1.0)


class TlsPeer:
    """Somebody with certificate and key: listens, dials, speaks, and writes down what came."""

    def __init__(
        self, name: str, credentials: Credentials, realm: Realm, *, without: frozenset[str] = frozenset()
    ) -> None:
        self.name = name
        self.credentials = credentials
        self._realm = realm
        self._without = without
        self.texts: list[str] = []
        """What was shown to the person."""
        self.stream: LinkStream | None = None
        self.met: list[str] = []
        """Whom the certificate of each link that opened named."""
        self.closed: Closed | None = None
        """How an open link ended."""
        self.refused: str = ""
        """Why no link opened, in words."""
        self._listener: Listener | None = None
        self._said = 0
        self.port = 0

    async def listen(self, verify: Verify | None = None) -> int:
        """Listen on loopback; the port, also kept in ``port``."""
        context = careless.server_context(self.credentials, self._realm)
        verify = verify or careless.verifier(self._realm, self._without)
        self._listener = await listen(LOOPBACK, 0, lambda: context, verify, LIMITS, self)
        self.port = self._listener.address[1]
        return self.port

    async def dial(
        self, port: int, expected: str, *, verify: Verify | None = None, context: ssl.SSLContext | None = None
    ) -> bool:
        """Dial; whether a link opened. Why it did not is in ``refused``."""
        context = context or careless.client_context(self.credentials, self._realm, self._without)
        verify = verify or careless.verifier(self._realm, self._without, expected)
        try:
            self.stream = await dial(LOOPBACK, port, context, verify, LIMITS, self)
        except ConclaveError as error:
            self.refused = str(error).partition(": ")[2] or str(error)
            return False
        self.met.append(self.stream.handle)
        return True

    def say(self, *texts: str) -> None:
        """Send each as one message."""
        for text in texts:
            self._said += 1
            post = Post(_STREAM, self._said, 1, PostKind.MESSAGE, text.encode())
            if self.stream is not None:
                self.stream.send_encoded(encode_frame(post))

    async def heard(self, count: int) -> None:
        """Wait for the ``count``-th message. Raises ``TimeoutError``."""
        await until(lambda: len(self.texts) >= count)

    async def over(self) -> Closed:
        """Wait for the end of the link. Raises ``TimeoutError``."""
        await until(lambda: self.closed is not None)
        assert self.closed is not None
        return self.closed

    def goodbye(self) -> None:
        """End the link in good order."""
        if self.stream is not None:
            self.stream.close(CloseReason.DONE, "goodbye")

    @property
    def end(self) -> str:
        """How it ended, in words."""
        if self.refused:
            return f"no link opened: {self.refused}"
        if self.closed is None:
            return "the link is open" if self.met else "no link has opened"
        how = " in good order" if self.closed.clean else ""
        return f"link ended{how}: {self.closed.text or self.closed.reason.word}"

    @property
    def ended(self) -> bool:
        """Whether the link is over, or never was."""
        return self.closed is not None or bool(self.refused)

    @property
    def alarmed(self) -> bool:
        """Whether it knows that something may be missing: an end without the other side's farewell."""
        return self.closed is not None and not self.closed.clean

    async def away(self) -> None:
        """Leave nothing open."""
        if self._listener is not None:
            self._listener.close()
        if self.stream is not None:
            self.stream.abort()
        await asyncio.sleep(0)

    # LinkOwner

    def on_link(self, stream: LinkStream) -> None:
        """Somebody came."""
        self.stream = stream
        self.met.append(stream.handle)

    def on_frames(self, stream: LinkStream, frames: tuple[Frame, ...]) -> None:
        """Words came."""
        del stream
        self.texts += [frame.body.decode(errors="replace") for frame in frames if isinstance(frame, Post)]

    def on_drained(self, stream: LinkStream) -> None:
        """Nothing to do: lessons send little."""

    def on_closed(self, stream: LinkStream, closed: Closed) -> None:
        """It is over."""
        if stream is self.stream:
            self.closed = closed

    def on_refused(self, address: str, closed: Closed) -> None:
        """Somebody did not get in."""
        del address
        self.refused = closed.text


@dataclass(frozen=True, slots=True)
class TlsWire:
    """ayse has dialled burak, through the attacker."""

    ayse: TlsPeer
    burak: TlsPeer
    middle: Middle


@asynccontextmanager
async def tls_wire(
    realm: Realm, without: frozenset[str] = frozenset(), *, dial: bool = True
) -> AsyncIterator[TlsWire]:
    """Two real peers and mallory between them; the link is open unless ``dial`` is off."""
    ayse, burak = (TlsPeer(name, realm.credentials(name), realm, without=without) for name in ("ayse", "burak"))
    async with between(await burak.listen(), RecordCutter) as middle:
        try:
            if dial:
                await ayse.dial(middle.port, "burak")
                await until(lambda: bool(burak.met))
            yield TlsWire(ayse, burak, middle)
        finally:
            await ayse.away()
            await burak.away()
