"""The only door to MLS: create a group, join it, speak in it, change it (RFC 9420).

A group is a ``State``, one immutable value with one encoding. Every verb takes the state and gives what came of it
and the state that follows; nothing here keeps or sends anything. Three rules for whoever calls:

* store the new state before the message that came with it is sent, or the opened one is shown;
* a commit, our own too, changes the group only by ``merge``, once it is known to be the one for its epoch;
* ``verify`` judges credentials (``credentials.Verify``), ``now`` is UNIX seconds, ``random`` gives n random bytes.

Left out: transport, order, persistence and who may do what. It is long because it is the one door: every public verb
has its paragraph here, and its logic in the file of its section.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from conclave.crypto.suite import CipherSuite
from conclave.crypto.suite import suite as suite_of
from conclave.errors import DecodeError, LocalError
from conclave.mls import creation, external, keyschedule, receiving, resumption, sending
from conclave.mls import join as joining
from conclave.mls.commit import FindPsk
from conclave.mls.credentials import Credential, Verify
from conclave.mls.epoch import Member, introduce
from conclave.mls.extensions import Extension, Extensions
from conclave.mls.framing import Sender, SenderType
from conclave.mls.keypackage import KeyPackage, OwnKeyPackage, check_key_package
from conclave.mls.leafnode import LeafNode
from conclave.mls.limits import Policy
from conclave.mls.message import Envelope, decode_message, encode_message, read_envelope
from conclave.mls.original import Original, Said, read_original, verify_original
from conclave.mls.proposallist import Sent, Terms, judge
from conclave.mls.proposals import (
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
)
from conclave.mls.psk import PreSharedKeyID, Usage, no_psk
from conclave.mls.rules import OwnMessageError, RuleError
from conclave.mls.sealing import open_with, seal_to
from conclave.mls.secrettree import SecretTree
from conclave.mls.staged import Changes, Held, Opened, Sending, Staged, merge
from conclave.mls.state import State
from conclave.mls.tree import Tree
from conclave.mls.welcome import GroupInfo, Welcome, describe
from conclave.values import replace

Random = Callable[[int], bytes]

__all__ = [
    "Add",
    "Changes",
    "Credential",
    "Envelope",
    "Extension",
    "ExternalInit",
    "GroupContextExtensions",
    "Held",
    "KeyPackage",
    "LeafNode",
    "Opened",
    "Original",
    "OwnKeyPackage",
    "OwnMessageError",
    "Policy",
    "PreSharedKey",
    "PreSharedKeyID",
    "Proposal",
    "ReInit",
    "Remove",
    "RuleError",
    "Said",
    "Sending",
    "Staged",
    "State",
    "Verify",
    "begin_external",
    "branch",
    "cipher_suite",
    "commit",
    "create",
    "credential",
    "discard",
    "encryption_key",
    "export",
    "group_info",
    "identify_package",
    "invited",
    "join",
    "members",
    "merge",
    "open_with",
    "process",
    "propose",
    "propose_external",
    "propose_self",
    "propose_update",
    "protect",
    "read_envelope",
    "read_key_package",
    "read_original",
    "reference",
    "reinitialise",
    "seal_to",
    "verify_original",
    "welcomes",
    "write_key_package",
]


# --- before there is a group ---


def write_key_package(package: KeyPackage) -> bytes:
    """A key package to publish, as an ``MLSMessage``."""
    return encode_message(package)


def read_key_package(data: bytes) -> KeyPackage:
    """Somebody's key package, nothing of it proven: ``commit`` and ``process`` do that.

    Raises ``DecodeError`` or ``RuleError``.
    """
    package = decode_message(data)
    if not isinstance(package, KeyPackage):
        raise DecodeError("not a key package")
    return package


def identify_package(
    package: KeyPackage, *, verify: Verify, now: float, policy: Policy | None = None, group: State | None = None
) -> Member:
    """Whose key package it is (RFC 9420 section 10.1), before something is sealed to it. Raises ``RuleError``.

    With a ``group``, whether a commit there could add it, as far as that can be told without one.
    """
    if group is not None:
        sender = Sender(SenderType.MEMBER, group.epoch.me)
        terms = Terms(verify, now, policy or group.policy)
        return judge(group.epoch, sender, (Sent(sender, Add(package)),), terms).members[0]
    check_key_package(suite_of(package.cipher_suite), package, (), now, policy or Policy())
    return introduce(package.leaf, verify, now)


def cipher_suite(code: int) -> CipherSuite:
    """The suite of a number. Raises ``DecodeError`` where we have none."""
    return suite_of(code)


def reference(package: KeyPackage) -> bytes:
    """The name by which a Welcome calls a key package (RFC 9420 section 5.2)."""
    return package.reference(suite_of(package.cipher_suite))


def invited(welcome: bytes) -> tuple[bytes, ...]:
    """The references of the key packages that a Welcome is for. Raises ``DecodeError``."""
    return tuple(each.new_member for each in _read_welcome(welcome).secrets)


def welcomes(welcome: bytes) -> list[bytes]:
    """For each newcomer the same Welcome with that one's secrets alone (RFC 9420 section 12.4.3.1).

    Of a commit of ours in the order of ``Changes.added``. Raises ``DecodeError``.
    """
    whole = _read_welcome(welcome)
    return [encode_message(replace(whole, secrets=(each,))) for each in whole.secrets]


def _read_welcome(welcome: bytes) -> Welcome:
    message = decode_message(welcome)
    if not isinstance(message, Welcome):
        raise DecodeError("not a Welcome")
    return message


def encryption_key(package: KeyPackage) -> bytes:
    """The public key, raw, that ``seal_to`` seals to: the leaf's, not the one that a Welcome uses."""
    return package.leaf.encryption_key


