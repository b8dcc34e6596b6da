"""A link, sans-IO: bytes and time in, bytes and events out. The states and their rules stand in ``link.state``.

Whoever drives it feeds ``receive`` with what the network gave, sends what ``data_to_send`` gives until it gives
nothing, acts on ``events``, and calls ``tick`` when ``timer`` is due. Time is UNIX seconds. Frames that wait leave
together in as few TLS writes as there are 64 KiB of them. Left out: sockets (``net.streams``), and what frames mean.
"""

from __future__ import annotations

from conclave import __version__
from conclave.errors import LocalError, Refused, RemoteError, VerificationError
from conclave.link.events import Closed, Event, FramesArrived, Opened, Peer, Verify
from conclave.link.framing import FrameCutter
from conclave.link.limits import LinkLimits
from conclave.link.state import FAREWELLS, State, Step, follow
from conclave.link.tls import Tunnel
from conclave.wire.frames import Frame, decode_frame, encode_frame
from conclave.wire.limits import FRAME_BYTES, TEXT_BYTES
from conclave.wire.link import Close, CloseReason, Hello, Ping, Pong

VERSION = 2
"""The version of the protocol that this side speaks best."""
OLDEST = 1
"""The oldest version that it still speaks."""

_FIRST_CONVERSATION_KIND = 16
_HEADER_BYTES = 5
_WRITE_BYTES = 64 * 1024
"""About so much is encrypted in one go: larger pieces leave a processor's cache between two steps."""
_HELLO, _OPEN, _CLOSED = State.HELLO, State.OPEN, State.CLOSED  # an enum's member is slow to look up for every frame


def _reason(word: str) -> CloseReason:
    try:
        return CloseReason[word.upper().replace("-", "_")]
    except KeyError:
        return CloseReason.BAD_CERTIFICATE


def _short(text: str) -> str:
    """Cut ``text`` to what a close frame carries."""
    return text.encode()[:TEXT_BYTES].decode(errors="ignore")


