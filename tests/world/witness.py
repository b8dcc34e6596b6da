"""Watches what leaves every node: no key seals two different things that are sent. And when words were ordered.

A key that was used in a step whose commit failed, or that a crash undid, has sealed nothing that anybody saw; so what
counts is what is on the wire.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from conclave.chat import groups
from conclave.chat.lobbies import ordering
from conclave.chat.lobby_state import Lobby
from conclave.chat.words.content import Shared, decode_content
from conclave.chat.words.originals import Signed
from conclave.chat.work import Work
from conclave.crypto import aead
from conclave.errors import DecodeError
from conclave.mls import group as mls
from conclave.mls.framing import PrivateMessage
from conclave.mls.group import Staged
from conclave.mls.message import decode_message
from conclave.wire.delivery import Post, PostKind
from conclave.wire.frames import Frame
from conclave.wire.order import EntryKind, Ordered, Submit
from conclave.wire.posts import Handshake, Message, open_post

SEALED: dict[bytes, bytes] = {}
"""The key of everything that was ever sealed, by the ciphertext."""
WORDS: dict[bytes, tuple[bytes, ...]] = {}
"""By the MLS message: the ids of the words that are sealed in it, what is said and what is shared."""
ORDERED: dict[bytes, tuple[bytes, float]] = {}
"""By the id of words: in which lobby somebody who leads gave them a place, and when for the last time (by ``CLOCK``).

Their author says them again where its half of a lobby lost, or others share them: then they have another place, and
are for those who are in by then.
"""
CLOCK: list[Callable[[], float]] = [time.time]
"""The world's, as those of its people may be off (UNIX seconds)."""


def watch() -> None:
    """From now on, remember under which key what was sealed."""
    original = aead.Aead.seal

    def seal(self: aead.Aead, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        sealed = original(self, key, nonce, plaintext, associated)
        SEALED[sealed] = key
        return sealed

    aead.Aead.seal = seal  # type: ignore[method-assign]


def listen() -> None:
    """From now on, remember which words were given a place when."""
    seal, put_in_order = groups.seal, ordering.put_in_order

    def sealing(work: Work, group: bytes, content: bytes, authenticated_data: bytes = b"") -> groups.Sealed:
        sealed = seal(work, group, content, authenticated_data)
        WORDS[sealed.payload] = tuple(_words(content))
        return sealed

    def placing(
        work: Work,
        lobby: Lobby,
        sender: str,
        number: int,
        epoch: int,
        kind: EntryKind,
        payload: bytes,
        staged: Staged | None = None,
    ) -> None:
        put_in_order(work, lobby, sender, number, epoch, kind, payload, staged)
        ORDERED.update(dict.fromkeys(WORDS.get(payload, ()), (lobby.group, CLOCK[0]())))

    groups.seal = sealing
    ordering.put_in_order = placing


def forget(clock: Callable[[], float]) -> None:
    """Another world begins, with this clock."""
    CLOCK[0] = clock
    WORDS.clear()
    ORDERED.clear()


def _words(content: bytes) -> Iterator[bytes]:
    """The id of what is said, and those of what is shared in it."""
    with suppress(DecodeError):  # other tests seal what is no content
        said = decode_content(content)
        yield said.id
        for data in said.body.originals if isinstance(said.body, Shared) else ():
            yield from _words(mls.read_original(Signed.decode(data).original).data)


watch()
listen()


class Keys:
    """What one world's nodes sent, under which keys."""

    def __init__(self) -> None:
        self.used: dict[bytes, bytes] = {}
        self.twice: list[str] = []

    def sent(self, frame: Frame) -> None:
        for payload in _payloads(frame):
            try:
                message = decode_message(payload)
            except DecodeError:
                continue
            if not isinstance(message, PrivateMessage):
                continue
            key = SEALED.get(message.ciphertext)
            if key is None:
                self.twice.append("something was sent that nobody sealed")
            elif self.used.setdefault(key, message.ciphertext) != message.ciphertext:
                self.twice.append(f"a key of epoch {message.epoch} sealed two things that were sent")


def _payloads(frame: Frame) -> list[bytes]:
    if isinstance(frame, Submit | Ordered):
        return [frame.payload]
    if isinstance(frame, Post) and frame.kind in (PostKind.MESSAGE, PostKind.HANDSHAKE):
        parcel = open_post(frame)
        if isinstance(parcel, Message):
            return [parcel.payload]
        if isinstance(parcel, Handshake):
            return [parcel.message]
    return []
