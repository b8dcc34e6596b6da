"""Sections 6, 9 and 15 of RFC 9420: every rule about envelopes, senders, signatures and message keys, broken once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conclave.errors import DecodeError, LocalError
from conclave.mls import group
from conclave.mls.framing import (
    PRIVATE_MESSAGE,
    AuthenticatedContent,
    ContentAuth,
    ContentType,
    FramedContent,
    PrivateMessage,
    PublicMessage,
    Sender,
    SenderType,
    content_aad,
    sender_data_aad,
    write_body,
)
from conclave.mls.limits import MAX_PROPOSALS_PER_SENDER
from conclave.mls.message import decode_message, encode_message
from conclave.mls.proposals import Add, ReInit, Remove
from conclave.mls.protection import SenderData, protect_private, sender_data_key
from conclave.mls.rules import RuleError
from conclave.mls.secrettree import APPLICATION, SecretTree
from conclave.mls.state import State
from conclave.values import replace
from conclave.wire.codec import Writer
from tests.mls.forge import RANDOM, envelope, forge_commit, forge_proposal, refused, sign
from tests.mls.world import NOW, World, find_psk, trusting


@pytest.fixture
def trio() -> World:
    return World.of("ayse", "burak", "cem")


def private(message: bytes) -> PrivateMessage:
    found = decode_message(message)
    assert isinstance(found, PrivateMessage)
    return found


def raw_private(state: State, plaintext: bytes, kind: ContentType, *, leaf: int | None = None) -> bytes:
    """Any plaintext, encrypted with the right key for its kind."""
    epoch = state.epoch
    me = epoch.me if leaf is None else leaf
    _, key = state.traffic.next(epoch.suite, min(me, state.traffic.leaves - 1), int(kind is ContentType.APPLICATION))
    head = PrivateMessage(epoch.context.group_id, epoch.context.epoch, kind, b"", b"", b"")
    ciphertext = epoch.suite.aead.seal(
        key.key, key.nonce, plaintext, content_aad(head.group_id, head.epoch, kind, b"")
    )
    return raw_sender(state, head, ciphertext, SenderData(me, key.generation, bytes(4)).encode())


def raw_sender(state: State, head: PrivateMessage, ciphertext: bytes, data: bytes) -> bytes:
    epoch = state.epoch
    key, nonce = sender_data_key(epoch.suite, epoch.secrets.sender_data, ciphertext)
    aad = sender_data_aad(head.group_id, head.epoch, head.content_type)
    sealed = epoch.suite.aead.seal(key, nonce, data, aad)
    return encode_message(replace(head, encrypted_sender_data=sealed, ciphertext=ciphertext))


def test_6_wire_format(trio: World) -> None:
    refused("6-wire-format", trio, "burak", group.write_key_package(trio.package("deniz").package))


def test_6_group_id(trio: World) -> None:
    refused("6-group-id", trio, "burak", envelope(trio["ayse"], sign(trio["ayse"], Remove(2), group_id=b"other")))


def test_6_epoch(trio: World) -> None:
    late = trio.stage("cem").message
    trio.commit("ayse")
    refused("6-epoch", trio, "burak", late)
    early = sign(trio["ayse"], b"", epoch_number=99)
    refused("6-epoch", trio, "burak", envelope(trio["ayse"], early))
    trio.relax(private_handshakes=False)
    refused("6-epoch", trio, "burak", forge_proposal(trio["ayse"], Remove(2), public=True, epoch_number=99))


def test_6_application_private(trio: World) -> None:
    refused("6-application-private", trio, "burak", envelope(trio["ayse"], sign(trio["ayse"], b"words", public=True)))


def test_6_sender_member(trio: World) -> None:
    trio.relax(private_handshakes=False)
    stranger = Sender(SenderType.MEMBER, 3)
    refused("6-sender-member", trio, "burak", forge_proposal(trio["ayse"], Remove(2), public=True, sender=stranger))


def test_6_1_signature(trio: World) -> None:
    """A member cannot speak as another, with whatever signature: another's, none, or zeros."""
    ayse = trio["ayse"]
    for signature in (b"", bytes(64), sign(ayse, b"other words").auth.signature):
        good = sign(ayse, b"words")
        bad = AuthenticatedContent(PRIVATE_MESSAGE, good.content, ContentAuth(signature))
        refused("6.1-signature", trio, "burak", envelope(ayse, bad))
    impostor = sign(ayse, b"words", sender=Sender(SenderType.MEMBER, trio.index("cem")))
    refused("6.1-signature", trio, "burak", envelope(ayse, impostor))
    refused("6.1-signature", trio, "burak", forge_proposal(ayse, Remove(2), signer=trio["cem"].epoch.signature_key))
    refused("6.1-signature", trio, "burak", forge_commit(ayse, signer=trio["cem"].epoch.signature_key))