def create(
    own: OwnKeyPackage,
    group_id: bytes,
    *,
    verify: Verify,
    now: float,
    random: Random,
    extensions: Extensions = (),
    policy: Policy | None = None,
) -> State:
    """A group of one (RFC 9420 section 11). Only the leaf of ``own`` is used; do not publish that key package."""
    return creation.create(own, group_id, extensions, Terms(verify, now, policy or Policy()), random)


def join(
    welcome: bytes,
    own: OwnKeyPackage,
    *,
    verify: Verify,
    now: float,
    tree: bytes | None = None,
    psk: FindPsk = no_psk,
    parent: State | None = None,
    known_groups: Collection[bytes] = (),
    policy: Policy | None = None,
) -> State:
    """Join by a Welcome (RFC 9420 section 12.4.3.1). Store the state and erase ``own`` in one step.

    ``known_groups`` are those that we are in, ``tree`` is the ratchet tree where the Welcome lacks it, ``parent`` the
    group that this one branches from or re-initialises. Raises ``DecodeError`` or ``RuleError``.
    """
    message = _read_welcome(welcome)
    terms = Terms(verify, now, policy or Policy())
    find = psk if parent is None else receiving.resumption_first(parent, psk)
    handed = None if tree is None else Tree.decode(tree)
    epoch, secrets, psks = joining.join(message, own, handed, find, terms, known_groups)
    resumption.check_resumed(parent, epoch, psks)
    return State(epoch, SecretTree(epoch.tree.leaves, secrets.encryption), terms.policy)


def begin_external(
    info: bytes,
    own: OwnKeyPackage,
    *,
    verify: Verify,
    now: float,
    random: Random,
    tree: bytes | None = None,
    psks: Sequence[PreSharedKeyID] = (),
    psk: FindPsk = no_psk,
    authenticated_data: bytes = b"",
    known_groups: Collection[bytes] = (),
    policy: Policy | None = None,
) -> Staged:
    """Join by an external commit (RFC 9420 section 12.4.3.2): send its ``message``, then ``Staged.begin``."""
    terms = Terms(verify, now, policy or Policy())
    handed = None if tree is None else Tree.decode(tree)
    return external.join_external(
        external.read_info(info), own, handed, psks, psk, terms, random, authenticated_data, known_groups
    )


# --- looking ---


def members(state: State) -> dict[int, Member]:
    """The members by leaf index, with the identity that ``verify`` found."""
    return dict(state.epoch.roster)


def credential(state: State, leaf: int) -> Credential:
    """What the member at ``leaf`` shows of itself, such as a certificate chain. Raises ``LocalError``."""
    found = state.epoch.tree.leaf(leaf) if leaf in state.epoch.roster else None
    if found is None:
        raise LocalError(f"nobody is at leaf {leaf} of this group")
    return found.credential


def export(state: State, label: bytes, context: bytes, length: int) -> bytes:
    """``length`` bytes of secret that all members of the epoch share (RFC 9420 section 8.5)."""
    if not 0 < length <= 255 * state.epoch.suite.kdf.size:
        raise LocalError(f"{length} bytes cannot be exported at once")
    return keyschedule.export(state.epoch.suite, state.epoch.secrets.exporter, label, context, length)


def group_info(state: State, *, random: Random, tree: bool = True, external_pub: bool = False) -> bytes:
    """A signed ``GroupInfo`` (RFC 9420 section 12.4.3); with ``external_pub``, others can join by it."""
    info: GroupInfo = describe(state.epoch, random, with_tree=tree, with_external_pub=external_pub)
    return encode_message(info)


