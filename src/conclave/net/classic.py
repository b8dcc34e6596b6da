"""A classic link over asyncio or uvloop: the machine of ``classic.machine`` on a TCP transport; dialling one.

What is written in one turn of the loop leaves as one write. A peer that does not read is cut off at
``outgoing_bytes``; whoever drives the link pauses its reading. Left out: when to dial and what is said
(``node.classic.pump``), telling classic from TLS (``net.door``).
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Final, Protocol

from conclave.classic.events import Answer, Arrived, Asked, Closed, Ending, Opened, Peer, Proven
from conclave.classic.handshake import Receiver, Sender
from conclave.classic.limits import ClassicLimits
from conclave.classic.machine import ClassicLink
from conclave.classic.state import State
from conclave.errors import NetworkError
from conclave.net.gate import Gate
from conclave.net.tcp import ReceiveBuffer, TcpStream

CLOSE_SECONDS: Final = 5.0
"""How long the last bytes may take to leave, and the other side to end its half."""


_BUFFER: Final = ReceiveBuffer(64 * 1024)


class ClassicOwner(Protocol):
    """Whoever is told what classic links do. Called from the loop, one call at a time; must not block."""

    def on_asked(self, stream: ClassicStream, peer: Peer) -> None:
        """Somebody asks to chat; ``stream.answer`` answers."""

    def on_opened(self, stream: ClassicStream, peer: Peer) -> None:
        """Texts go both ways from now on."""

    def on_proven(self, stream: ClassicStream, peer: Peer) -> None:
        """Whom we dialled has used its key."""

    def on_message(self, stream: ClassicStream, message: bytes) -> None:
        """A message arrived, whole and verified."""

    def on_ended(self, stream: ClassicStream, closed: Closed) -> None:
        """The link is over; told once, after everything else, of links that were dialled or came to a question."""

    def on_turned_away(self, address: str, closed: Closed) -> None:
        """Somebody who dialled us did not come as far as the question."""


class ClassicStream(TcpStream):
    """One link. Usable until ``on_ended``. ``number`` is its user's own name for it."""

    __slots__ = (
        "_due", "_handshake", "_known", "_limits", "_link", "_owner", "ending", "number",
    )  # fmt: skip

    def __init__(
        self,
        handshake: Sender | Receiver,
        limits: ClassicLimits,
        owner: ClassicOwner,
        *,
        gate: Gate | None = None,
        number: int = 0,
    ) -> None:
        """``gate``: where it was accepted; whoever dials has none."""
        super().__init__(_BUFFER, gate)
        self._handshake = handshake
        self._limits = limits
        self._owner = owner
        self._link: ClassicLink | None = None
        self._known = isinstance(handshake, Sender)  # whether the owner hears of its end
        self._due = False  # a flush is coming in this turn of the loop
        self.ending: Ending | None = None
        """Why the link is over; none while it is not."""
        self.number = number

    # For the link's user.

    @property
    def initiator(self) -> bool:
        """Whether we are the sender."""
        return isinstance(self._handshake, Sender)

    @property
    def peer(self) -> Peer | None:
        """Whoever showed the certificate; none before."""
        return self._handshake.peer

    @property
    def proven(self) -> bool:
        """Whether the peer has used its key."""
        return self._link is not None and self._link.proven

    @property
    def connected(self) -> bool:
        """Whether the TCP connection is there; for a while it is, after the link is over."""
        return self._transport is not None

    @property
    def open(self) -> bool:
        """Whether messages can be sent."""
        return self._link is not None and self._link.state is State.OPEN

    def answer(self, answer: Answer) -> None:
        """Answer whoever asks. Nothing happens where it asks no more."""
        if self._link is not None and self._link.state is State.ASKED:
            self._link.answer(answer, self._now())
            self._act()

    def send(self, message: bytes) -> bool:
        """Have a message sent in this turn of the loop; false where the link is not open, or has to end first.

        Raises ``LocalError`` for a message that is too long for every peer.
        """
        link = self._link
        if link is None:
            return False
        if link.state is not State.OPEN:
            self._act()  # its user may not have heard of the end yet
            return False
        fits = link.room(message)
        link.send(message)
        if not fits:
            self._act()
        elif not self._due:
            self._due = True
            self._loop.call_soon(self._act)
        return fits

    def pause(self) -> None:
        """Read no more for now."""
        if self._transport is not None and self.ending is None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None and self.ending is None:
            self._transport.resume_reading()

    def close(self, ending: Ending = Ending.DONE, text: str = "we hung up") -> None:
        """End the link, after what was sent; ``on_ended`` follows at once."""
        if self._link is not None:
            self._act()
            self._link.close(ending, text)
            self._act()

    # For asyncio.

    def buffer_updated(self, nbytes: int) -> None:
        """Take what the loop read; after the end it is read to be thrown away."""
        if self._link is not None and self.ending is None:
            self._link.receive(bytes(self._buffer[:nbytes]), self._now())
            self._act()

    # How it works.

    def _begin(self, transport: asyncio.Transport) -> None:
        raw = transport.get_extra_info("socket")
        if raw is not None:  # the suite has no heartbeat: without this a dead peer would stay for ever
            with suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._link = self._make_link()
        self._act()

    def _make_link(self) -> ClassicLink:
        """The machine of this connection. The attack lab's victims have others, with a check less."""
        return ClassicLink(self._handshake, self._limits, self._now())

    def _cut(self) -> None:
        if self._link is not None and self.ending is None:
            self._link.receive_eof()
            self._act()

    def _act(self) -> None:
        """Do what the machine wants after anything happened to it."""
        self._due = False
        link, transport = self._link, self._transport
        if link is None:
            return
        if (data := link.data_to_send()) and transport is not None and not transport.is_closing():
            transport.write(data)
            if transport.get_write_buffer_size() > self._limits.outgoing_bytes:
                link.close(Ending.OVERLOADED, "the other side does not read what it is sent")
        for event in link.events():
            self._tell(event)
        self._arm()

    def _tell(self, event: Asked | Opened | Proven | Arrived | Closed) -> None:
        match event:
            case Asked(peer):
                self._known = True
                self._leave_gate()
                self._owner.on_asked(self, peer)
            case Opened(peer):
                self._owner.on_opened(self, peer)
            case Proven(peer):
                self._owner.on_proven(self, peer)
            case Arrived(message):
                self._owner.on_message(self, message)
            case Closed():
                self._finish(event)

    def _finish(self, closed: Closed) -> None:
        """The link is over: let the last bytes out and the other side's go by, then tell whom it concerns."""
        self.ending = closed.ending
        self._leave_gate()
        self._disarm()
        if self._transport is not None and not self._transport.is_closing():
            if closed.ending is Ending.OVERLOADED:
                self._transport.abort()
            else:
                self._end_ours(self._transport)
                self._timer = self._loop.call_later(CLOSE_SECONDS, self._transport.abort)
        if self._known:
            self._owner.on_ended(self, closed)
        else:
            self._owner.on_turned_away(self.address, closed)

    def _arm(self) -> None:
        if self._link is None or self.ending is not None or self._transport is None:
            return
        self._disarm()
        due = self._link.timer()
        if due is not None:
            self._timer = self._loop.call_at(due - self._epoch, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._link is not None and self.ending is None:
            self._link.tick(self._now())
            self._act()


async def dial_classic(
    host: str, port: int, handshake: Sender, limits: ClassicLimits, owner: ClassicOwner, number: int = 0
) -> ClassicStream:
    """Begin a classic handshake with whoever listens at ``host``; how it goes is told to ``owner``.

    Raises ``NetworkError`` where nobody could be reached in ``handshake_seconds``.
    """
    stream = ClassicStream(handshake, limits, owner, number=number)
    try:
        async with asyncio.timeout(limits.handshake_seconds):
            await asyncio.get_running_loop().create_connection(lambda: stream, host, port)
    except TimeoutError as error:
        text = f"{host}:{port} did not answer within {limits.handshake_seconds:g} seconds"
        raise NetworkError(text, remedy="check that the peer is up and that no firewall is between") from error
    except (OSError, ValueError) as error:  # ValueError: a name that no resolver takes
        text = f"{host}:{port} cannot be reached: {getattr(error, 'strerror', None) or error}"
        raise NetworkError(text, remedy="check the address, and that the peer is up") from error
    return stream
