"""Sections 8.3, 12.1.8 and 12.4.3.2 of RFC 9420: every rule about those who are not in the group, broken once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conclave.mls import group
from conclave.mls.commit import create
from conclave.mls.extensions import EXTERNAL_PUB, Extension, Extensions
from conclave.mls.external import propose_external, propose_self, read_info
from conclave.mls.framing import PRIVATE_MESSAGE, Sender, SenderType
from conclave.mls.message import encode_message
from conclave.mls.proposallist import Sent, Terms
from conclave.mls.proposals import Add, ExternalInit, PreSharedKey, Remove
from conclave.mls.psk import PreSharedKeyID
from conclave.mls.rules import RuleError
from conclave.mls.welcome import GroupInfo
from conclave.values import replace
from tests.mls.forge import RANDOM, envelope, forge_commit, refused, sign, signed_info
from tests.mls.world import NOW, World, find_psk, trusting


@pytest.fixture
def trio() -> World:
    return World.of("ayse", "burak", "cem")


@pytest.fixture
def open_trio() -> World:
    trio = World.of("ayse", "burak", "cem")
    trio.relax(external_joins=True)
    return trio


def test_policy_external_joins(trio: World) -> None:
    own = trio.package("deniz")
    refused("policy-external-joins", trio, "burak", forge_commit(trio["ayse"], joiner=own))
    refused("policy-external-joins", trio, "burak", propose_self(own, trio["ayse"].epoch.context))


def test_an_external_commit_is_followed(open_trio: World) -> None:
    message = forge_commit(open_trio["ayse"], joiner=open_trio.package("deniz"))
    got = open_trio.process("burak", message)
    assert isinstance(got, group.Staged)
    assert got.changes.committer == 3


def test_6_1_new_member_proposal(open_trio: World) -> None:
    own = open_trio.package("deniz")
    sender = Sender(SenderType.NEW_MEMBER_PROPOSAL)
    for body in (Remove(0), forge_body(open_trio)):
        signed = sign(open_trio["ayse"], body, sender=sender, public=True, signer=own.signature_key)
        refused("6.1-new-member-proposal", open_trio, "burak", envelope(open_trio["ayse"], signed))


def forge_body(world: World) -> PreSharedKey:
    return PreSharedKey(PreSharedKeyID.external(b"shared", RANDOM(32)))


def test_6_1_new_member_commit(open_trio: World) -> None:
    own = open_trio.package("deniz")
    sender = Sender(SenderType.NEW_MEMBER_COMMIT)
    signed = sign(open_trio["ayse"], Add(own.package), sender=sender, public=True, signer=own.signature_key)
    refused("6.1-new-member-commit", open_trio, "burak", envelope(open_trio["ayse"], signed))


def test_6_1_signature_of_strangers(open_trio: World) -> None:
    own, other = open_trio.package("deniz"), open_trio.package("intruder")
    message = forge_commit(open_trio["ayse"], joiner=own, signer=other.signature_key)
    refused("6.1-signature", open_trio, "burak", message)
    sender = Sender(SenderType.NEW_MEMBER_PROPOSAL)
    signed = sign(open_trio["ayse"], Add(own.package), sender=sender, public=True, signer=other.signature_key)
    refused("6.1-signature", open_trio, "burak", envelope(open_trio["ayse"], signed))


def test_12_4_3_2_path(open_trio: World) -> None:
    message = forge_commit(open_trio["ayse"], joiner=open_trio.package("deniz"), path=False)
    refused("12.4.3.2-path", open_trio, "burak", message)


def test_12_4_3_2_by_value(open_trio: World) -> None:
    open_trio.propose("cem", Remove(0))
    (reference,) = open_trio["ayse"].held
    message = forge_commit(
        open_trio["ayse"],
        joiner=open_trio.package("deniz"),
        external=[ExternalInit(b""), reference],  # type: ignore[list-item]
    )
    refused("12.4.3.2-by-value", open_trio, "burak", message)


def test_12_2_external_one_init(open_trio: World) -> None:
    for proposals in ([], [ExternalInit(RANDOM(32)), ExternalInit(RANDOM(32))]):
        message = forge_commit(open_trio["ayse"], joiner=open_trio.package("deniz"), external=proposals)
        refused("12.2-external-one-init", open_trio, "burak", message)


def test_12_2_external_one_remove(open_trio: World) -> None:
    message = forge_commit(open_trio["ayse"], [Remove(0), Remove(2)], joiner=open_trio.package("cem"))
    refused("12.2-external-one-remove", open_trio, "burak", message)


def test_12_2_external_only(open_trio: World) -> None:
    extra = Add(open_trio.package("intruder").package)
    message = forge_commit(open_trio["ayse"], [extra], joiner=open_trio.package("deniz"))
    refused("12.2-external-only", open_trio, "burak", message)


def test_12_4_3_2_resync(open_trio: World) -> None:
    open_trio.relax(resync=False)
    message = forge_commit(open_trio["ayse"], [Remove(2)], joiner=open_trio.package("cem"))
    refused("12.4.3.2-resync", open_trio, "burak", message)


def test_a_stranger_cannot_take_another_members_place(open_trio: World) -> None:
    """A resync names one's own earlier appearance, judged as an update of it."""
    message = forge_commit(open_trio["ayse"], [Remove(2)], joiner=open_trio.package("deniz"))
    refused("5.3.1-successor", open_trio, "burak", message)


