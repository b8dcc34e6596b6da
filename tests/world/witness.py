"""Watches what leaves every node: no key seals two different things that are sent.

A key that was used in a step whose commit failed, or that a crash undid, has sealed nothing that anybody saw; so what
counts is what is on the wire.
"""

from __future__ import annotations

from conclave.crypto import aead
from conclave.errors import DecodeError
from conclave.mls.framing import PrivateMessage
from conclave.mls.message import decode_message
from conclave.wire.delivery import Post, PostKind
from conclave.wire.frames import Frame
from conclave.wire.order import Ordered, Submit
from conclave.wire.posts import Handshake, Message, open_post

SEALED: dict[bytes, bytes] = {}
"""The key of everything that was ever sealed, by the ciphertext."""


def watch() -> None:
    """From now on, remember under which key what was sealed."""
    original = aead.Aead.seal

    def seal(self: aead.Aead, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        sealed = original(self, key, nonce, plaintext, associated)
        SEALED[sealed] = key
        return sealed

    aead.Aead.seal = seal  # type: ignore[method-assign]


watch()


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
