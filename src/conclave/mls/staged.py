"""What processing gives: words to read, a proposal that waits, an epoch that may come (RFC 9420 sections 12.4, 14).

Each carries ``state``, which must replace the state that the message was processed with, for a key has been used up.
A ``Staged`` commit becomes state by ``merge`` alone, and can be written down until it is known to be the one.
"""

from __future__ import annotations

from typing import NamedTuple, Self

from conclave.errors import LocalError
from conclave.mls.epoch import Epoch
from conclave.mls.framing import Commit, Sender
from conclave.mls.limits import Policy
from conclave.mls.original import Original
from conclave.mls.proposals import Proposal
from conclave.mls.secrettree import SecretTree
from conclave.mls.state import PastEpoch, State
from conclave.mls.struct import Struct, put
from conclave.values import dataclass, replace
from conclave.wire.codec import Reader, Writer


class Opened(NamedTuple):
    """An application message, opened and verified. ``sender`` is a leaf index in ``epoch``.

    ``original`` proves to others, outside the group too, that the sender said it: ``group.verify_original``.
    """

    state: State
    epoch: int
    sender: int
    identity: bytes
    data: bytes
    authenticated_data: bytes
    original: Original


class Held(NamedTuple):
    """A proposal, verified to be from ``sender``, that waits for a commit under ``reference``."""

    state: State
    reference: bytes
    sender: Sender
    proposal: Proposal
    authenticated_data: bytes


class Sending(NamedTuple):
    """A message of ours and the state without the key that it used: store the state, then send.

    ``original`` is there for application messages: what others will be able to show of it.
    """

    state: State
    message: bytes
    original: Original | None = None


class Changes(NamedTuple):
    """Who a commit touches: leaf indices before it (``removed``, ``replaced``) and after it (the others).

    ``external`` tells that the committer joined by this commit; ``replaced`` is then the leaf, among ``removed``, at
    which the same client stood before, or None where it is new to the group.
    """

    committer: int
    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()
    updated: tuple[int, ...] = ()
    external: bool = False
    replaced: int | None = None


@dataclass(frozen=True, repr=False)
class Staged(Struct):
    """A commit that was checked, or made, and not yet taken over. ``epoch`` is None where it removes us.

    ``base`` is the interim transcript hash that it builds on; ``message`` and ``welcome`` are ours to send, in that
    order and the latter only once the commit counts. ``state`` is the present epoch's, and ``commit`` what another's
    holds; neither is written with it.
    """

    state: State | None
    base: bytes
    epoch: Epoch | None
    encryption_secret: bytes
    changes: Changes
    message: bytes = b""
    welcome: bytes = b""
    authenticated_data: bytes = b""
    commit: Commit | None = None

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Our own form, for a commit that waits."""
        base, epoch, secret = reader.opaque(), reader.optional(Epoch.read), reader.opaque()
        committer, (added, removed, updated) = reader.uint32(), (reader.vector(Reader.uint32) for _ in range(3))
        external, replaced = bool(reader.uint8()), reader.optional(Reader.uint32)
        changes = Changes(committer, added, removed, updated, external, replaced)
        return cls(None, base, epoch, secret, changes, reader.opaque(), reader.opaque(), reader.opaque())

    def write(self, writer: Writer) -> Writer:
        """Our own form, for a commit that waits."""
        writer.opaque(self.base).optional(self.epoch, put).opaque(self.encryption_secret)
        writer.uint32(self.changes.committer)
        for leaves in (self.changes.added, self.changes.removed, self.changes.updated):
            writer.vector(leaves, Writer.uint32)
        writer.uint8(self.changes.external).optional(self.changes.replaced, Writer.uint32)
        return writer.opaque(self.message).opaque(self.welcome).opaque(self.authenticated_data)

    @property
    def removes_us(self) -> bool:
        """Whether we are out of the group once this commit counts; its state is then to be erased."""
        return self.epoch is None

    def begin(self, policy: Policy) -> State:
        """The state of the new epoch alone, without a past: for someone who joins by it."""
        if self.epoch is None:
            raise LocalError("this commit removes us from the group", remedy="Erase the group's state.")
        return State(self.epoch, SecretTree(self.epoch.tree.leaves, self.encryption_secret), policy)

    def __repr__(self) -> str:
        """Without the keys."""
        return f"Staged({self.epoch!r}, {self.changes!r})"


def merge(state: State, staged: Staged) -> State:
    """Take a staged commit over; of the old epoch stays what late messages need (RFC 9420 section 9.2).

    ``state`` is the newest of the epoch that the commit builds on, so that no key used since is brought back.
    Raises ``LocalError`` where the commit does not build on it, or removes us.
    """
    old = state.epoch
    if staged.base != old.interim_transcript:
        raise LocalError("this commit does not follow the group's present epoch")
    fresh = staged.begin(state.policy)
    number = old.context.epoch
    last = PastEpoch(number, old.context.encoded, old.secrets.sender_data, state.traffic, old.roster)
    policy = state.policy
    return replace(
        fresh,
        past=(last, *state.past)[: policy.past_epochs],
        resumptions=((number, old.secrets.resumption), *state.resumptions)[: policy.resumption_epochs],
    )
