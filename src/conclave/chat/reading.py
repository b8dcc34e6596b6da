"""What the core wants to know of the store, read: the answers to ``Unwind``, ``Recollect`` and ``SendOriginals``.

And what is shown to who came in later. Whoever pumps, in life or in a simulation, reads alike. Left out: when the
core asks (``chat.lobbies.healing``, ``chat.lobbies.sharing``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from conclave.chat.deeds import Recollect, SendOriginals, Unwind
from conclave.chat.events import Cut, Recollected, Unwound
from conclave.chat.groups import payload_name
from conclave.chat.words.content import NEVER, Body, Edit, Offer, Text, decode_content
from conclave.chat.words.originals import Signed, read_kept
from conclave.errors import DecodeError
from conclave.lobby import chain
from conclave.mls.group import read_original
from conclave.wire.order import LAST_SEQ, Originals, decode_ordered

READ_ENTRIES = 16
"""So many entries are read at once ..."""
READ_BYTES = 1024 * 1024
"""... and one alone behind those that were larger together."""
ORIGINALS_BYTES = 256 * 1024
"""Signed words in one frame, about."""
READ_LINES = 128


class Recorded(Protocol):
    """A line with what its author signed."""

    @property
    def original(self) -> bytes:
        """As ``chat.words.originals`` keeps it; empty where there is none."""

    @property
    def sender(self) -> str:
        """The line's author."""

    @property
    def id(self) -> bytes:
        """The line's name."""

    @property
    def seq(self) -> int:
        """The line's place in the order."""

    @property
    def expires(self) -> float:
        """When it disappears (UNIX seconds); 0: never."""


class Store(Protocol):
    """What is read of a peer's store; see ``store.ports``."""

    def entries(self, group: bytes, first: int, count: int) -> list[bytes]:
        """Entries of a lobby's order."""

    def original(self, conversation: str, sender: str, id: bytes) -> bytes | None:  # noqa: A002 - the store's word
        """What a line's author signed."""

    def originals(self, conversation: str, after_seq: int, before_seq: int, limit: int) -> Sequence[Recorded]:
        """Lines of the order between two places."""

    def certificate(self, fingerprint: bytes) -> bytes | None:
        """A certificate by its SHA-256."""


def unwound(store: Store, asked: Unwind) -> Unwound:
    """What there is behind the common entry. Raises ``StorageError``."""
    before = store.entries(asked.group, asked.common, 1) if asked.common else []
    digest = chain.link(before[0]) if before and decode_ordered(before[0]).seq == asked.common else b""
    cut = tuple(_cut(store, asked.group, asked.common + 1))
    return Unwound(asked.group, asked.common, digest, cut, tuple(_lines(store, asked)))


def _cut(store: Store, group: bytes, first: int) -> Iterator[Cut]:
    """All entries from ``first`` on, a few at once: the order of a half may be longer than memory."""
    count = READ_ENTRIES
    while read := store.entries(group, first, count):
        for encoded in read:
            entry = decode_ordered(encoded)
            yield Cut(
                entry.seq, entry.sender, entry.number, entry.kind, payload_name(entry.payload), payload_name(encoded)
            )
            first = entry.seq + 1
        count = 1 if sum(map(len, read)) > READ_BYTES else READ_ENTRIES


def _lines(store: Store, asked: Unwind) -> Iterator[tuple[str, bytes, int]]:
    """Whatever somebody signed; notices are not carried over."""
    for one in _between(store, asked.conversation, asked.common, LAST_SEQ):
        if of_group(one.original, asked.group):
            yield one.sender, one.id, one.seq


def recollected(store: Store, asked: Recollect) -> Recollected:
    """The originals that there are. Raises ``StorageError``."""
    items, missing = [], []
    for sender, identity in asked.lines:
        signed = _signed(store, store.original(asked.conversation, sender, identity))
        if signed:
            items.append((sender, identity, signed))
        else:
            missing.append((sender, identity))
    return Recollected(asked.group, asked.conversation, tuple(items), tuple(missing))


def originals(store: Store, asked: SendOriginals) -> Iterator[Originals]:
    """Frames of signed words, which together answer for all that was asked. Raises ``StorageError``."""
    after, batch, size = asked.after, list[tuple[int, bytes]](), 0
    for recorded in _between(store, asked.conversation, max(asked.after, asked.since), asked.before):
        meant = asked.by in ("", recorded.sender)
        signed = _signed(store, recorded.original) if meant and of_group(recorded.original, asked.group) else b""
        if not signed:
            continue
        if size >= ORIGINALS_BYTES:  # what follows may have the same place: it answers for those before it alone
            yield Originals(asked.group, after, recorded.seq, tuple(batch), asked.whole)
            after, batch, size = recorded.seq - 1, [], 0
        batch.append((recorded.seq, signed))
        size += len(signed)
    yield Originals(asked.group, after, asked.before, tuple(batch), asked.whole)


def earlier(store: Store, conversation: str, group: bytes, first: int, before: int) -> Iterator[tuple[bool, bytes]]:
    """Signed words from place ``first`` on for who came in at ``before``: lines from until then, and all about them.

    Each with whether it is a line. What is to disappear is not, in whatever words. Raises ``StorageError``.
    """
    going = set[tuple[str, bytes]]()
    for recorded in _between(store, conversation, first - 1, LAST_SEQ):
        signed = _signed(store, recorded.original) if of_group(recorded.original, group) else b""
        if not signed:
            continue
        body = _body(recorded.original)
        if recorded.expires:
            going.add((recorded.sender, recorded.id))
        elif isinstance(body, Edit):  # its words would stay where the line that they are for is not
            if (recorded.sender, body.id) in going:
                continue
            kept = store.original(conversation, recorded.sender, body.id)
            if kept and of_group(kept, group) and _stays(_body(kept)):
                yield False, signed
        elif not isinstance(body, Text | Offer):
            yield False, signed
        elif recorded.seq < before and _stays(body):
            yield True, signed


def _body(kept: bytes) -> Body:
    return decode_content(read_original(read_kept(kept)[0]).data).body


def _stays(body: Body) -> bool:
    """Whether it is a line that does not disappear."""
    return isinstance(body, Text | Offer) and body.expires in (0, NEVER)


def _between(store: Store, conversation: str, after: int, before: int) -> Iterator[Recorded]:
    """The lines between two places (both exclusive), a few at once; several may share a place."""
    limit = READ_LINES
    while read := store.originals(conversation, after, before, limit):
        last = read[-1].seq
        if len(read) < limit:
            yield from read
            return
        if read[0].seq == last:
            limit *= 2  # all share one: more may
            continue
        yield from (one for one in read if one.seq < last)
        after, limit = last - 1, READ_LINES


def of_group(kept: bytes | None, group: bytes) -> bool:
    """Whether signed words are of this lobby, and not of an older one whose name and history it has."""
    if not kept:
        return False
    try:
        return read_original(read_kept(kept)[0]).group_id == group
    except DecodeError:
        return False


def _signed(store: Store, kept: bytes | None) -> bytes:
    if not kept:
        return b""
    try:
        original, fingerprint = read_kept(kept)
    except DecodeError:
        return b""
    certificate = store.certificate(fingerprint)
    return Signed(original.content, original.signature, certificate).encode() if certificate else b""
