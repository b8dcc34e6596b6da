"""How each kind of vector is checked; formats: ``test-vectors.md`` of mlswg/mls-implementations, hpkewg/hpke-pq."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from conclave.crypto.suite import suite
from conclave.errors import ConclaveError
from conclave.mls import group, proposals
from conclave.mls.epoch import Epoch, Member
from conclave.mls.evolution import evolve
from conclave.mls.framing import (
    PRIVATE_MESSAGE,
    PUBLIC_MESSAGE,
    AuthenticatedContent,
    Body,
    Commit,
    ContentAuth,
    FramedContent,
    PrivateMessage,
    PublicMessage,
    Sender,
    SenderType,
    write_body,
)
from conclave.mls.keypackage import KeyPackage, OwnKeyPackage
from conclave.mls.keyschedule import (
    EpochSecrets,
    GroupContext,
    confirmed_transcript,
    enter_epoch,
    interim_transcript,
)
from conclave.mls.leafnode import verify_leaf
from conclave.mls.limits import Policy
from conclave.mls.message import decode_message, encode_message
from conclave.mls.parenthash import verify_parent_hashes, verify_unmerged
from conclave.mls.proposallist import Judged
from conclave.mls.protection import (
    open_private,
    open_public,
    open_sender_data,
    protect_private,
    protect_public,
    sender_data_key,
    sign_content,
    verify_content,
)
from conclave.mls.psk import PreSharedKeyID, Usage
from conclave.mls.secrettree import APPLICATION, HANDSHAKE, SecretTree
from conclave.mls.staged import Held, Staged, merge
from conclave.mls.tree import Tree
from conclave.mls.treekem import UpdatePath, create_path, merge_path, open_from, open_path
from conclave.mls.welcome import GroupInfo, GroupSecrets, Welcome, open_info, open_secrets, verify_info
from conclave.wire.codec import Reader, Writer
from tests.vectors.primitives import (
    Case,
    crypto_basics,
    deserialization,
    hexed,
    hpke,
    key_schedule,
    psks,
    same,
    tree_math,
)

LENIENT = Policy(
    private_handshakes=False,
    external_joins=True,
    resumption_epochs=1 << 20,
    max_lifetime=(1 << 64) - 1,
    lifetimes_at_join=False,
    complete_capabilities=False,
)
"""Vectors hold messages in the clear, eternal key packages, resumption keys from long ago, and incomplete leaves."""


def secret_tree(case: Case) -> None:
    of = suite(case["cipher_suite"])
    it = case["sender_data"]
    key, nonce = sender_data_key(of, hexed(it["sender_data_secret"]), hexed(it["ciphertext"]))
    same((key.hex(), nonce.hex()), (it["key"], it["nonce"]))
    tree = SecretTree(len(case["leaves"]), hexed(case["encryption_secret"]))
    for leaf, generations in enumerate(case["leaves"]):
        for it in generations:
            for kind, name in ((HANDSHAKE, "handshake"), (APPLICATION, "application")):
                tree, found = tree.seek(of, leaf, kind, it["generation"], LENIENT)
                same((found.key.hex(), found.nonce.hex()), (it[f"{name}_key"], it[f"{name}_nonce"]))
    same(SecretTree.decode(tree.encode()), tree)


def message_protection(case: Case) -> None:
    of = suite(case["cipher_suite"])
    context = GroupContext(
        of.code,
        hexed(case["group_id"]),
        case["epoch"],
        hexed(case["tree_hash"]),
        hexed(case["confirmed_transcript_hash"]),
    )
    membership, sender_data = hexed(case["membership_key"]), hexed(case["sender_data_secret"])

    def opened_public(data: bytes) -> Body:
        message = decode_message(data)
        assert isinstance(message, PublicMessage)
        opened = open_public(of, membership, message, context.encoded)
        verify_content(of, hexed(case["signature_pub"]), opened, context.encoded)
        return opened.content.body

    def opened_private(data: bytes) -> Body:
        message = decode_message(data)
        assert isinstance(message, PrivateMessage)
        keys = SecretTree(2, hexed(case["encryption_secret"]))
        _, opened = open_private(of, open_sender_data(of, sender_data, message), keys, message, LENIENT)
        verify_content(of, hexed(case["signature_pub"]), opened, context.encoded)
        return opened.content.body

    def signed(wire_format: int, body: Body) -> AuthenticatedContent:
        content = FramedContent(context.group_id, context.epoch, Sender(SenderType.MEMBER, 1), b"", body)
        made = sign_content(of, hexed(case["signature_priv"]), wire_format, content, context.encoded)
        tag = bytes(of.kdf.size) if isinstance(body, Commit) else None
        return AuthenticatedContent(wire_format, content, ContentAuth(made.auth.signature, tag))

    for name in ("proposal", "commit", "application"):
        body = opened_private(hexed(case[f"{name}_priv"]))
        same(body if isinstance(body, bytes) else write_body(Writer(), body).done(), hexed(case[name]))
        keys = SecretTree(2, hexed(case["encryption_secret"]))
        _, private = protect_private(of, sender_data, keys, signed(PRIVATE_MESSAGE, body), 64, os.urandom)
        same(opened_private(encode_message(private)), body)
        public = encode_message(protect_public(of, membership, signed(PUBLIC_MESSAGE, body), context.encoded))
        if isinstance(body, bytes):
            try:
                opened_public(public)
            except ConclaveError:
                continue
            raise AssertionError("application data in the clear was taken")
        same(opened_public(hexed(case[f"{name}_pub"])), body)
        same(opened_public(public), body)


def transcript_hashes(case: Case) -> None:
    of, message = suite(case["cipher_suite"]), AuthenticatedContent.decode(hexed(case["authenticated_content"]))
    assert isinstance(message.content.body, Commit)
    interim = hexed(case["interim_transcript_hash_before"])
    confirmed = confirmed_transcript(of, interim, message.transcript_input())
    same(confirmed.hex(), case["confirmed_transcript_hash_after"])
    tag = message.auth.confirmation_tag
    assert tag is not None
    of.kdf.verify_mac(hexed(case["confirmation_key"]), confirmed, tag)
    same(interim_transcript(of, confirmed, tag).hex(), case["interim_transcript_hash_after"])


def welcome(case: Case) -> None:
    of = suite(case["cipher_suite"])
    package, message = decode_message(hexed(case["key_package"])), decode_message(hexed(case["welcome"]))
    assert isinstance(package, KeyPackage)
    assert isinstance(message, Welcome)
    own = OwnKeyPackage(package, hexed(case["init_priv"]), b"", b"")
    secrets, none = open_secrets(message, own), bytes(of.kdf.size)
    info = open_info(of, message, secrets.joiner, none)
    verify_info(of, info, hexed(case["signer_pub"]))
    epoch = enter_epoch(of, secrets.joiner, none, info.context)
    of.kdf.verify_mac(epoch.confirmation, info.context.confirmed_transcript_hash, info.confirmation_tag)


def tree_operations(case: Case) -> None:
    of, tree = suite(case["cipher_suite"]), Tree.decode(hexed(case["tree_before"]))
    same(tree.hash(of.kdf).hex(), case["tree_hash_before"])
    reader = Reader(hexed(case["proposal"]))
    proposal = proposals.read_proposal(reader)
    reader.finish()
    roster = {index: Member(leaf.signature_key, b"") for index, leaf in tree.members()}
    context = GroupContext(of.code, b"group", 0, b"", b"")
    epoch = Epoch(context, tree, 0, {}, b"", EpochSecrets(*(b"" for _ in range(9))), b"", roster)
    judged = Judged(())
    match proposal:
        case proposals.Add(package):
            judged.adds.append(package)
            judged.members.append(Member(package.leaf.signature_key, b""))
        case proposals.Update(leaf):
            judged.updates[case["proposal_sender"]] = (leaf, Member(leaf.signature_key, b""))
        case proposals.Remove(removed):
            judged.removes.add(removed)
    after = evolve(epoch, judged).tree
    same(after.encode().hex(), case["tree_after"])
    same(after.hash(of.kdf).hex(), case["tree_hash_after"])


def tree_validation(case: Case) -> None:
    of, tree = suite(case["cipher_suite"]), Tree.decode(hexed(case["tree"]))
    same(tree.encode().hex(), case["tree"])
    places = range(len(tree.nodes))
    same([tree.hash(of.kdf, at).hex() for at in places], case["tree_hashes"])
    same([tree.resolution(at) for at in places], case["resolutions"])
    verify_parent_hashes(of.kdf, tree)
    verify_unmerged(tree)
    for index, leaf in tree.members():
        verify_leaf(of, leaf, hexed(case["group_id"]), index)


def treekem(case: Case) -> None:
    of, tree = suite(case["cipher_suite"]), Tree.decode(hexed(case["ratchet_tree"]))
    private: dict[int, dict[int, bytes]] = {}
    signers = {it["index"]: hexed(it["signature_priv"]) for it in case["leaves_private"]}
    for it in case["leaves_private"]:
        keys = {2 * it["index"]: hexed(it["encryption_priv"])}
        for known in it["path_secrets"]:
            keys.update(open_from(of, tree, [known["node"]], hexed(known["path_secret"])).keys)
        leaf = tree.leaf(it["index"])
        assert leaf is not None
        same(of.kem.public(keys[2 * it["index"]]), leaf.encryption_key)
        private[it["index"]] = keys

    def context(of_tree: Tree) -> bytes:
        transcript = hexed(case["confirmed_transcript_hash"])
        return GroupContext(of.code, hexed(case["group_id"]), case["epoch"], of_tree.hash(of.kdf), transcript).encoded

    for it in case["update_paths"]:
        sender, path = it["sender"], UpdatePath.decode(hexed(it["update_path"]))
        merged = merge_path(of, tree, sender, path)
        same(merged.hash(of.kdf).hex(), it["tree_hash_after"])
        own = tree.leaf(sender)
        assert own is not None
        made = create_path(of, tree, sender, own, signers[sender], hexed(case["group_id"]), context, (), os.urandom)
        same(merge_path(of, tree, sender, made.path), made.tree)
        for index, keys in private.items():
            if index == sender:
                continue
            opened = open_path(of, merged, sender, path, index, keys, context(merged), ())
            same(next(iter(opened.secrets.values())).hex(), it["path_secrets"][index])
            same(opened.commit_secret.hex(), it["commit_secret"])
            ours = open_path(of, made.tree, sender, made.path, index, keys, context(made.tree), ())
            same(ours.commit_secret, made.secrets.commit_secret)


_MESSAGES: dict[str, type] = {
    "mls_welcome": Welcome,
    "mls_group_info": GroupInfo,
    "mls_key_package": KeyPackage,
    "public_message_application": PublicMessage,
    "public_message_proposal": PublicMessage,
    "public_message_commit": PublicMessage,
    "private_message": PrivateMessage,
}
_STRUCTURES: dict[str, Any] = {
    "ratchet_tree": Tree,
    "group_secrets": GroupSecrets,
    "add_proposal": proposals.Add,
    "update_proposal": proposals.Update,
    "remove_proposal": proposals.Remove,
    "pre_shared_key_proposal": proposals.PreSharedKey,
    "re_init_proposal": proposals.ReInit,
    "external_init_proposal": proposals.ExternalInit,
    "group_context_extensions_proposal": proposals.GroupContextExtensions,
    "commit": Commit,
}


def messages(case: Case) -> None:
    for name, kind in _MESSAGES.items():
        message = decode_message(hexed(case[name]))
        assert isinstance(message, kind)
        same(encode_message(message).hex(), case[name])
    for name, kind in _STRUCTURES.items():
        same(kind.decode(hexed(case[name])).encode().hex(), case[name])


def passive_client(case: Case) -> None:
    package = decode_message(hexed(case["key_package"]))
    assert isinstance(package, KeyPackage)
    signature_key, public = hexed(case["signature_priv"]), package.leaf.signature_key
    if len(signature_key) > suite(package.cipher_suite).signature.private_size:
        signature_key = signature_key.removesuffix(public)  # some write an EdDSA key with its public half behind it
    own = OwnKeyPackage(package, hexed(case["init_priv"]), hexed(case["encryption_priv"]), signature_key)
    of = own.suite
    same(of.kem.public(own.init_key), package.init_key)
    same(of.kem.public(own.encryption_key), package.leaf.encryption_key)
    same(of.signature.public(own.signature_key), public)
    external = {hexed(it["psk_id"]): hexed(it["psk"]) for it in case["external_psks"]}
    now = float(package.leaf.lifetime[0] + 1)

    def find(name: PreSharedKeyID) -> bytes | None:
        return external.get(name.psk_id) if name.usage is Usage.EXTERNAL else None

    def verify(*_: object) -> bytes:
        return b""

    tree = None if case["ratchet_tree"] is None else hexed(case["ratchet_tree"])
    state = group.join(hexed(case["welcome"]), own, verify=verify, now=now, tree=tree, psk=find, policy=LENIENT)
    same(state.epoch.secrets.authenticator.hex(), case["initial_epoch_authenticator"])
    for it in case["epochs"]:
        for data in it["proposals"]:
            held = group.process(state, hexed(data), verify=verify, now=now, psk=find)
            assert isinstance(held, Held)
            state = held.state
        staged = group.process(state, hexed(it["commit"]), verify=verify, now=now, psk=find)
        assert isinstance(staged, Staged)
        assert staged.state is not None
        state = merge(staged.state, staged)
        same(state.epoch.secrets.authenticator.hex(), it["epoch_authenticator"])


_KINDS: dict[str, tuple[frozenset[str], Callable[[Case], str | None]]] = {
    "tree-math": (frozenset({"n_leaves", "n_nodes"}), tree_math),
    "deserialization": (frozenset({"vlbytes_header"}), deserialization),
    "crypto-basics": (frozenset({"ref_hash", "encrypt_with_label"}), crypto_basics),
    "secret-tree": (frozenset({"sender_data", "encryption_secret"}), secret_tree),
    "message-protection": (frozenset({"application_priv"}), message_protection),
    "key-schedule": (frozenset({"initial_init_secret", "epochs"}), key_schedule),
    "psk_secret": (frozenset({"psks", "psk_secret"}), psks),
    "transcript-hashes": (frozenset({"authenticated_content"}), transcript_hashes),
    "welcome": (frozenset({"welcome", "signer_pub"}), welcome),
    "tree-operations": (frozenset({"proposal", "proposal_sender", "tree_hash_before"}), tree_operations),
    "tree-validation": (frozenset({"tree", "resolutions"}), tree_validation),
    "treekem": (frozenset({"ratchet_tree", "leaves_private"}), treekem),
    "messages": (frozenset({"group_secrets", "mls_welcome"}), messages),
    "passive-client": (frozenset({"initial_epoch_authenticator"}), passive_client),
    "hpke": (frozenset({"kem_id"}), hpke),
}


def check(case: Case) -> str | None:
    """Check one case, whose kind its fields tell. What had to be left unchecked of it, None where nothing had."""
    for fields, run in _KINDS.values():
        if fields <= case.keys():
            return run(case)
    raise AssertionError(f"no kind of vector that we know has the fields {', '.join(sorted(case))}")
