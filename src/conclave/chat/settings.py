"""The named limits of the conversation core. Each has a reason; none is for taste."""

from __future__ import annotations

from conclave.lobby.succession import Patience
from conclave.values import dataclass, field


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits and times of one user's conversations. Times are seconds, the rest are counts."""

    outbox_posts: int = 10_000
    """Posts that wait for one peer, or words for one lobby; more are refused with ``outbox-full``."""
    request_messages: int = 10
    """Lines that a stranger may leave before we answer; the rest wait in the stranger's own outbox."""
    resend_after: float = 10.0
    """An open link on which nothing moves for so long is sent the same again; then after twice as long, and so on."""
    window_posts: int = 256
    """Unacknowledged posts on one link, where the peer's hello allows that many."""
    push_window: int = 256
    """Entries pushed to a lobby member ahead of what it has; beyond that it catches up by fetching."""
    flying: int = 64
    """Entries that a member has handed in, and not seen ordered."""
    lobby_members: int = 1_000
    """Members and invitations of one lobby."""
    lobbies: int = 1_000
    """Lobbies known at once: entered, ended."""
    invitations: int = 100
    """Invitations that wait for our answer; more are rejected."""
    invitations_per_peer: int = 5
    """Of these, those of one peer, and what it took back within the hour: so it takes nobody else's place."""
    trouble_every: float = 60.0
    """One peer's misbehaviour is told to people at most so often."""
    patience: Patience = field(default_factory=Patience)
    """How long a silent leader leads, and who follows it when."""
    stock: int = 20
    """Single-use key packages that wait at the authority, so that a conversation with us can begin while we sleep."""
    packages: int = 200
    """Key packages of ours whose private keys we hold; the oldest go first."""
    package_life: float = 30 * 86_400.0
    """How long a key package of ours may be used."""
    update_every: float = 86_400.0
    """Our keys in a group are renewed at least so often (post-compromise security)."""
    update_spread: float = 60.0
    """... and within so long after we joined or came back, each at its own moment, so that not all do so at once."""
    receipt_after: float = 2.0
    """What arrived is told to a lobby so much later, in one receipt, and later still where many are in."""
    read_receipts: bool = True
    """Tell others what was read."""
    gap_after: float = 60.0
    """A message that is missing between two of one author is told to people after so long."""
    share_after: float = 5.0
    """What another half's authors said is shared so long after their own turn to say it again."""
    mail_after: float = 5.0
    """What waits for somebody who is away goes to the mailbox after so long."""
