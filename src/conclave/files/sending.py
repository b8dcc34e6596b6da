"""Serving files to whoever asks: whose turn it is, how much waits, how fast it may go.

A machine without IO. ``asked`` takes an ask of a peer that may have the file, ``turn`` gives the next few parts to
read and send. Peers take turns, and so do the files of one peer. What waits is bounded for each peer: what is asked
beyond that is dropped, and asked again by a peer that still wants it. Left out: whether a peer may have a file, and
reading it (``node.files.serving``).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from conclave.errors import Refused
from conclave.files.limits import FileLimits
from conclave.values import dataclass, field
from conclave.wire.files import CHUNK_BYTES, Ask, Part

TURN_CHUNKS = 8
"""Chunks of one turn: what a link gets at once (512 KiB)."""
WAITING_ASKS = 256
"""Asks of one peer that wait."""
WAITING_CHUNKS = 1024
"""Chunks that these ask for, together: several files, each as far ahead as ``receiving.HELD_CHUNKS``."""
UPLOAD_SECONDS = 1.0
"""A file of which nothing waits and nothing was asked for so long is no upload under way any more."""
_SHARE = 2  # one peer has at most this part of all uploads
_BURST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Turn:
    """Send these parts of a file to a peer: ``count`` from ``first`` on."""

    peer: str
    root: bytes
    part: Part
    first: int
    count: int


@dataclass(slots=True)
class _Peer:
    files: OrderedDict[bytes, deque[Ask]] = field(default_factory=OrderedDict)
    asks: int = 0
    chunks: int = 0


class Uploads:
    """Everything that is being sent."""

    def __init__(self, limits: FileLimits) -> None:
        self._limits = limits
        self._peers: OrderedDict[str, _Peer] = OrderedDict()
        self._latest: dict[tuple[str, bytes], float] = {}  # uploads under way: when last asked for
        self._free_at = 0.0  # when the rate allows the next byte

    def asked(self, peer: str, ask: Ask, chunks: int, now: float) -> None:
        """A peer asks for a part of a file of ``chunks`` chunks. What is beyond its end or its bounds is dropped.

        Raises ``Refused`` (busy) where as many uploads as are allowed are under way.
        """
        self._admit((peer, ask.root), now)
        count = min(ask.count, chunks - ask.first)
        held = self._peers.setdefault(peer, _Peer())
        if count < 1 or held.asks >= WAITING_ASKS or held.chunks + count > WAITING_CHUNKS:
            return
        held.asks += 1
        held.chunks += count if ask.part is Part.CHUNKS else 0
        held.files.setdefault(ask.root, deque()).append(Ask(ask.root, ask.part, ask.first, count))

    def turn(self, ready: Callable[[str], bool], now: float) -> Turn | None:
        """The next parts to send, to one of those peers whose links are ``ready``; None where there are none."""
        if now < self._free_at:
            return None
        for peer, held in self._peers.items():
            if held.files and ready(peer):
                self._peers.move_to_end(peer)
                turn = self._next(peer, held)
                if rate := self._limits.upload_bytes_per_second:
                    size = turn.count * CHUNK_BYTES if turn.part is Part.CHUNKS else 0
                    self._free_at = max(self._free_at, now - _BURST_SECONDS) + size / rate
                return turn
        return None

    def wait(self, now: float) -> float | None:
        """Seconds until the rate allows a turn; None where it does not hold anything back."""
        waiting = any(held.files for held in self._peers.values())
        return self._free_at - now if waiting and now < self._free_at else None

    def lost(self, peer: str) -> None:
        """The link to a peer ended: what it asked for is forgotten."""
        self._peers.pop(peer, None)
        self._latest = {key: at for key, at in self._latest.items() if key[0] != peer}

    def ended(self, root: bytes) -> None:
        """A file cannot be served any more."""
        for held in self._peers.values():
            for ask in held.files.pop(root, ()):
                held.asks -= 1
                held.chunks -= ask.count if ask.part is Part.CHUNKS else 0
        self._latest = {key: at for key, at in self._latest.items() if key[1] != root}

    def _admit(self, key: tuple[str, bytes], now: float) -> None:
        if key not in self._latest:
            self._latest = {k: at for k, at in self._latest.items() if now - at < UPLOAD_SECONDS or self._waits(k)}
            own = sum(peer == key[0] for peer, _ in self._latest)
            if len(self._latest) >= self._limits.uploads or own >= -(-self._limits.uploads // _SHARE):
                raise Refused("as many files as are allowed are being sent", reason="busy")
        self._latest[key] = now

    def _waits(self, key: tuple[str, bytes]) -> bool:
        held = self._peers.get(key[0])
        return held is not None and key[1] in held.files

    def _next(self, peer: str, held: _Peer) -> Turn:
        root, asks = next(iter(held.files.items()))
        ask = asks.popleft()
        count = min(ask.count, TURN_CHUNKS) if ask.part is Part.CHUNKS else ask.count
        if rest := ask.count - count:
            asks.appendleft(Ask(root, ask.part, ask.first + count, rest))
        else:
            held.asks -= 1
        held.chunks -= count if ask.part is Part.CHUNKS else 0
        if asks:
            held.files.move_to_end(root)
        else:
            del held.files[root]
        return Turn(peer, root, ask.part, ask.first, count)
