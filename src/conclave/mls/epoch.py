"""One epoch as a member holds it: what all agree on, and this member's own keys (RFC 9420 sections 3.1 and 8).

An ``Epoch`` never changes; the next commit makes another. Left out: message keys, which change with every message.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple, Self

from conclave.crypto.suite import CipherSuite, suite
from conclave.errors import DecodeError
from conclave.mls.credentials import Credential, Verify, identify
from conclave.mls.keyschedule import EpochSecrets, GroupContext, interim_transcript
from conclave.mls.leafnode import LeafNode
from conclave.mls.proposals import ReInit
from conclave.mls.rules import RuleError
from conclave.mls.struct import Struct, put
from conclave.mls.tree import Tree
from conclave.values import dataclass, field
from conclave.wire.codec import Reader, Writer


class Member(NamedTuple):
    """Someone in the group, as the authentication service knows them. ``identity`` is what ``verify`` gave."""

    signature_key: bytes
    identity: bytes


Roster = Mapping[int, Member]
"""The members by leaf index."""


@dataclass(frozen=True, repr=False)
class Epoch(Struct):
    """All that a member knows of an epoch but its message keys. ``keys`` are HPKE private keys by node."""

    context: GroupContext
    tree: Tree
    me: int
    keys: Mapping[int, bytes]
    signature_key: bytes
    secrets: EpochSecrets
    confirmation_tag: bytes
    roster: Roster = field(default_factory=dict)
    reinit: ReInit | None = None

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Our own form, for the state."""
        context, tree, me = GroupContext.read(reader), Tree.read(reader), reader.uint32()
        keys = dict(reader.vector(lambda each: (each.uint32(), each.opaque())))
        signature_key, secrets, tag = reader.opaque(), EpochSecrets.read(reader), reader.opaque()
        members, identities = tuple(tree.members()), reader.vector(Reader.opaque)
        reinit = reader.optional(ReInit.read)
        if len(members) != len(identities):
            raise DecodeError("a state with more or fewer identities than members")
        roster = {
            index: Member(leaf.signature_key, identity)
            for (index, leaf), identity in zip(members, identities, strict=True)
        }
        return cls(context, tree, me, keys, signature_key, secrets, tag, roster, reinit)

    def write(self, writer: Writer) -> Writer:
        """Our own form, for the state."""
        return writer.raw(self.encoded)

    @cached_property
    def encoded(self) -> bytes:
        """The encoding, made once: a state is written after every message, its epoch changes only with a commit."""
        writer = self.tree.write(self.context.write(Writer())).uint32(self.me)
        writer.vector(self.keys.items(), lambda each, item: each.uint32(item[0]).opaque(item[1]))
        self.secrets.write(writer.opaque(self.signature_key)).opaque(self.confirmation_tag)
        writer.vector((member.identity for _, member in sorted(self.roster.items())), Writer.opaque)
        return writer.optional(self.reinit, put).done()

    def __repr__(self) -> str:
        """Without the keys."""
        return f"Epoch({self.context.epoch} of {self.context.group_id.hex()}, leaf {self.me})"

    @cached_property
    def suite(self) -> CipherSuite:
        """The group's cipher suite."""
        return suite(self.context.cipher_suite)

    @cached_property
    def interim_transcript(self) -> bytes:
        """The interim transcript hash (RFC 9420 section 8.2); no two commits lead to the same."""
        return interim_transcript(self.suite, self.context.confirmed_transcript_hash, self.confirmation_tag)

    def leaf(self, index: int) -> LeafNode:
        """A member's leaf. Raises ``RuleError`` where there is no member."""
        leaf = self.tree.leaf(index)
        if leaf is None:
            raise RuleError("6-sender-member", "a message from a leaf where nobody is")
        return leaf


def introduce(leaf: LeafNode, verify: Verify, now: float) -> Member:
    """Validate a leaf's credential with the authentication service (RFC 9420 section 5.3.1). Raises ``RuleError``."""
    return Member(leaf.signature_key, identify(leaf.credential, leaf.signature_key, verify, now))


def succeed(old: Member, old_credential: Credential, leaf: LeafNode, verify: Verify, now: float) -> Member:
    """Validate the leaf that replaces a member's: the same client still (RFC 9420 section 5.3.1)."""
    if leaf.signature_key == old.signature_key and leaf.credential == old_credential:
        return old
    new = introduce(leaf, verify, now)
    if new.identity != old.identity:
        raise RuleError("5.3.1-successor", "a member's new credential is somebody else's")
    return new
