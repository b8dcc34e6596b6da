"""The secret tree: a fresh key for every message, each used once (RFC 9420 section 9).

The tree is immutable and made only as far as it was asked: taking a key gives the key and a tree that can no longer
make it. A branch is its secret until something below is needed, then a pair of branches, then, at a leaf, the two
ratchets of that member; so the cost of a message grows with the depth of the group, and nothing is copied.
"""

from __future__ import annotations

from typing import NamedTuple, Self

from conclave.crypto.aead import NONCE_SIZE
from conclave.crypto.labels import derive_tree_secret, expand_with_label
from conclave.crypto.suite import CipherSuite
from conclave.errors import DecodeError, LocalError
from conclave.mls.limits import MAX_MESSAGES, Policy
from conclave.mls.rules import RuleError
from conclave.mls.struct import Struct
from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer

HANDSHAKE, APPLICATION = 0, 1
"""The two ratchets of a member."""


class MessageKey(NamedTuple):
    """A key and nonce for one message."""

    generation: int
    key: bytes
    nonce: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Ratchet(Struct):
    """One member's chain of message keys (RFC 9420 section 9.1): the next one's secret, and those overtaken."""

    secret: bytes
    generation: int = 0
    skipped: tuple[MessageKey, ...] = ()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Our own form, for the state."""
        return cls(reader.opaque(), reader.uint32(), reader.vector(_read_key))

    def write(self, writer: Writer) -> Writer:
        """Our own form, for the state."""
        return writer.opaque(self.secret).uint32(self.generation).vector(self.skipped, _write_key)

    def key(self, suite: CipherSuite) -> MessageKey:
        """The key of the present generation."""
        secret, generation = self.secret, self.generation
        return MessageKey(
            generation,
            derive_tree_secret(suite, secret, b"key", generation, suite.aead.key_size),
            derive_tree_secret(suite, secret, b"nonce", generation, NONCE_SIZE),
        )

    def step(self, suite: CipherSuite) -> bytes:
        """The secret of the next generation."""
        return derive_tree_secret(suite, self.secret, b"secret", self.generation, suite.kdf.size)

    def next(self, suite: CipherSuite) -> tuple[Ratchet, MessageKey]:
        """The next key to send with."""
        if self.generation >= MAX_MESSAGES:
            raise LocalError("this member has sent as many messages as one epoch allows", remedy="Commit, then send.")
        return Ratchet(self.step(suite), self.generation + 1, self.skipped), self.key(suite)

    def seek(self, suite: CipherSuite, generation: int, policy: Policy) -> tuple[Ratchet, MessageKey]:
        """The key of a generation, which was not used yet and is within the windows of ``policy``."""
        if generation >= MAX_MESSAGES:
            raise RuleError("limit-messages", "more messages of one member than an epoch allows")
        if generation < self.generation:
            for found in self.skipped:
                if found.generation == generation:
                    rest = tuple(key for key in self.skipped if key is not found)
                    return Ratchet(self.secret, self.generation, rest), found
            raise RuleError("9.2-key-consumed", "a message whose key was used, or is out of the window")
        if generation - self.generation > policy.max_skip:
            raise RuleError("14-max-skip", "a message too far ahead of its sender's last")
        ratchet = self
        skipped = list(self.skipped)
        while ratchet.generation < generation:
            if generation - ratchet.generation <= policy.skipped_keys:
                skipped.append(ratchet.key(suite))
            ratchet = Ratchet(ratchet.step(suite), ratchet.generation + 1)
        kept = tuple(skipped[-policy.skipped_keys :] if policy.skipped_keys else ())
        return Ratchet(ratchet.step(suite), generation + 1, kept), ratchet.key(suite)


def _read_key(reader: Reader) -> MessageKey:
    return MessageKey(reader.uint32(), reader.opaque(), reader.opaque())


def _write_key(writer: Writer, key: MessageKey) -> Writer:
    return writer.uint32(key.generation).opaque(key.key).opaque(key.nonce)


class Member(NamedTuple):
    """A leaf of the tree that was asked for: its two ratchets."""

    handshake: Ratchet
    application: Ratchet


class Fork(NamedTuple):
    """A node whose secret is consumed: its two branches."""

    left: Branch
    right: Branch


Branch = bytes | Fork | Member


@dataclass(frozen=True, slots=True, repr=False)
class SecretTree(Struct):
    """All message keys of an epoch that can still be made (RFC 9420 section 9). ``leaves`` is a power of two."""

    leaves: int
    root: Branch

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Our own form, for the state."""
        return cls(reader.uint32(), _read_branch(reader, 32))

    def write(self, writer: Writer) -> Writer:
        """Our own form, for the state."""
        return _write_branch(writer.uint32(self.leaves), self.root)

    def next(self, suite: CipherSuite, leaf: int, kind: int) -> tuple[SecretTree, MessageKey]:
        """The next key to send with, as the member at ``leaf``."""
        member = self._member(suite, leaf)
        ratchet, key = member[kind].next(suite)
        return self._put(suite, leaf, _turn(member, kind, ratchet)), key

    def seek(
        self, suite: CipherSuite, leaf: int, kind: int, generation: int, policy: Policy
    ) -> tuple[SecretTree, MessageKey]:
        """The key of a message received from the member at ``leaf``. Raises ``RuleError`` where it is consumed."""
        if leaf >= self.leaves:
            raise RuleError("6.3.2-sender", "a message from a leaf beyond the tree")
        member = self._member(suite, leaf)
        ratchet, key = member[kind].seek(suite, generation, policy)
        return self._put(suite, leaf, _turn(member, kind, ratchet)), key

    def _member(self, suite: CipherSuite, leaf: int) -> Member:
        branch, bit = self.root, self.leaves >> 1
        while bit:
            branch = _fork(suite, branch)[1 if leaf & bit else 0]
            bit >>= 1
        return branch if isinstance(branch, Member) else _sprout(suite, branch)

    def _put(self, suite: CipherSuite, leaf: int, member: Member) -> SecretTree:
        def place(branch: Branch, bit: int) -> Branch:
            if not bit:
                return member
            left, right = _fork(suite, branch)
            return Fork(left, place(right, bit >> 1)) if leaf & bit else Fork(place(left, bit >> 1), right)

        return SecretTree(self.leaves, place(self.root, self.leaves >> 1))


