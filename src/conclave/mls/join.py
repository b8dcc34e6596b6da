"""Joining by a Welcome: every check on a group before the first word in it (RFC 9420 section 12.4.3.1).

``check_group`` serves those who join from outside as well. Left out: resumption of an older group (``resumption``).
"""

from __future__ import annotations

from collections.abc import Collection

from conclave.crypto.suite import CipherSuite
from conclave.errors import ConclaveError
from conclave.mls import treemath
from conclave.mls.commit import FindPsk, find_psks
from conclave.mls.credentials import identify
from conclave.mls.epoch import Epoch, Member, introduce
from conclave.mls.extensions import external_senders
from conclave.mls.keypackage import OwnKeyPackage
from conclave.mls.keyschedule import EpochSecrets, enter_epoch
from conclave.mls.leafnode import LeafNode, check_leaf, check_lifetime, check_neighbours, verify_leaf
from conclave.mls.parenthash import verify_parent_hashes, verify_unmerged
from conclave.mls.proposallist import Terms
from conclave.mls.psk import PreSharedKeyID, Usage
from conclave.mls.rules import RuleError
from conclave.mls.tree import Tree
from conclave.mls.treekem import open_from
from conclave.mls.welcome import GroupInfo, Welcome, open_info, open_secrets, verify_info


def check_group(suite: CipherSuite, info: GroupInfo, tree: Tree, terms: Terms) -> dict[int, Member]:
    """Prove a group info and its tree, and everyone in it (RFC 9420 section 12.4.3.1). Raises ``RuleError``.

    Gives the members. That the group is new to us, and that we are in it, is left to the caller.
    """
    context = info.context
    if context.cipher_suite != suite.code:
        raise RuleError("12.4.3.1-info-suite", "a group info of another cipher suite than announced")
    signer = tree.leaf(info.signer)
    if signer is None:
        raise RuleError("12.4.3.1-signer-member", "a group info signed by nobody in the group")
    verify_info(suite, info, signer.signature_key)
    if tree.hash(suite.kdf) != context.tree_hash:
        raise RuleError("12.4.3.1-tree-hash", "a ratchet tree that is not the one that the group info names")
    roster = {}
    for index, leaf in tree.members():
        check_leaf(suite, leaf, None, context.extensions, terms.policy)
        verify_leaf(suite, leaf, context.group_id, index)
        if terms.policy.lifetimes_at_join:
            check_lifetime(leaf, terms.now, terms.policy.max_lifetime)
        roster[index] = introduce(leaf, terms.verify, terms.now)
    # After the leaves: a leaf that passes is large and was signed, so that a message holds few of them.
    verify_unmerged(tree)
    verify_parent_hashes(suite.kdf, tree)
    check_neighbours(leaf for _, leaf in tree.members())
    identities = [member.identity for member in roster.values() if member.identity]
    if len(set(identities)) != len(identities):
        raise RuleError("12.2-one-client", "a group that holds one client twice")
    for sender in external_senders(context.extensions):
        identify(sender.credential, sender.signature_key, terms.verify, terms.now)
    return roster


def check_supported(leaf: LeafNode, info: GroupInfo, known_groups: Collection[bytes]) -> None:
    """The group is new to us, and we support every extension that it uses (RFC 9420 sections 12.4.3 and 13.4)."""
    if info.context.group_id in known_groups:
        raise RuleError("12.4.3-group-new", "an invitation to a group that we are in already")
    if not leaf.capabilities.has_extensions(extension.type for extension in info.context.extensions):
        raise RuleError("13.4-join-supported", "the group uses an extension that we do not support")


def join(
    welcome: Welcome,
    own: OwnKeyPackage,
    tree: Tree | None,
    find: FindPsk,
    terms: Terms,
    known_groups: Collection[bytes],
) -> tuple[Epoch, EpochSecrets, tuple[PreSharedKeyID, ...]]:
    """The epoch that a Welcome leads to, its secrets, and the pre-shared keys that it used. Raises ``RuleError``."""
    suite = own.suite
    secrets = open_secrets(welcome, own)
    if sum(name.usage in (Usage.REINIT, Usage.BRANCH) for name in secrets.psks) > 1:
        raise RuleError("12.4.3.1-one-resumption", "a Welcome that resumes more than one group")
    psk = find_psks(suite, secrets.psks, find)
    info = open_info(suite, welcome, secrets.joiner, psk)
    tree = tree or info.tree()
    if tree is None:
        raise RuleError("12.4.3.3-tree", "a Welcome without its ratchet tree, and none was handed in")
    check_supported(own.package.leaf, info, known_groups)
    roster = check_group(suite, info, tree, terms)
    me = next((index for index, leaf in tree.members() if leaf == own.package.leaf), None)
    if me is None:
        raise RuleError("12.4.3.1-our-leaf", "a group that our key package is not in")
    keys = {2 * me: own.encryption_key}
    if secrets.path_secret is not None:
        keys.update(_path_keys(suite, tree, me, info.signer, secrets.path_secret))
    epoch_secrets = enter_epoch(suite, secrets.joiner, psk, info.context)
    try:
        suite.kdf.verify_mac(
            epoch_secrets.confirmation, info.context.confirmed_transcript_hash, info.confirmation_tag
        )
    except ConclaveError as error:
        raise RuleError("12.4.3.1-confirmation-tag", "a group info's confirmation tag does not verify") from error
    epoch = Epoch(
        info.context, tree, me, keys, own.signature_key, epoch_secrets.kept(), info.confirmation_tag, roster
    )
    return epoch, epoch_secrets, secrets.psks


def _path_keys(suite: CipherSuite, tree: Tree, me: int, signer: int, path_secret: bytes) -> dict[int, bytes]:
    """Our keys above the lowest node that we share with the committer (RFC 9420 section 12.4.3.1)."""
    if me == signer:
        raise RuleError("12.4.3.1-signer-other", "a Welcome that names ourselves as its sender")
    shared = treemath.common_ancestor(2 * me, 2 * signer)
    above = [node for node, _ in tree.filtered_path(signer) if treemath.in_subtree(shared, node)]
    return open_from(suite, tree, above, path_secret).keys
