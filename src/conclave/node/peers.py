"""Who is connected: at most one link to each peer, dialled while it is wanted, again and again with backoff.

A link is wanted while something waits for the peer or a lobby is shared. The address comes from the person
(``say --at``), from the directory's presence, or from a look-up. Two links to the same peer are settled by
``link.duel``; a link that was up for longer than a handshake may take is not simultaneous with a new one, so there
the newer stays: its peer has forgotten the other. Left out: what is sent (``node.pump``), TLS (``net.streams``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from conclave.chat.events import Arrived, Event, Linked, Unlinked
from conclave.errors import ConclaveError, NetworkError, Refused, VerificationError
from conclave.link.duel import survivor
from conclave.link.events import Closed, Peer
from conclave.net.backoff import Backoff
from conclave.net.streams import LinkStream
from conclave.node.notices import LinkClosed, LinkOpened, Notice, Trouble
from conclave.wire.frames import CloseReason, Frame

log = logging.getLogger(__name__)

SIMULTANEOUS_SECONDS = 10.0
"""Two links that opened further apart than this were not dialled at the same time."""
LOOK_AGAIN_SECONDS = 60.0
"""How often the directory is asked for a peer that it did not know an address of."""


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
    wanted: bool = False
    link: LinkStream | None = None
    since: float = 0.0
    hint: str = ""  # an address given by the person or by presence
    stirred: asyncio.Event = field(default_factory=asyncio.Event)  # something changed: try now
    dialling: asyncio.Task[None] | None = None
    complaint: str = ""  # the last reason why no link was made, told once


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
        tell: Callable[[Notice], None],
        jitter: Callable[[], float],
    ) -> None:
        self._me = me
        self._dial = dial
        self._find = find
        self._spawn = spawn
        self._put = put
        self._tell = tell
        self._jitter = jitter
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
        """Dial ``peer`` until linked, or dial no more."""
        known = self._peers.setdefault(peer, _Peer())
        known.wanted = wanted
        if wanted:
            self._start(peer, known)

    def hold(self, held: bool) -> None:  # noqa: FBT001
        """Stop or resume reading from every link."""
        self._held = held
        for known in self._peers.values():
            if known.link is not None:
                (known.link.pause if held else known.link.resume)()

    # What the world tells.

    def at(self, peer: str, address: str) -> None:
        """The peer can be dialled there (``host:port``); an empty address: it went offline."""
        known = self._peers.setdefault(peer, _Peer())
        known.hint = address
        if address:
            known.stirred.set()

    def on_link(self, stream: LinkStream) -> None:
        """A link is open, whoever dialled."""
        handle = stream.peer.handle
        if handle == self._me or self._closing:
            stream.close(CloseReason.DONE, "that is the node itself")
            return
        known = self._peers.setdefault(handle, _Peer())
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
        known.link, known.since, known.complaint = stream, now, ""
        if self._held:
            stream.pause()
        self._tell(LinkOpened(handle, stream.address))
        self._put(Linked(handle, stream.window))

    def on_frames(self, stream: LinkStream, frames: Sequence[Frame]) -> None:
        """Frames came in; those of a link that was given up are dropped, its peer sends them again."""
        handle = stream.peer.handle
        known = self._peers.get(handle)
        if known is None or known.link is not stream:
            return
        for frame in frames:
            self._put(Arrived(handle, frame))

    def on_drained(self, stream: LinkStream) -> None:
        """Nothing waits for that: posts are bounded by the peer's window, a lobby's entries by the push window."""

    def on_closed(self, stream: LinkStream, closed: Closed) -> None:
        """A link ended."""
        handle = stream.peer.handle
        known = self._peers.get(handle)
        if known is None or known.link is not stream:
            return
        known.link = None
        self._put(Unlinked(handle))
        self._tell(LinkClosed(handle, closed.reason.word, closed.text, closed.clean or closed.by_us))
        if known.wanted and not self._closing:
            self._start(handle, known)

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

    def verified(self) -> list[Peer]:
        """Everybody with an open link, as the certificate was verified."""
        return [known.link.peer for known in self._peers.values() if known.link is not None]

    def why_not(self, peer: str) -> str:
        """Why there is no link to ``peer``, in words; empty where nothing is known against it."""
        known = self._peers.get(peer)
        return known.complaint if known is not None else ""

    async def dial_at(self, peer: str, address: str) -> None:
        """Have a link to ``peer`` at an address that the person gave, and remember it.

        Raises ``VerificationError`` where somebody else answers there; where nobody does, that is only remembered.
        """
        known = self._peers.setdefault(peer, _Peer())
        known.hint = address
        if known.link is None:
            try:
                self.on_link(await self._dial(address, peer))
            except NetworkError as error:
                known.complaint = str(error)
            except VerificationError:
                known.hint = ""
                raise

    # Dialling.

    def _start(self, peer: str, known: _Peer) -> None:
        if known.link is None and not self._closing and (known.dialling is None or known.dialling.done()):
            known.dialling = self._spawn(self._keep_dialling(peer, known))
        known.stirred.set()

    async def _keep_dialling(self, peer: str, known: _Peer) -> None:
        backoff = Backoff(self._jitter)
        while known.wanted and known.link is None:
            known.stirred.clear()
            pause = backoff.delay()
            try:
                address = known.hint or await self._find(peer)
                if address:
                    self.on_link(await self._dial(address, peer))
                    continue
                pause = LOOK_AGAIN_SECONDS * (0.5 + 0.5 * self._jitter())
                known.complaint = f"{peer} is offline"
            except ConclaveError as error:
                self._complain(peer, known, error)
            try:
                async with asyncio.timeout(pause):
                    await known.stirred.wait()
            except TimeoutError:
                pass

    def _complain(self, peer: str, known: _Peer, error: ConclaveError) -> None:
        if str(error) == known.complaint:
            return
        known.complaint = str(error)
        log.info("no link to %s: %s", peer, error)
        if isinstance(error, VerificationError | Refused) and not isinstance(error, NetworkError):
            self._tell(Trouble(peer, str(error)))
