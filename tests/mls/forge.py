"""A member, or a stranger, who breaks one rule and keeps all others: our own engine with its conscience taken out.

Everything made here is correctly signed, encrypted and tagged by whoever sends it, unless a test asks otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from conclave.crypto.labels import sign_with_label
from conclave.errors import DecodeError
from conclave.mls import group
from conclave.mls.commit import advance, provisional_context
from conclave.mls.epoch import Epoch, Member
from conclave.mls.evolution import Evolved, evolve
from conclave.mls.framing import (
    PRIVATE_MESSAGE,
    PUBLIC_MESSAGE,
    AuthenticatedContent,
    Body,
    Commit,
    FramedContent,
    Sender,
    SenderType,
)
from conclave.mls.keypackage import KeyPackage, OwnKeyPackage
from conclave.mls.keyschedule import GroupContext, enter_epoch, send_external_init
from conclave.mls.leafnode import LeafNode
from conclave.mls.message import encode_message
from conclave.mls.proposallist import Judged, Sent
from conclave.mls.proposals import Add, ExternalInit, GroupContextExtensions, Proposal, Remove, Update
from conclave.mls.protection import protect_private, protect_public, sign_content
from conclave.mls.psk import PreSharedKeyID, psk_secret
from conclave.mls.rules import RuleError
from conclave.mls.state import State
from conclave.mls.tree import Tree
from conclave.mls.treekem import UpdatePath, create_path
from conclave.mls.welcome import GroupInfo, describe, seal_welcome
from conclave.values import replace
from tests.mls.world import NOW, World, find_psk, seeded, trusting

RANDOM = seeded("forger")


def refused(rule: str, world: World, name: str, message: bytes, **arguments: Any) -> None:
    """``name`` refuses a message for exactly this rule, and is as before."""
    state = world[name]
    before = state.encode()
    settings = {"verify": trusting, "now": NOW, "psk": find_psk, **arguments}
    with pytest.raises(RuleError) as caught:
        group.process(state, message, **settings)
    assert caught.value.rule == rule
    assert world[name].encode() == before


def not_joined(rule: str, welcome: bytes, own: OwnKeyPackage, **arguments: Any) -> None:
    """A Welcome is refused for exactly this rule."""
    settings = {"verify": trusting, "now": NOW, "psk": find_psk, **arguments}
    with pytest.raises(RuleError) as caught:
        group.join(welcome, own, **settings)
    assert caught.value.rule == rule


def envelope(
    state: State, signed: AuthenticatedContent, *, padding: int = 256, membership: bytes | None = None
) -> bytes:
    """Put signed content into the envelope that it was signed for."""
    epoch = state.epoch
    if signed.wire_format == PUBLIC_MESSAGE:
        key = epoch.secrets.membership if membership is None else membership
        return encode_message(protect_public(epoch.suite, key, signed, epoch.context.encoded))
    _, private = protect_private(epoch.suite, epoch.secrets.sender_data, state.traffic, signed, padding, RANDOM)
    return encode_message(private)


def sign(
    state: State,
    body: Body,
    *,
    sender: Sender | None = None,
    public: bool = False,
    signer: bytes | None = None,
    epoch_number: int | None = None,
    group_id: bytes | None = None,
) -> AuthenticatedContent:
    """Sign whatever body as this member, or as somebody else."""
    epoch = state.epoch
    content = FramedContent(
        epoch.context.group_id if group_id is None else group_id,
        epoch.context.epoch if epoch_number is None else epoch_number,
        sender or Sender(SenderType.MEMBER, epoch.me),
        b"",
        body,
    )
    wire_format = PUBLIC_MESSAGE if public else PRIVATE_MESSAGE
    return sign_content(epoch.suite, signer or epoch.signature_key, wire_format, content, epoch.context.encoded)


def forge_proposal(state: State, proposal: Proposal, **arguments: Any) -> bytes:
    """A proposal of this member, unchecked."""
    return envelope(state, sign(state, proposal, **arguments))


def unjudged(epoch: Epoch, sent: Sequence[Sent]) -> Judged:
    """What a commit would do, whether it may or not."""
    judged = Judged(epoch.context.extensions)
    for each in sent:
        match each.proposal:
            case Add(package):
                judged.adds.append(package)
                judged.members.append(Member(package.leaf.signature_key, package.leaf.credential.identity))
            case Update(leaf):
                judged.updates[each.sender.index] = (leaf, Member(leaf.signature_key, leaf.credential.identity))
            case Remove(removed):
                judged.removes.add(removed)
            case GroupContextExtensions(extensions):
                judged.extensions = extensions
            case _:
                pass
    return judged


def evolved_anyway(epoch: Epoch, judged: Judged) -> Evolved:
    """The group after a commit, or as it was where that makes no sense."""
    try:
        evolved = evolve(epoch, judged)
        for _, leaf in evolved.tree.members():
            epoch.suite.kem.load_public(leaf.encryption_key)
    except (KeyError, AttributeError, IndexError, DecodeError):
        return evolve(epoch, Judged(judged.extensions))
    return evolved


def forge_commit(
    state: State,
    proposals: Sequence[Proposal | bytes] = (),
    *,
    path: bool = True,
    leaf: LeafNode | None = None,
    signature_key: bytes | None = None,
    edit_path: Callable[[UpdatePath], UpdatePath] | None = None,
    edit: Callable[[AuthenticatedContent], AuthenticatedContent] | None = None,
    public: bool = False,
    psk: bytes | None = None,
    joiner: OwnKeyPackage | None = None,
    external: Sequence[Proposal] | None = None,
    signer: bytes | None = None,
) -> bytes:
    """A commit of this member; or, with ``joiner``, of a stranger who knows the group's public state.

    ``edit_path`` changes the path before the commit is signed, ``edit`` the signed commit before it is enveloped.
    """
    epoch = state.epoch
    suite, me, tree_before = epoch.suite, epoch.me, epoch.tree
    init = epoch.secrets.init
    sender = Sender(SenderType.MEMBER, me)
    if joiner is not None:
        sender, public = Sender(SenderType.NEW_MEMBER_COMMIT), True
        external_public = suite.kem.public(suite.kem.derive(epoch.secrets.external))
        kem_output, init = send_external_init(suite, external_public, RANDOM)
        proposals = [ExternalInit(kem_output), *proposals] if external is None else list(external)
        leaf = leaf or joiner.package.leaf
        signature_key = signature_key or joiner.signature_key
    sent = [state.held[each] if isinstance(each, bytes) else Sent(sender, each) for each in proposals]
    judged = unjudged(epoch, sent)
    evolved = evolved_anyway(epoch, judged)
    tree = evolved.tree
    if joiner is not None:
        me = tree.first_blank()
        tree = tree.extend() if me == tree.leaves else tree
    own = leaf or tree_before.leaf(me)
    assert own is not None
    signature_key = signature_key or epoch.signature_key
    commit_secret, update, keys = bytes(suite.kdf.size), None, dict(epoch.keys)
    if path:
        made = create_path(
            suite,
            tree,
            me,
            own,
            signature_key,
            epoch.context.group_id,
            lambda changed: provisional_context(epoch, evolved, changed).encoded,
            evolved.added,
            RANDOM,
        )
        tree, update, commit_secret = made.tree, made.path, made.secrets.commit_secret
        keys = {**made.secrets.keys, 2 * me: made.leaf_key}
        if edit_path is not None:
            update = edit_path(update)
        evolved.roster[me] = Member(update.leaf.signature_key, update.leaf.credential.identity)
    content = FramedContent(
        epoch.context.group_id, epoch.context.epoch, sender, b"", Commit(tuple(proposals), update)
    )
    wire_format = PUBLIC_MESSAGE if public else PRIVATE_MESSAGE
    signing = signer or (signature_key if joiner is not None else epoch.signature_key)
    signed = sign_content(suite, signing, wire_format, content, epoch.context.encoded)
    following = Epoch(epoch.context, tree, me, keys, signature_key, epoch.secrets, b"")
    secret = psk_secret(suite, ()) if psk is None else psk
    advanced = advance(epoch, following, judged, evolved, signed, me, init, commit_secret, secret, {})
    message = advanced.message if edit is None else edit(advanced.message)
    return envelope(state, message)


def signed_info(epoch: Epoch, info: GroupInfo, signer: bytes | None = None) -> GroupInfo:
    """A group info signed again after a change."""
    key = signer or epoch.signature_key
    return replace(info, signature=sign_with_label(epoch.suite, key, b"GroupInfoTBS", info.signed_content()))


class FakeGroup:
    """A group that never was: any tree, any context, with secrets that fit. What a malicious inviter can make."""

    def __init__(
        self,
        tree: Tree,
        inviter: OwnKeyPackage,
        inviter_leaf: int,
        *,
        epoch: int = 1,
        psks: Sequence[tuple[PreSharedKeyID, bytes]] = (),
        extensions: Any = (),
        group_id: bytes = b"trap",
        tree_hash: bytes | None = None,
    ) -> None:
        self.suite = suite = inviter.suite
        self.joiner = RANDOM(suite.kdf.size)
        self.names = [name for name, _ in psks]
        self.psk = psk_secret(suite, psks)
        hashed = tree.hash(suite.kdf) if tree_hash is None else tree_hash
        context = GroupContext(suite.code, group_id, epoch, hashed, RANDOM(32), extensions)
        secrets = enter_epoch(suite, self.joiner, self.psk, context)
        tag = suite.kdf.mac(secrets.confirmation, context.confirmed_transcript_hash)
        self.epoch = Epoch(context, tree, inviter_leaf, {}, inviter.signature_key, secrets, tag)

    def welcome(
        self,
        package: KeyPackage,
        leaf: int,
        *,
        edit_info: Callable[[GroupInfo], GroupInfo] | None = None,
        signer: bytes | None = None,
        path_secrets: dict[int, bytes] | None = None,
        names: Sequence[PreSharedKeyID] | None = None,
        with_tree: bool = True,
    ) -> bytes:
        """A Welcome for one key package."""
        info = describe(self.epoch, RANDOM, with_tree=with_tree)
        if edit_info is not None:
            info = signed_info(self.epoch, edit_info(info), signer)
        sealed = seal_welcome(
            self.epoch,
            info,
            self.joiner,
            self.psk,
            self.names if names is None else names,
            [(leaf, package)],
            path_secrets or {},
            RANDOM,
        )
        return encode_message(sealed)
