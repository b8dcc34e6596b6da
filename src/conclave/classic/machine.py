"""A classic link, sans-IO: bytes and time in, bytes and events out. The states and their rules stand in ``state``.

Whoever drives it feeds ``receive`` with what the network gave, sends what ``data_to_send`` gives, acts on ``events``,
and calls ``tick`` when ``timer`` is due. Time is UNIX seconds; the handshake's randomness is handed in with it. Left
out: sockets (``net.classic``), and what messages mean (``desk``).
"""

from __future__ import annotations

from conclave.classic.events import Answer, Arrived, Asked, Closed, Ending, Event, Opened, Peer, Proven
from conclave.classic.frames import cut_frame, put_frame
from conclave.classic.handshake import Receiver, Sender
from conclave.classic.limits import ClassicLimits
from conclave.classic.records import Reader, Writer, fragments
from conclave.classic.state import BODY_BYTES, State, Step, follow
from conclave.errors import LocalError, Refused, RemoteError, VerificationError

_ANSWERS = {Answer.OK: Step.OK, Answer.REJECT: Step.REJECT, Answer.BUSY: Step.BUSY}
_ENDINGS = {"busy": Ending.BUSY, "rejected": Ending.REJECTED, "denied": Ending.DENIED}
_WAITING = frozenset({State.ASKING, State.ASKED})
_OFF = ": perhaps the classic suite is not switched on there (conclave up --links tls,classic)"
_REFUSED = ": perhaps it does not accept our certificate, or is not of our authority"


