"""Commits, from either side (RFC 9420 section 12.4): how one epoch becomes the next.

``create`` makes a commit and ``receive`` checks another's; both end in ``advance``. Neither changes anything: what
they give is the next epoch, which counts only once it is merged. Left out: envelopes and Welcomes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from conclave.crypto.suite import CipherSuite
from conclave.errors import ConclaveError
from conclave.mls.epoch import Epoch, Member, introduce, succeed
from conclave.mls.evolution import Evolved, check_evolved, evolve
from conclave.mls.framing import (
    AuthenticatedContent,
    Commit,
    ContentAuth,
    FramedContent,
    Sender,
    SenderType,
)
from conclave.mls.keyschedule import (
    EpochSecrets,
    GroupContext,
    confirmed_transcript,
    enter_epoch,
    joiner_secret,
    receive_external_init,
)
from conclave.mls.leafnode import LeafNode, Source, check_leaf, verify_leaf
from conclave.mls.limits import MAX_EPOCH, MAX_PSKS, Policy
from conclave.mls.proposallist import Judged, Sent, Terms, judge
from conclave.mls.proposals import Proposal
from conclave.mls.protection import sign_content
from conclave.mls.psk import PreSharedKeyID, psk_secret
from conclave.mls.rules import RuleError
from conclave.mls.tree import Tree
from conclave.mls.treekem import UpdatePath, create_path, merge_path, open_path
from conclave.mls.treemath import in_subtree
from conclave.values import replace

FindPsk = Callable[[PreSharedKeyID], bytes | None]
"""Looks up a pre-shared key by name; None where it is not known."""


class Advanced(NamedTuple):
    """The next epoch, and what only its first moment needs: for the Welcome, and for the secret tree."""

    epoch: Epoch | None
    secrets: EpochSecrets | None
    joiner: bytes
    psk_secret: bytes
    judged: Judged
    evolved: Evolved
    path_secrets: Mapping[int, bytes]
    message: AuthenticatedContent
    committer: int


def find_psks(suite: CipherSuite, names: Sequence[PreSharedKeyID], find: FindPsk) -> bytes:
    """The PSK secret of a commit or a Welcome (RFC 9420 section 8.4). Raises ``RuleError`` where a key is missing."""
    if len(names) > MAX_PSKS:
        raise RuleError("limit-psks", f"more than {MAX_PSKS} pre-shared keys at once")
    keys = []
    for name in names:
        key = find(name)
        if key is None:
            raise RuleError("12.4.2-psk-available", "a commit or Welcome uses a pre-shared key that we do not have")
        keys.append((name, key))
    return psk_secret(suite, keys)


def resolve(proposals: Sequence[Proposal | bytes], committer: Sender, held: Mapping[bytes, Sent]) -> list[Sent]:
    """A commit's proposals with their senders; references must name proposals of this epoch that we hold."""
    found = []
    for each in proposals:
        if isinstance(each, bytes):
            if each not in held:
                raise RuleError("12.4-reference-known", "a commit refers to a proposal that we do not have")
            found.append(held[each])
        else:
            found.append(Sent(committer, each))
    return found


def provisional_context(epoch: Epoch, evolved: Evolved, tree: Tree) -> GroupContext:
    """The group context that path secrets are sealed to: new but for the transcript (RFC 9420 section 12.4.1)."""
    old = epoch.context
    if old.epoch == MAX_EPOCH:
        raise RuleError("limit-epoch", "the group has no epoch number left")
    return GroupContext(
        old.cipher_suite,
        old.group_id,
        old.epoch + 1,
        tree.hash(epoch.suite.kdf),
        old.confirmed_transcript_hash,
        evolved.extensions,
    )


