"""What the authority's server bounds on the network. Left out: how often who may ask (``authority.settings``)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Sizes in bytes, times in seconds."""

    body_bytes: int = 16 * 1024
    request_seconds: float = 10.0
    """For a handshake, for the first request's head, and for the body of any."""
    idle_seconds: float = 75.0
    """A kept connection without a request is closed after this."""
    connections: int = 8192
    connections_per_address: int = 256
    """Open at once; an IPv6 address counts as its /64."""
    passwords_at_once: int = 2
    """Argon2id runs side by side, 64 MiB each."""
    passwords_waiting: int = 16
    message_bytes: int = 4096
    """Longest text frame of a client on the presence connection."""
    queue_frames: int = 512
    """How far a reader of the presence connection may fall behind before it is dropped."""
    write_seconds: float = 10.0
    """A frame that is not taken within this drops its reader."""
    sweep_seconds: float = 1.0
    """How often silent and idle connections are looked for."""
    poll_seconds: float = 0.25
    """How often the database is asked whether another process has revoked something."""
    stop_seconds: float = 2.0
    """How long an orderly stop waits for requests under way."""
