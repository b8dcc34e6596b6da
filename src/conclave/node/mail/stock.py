"""Key packages: ours, published at the authority and told of when few are left; and others', fetched and proven.

A publication is tried until it is made or refused; publishing the same twice does no harm. Left out: making key
packages, and keeping their private halves (the core).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from conclave.chat.deeds import Publish
from conclave.chat.events import Event, PackageFound, PackageMissing, StockTold
from conclave.errors import ConclaveError, LocalError, RemoteError
from conclave.net.backoff import Backoff
from conclave.node.identity import Identity
from conclave.node.mail.deposits import Client, prove_package, why
from conclave.node.notices import Notice, Trouble
from conclave.node.pause import until
from conclave.pki.names import parse_handle

log = logging.getLogger(__name__)

FINDING_AT_ONCE = 8
FINDING_MOST = 4096
"""People whose key packages may be asked for at once, those that wait included."""
PUBLISHING_MOST = 16


class Stock:
    """What is to be published, and who is to be found. ``clock`` is UNIX seconds."""

    def __init__(
        self,
        identity: Identity,
        client: Client,
        put: Callable[[Event], None],
        tell: Callable[[Notice], None],
        clock: Callable[[], float],
        backoff: Callable[[], Backoff],
    ) -> None:
        self._identity = identity
        self._client = client
        self._put = put
        self._tell = tell
        self._clock = clock
        self._backoff = backoff
        self._publishing: deque[Publish] = deque()
        self._to_publish = asyncio.Event()
        self._reached = asyncio.Event()
        self._finding: set[str] = set()
        self._to_find: asyncio.Queue[str] = asyncio.Queue()

    def told(self, count: int) -> None:
        """The authority says how many are left. While we publish, that count is about to change, and passed over."""
        if self._publishing:
            self._reached.set()
        else:
            self._put(StockTold(count))

    def publish(self, deed: Publish) -> None:
        """Publish these after those that wait, or in place of them where they replace all."""
        under_way = 1 if self._publishing else 0
        if deed.replace:
            while len(self._publishing) > under_way:
                self._publishing.pop()
        if len(self._publishing) >= PUBLISHING_MOST:
            log.error("too many publications wait; this one is dropped, and asked for again when few are left")
            return
        self._publishing.append(deed)
        self._to_publish.set()

    def find(self, peer: str) -> None:
        """Fetch one of somebody's key packages; asked twice before the answer, one is fetched."""
        if peer in self._finding:
            return
        if len(self._finding) >= FINDING_MOST:
            self._put(PackageMissing(peer, "away"))
            return
        self._finding.add(peer)
        self._to_find.put_nowait(peer)

    async def run(self) -> None:
        """Do what is asked for. Ends only by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publish_all())
            for _ in range(FINDING_AT_ONCE):
                tasks.create_task(self._find_all())

    async def _publish_all(self) -> None:
        while True:
            await self._to_publish.wait()
            count = await self._published(self._publishing[0])
            self._publishing.popleft()
            if not self._publishing:
                self._to_publish.clear()
                if count is not None:
                    self._put(StockTold(count))

    async def _published(self, deed: Publish) -> int | None:
        """Publish, however long the authority is away: how many are in stock then, or none where it refuses."""
        backoff = self._backoff()
        while True:
            self._reached.clear()
            try:
                return await self._client().publish_packages(deed.packages, deed.last, replace=deed.replace)
            except ConclaveError as error:
                if why(error) != "away":
                    log.warning("key packages not published: %s", error)
                    self._tell(Trouble("authority", f"key packages could not be published: {error}"))
                    return None
                log.info("key packages not published yet: %s", error)
            except Exception:  # a fault of ours costs this publication, not the node
                log.exception("key packages not published")
                return None
            await until(self._reached, backoff.delay())

    async def _find_all(self) -> None:
        while True:
            peer = await self._to_find.get()
            answer = await self._answer(peer)
            self._finding.discard(peer)
            self._put(answer)

    async def _answer(self, peer: str) -> PackageFound | PackageMissing:
        try:
            return PackageFound(peer, await self._found(peer))
        except ConclaveError as error:
            log.info("no key package of %s: %s", peer, error)
            return PackageMissing(peer, why(error))
        except Exception:  # a fault of ours costs this search, not the others
            log.exception("a key package could not be fetched")
            return PackageMissing(peer, "refused")

    async def _found(self, peer: str) -> bytes:
        """One that holds: where a single-use one does not, as after a long absence, the last-resort one may."""
        handle, now = parse_handle(peer), self._clock()
        if handle == self._identity.handle:
            raise LocalError("that is ourselves")
        given = await self._client().take_package(handle)
        try:
            prove_package(given.data, handle, self._identity.trust, now)
        except RemoteError as error:
            if given.last:
                raise
            log.warning("a key package of %s does not hold, its last-resort one is tried: %s", peer, error)
            last = await self._client().last_package(handle)
            prove_package(last, handle, self._identity.trust, now)
            return last
        return given.data
