"""A message comes in: from bytes to something proven (RFC 9420 sections 6, 9.2, 12.1.8, 15.3).

The order is the same on every path: read, find the epoch, open the envelope, verify the signature, and only then look
at what it says. Whatever fails raises, and the state that was handed in is still the state.
"""

from __future__ import annotations

from conclave.crypto.labels import ref_hash
from conclave.mls.commit import Advanced, FindPsk, receive
from conclave.mls.extensions import external_senders
from conclave.mls.framing import (
    AuthenticatedContent,
    Commit,
    ContentType,
    FramedContent,
    PrivateMessage,
    PublicMessage,
    SenderType,
)
from conclave.mls.limits import MAX_PROPOSALS_PER_SENDER
from conclave.mls.message import decode_message
from conclave.mls.original import Original
from conclave.mls.proposallist import EXTERNAL_MAY_SEND, Sent, Terms
from conclave.mls.proposals import Add, Remove
from conclave.mls.protection import open_private, open_public, open_sender_data, verify_content
from conclave.mls.psk import PreSharedKeyID, Usage
from conclave.mls.rules import OwnMessageError, RuleError
from conclave.mls.staged import Changes, Held, Opened, Staged
from conclave.mls.state import State
from conclave.values import replace


def process(state: State, data: bytes, find: FindPsk, terms: Terms) -> Opened | Held | Staged:
    """Open, verify and check one message of the group. Raises ``DecodeError`` or ``RuleError``."""
    message = decode_message(data)
    if isinstance(message, PrivateMessage):
        _check_group(state, message.group_id)
        if message.epoch != state.epoch.context.epoch:
            return _open_late(state, message)
        _check_open(state)
        state, opened, original = _open_private(state, message)
    elif isinstance(message, PublicMessage):
        _check_group(state, message.content.group_id)
        if message.content.epoch != state.epoch.context.epoch:
            raise RuleError("6-epoch", "a message of another epoch than the present one")
        _check_open(state)
        opened, original = _open_public(state, message)
    else:
        raise RuleError("6-wire-format", "neither a public nor a private message")
    body = opened.content.body
    if isinstance(body, bytes):
        return _opened(state, opened.content, state.epoch.roster[opened.content.sender.index].identity, original)
    if isinstance(body, Commit):
        return _stage(state, opened, find, terms)
    return _hold(state, opened)


def _check_group(state: State, group_id: bytes) -> None:
    if group_id != state.epoch.context.group_id:
        raise RuleError("6-group-id", "a message of another group")


def _check_open(state: State) -> None:
    if state.epoch.reinit is not None:
        raise RuleError("12.4.2-closed", "the group was re-initialised: nothing more may be said in it")


def _opened(state: State, content: FramedContent, identity: bytes, original: Original) -> Opened:
    assert isinstance(content.body, bytes)
    leaf, words = content.sender.index, content.body
    return Opened(state, content.epoch, leaf, identity, words, content.authenticated_data, original)


# --- envelopes ---


def _open_private(state: State, message: PrivateMessage) -> tuple[State, AuthenticatedContent, Original]:
    epoch, suite = state.epoch, state.epoch.suite
    sender = open_sender_data(suite, epoch.secrets.sender_data, message)
    member = epoch.roster.get(sender.leaf)
    if member is None:
        raise RuleError("6.3.2-sender", "a message from a leaf where nobody is")
    if sender.leaf == epoch.me:
        raise OwnMessageError
    traffic, opened = open_private(suite, sender, state.traffic, message, state.policy)
    original = verify_content(suite, member.signature_key, opened, epoch.context.encoded)
    return state.used(traffic), opened, original


def _open_late(state: State, message: PrivateMessage) -> Opened:
    """An application message of an epoch within the window (RFC 9420 section 15.3)."""
    past = next((each for each in state.past if each.number == message.epoch), None)
    if past is None or message.content_type is not ContentType.APPLICATION:
        raise RuleError("6-epoch", "a message of another epoch than the present one")
    suite = state.epoch.suite
    sender = open_sender_data(suite, past.sender_data, message)
    member = past.roster.get(sender.leaf)
    if member is None:
        raise RuleError("6.3.2-sender", "a message from a leaf where nobody was")
    traffic, opened = open_private(suite, sender, past.traffic, message, state.policy)
    original = verify_content(suite, member.signature_key, opened, past.context)
    kept = tuple(each._replace(traffic=traffic) if each is past else each for each in state.past)
    return _opened(replace(state, past=kept), opened.content, member.identity, original)


