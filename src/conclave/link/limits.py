"""Every limit of a link: what a stranger, and then a peer, may make us hold, do or wait for.

Left out: limits of what frames carry (``wire.limits``) and of what a person may send (``chat``).
"""

from __future__ import annotations

from dataclasses import dataclass

from conclave.errors import NotReady
from conclave.wire.limits import FRAME_BYTES


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """Settings of links. Sizes are bytes, times are seconds. Raises ``LocalError`` for settings that cannot work."""

    frame_bytes: int = FRAME_BYTES
    """Largest frame body that we read; told in the hello. Every peer reads at least ``FRAME_BYTES`` (4 MiB)."""
    window: int = 256
    """Posts that the other side may have in flight to us unacknowledged; told in the hello (1 to 65,535)."""
    handshake_seconds: float = 10.0
    """From the connection to the other side's hello, however slowly its bytes come."""
    handshake_bytes: int = 64 * 1024
    """What is read before TLS is up: two certificate chains are about 4 KiB."""
    hello_bytes: int = 2 * 1024
    """Largest first frame: until the hello is in, nobody gets the room of a full frame."""
    heartbeat_seconds: float = 3.0
    """After this long without a byte from the other side it is asked for a sign of life."""
    silence_seconds: float = 10.0
    """After this long without a byte from the other side it is taken as gone."""
    close_seconds: float = 5.0
    """How long an orderly close waits for the other side's farewell, and a socket for its end."""
    half_open_per_address: int = 16
    """Connections of one address (of one /64 in IPv6) that are not open links yet; more are dropped."""
    half_open: int = 256
    """Connections of all addresses together that are not open links yet; more are dropped."""
    outgoing_bytes: int = 1024 * 1024
    """Unsent bytes above which a link counts as slow: its user should stop sending until it has drained."""
    outgoing_limit_bytes: int = 16 * 1024 * 1024
    """Unsent bytes above which a link is closed as overloaded: the peer has stopped reading."""

    def __post_init__(self) -> None:
        if self.frame_bytes < FRAME_BYTES:
            raise NotReady(f"frame_bytes must be at least {FRAME_BYTES}: other peers send frames of that size")
        if not 1 <= self.window <= 0xFFFF:
            raise NotReady("window must be between 1 and 65,535")
        if not 0 < self.heartbeat_seconds < self.silence_seconds:
            raise NotReady("heartbeat_seconds must be less than silence_seconds, and both more than 0")
        if self.outgoing_limit_bytes < self.outgoing_bytes:
            raise NotReady("outgoing_limit_bytes must be at least outgoing_bytes")
