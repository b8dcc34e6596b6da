"""A message of 64 KiB costs no more than 0.1 s and 10 MB, whoever made it and however: every reader, every door.

What a stranger sends is only read; a member's messages are also verified, so a member can make others work hardest.
The messages here are made to cost as much as they can: the smallest items as often as they fit, lists that are held
against lists, many members in a large tree, and all the valid signatures that 64 KiB can hold.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from conclave.crypto.suite import CLASSICAL
from conclave.errors import ConclaveError
from conclave.mls import group, treemath
from conclave.mls.credentials import Credential
from conclave.mls.epoch import Epoch
from conclave.mls.extensions import (
    EXTERNAL_SENDERS,
    REQUIRED_CAPABILITIES,
    Extension,
    RequiredCapabilities,
    external_senders,
)
from conclave.mls.framing import FramedContent
from conclave.mls.join import check_group
from conclave.mls.keypackage import KeyPackage, OwnKeyPackage
from conclave.mls.keyschedule import EpochSecrets, GroupContext
from conclave.mls.leafnode import Capabilities, LeafNode, Source
from conclave.mls.limits import MAX_LEAVES, Policy
from conclave.mls.message import decode_message
from conclave.mls.parenthash import chain
from conclave.mls.proposallist import Terms
from conclave.mls.proposals import Add, GroupContextExtensions, PreSharedKey, Proposal, Remove
from conclave.mls.psk import PreSharedKeyID
from conclave.mls.secrettree import Ratchet, SecretTree
from conclave.mls.staged import Staged
from conclave.mls.state import State
from conclave.mls.struct import Struct
from conclave.mls.tree import Node, ParentNode, Tree
from conclave.mls.treekem import HPKECiphertext, UpdatePath, UpdatePathNode
from conclave.mls.welcome import GroupInfo, GroupSecrets, describe
from conclave.values import replace
from conclave.wire.codec import Writer
from tests.mls.forge import RANDOM, FakeGroup, forge_commit
from tests.mls.world import LIFETIME, NOW, World

SIZE = 64 * 1024
SECONDS, BYTES = 0.1, 10 * 1024 * 1024

Work = tuple[str, Callable[[], object]]


def trusting(credential: Credential, _key: bytes, _now: float) -> bytes:
    return credential.identity


def bounded(name: str, work: Callable[[], object]) -> None:
    """Its quickest run is quick enough, whatever else the machine does, and no run takes much memory."""

    def once() -> float:
        started = time.process_time()
        with suppress(ConclaveError):
            work()
        return time.process_time() - started

    assert any(once() < SECONDS for _ in range(8)), name
    tracemalloc.start()
    once()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < BYTES, (name, peak)


def dense(unit: bytes, room: int = SIZE - 400) -> bytes:
    """A vector with as many of one item as there is room for."""
    return Writer().opaque(unit * (room // len(unit))).done()


def extensions(count: int) -> tuple[Extension, ...]:
    """As small as they are, each of another type, the highest first."""
    return tuple(Extension(0x1000 + number, b"") for number in reversed(range(count)))


def wordy(count: int) -> Capabilities:
    """Lists ``count`` extension types."""
    return Capabilities((1,), (1,), tuple(range(0x1000, 0x1000 + count)), (), (1,))


# --- whoever: bytes are read ---


def structures(kind: type[Struct] = Struct) -> Iterator[type[Struct]]:
    """Every structure that comes from outside."""
    ours = {Epoch, EpochSecrets, OwnKeyPackage, Ratchet, SecretTree, Staged, State}
    for each in kind.__subclasses__():
        if each not in ours and getattr(sys.modules[each.__module__], each.__name__, None) is each:
            yield each
        yield from structures(each)


def called(kind: type[Struct]) -> str:
    return kind.__name__


KINDS = sorted(structures(), key=called)


@pytest.mark.parametrize("kind", KINDS, ids=called)
def test_a_structure_of_64_kib(kind: type[Struct]) -> None:
    for unit in (b"\0", b"\2\0", b"\0\0\0", b"\1\0\0", b"\x7f\xff"):
        bounded(kind.__name__, lambda unit=unit: kind.decode((unit * SIZE)[:SIZE]))  # type: ignore[misc]
        for head in (b"", b"\0\0"):
            bounded(kind.__name__, lambda unit=unit, head=head: kind.decode(head + dense(unit)))  # type: ignore[misc]


def test_lists_as_long_as_64_kib() -> None:
    package = World().package("deniz").package
    leaf = package.leaf
    content = b"\6ward-7" + bytes(8) + b"\1" + bytes(4) + b"\0\3"
    unmerged = Writer().opaque(b"".join(number.to_bytes(4) for number in range(16_000))).done()
    context = GroupContext(1, b"ward-7", 1, b"", b"", extensions(20_000)).encode()
    many: list[tuple[str, Callable[[bytes], object], bytes]] = [
        ("capabilities", LeafNode.decode, replace(leaf, capabilities=wordy(32_000)).encode()),
        ("leaf extensions", LeafNode.decode, replace(leaf, extensions=extensions(21_000)).encode()),
        ("package extensions", KeyPackage.decode, replace(package, extensions=extensions(20_000)).encode()),
        ("group extensions", GroupInfo.decode, context + bytes(7)),
        ("certificates", Credential.decode, b"\0\2" + dense(b"\0")),
        ("path nodes", UpdatePath.decode, leaf.encode() + dense(b"\0\0")),
        ("path secrets", UpdatePath.decode, leaf.encode() + Writer().opaque(b"\0" + dense(b"\0\0")).done()),
        ("pre-shared keys", GroupSecrets.decode, b"\0\0" + dense(b"\1\0\0")),
        ("welcome", decode_message, b"\0\1\0\3\0\1" + dense(b"\0\0\0") + b"\0"),
        ("blank nodes", Tree.decode, Writer().opaque(bytes(SIZE - 400) + b"\1\1" + leaf.encode()).done()),
        ("parents", Tree.decode, Writer().opaque(b"\0\1\2\0\0\0" * 10_000 + b"\1\1" + leaf.encode()).done()),
        ("unmerged", ParentNode.decode, b"\0\0" + unmerged),
        ("outsiders", lambda data: external_senders((Extension(EXTERNAL_SENDERS, data),)), dense(b"\0\0\1\0")),
        *(
            (f"proposals {unit.hex()}", FramedContent.decode, content + dense(unit) + b"\0")
            for unit in (b"\2\0", b"\1\0\7\0", b"\1\0\6\0", b"\1\0\4\1\0\0", b"\1\0\5\0\0\1\0\1\0", b"\1\0\3\0\0\0\1")
        ),
    ]
    for name, read, data in many:
        assert len(data) <= SIZE + 200
        bounded(name, lambda read=read, data=data: read(data))  # type: ignore[misc]


# --- a member: commits are judged ---


@pytest.fixture(scope="module")
def crowd() -> tuple[State, State]:
    """Two members of a group of four hundred."""
    world = World("crowd", policy=Policy(private_handshakes=False))
    first, *others = [world.package(f"member-{number}") for number in range(400)]
    settings = {"verify": trusting, "now": NOW}
    state = group.create(first, b"ward-7", random=RANDOM, policy=world.policy, **settings)  # type: ignore[arg-type]
    added = [Add(each.package) for each in others]
    staged = group.commit(state, added, random=RANDOM, **settings)  # type: ignore[arg-type]
    theirs = group.join(staged.welcome, others[0], policy=world.policy, **settings)  # type: ignore[arg-type]
    return group.merge(state, staged), theirs


def slight(number: int) -> OwnKeyPackage:
    """Somebody with as small a key package as there can be."""
    own = OwnKeyPackage.create(
        CLASSICAL, Credential.basic(b"%d" % number), RANDOM(32), LIFETIME, RANDOM, extensions=()
    )
    leaf = replace(own.package.leaf, capabilities=Capabilities((1,), (1,), (), (), (1,)))
    leaf = leaf.sign(CLASSICAL, own.signature_key)
    return replace(own, package=replace(own.package, leaf=leaf, extensions=()).sign(CLASSICAL, own.signature_key))


def filling(owns: list[OwnKeyPackage]) -> list[Proposal]:
    """As many of them as one message holds."""
    kept, room = [], SIZE - 1500
    for own in owns:
        room -= len(own.package.encode()) + 3
        if room > 0:
            kept.append(Add(own.package))
    return list(kept)


def commits(ours: State) -> Iterator[tuple[str, bytes]]:
    """The dearest commits that a member can make."""
    own = slight(0)
    lists = replace(own.package.leaf, capabilities=wordy(13_000), extensions=extensions(12_500))
    package = replace(own.package, leaf=lists.sign(CLASSICAL, own.signature_key))
    yield "a leaf of long lists", forge_commit(ours, [Add(package.sign(CLASSICAL, own.signature_key))], path=False)
    short = replace(own.package.leaf, capabilities=wordy(13_000)).sign(CLASSICAL, own.signature_key)
    package = replace(own.package, leaf=short, extensions=extensions(12_500))
    yield "a package of long lists", forge_commit(ours, [Add(package.sign(CLASSICAL, own.signature_key))], path=False)
    for required in (
        RequiredCapabilities((1,) * 30_000),
        RequiredCapabilities((), (1,) * 30_000),
        RequiredCapabilities((), (), (1,) * 30_000),
    ):
        extension = Extension(REQUIRED_CAPABILITIES, required.encode())
        yield "much required of many", forge_commit(ours, [GroupContextExtensions((extension,))], path=False)
    senders = Extension(EXTERNAL_SENDERS, dense(b"\0\0\1\0"))
    yield "outsiders", forge_commit(ours, [GroupContextExtensions((senders,))], path=False)
    yield "everybody removed", forge_commit(ours, [Remove(index) for index in range(2, 400)])
    keys = [PreSharedKey(PreSharedKeyID.external(b"%d" % number, bytes(32))) for number in range(1600)]
    yield "pre-shared keys", forge_commit(ours, keys, path=False)
    node = UpdatePathNode(b"", ())
    yield "path nodes", forge_commit(ours, edit_path=lambda path: replace(path, nodes=(node,) * 30_000))
    top = UpdatePathNode(b"", (HPKECiphertext(b"", b""),) * 30_000)
    yield "path secrets", forge_commit(ours, edit_path=lambda path: replace(path, nodes=(*path.nodes[:-1], top)))
    newcomers = filling([slight(number) for number in range(1000, 1300)])
    assert len(newcomers) > 200
    yield "newcomers", forge_commit(ours, newcomers, path=False)


def test_a_commit_of_64_kib(crowd: tuple[State, State]) -> None:
    ours, theirs = crowd
    for name, message in commits(ours):
        bounded(name, lambda message=message: group.process(theirs, message, verify=trusting, now=NOW))  # type: ignore[misc]


def test_words_of_64_kib_far_ahead(crowd: tuple[State, State]) -> None:
    """As many keys are made as may be skipped."""
    ours, theirs = crowd
    for _ in range(theirs.policy.max_skip):
        ours = group.protect(ours, b"", random=RANDOM).state
    message = group.protect(ours, bytes(SIZE - 400), random=RANDOM).message
    bounded("ahead", lambda: group.process(theirs, message, verify=trusting, now=NOW))


# --- an inviter: groups are verified ---


def sparse(inviter: OwnKeyPackage, joiner: OwnKeyPackage) -> tuple[Tree, int]:
    """The widest tree, with two members."""
    nodes: list[Node | None] = [None] * (2 * MAX_LEAVES - 1)
    nodes[0], nodes[-1] = inviter.package.leaf, joiner.package.leaf
    return Tree(nodes), MAX_LEAVES - 1


def full(inviter: OwnKeyPackage, joiner: OwnKeyPackage) -> tuple[Tree, int]:
    """As many members as 64 KiB hold, each with a valid leaf."""
    leaves: list[LeafNode] = []
    while sum(len(leaf.encode()) + 4 for leaf in leaves) < SIZE - 1500:
        leaves.append(slight(len(leaves)).package.leaf)
    tree, _ = Tree([inviter.package.leaf]).add([joiner.package.leaf, *leaves])
    assert len(leaves) > 350
    return tree, 1


def unmerged(inviter: OwnKeyPackage, joiner: OwnKeyPackage) -> tuple[Tree, int]:
    """Two thousand who came after a commit, so that every key above them lists them; no leaf of them is valid."""
    size, kdf = 2048, CLASSICAL.kdf

    def tiny(number: int) -> LeafNode:
        return LeafNode(number.to_bytes(2), b"", Credential.basic(b""), Capabilities((), ()), Source.COMMIT)

    early = {0} | {1 << level for level in range(size.bit_length() - 1)}
    nodes = [tiny(at // 2) if at % 2 == 0 and at // 2 in early else None for at in range(2 * size - 1)]
    tree = Tree(nodes)
    path = tree.filtered_path(0)
    parents, leaf_hash = chain(kdf, tree, path, [(40_000 + number).to_bytes(2) for number in range(len(path))])
    leaf = replace(inviter.package.leaf, source=Source.COMMIT, lifetime=(0, 0), parent_hash=leaf_hash)
    leaf = leaf.sign(CLASSICAL, inviter.signature_key, b"trap", 0)
    tree = tree.replace([*((at, parent) for (at, _), parent in zip(path, parents, strict=True)), (0, leaf)])
    tree, _ = tree.add(tiny(5000 + number) for number in range(size - len(early) - 1))
    tree, (place,) = tree.add([joiner.package.leaf])
    above = (tree.parent(at) for at in treemath.direct_path(0, tree.leaves))
    assert sum(len(node.unmerged) for node in above if node is not None) > 3000
    return tree, place


@pytest.mark.parametrize("shape", [sparse, full, unmerged])
def test_a_group_of_64_kib(shape: Callable[[OwnKeyPackage, OwnKeyPackage], tuple[Tree, int]]) -> None:
    """By a Welcome, and by a group info as it is checked before somebody joins from outside."""
    world = World("trap")
    inviter, joiner = world.package("inviter"), world.package("joiner")
    tree, place = shape(inviter, joiner)
    trap = FakeGroup(tree, inviter, 0)
    welcome = trap.welcome(joiner.package, place)
    assert len(welcome) < SIZE
    bounded("welcome", lambda: group.join(welcome, joiner, verify=trusting, now=NOW))
    info = describe(trap.epoch, RANDOM)
    terms = Terms(trusting, NOW, Policy())
    bounded("info", lambda: check_group(CLASSICAL, info, Tree.decode(tree.encode()), terms))


def test_a_group_that_requires_much_of_many() -> None:
    world = World("trap")
    inviter, joiner = world.package("inviter"), world.package("joiner")
    leaves = [slight(number).package.leaf for number in range(100)]
    tree, _ = Tree([inviter.package.leaf]).add([joiner.package.leaf, *leaves])
    extension = Extension(REQUIRED_CAPABILITIES, RequiredCapabilities((1,) * 18_000).encode())
    welcome = FakeGroup(tree, inviter, 0, extensions=(extension,)).welcome(joiner.package, 1)
    bounded("welcome", lambda: group.join(welcome, joiner, verify=trusting, now=NOW))