def _open_public(state: State, message: PublicMessage) -> tuple[AuthenticatedContent, Original]:
    epoch = state.epoch
    opened = open_public(epoch.suite, epoch.secrets.membership, message, epoch.context.encoded)
    key = _public_key(state, opened.content)
    return opened, verify_content(epoch.suite, key, opened, epoch.context.encoded)


def _public_key(state: State, content: FramedContent) -> bytes:
    """Whose key must have signed a message in the clear, and whether they may say this (RFC 9420 section 6.1)."""
    epoch, sender, body = state.epoch, content.sender, content.body
    if sender.type is SenderType.MEMBER:
        if state.policy.private_handshakes:
            raise RuleError(
                "policy-private-handshakes", "a member's message in the clear, which is not accepted here"
            )
        key = epoch.leaf(sender.index).signature_key
        if sender.index == epoch.me:
            raise OwnMessageError
        return key
    if sender.type is SenderType.EXTERNAL:
        senders = external_senders(epoch.context.extensions)
        if sender.index >= len(senders):
            raise RuleError("6.1-external-sender", "a message from outside by someone whom the group does not list")
        if not isinstance(body, EXTERNAL_MAY_SEND):
            raise RuleError("12.1.8-external-type", "a message from outside that may not come from there")
        return senders[sender.index].signature_key
    comes_back = isinstance(body, Commit) and any(isinstance(each, Remove) for each in body.proposals)
    if not (state.policy.external_joins or (state.policy.resync and comes_back)):
        raise RuleError("policy-external-joins", "a stranger's wish to join, which is not accepted here")
    if sender.type is SenderType.NEW_MEMBER_PROPOSAL:
        if not isinstance(body, Add):
            raise RuleError("6.1-new-member-proposal", "a newcomer's proposal that is not to add itself")
        return body.key_package.leaf.signature_key
    if not isinstance(body, Commit):
        raise RuleError("6.1-new-member-commit", "a newcomer's message that is not a commit")
    if body.path is None:
        raise RuleError("12.4.3.2-path", "an external commit without a path")
    return body.path.leaf.signature_key


# --- what was said ---


def _hold(state: State, opened: AuthenticatedContent) -> Held:
    """Keep a verified proposal until the epoch ends (RFC 9420 section 12.1)."""
    content = opened.content
    assert not isinstance(content.body, bytes | Commit)
    if sum(sent.sender == content.sender for sent in state.held.values()) >= MAX_PROPOSALS_PER_SENDER:
        raise RuleError("limit-held-proposals", "too many proposals of one sender wait in this epoch")
    reference = proposal_reference(state, opened)
    held = {**state.held, reference: Sent(content.sender, content.body, by_reference=True)}
    return Held(replace(state, held=held), reference, content.sender, content.body, content.authenticated_data)


def proposal_reference(state: State, message: AuthenticatedContent) -> bytes:
    """``ProposalRef`` (RFC 9420 section 5.2)."""
    return ref_hash(state.epoch.suite, b"MLS 1.0 Proposal Reference", message.encode())


def _stage(state: State, opened: AuthenticatedContent, find: FindPsk, terms: Terms) -> Staged:
    epoch, commit = state.epoch, opened.content.body
    assert isinstance(commit, Commit)
    advanced = receive(epoch, opened, state.held, state.updates, resumption_first(state, find), terms)
    return Staged(
        state,
        epoch.interim_transcript,
        advanced.epoch,
        b"" if advanced.secrets is None else advanced.secrets.encryption,
        changes_of(advanced),
        authenticated_data=opened.content.authenticated_data,
        commit=commit,
    )


def changes_of(advanced: Advanced) -> Changes:
    """Whom a checked commit touches."""
    judged, removed = advanced.judged, tuple(sorted(advanced.judged.removes))
    external = judged.external_init is not None
    # An external commit removes at most one member, the committer's own earlier appearance: ``judge`` saw to it.
    replaced = removed[0] if external and removed else None
    added, updated = tuple(advanced.evolved.added), tuple(judged.updates)
    return Changes(advanced.committer, added, removed, updated, external, replaced)


def resumption_first(state: State, find: FindPsk) -> FindPsk:
    """Look a pre-shared key up in the group's own past, and only then where the application keeps its own."""

    def lookup(name: PreSharedKeyID) -> bytes | None:
        if name.usage is Usage.EXTERNAL or name.group_id != state.epoch.context.group_id:
            return find(name)
        if name.epoch == state.epoch.context.epoch:
            return state.epoch.secrets.resumption
        return dict(state.resumptions).get(name.epoch)

    return lookup
