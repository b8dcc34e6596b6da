"""Section 6.1 of RFC 9420, shown to somebody outside: an author's original proves what it says, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave.errors import ConclaveError, DecodeError
from conclave.mls import group
from conclave.mls.framing import PRIVATE_MESSAGE, PUBLIC_MESSAGE, Body, FramedContent, Sender, SenderType
from conclave.mls.framing import signed_content as tbs
from conclave.mls.original import Original, Said, read_original, verify_original
from conclave.mls.proposals import Remove
from conclave.mls.rules import RuleError
from conclave.mls.staged import Opened
from conclave.mls.state import State
from conclave.values import replace
from tests.mls.forge import sign
from tests.mls.world import World


@pytest.fixture
def trio() -> World:
    return World.of("ayse", "burak", "cem")


def said(world: World, words: bytes = b"words", aad: bytes = b"head") -> tuple[Original, Original, Said]:
    """Ayse's original, as she and as Burak has it."""
    ayse = world["ayse"]
    sending = group.protect(ayse, words, random=world.random, authenticated_data=aad)
    world.states["ayse"] = sending.state
    opened = world.process("burak", sending.message)
    assert isinstance(opened, Opened)
    assert sending.original is not None
    commits = ayse.epoch.context.confirmed_transcript_hash
    expected = Said(ayse.group_id, ayse.number, 0, words, aad, world.suite.code, commits)
    return sending.original, opened.original, expected


def key_of(world: World, name: str) -> bytes:
    return group.members(world["burak"])[world.index(name)].signature_key


def forged(
    state: State, body: Body = b"words", sender: Sender | None = None, wire_format: int = PRIVATE_MESSAGE
) -> Original:
    """Whatever content, rightly signed."""
    signed = sign(state, body, sender=sender, public=wire_format == PUBLIC_MESSAGE)
    return Original(tbs(wire_format, signed.content, state.epoch.context.encoded), signed.auth.signature)


def test_author_and_reader_hold_the_same_original(trio: World) -> None:
    mine, theirs, expected = said(trio)
    assert mine == theirs == Original.decode(mine.encode())
    assert verify_original(theirs, key_of(trio, "ayse")) == expected


def test_a_late_message_has_its_original_too(trio: World) -> None:
    sending = group.protect(trio["ayse"], b"late", random=trio.random)
    trio.commit("cem")
    opened = trio.process("burak", sending.message)
    assert isinstance(opened, Opened)
    assert opened.original == sending.original
    assert verify_original(opened.original, key_of(trio, "ayse")).epoch == trio["burak"].number - 1


def test_proposals_have_none(trio: World) -> None:
    assert group.propose(trio["ayse"], Remove(2), random=trio.random).original is None


def test_6_1_original_signature(trio: World) -> None:
    """No bit of it can be changed, nobody else's key fits, and no empty signature will do."""
    good, _, _ = said(trio)
    key = key_of(trio, "ayse")
    for signature in (b"", bytes(64), good.signature[:-1], good.signature + b"\0"):
        with pytest.raises(RuleError) as caught:
            verify_original(good._replace(signature=signature), key)
        assert caught.value.rule == "6.1-original-signature"
    for wrong in (key_of(trio, "cem"), b"", bytes(32), key[:-1]):
        with pytest.raises(RuleError, match="original-signature"):
            verify_original(good, wrong)
    for at in range(len(good.content)):
        bent = bytearray(good.content)
        bent[at] ^= 1
        with pytest.raises(ConclaveError):
            verify_original(good._replace(content=bytes(bent)), key)


def test_words_signed_for_another_purpose_are_no_original(trio: World) -> None:
    """A proposal, words in the clear, an outsider's: rightly signed, and none of them a member's private words."""
    ayse = trio["ayse"]
    outsider = Sender(SenderType.NEW_MEMBER_COMMIT)
    for bad in (
        forged(ayse, Remove(2)),
        forged(ayse, wire_format=PUBLIC_MESSAGE),
        forged(ayse, sender=outsider),
        forged(ayse)._replace(content=b"\0\2" + forged(ayse).content[2:]),
    ):
        with pytest.raises(DecodeError):
            read_original(bad)


def test_an_original_names_one_group_and_epoch(trio: World) -> None:
    context = trio["ayse"].epoch.context
    sender = Sender(SenderType.MEMBER, 0)
    content = FramedContent(context.group_id, context.epoch, sender, b"", b"words")
    for other in (replace(context, group_id=b"other"), replace(context, epoch=99)):
        with pytest.raises(DecodeError, match="one epoch"):
            read_original(Original(tbs(PRIVATE_MESSAGE, content, other.encoded), b""))


def test_an_original_is_read_to_its_end(trio: World) -> None:
    good, _, _ = said(trio)
    for bad in (good.content + b"\0", good.content[:-1], b""):
        with pytest.raises(DecodeError):
            read_original(good._replace(content=bad))
    for encoded in (good.encode() + b"\0", good.encode()[:-1], b""):
        with pytest.raises(DecodeError):
            Original.decode(encoded)


@given(st.binary(max_size=300), st.binary(max_size=70), st.binary(max_size=40))
def test_a_strangers_original_raises_nothing_of_its_own(content: bytes, signature: bytes, key: bytes) -> None:
    head = b"\0\1\0\2"
    for bad in (content, head + content):
        with pytest.raises(ConclaveError):
            verify_original(Original(bad, signature), key)
