"""One group growing out of another: re-initialisation and branching (RFC 9420 sections 11.2, 11.3 and 12.4.3.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conclave.errors import LocalError
from conclave.mls import creation, sending
from conclave.mls.epoch import Epoch
from conclave.mls.extensions import Extensions
from conclave.mls.keypackage import KeyPackage, OwnKeyPackage
from conclave.mls.leafnode import MLS10
from conclave.mls.proposallist import Terms
from conclave.mls.proposals import Add, PreSharedKey, ReInit
from conclave.mls.psk import PreSharedKeyID, Usage, no_psk
from conclave.mls.receiving import resumption_first
from conclave.mls.rules import RuleError
from conclave.mls.staged import Staged
from conclave.mls.state import State
from conclave.values import replace


def follow(
    parent: State,
    own: OwnKeyPackage,
    packages: Sequence[KeyPackage],
    group_id: bytes,
    extensions: Extensions,
    usage: Usage,
    terms: Terms,
    random: Callable[[int], bytes],
) -> Staged:
    """A group that names ``parent`` as the one it comes from, with those whose packages are given."""
    suite = own.suite
    start = creation.create(own, group_id, extensions, terms, random)
    context = parent.epoch.context
    name = PreSharedKeyID.resumption(usage, context.group_id, context.epoch, random(suite.kdf.size))
    staged = sending.commit(
        start,
        [*(Add(package) for package in packages), PreSharedKey(name)],
        b"",
        resumption_first(parent, no_psk),
        replace(terms, link=usage),
        random,
    )
    assert staged.epoch is not None
    try:
        check_resumed(parent, staged.epoch, [name])
    except RuleError as error:
        raise LocalError(f"this group cannot follow the other: {error}") from error
    return replace(staged, state=start)


def reinitialise(
    parent: State,
    own: OwnKeyPackage,
    packages: Sequence[KeyPackage],
    terms: Terms,
    random: Callable[[int], bytes],
) -> Staged:
    """The group that follows a committed ``ReInit``. Raises ``LocalError`` where there is none."""
    reinit = parent.epoch.reinit
    if reinit is None:
        raise LocalError("nobody asked to re-initialise this group", remedy="Commit a ReInit first.")
    staged = follow(parent, own, packages, reinit.group_id, reinit.extensions, Usage.REINIT, terms, random)
    assert staged.epoch is not None
    check_parameters(reinit, staged.epoch)
    return staged


def check_resumed(parent: State | None, epoch: Epoch, psks: Sequence[PreSharedKeyID]) -> None:
    """A group that says it follows another really does (RFC 9420 section 12.4.3.1). Raises ``RuleError``.

    ``parent`` is the group that we were told it follows, or None.
    """
    for name in psks:
        if name.usage not in (Usage.REINIT, Usage.BRANCH):
            continue
        if parent is None or parent.epoch.context.group_id != name.group_id:
            raise RuleError("12.4.3.1-parent", "a group that follows another than the one handed in")
        if epoch.context.epoch != 1:
            raise RuleError("12.4.3.1-first-epoch", "a group that follows another and is past its first epoch")
        if name.usage is Usage.REINIT:
            _check_reinit(parent, epoch, name)
        else:
            _check_branch(parent, epoch)
        return
    if parent is not None:
        raise RuleError("12.4.3.1-parent", "a group that should follow another and does not say so")


def _check_reinit(parent: State, epoch: Epoch, name: PreSharedKeyID) -> None:
    reinit = parent.epoch.reinit
    if reinit is None or name.epoch != parent.epoch.context.epoch:
        raise RuleError("12.4.3.1-reinit-due", "a group that re-initialises one that did not ask for it")
    check_parameters(reinit, epoch)
    if _identities(epoch) != _identities(parent.epoch):
        raise RuleError("12.4.3.1-reinit-members", "a re-initialised group with other members")


def check_parameters(reinit: ReInit, epoch: Epoch) -> None:
    """A group is as its re-initialisation said (RFC 9420 section 11.2). Raises ``RuleError``."""
    context = epoch.context
    found = ReInit(context.group_id, MLS10, context.cipher_suite, context.extensions)
    if found != reinit:
        raise RuleError("12.4.3.1-reinit-parameters", "a re-initialised group with other parameters")


def _check_branch(parent: State, epoch: Epoch) -> None:
    if epoch.context.cipher_suite != parent.epoch.context.cipher_suite:
        raise RuleError("12.4.3.1-branch-suite", "a branch with another cipher suite than its group")
    if not _identities(epoch) <= _identities(parent.epoch):
        raise RuleError("12.4.3.1-branch-members", "a branch with a member who is not in its group")


def _identities(epoch: Epoch) -> set[bytes]:
    return {member.identity or member.signature_key for member in epoch.roster.values()}
