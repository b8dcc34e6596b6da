"""The named limits of the conversation core. Each has a reason; none is for taste."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits and times of one user's conversations. Times are seconds, the rest are counts."""

    outbox_posts: int = 10_000
    """Posts that wait for one peer; more are refused with ``outbox-full``."""
    request_messages: int = 10
    """Lines that a stranger may leave before we answer; the rest wait in the stranger's own outbox."""
    resend_after: float = 10.0
    """An open link on which nothing moves for so long is sent the same again; then after twice as long, and so on."""
    window_posts: int = 256
    """Unacknowledged posts on one link, where the peer's hello allows that many."""
    push_window: int = 256
    """Entries pushed to a lobby member ahead of what it has; beyond that it catches up by fetching."""
    lobby_members: int = 1_000
    """Members, invitations, and people on their way out of one lobby."""
    lobbies: int = 1_000
    """Lobbies known at once: led, entered, ended."""
    invitations: int = 100
    """Invitations that wait for our answer; more are rejected."""
    invitations_per_peer: int = 5
    """Of these, those of one leader: whoever invites without end takes nobody else's place."""
    trouble_every: float = 60.0
    """One peer's misbehaviour is told to people at most so often."""
