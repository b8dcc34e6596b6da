"""Our mailbox: fetched when mail waits, opened, handed to the core, and acknowledged once that has it on disk.

The authority keeps an envelope until it is acknowledged, so that being killed at any moment costs a repetition. What
does not open is told and acknowledged, for it never will: unless our clock is wrong and only the times do not fit.
What the core does not answer for is handed to it again. Left out: repetition and order (``chat``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from conclave.chat.events import Event, Mailed
from conclave.errors import ConclaveError, DecodeError, LocalError, VerificationError
from conclave.mls.group import OwnKeyPackage, open_with
from conclave.net.authority_waiting import WaitingEnvelope
from conclave.net.backoff import Backoff
from conclave.node.identity import Identity
from conclave.node.mail.deposits import Client, why
from conclave.node.notices import Notice, Trouble
from conclave.node.pause import until
from conclave.pki.envelope import Open, OpenedEnvelope, open_envelope
from conclave.wire.codec import Reader
from conclave.wire.frames import Frame, decode_frame
from conclave.wire.kinds import Kind
from conclave.wire.limits import FRAME_BYTES

log = logging.getLogger(__name__)

AHEAD_MOST = 256
AHEAD_BYTES = 8 * 1024 * 1024
"""How much mail the core may have been handed and not have answered for."""
AGAIN_SECONDS = 60.0
"""After so long without an answer, as where the disk refused, mail is handed to the core again."""
DONE_MOST = 256
DONE_SECONDS = 0.1
"""Acknowledgements gather for this long."""
SKEW_SECONDS = 300.0
"""With a clock that is off by more, nothing is dropped because of its times."""
JUNK_SECONDS = 1.0
"""Pause after an answer in which nothing opened."""
NOTICE_SECONDS = 60.0
"""People are told of what does not open at most this often, with how much it was."""


class Inbox:
    """``clock`` is UNIX seconds; ``skew`` is how far the authority's is ahead of it."""

    def __init__(
        self,
        identity: Identity,
        client: Client,
        own_packages: Callable[[], Sequence[OwnKeyPackage]],
        put: Callable[[Event], None],
        tell: Callable[[Notice], None],
        clock: Callable[[], float],
        skew: Callable[[], float],
        backoff: Callable[[], Backoff],
    ) -> None:
        self._identity = identity
        self._client = client
        self._own_packages = own_packages
        self._put = put
        self._tell = tell
        self._clock = clock
        self._skew = skew
        self._backoff = backoff
        self._after = 0
        self._rewound = False  # while mail was on its way
        self._handed: dict[int, tuple[int, float]] = {}  # id: size, and when by the loop's clock
        self._done: dict[int, None] = {}
        self._junk: list[str] = []  # what did not open, and was not told yet
        self._told = float("-inf")  # by the loop's clock
        self._left: int | None = None  # the first that was left where it is
        self._waits = asyncio.Event()
        self._room = asyncio.Event()
        self._to_acknowledge = asyncio.Event()

    def told(self, count: int) -> None:
        """The authority says how much mail waits."""
        if count:
            self._waits.set()

    def done(self, mail: int) -> None:
        """The core has it on disk."""
        if mail in self._handed:
            self._finish(mail)

    async def run(self) -> None:
        """Fetch and acknowledge. Ends only by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._fetch_all())
            tasks.create_task(self._acknowledge_all())
            tasks.create_task(self._look_again())

    def _finish(self, mail: int) -> None:
        self._handed.pop(mail, None)
        self._done[mail] = None
        self._to_acknowledge.set()
        self._room.set()

    # Fetching.

    async def _fetch_all(self) -> None:
        backoff = self._backoff()
        while True:
            await self._waits.wait()
            self._waits.clear()
            try:
                while await self._fetch():
                    backoff.reset()
            except ConclaveError as error:
                log.info("mail not fetched: %s", error)
            except Exception:  # a fault of ours costs time, not the node
                log.exception("mail not fetched")
            else:
                backoff.reset()
                continue
            await until(self._waits, backoff.delay())
            self._waits.set()

    async def _fetch(self) -> bool:
        """Take what comes next out of the mailbox; false where there is nothing more."""
        while len(self._handed) >= AHEAD_MOST or sum(size for size, _ in self._handed.values()) > AHEAD_BYTES:
            self._room.clear()
            await self._room.wait()
        keys: list[Open] = [partial(open_with, own) for own in self._own_packages()]
        if not keys:
            raise LocalError("there is no key package of ours yet that mail could be sealed to")
        self._rewound = False
        mail = await self._client().mail(self._after)
        opened = not mail
        for envelope in mail:
            if envelope.id in self._handed or envelope.id in self._done:
                continue
            try:
                self._hand(envelope, keys)
                opened = True
            except ConclaveError as error:
                if self._clock_may_be_wrong(error):
                    self._leave(envelope.id)
                    continue
                log.warning("an envelope said to be from %s does not open: %s", envelope.sender, error)
                self._junk.append(f"said to be from {envelope.sender}: {error}")
                self._finish(envelope.id)
            except Exception:  # a fault of ours: it stays in the mailbox, and the others are not held up
                log.exception("envelope %d could not be opened", envelope.id)
            await asyncio.sleep(0)  # opening takes a millisecond or two; others have their turn
        if mail and not self._rewound:
            self._after = mail[-1].id
        self._tell_of_junk()
        if not opened:
            await asyncio.sleep(JUNK_SECONDS)
        return bool(mail)

    def _hand(self, envelope: WaitingEnvelope, keys: Sequence[Open]) -> None:
        identity = self._identity
        opened = open_envelope(envelope.data, identity.handle, identity.trust, self._clock(), keys)
        frames = read_frames(opened)
        if opened.sender == identity.handle:
            raise VerificationError("an envelope from ourselves", reason="unexpected-handle")
        self._handed[envelope.id] = (len(envelope.data), asyncio.get_running_loop().time())
        self._put(Mailed(opened.sender, frames, envelope.id, opened.device))

    def _tell_of_junk(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._junk and now - self._told >= NOTICE_SECONDS:
            many = f"{len(self._junk)} envelopes" if len(self._junk) > 1 else "1 envelope"
            self._tell(Trouble("authority", f"{many} in the mailbox did not open; {self._junk[0]}"))
            self._junk, self._told = [], now

    def _leave(self, mail: int) -> None:
        if self._left is None:
            self._left = mail
            self._tell(Trouble("authority", "mail is left where it is, for this machine's clock is wrong: set it"))

    def _clock_may_be_wrong(self, error: ConclaveError) -> bool:
        by_time = isinstance(error, VerificationError) and error.reason in ("expired", "not-yet-valid")
        return by_time and abs(self._skew()) > SKEW_SECONDS

    # Acknowledging.

    async def _acknowledge_all(self) -> None:
        backoff = self._backoff()
        while True:
            await self._to_acknowledge.wait()
            await asyncio.sleep(DONE_SECONDS)
            ids = list(self._done)[:DONE_MOST]
            try:
                await self._client().mail_done(ids)
            except ConclaveError as error:
                log.info("mail not acknowledged (%s): %s", why(error), error)
                await asyncio.sleep(backoff.delay())
                continue
            backoff.reset()
            for mail in ids:
                del self._done[mail]
            if not self._done:
                self._to_acknowledge.clear()

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_SECONDS / 4)
            self._tell_of_junk()
            since = asyncio.get_running_loop().time() - AGAIN_SECONDS
            late = [mail for mail, (_, when) in self._handed.items() if when <= since]
            if late:
                log.warning("%d envelopes were handed on and not kept: they are fetched again", len(late))
                for mail in late:
                    del self._handed[mail]
            if self._left is not None and abs(self._skew()) <= SKEW_SECONDS:
                late.append(self._left)
                self._left = None
            if late:
                self._after, self._rewound = min(self._after, min(late) - 1), True
                self._room.set()
                self._waits.set()


def read_frames(opened: OpenedEnvelope) -> tuple[Frame, ...]:
    """The frames in an envelope, all of the conversation tier. Raises ``DecodeError``."""
    return tuple(_frame(item) for item in opened.items)


def _frame(item: bytes) -> Frame:
    reader = Reader(item)
    kind, body = reader.uint8(), reader.opaque(FRAME_BYTES)
    reader.finish()
    if kind < Kind.POST:
        raise DecodeError(f"a frame of kind {kind}, which is a link's own, in an envelope")
    return decode_frame(kind, body)
