"""Groups to measure: made in one commit, one by one, or as if every member had committed once."""

from __future__ import annotations

import os
from time import process_time
from typing import NamedTuple

from conclave.crypto.suite import CipherSuite
from conclave.mls import group
from conclave.mls.credentials import Credential
from conclave.mls.epoch import Epoch, Member
from conclave.mls.keypackage import OwnKeyPackage
from conclave.mls.keyschedule import GroupContext, epoch_secrets
from conclave.mls.limits import Policy
from conclave.mls.secrettree import SecretTree
from conclave.mls.staged import Staged
from conclave.mls.state import State
from conclave.mls.tree import Tree
from conclave.mls.treekem import create_path
from conclave.mls.treemath import direct_path

NOW = 1_800_000_000.0
GROUP = b"bench"


def trusting(credential: Credential, _key: bytes, _now: float) -> bytes:
    return credential.identity


def package(suite: CipherSuite, name: int) -> OwnKeyPackage:
    key = suite.signature.generate(os.urandom)
    life = (int(NOW) - 1, int(NOW) + 86400)
    return OwnKeyPackage.create(suite, Credential.basic(str(name).encode()), key, life, os.urandom)


def packages(suite: CipherSuite, size: int) -> list[OwnKeyPackage]:
    return [package(suite, name) for name in range(size)]


def commit(state: State, own: list[OwnKeyPackage], *, path: bool = True) -> Staged:
    """A commit that adds these."""
    proposals = [group.Add(each.package) for each in own]
    return group.commit(state, proposals, verify=trusting, now=NOW, random=os.urandom, path=path)


def process(state: State, message: bytes) -> Staged:
    got = group.process(state, message, verify=trusting, now=NOW)
    assert isinstance(got, Staged)
    return got


class Founded(NamedTuple):
    """Creator and first joiner of a group, with the seconds of adding everyone and of joining."""

    ours: State
    theirs: State
    adding: float
    joining: float


def founded(suite: CipherSuite, size: int) -> Founded:
    """A group made in one commit."""
    first, *others = packages(suite, size)
    state = group.create(first, GROUP, verify=trusting, now=NOW, random=os.urandom)
    start = process_time()
    staged = commit(state, others)
    added = process_time() - start
    start = process_time()
    joined = group.join(staged.welcome, others[0], verify=trusting, now=NOW)
    return Founded(group.merge(state, staged), joined, added, process_time() - start)


def one_by_one(suite: CipherSuite, size: int, *, path: bool) -> tuple[float, float]:
    """Seconds to add everyone by a commit of their own, and to follow them all as the first who joined."""
    first, *others = packages(suite, size)
    state = group.create(first, GROUP, verify=trusting, now=NOW, random=os.urandom)
    member, adding, following = state, 0.0, 0.0
    for number, own in enumerate(others):
        start = process_time()
        staged = commit(state, [own], path=path)
        state = group.merge(state, staged)
        between = process_time()
        if number == 0:
            member = group.join(staged.welcome, own, verify=trusting, now=NOW)
        else:
            member = group.merge(member, process(member, staged.message))
            following += process_time() - between
        adding += between - start
    assert member.authenticator == state.authenticator
    return adding, following


def warm(suite: CipherSuite, size: int) -> tuple[State, State]:
    """Two members of a group in which everybody has committed once.

    Playing it would take each of ``size`` members through ``size`` commits, so the tree is made by the same function
    that makes a committer's path, member by member, and each of the two gets the keys of its own direct path.
    """
    own = packages(suite, size)
    tree = Tree([own[0].package.leaf])
    tree, _ = tree.add(each.package.leaf for each in own[1:])
    keys = {2 * index: each.encryption_key for index, each in enumerate(own)}
    bits = (size - 1).bit_length()
    for index in sorted(range(size), key=lambda leaf: f"{leaf:0{bits}b}"[::-1]):  # both halves at once: fewer seals
        each = own[index]
        made = create_path(
            suite, tree, index, each.package.leaf, each.signature_key, GROUP, lambda _: b"", (), os.urandom
        )
        tree = made.tree
        keys |= {**made.secrets.keys, 2 * index: made.leaf_key}
    context = GroupContext(suite.code, GROUP, size, tree.hash(suite.kdf), bytes(32))
    secrets = epoch_secrets(suite, os.urandom(suite.kdf.size))
    tag = suite.kdf.mac(secrets.confirmation, bytes(32))
    roster = {index: Member(leaf.signature_key, leaf.credential.identity) for index, leaf in tree.members()}

    def state(me: int) -> State:
        mine = {node: keys[node] for node in (2 * me, *direct_path(2 * me, tree.leaves)) if node in keys}
        epoch = Epoch(context, tree, me, mine, own[me].signature_key, secrets.kept(), tag, roster)
        return State(epoch, SecretTree(tree.leaves, secrets.encryption), Policy())

    return state(0), state(1)