def create(
    epoch: Epoch,
    proposals: Sequence[Proposal | bytes],
    sent: Sequence[Sent],
    wire_format: int,
    authenticated_data: bytes,
    leaf: LeafNode,
    signature_key: bytes,
    find: FindPsk,
    terms: Terms,
    random: Callable[[int], bytes],
    *,
    path: bool = True,
    external_init: bytes | None = None,
) -> Advanced:
    """Make a commit (RFC 9420 section 12.4.1). ``leaf`` and ``signature_key`` are the sender's own, as they shall be.

    ``external_init`` is the init secret of someone who joins by this commit; ``epoch.me`` then means nothing.
    """
    suite = epoch.suite
    outside = external_init is not None
    sender = Sender(SenderType.NEW_MEMBER_COMMIT) if outside else Sender(SenderType.MEMBER, epoch.me)
    judged = judge(epoch, sender, sent, terms)
    evolved = evolve(epoch, judged)
    tree, me, keys = evolved.tree, epoch.me, _still_valid(epoch.keys, evolved.tree)
    if outside:
        tree, me = _make_room(tree)
        keys = {}
    commit_secret, update_path, path_secrets = bytes(suite.kdf.size), None, {}
    if path or judged.path_required:
        created = create_path(
            suite,
            tree,
            me,
            leaf,
            signature_key,
            epoch.context.group_id,
            lambda changed: provisional_context(epoch, evolved, changed).encoded,
            evolved.added,
            random,
        )
        tree, update_path = created.tree, created.path
        check_leaf(suite, update_path.leaf, Source.COMMIT, judged.extensions, terms.policy)
        evolved.roster[me] = _committer(epoch, judged, sender, update_path.leaf, terms)
        keys = {**_outside(keys, me), **created.secrets.keys, 2 * me: created.leaf_key}
        commit_secret, path_secrets = created.secrets.commit_secret, created.secrets.secrets
    check_evolved(epoch, evolved, tree)
    content = FramedContent(
        epoch.context.group_id,
        epoch.context.epoch,
        sender,
        authenticated_data,
        Commit(tuple(proposals), update_path),
    )
    signer = signature_key if outside else epoch.signature_key
    message = sign_content(suite, signer, wire_format, content, epoch.context.encoded)
    own = Epoch(epoch.context, tree, me, keys, signature_key, epoch.secrets, b"")
    init = epoch.secrets.init if external_init is None else external_init
    psk = find_psks(suite, judged.psks, find)
    return advance(epoch, own, judged, evolved, message, me, init, commit_secret, psk, path_secrets)


def receive(
    epoch: Epoch,
    message: AuthenticatedContent,
    held: Mapping[bytes, Sent],
    updates: Mapping[bytes, tuple[bytes, bytes]],
    find: FindPsk,
    terms: Terms,
) -> Advanced:
    """Check another's commit, whose signature was verified (RFC 9420 section 12.4.2). Raises ``RuleError``.

    ``updates`` are the private encryption and signature keys of our own pending updates, by public encryption key.
    """
    suite, commit, sender = epoch.suite, message.content.body, message.content.sender
    assert isinstance(commit, Commit)
    judged = judge(epoch, sender, resolve(commit.proposals, sender, held), terms)
    psk = find_psks(suite, judged.psks, find)
    evolved = evolve(epoch, judged)
    tree, signature_key = evolved.tree, epoch.signature_key
    keys = _still_valid(epoch.keys, tree)
    if epoch.me in judged.updates:
        mine = judged.updates[epoch.me][0]
        if mine.encryption_key not in updates:
            raise RuleError("12.1.2-own-update-known", "a commit covers an update of ours that we did not make")
        keys[2 * epoch.me], signature_key = updates[mine.encryption_key]
    commit_secret = bytes(suite.kdf.size)
    if commit.path is None:
        if judged.path_required:
            raise RuleError("12.4-path-required", "a commit without the path that its proposals require")
        committer = sender.index
    else:
        if sender.type is SenderType.NEW_MEMBER_COMMIT:
            tree, committer = _make_room(tree)
        else:
            committer = sender.index
        _check_path_leaf(epoch, commit.path, sender, committer, judged, terms.policy)
        evolved.roster[committer] = _committer(epoch, judged, sender, commit.path.leaf, terms)
        tree = merge_path(suite, tree, committer, commit.path)
    check_evolved(epoch, evolved, tree)
    if epoch.me in judged.removes:
        return Advanced(None, None, b"", b"", judged, evolved, {}, message, committer)
    if commit.path is not None:
        provisional = provisional_context(epoch, evolved, tree).encoded
        opened = open_path(suite, tree, committer, commit.path, epoch.me, keys, provisional, evolved.added)
        keys = {**_outside(keys, committer), **opened.keys}
        commit_secret = opened.commit_secret
    init = epoch.secrets.init
    if judged.external_init is not None:
        try:
            init = receive_external_init(suite, epoch.secrets.external, judged.external_init.kem_output)
        except ConclaveError as error:
            raise RuleError("8.3-external-init", "an external initialisation does not open") from error
    own = Epoch(epoch.context, tree, epoch.me, keys, signature_key, epoch.secrets, b"")
    return advance(epoch, own, judged, evolved, message, committer, init, commit_secret, psk, {})


