"""Sections 12.1 and 12.2 of RFC 9420: every rule about proposals, alone and together, broken once."""

from __future__ import annotations

import pytest

from conclave.errors import DecodeError, LocalError
from conclave.mls import group
from conclave.mls.credentials import Credential
from conclave.mls.extensions import ExternalSender, external_senders_extension
from conclave.mls.external import propose_external
from conclave.mls.framing import Sender, SenderType
from conclave.mls.limits import MAX_PROPOSALS, MAX_PSKS
from conclave.mls.proposallist import Sent, Terms, judge
from conclave.mls.proposals import (
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    ReInit,
    Remove,
    read_proposal,
)
from conclave.mls.psk import PreSharedKeyID, Usage
from conclave.mls.rules import RuleError
from conclave.mls.sending import choose
from conclave.values import replace
from conclave.wire.codec import Reader
from tests.mls.forge import RANDOM, forge_commit, forge_proposal, refused
from tests.mls.test_rules_leaves import changed_update
from tests.mls.world import NOW, World, find_psk, trusting


@pytest.fixture
def trio() -> World:
    return World.of("ayse", "burak", "cem")


def psk(name: bytes = b"shared", size: int = 32) -> PreSharedKey:
    return PreSharedKey(PreSharedKeyID.external(name, RANDOM(size)))


def held(world: World, message: bytes, *names: str) -> None:
    for name in names:
        world.process(name, message)


def test_12_1_2_update_member() -> None:
    """Only a member updates: the update of an external sender, or a commit's own inline one, is refused."""
    trio = World.of("ayse", "burak", "cem")
    update = changed_update(trio, lambda leaf: leaf)
    message = forge_commit(trio["ayse"], [update], joiner=trio.package("deniz"), external=[ExternalInit(b""), update])
    trio.relax(external_joins=True)
    refused("12.2-external-only", trio, "burak", message)
    outsider = Sent(Sender(SenderType.EXTERNAL, 0), update)
    with pytest.raises(RuleError) as caught:
        judge(trio["burak"].epoch, Sender(SenderType.MEMBER, 0), [outsider], Terms(trusting, NOW, trio.policy))
    assert caught.value.rule == "12.1.2-update-member"


def test_12_1_2_own_update_known(trio: World) -> None:
    """An update in our name that we hold no keys for: only someone with our signature key can make it."""
    trio.update("cem")
    trio.states["cem"] = replace(trio["cem"], updates={})
    (reference,) = trio["ayse"].held
    refused("12.1.2-own-update-known", trio, "cem", forge_commit(trio["ayse"], [reference]))


def test_12_1_3_remove_member(trio: World) -> None:
    refused("12.1.3-remove-member", trio, "burak", forge_commit(trio["ayse"], [Remove(3)]))
    refused("12.1.3-remove-member", trio, "burak", forge_commit(trio["ayse"], [Remove(1 << 31)]))
    held(trio, forge_proposal(trio["cem"], Remove(3)), "ayse", "burak")
    refused("12.1.3-remove-member", trio, "burak", forge_commit(trio["ayse"], list(trio["ayse"].held)))


def test_12_1_4_psk_usage(trio: World) -> None:
    for usage in (Usage.REINIT, Usage.BRANCH):
        name = PreSharedKeyID.resumption(usage, b"ward-7", 1, RANDOM(32))
        refused("12.1.4-psk-usage", trio, "burak", forge_commit(trio["ayse"], [PreSharedKey(name)]))


def test_12_1_4_psk_nonce(trio: World) -> None:
    for size in (0, 31, 33):
        refused("12.1.4-psk-nonce", trio, "burak", forge_commit(trio["ayse"], [psk(size=size)]))


def test_12_1_5_reinit_version(trio: World) -> None:
    refused("12.1.5-reinit-version", trio, "burak", forge_commit(trio["ayse"], [ReInit(b"next", 0, 1)]))


def outsiders() -> World:
    key = RANDOM(32)
    world = World("outsiders")
    public = world.suite.signature.public(key)
    extension = external_senders_extension((ExternalSender(public, Credential.basic(b"authority")),))
    made = World.of("ayse", "burak", "cem", extensions=(extension,))
    made.outsider_key = key  # type: ignore[attr-defined]
    return made


