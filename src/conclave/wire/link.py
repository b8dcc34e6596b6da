"""Frames that belong to a link itself: hello, heartbeat, close. They never reach the conversation tier.

Left out: which of them goes when (``link``).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer
from conclave.wire.kinds import Kind
from conclave.wire.limits import TEXT_BYTES


class CloseReason(IntEnum):
    """Why a link ends. The name in kebab case is the word that errors and logs use."""

    DONE = 0
    GOING_AWAY = 1
    DUPLICATE = 2
    VERSION = 3
    PROTOCOL = 4
    TIMEOUT = 5
    OVERLOADED = 6
    TRUNCATED = 7  # never sent: how the side that is left names an end without a close frame
    BAD_CERTIFICATE = 16
    UNKNOWN_AUTHORITY = 17
    EXPIRED = 18
    NOT_YET_VALID = 19
    REVOKED = 20
    UNEXPECTED_HANDLE = 21
    BLOCKED = 22

    @property
    def word(self) -> str:
        """``UNEXPECTED_HANDLE`` as ``unexpected-handle``."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Hello:
    """First frame of either side. ``frame_bytes``: largest body that we read; ``window``: posts in flight."""

    version: int
    oldest: int
    frame_bytes: int
    window: int
    agent: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Heartbeat; the answer repeats the token."""

    token: int


@dataclass(frozen=True, slots=True)
class Pong:
    """Answer to a heartbeat."""

    token: int


@dataclass(frozen=True, slots=True)
class Close:
    """Last frame of either side: an end without it is a truncation."""

    reason: CloseReason
    text: str


LinkFrame = Hello | Ping | Pong | Close


def _close_reason(value: int) -> CloseReason:
    try:
        return CloseReason(value)
    except ValueError:
        return CloseReason.PROTOCOL  # a newer peer may know more reasons; the text still tells


DECODERS: dict[int, Callable[[Reader], LinkFrame]] = {
    Kind.HELLO: lambda r: Hello(r.uint16(), r.uint16(), r.uint32(), r.uint16(), r.text(TEXT_BYTES)),
    Kind.PING: lambda r: Ping(r.uint64()),
    Kind.PONG: lambda r: Pong(r.uint64()),
    Kind.CLOSE: lambda r: Close(_close_reason(r.uint8()), r.text(TEXT_BYTES)),
}
"""What ``wire.frames`` adds to its own table."""


def link_body(frame: LinkFrame) -> tuple[int, bytes]:
    """The kind and the body of a frame."""
    w = Writer()
    match frame:
        case Hello():
            w.uint16(frame.version).uint16(frame.oldest).uint32(frame.frame_bytes).uint16(frame.window)
            return Kind.HELLO, w.text(frame.agent).done()
        case Ping():
            return Kind.PING, w.uint64(frame.token).done()
        case Pong():
            return Kind.PONG, w.uint64(frame.token).done()
        case Close():
            return Kind.CLOSE, w.uint8(frame.reason).text(frame.text).done()