class ClassicLink:
    """One connection to one peer, from HELLO to the last record."""

    __slots__ = (
        "_buffer", "_deadline", "_events", "_first", "_handshake", "_limits", "_outgoing", "_proven", "_reader",
        "_state", "_writer",
    )  # fmt: skip

    def __init__(self, handshake: Sender | Receiver, limits: ClassicLimits, now: float, *, first: int = 1) -> None:
        """``first``: the number of each direction's first fragment, for those who test how numbers run out."""
        self._handshake = handshake
        self._limits = limits
        self._first = first
        self._buffer = b""
        self._outgoing = [put_frame(body) for body in handshake.begin()]
        self._events: list[Event] = []
        self._state: State | None = None  # once the handshake's own does not count any more
        self._deadline: float = now + limits.handshake_seconds
        self._reader: Reader | None = None
        self._writer: Writer | None = None
        self._proven = not self.initiator

    @property
    def initiator(self) -> bool:
        """Whether our side is the sender."""
        return isinstance(self._handshake, Sender)

    @property
    def state(self) -> State:
        """Where the link stands."""
        return self._state or self._handshake.state

    @property
    def peer(self) -> Peer | None:
        """Whoever showed the certificate that was verified; none before."""
        return self._handshake.peer

    @property
    def proven(self) -> bool:
        """Whether the peer has used its key: the sender by its signature, the receiver by its first record."""
        return self._proven and self.state is State.OPEN

    # What the network does.

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes from the network. Nothing that they hold raises; what is wrong with them ends the link."""
        if self.state is State.CLOSED or not data:
            return
        try:
            if self.state is not State.OPEN:
                data = self._shake(data, now)
            if self._reader is not None and data:
                self._read(self._reader, data)
        except Refused as error:
            self._end(_ENDINGS.get(error.reason, Ending.REJECTED), str(error), by_us=not self.initiator)
        except VerificationError as error:
            self._end(self._fault(), "; ".join(filter(None, (str(error), error.remedy))), by_us=True)
        except RemoteError as error:
            text = f"{error}{_OFF}" if self.state is State.GREETING else str(error)
            self._end(Ending.PROTOCOL, text, by_us=True)

    def receive_eof(self) -> None:
        """The network will give no more: the connection ended, or broke."""
        if self.state is State.CLOSED:
            return
        if self._reader is None:
            hint = {State.GREETING: _OFF, State.SHOWN: _REFUSED}.get(self.state, "")
            self._end(
                Ending.TRUNCATED, f"the other side ended the connection before the chat began{hint}", by_us=False
            )
        elif self._reader.within:
            text = "the connection was cut in the middle of a message, of which nothing is shown"
            self._end(Ending.TRUNCATED, text, by_us=False)
        else:
            self._end(Ending.DONE, "the other side ended the connection", by_us=False)

    def tick(self, now: float) -> None:
        """Time passed: do whatever is due."""
        due = self.timer()
        if due is None or now < due:
            return
        if self.state is State.OPEN:
            self._end(Ending.EXPIRED, "the other side's certificate has expired: it must be renewed", by_us=True)
        elif self.state is State.ASKED:
            self.answer(Answer.BUSY, now)
        else:
            what = "nobody answered" if self.state is State.ASKING else "the handshake was not finished"
            self._end(Ending.TIMEOUT, f"{what} in time", by_us=True)

    def timer(self) -> float | None:
        """When ``tick`` is due (UNIX seconds), or None where nothing is."""
        return None if self.state is State.CLOSED else self._deadline

    # What our side wants.

    def answer(self, answer: Answer, now: float) -> None:
        """The person's answer to ``Asked``. Raises ``LocalError`` where nobody asks, or does no longer."""
        if not isinstance(self._handshake, Receiver) or self.state is not State.ASKED:
            raise LocalError("nobody asks to chat on this link")
        self._outgoing.append(put_frame(self._handshake.answer(_ANSWERS[answer])))
        if answer is Answer.OK:
            self._open(now)
        else:
            words = {Answer.REJECT: "we said no", Answer.BUSY: "we are busy, or did not answer in time"}[answer]
            ending = Ending.REJECTED if answer is Answer.REJECT else Ending.BUSY
            self._events.append(Closed(ending, words, by_us=True))

    def room(self, message: bytes) -> bool:
        """Whether the link has sequence numbers for ``message``."""
        return self._writer is not None and fragments(len(message)) <= self._writer.room

    def send(self, message: bytes) -> None:
        """Have a message sent. Raises ``LocalError`` where the link is not open, or it is too long for every peer.

        Where the link has not numbers enough left, it ends as ``EXHAUSTED`` and nothing is sent: connect again.
        """
        if self.state is not State.OPEN or self._writer is None:
            raise LocalError(f"the link is not open ({self.state.name.lower()})")
        if len(message) > self._limits.message_bytes:
            raise LocalError(
                f"a text of {len(message)} bytes is too long",
                remedy=f"split it: at most {self._limits.message_bytes}",
            )
        if not self.room(message):
            self._exhaust()
            return
        self._outgoing.append(self._writer.seal(message))
        if self._writer.room == 0:
            self._exhaust()

    def close(self, ending: Ending = Ending.DONE, text: str = "we hung up") -> None:
        """End the link. The suite has no word for it: the connection ends."""
        if self.state is not State.CLOSED:
            self._end(ending, text, by_us=True)

    # What whoever drives it collects.

    def data_to_send(self) -> bytes:
        """Everything that is ready for the network; empty if nothing is."""
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        return data

    def events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    # How it works.

    def _shake(self, data: bytes, now: float) -> bytes:
        """Take the handshake's frames; what follows the last one is given back."""
        data = self._buffer + data
        self._buffer = b""
        handshake = self._handshake
        while data and handshake.state is not State.OPEN:
            limit = BODY_BYTES.get(handshake.state)
            if limit is None:
                raise RemoteError("bytes arrived while the answer to the chat request was still to come")
            cut = cut_frame(data, limit)
            if cut is None:
                self._buffer = data
                return b""
            body, data = cut
            self._outgoing += [put_frame(answer) for answer in handshake.take(body, now)]
            if handshake.state in _WAITING:
                grace = self._limits.handshake_seconds if self.initiator else 0.0
                self._deadline = now + self._limits.answer_seconds + grace
            if handshake.state is State.ASKED and handshake.peer is not None:
                self._events.append(Asked(handshake.peer))
        if handshake.state is State.OPEN:
            self._open(now)
        return data

    def _open(self, now: float) -> None:
        keys, peer = self._handshake.keys, self._handshake.peer
        if keys is None or peer is None:  # pragma: no cover - OPEN is entered with both only
            raise LocalError("no keys")
        ours, theirs = (keys.sender, keys.receiver) if self.initiator else (keys.receiver, keys.sender)
        self._writer = Writer(ours, self._first)
        self._reader = Reader(theirs, self._limits.message_bytes, self._first)
        self._deadline = max(peer.not_after, now)
        self._events.append(Opened(peer, self.initiator))

    def _read(self, reader: Reader, data: bytes) -> None:
        for message in reader.read(data):
            if not self._proven and self.peer is not None:
                self._proven = True
                self._events.append(Proven(self.peer))
            self._events.append(Arrived(message))
        if reader.room == 0:
            self._exhaust()

    def _exhaust(self) -> None:
        self._end(Ending.EXHAUSTED, "the link's sequence numbers are used up: connect again", by_us=True)

    def _fault(self) -> Ending:
        """What did not verify, from where it happened."""
        if self.state is State.OPEN:
            return Ending.RECORD
        return Ending.CERTIFICATE if self.state in (State.CHALLENGED, State.WELCOMED) else Ending.SIGNATURE

    def _end(self, ending: Ending, text: str, *, by_us: bool) -> None:
        if self._handshake.last_words:
            self._outgoing.append(put_frame(self._handshake.last_words))
        if self.state is not State.CLOSED:
            follow(self.state, Step.ENDED)
        self._state = State.CLOSED
        self._buffer = b""
        self._events.append(Closed(ending, text, by_us))