def test_12_1_8_external_type() -> None:
    world = outsiders()
    key: bytes = world.outsider_key  # type: ignore[attr-defined]
    context = world["burak"].epoch.context
    for proposal in (changed_update(world, lambda leaf: leaf), ExternalInit(b"")):
        refused("12.1.8-external-type", world, "burak", propose_external(world.suite, context, 0, key, proposal))
    message = propose_external(world.suite, context, 0, key, Remove(2))
    held(world, message, "ayse", "burak", "cem")
    world.commit("ayse")
    assert set(world.states) == {"ayse", "burak"}


def test_6_1_external_sender() -> None:
    world = outsiders()
    key: bytes = world.outsider_key  # type: ignore[attr-defined]
    context = world["burak"].epoch.context
    refused("6.1-external-sender", world, "burak", propose_external(world.suite, context, 1, key, Remove(2)))
    refused("6.1-signature", world, "burak", propose_external(world.suite, context, 0, RANDOM(32), Remove(2)))
    plain = World.of("ayse", "burak", "cem")
    message = propose_external(plain.suite, plain["burak"].epoch.context, 0, key, Remove(2))
    refused("6.1-external-sender", plain, "burak", message)


def test_12_2_own_update(trio: World) -> None:
    trio.update("ayse")
    (reference,) = trio["ayse"].held
    refused("12.2-own-update", trio, "burak", forge_commit(trio["ayse"], [reference]))
    inline = changed_update(trio, lambda leaf: leaf)
    refused("12.2-own-update", trio, "burak", forge_commit(trio["cem"], [inline]))


def test_12_2_own_remove(trio: World) -> None:
    refused("12.2-own-remove", trio, "burak", forge_commit(trio["ayse"], [Remove(0)]))
    held(trio, forge_proposal(trio["cem"], Remove(0)), "ayse", "burak")
    refused("12.2-own-remove", trio, "burak", forge_commit(trio["ayse"], list(trio["ayse"].held)))


def test_12_2_once_per_leaf(trio: World) -> None:
    refused("12.2-once-per-leaf", trio, "burak", forge_commit(trio["ayse"], [Remove(2), Remove(2)]))
    trio.update("cem")
    trio.update("cem")
    first, second = trio["ayse"].held
    refused("12.2-once-per-leaf", trio, "burak", forge_commit(trio["ayse"], [first, second]))
    refused("12.2-once-per-leaf", trio, "burak", forge_commit(trio["ayse"], [first, Remove(2)]))


def test_12_2_add_once(trio: World) -> None:
    one, again = trio.package("deniz").package, trio.package("deniz").package
    refused("12.2-add-once", trio, "burak", forge_commit(trio["ayse"], [Add(one), Add(one)]))
    refused("12.2-add-once", trio, "burak", forge_commit(trio["ayse"], [Add(one), Add(again)]))


def test_12_2_add_member(trio: World) -> None:
    again = trio.package("cem").package
    refused("12.2-add-member", trio, "burak", forge_commit(trio["ayse"], [Add(again)]))
    trio.commit("ayse", [Remove(2), Add(again)])
    assert {member.identity for member in group.members(trio["burak"]).values()} == {b"ayse", b"burak", b"cem"}


def test_12_2_psk_once(trio: World) -> None:
    one = psk()
    refused("12.2-psk-once", trio, "burak", forge_commit(trio["ayse"], [one, one]))


def test_12_2_extensions_once(trio: World) -> None:
    empty = GroupContextExtensions(())
    refused("12.2-extensions-once", trio, "burak", forge_commit(trio["ayse"], [empty, empty]))


def test_12_2_reinit_alone(trio: World) -> None:
    reinit = ReInit(b"next", 1, 1)
    refused("12.2-reinit-alone", trio, "burak", forge_commit(trio["ayse"], [reinit, psk()]))
    refused("12.2-reinit-alone", trio, "burak", forge_commit(trio["ayse"], [reinit, reinit]))


