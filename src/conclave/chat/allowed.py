"""What a commit of a conversation may hold, and how large what it brings: MLS allows far more than is needed here.

A commit that ends the group, needs a key that some lack, or makes everything that follows large is open to any member
there, and a group that is made large to whoever makes it. All judge alike, by the commit or the group alone: whoever
went by what it has itself would part from the others. Left out: whose a commit is and whether it follows
(``chat.lobbies.changing``, ``chat.pairs.renewing``).
"""

from __future__ import annotations

from conclave.chat.groups import knows_deputies, read_deputies
from conclave.errors import VerificationError
from conclave.mls import group as mls
from conclave.mls.group import Extension, KeyPackage, LeafNode, Staged, State
from conclave.pki.verify import claimed_identity

LEAF_BYTES = 4 * 1024
"""What a group keeps of each member, and gives to whoever comes in: a key, a certificate, what its device can do."""
PACKAGE_BYTES = 2 * LEAF_BYTES
"""A key package is a leaf with one more key and a signature."""
SPARE_LEAVES = 16
"""Above what a commit needs: a secret for each member at most, what it proposes, and why; above a group, its keys."""
PAIR_BYTES = LEAF_BYTES * (SPARE_LEAVES + 2)
"""What begins a group of two."""

_OF_MEMBERS = (mls.Add, mls.Remove, mls.GroupContextExtensions)
_FROM_OUTSIDE = (mls.ExternalInit, mls.Remove)


def demand_small(package: KeyPackage) -> None:
    """Somebody may be added by a key package of this size. Raises ``VerificationError``."""
    _demand_leaf(package.leaf.encoded)
    if len(mls.write_key_package(package)) > PACKAGE_BYTES:
        raise VerificationError(f"a key package has at most {PACKAGE_BYTES} bytes", reason="too-large")


def demand_newcomer(package: KeyPackage) -> None:
    """Somebody may be let into a lobby by this key package. Raises ``VerificationError``."""
    demand_small(package)
    _demand_deputies(package.leaf)


def demand_in_lobby(state: State, staged: Staged, size: int) -> None:
    """Somebody's commit on a lobby's ``state``, of ``size`` bytes, holds what is needed. Raises ``RemoteError``."""
    commit = staged.commit
    assert commit is not None
    if size > LEAF_BYTES * (SPARE_LEAVES + len(state.epoch.roster) + 2 * len(commit.proposals)):
        raise VerificationError("it is larger than what it holds", reason="too-large")
    kinds = _FROM_OUTSIDE if staged.changes.external else _OF_MEMBERS
    went, came = set[str](), set[str]()
    for proposal in commit.proposals:
        if not isinstance(proposal, kinds):
            raise VerificationError("it holds what no lobby needs", reason="not-allowed")
        match proposal:
            case mls.Add(package):
                demand_newcomer(package)
                came.add(claimed_identity(package.leaf.credential.certificates[0]).handle)
            case mls.Remove(leaf):
                went.add(state.epoch.roster[leaf].identity.decode())
            case mls.GroupContextExtensions(extensions):
                demand_context(extensions)
    if went & came:  # it would be out, with nobody told
        raise VerificationError(f"it puts out {min(went & came)}, and lets it in", reason="not-allowed")
    if commit.path is not None:
        _demand_leaf(commit.path.leaf.encoded)
        _demand_deputies(commit.path.leaf)


def demand_in_pair(staged: Staged) -> None:
    """Somebody's commit in a group of two gives it fresh keys, and is nothing else. Raises ``VerificationError``."""
    commit = staged.commit
    assert commit is not None
    if commit.proposals or commit.path is None:
        raise VerificationError("it is more than fresh keys", reason="not-allowed")
    _demand_leaf(commit.path.leaf.encoded)


def demand_group(state: State) -> None:
    """A group that others made is no larger than who is in accounts for. Raises ``VerificationError``.

    It is given to everybody who comes in later, by people who did not make it.
    """
    epoch = state.epoch
    for _, leaf in epoch.tree.members():
        _demand_leaf(leaf.encoded)
    size = len(epoch.tree.encode()) + len(epoch.context.confirmed_transcript_hash)
    if size > LEAF_BYTES * (SPARE_LEAVES + len(epoch.roster)):
        raise VerificationError("the group is larger than who is in accounts for", reason="too-large")


def demand_context(extensions: tuple[Extension, ...]) -> None:
    """What a lobby agrees on are its deputies alone: it is in all that is signed there. Raises ``DecodeError``."""
    read_deputies(extensions)


def _demand_deputies(leaf: LeafNode) -> None:
    """MLS itself demands it where the lobby has deputies: in a lobby that was spoilt nobody could set them again."""
    if not knows_deputies(leaf):
        raise VerificationError("a member's leaf lists no deputies", reason="not-allowed")


def _demand_leaf(encoded: bytes) -> None:
    if len(encoded) > LEAF_BYTES:
        raise VerificationError(f"a member's leaf has at most {LEAF_BYTES} bytes", reason="too-large")
