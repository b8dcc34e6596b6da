"""Every limit of a classic link: what a stranger, and then a peer, may make us hold or wait for."""

from __future__ import annotations

from dataclasses import dataclass

from conclave.errors import NotReady

MESSAGE_BYTES = 128 * 1024
"""The longest text that every Conclave peer reads; the suite itself has no limit but its sequence numbers."""


@dataclass(frozen=True, slots=True)
class ClassicLimits:
    """Settings of classic links. Sizes are bytes, times seconds. Raises ``LocalError`` where they cannot work."""

    message_bytes: int = MESSAGE_BYTES
    """Largest message that is read: nothing of it is shown before its last fragment, so it must be held."""
    handshake_seconds: float = 10.0
    """From the connection to the question whether to chat, however slowly its bytes come."""
    answer_seconds: float = 300.0
    """How long a person may take to answer; then the answer is *busy*, and the caller gives up a little later."""
    outgoing_bytes: int = 4 * 1024 * 1024
    """Unsent bytes above which a link is cut: the peer has stopped reading."""
    connections: int = 128
    """Classic links at once; more are answered *busy* at once."""

    def __post_init__(self) -> None:
        if not 1 <= self.message_bytes <= 8 * MESSAGE_BYTES:
            raise NotReady(f"message_bytes must be between 1 and {8 * MESSAGE_BYTES}")
        if self.handshake_seconds <= 0 or self.answer_seconds <= 0:
            raise NotReady("handshake_seconds and answer_seconds must be more than 0")
        if self.outgoing_bytes < 1024 * 1024:
            raise NotReady("outgoing_bytes must be at least 1048576: the largest message must fit")
        if self.connections < 1:
            raise NotReady("connections must be at least 1")
