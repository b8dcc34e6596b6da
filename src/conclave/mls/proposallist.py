"""Which proposals may be committed, alone and together (RFC 9420 sections 12.1 and 12.2).

``judge`` takes proposals as they were sent and gives ``Judged``, the only thing that ``evolution`` applies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from conclave.mls.credentials import Verify, identify
from conclave.mls.epoch import Epoch, Member, introduce, succeed
from conclave.mls.extensions import Extensions, external_senders
from conclave.mls.framing import Sender, SenderType
from conclave.mls.keypackage import KeyPackage, check_key_package
from conclave.mls.leafnode import LeafNode, Source, check_leaf, verify_leaf
from conclave.mls.limits import MAX_PROPOSALS, MAX_PSKS, Policy
from conclave.mls.proposals import (
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
)
from conclave.mls.psk import PreSharedKeyID, Usage
from conclave.mls.rules import RuleError
from conclave.values import dataclass, field

T = TypeVar("T", GroupContextExtensions, ReInit)

EXTERNAL_MAY_SEND = (Add, Remove, PreSharedKey, ReInit, GroupContextExtensions)
"""What an outsider who is listed may propose (RFC 9420 section 12.1.8)."""

PATH_REQUIRED = (Update, Remove, ExternalInit, GroupContextExtensions)
"""What cannot be committed without a path (RFC 9420 section 12.4)."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A proposal and who made it; ``by_reference`` where the commit names it by its hash."""

    sender: Sender
    proposal: Proposal
    by_reference: bool = False


@dataclass()
class Judged:
    """A list of proposals that may be committed. ``members`` are those that ``adds`` bring, in order."""

    extensions: Extensions
    adds: list[KeyPackage] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    updates: dict[int, tuple[LeafNode, Member]] = field(default_factory=dict)
    removes: set[int] = field(default_factory=set)
    psks: list[PreSharedKeyID] = field(default_factory=list)
    reinit: ReInit | None = None
    external_init: ExternalInit | None = None
    path_required: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What a judgement depends on besides the epoch: policy, time, and who vouches for credentials.

    ``link`` is the usage of the resumption key that a group's first commit may carry (RFC 9420 sections 11.2, 11.3);
    ``lifetimes`` whether key packages are judged by our clock.
    """

    verify: Verify
    now: float
    policy: Policy
    link: Usage = Usage.APPLICATION
    lifetimes: bool = True


def judge(epoch: Epoch, committer: Sender, proposals: Sequence[Sent], terms: Terms) -> Judged:
    """Validate a commit's proposals (RFC 9420 section 12.2). Raises ``RuleError``."""
    if len(proposals) > MAX_PROPOSALS:
        raise RuleError("limit-proposals", f"a commit covers at most {MAX_PROPOSALS} proposals")
    external = committer.type is SenderType.NEW_MEMBER_COMMIT
    if external:
        _judge_external(proposals, terms)
    extensions = _one_of(proposals, GroupContextExtensions, "12.2-extensions-once")
    reinit = _one_of(proposals, ReInit, "12.2-reinit-alone")
    if reinit is not None and len(proposals) > 1:
        raise RuleError("12.2-reinit-alone", "a re-initialisation together with other proposals")
    judged = Judged(epoch.context.extensions if extensions is None else extensions.extensions, reinit=reinit)
    judged.path_required = not proposals or any(isinstance(sent.proposal, PATH_REQUIRED) for sent in proposals)
    if extensions is not None:
        _judge_senders(extensions.extensions, terms)
    for sent in proposals:
        match sent.proposal:
            case Add(package):
                _judge_add(epoch, package, judged, terms)
            case Update(leaf):
                _judge_update(epoch, committer, sent.sender, leaf, judged, terms)
            case Remove(removed):
                _judge_remove(epoch, committer, removed, judged)
            case PreSharedKey(name):
                _judge_psk(epoch, name, judged, terms)
            case ReInit() as again:
                _judge_reinit(again)
            case ExternalInit() as init:
                if not external:
                    raise RuleError("12.2-external-init", "an external initialisation in a member's commit")
                judged.external_init = init
            case GroupContextExtensions():
                pass
    _judge_newcomers(epoch, judged)
    return judged


def _one_of(proposals: Sequence[Sent], kind: type[T], rule: str) -> T | None:
    found = [sent.proposal for sent in proposals if isinstance(sent.proposal, kind)]
    if len(found) > 1:
        raise RuleError(rule, f"more than one {kind.__name__}")
    return found[0] if found else None