class Link:
    """One connection to one peer, from the first byte of TLS to the last."""

    __slots__ = (
        "_arrived", "_buffered", "_closing_since", "_cutter", "_events", "_farewell", "_heard", "_largest", "_limits",
        "_paused", "_peer", "_pending", "_pinged", "_pong", "_shaken_bytes", "_started", "_token",
        "_tunnel", "_verify", "state",
    )  # fmt: skip

    def __init__(self, tunnel: Tunnel, verify: Verify, limits: LinkLimits, now: float) -> None:
        self._tunnel = tunnel
        self._verify = verify
        self._limits = limits
        self.state = State.HANDSHAKE
        """Where the link stands. For reading only: it is asked for every frame, so it is no property."""
        self._cutter = FrameCutter(limits.hello_bytes)
        self._events: list[Event] = []
        self._arrived: list[Frame] = []
        self._pending: list[bytes] = []  # encoded frames that wait for the next write
        self._buffered = 0
        self._peer: Peer | None = None
        self._largest = 0  # bytes of a whole frame that the other side reads
        self._shaken_bytes = 0
        self._started = self._heard = self._pinged = now
        self._closing_since = 0.0
        self._farewell: Close | None = None
        self._token = 0
        self._pong: int | None = None
        self._paused = False
        if not tunnel.server_side:
            self._shake(b"", now)

    @property
    def buffered(self) -> int:
        """Bytes of frames that ``data_to_send`` has not taken yet."""
        return self._buffered

    # What the network does.

    def receive(self, data: bytes | memoryview, now: float) -> None:
        """Take bytes from the network. Nothing that they hold raises; what is wrong with them ends the link."""
        if self.state is State.CLOSED or not data:
            return
        self._heard = now
        try:
            if self.state is State.HANDSHAKE:
                self._shake(data, now)
                data = b""
                if self.state is State.HANDSHAKE:
                    return
            self._read(data)
        except VerificationError as error:
            self._fail(_reason(error.reason), "; ".join(filter(None, (str(error), error.remedy))))
        except Refused as error:
            self._end(_reason(error.reason), str(error), clean=False, by_us=False)
        except RemoteError as error:
            self._fail(CloseReason.PROTOCOL, str(error))

    def receive_eof(self) -> None:
        """The network will give no more: the stream ended, or broke."""
        if self.state is State.CLOSING and self._farewell is not None:
            self._end(self._farewell.reason, self._farewell.text, clean=False, by_us=True)
        elif self.state is not State.CLOSED:
            text = "the connection was cut" if self._largest else "the connection was cut before it was established"
            self._end(CloseReason.TRUNCATED, text, clean=False, by_us=False)

    def tick(self, now: float) -> None:
        """Time passed: do whatever is due."""
        limits = self._limits
        if self.state is State.OPEN:
            if self._peer is not None and now >= self._peer.not_after:
                self._fail(CloseReason.EXPIRED, "the other side's certificate has expired: it must be renewed")
            elif self._paused:
                return
            elif now >= self._heard + limits.silence_seconds:
                self._fail(CloseReason.TIMEOUT, f"nothing was heard for {limits.silence_seconds:g} seconds")
            elif now >= self._next_ping():
                self._token += 1
                self._pinged = now
                self._queue(encode_frame(Ping(self._token)))
        elif self.state is State.CLOSING:
            if now >= self._closing_since + limits.close_seconds:
                self.receive_eof()
        elif self.state is not State.CLOSED and now >= self._started + limits.handshake_seconds:
            text = f"the connection was not established within {limits.handshake_seconds:g} seconds"
            self._fail(CloseReason.TIMEOUT, text)

    def timer(self) -> float | None:
        """When ``tick`` is due (UNIX seconds), or None. It may only move later while bytes arrive."""
        if self.state is State.OPEN:
            ends = self._peer.not_after if self._peer is not None else self._heard
            if self._paused:
                return ends
            return min(ends, self._next_ping(), self._heard + self._limits.silence_seconds)
        if self.state is State.CLOSING:
            return self._closing_since + self._limits.close_seconds
        return None if self.state is State.CLOSED else self._started + self._limits.handshake_seconds

    def pause(self) -> None:
        """Reading has stopped at our wish: silence is not the other side's fault now."""
        self._paused = True

    def resume(self, now: float) -> None:
        """Reading goes on."""
        self._paused = False
        self._heard = now

    # What our side wants.

    def send(self, frame: Frame) -> None:
        """Have ``frame`` sent with the next write.

        As ``send_encoded``; raises ``LocalError`` also for a frame that is larger than the other side reads.
        """
        data = encode_frame(frame)
        if self.state is State.OPEN and len(data) > self._largest:
            raise LocalError(f"a frame of {len(data)} bytes is more than the other side reads")
        self.send_encoded(data)

    def send_encoded(self, frames: bytes) -> int:
        """Have frames sent that ``encode_frame`` made, one or several joined; the bytes that wait now.

        Past ``outgoing_limit_bytes`` the link ends as overloaded. Raises ``LocalError`` where the link is not open.
        """
        if self.state is not _OPEN:
            raise LocalError(f"the link is not open ({self.state.name.lower()})")
        buffered = self._buffered + len(frames)
        if buffered > self._limits.outgoing_limit_bytes:
            self._pending.clear()
            self._fail(CloseReason.OVERLOADED, "the other side does not read what it is sent")
            return 0
        self._pending.append(frames)
        self._buffered = buffered
        return buffered

    def close(self, reason: CloseReason, text: str, now: float) -> None:
        """End the link and say why: with a farewell that waits for its answer, or at once (``state.FAREWELLS``)."""
        if self.state is State.OPEN and reason in FAREWELLS:
            self._farewell = Close(reason, _short(text))
            self._queue(encode_frame(self._farewell))
            self._closing_since = now
            self.state = follow(self.state, Step.FAREWELL)
        elif self.state in (State.HANDSHAKE, State.HELLO, State.OPEN):
            self._fail(reason, text)

    # What whoever drives it collects.

    def data_to_send(self) -> bytes:
        """Some of what is ready for the network, frames joined into one TLS write; empty once nothing is."""
        tunnel = self._tunnel
        if self._pong is not None:
            self._queue(encode_frame(Pong(self._pong)))
            self._pong = None
        pending = self._pending
        if not tunnel.up:
            pending.clear()
            self._buffered = 0
        data = tunnel.write(self._portion()) if pending else b""
        if self.state is _CLOSED and not pending:
            tunnel.end()
        return data + tunnel.take()

    def _portion(self) -> bytes:
        """The first of the frames that wait: all of them, or as many as are enough for one write."""
        pending = self._pending
        if self._buffered <= _WRITE_BYTES or len(pending) == 1:
            plain = pending[0] if len(pending) == 1 else b"".join(pending)
            pending.clear()
            self._buffered = 0
            return plain
        size = count = 0
        while size < _WRITE_BYTES and count < len(pending):
            size += len(pending[count])
            count += 1
        plain = pending[0] if count == 1 else b"".join(pending[:count])
        del pending[:count]
        self._buffered -= size
        return plain

    def events(self) -> list[Event]:
        """What happened since the last call, in order."""
        if self._arrived:
            self._events.append(FramesArrived(tuple(self._arrived)))
            self._arrived.clear()
        events = self._events
        if events:
            self._events = []
        return events

    # How it works.

    def _queue(self, data: bytes) -> None:
        self._pending.append(data)
        self._buffered += len(data)

    def _next_ping(self) -> float:
        return max(self._heard, self._pinged) + self._limits.heartbeat_seconds

    def _shake(self, data: bytes | memoryview, now: float) -> None:
        self._shaken_bytes += len(data)
        if self._shaken_bytes > self._limits.handshake_bytes:
            raise RemoteError(f"more than {self._limits.handshake_bytes} bytes arrived before TLS was up")
        leaf = self._tunnel.shake(data)
        if leaf is None:
            return
        self._peer = self._verify(leaf, now)
        self.state = follow(self.state, Step.SECURED)
        hello = Hello(VERSION, OLDEST, self._limits.frame_bytes, self._limits.window, f"conclave/{__version__}")
        self._queue(encode_frame(hello))

    def _read(self, data: bytes | memoryview) -> None:
        arrived = self._arrived
        cut = self._cutter.cut
        for plain in self._tunnel.read(data):
            for kind, body in cut(plain):
                if kind < _FIRST_CONVERSATION_KIND or self.state is _HELLO:
                    self._control(decode_frame(kind, body))
                    if self.state is _CLOSED:
                        return
                else:
                    arrived.append(decode_frame(kind, body))
        if self._tunnel.ended:
            self.receive_eof()  # TLS may have said its own goodbye; a peer that ends orderly says more

    def _control(self, frame: Frame) -> None:
        """One of the link's own frames, or the first of all."""
        match frame:
            case Close():
                self._farewell_arrived(frame)
            case Hello() if self.state is State.HELLO:
                self._greeted(frame)
            case Ping() if self.state is not State.HELLO:
                if self.state is State.OPEN:
                    self._pong = frame.token  # the last of several is answered for all: what we owe stays bounded
            case Pong() if self.state is not State.HELLO:
                pass  # heard is heard, whichever ping it answers
            case _:
                name = type(frame).__name__.lower()
                raise RemoteError(f"an unexpected {name} frame arrived ({self.state.name.lower()})")

    def _greeted(self, hello: Hello) -> None:
        if hello.oldest > hello.version or min(hello.version, VERSION) < max(hello.oldest, OLDEST):
            text = f"versions {hello.oldest} to {hello.version} are spoken there, {OLDEST} to {VERSION} here"
            self._fail(CloseReason.VERSION, f"{text}: the older side must be updated")
            return
        if hello.frame_bytes < FRAME_BYTES or hello.window < 1:
            raise RemoteError(f"the hello offers less than {FRAME_BYTES} bytes a frame, or no window")
        if self._peer is None:  # pragma: no cover - HELLO is entered with a peer only
            raise LocalError("no peer")
        self._largest = hello.frame_bytes + _HEADER_BYTES
        self._cutter.allow(self._limits.frame_bytes)
        self.state = follow(self.state, Step.GREETED)
        self._events.append(Opened(self._peer, hello, not self._tunnel.server_side))

    def _farewell_arrived(self, close: Close) -> None:
        if self.state is State.CLOSING and self._farewell is not None:
            self._end(self._farewell.reason, self._farewell.text, clean=True, by_us=True)
        else:
            self._queue(encode_frame(Close(close.reason, "")))
            self._end(close.reason, close.text, clean=True, by_us=False)

    def _fail(self, reason: CloseReason, text: str) -> None:
        """End the link by our decision, and tell the other side where TLS allows it."""
        if self._tunnel.up:
            self._queue(encode_frame(Close(reason, _short(text))))
        self._end(reason, text, clean=False, by_us=True)

    def _end(self, reason: CloseReason, text: str, *, clean: bool, by_us: bool) -> None:
        if self.state is State.CLOSING:
            self.state = follow(self.state, Step.ANSWERED if clean else Step.GAVE_UP)
        else:
            self.state = follow(self.state, Step.ENDED)
        if self._arrived:
            self._events.append(FramesArrived(tuple(self._arrived)))
            self._arrived.clear()
        self._pong = None
        self._events.append(Closed(reason, text, clean, by_us))
