"""The only place where effects are performed: commit first, then send, then tell.

Everything that happens to the node's conversations goes through one queue. A turn takes what is waiting, lets the
pure core decide on each event in order, commits all records of the turn in one transaction on the store's thread,
and only then does the deeds; a line that the store had already is not told as a new one. While a commit is under way
the next turn's events gather, so that the load itself makes the groups. Where a commit fails, the core's new state is
dropped with it: people get the error, and what came from the network was not acknowledged and will come again.

What is sent from the store (posts again, a lobby's order) is read as the link takes it, never all at once: a peer
that reads slowly costs a place in a queue, not memory. What the core asks of the store is read at the beginning of
the next turn, so that nothing changes between reading and deciding. Left out: what to decide (``chat``), what is read
(``chat.reading``, ``node.sendings``), how links are made (``node.peers``), the authority (``node.mail.mailroom``).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from conclave.chat import events as ev
from conclave.chat import reading
from conclave.chat.deeds import (
    Deed,
    Deposit,
    DepositEntries,
    DepositPosts,
    FindPackage,
    HearFile,
    LookAtFile,
    MailDone,
    Publish,
    Recollect,
    Replay,
    Resend,
    Send,
    SendOriginals,
    Tell,
    Unwind,
    Wake,
    Want,
)
from conclave.chat.desk import Desk
from conclave.chat.effects import Record
from conclave.errors import ConclaveError, LocalError, NotReady, StorageError
from conclave.node.mail.mailroom import MailDeed
from conclave.node.notices import Notice
from conclave.node.pause import unbroken
from conclave.node.sendings import Bunch, Sending, bunched, deposit_of, deposits_of, frames_of, from_store
from conclave.node.turn import FACTS, decide, news
from conclave.store.ports import LineName, PeerStore
from conclave.wire.delivery import Post
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.order import Info, Ordered, Originals, Submit
from conclave.wire.packages import Package

log = logging.getLogger(__name__)

TURN_EVENTS = 512
"""At most so many events are decided in one turn, so that a flood cannot hold a commit back."""
QUEUE_EVENTS = 4096
"""Above so many waiting events, links are asked to stop reading (``Links.hold``)."""
QUEUE_BYTES = 16 * 1024 * 1024
"""... or above so many bytes that they carry."""
RETRY_SECONDS = 1.0
"""Pause after a commit that failed, so that a full disk is not hammered."""
READ_AGAIN_SECONDS = 10.0
"""Pause after a read that failed."""
FLOW_DEEDS = 1024
"""Sendings from the store that may wait for one slow link; more are dropped, and repaired by resend or fetch."""


class Links(Protocol):
    """What the pump needs of the links: ``node.peers`` in life, a simulated network in tests."""

    def send(self, peer: str, frame: bytes) -> None:
        """Hand an encoded frame to the link of ``peer``; without one it is dropped."""

    def want(self, peer: str, wanted: bool) -> None:  # noqa: FBT001 - the deed's own field
        """Dial ``peer`` until linked, or let go of it."""

    def hold(self, held: bool) -> None:  # noqa: FBT001
        """Stop or resume reading from every link."""

    def slow(self, peer: str) -> bool:
        """Whether enough waits to leave for ``peer`` already; ``Pump.drained`` is called when that is over."""


class Pump:
    """Runs the core over its store and links. ``put`` and ``ask`` may be called from the loop's thread only."""

    def __init__(
        self,
        desk: Desk,
        store: PeerStore,
        links: Links,
        tell: Callable[[Notice], None],
        clock: Callable[[], float],
        random: Callable[[int], bytes],
        mail: Callable[[MailDeed], None] = lambda _: None,
        hear: Callable[[HearFile | LookAtFile], None] = lambda _: None,
    ) -> None:
        """``mail`` takes what is wanted of the authority, and answers by ``put``; ``hear`` what is said of files."""
        self.desk = desk
        self._store = store
        self._links = links
        self._tell = tell
        self._clock = clock
        self._random = random
        self._mail = mail
        self._hear = hear
        self._reads: list[Unwind | Recollect] = []  # what the core wants read before anything else happens
        self._queue: deque[tuple[ev.Event, asyncio.Future[None] | None]] = deque()
        self._waiting = asyncio.Event()
        self._bytes = 0  # of what waits
        self._held = False
        self._ended = False
        self._trouble = ""  # why the last commit failed
        self._flows: dict[str, deque[Iterator[bytes]]] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(1, "store")

    def start(self) -> None:
        """Judge by what is known now, and ask for the links that are wanted since before the restart."""
        self.put(ev.JudgesChanged(self.desk.judges))
        self.put(ev.Tick())

    def put(self, event: ev.Event) -> None:
        """Something happened."""
        if isinstance(event, ev.Unlinked):
            self._flows.pop(event.peer, None)
        self._queue.append((event, None))
        self._bytes += _size(event)
        self._waiting.set()
        if not self._held and (len(self._queue) > QUEUE_EVENTS or self._bytes > QUEUE_BYTES):
            self._held = True
            self._links.hold(True)

    async def ask(self, command: ev.Command) -> None:
        """Carry out a command; returns once it is on disk. Raises what the core or the store refused it with."""
        if self._ended:
            raise _ending()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((command, done))
        self._waiting.set()
        await done

    async def keep(self, records: Sequence[Record]) -> None:
        """Commit records that are the node's own and no conversation's. Raises ``StorageError``."""
        if self._ended:
            raise _ending()
        done = await self._commit(records)
        if isinstance(done, StorageError):
            raise done

    async def run(self) -> None:
        """Turn after turn, until cancelled; a turn that has begun is finished."""
        try:
            while True:
                await self._waiting.wait()
                await unbroken(self._turn())
        finally:
            self._ended = True
            if self._alarm is not None:
                self._alarm.cancel()
            self._thread.shutdown(wait=True)
            for _, done in self._queue:
                if done is not None and not done.done():
                    done.set_exception(_ending())

    def drained(self, peer: str) -> None:
        """The link to ``peer`` was slow and is not any more."""
        flow = self._flows.get(peer)
        while flow and not self._links.slow(peer):
            frame = self._next(flow)
            if frame is not None:
                self._links.send(peer, frame)
        if not flow:
            self._flows.pop(peer, None)

    async def _turn(self) -> None:
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), TURN_EVENTS))]
        self._bytes -= sum(_size(event) for event, _ in batch)
        if not self._queue:
            self._waiting.clear()
        reads, self._reads = self._reads, []
        read = [event for deed in reads if (event := self._read(deed)) is not None]
        turn, answers = decide(
            self.desk, (*read, *(event for event, _ in batch)), self._clock(), self._random
        )  # fmt: skip
        stale = await self._commit(turn.records)
        failure = stale if isinstance(stale, StorageError) else None
        if not isinstance(stale, StorageError):
            self.desk = turn.desk
            self._do(news(turn.deeds, stale))
        else:
            self._ask_again(reads)
            # Links came or went and time passed all the same; frames were not acknowledged and come again.
            self._queue.extendleft((event, None) for event, _ in reversed(batch) if isinstance(event, FACTS))
            if self._queue:
                self._waiting.set()
        for (_, done), answer in zip(batch, answers[len(read) :], strict=True):
            if done is None or done.done():
                continue
            error = answer or failure
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)
        if failure is not None:
            await asyncio.sleep(RETRY_SECONDS)
        if self._held and len(self._queue) < QUEUE_EVENTS // 2 and self._bytes < QUEUE_BYTES // 2:
            self._held = False
            self._links.hold(False)

    async def _commit(self, records: Sequence[Record]) -> frozenset[LineName] | StorageError:
        """Which of the lines are no news, or why nothing was kept."""
        if not records:
            return frozenset()
        try:
            stale = await asyncio.get_running_loop().run_in_executor(self._thread, self._store.commit, records)
        except StorageError as error:
            if str(error) != self._trouble:  # a disk that stays full is told of once
                log.error("nothing is kept, it is tried again: %s", error)  # noqa: TRY400 - the text is for people
            self._trouble = str(error)
            return error
        except Exception as error:  # a fault of ours, or a disk that fails in a way that nobody foresaw
            log.exception("nothing of this turn was kept")
            return StorageError(f"nothing was kept: {error}", remedy="see the node's log")
        if self._trouble:
            log.error("what happens is kept again")
            self._trouble = ""
        return stale

    def _do(self, deeds: Iterable[Deed]) -> None:
        for deed in bunched(deeds):
            try:
                self._perform(deed)
            except Exception:  # a fault of ours costs its own deed, not the others and not the node
                log.exception("%s was not done", type(deed).__name__)

    def _perform(self, deed: Deed | Bunch) -> None:
        match deed:
            case Send(peer, frame):
                if self._must_queue(peer) and (later := from_store(peer, frame)):
                    self._flow(later)
                else:
                    self._links.send(peer, encode_frame(frame))
            case Bunch(peers):
                for peer in peers:
                    if self._must_queue(peer) and (later := from_store(peer, deed)):
                        self._flow(later)
                    else:
                        self._links.send(peer, deed.frames)
            case Tell(notice):
                self._tell(notice)
            case Resend() | Replay() | SendOriginals():
                self._flow(deed)
            case Unwind() | Recollect():
                self._ask_again([deed])
            case DepositPosts():
                self._deposit(deposit_of(self._store, deed))
            case DepositEntries():
                for part in deposits_of(self._store, deed):
                    self._deposit(part)
            case Deposit() | FindPackage() | Publish() | MailDone():
                self._mail(deed)
            case HearFile() | LookAtFile():
                self._hear(deed)
            case Want(peer, wanted):
                self._links.want(peer, wanted)
            case Wake(at):
                self._wake(at)

    def _must_queue(self, peer: str) -> bool:
        return peer in self._flows or self._links.slow(peer)

    def _read(self, deed: Unwind | Recollect) -> ev.Event | None:
        """The answer; None where the disk does not give it now."""
        try:
            if isinstance(deed, Unwind):
                return reading.unwound(self._store, deed)
            return reading.recollected(self._store, deed)
        except ConclaveError as error:
            log.error("what was said cannot be read, and is tried again: %s", error)  # noqa: TRY400 - for people
            asyncio.get_running_loop().call_later(READ_AGAIN_SECONDS, self._ask_again, [deed])
            return None

    def _ask_again(self, reads: Sequence[Unwind | Recollect]) -> None:
        self._reads = [*reads, *self._reads]
        if reads:
            self._waiting.set()

    def _deposit(self, part: Deposit | ev.Deposited | ev.DepositFailed) -> None:
        if isinstance(part, Deposit):
            self._mail(part)
        else:
            self.put(part)

    def _flow(self, deed: Sending) -> None:
        flow = self._flows.setdefault(deed.peer, deque())
        if len(flow) < FLOW_DEEDS:
            flow.append(frames_of(self._store, deed))
        self.drained(deed.peer)

    def _next(self, flow: deque[Iterator[bytes]]) -> bytes | None:
        """The next frame of a flow; None where its first sending has ended."""
        try:
            frame = next(flow[0], None)
        except StorageError as error:
            log.error("what waits cannot be read, and is tried again later: %s", error)  # noqa: TRY400 - for people
            frame = None
        if frame is None:
            flow.popleft()
        return frame

    def _wake(self, at: float) -> None:
        loop = asyncio.get_running_loop()
        when = loop.time() + max(0.0, at - self._clock())
        if self._alarm is not None:
            if self._alarm.when() <= when:
                return
            self._alarm.cancel()
        self._alarm = loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._alarm = None  # a loop may ring before the time, by its clock: what rang is not waited for
        self.put(ev.Tick())


def _size(event: ev.Event) -> int:
    """Bytes that an event carries, of those that a peer can make large."""
    match event:
        case ev.Arrived(_, frame):
            return _weight(frame)
        case ev.Mailed(_, frames, _):
            return sum(map(_weight, frames))
        case _:
            return 0


def _weight(frame: Frame) -> int:
    match frame:
        case Post(body=data) | Ordered(payload=data) | Submit(payload=data) | Package(package=data) | Info(info=data):
            return len(data)
        case Originals(items=items):
            return sum(len(data) for _, data in items)
        case _:
            return 0


def _ending() -> LocalError:
    return NotReady("the node is ending: this was not done", remedy="start it again: conclave up")