def test_6_1_signature_in_the_clear(trio: World) -> None:
    trio.relax(private_handshakes=False)
    signer = trio["cem"].epoch.signature_key
    refused("6.1-signature", trio, "burak", forge_proposal(trio["ayse"], Remove(2), public=True, signer=signer))


def test_6_1_signature_of_late_messages(trio: World) -> None:
    ayse = trio["ayse"]
    impostor = sign(ayse, b"words", sender=Sender(SenderType.MEMBER, trio.index("cem")))
    message = envelope(ayse, impostor)
    trio.commit("ayse")
    refused("6.1-signature", trio, "burak", message)


def test_6_1_confirmation_tag(trio: World) -> None:
    def with_tag(tag: bytes) -> bytes:
        def edit(message: AuthenticatedContent) -> AuthenticatedContent:
            return replace(message, auth=ContentAuth(message.auth.signature, tag))

        return forge_commit(trio["ayse"], edit=edit)

    refused("6.1-confirmation-tag", trio, "burak", with_tag(bytes(32)))
    refused("6.1-confirmation-tag", trio, "burak", with_tag(b""))
    trio.commit("ayse")
    trio.agree()


def test_6_2_membership_tag(trio: World) -> None:
    trio.relax(private_handshakes=False)
    signed = sign(trio["ayse"], Remove(2), public=True)
    refused("6.2-membership-tag", trio, "burak", envelope(trio["ayse"], signed, membership=bytes(32)))
    message = decode_message(envelope(trio["ayse"], signed))
    assert isinstance(message, PublicMessage)
    refused("6.2-membership-tag", trio, "burak", encode_message(replace(message, membership_tag=b"")))


def test_6_3_own_message(trio: World) -> None:
    refused("6.3-own-message", trio, "ayse", trio.say("ayse", b"words"))
    trio.relax(private_handshakes=False)
    sending = group.propose(trio["ayse"], Remove(2), random=trio.random)
    refused("6.3-own-message", trio, "ayse", sending.message)


def test_6_3_1_ciphertext(trio: World) -> None:
    message = private(trio.say("ayse", b"words"))
    bent = replace(message, ciphertext=message.ciphertext[:-1] + bytes([message.ciphertext[-1] ^ 1]))
    refused("6.3.1-ciphertext", trio, "burak", encode_message(bent))


def test_6_3_1_ciphertext_is_bound_to_its_authenticated_data(trio: World) -> None:
    message = private(trio.say("ayse", b"words"))
    refused("6.3.1-ciphertext", trio, "burak", encode_message(replace(message, authenticated_data=b"other")))


def test_6_3_1_content(trio: World) -> None:
    refused("6.3.1-content", trio, "burak", raw_private(trio["ayse"], b"\xff" * 40, ContentType.PROPOSAL))
    refused("6.3.1-content", trio, "burak", raw_private(trio["ayse"], b"", ContentType.APPLICATION))


def test_6_3_1_padding(trio: World) -> None:
    signed = sign(trio["ayse"], b"words")
    plaintext = signed.auth.write(write_body(Writer(), b"words"), ContentType.APPLICATION).done()
    refused(
        "6.3.1-padding",
        trio,
        "burak",
        raw_private(trio["ayse"], plaintext + bytes(9) + b"\x01", ContentType.APPLICATION),
    )


def test_6_3_2_sender_data(trio: World) -> None:
    message = private(trio.say("ayse", b"words"))
    refused("6.3.2-sender-data", trio, "burak", encode_message(replace(message, encrypted_sender_data=bytes(28))))
    head = replace(message, encrypted_sender_data=b"", ciphertext=b"")
    refused("6.3.2-sender-data", trio, "burak", raw_sender(trio["ayse"], head, message.ciphertext, bytes(11)))


def test_6_3_2_sender(trio: World) -> None:
    """Nobody speaks from a blank leaf, from beyond the tree, or from where somebody was in another epoch."""
    for leaf in (3, 4, 1 << 31):
        refused(
            "6.3.2-sender", trio, "burak", raw_private(trio["ayse"], b"words", ContentType.APPLICATION, leaf=leaf)
        )
    old = raw_private(trio["ayse"], b"words", ContentType.APPLICATION, leaf=3)
    trio.commit("ayse")
    refused("6.3.2-sender", trio, "burak", old)
    with pytest.raises(RuleError) as caught:
        SecretTree(4, bytes(32)).seek(trio.suite, 4, APPLICATION, 0, trio.policy)
    assert caught.value.rule == "6.3.2-sender"


def test_9_2_key_consumed(trio: World) -> None:
    """One ciphertext is opened once, in its own epoch and late."""
    first, second = trio.say("ayse", b"one"), trio.say("ayse", b"two")
    trio.process("burak", second)
    trio.process("burak", first)
    refused("9.2-key-consumed", trio, "burak", first)
    refused("9.2-key-consumed", trio, "burak", second)
    trio.commit("cem")
    refused("9.2-key-consumed", trio, "burak", first)


