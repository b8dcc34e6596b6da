"""From outside the group: joining by a commit of one's own, and proposing (RFC 9420 sections 12.1.8 and 12.4.3.2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from conclave.crypto.suite import CipherSuite, suite
from conclave.errors import ConclaveError, DecodeError
from conclave.mls.commit import FindPsk, create
from conclave.mls.epoch import Epoch, introduce
from conclave.mls.framing import PUBLIC_MESSAGE, FramedContent, Sender, SenderType
from conclave.mls.join import check_group, check_supported
from conclave.mls.keypackage import OwnKeyPackage
from conclave.mls.keyschedule import EpochSecrets, GroupContext, send_external_init
from conclave.mls.message import decode_message, encode_message
from conclave.mls.proposallist import Sent, Terms
from conclave.mls.proposals import Add, ExternalInit, PreSharedKey, Proposal, Remove
from conclave.mls.protection import protect_public, sign_content
from conclave.mls.psk import PreSharedKeyID
from conclave.mls.rules import RuleError
from conclave.mls.sending import stage
from conclave.mls.staged import Staged
from conclave.mls.tree import Tree
from conclave.mls.welcome import GroupInfo

_UNKNOWN = EpochSecrets(*(b"" for _ in range(9)))


def read_info(data: bytes) -> GroupInfo:
    """A ``GroupInfo`` in its ``MLSMessage``, nothing of it proven. Raises ``DecodeError``."""
    info = decode_message(data)
    if not isinstance(info, GroupInfo):
        raise DecodeError("not a group info")
    return info


def join_external(
    info: GroupInfo,
    own: OwnKeyPackage,
    tree: Tree | None,
    psks: Sequence[PreSharedKeyID],
    find: FindPsk,
    terms: Terms,
    random: Callable[[int], bytes],
    authenticated_data: bytes,
    known_groups: Collection[bytes],
) -> Staged:
    """Join by an external commit (RFC 9420 section 12.4.3.2); replaces our earlier appearance where there is one.

    The commit is to be sent; once it counts, ``Staged.begin`` gives the state. Raises ``RuleError``.
    """
    group_suite = suite(info.context.cipher_suite)
    if group_suite is not own.suite:
        raise RuleError("12.4.3.1-suite", "a group of another cipher suite than our key package's")
    tree = tree or info.tree()
    if tree is None:
        raise RuleError("12.4.3.3-tree", "a group info without its ratchet tree, and none was handed in")
    public = info.external_pub()
    if public is None:
        raise RuleError("12.4.3.2-external-pub", "a group info without the key to join from outside")
    check_supported(own.package.leaf, info, known_groups)
    roster = check_group(group_suite, info, tree, terms)
    ourselves = introduce(own.package.leaf, terms.verify, terms.now)
    try:
        kem_output, init_secret = send_external_init(group_suite, public, random)
    except ConclaveError as error:
        raise RuleError("8.3-external-init", "a group's external key is none of its suite's") from error
    former = [
        Remove(index) for index, member in roster.items() if member.identity and member.identity == ourselves.identity
    ]
    proposals: list[Proposal] = [ExternalInit(kem_output), *former, *(PreSharedKey(psk) for psk in psks)]
    outside = Epoch(info.context, tree, 0, {}, own.signature_key, _UNKNOWN, info.confirmation_tag, roster)
    sender = Sender(SenderType.NEW_MEMBER_COMMIT)
    advanced = create(
        outside,
        proposals,
        [Sent(sender, proposal) for proposal in proposals],
        PUBLIC_MESSAGE,
        authenticated_data,
        own.package.leaf,
        own.signature_key,
        find,
        terms,
        random,
        external_init=init_secret,
    )
    message = protect_public(group_suite, b"", advanced.message, info.context.encoded)
    return stage(None, advanced, encode_message(message), random)


def propose_external(
    of: CipherSuite,
    context: GroupContext,
    sender_index: int,
    signature_key: bytes,
    proposal: Proposal,
    authenticated_data: bytes = b"",
) -> bytes:
    """A proposal by someone whom the group lists as an external sender (RFC 9420 section 12.1.8)."""
    return _propose(
        of, context, Sender(SenderType.EXTERNAL, sender_index), signature_key, proposal, authenticated_data
    )


def propose_self(own: OwnKeyPackage, context: GroupContext, authenticated_data: bytes = b"") -> bytes:
    """A stranger's proposal to be added (RFC 9420 section 12.1.8)."""
    sender = Sender(SenderType.NEW_MEMBER_PROPOSAL)
    return _propose(own.suite, context, sender, own.signature_key, Add(own.package), authenticated_data)


def _propose(
    of: CipherSuite, context: GroupContext, sender: Sender, key: bytes, proposal: Proposal, authenticated_data: bytes
) -> bytes:
    content = FramedContent(context.group_id, context.epoch, sender, authenticated_data, proposal)
    signed = sign_content(of, key, PUBLIC_MESSAGE, content, context.encoded)
    return encode_message(protect_public(of, b"", signed, context.encoded))