def advance(
    epoch: Epoch,
    own: Epoch,
    judged: Judged,
    evolved: Evolved,
    message: AuthenticatedContent,
    committer: int,
    init_secret: bytes,
    commit_secret: bytes,
    psk: bytes,
    path_secrets: Mapping[int, bytes],
) -> Advanced:
    """From a commit and its secrets to the next epoch; ``own`` holds the new tree and this member's keys in it.

    A commit of ours gets its confirmation tag here, another's must have the right one (RFC 9420 section 12.4.2).
    """
    suite = epoch.suite
    confirmed = confirmed_transcript(suite, epoch.interim_transcript, message.transcript_input())
    context = replace(provisional_context(epoch, evolved, own.tree), confirmed_transcript_hash=confirmed)
    joiner = joiner_secret(suite, init_secret, commit_secret, context)
    secrets = enter_epoch(suite, joiner, psk, context)
    tag = message.auth.confirmation_tag
    if tag is not None:
        try:
            suite.kdf.verify_mac(secrets.confirmation, confirmed, tag)
        except ConclaveError as error:
            raise RuleError("6.1-confirmation-tag", "a commit's confirmation tag does not verify") from error
    else:
        tag = suite.kdf.mac(secrets.confirmation, confirmed)
        auth = ContentAuth(message.auth.signature, tag)
        message = AuthenticatedContent(message.wire_format, message.content, auth)
    following = Epoch(
        context,
        own.tree,
        own.me,
        own.keys,
        own.signature_key,
        secrets.kept(),
        tag,
        evolved.roster,
        judged.reinit,
    )
    return Advanced(following, secrets, joiner, psk, judged, evolved, path_secrets, message, committer)


def _make_room(tree: Tree) -> tuple[Tree, int]:
    """Where someone who joins by a commit stands: the leftmost blank leaf (RFC 9420 section 12.4.2)."""
    place = tree.first_blank()
    return (tree.extend() if place == tree.leaves else tree), place


def _check_path_leaf(
    epoch: Epoch, path: UpdatePath, sender: Sender, committer: int, judged: Judged, policy: Policy
) -> None:
    check_leaf(epoch.suite, path.leaf, Source.COMMIT, judged.extensions, policy)
    verify_leaf(epoch.suite, path.leaf, epoch.context.group_id, committer)
    if sender.type is SenderType.MEMBER:
        replaced: int | None = committer
    else:
        replaced = next(iter(judged.removes), None)
    if replaced is not None and path.leaf.encryption_key == epoch.leaf(replaced).encryption_key:
        raise RuleError("12.4.2-leaf-key-fresh", "a committer that keeps its encryption key")


def _committer(epoch: Epoch, judged: Judged, sender: Sender, leaf: LeafNode, terms: Terms) -> Member:
    """Who the committer is after its commit: the same client as before, or a newcomer who is nobody present."""
    replaced = sender.index if sender.type is SenderType.MEMBER else next(iter(judged.removes), None)
    if replaced is not None:
        old = epoch.roster[replaced]
        if sender.type is not SenderType.MEMBER and not old.identity and leaf.signature_key != old.signature_key:
            # Its former key did not sign this commit, and there is no identity to be the same.
            raise RuleError("5.3.1-successor", "someone who takes the place of a member of another key")
        return succeed(old, epoch.leaf(replaced).credential, leaf, terms.verify, terms.now)
    member = introduce(leaf, terms.verify, terms.now)
    if member.identity and any(member.identity == other.identity for other in epoch.roster.values()):
        raise RuleError("12.4.3.2-newcomer", "someone joins from outside who is a member already")
    return member


def _still_valid(keys: Mapping[int, bytes], tree: Tree) -> dict[int, bytes]:
    """Our private keys whose nodes the proposals left in the tree."""
    return {node: key for node, key in keys.items() if tree.node(node) is not None}


def _outside(keys: Mapping[int, bytes], committer: int) -> dict[int, bytes]:
    """Our private keys that a commit does not replace: those that are not above its sender."""
    return {node: key for node, key in keys.items() if node % 2 == 0 or not in_subtree(2 * committer, node)}