# --- speaking ---


def protect(state: State, data: bytes, *, random: Random, authenticated_data: bytes = b"") -> Sending:
    """Encrypt words for the group (RFC 9420 section 15). Raises ``LocalError`` while proposals wait."""
    return sending.protect(state, data, authenticated_data, random)


def propose(state: State, proposal: Proposal, *, random: Random, authenticated_data: bytes = b"") -> Sending:
    """Propose a change for somebody to commit (RFC 9420 section 12.1)."""
    return sending.propose(state, proposal, authenticated_data, random)


def propose_update(
    state: State,
    *,
    random: Random,
    credential: Credential | None = None,
    signature_key: bytes | None = None,
    authenticated_data: bytes = b"",
) -> Sending:
    """Propose fresh keys for ourselves, and perhaps a new credential with its key (RFC 9420 section 12.1.2)."""
    return sending.propose_update(state, credential, signature_key, authenticated_data, random)


def commit(
    state: State,
    proposals: Sequence[Proposal] = (),
    *,
    verify: Verify,
    now: float,
    random: Random,
    psk: FindPsk = no_psk,
    path: bool = True,
    credential: Credential | None = None,
    signature_key: bytes | None = None,
    tree_in_welcome: bool = True,
    authenticated_data: bytes = b"",
) -> Staged:
    """Commit these proposals and those that wait (RFC 9420 section 12.4.1); without any, our keys are renewed.

    ``path=False`` saves the path where the proposals allow it, and heals nothing. Raises ``LocalError``.
    """
    return sending.commit(
        state,
        proposals,
        authenticated_data,
        psk,
        Terms(verify, now, state.policy),
        random,
        path=path,
        credential=credential,
        signature_key=signature_key,
        tree_in_welcome=tree_in_welcome,
    )


def process(
    state: State, message: bytes, *, verify: Verify, now: float, psk: FindPsk = no_psk, lifetimes: bool = True
) -> Opened | Held | Staged:
    """Open, verify and check a message of somebody else (RFC 9420 sections 6 and 12.4.2).

    ``now`` is when the message was put in order, not when it is read: whoever slept would else refuse what all others
    accepted, for a key package or certificate that has run out since (section 5.3.2), and be left behind. Who does
    not know when that was takes key packages without ``lifetimes``, which section 7.3 allows for what is received.
    Raises ``DecodeError`` or ``RuleError``, and then ``state`` is still the state.
    """
    return receiving.process(state, message, psk, Terms(verify, now, state.policy, lifetimes=lifetimes))


def discard(state: State, reference: bytes) -> State:
    """Forget a proposal whose sender had no right to it: we do not commit it, and no commit that names it counts.

    All members must decide alike. Raises ``LocalError`` where none waits under ``reference``.
    """
    if reference not in state.held:
        raise LocalError("no proposal waits under this reference")
    return replace(state, held={each: sent for each, sent in state.held.items() if each != reference})


# --- from outside ---


def propose_external(
    of: State, sender_index: int, signature_key: bytes, proposal: Proposal, *, authenticated_data: bytes = b""
) -> bytes:
    """A proposal by an outsider whom the group lists as its external sender number ``sender_index``.

    ``of`` is any member's state, for the group's present context (RFC 9420 section 12.1.8).
    """
    context = of.epoch.context
    return external.propose_external(
        of.epoch.suite, context, sender_index, signature_key, proposal, authenticated_data
    )


def propose_self(own: OwnKeyPackage, info: bytes, *, authenticated_data: bytes = b"") -> bytes:
    """A stranger's proposal to be added, by a ``GroupInfo`` of the group (RFC 9420 section 12.1.8)."""
    return external.propose_self(own, external.read_info(info).context, authenticated_data)


# --- a group out of a group: RFC 9420 sections 11.2 and 11.3 ---


def branch(
    parent: State,
    own: OwnKeyPackage,
    packages: Sequence[KeyPackage],
    group_id: bytes,
    *,
    verify: Verify,
    now: float,
    random: Random,
    extensions: Extensions = (),
) -> Staged:
    """A new group of some of this one's members; ``Staged.begin`` gives its state, its Welcome the others."""
    terms = Terms(verify, now, parent.policy)
    return resumption.follow(parent, own, packages, group_id, extensions, Usage.BRANCH, terms, random)


def reinitialise(
    parent: State,
    own: OwnKeyPackage,
    packages: Sequence[KeyPackage],
    *,
    verify: Verify,
    now: float,
    random: Random,
) -> Staged:
    """The group that follows a committed ``ReInit``, with all of its members."""
    return resumption.reinitialise(parent, own, packages, Terms(verify, now, parent.policy), random)