def test_9_2_key_consumed_beyond_the_window(trio: World) -> None:
    trio.relax(skipped_keys=3)
    messages = [trio.say("ayse", b"words") for _ in range(6)]
    trio.process("burak", messages[5])
    refused("9.2-key-consumed", trio, "burak", messages[1])
    trio.process("burak", messages[2])


def test_14_max_skip(trio: World) -> None:
    trio.relax(max_skip=4)
    messages = [trio.say("ayse", b"words") for _ in range(6)]
    refused("14-max-skip", trio, "burak", messages[5])
    trio.process("burak", messages[4])


def test_policy_private_handshakes(trio: World) -> None:
    refused("policy-private-handshakes", trio, "burak", forge_proposal(trio["ayse"], Remove(2), public=True))
    refused("policy-private-handshakes", trio, "burak", forge_commit(trio["ayse"], public=True))


def test_limit_held_proposals(trio: World) -> None:
    for _ in range(MAX_PROPOSALS_PER_SENDER):
        trio.update("ayse")
    refused("limit-held-proposals", trio, "burak", forge_proposal(trio["ayse"], Remove(2)))
    trio.propose("cem", Remove(0))


@pytest.mark.parametrize("read", [Sender.decode, lambda data: FramedContent.decode(b"\0" + bytes(8) + data)])
@pytest.mark.parametrize("kind", [0, 5, 255])
def test_a_sender_of_an_unknown_type_is_none(kind: int, read: Callable[[bytes], object]) -> None:
    with pytest.raises(DecodeError, match="sender of type"):
        read(bytes([kind]) + bytes(8))


def test_a_closed_group_makes_nothing_more(trio: World) -> None:
    with pytest.raises(LocalError, match="re-initialise"):
        group.reinitialise(trio["ayse"], trio.package("ayse"), [], verify=trusting, now=NOW, random=RANDOM)
    trio.commit("ayse", [ReInit(b"next", 1, 1)])
    assert trio["burak"].closed
    with pytest.raises(LocalError, match="re-initialised"):
        trio.stage("burak")
    with pytest.raises(LocalError, match="re-initialised"):
        trio.say("burak", b"words")
    with pytest.raises(LocalError, match="re-initialised"):
        trio.propose("burak", Remove(2))


def test_12_4_2_closed(trio: World) -> None:
    trio.commit("ayse", [ReInit(b"next", 1, 1)])
    refused("12.4.2-closed", trio, "burak", envelope(trio["ayse"], sign(trio["ayse"], b"words")))
    refused("12.4.2-closed", trio, "burak", forge_commit(trio["ayse"]))


def test_a_leader_reads_the_envelope_and_no_more(trio: World) -> None:
    words, commit = trio.say("ayse", b"words"), trio.stage("ayse").message
    assert group.read_envelope(words) == (b"ward-7", 1, ContentType.APPLICATION, True, b"")
    assert group.read_envelope(commit) == (b"ward-7", 1, ContentType.COMMIT, True, b"")
    clear = forge_proposal(trio["ayse"], Remove(2), public=True)
    assert group.read_envelope(clear) == (b"ward-7", 1, ContentType.PROPOSAL, False, b"")
    with pytest.raises(DecodeError):
        group.read_envelope(group.write_key_package(trio.package("deniz").package))
    assert (trio["ayse"].group_id, trio["ayse"].number, trio["ayse"].closed) == (b"ward-7", 1, False)
    assert trio["ayse"].authenticator == trio["burak"].authenticator


def test_handshake_messages_are_padded(trio: World) -> None:
    small = private(trio.propose("ayse", Remove(2)))
    large = private(trio.propose("ayse", Add(trio.package("deniz").package)))
    assert len(small.ciphertext) % 256 == len(large.ciphertext) % 256 == 16


def test_a_protected_message_is_opened(trio: World) -> None:
    opened = trio.process("burak", trio.say("ayse", b"words"))
    assert isinstance(opened, group.Opened)
    assert (opened.data, opened.identity, opened.sender) == (b"words", b"ayse", 0)


def test_a_member_who_does_not_take_its_keys_forward_is_not_helped(trio: World) -> None:
    """Two messages with one key are only possible by ignoring the state that came back; the receiver opens one."""
    ayse = trio["ayse"]
    _, first = protect_private(
        trio.suite, ayse.epoch.secrets.sender_data, ayse.traffic, sign(ayse, b"one"), 64, RANDOM
    )
    _, second = protect_private(
        trio.suite, ayse.epoch.secrets.sender_data, ayse.traffic, sign(ayse, b"two"), 64, RANDOM
    )
    trio.process("burak", encode_message(first))
    with pytest.raises(RuleError):
        group.process(trio["burak"], encode_message(second), verify=trusting, now=NOW, psk=find_psk)
