"""Every bound of the MLS engine, by name: sizes, counts, windows. What a stranger can make us do ends here."""

from __future__ import annotations

from conclave.errors import LocalError
from conclave.values import astuple, dataclass

MAX_LEAVES = 1 << 13
"""Leaves of a ratchet tree, blank ones included."""

MAX_GROUP_ID = 255
"""Bytes of a group's identifier."""

MAX_PROPOSALS = 2048
"""Proposals in one commit."""

MAX_PROPOSALS_PER_SENDER = 64
"""Proposals that one sender may leave uncommitted in an epoch; further ones are refused."""

MAX_PSKS = 64
"""Pre-shared keys in one commit."""

MAX_EXTERNAL_SENDERS = 64
"""Outsiders whom a group may list as allowed to propose; each is shown to the authentication service."""

MAX_MESSAGES = 1 << 24
"""Messages of one kind that a member may send in one epoch: far below AES-GCM's bound for messages of this size."""

MAX_PAST_EPOCHS = 255
"""Past epochs whose late messages a policy may let in."""

MAX_MESSAGE_SIZE = 1 << 24
"""Bytes of one MLS message."""

MAX_EPOCH = (1 << 64) - 1
"""Largest epoch number; a group that reaches it must be re-initialised."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a group's member accepts. Kept in its state."""

    past_epochs: int = 3
    """Epochs before the current one whose late application messages can still be opened."""

    resumption_epochs: int = 3
    """Epochs before the current one whose resumption key is kept."""

    max_skip: int = 1024
    """How far ahead of a sender's last message the next may be (generations)."""

    skipped_keys: int = 128
    """Keys kept, for each sender and kind, of messages that were overtaken."""

    max_lifetime: int = 180 * 86400
    """Longest total lifetime of a key package that is accepted (seconds): RFC 9420 section 7.2."""

    lifetimes_at_join: bool = True
    """Refuse to join a group with a member whose key package has run out, which RFC 9420 section 7.3 recommends."""

    complete_capabilities: bool = True
    """Refuse members who do not list their group's cipher suite, and key packages with an extension that their leaf
    does not list (RFC 9420 sections 10 and 11.1). Other implementations are known to forget both."""

    private_handshakes: bool = True
    """Refuse proposals and commits of members that come in the clear."""

    handshake_padding: int = 256
    """Handshake messages are padded to a multiple of this (bytes)."""

    application_padding: int = 64
    """Application messages are padded to a multiple of this (bytes)."""

    resync: bool = True
    """Accept external commits that replace a member's earlier appearance (RFC 9420 section 12.4.3.2).

    A thief of a member's signature key can then take its place: show people who came back, and from where.
    """

    external_joins: bool = False
    """Accept external commits and proposals of strangers to add themselves; every one is judged by ``verify``."""

    def __post_init__(self) -> None:
        """Raise ``LocalError`` for a negative number, or a window that a state cannot be written with."""
        if min(astuple(self)) < 0 or self.past_epochs > MAX_PAST_EPOCHS:
            raise LocalError(f"numbers are at least 0, and past epochs at most {MAX_PAST_EPOCHS}")
