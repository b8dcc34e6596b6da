"""What is sent from the store, read a few rows at a time: posts again, a lobby's order, what others signed.

The same frames as on a link go into mailboxes, as much at once as an envelope takes. Left out: when they are sent
(``node.pump``), seals (``node.mail.deposits``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from conclave.chat import reading
from conclave.chat.deeds import (
    Deed,
    Deposit,
    DepositEntries,
    DepositPosts,
    Push,
    Replay,
    Resend,
    Send,
    SendOriginals,
    Tell,
)
from conclave.chat.events import Deposited, DepositFailed
from conclave.pki.envelope import fits
from conclave.store.ports import PeerStore
from conclave.values import dataclass
from conclave.wire.codec import encode_varint
from conclave.wire.delivery import Ack, Post, PostKind
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.kinds import Kind
from conclave.wire.order import Have

BUNCH_BYTES = 64 * 1024
"""About so much of a lobby's order is given to a link at once, which then may have become slow."""
READ_ROWS = 16
"""So many posts or entries are read from the store at once ..."""
READ_BYTES = 1024 * 1024
"""... and one alone after rows that were larger together."""

Sending = Resend | Replay | SendOriginals


def frames_of(store: PeerStore, deed: Sending) -> Iterator[bytes]:
    """The encoded frames of a sending. Raises ``StorageError``."""
    match deed:
        case Resend():
            for _, frame in _posts(store, deed):
                yield frame
        case Replay(_, group, first, count):
            yield from _entries(store, group, first, count)
        case SendOriginals():
            for one in reading.originals(store, deed):
                yield encode_frame(one)


@dataclass(frozen=True, slots=True)
class Bunch:
    """Entries of a lobby's order, one behind the other, that go to the same peers; ``frames`` is what a link gets."""

    peers: tuple[str, ...]
    group: bytes
    first: int
    count: int
    frames: bytes


def bunched(deeds: Iterable[Deed]) -> Iterator[Deed | Bunch]:
    """The deeds with what is pushed joined, as far as one goes to whom the other went; what is told comes last."""
    told: list[Deed] = []
    held: list[Push] = []
    size = 0
    for deed in deeds:
        if isinstance(deed, Tell):
            told.append(deed)
            continue
        if held and not (isinstance(deed, Push) and size < BUNCH_BYTES and _follows(held[-1], deed)):
            yield _bunch(held)
            held, size = [], 0
        if isinstance(deed, Push):
            held.append(deed)
            size += len(deed.entry)
        else:
            yield deed
    if held:
        yield _bunch(held)
    yield from told


def _follows(push: Push, other: Push) -> bool:
    return (push.group, push.seq + 1, push.peers) == (other.group, other.seq, other.peers)


def _bunch(pushes: list[Push]) -> Bunch:
    first = pushes[0]
    return Bunch(first.peers, first.group, first.seq, len(pushes), b"".join(_ordered(one.entry) for one in pushes))


def from_store(peer: str, what: Frame | Bunch) -> Sending | None:
    """The same, sent from the store when there is room for it; None for what is not kept there."""
    match what:
        case Post():
            return Resend(peer, what.stream, what.base, what.number, 1)
        case Bunch():
            return Replay(peer, what.group, what.first, what.count)
        case _:
            return None


def deposit_of(store: PeerStore, deed: DepositPosts) -> Deposit | Deposited | DepositFailed:
    """The first posts of the deed that one envelope takes; what follows is asked for again.

    Where there are none any more, as they were acknowledged meanwhile, that is the same as deposited. Raises
    ``StorageError``.
    """
    taken: list[bytes] = []
    upto = deed.first + deed.count - 1
    for number, frame in _posts(store, deed):
        if not fits([*taken, frame]):
            if not taken:
                return DepositFailed(deed.peer, number, "too-large")
            break
        taken.append(frame)
        upto = number
    return Deposit(deed.peer, upto, tuple(taken)) if taken else Deposited(deed.peer, upto)


def deposits_of(store: PeerStore, deed: DepositEntries) -> Iterator[Deposit | DepositFailed]:
    """The entries of the deed, an envelope's worth at once, up to one that none takes. Raises ``StorageError``."""
    taken: list[bytes] = []
    first = deed.first
    for number, frame in enumerate(_entries(store, deed.group, deed.first, deed.count), deed.first):
        if not fits([*taken, frame]):
            if taken:
                yield Deposit(deed.peer, number - 1, tuple(taken), deed.group, first)
            taken, first = [], number
        if not fits([frame]):
            yield DepositFailed(deed.peer, 0, "too-large", deed.group, number)
            break  # what is behind it is not taken without it
        taken.append(frame)
    if taken:
        yield Deposit(deed.peer, first + len(taken) - 1, tuple(taken), deed.group, first)


def _posts(store: PeerStore, deed: Resend | DepositPosts) -> Iterator[tuple[int, bytes]]:
    first, end, rows = deed.first, deed.first + deed.count, READ_ROWS
    while first < end:
        count = min(rows, end - first)
        posts = store.posts(deed.peer, first, count)
        for number, kind, body in posts:
            if number < first + count:  # the first ones may have been acknowledged meanwhile
                yield number, encode_frame(Post(deed.stream, number, deed.base, PostKind(kind), body))
        rows = 1 if sum(len(body) for _, _, body in posts) > READ_BYTES else READ_ROWS
        first += count


def _entries(store: PeerStore, group: bytes, first: int, count: int) -> Iterator[bytes]:
    end, rows = first + count, READ_ROWS
    while first < end:
        count = min(rows, end - first)
        entries = store.entries(group, first, count)
        for entry in entries:
            yield _ordered(entry)
        rows = 1 if sum(map(len, entries)) > READ_BYTES else READ_ROWS
        first += count


def _ordered(entry: bytes) -> bytes:
    return bytes((Kind.ORDERED,)) + encode_varint(len(entry)) + entry


def latest(deeds: list[Deed]) -> list[Deed]:
    """The deeds without acknowledgements that a later one of the turn includes."""
    kept: list[Deed] = []
    told: set[tuple[str, bytes]] = set()
    for deed in reversed(deeds):
        match deed:
            case Send(peer, Ack(stream=of) | Have(group=of)):
                if (peer, of) in told:
                    continue
                told.add((peer, of))
        kept.append(deed)
    kept.reverse()
    return kept