def test_12_2_external_init(trio: World) -> None:
    refused("12.2-external-init", trio, "burak", forge_commit(trio["ayse"], [ExternalInit(RANDOM(32))]))


def test_limit_proposals(trio: World) -> None:
    message = forge_commit(trio["ayse"], [Remove(9)] * (MAX_PROPOSALS + 1))
    refused("limit-proposals", trio, "burak", message)


def test_limit_psks(trio: World) -> None:
    message = forge_commit(trio["ayse"], [psk() for _ in range(MAX_PSKS + 1)])
    refused("limit-psks", trio, "burak", message)


def test_12_4_path_required(trio: World) -> None:
    refused("12.4-path-required", trio, "burak", forge_commit(trio["ayse"], [Remove(2)], path=False))
    refused("12.4-path-required", trio, "burak", forge_commit(trio["ayse"], [], path=False))
    extensions = GroupContextExtensions(())
    refused("12.4-path-required", trio, "burak", forge_commit(trio["ayse"], [extensions], path=False))
    trio.update("cem")
    refused("12.4-path-required", trio, "burak", forge_commit(trio["ayse"], list(trio["ayse"].held), path=False))


def test_12_4_reference_known(trio: World) -> None:
    sending = group.propose(trio["ayse"], Remove(2), random=trio.random)
    (reference,) = sending.state.held
    refused("12.4-reference-known", trio, "burak", forge_commit(sending.state, [reference]))


def test_12_4_2_psk_available(trio: World) -> None:
    refused("12.4.2-psk-available", trio, "burak", forge_commit(trio["ayse"], [psk(b"unheard of")]))
    forgotten = PreSharedKeyID.resumption(Usage.APPLICATION, b"ward-7", 0, RANDOM(32))
    refused("12.4.2-psk-available", trio, "cem", forge_commit(trio["ayse"], [PreSharedKey(forgotten)]))


def test_an_unknown_proposal_type_is_refused(trio: World) -> None:
    """A proposal of a type that nobody negotiated cannot even be read (section 12.2)."""
    for kind in (0, 8, 0x0A0A, 0xF001):
        with pytest.raises(DecodeError):
            read_proposal(Reader(kind.to_bytes(2) + b"\x00"))


# --- what a committer chooses ---


def chosen(world: World, name: str) -> list[object]:
    state = world[name]
    picked = choose(state, [], find_psk, Terms(trusting, NOW, world.policy))
    return [state.held[reference].proposal for reference in picked]


def test_a_junk_proposal_does_not_stop_a_commit(trio: World) -> None:
    """The real commit goes through although a member filled the epoch with proposals that nobody can commit."""
    trio.update("cem")
    (update,) = [sent.proposal for sent in trio["ayse"].held.values()]
    for junk in (
        Remove(77),
        psk(b"unheard of"),
        psk(size=3),
        changed_update(trio, lambda leaf: replace(leaf, encryption_key=bytes(32))),
    ):
        trio.propose("cem", junk)
    assert chosen(trio, "ayse") == [update]


def test_removes_win_and_the_last_update_wins(trio: World) -> None:
    for _ in range(3):
        trio.update("cem")
    last = list(trio["ayse"].held.values())[-1].proposal
    assert chosen(trio, "ayse") == [last]
    trio.propose("burak", Remove(2))
    assert chosen(trio, "ayse") == [Remove(2)]
    trio.propose("burak", ReInit(b"next", 1, 1))
    assert chosen(trio, "ayse") == [Remove(2)]
    trio.commit("ayse")
    assert set(trio.states) == {"ayse", "burak"}


def test_what_is_asked_for_inline_and_impossible_is_said(trio: World) -> None:
    with pytest.raises(LocalError, match=r"12\.1\.3"):
        trio.stage("ayse", [Remove(9)])


def test_nothing_is_said_while_proposals_wait(trio: World) -> None:
    """Section 12.4: whoever has seen a proposal commits before it speaks."""
    trio.propose("cem", Remove(1))
    with pytest.raises(LocalError, match="proposals wait"):
        group.protect(trio["ayse"], b"words", random=trio.random)
    trio.commit("ayse")
    group.protect(trio["ayse"], b"words", random=trio.random)
