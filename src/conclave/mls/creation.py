"""A group of one begins (RFC 9420 section 11)."""

from __future__ import annotations

from collections.abc import Callable

from conclave.errors import LocalError
from conclave.mls.epoch import Epoch, introduce
from conclave.mls.extensions import Extensions
from conclave.mls.keypackage import OwnKeyPackage
from conclave.mls.keyschedule import GroupContext, epoch_secrets
from conclave.mls.leafnode import check_capabilities
from conclave.mls.limits import MAX_GROUP_ID
from conclave.mls.proposallist import Terms
from conclave.mls.secrettree import SecretTree
from conclave.mls.state import State
from conclave.mls.tree import Tree


def create(
    own: OwnKeyPackage, group_id: bytes, extensions: Extensions, terms: Terms, random: Callable[[int], bytes]
) -> State:
    """Begin with the leaf of ``own`` alone. Raises ``LocalError``."""
    if not 0 < len(group_id) <= MAX_GROUP_ID:
        raise LocalError(f"a group's identifier has 1 to {MAX_GROUP_ID} bytes")
    suite, leaf = own.suite, own.package.leaf
    check_capabilities(leaf, extensions)
    tree = Tree([leaf])
    secrets = epoch_secrets(suite, random(suite.kdf.size))
    context = GroupContext(suite.code, group_id, 0, tree.hash(suite.kdf), b"", extensions)
    tag = suite.kdf.mac(secrets.confirmation, b"")
    roster = {0: introduce(leaf, terms.verify, terms.now)}
    epoch = Epoch(context, tree, 0, {0: own.encryption_key}, own.signature_key, secrets.kept(), tag, roster)
    return State(epoch, SecretTree(1, secrets.encryption), terms.policy)
