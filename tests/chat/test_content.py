"""What is inside a payload, and what stands on disk."""

from __future__ import annotations

import contextlib

import pytest
from conclave.chat.protection import HOP_BY_HOP
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.chat.content import TEXT_BYTES, Text, decode_content, encode_content
from conclave.chat.desk import Desk, restore, step
from conclave.chat.effects import PutState
from conclave.chat.events import SetBusy
from conclave.chat.records import encode_peer
from conclave.chat.state import Peer
from conclave.errors import DecodeError, StorageError
from conclave.store.memory import MemoryStore


@given(st.text(max_size=50), st.integers(0, 1 << 44))
@settings(max_examples=60)
def test_a_text_comes_back(text: str, milliseconds: int) -> None:
    content = Text(milliseconds / 1000, text)
    assert decode_content(encode_content(content)) == content


@given(st.binary(max_size=60))
@settings(max_examples=100)
def test_garbage_gives_only_decode_errors(plain: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_content(plain)


def test_limits_and_versions() -> None:
    longest = Text(1.0, "x" * TEXT_BYTES)
    assert decode_content(encode_content(longest)) == longest
    for plain in (encode_content(Text(1.0, "x" * (TEXT_BYTES + 1))), b"\x02" + encode_content(longest)[1:]):
        with pytest.raises(DecodeError):
            decode_content(plain)
    assert decode_content(encode_content(Text(1e300, "far"))).sent < 1e12
    assert decode_content(encode_content(Text(-5.0, "early"))).sent == 0


def test_hop_by_hop_passes_the_bytes_and_says_so() -> None:
    after, epoch, payload = HOP_BY_HOP.protect(b"words")
    assert after.process("ayse", epoch, payload) == (after, b"words")
    assert after.words == "protected hop by hop"


@pytest.mark.parametrize("key", ["desk", "peer/burak", "lobby/" + "00" * 16, "lobby/xyz"])
@pytest.mark.parametrize("value", [b"", b"\x07", b"\x01", b"\x01\x63" + bytes(90)])
def test_a_state_that_cannot_be_read_is_a_storage_error(key: str, value: bytes) -> None:
    with pytest.raises(StorageError) as caught:
        restore("ayse", [(key, value)], MemoryStore().posts)
    assert caught.value.remedy


def test_states_carry_their_version() -> None:
    assert encode_peer(Peer("burak"))[0] == 1
    _, effects = step(Desk("ayse"), SetBusy(on=True), 1.0, bytes)
    assert effects == (PutState("desk", b"\x01\x01"),)
    assert restore("ayse", [("desk", b"\x01\x01")], MemoryStore().posts).busy
