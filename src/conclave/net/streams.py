"""A link over asyncio or uvloop: the machine of ``link.machine`` on a TCP transport.

Frames sent within one turn of the loop leave as one TLS write and one write to the transport. Left out: dialling and
listening (``net.dialling``, ``net.listener``), when to dial again (``net.backoff``), which of two links stays
(``link.duel``), what the connection itself needs (``net.tcp``).
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final, Protocol

from conclave.errors import LocalError
from conclave.link.events import Closed, Event, FramesArrived, Opened, Peer, Verify
from conclave.link.limits import LinkLimits
from conclave.link.machine import VERSION, Link
from conclave.link.state import State
from conclave.link.tls import Tunnel
from conclave.net.gate import Gate
from conclave.net.tcp import ReceiveBuffer, TcpStream
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.link import CloseReason

_BUFFER: Final = ReceiveBuffer(256 * 1024)
_OPEN, _CLOSED = State.OPEN, State.CLOSED  # an enum's member is slow to look up for every frame


class LinkOwner(Protocol):
    """Whoever is told what links do. Called from the loop, one call at a time; must not block."""

    def on_link(self, stream: LinkStream) -> None:
        """Somebody dialled us and the link is open; links that we dial are told by ``dial``."""

    def on_frames(self, stream: LinkStream, frames: tuple[Frame, ...]) -> None:
        """Frames of the conversation tier arrived, in this order."""

    def on_drained(self, stream: LinkStream) -> None:
        """The link was slow and is not any more."""

    def on_closed(self, stream: LinkStream, closed: Closed) -> None:
        """The link is over; told once, after everything else, of links that were open."""

    def on_refused(self, address: str, closed: Closed) -> None:
        """Somebody who dialled us from ``address`` did not come as far as an open link."""


class LinkStream(TcpStream):
    """One link. Made by ``dial`` and ``listen``; usable until ``on_closed``."""

    __slots__ = (
        "_closed", "_context", "_due", "_early", "_full", "_limits", "_link", "_opened", "_owner", "_peer",
        "_reading", "_slow", "_slow_above", "_timer_at", "_verify", "initiator", "version", "window",
    )  # fmt: skip

    def __init__(
        self,
        context: ssl.SSLContext,
        verify: Verify,
        limits: LinkLimits,
        owner: LinkOwner,
        *,
        gate: Gate | None = None,
        opened: asyncio.Future[Closed | None] | None = None,
    ) -> None:
        super().__init__(_BUFFER, gate)
        self._context = context
        self._verify = verify
        self._limits = limits
        self._owner = owner
        self._opened = opened  # where it was dialled
        self._link: Link | None = None
        self._timer_at = 0.0
        self._peer: Peer | None = None
        self._closed: Closed | None = None
        self._early: list[Event] | None = None  # what happens before the dialler has its stream
        self._reading = True  # as our user wishes
        self._due = False  # a flush is coming in this turn of the loop
        self._full = False  # the transport wants no more for now
        self._slow = False
        self._slow_above = limits.outgoing_bytes
        self.initiator: bool = gate is None
        """Whether we dialled."""
        self.window: int = 0
        """Posts that the other side takes unacknowledged."""
        self.version: int = 0
        """The version of the protocol that both sides speak."""

    # For the link's user.

    @property
    def peer(self) -> Peer:
        """Whoever is at the other end: what ``verify`` returned. Raises ``LocalError`` before the link is open."""
        if self._peer is None:
            raise LocalError("the link is not open yet")
        return self._peer

    @property
    def handle(self) -> str:
        """The peer's handle. Raises ``LocalError`` before the link is open."""
        return self.peer.handle

    @property
    def open(self) -> bool:
        """Whether frames can be sent."""
        return self._link is not None and self._link.state is State.OPEN

    @property
    def slow(self) -> bool:
        """Whether more than ``outgoing_bytes`` wait to leave; ``on_drained`` tells when that is over."""
        return self._slow

    @property
    def unsent(self) -> int:
        """Bytes that wait to leave: frames in the link, ciphertext in the transport."""
        waiting = self._transport.get_write_buffer_size() if self._transport is not None else 0
        return waiting + (self._link.buffered if self._link is not None else 0)

    def send(self, frame: Frame) -> None:
        """Send ``frame`` in this turn of the loop. As ``send_encoded``."""
        self.send_encoded(encode_frame(frame))

    def send_encoded(self, frames: bytes) -> None:
        """Send frames that ``encode_frame`` made, one or several joined, for instance once for many links.

        On a link that is not open they are dropped: what must arrive is resent on the next link. Past
        ``outgoing_limit_bytes`` unsent the link ends as overloaded.
        """
        link = self._link
        if link is None or link.state is not _OPEN:
            return
        if link.send_encoded(frames) > self._slow_above:
            self._slow = True
        if not self._due:
            self._due = True
            self._loop.call_soon(self._flush)

    def pause(self) -> None:
        """Read no more for now. The other side hears nothing either: keep it well below ``silence_seconds``."""
        self._reading = False
        if self._transport is not None and self._link is not None and self.open:
            self._transport.pause_reading()
            self._link.pause()

    def resume(self) -> None:
        """Read again."""
        self._reading = True
        if self._transport is not None and self._link is not None and self.open and self._early is None:
            self._link.resume(self._now())
            self._transport.resume_reading()
            self._arm()

    def close(self, reason: CloseReason = CloseReason.DONE, text: str = "") -> None:
        """End the link; ``on_closed`` follows, at once or when the other side has answered."""
        if self._link is not None and self._link.state is not State.CLOSED:
            if self._transport is not None and self.open:
                self._transport.resume_reading()  # the answer is to be heard
            self._link.close(reason, text, self._now())
            self._act()

    def release(self) -> None:
        """Tell the owner what has arrived, now that ``dial`` has handed the stream over."""
        early, self._early = self._early or [], None
        for event in early:
            if isinstance(event, FramesArrived):
                self._owner.on_frames(self, event.frames)
            elif isinstance(event, Closed):
                self._finish(event)
        if self._reading:
            self.resume()

    # For asyncio.

    def buffer_updated(self, nbytes: int) -> None:
        """Take what the loop read."""
        if self._link is not None and self._closed is None:  # after the end, bytes are read to be thrown away
            self._link.receive(self._buffer[:nbytes], self._now())
            self._act()

    def pause_writing(self) -> None:
        """Hold frames back: the transport's buffer is full."""
        self._full = self._slow = True

    def resume_writing(self) -> None:
        """Let frames go again."""
        self._full = False
        self._flush()

    # How it works.

    def _begin(self, transport: asyncio.Transport) -> None:
        high = self._limits.outgoing_bytes
        transport.set_write_buffer_limits(high=high, low=high // 4)
        tunnel = Tunnel(self._context, server_side=not self.initiator)
        self._link = Link(tunnel, self._verify, self._limits, self._now())
        self._act()

    def _cut(self) -> None:
        if self._link is not None and self._closed is None:
            self._link.receive_eof()
            self._act()

    def _act(self) -> None:
        """Do what the machine wants after anything happened to it."""
        self._due = True  # what the callbacks send leaves with the flush below
        self._tell()
        self._flush()
        if self._timer is None or self._link is None or self._link.state is not _OPEN:
            self._arm()

    def _tell(self) -> None:
        if self._link is None:
            return
        events = self._link.events()
        if self._early is not None:
            self._early += events
            return
        for at, event in enumerate(events):
            match event:
                case FramesArrived():
                    self._owner.on_frames(self, event.frames)
                case Opened():
                    self._peer = event.peer
                    self.window, self.version = event.hello.window, min(event.hello.version, VERSION)
                    self._leave_gate()
                    if self._opened is None:
                        self._owner.on_link(self)
                    elif not self._opened.done():
                        self._opened.set_result(None)
                        self._early = events[at + 1 :]
                        if self._transport is not None:
                            self._transport.pause_reading()
                        return
                case Closed():
                    self._finish(event)

    def _flush(self) -> None:
        self._due = False
        link = self._link
        if link is None or self._transport is None or (self._full and link.state is not _CLOSED):
            return
        while data := link.data_to_send():
            self._transport.write(data)
            if not link.buffered or (self._full and link.state is not _CLOSED):
                break
        if self._slow and not self._full and self._closed is None:
            self._slow = False
            self._owner.on_drained(self)
        if link.state is _CLOSED and self._closed is None:
            self._tell()  # sending found that it cannot go on

    def _finish(self, closed: Closed) -> None:
        """The link is over: let the last bytes out, let the other side's go by, tell whom it concerns."""
        self._closed = closed
        if self._transport is not None:
            self._full = False
            self._flush()
            if not self._transport.is_closing():
                self._end_ours(self._transport)
            self._disarm()
            self._timer = self._loop.call_later(self._limits.close_seconds, self._ring)
        if self._peer is not None:
            self._owner.on_closed(self, closed)
        elif self._opened is None:
            self._owner.on_refused(self.address, closed)
        elif not self._opened.done():
            self._opened.set_result(closed)

    def _arm(self) -> None:
        """Have ``_ring`` called when the link is due, or earlier, which it takes in its stride."""
        if self._link is None or self._transport is None:
            return
        due = self._link.timer()
        if due is None or (self._timer is not None and self._timer_at <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._loop.call_at(due - self._epoch, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._closed is not None:
            if self._transport is not None:
                self._transport.abort()
        elif self._link is not None:
            self._link.tick(self._now())
            self._act()