def test_12_4_3_2_newcomer(open_trio: World) -> None:
    message = forge_commit(open_trio["ayse"], joiner=open_trio.package("cem"))
    refused("12.4.3.2-newcomer", open_trio, "burak", message)


def test_8_3_external_init(open_trio: World) -> None:
    for output in (b"", bytes(32)):
        message = forge_commit(open_trio["ayse"], joiner=open_trio.package("deniz"), external=[ExternalInit(output)])
        refused("8.3-external-init", open_trio, "burak", message)


def begin(world: World, info: bytes, **arguments: object) -> group.Staged:
    settings: dict[str, object] = {"verify": trusting, "now": NOW, "random": world.random, **arguments}
    return group.begin_external(info, world.package("deniz"), **settings)  # type: ignore[arg-type]


def not_begun(rule: str, world: World, info: bytes, **arguments: object) -> None:
    with pytest.raises(RuleError) as caught:
        begin(world, info, **arguments)
    assert caught.value.rule == rule


def edited(world: World, edit: Callable[[GroupInfo], GroupInfo], *, sign_again: bool = True) -> bytes:
    info = edit(read_info(group.group_info(world["ayse"], random=world.random, external_pub=True)))
    return encode_message(signed_info(world["ayse"].epoch, info) if sign_again else info)


def without(extensions: Extensions, kind: int) -> Extensions:
    return tuple(extension for extension in extensions if extension.type != kind)


def test_12_4_3_2_external_pub(open_trio: World) -> None:
    info = group.group_info(open_trio["ayse"], random=open_trio.random)
    not_begun("12.4.3.2-external-pub", open_trio, info)


def test_a_stranger_checks_the_group_as_a_joiner_does(open_trio: World) -> None:
    world = open_trio
    zero = Extension(EXTERNAL_PUB, b"\x20" + bytes(32))
    bad_key = edited(world, lambda info: replace(info, extensions=(*without(info.extensions, EXTERNAL_PUB), zero)))
    not_begun("8.3-external-init", world, bad_key)
    not_begun(
        "12.4.3-info-signature", world, edited(world, lambda info: replace(info, signature=b""), sign_again=False)
    )
    not_begun(
        "12.4.3.1-tree-hash",
        world,
        edited(world, lambda info: replace(info, context=replace(info.context, tree_hash=bytes(32)))),
    )
    bare = group.group_info(world["ayse"], random=world.random, external_pub=True, tree=False)
    not_begun("12.4.3.3-tree", world, bare)
    not_begun("12.4.3-group-new", world, edited(world, lambda info: info), known_groups=[b"ward-7"])
    begin(world, bare, tree=world["ayse"].epoch.tree.encode())


def test_a_strangers_wish_is_committed(open_trio: World) -> None:
    """A newcomer's own Add is held, and committed by a member."""
    own = open_trio.package("deniz")
    message = propose_self(own, open_trio["ayse"].epoch.context)
    for name in ("ayse", "burak", "cem"):
        open_trio.process(name, message)
    staged = open_trio.commit("burak")
    open_trio.states["deniz"] = group.join(staged.welcome, own, verify=trusting, now=NOW)
    open_trio.agree()


def test_a_listed_outsider_may_not_speak_of_itself(open_trio: World) -> None:
    message = propose_external(open_trio.suite, open_trio["ayse"].epoch.context, 0, RANDOM(32), Remove(1))
    refused("6.1-external-sender", open_trio, "burak", message)


def test_a_committer_makes_what_others_accept(open_trio: World) -> None:
    """``create`` itself refuses what ``receive`` would."""
    epoch = open_trio["ayse"].epoch
    sent = [Sent(Sender(SenderType.MEMBER, 0), Remove(0))]
    with pytest.raises(RuleError) as caught:
        create(
            epoch,
            [Remove(0)],
            sent,
            PRIVATE_MESSAGE,
            b"",
            epoch.leaf(0),
            epoch.signature_key,
            find_psk,
            Terms(trusting, NOW, open_trio.policy),
            RANDOM,
        )
    assert caught.value.rule == "12.2-own-remove"


def test_outsiders_propose_through_the_one_door(open_trio: World) -> None:
    """A stranger by a group info, somebody who is listed by the context; the latter speaks of others only."""
    info = group.group_info(open_trio["ayse"], random=RANDOM)
    held = open_trio.process("burak", group.propose_self(open_trio.package("deniz"), info))
    assert isinstance(held, group.Held)
    assert isinstance(held.proposal, Add)
    stranger = group.propose_external(open_trio["ayse"], 0, RANDOM(32), Remove(1))
    refused("6.1-external-sender", open_trio, "burak", stranger)
