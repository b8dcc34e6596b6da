"""A message goes out: application data, proposals, commits (RFC 9420 sections 6, 12.1, 12.4.1, 15).

Everything is private and padded, unless the policy says otherwise. Each function gives the state to store before the
message is sent: the key that the message used is no longer in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conclave.errors import LocalError, RemoteError
from conclave.mls.commit import Advanced, FindPsk, create, find_psks
from conclave.mls.credentials import Credential
from conclave.mls.evolution import check_evolved, evolve
from conclave.mls.framing import (
    PRIVATE_MESSAGE,
    PUBLIC_MESSAGE,
    AuthenticatedContent,
    Body,
    ContentAuth,
    FramedContent,
    Sender,
    SenderType,
)
from conclave.mls.leafnode import LeafNode, Source
from conclave.mls.message import encode_message
from conclave.mls.proposallist import Sent, Terms, judge
from conclave.mls.proposals import Proposal, ReInit, Remove, Update
from conclave.mls.protection import protect_private, protect_public, sign_content, sign_original
from conclave.mls.receiving import changes_of, proposal_reference, resumption_first
from conclave.mls.staged import Sending, Staged
from conclave.mls.state import State
from conclave.mls.welcome import describe, seal_welcome
from conclave.values import replace

Random = Callable[[int], bytes]


def _check_usable(state: State) -> None:
    if state.epoch.reinit is not None:
        raise LocalError("this group was re-initialised", remedy="Use the group that follows it.")


def _framed(state: State, body: Body, authenticated_data: bytes) -> FramedContent:
    context, sender = state.epoch.context, Sender(SenderType.MEMBER, state.epoch.me)
    return FramedContent(context.group_id, context.epoch, sender, authenticated_data, body)


def _wrap(state: State, message: AuthenticatedContent, padding: int, random: Random) -> Sending:
    epoch = state.epoch
    if message.wire_format == PUBLIC_MESSAGE:
        public = protect_public(epoch.suite, epoch.secrets.membership, message, epoch.context.encoded)
        return Sending(state, encode_message(public))
    traffic, private = protect_private(
        epoch.suite, epoch.secrets.sender_data, state.traffic, message, padding, random
    )
    return Sending(state.used(traffic), encode_message(private))


def _handshake_format(state: State) -> int:
    return PRIVATE_MESSAGE if state.policy.private_handshakes else PUBLIC_MESSAGE


def protect(state: State, data: bytes, authenticated_data: bytes, random: Random) -> Sending:
    """Encrypt application data (RFC 9420 section 15). Refused while proposals wait: commit them first (12.4)."""
    _check_usable(state)
    if state.held:
        raise LocalError("proposals wait to be committed", remedy="Commit, then send.")
    epoch = state.epoch
    content = _framed(state, data, authenticated_data)
    original = sign_original(epoch.suite, epoch.signature_key, PRIVATE_MESSAGE, content, epoch.context.encoded)
    signed = AuthenticatedContent(PRIVATE_MESSAGE, content, ContentAuth(original.signature))
    sending = _wrap(state, signed, state.policy.application_padding, random)
    return Sending(sending.state, sending.message, original)


def propose(state: State, proposal: Proposal, authenticated_data: bytes, random: Random) -> Sending:
    """Send a proposal, and hold it ourselves (RFC 9420 section 12.1)."""
    _check_usable(state)
    epoch = state.epoch
    content = _framed(state, proposal, authenticated_data)
    wire_format = _handshake_format(state)
    signed = sign_content(epoch.suite, epoch.signature_key, wire_format, content, epoch.context.encoded)
    sending = _wrap(state, signed, state.policy.handshake_padding, random)
    held = {**state.held, proposal_reference(state, signed): Sent(content.sender, proposal, by_reference=True)}
    return Sending(replace(sending.state, held=held), sending.message)


def renewed_leaf(state: State, credential: Credential | None, signature_key: bytes | None) -> LeafNode:
    """Our leaf with another credential and signature key, where they are given."""
    leaf = state.epoch.leaf(state.epoch.me)
    if signature_key is not None:
        leaf = replace(leaf, signature_key=state.epoch.suite.signature.public(signature_key))
    return leaf if credential is None else replace(leaf, credential=credential)


def propose_update(
    state: State,
    credential: Credential | None,
    signature_key: bytes | None,
    authenticated_data: bytes,
    random: Random,
) -> Sending:
    """Propose a new leaf for ourselves, with a fresh key (RFC 9420 section 12.1.2)."""
    epoch, suite = state.epoch, state.epoch.suite
    private = suite.kem.derive(random(suite.kem.private_size))
    signer = signature_key or epoch.signature_key
    leaf = replace(
        renewed_leaf(state, credential, signature_key),
        encryption_key=suite.kem.public(private),
        source=Source.UPDATE,
        lifetime=(0, 0),
        parent_hash=b"",
    ).sign(suite, signer, epoch.context.group_id, epoch.me)
    sending = propose(state, Update(leaf), authenticated_data, random)
    updates = {**sending.state.updates, leaf.encryption_key: (private, signer)}
    return Sending(replace(sending.state, updates=updates), sending.message)


def commit(
    state: State,
    inline: Sequence[Proposal],
    authenticated_data: bytes,
    find: FindPsk,
    terms: Terms,
    random: Random,
    *,
    path: bool = True,
    credential: Credential | None = None,
    signature_key: bytes | None = None,
    tree_in_welcome: bool = True,
) -> Staged:
    """Commit what waits and what is given inline (RFC 9420 section 12.4.1); fresh keys for us unless ``path`` is off.

    Proposals that wait and cannot be committed, or not together with the rest, are left out. Raises ``LocalError``
    where those given inline cannot be.
    """
    _check_usable(state)
    epoch, find = state.epoch, resumption_first(state, find)
    chosen = choose(state, inline, find, terms)
    mine = Sender(SenderType.MEMBER, epoch.me)
    sent = [state.held[reference] for reference in chosen] + [Sent(mine, proposal) for proposal in inline]
    try:
        advanced = create(
            epoch,
            [*chosen, *inline],
            sent,
            _handshake_format(state),
            authenticated_data,
            renewed_leaf(state, credential, signature_key),
            signature_key or epoch.signature_key,
            find,
            terms,
            random,
            path=path,
        )
    except RemoteError as error:
        raise LocalError(f"this cannot be committed: {error}") from error
    sending = _wrap(state, advanced.message, state.policy.handshake_padding, random)
    return stage(sending.state, advanced, sending.message, random, tree_in_welcome=tree_in_welcome)


def stage(
    state: State | None, advanced: Advanced, message: bytes, random: Random, *, tree_in_welcome: bool = True
) -> Staged:
    """A commit of ours, with the Welcome for those whom it adds (RFC 9420 section 12.4.3.1)."""
    following, judged, evolved = advanced.epoch, advanced.judged, advanced.evolved
    assert following is not None
    assert advanced.secrets is not None
    welcome = b""
    if evolved.added:
        info = describe(following, random, with_tree=tree_in_welcome)
        newcomers = list(zip(evolved.added, judged.adds, strict=True))
        welcome = encode_message(
            seal_welcome(
                following,
                info,
                advanced.joiner,
                advanced.psk_secret,
                judged.psks,
                newcomers,
                advanced.path_secrets,
                random,
            )
        )
    return Staged(
        state,
        b"" if state is None else state.epoch.interim_transcript,
        following,
        advanced.secrets.encryption,
        changes_of(advanced),
        message,
        welcome,
        advanced.message.content.authenticated_data,
    )


def choose(state: State, inline: Sequence[Proposal], find: FindPsk, terms: Terms) -> list[bytes]:
    """The waiting proposals that can be committed together with those given inline (RFC 9420 sections 12.2, 12.4).

    Removes win over updates, the later of two updates over the earlier, everything over a re-initialisation.
    Junk is sorted out one by one, and conflicts by halves, so that neither makes us judge all the others for each.
    """
    mine = Sender(SenderType.MEMBER, state.epoch.me)
    given = [Sent(mine, proposal) for proposal in inline]
    waiting = [
        (reference, sent)
        for reference, sent in state.held.items()
        if not (isinstance(sent.proposal, Update) and sent.sender == mine)
    ]
    latest_first = waiting[::-1]
    ranked = sorted(latest_first, key=lambda item: isinstance(item[1].proposal, ReInit))

    def fits(some: Sequence[tuple[bytes, Sent]]) -> bool:
        try:
            judged = judge(state.epoch, mine, [sent for _, sent in some] + given, terms)
            evolved = evolve(state.epoch, judged)
            check_evolved(state.epoch, evolved, evolved.tree)
            find_psks(state.epoch.suite, judged.psks, find)
        except RemoteError:
            return False
        return True

    def add(chosen: list[tuple[bytes, Sent]], some: list[tuple[bytes, Sent]]) -> list[tuple[bytes, Sent]]:
        if fits([*chosen, *some]):
            return [*chosen, *some]
        half = len(some) // 2
        return add(add(chosen, some[:half]), some[half:]) if half else chosen

    if not waiting or fits(waiting):
        return [reference for reference, _ in waiting]
    removes = add([], [item for item in ranked if isinstance(item[1].proposal, Remove)])
    others = [item for item in ranked if not isinstance(item[1].proposal, Remove)]
    return [reference for reference, _ in add(removes, [item for item in others if fits([*removes, item])])]
