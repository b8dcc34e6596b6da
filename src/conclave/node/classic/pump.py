"""The classic suite in a running node: its links, its conversations, and the only place where their effects are done.

As the pump does for the others: events go through one queue, ``classic.desk`` decides, the records of a turn are
committed in one transaction, and only then is anything sent or told. There is no outbox, since the suite confirms
nothing. Left out: what fronts ask (``node.classic.service``), who we are (``node.classic.identity``).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from conclave.chat.effects import AddLine, MarkLine, PutState, Record
from conclave.chat.words.line import Line as StoredLine
from conclave.chat.words.line import LineKind
from conclave.chat.words.line import Status as StoredStatus
from conclave.classic import happenings as ev
from conclave.classic.calls import Desk
from conclave.classic.contacts import KEY, decode_contacts, encode_contacts
from conclave.classic.desk import step
from conclave.classic.events import Answer, Closed, Ending, Peer, Verify
from conclave.classic.handshake import Own, Receiver, Sender
from conclave.classic.keys import NONCE_BYTES, SECRET_BYTES
from conclave.classic.limits import ClassicLimits
from conclave.errors import ConclaveError, DecodeError, LocalError, NotReady, StorageError, VerificationError
from conclave.net.classic import ClassicStream, dial_classic
from conclave.net.gate import Gate
from conclave.node.classic.notices import (
    LegacyAnswered,
    LegacyAsked,
    LegacyClosed,
    LegacyNotice,
    LegacyOpened,
    LegacyProven,
)
from conclave.node.notices import LineAdded, LineMarked
from conclave.node.pause import unbroken
from conclave.pki.address import parse_address
from conclave.pki.verify import VerifiedPeer
from conclave.store.ports import PeerStore
from conclave.wire.limits import ID_BYTES

log = logging.getLogger(__name__)

END_SECONDS = 1.0
"""How long the other sides may take to end their halves when the node ends."""
TURN_EVENTS = 64
QUEUE_TEXTS = 256
"""Texts that wait to be kept; above it, links are asked to stop reading."""
QUEUE_BYTES = 2 * 1024 * 1024
"""... or above so many bytes of them."""

Notice = LegacyNotice | LineAdded | LineMarked


class Classic:
    """One node's classic links. Called on the loop's thread only; an owner of ``net.classic``'s streams."""

    def __init__(
        self,
        me: str,
        store: PeerStore,
        limits: ClassicLimits,
        *,
        own: Callable[[], Own],
        demand_valid: Callable[[], None],
        verify: Callable[[str | None], Verify],
        find: Callable[[str], Awaitable[str]],
        expelled: Mapping[str, str],
        busy: Callable[[], bool],
        tell: Callable[[Notice], None],
        clock: Callable[[], float],
        random: Callable[[int], bytes],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        """``own`` and ``verify`` are asked anew for every link; ``find`` gives a peer's address, or nothing.

        ``demand_valid`` raises where our own certificate would be refused; ``expelled`` are people shut out by word.
        """
        self._store = store
        self._limits = limits
        self._own = own
        self._demand_valid = demand_valid
        self._verify = verify
        self._find = find
        self._expelled = expelled
        self._busy = busy
        self._tell = tell
        self._clock = clock
        self._random = random
        self._spawn = spawn
        self.desk = _restored(me, store)
        self.streams: dict[int, ClassicStream] = {}
        self._all: set[ClassicStream] = set()  # those too that are not, or not any more, links
        self.hints: dict[str, str] = {}
        """Addresses that people gave."""
        self._dials: dict[int, asyncio.Task[None]] = {}
        self._used_up: dict[int, str] = {}  # links whose numbers are, and their peers, until the desk has heard
        self._accepted = 0
        self._queue: deque[tuple[ev.Event, asyncio.Future[None] | None]] = deque()
        self._texts = self._bytes = 0
        self._held = False
        self._stirred = asyncio.Event()
        self._ending = False
        self._thread = ThreadPoolExecutor(1, "classic")

    # For the node.

    def accept(self, gate: Gate) -> ClassicStream:
        """The protocol for a connection that began as a classic one."""
        free: Callable[[], bool] = lambda: not self._ending and len(self.streams) < self._limits.connections  # noqa: E731
        handshake = Receiver(self._own(), self._verify(None), self._random(NONCE_BYTES), free=free)
        return self._noted(ClassicStream(handshake, self._limits, self, gate=gate))

    def _noted(self, stream: ClassicStream) -> ClassicStream:
        self._all = {one for one in self._all if one.connected} | {stream}
        return stream

    async def ask(self, command: ev.Command) -> None:
        """Carry out a command; returns once its records are on disk. Raises what it was refused with."""
        if self._ending:
            raise NotReady("the node is ending: this was not done", remedy="start it again: conclave up")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._put(command, done)
        await done

    def cut(self, handle: str, words: str) -> None:
        """End the links of somebody who was shut out."""
        for stream in tuple(self.streams.values()):
            if stream.peer is not None and stream.peer.handle == handle:
                stream.close(Ending.CERTIFICATE, words)

    def recheck(self) -> None:
        """Verify whoever is linked again, under a newer revocation list."""
        for stream in tuple(self.streams.values()):
            peer = stream.peer
            if not isinstance(peer, VerifiedPeer):
                continue
            try:
                self._verify(peer.handle)(peer.der, self._clock())
            except VerificationError as error:
                stream.close(Ending.CERTIFICATE, str(error))

    async def run(self) -> None:
        """Turn after turn, until cancelled; then hang up."""
        try:
            while True:
                await self._stirred.wait()
                await unbroken(self._turn())
        finally:
            await self._end()

    async def _end(self) -> None:
        self._ending = True
        for task in self._dials.values():
            task.cancel()
        for link in tuple(self._dials):
            self._put(ev.Ended(link, Ending.DONE, "the node ended"))
        for stream in self._all:
            stream.close(Ending.DONE, "the node ended")
        while self._queue:  # what was waiting is marked as not sent
            await self._turn()
        self._thread.shutdown(wait=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                while any(stream.connected for stream in self._all):  # noqa: ASYNC110 - the other sides hang up
                    await asyncio.sleep(0.01)
        for stream in self._all:
            stream.abort()

    # Turns.

    def _put(self, event: ev.Event, done: asyncio.Future[None] | None = None) -> None:
        self._queue.append((event, done))
        if isinstance(event, ev.Heard):
            self._texts += 1
            self._bytes += len(event.text)
            if not self._held and (self._texts > QUEUE_TEXTS or self._bytes > QUEUE_BYTES):
                self._hold(held=True)
        self._stirred.set()

    def _hold(self, *, held: bool) -> None:
        self._held = held
        for stream in self.streams.values():
            (stream.pause if held else stream.resume)()

    async def _turn(self) -> None:
        taken = [self._queue.popleft() for _ in range(min(len(self._queue), TURN_EVENTS))]
        if not self._queue:
            self._stirred.clear()
        for event, _ in taken:
            if isinstance(event, ev.Heard):
                self._texts -= 1
                self._bytes -= len(event.text)
        desk, effects, answers = self.desk, list[ev.Effect](), list[ConclaveError | None]()
        for event, _ in taken:
            desk, answer = self._decide(desk, event, effects)
            answers.append(answer)
        records, notices = self._records(effects)
        try:
            if records:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._store.commit, records)
        except StorageError as error:
            log.error("legacy conversations could not be kept: %s", error)  # noqa: TRY400 - for people
            desk, effects = self._without_disk(self.desk, taken, error)
            answers, notices = [error] * len(taken), []
        self.desk = desk  # only now it counts
        for notice in notices:
            self._tell(notice)
        for effect in effects:
            try:
                await self._perform(effect)
            except Exception:  # a fault of ours
                log.exception("%s was not done", type(effect).__name__)
        for (_, done), answer in zip(taken, answers, strict=True):
            if done is not None and not done.done():
                done.set_exception(answer) if answer is not None else done.set_result(None)
        for link in [link for link in self._used_up if link not in self.desk.calls]:
            del self._used_up[link]
        if self._held and self._texts <= QUEUE_TEXTS // 2 and self._bytes <= QUEUE_BYTES // 2:
            self._hold(held=False)
        await asyncio.sleep(0)  # links have a turn of their own, however full the queue is

    def _decide(self, desk: Desk, event: ev.Event, effects: list[ev.Effect]) -> tuple[Desk, ConclaveError | None]:
        """The desk after ``event``, whose effects are added; or as it was, and why."""
        try:
            after, decided = step(desk, event, self._clock())
        except ConclaveError as error:
            return desk, error
        except Exception:  # a fault of ours: whoever found it must not be able to end the node with it
            log.exception("%s could not be decided", type(event).__name__)
            return desk, LocalError("this was not done, by a fault of the program", remedy="see the node's log")
        effects += decided
        return after, None

    def _without_disk(
        self, before: Desk, taken: list[tuple[ev.Event, asyncio.Future[None] | None]], error: StorageError
    ) -> tuple[Desk, list[ev.Effect]]:
        """What is still true where nothing could be kept: what links did. Whose words are lost is hung up on."""
        desk = before
        effects: list[ev.Effect] = []
        for event, _ in taken:
            match event:
                case ev.Heard(link):
                    effects.append(ev.Hang(link))
                    desk, _ = self._decide(desk, ev.Ended(link, Ending.DONE, str(error)), effects)
                case ev.Called() | ev.Connected() | ev.Ended():
                    desk, _ = self._decide(desk, event, effects)
        return desk, [effect for effect in effects if not isinstance(effect, ev.Record)]

    def _records(self, effects: list[ev.Effect]) -> tuple[list[Record], list[Notice]]:
        records, notices, now = list[Record](), list[Notice](), self._clock()
        for effect in effects:
            match effect:
                case ev.Keep():
                    kind = LineKind.NOTICE if effect.notice else LineKind.TEXT
                    line = StoredLine(
                        effect.id or self._random(ID_BYTES), effect.sender, kind, effect.text, now, now,
                        StoredStatus(effect.status.value),
                    )  # fmt: skip
                    records.append(AddLine(effect.conversation, line))
                    notices.append(LineAdded(effect.conversation, line))
                case ev.Mark(conversation, line_id, status):
                    stored = StoredStatus(status.value)
                    records.append(MarkLine(conversation, self.desk.me, line_id, stored))
                    notices.append(LineMarked(conversation, line_id, stored))
                case ev.Remember(accepted, blocked):
                    records.append(PutState(KEY, encode_contacts(accepted, blocked)))
        return records, notices

    async def _perform(self, effect: ev.Effect) -> None:
        match effect:
            case ev.Dial(link, peer):
                task = self._spawn(self._dial(link, peer))
                self._dials[link] = task
            case ev.Reply(link, answer):
                if stream := self.streams.get(link):
                    stream.answer(answer)
            case ev.Send():
                self._send(effect)
                await asyncio.sleep(0)  # sealing a long text for many takes a while: others go between
            case ev.Hang(link):
                if link in self._dials:
                    self._dials[link].cancel()
                if stream := self.streams.get(link):
                    stream.close()
            case ev.TellAsked(peer):
                self._tell(LegacyAsked(peer))
            case ev.TellAnswered(peer, word):
                self._tell(LegacyAnswered(peer, word))

    def _send(self, send: ev.Send) -> None:
        stream = self.streams.get(send.link)
        if stream is not None and stream.send(send.text.encode()):
            return
        peer = self._used_up.get(send.link, "")
        self._put(ev.Unsent(peer, send.text, send.conversation, send.id, send.order, again=bool(peer)))

    async def _dial(self, link: int, peer: str) -> None:
        try:
            address = self.hints.get(peer) or await self._find(peer)
            if not address:
                self._put(ev.Ended(link, Ending.UNREACHABLE, f"{peer} is offline"))
                return
            where = parse_address(address)
            self._demand_valid()
            handshake = Sender(self._own(), self._verify(peer), self._random(SECRET_BYTES))
            stream = self._noted(await dial_classic(where.host, where.port, handshake, self._limits, self, link))
            if stream.ending is None:
                self.streams[link] = stream
        except ConclaveError as error:
            log.info("no legacy link to %s: %s", peer, error)
            self._put(ev.Ended(link, Ending.UNREACHABLE, str(error)))
        except Exception:  # a fault of ours: no address that a peer announces may end the node
            log.exception("dialling %s failed", peer)
            self._put(ev.Ended(link, Ending.UNREACHABLE, "a fault of the program: see the node's log"))
        finally:
            self._dials.pop(link, None)

    # What links tell (``ClassicOwner``).

    def on_asked(self, stream: ClassicStream, peer: Peer) -> None:
        """Somebody asks to chat."""
        if peer.handle in self._expelled:
            stream.answer(Answer.REJECT)
            return
        self._accepted += 1
        stream.number = self._accepted
        self.streams[stream.number] = stream
        self._put(ev.Called(stream.number, peer.handle, self._busy()))

    def on_opened(self, stream: ClassicStream, peer: Peer) -> None:
        """Texts go both ways."""
        self.streams[stream.number] = stream  # one that we dialled may be open before ``_dial`` goes on
        if self._held:
            stream.pause()
        log.info("legacy link with %s at %s open", peer.handle, stream.address)
        self._tell(LegacyOpened(peer.handle, stream.address, stream.proven))
        self._put(ev.Connected(stream.number))

    def on_proven(self, stream: ClassicStream, peer: Peer) -> None:
        """Whom we dialled has used its key."""
        self._tell(LegacyProven(peer.handle, stream.address))

    def on_message(self, stream: ClassicStream, message: bytes) -> None:
        """Words, if they are UTF-8."""
        try:
            text = message.decode()
        except UnicodeDecodeError:
            stream.close(Ending.PROTOCOL, "the other side sent a text that is not UTF-8")
            return
        self._put(ev.Heard(stream.number, text))

    def on_ended(self, stream: ClassicStream, closed: Closed) -> None:
        """A link is over."""
        if not stream.number:
            return
        self.streams.pop(stream.number, None)
        if stream.peer is not None and closed.ending is Ending.EXHAUSTED:
            self._used_up[stream.number] = stream.peer.handle
        if stream.peer is not None:
            log.info("legacy link with %s ended: %s", stream.peer.handle, closed.text)
            self._tell(LegacyClosed(stream.peer.handle, closed.ending.value, closed.text))
        self._put(ev.Ended(stream.number, closed.ending, closed.text))

    def on_turned_away(self, address: str, closed: Closed) -> None:
        """Somebody came no further than the door: told in the log alone, so that strangers cannot fill screens."""
        log.info("refused %s (legacy link): %s: %s", address, closed.ending.value, closed.text)


def _restored(me: str, store: PeerStore) -> Desk:
    kept = dict(store.states(KEY)).get(KEY)
    if kept is None:
        return Desk(me)
    try:
        accepted, blocked = decode_contacts(kept)
    except DecodeError as error:
        raise StorageError(
            f"the legacy contacts cannot be read: {error}", remedy="restore the home from a backup"
        ) from error
    return Desk(me, accepted, blocked)