def _turn(member: Member, kind: int, ratchet: Ratchet) -> Member:
    return Member(ratchet, member.application) if kind == HANDSHAKE else Member(member.handshake, ratchet)


def _fork(suite: CipherSuite, branch: Branch) -> Fork:
    if isinstance(branch, Fork):
        return branch
    assert isinstance(branch, bytes)
    size = suite.kdf.size
    return Fork(
        expand_with_label(suite, branch, b"tree", b"left", size),
        expand_with_label(suite, branch, b"tree", b"right", size),
    )


def _sprout(suite: CipherSuite, branch: Branch) -> Member:
    assert isinstance(branch, bytes)
    size = suite.kdf.size
    return Member(
        Ratchet(expand_with_label(suite, branch, b"handshake", b"", size)),
        Ratchet(expand_with_label(suite, branch, b"application", b"", size)),
    )


def _read_branch(reader: Reader, depth: int) -> Branch:
    kind = reader.uint8()
    if kind == 0:
        return reader.opaque()
    if kind == 1 and depth:
        return Fork(_read_branch(reader, depth - 1), _read_branch(reader, depth - 1))
    if kind == 2:
        return Member(Ratchet.read(reader), Ratchet.read(reader))
    raise DecodeError("not a branch of a secret tree")


def _write_branch(writer: Writer, branch: Branch) -> Writer:
    if isinstance(branch, bytes):
        return writer.uint8(0).opaque(branch)
    if isinstance(branch, Fork):
        return _write_branch(_write_branch(writer.uint8(1), branch.left), branch.right)
    return branch.application.write(branch.handshake.write(writer.uint8(2)))
