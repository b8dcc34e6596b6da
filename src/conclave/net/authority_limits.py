"""What the authority's server bounds on the network. Left out: how often who may ask (``authority.settings``)."""

from __future__ import annotations

from conclave.values import dataclass


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
    sessions_per_device: int = 4
    """Presence connections of a device; one more ends the oldest."""
    sessions_per_account: int = 32
    """Presence connections of all devices of a person, those that are ending included; one more is refused."""
    write_seconds: float = 10.0
    """A frame that is not taken within this drops its reader."""
    sweep_seconds: float = 1.0
    """How often silent and idle connections are looked for."""
    poll_seconds: float = 0.25
    """How often the database is asked whether another process has revoked something."""
    tally_seconds: float = 3600.0
    """How often it is logged how much mail and how many key packages went through."""
    stop_seconds: float = 2.0
    """How long an orderly stop waits for requests under way."""
