"""Who is connected: at most one link to each peer, dialled while it is wanted, again and again with backoff.

A link is wanted while something waits for the peer or a lobby is shared. The address comes from the person
(``say --at``), from the directory's presence, or from a look-up; one that fails is doubted, and the directory asked
again. Two links to the same peer are settled by ``link.duel``; a link that was up for longer than a handshake may
take is not simultaneous with a new one, so there the newer stays: its peer has forgotten the other. A link that ends
soon is not dialled again at once, so that a peer that hangs up is not hammered. Left out: what is sent
(``node.pump``), TLS (``net.streams``).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from conclave.chat.events import Arrived, Event, Linked, Unlinked
from conclave.errors import ConclaveError, NetworkError, Refused, VerificationError
from conclave.link.duel import survivor
from conclave.link.events import Closed, Peer
from conclave.net.backoff import Backoff
from conclave.net.streams import LinkStream
from conclave.node.addresses import Addresses
from conclave.node.notices import LinkClosed, LinkOpened, Notice, Trouble
from conclave.pki.policy import made_at
from conclave.values import dataclass, field
from conclave.wire.frames import Frame
from conclave.wire.link import CloseReason

log = logging.getLogger(__name__)

SIMULTANEOUS_SECONDS = 10.0
"""Two links that opened further apart than this were not dialled at the same time."""
STEADY_SECONDS = 10.0
"""A link that ends sooner than this counts as one more failure."""
LOOK_AGAIN_SECONDS = 60.0
"""How often the directory is asked for a peer that it did not know an address of."""
_UNANSWERED = (CloseReason.TIMEOUT, CloseReason.TRUNCATED)
"""Ends of a link that say more of its peer than what the directory said before."""
_BY_CLOCK = (CloseReason.EXPIRED.word, CloseReason.NOT_YET_VALID.word)


Dial = Callable[[str, str], Awaitable[LinkStream]]
"""``dial(address, handle)``: an open link to exactly that peer.

Raises ``NetworkError`` or ``VerificationError``.
"""
Find = Callable[[str], Awaitable[str]]
"""``find(handle)``: its address in the directory, or an empty string. Raises ``NetworkError`` or ``Refused``."""
Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
"""Start a task of the node's own group, so that none is lost or silent."""


@dataclass(slots=True)
class _Peer:
    backoff: Backoff
    wanted: bool = False
    link: LinkStream | None = None
    since: float = 0.0
    left: float = 0.0  # UNIX seconds of when the last link ended
    lost: float = 0.0  # ... since when nobody answers, against what the directory last said; 0: not so
    hint: str = ""  # an address given by the person or by presence
    doubted: bool = False  # ... at which the last attempt failed
    stirred: asyncio.Event = field(default_factory=asyncio.Event)  # something changed: try now
    dialling: asyncio.Task[None] | None = None
    complaint: str = ""  # the last reason why no link was made
    troubled: str = ""  # ... that our person was told of; a link makes it good
    asked: asyncio.Lock = field(default_factory=asyncio.Lock)  # held while a person's own address is dialled