def _judge_external(proposals: Sequence[Sent], terms: Terms) -> None:
    """The list of an external commit (RFC 9420 sections 12.2 and 12.4.3.2)."""
    kinds = [type(sent.proposal) for sent in proposals]
    if any(sent.by_reference for sent in proposals):
        raise RuleError("12.4.3.2-by-value", "an external commit with a proposal by reference")
    if kinds.count(ExternalInit) != 1:
        raise RuleError("12.2-external-one-init", "an external commit without exactly one external initialisation")
    if kinds.count(Remove) > 1:
        raise RuleError("12.2-external-one-remove", "an external commit that removes more than one member")
    if set(kinds) - {ExternalInit, Remove, PreSharedKey}:
        raise RuleError("12.2-external-only", "an external commit with a proposal that it may not hold")
    if Remove in kinds and not terms.policy.resync:
        raise RuleError("12.4.3.2-resync", "an external commit that replaces a member, which is not accepted here")


def _judge_senders(extensions: Extensions, terms: Terms) -> None:
    for sender in external_senders(extensions):
        identify(sender.credential, sender.signature_key, terms.verify, terms.now)


def _judge_add(epoch: Epoch, package: KeyPackage, judged: Judged, terms: Terms) -> None:
    now = terms.now if terms.lifetimes else None
    check_key_package(epoch.suite, package, judged.extensions, now, terms.policy)
    judged.adds.append(package)
    judged.members.append(introduce(package.leaf, terms.verify, terms.now))


def _judge_update(
    epoch: Epoch, committer: Sender, sender: Sender, leaf: LeafNode, judged: Judged, terms: Terms
) -> None:
    if sender.type is not SenderType.MEMBER:
        raise RuleError("12.1.2-update-member", "an update from someone who is not a member")
    if sender == committer:
        raise RuleError("12.2-own-update", "a commit that covers its sender's own update")
    old, index = epoch.leaf(sender.index), sender.index
    _once(judged, index)
    check_leaf(epoch.suite, leaf, Source.UPDATE, judged.extensions, terms.policy)
    if leaf.encryption_key == old.encryption_key:
        raise RuleError("7.3-update-key-fresh", "an update that keeps the member's encryption key")
    verify_leaf(epoch.suite, leaf, epoch.context.group_id, index)
    judged.updates[index] = (leaf, succeed(epoch.roster[index], old.credential, leaf, terms.verify, terms.now))


def _once(judged: Judged, index: int) -> None:
    if index in judged.removes or index in judged.updates:
        raise RuleError("12.2-once-per-leaf", "two proposals that change or remove the same member")


def _judge_remove(epoch: Epoch, committer: Sender, removed: int, judged: Judged) -> None:
    if epoch.tree.leaf(removed) is None:
        raise RuleError("12.1.3-remove-member", "a proposal to remove someone who is not a member")
    if committer.type is SenderType.MEMBER and committer.index == removed:
        raise RuleError("12.2-own-remove", "a commit that removes its sender")
    _once(judged, removed)
    judged.removes.add(removed)


def _judge_psk(epoch: Epoch, name: PreSharedKeyID, judged: Judged, terms: Terms) -> None:
    if name.usage in (Usage.REINIT, Usage.BRANCH) and name.usage is not terms.link:
        raise RuleError("12.1.4-psk-usage", "a resumption key for another use than this")
    if len(name.nonce) != epoch.suite.kdf.size:
        raise RuleError("12.1.4-psk-nonce", "a pre-shared key's nonce of the wrong size")
    if name in judged.psks:
        raise RuleError("12.2-psk-once", "one pre-shared key twice")
    if len(judged.psks) == MAX_PSKS:
        raise RuleError("limit-psks", f"a commit covers at most {MAX_PSKS} pre-shared keys")
    judged.psks.append(name)


def _judge_reinit(reinit: ReInit) -> None:
    if reinit.version < 1:
        raise RuleError("12.1.5-reinit-version", "a re-initialisation to an older protocol version")


def _judge_newcomers(epoch: Epoch, judged: Judged) -> None:
    """Nobody is added twice, or while being a member already (RFC 9420 section 12.2)."""
    present = [member for index, member in epoch.roster.items() if index not in judged.removes]
    known_keys = {member.signature_key for member in present}
    known_names = {member.identity for member in present} - {b""}
    if any(member.signature_key in known_keys or member.identity in known_names for member in judged.members):
        raise RuleError("12.2-add-member", "a proposal to add someone who is a member already")
    keys = [member.signature_key for member in judged.members]
    names = [member.identity for member in judged.members if member.identity]
    if len(set(keys)) != len(keys) or len(set(names)) != len(names):
        raise RuleError("12.2-add-once", "two proposals to add one client")