class Peers:
    """The links of one node. Called on the loop's thread only."""

    def __init__(
        self,
        me: str,
        *,
        dial: Dial,
        find: Find,
        spawn: Spawn,
        put: Callable[[Event], None],
        drained: Callable[[str], None],
        tell: Callable[[Notice], None],
        jitter: Callable[[], float],
        addresses: Addresses | None = None,
    ) -> None:
        """``addresses`` are where people were reached before: dialled where nobody else says where."""
        self._me = me
        self._dial = dial
        self._find = find
        self._spawn = spawn
        self._put = put
        self._drained = drained
        self._tell = tell
        self._jitter = jitter
        self._addresses = addresses
        self._peers: dict[str, _Peer] = {}
        self._held = False
        self._closing = False

    # What the pump asks.

    def send(self, peer: str, frame: bytes) -> None:
        """Hand an encoded frame to the link of ``peer``; without one it is dropped, and sent again later."""
        known = self._peers.get(peer)
        if known is not None and known.link is not None:
            known.link.send_encoded(frame)

    def want(self, peer: str, wanted: bool) -> None:  # noqa: FBT001
        """Dial ``peer`` until linked, or dial no more: of whom nothing came to be known nothing is kept."""
        known = self._known(peer)
        known.wanted = wanted
        if wanted:
            self._start(peer, known)
        elif not (known.link or known.hint or known.left or known.lost or known.troubled or known.asked.locked()):
            del self._peers[peer]  # others name whom they like
            known.stirred.set()

    def hold(self, held: bool) -> None:  # noqa: FBT001
        """Stop or resume reading from every link."""
        self._held = held
        for known in self._peers.values():
            if known.link is not None:
                (known.link.pause if held else known.link.resume)()

    def slow(self, peer: str) -> bool:
        """Whether the link to ``peer`` has enough to do; never without a link."""
        known = self._peers.get(peer)
        return known is not None and known.link is not None and known.link.slow

    def _known(self, peer: str) -> _Peer:
        known = self._peers.get(peer)
        if known is None:
            known = self._peers[peer] = _Peer(Backoff(self._jitter))
        return known

    # What the world tells.

    def at(self, peer: str, address: str) -> None:
        """The peer can be dialled there (``host:port``); an empty address: it went offline."""
        known = self._known(peer)
        if address != known.hint:
            known.backoff.reset()
        known.hint, known.doubted, known.lost = address, False, 0.0
        if address:
            known.stirred.set()

    def on_link(self, stream: LinkStream) -> None:
        """A link is open, whoever dialled."""
        handle = stream.peer.handle
        if handle == self._me or self._closing:
            stream.close(CloseReason.DONE, "that is the node itself")
            return
        known = self._known(handle)
        now = asyncio.get_running_loop().time()
        old = known.link
        if old is not None:
            kept = survivor(self._me, handle, old, stream) if now - known.since < SIMULTANEOUS_SECONDS else stream
            if kept is old:
                stream.close(CloseReason.DUPLICATE, "another link to you stays")
                return
            known.link = None
            old.close(CloseReason.DUPLICATE, "a newer link to you stays")
            self._put(Unlinked(handle))
        known.link, known.since, known.doubted, known.lost = stream, now, False, 0.0
        known.complaint = known.troubled = ""
        if self._held:
            stream.pause()
        self._tell(LinkOpened(handle, stream.address))
        made = made_at(stream.peer.not_before)
        self._put(Linked(handle, stream.window, stream.peer.device, made, stream.version))

    def on_frames(self, stream: LinkStream, frames: Sequence[Frame]) -> None:
        """Frames came in; those of a link that was given up are dropped, its peer sends them again."""
        handle = stream.peer.handle
        known = self._peers.get(handle)
        if known is None or known.link is not stream:
            return
        for frame in frames:
            self._put(Arrived(handle, frame))

    def on_drained(self, stream: LinkStream) -> None:
        """A slow link has room again for what waits in the store."""
        known = self._peers.get(stream.peer.handle)
        if known is not None and known.link is stream:
            self._drained(stream.peer.handle)

    def on_closed(self, stream: LinkStream, closed: Closed) -> None:
        """A link ended."""
        handle = stream.peer.handle
        known = self._peers.get(handle)
        if known is None or known.link is not stream:
            return
        known.link, known.left = None, time.time()
        if closed.reason in _UNANSWERED and not closed.clean:
            known.lost = known.left
        self._put(Unlinked(handle))
        self._tell(LinkClosed(handle, closed.reason.word, closed.text, closed.clean or closed.by_us))
        steady = asyncio.get_running_loop().time() - known.since >= STEADY_SECONDS
        if steady:
            known.backoff.reset()
        if known.wanted and not self._closing:
            self._start(handle, known, pause=0.0 if steady else known.backoff.delay())

    def on_refused(self, address: str, closed: Closed) -> None:
        """Somebody came no further than the door: told in the log alone, so that strangers cannot fill screens."""
        log.info("refused %s: %s: %s", address, closed.reason.word, closed.text)

    def cut(self, peer: str, reason: CloseReason, text: str) -> None:
        """End the link to ``peer`` now: its certificate was revoked, or we go."""
        known = self._peers.get(peer)
        if known is not None and known.link is not None:
            known.link.close(reason, text)

    def close(self) -> None:
        """Say goodbye to everybody, dial nobody any more."""
        self._closing = True
        for handle, known in self._peers.items():
            if known.dialling is not None:
                known.dialling.cancel()
            self.cut(handle, CloseReason.GOING_AWAY, "the peer's node ends")

    # What fronts ask.

    def linked(self) -> dict[str, str]:
        """Handle and address of every open link."""
        return {handle: known.link.address for handle, known in self._peers.items() if known.link is not None}

    def left(self, peer: str) -> float:
        """When the last link to ``peer`` ended (UNIX seconds); 0 where there was none."""
        known = self._peers.get(peer)
        return known.left if known is not None else 0.0

    def lost(self, peer: str) -> float:
        """Since when ``peer`` does not answer, whatever the directory said before (UNIX seconds); 0: not so."""
        known = self._peers.get(peer)
        return known.lost if known is not None else 0.0

    def verified(self) -> list[Peer]:
        """Everybody with an open link, as the certificate was verified."""
        return [known.link.peer for known in self._peers.values() if known.link is not None]

    def why_not(self, peer: str) -> str:
        """Why there is no link to ``peer``, in words; empty where nothing is known against it."""
        known = self._peers.get(peer)
        return known.complaint if known is not None else ""

    def trouble(self, peer: str) -> str:
        """The same, where it is not that ``peer`` is away: a certificate, or a clock, that does not hold."""
        known = self._peers.get(peer)
        return known.complaint if known is not None and known.troubled else ""

    async def dial_at(self, peer: str, address: str) -> None:
        """Have a link to ``peer`` at an address that the person gave, and remember it.

        Raises ``VerificationError`` where somebody else answers there, ``RemoteError`` where it is no address or no
        peer; where nobody answers, that is only remembered.
        """
        known = self._known(peer)
        async with known.asked:
            if known.link is not None:
                return
            if known.dialling is not None and not known.dialling.done():
                known.dialling.cancel()
                await asyncio.wait([known.dialling])
            try:
                self.on_link(await self._reached(address, peer))
                known.hint = address
            except NetworkError as error:
                known.hint, known.complaint = address, str(error)
            finally:
                if known.wanted:
                    self._start(peer, known)

    # Dialling.

    def _start(self, peer: str, known: _Peer, pause: float = 0.0) -> None:
        if known.link is None and not self._closing and (known.dialling is None or known.dialling.done()):
            known.dialling = self._spawn(self._keep_dialling(peer, known, pause))
        elif not pause:
            known.stirred.set()

    async def _keep_dialling(self, peer: str, known: _Peer, pause: float) -> None:
        await self._rest(known, pause)
        while known.wanted and known.link is None:
            pause, address = known.backoff.delay(), ""
            try:
                address = await self._where(peer, known)
                if address:
                    self.on_link(await self._reached(address, peer))
                    continue
                pause = LOOK_AGAIN_SECONDS * (0.5 + 0.5 * self._jitter())
                known.complaint = f"{peer} is offline"
            except ConclaveError as error:
                known.doubted = True
                if address and isinstance(error, NetworkError):
                    known.lost = known.lost or time.time()
                self._complain(peer, known, error)
            except Exception:  # a fault of ours: no address that a peer announces may end the node
                known.doubted = True
                log.exception("dialling %s failed", peer)
            await self._rest(known, pause)

    async def _rest(self, known: _Peer, pause: float) -> None:
        """Wait so long (seconds), or until something stirs that makes another attempt worth while."""
        if pause:
            try:
                async with asyncio.timeout(pause):
                    await known.stirred.wait()
            except TimeoutError:
                pass
        known.stirred.clear()

    async def _where(self, peer: str, known: _Peer) -> str:
        """Where to dial: at the address that we were told; where that failed, the directory may know a newer one."""
        if known.hint and not known.doubted:
            return known.hint
        try:
            return await self._find(peer) or known.hint
        except ConclaveError:
            known_before = "" if self._addresses is None else self._addresses.of(peer)
            if not (known.hint or known_before):
                raise
            return known.hint or known_before

    async def _reached(self, address: str, peer: str) -> LinkStream:
        stream = await self._dial(address, peer)
        if self._addresses is not None:
            self._addresses.note(peer, address)
        return stream

    def _complain(self, peer: str, known: _Peer, error: ConclaveError) -> None:
        if str(error) != known.complaint:
            known.complaint = str(error)
            log.info("no link to %s: %s", peer, error)
        if isinstance(error, VerificationError | Refused) and not isinstance(error, NetworkError):
            by_clock = error.reason in _BY_CLOCK  # these say what time it is
            cause = f"{type(error).__name__} {error.reason}" if by_clock else str(error)
            if cause != known.troubled:
                known.troubled = cause
                self._tell(Trouble(peer, str(error)))
