"""The nine messages: in order they open a link; anything else ends it and says only what the table has."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.classic.events import Answer, Ending, Opened, Proven
from conclave.classic.frames import cut_frame, put_frame
from conclave.classic.handshake import Own, Receiver, Sender
from conclave.classic.limits import ClassicLimits
from conclave.classic.machine import ClassicLink
from conclave.classic.state import BODY_BYTES, TRANSITIONS, State, Step, follow
from conclave.crypto.classic import RsaPrivate, RsaPublic
from conclave.errors import DecodeError, LocalError
from tests.classic import straight
from tests.classic.people import (
    LIMITS,
    NONCE,
    NOW,
    SECRET,
    End,
    Pair,
    certificate,
    own,
    pkcs8,
    receiver,
    rsa_key,
    sender,
    verifier,
)


def frames(data: bytes) -> list[bytes]:
    found = []
    while data:
        cut = cut_frame(data, 999_999)
        assert cut is not None
        body, data = cut
        found.append(body)
    return found


def test_the_nine_messages() -> None:
    pair = Pair().run()
    up, down = frames(pair.sender.sent), frames(pair.receiver.sent)
    assert (up[0], up[1]) == (b"HELLO", certificate("ayse"))
    assert (down[0], down[2], down[3], down[4]) == (b"OK", certificate("burak"), b"ACK", b"OK")
    assert rsa_key("ayse").decrypt(down[1], straight.OAEP) == NONCE
    rsa_key("ayse").public_key().verify(up[2], NONCE, straight.PSS, hashes.SHA256())
    assert rsa_key("burak").decrypt(up[3], straight.OAEP) == SECRET
    assert len(up) == 4
    assert len(down) == 5
    assert pair.sender.sent.startswith(b"000005HELLO")


def test_words_go_both_ways_and_the_receiver_is_proven_by_its_first_record() -> None:
    pair = Pair().run()
    assert [pair.receiver.proven, pair.sender.proven] == [True, False]
    pair.sender.link.send(b"hello")
    pair.receiver.link.send(b"and to you")
    pair.run()
    assert pair.receiver.messages == [b"hello"]
    assert pair.sender.messages == [b"and to you"]
    assert pair.sender.proven
    assert [type(event) for event in pair.sender.events[:2]] == [Opened, Proven]


@pytest.mark.parametrize(
    ("answer", "ending"), [(Answer.REJECT, Ending.REJECTED), (Answer.BUSY, Ending.BUSY)], ids=str
)
def test_a_person_says_no(answer: Answer, ending: Ending) -> None:
    pair = Pair(answer=answer).run()
    assert frames(pair.receiver.sent)[-1] == answer.value.encode()
    for end in (pair.sender, pair.receiver):
        assert end.closed is not None
        assert end.closed.ending is ending
        assert not end.opened


def test_a_listener_with_links_enough_says_busy_before_it_reads_a_certificate() -> None:
    pair = Pair(other=receiver(free=False)).run()
    assert frames(pair.receiver.sent) == [b"BUSY"]
    assert pair.sender.closed is not None
    assert pair.sender.closed.ending is Ending.BUSY
    assert frames(pair.sender.sent) == [b"HELLO"]


def test_a_signature_that_does_not_verify_is_denied() -> None:
    class Forger(Sender):
        def take(self, body: bytes, now: float) -> tuple[bytes, ...]:
            answers = super().take(body, now)
            return tuple(bytes(len(a)) if self.state is State.SIGNED else a for a in answers)

    pair = Pair(Forger(own("ayse"), verifier("burak"), SECRET)).run()
    assert frames(pair.receiver.sent)[-1] == b"DENIED"
    assert pair.receiver.closed is not None
    assert pair.receiver.closed.ending is Ending.SIGNATURE
    assert pair.sender.closed is not None
    assert pair.sender.closed.ending is Ending.DENIED
    assert not pair.receiver.asked


def test_a_certificate_that_does_not_hold_ends_it_without_a_word() -> None:
    one = Sender(Own(certificate("cem"), RsaPrivate(pkcs8("cem"))), verifier("burak"), SECRET)
    refusing = Receiver(own("burak"), verifier("ayse"), NONCE)
    pair = Pair(one, refusing).run()
    assert frames(pair.receiver.sent) == [b"OK"]
    assert pair.receiver.closed is not None
    assert pair.receiver.closed.ending is Ending.CERTIFICATE
    pair.sender.link.receive_eof()
    pair.sender.look()
    assert pair.sender.closed is not None
    assert "does not accept our certificate" in pair.sender.closed.text


def test_whoever_is_not_expected_gets_no_signature() -> None:
    pair = Pair(sender(to="cem")).run()
    assert len(frames(pair.sender.sent)) == 2  # HELLO and the certificate
    assert pair.sender.closed is not None
    assert pair.sender.closed.ending is Ending.CERTIFICATE
    assert "burak instead of cem" in pair.sender.closed.text


def test_a_man_in_the_middle_with_anothers_certificate_learns_no_key() -> None:
    """Whoever shows burak's certificate without its key gets the secret sealed to burak, and proves nothing."""
    impostor = Receiver(Own(certificate("burak"), RsaPrivate(pkcs8("deniz"))), verifier(), NONCE)
    pair = Pair(sender(), impostor).run()
    assert pair.receiver.closed is not None
    assert pair.receiver.closed.ending is Ending.SIGNATURE
    assert not pair.sender.opened


def test_the_sender_does_not_believe_the_answer_of_whoever_cannot_open_the_secret() -> None:
    """An impostor may even say OK: its first record does not verify, and the peer was never proven."""
    link = End(ClassicLink(sender(), LIMITS, NOW))
    for body in (b"OK", RsaPublic_of("ayse").encrypt(NONCE), certificate("burak"), b"ACK", b"OK"):
        link.give(put_frame(body))
    assert link.opened
    assert [link.proven] == [False]
    six = straight.six_keys(bytes(32), NONCE)
    link.give(b"".join(straight.seal(b"I am burak", 1, six.mac_receiver, six.aes_receiver, six.iv_receiver)))
    assert link.closed is not None
    assert link.closed.ending is Ending.RECORD
    assert link.messages == []
    assert not link.proven


def RsaPublic_of(handle: str) -> RsaPublic:  # noqa: N802
    return RsaPublic(verifier()(certificate(handle), NOW).public)


# The table.


def test_what_is_not_in_the_table_cannot_happen() -> None:
    for state in State:
        for step in Step:
            if (state, step) in TRANSITIONS:
                assert follow(state, step) is TRANSITIONS[state, step]
            else:
                with pytest.raises(LocalError):
                    follow(state, step)


def test_every_state_is_reached_and_left() -> None:
    reached = {State.GREETING, State.LISTENING, *TRANSITIONS.values()}
    assert reached == set(State)
    assert {state for state, _ in TRANSITIONS} == set(State) - {State.CLOSED}
    assert set(BODY_BYTES) == set(State) - {State.OPEN, State.CLOSED, State.ASKED}


SCRIPTS: dict[State, Callable[[], list[bytes]]] = {
    State.GREETING: list,
    State.SHOWN: lambda: [b"OK"],
    State.CHALLENGED: lambda: [b"OK", RsaPublic_of("ayse").encrypt(NONCE)],
    State.SIGNED: lambda: [b"OK", RsaPublic_of("ayse").encrypt(NONCE), certificate("burak")],
    State.ASKING: lambda: [b"OK", RsaPublic_of("ayse").encrypt(NONCE), certificate("burak"), b"ACK"],
    State.LISTENING: list,
    State.WELCOMED: lambda: [b"HELLO"],
    State.CHALLENGING: lambda: [b"HELLO", certificate("ayse")],
    State.ACKNOWLEDGED: lambda: [b"HELLO", certificate("ayse"), RsaPrivate(pkcs8("ayse")).sign(NONCE)],
    State.ASKED: lambda: [
        b"HELLO",
        certificate("ayse"),
        RsaPrivate(pkcs8("ayse")).sign(NONCE),
        RsaPublic_of("burak").encrypt(SECRET),
    ],
}
SENDERS = {State.GREETING, State.SHOWN, State.CHALLENGED, State.SIGNED, State.ASKING}


def at(state: State, limits: ClassicLimits = LIMITS) -> End:
    """A link in ``state``."""
    end = End(ClassicLink(sender() if state in SENDERS else receiver(), limits, NOW))
    for body in SCRIPTS[state]():
        end.give(put_frame(body))
    end.take()
    assert end.link.state is state
    return end


BODIES = (b"HELLO", b"OK", b"BUSY", b"ACK", b"DENIED", b"REJECT", b"", b"ok", b"x" * 256)
EXPECTED = {
    State.GREETING: {b"OK", b"BUSY"},
    State.SIGNED: {b"ACK", b"DENIED"},
    State.ASKING: {b"OK", b"BUSY", b"REJECT"},
    State.LISTENING: {b"HELLO"},
}


@pytest.mark.parametrize("state", SCRIPTS, ids=lambda state: state.name)
def test_anything_unexpected_ends_it(state: State) -> None:
    for body in BODIES:
        if body in EXPECTED.get(state, set()):
            continue
        end = at(state)
        end.give(put_frame(body))
        assert end.closed is not None, (state, body)
        assert not end.opened
        said = frames(end.take())
        assert said == ([b"DENIED"] if state is State.CHALLENGING else []), (state, body)


@pytest.mark.parametrize("state", BODY_BYTES, ids=lambda state: state.name)
def test_a_frame_too_long_is_refused_before_its_body(state: State) -> None:
    end = at(state)
    end.give(b"%06d" % (BODY_BYTES[state] + 1))
    assert end.closed is not None
    assert end.closed.ending is Ending.PROTOCOL


@pytest.mark.parametrize("state", SCRIPTS, ids=lambda state: state.name)
def test_a_cut_ends_it(state: State) -> None:
    end = at(state)
    end.link.receive_eof()
    end.look()
    assert end.closed is not None
    assert end.closed.ending is Ending.TRUNCATED
    assert end.link.timer() is None


@pytest.mark.parametrize("state", SCRIPTS, ids=lambda state: state.name)
def test_nobody_dawdles(state: State) -> None:
    end = at(state)
    due = end.link.timer()
    assert due is not None
    patient = state in (State.ASKING, State.ASKED)
    assert due - NOW == (LIMITS.answer_seconds if patient else LIMITS.handshake_seconds) + 10 * (
        state is State.ASKING
    )
    end.link.tick(due - 1)
    assert end.link.events() == []
    end.link.tick(due)
    end.look()
    assert end.closed is not None
    if state is State.ASKED:
        assert frames(end.take()) == [b"BUSY"]
    else:
        assert end.closed.ending is Ending.TIMEOUT


def test_an_open_link_ends_with_the_certificate() -> None:
    pair = Pair().run()
    due = pair.sender.link.timer()
    assert due == NOW + 10 * 86_400
    pair.sender.link.tick(due)
    pair.sender.look()
    assert pair.sender.closed is not None
    assert pair.sender.closed.ending is Ending.EXPIRED


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00\x01", b"HELLO", b"00005HELLO", b"-00005", b"00001 ", b"\xb2" * 6]
)
def test_what_is_no_classic_frame(data: bytes) -> None:
    end = at(State.LISTENING)
    end.give(data)
    assert end.closed is not None
    assert end.closed.ending is Ending.PROTOCOL


def test_frames() -> None:
    assert put_frame(b"HELLO") == b"000005HELLO"
    assert cut_frame(b"000000rest", 10) == (b"", b"rest")
    assert cut_frame(b"000003ab", 10) is None
    with pytest.raises(DecodeError):
        put_frame(bytes(1_000_000))


@given(st.sampled_from(sorted(SCRIPTS, key=lambda state: state.value)), st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_rubbish_in_every_state_ends_at_most_its_own_link(state: State, rubbish: bytes) -> None:
    end = at(state)
    end.give(rubbish)
    end.link.receive_eof()
    end.look()
    assert end.closed is not None
    assert not end.opened


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_bit_of_the_handshake_can_be_changed_unseen(data: st.DataObject) -> None:
    """Whatever is flipped, in any message, the two sides do not both have an open link."""
    pair = Pair()
    wire = {"up": 0, "down": 0}
    flip = data.draw(st.sampled_from(["up", "down"]))
    bit = data.draw(st.integers(0, (3000 if flip == "up" else 2000) * 8))
    for _ in range(8):
        for name, one, other in (("up", pair.sender, pair.receiver), ("down", pair.receiver, pair.sender)):
            chunk = bytearray(one.take())
            place = bit // 8 - wire[name]
            if name == flip and 0 <= place < len(chunk):
                chunk[place] ^= 1 << bit % 8
            wire[name] += len(chunk)
            other.give(bytes(chunk))
        if pair.receiver.asked and not pair.receiver.opened and not pair.receiver.closed:
            pair.receiver.link.answer(Answer.OK, NOW)
            pair.receiver.look()
    if pair.sender.opened and pair.receiver.opened:
        assert wire[flip] <= bit // 8  # nothing was flipped


# The open link.


def test_a_cut_within_a_message_is_truncation_and_between_two_the_end() -> None:
    for cut, ending in ((61, Ending.DONE), (30, Ending.TRUNCATED), (61 + 77, Ending.TRUNCATED)):
        pair = Pair().run()
        pair.sender.link.send(b"yes")
        pair.sender.link.send(b"x" * 40)
        pair.receiver.give(pair.sender.take()[:cut])
        pair.receiver.link.receive_eof()
        pair.receiver.look()
        assert pair.receiver.closed is not None
        assert pair.receiver.closed.ending is ending
        assert pair.receiver.messages == ([b"yes"] if cut >= 61 else [])


def test_a_bad_record_ends_the_link_without_a_word() -> None:
    pair = Pair().run()
    pair.sender.link.send(b"yes")
    bad = bytearray(pair.sender.take())
    bad[-1] ^= 1
    pair.receiver.give(bytes(bad))
    assert pair.receiver.closed is not None
    assert pair.receiver.closed.ending is Ending.RECORD
    assert pair.receiver.take() == b""
    pair.receiver.give(b"more")
    assert pair.receiver.messages == []


def test_at_999999_the_link_ends_at_both_sides() -> None:
    pair = Pair(first=999_998).run()
    pair.sender.link.send(b"x" * 16)  # two fragments: the last two numbers
    pair.run()
    for end in (pair.sender, pair.receiver):
        assert end.closed is not None
        assert end.closed.ending is Ending.EXHAUSTED
    assert pair.receiver.messages == [b"x" * 16]


def test_a_message_for_which_there_are_not_numbers_enough_is_not_begun() -> None:
    pair = Pair(first=999_999).run()
    assert not pair.sender.link.room(b"x" * 16)
    pair.sender.link.send(b"x" * 16)
    assert pair.sender.take() == b""
    assert pair.sender.closed is not None
    assert pair.sender.closed.ending is Ending.EXHAUSTED


def test_what_can_be_sent_is_bounded() -> None:
    pair = Pair(limits=ClassicLimits(message_bytes=100)).run()
    with pytest.raises(LocalError, match="too long"):
        pair.sender.link.send(b"x" * 101)
    with pytest.raises(LocalError, match="not open"):
        at(State.ASKING).link.send(b"early")
    with pytest.raises(LocalError, match="nobody asks"):
        pair.receiver.link.answer(Answer.OK, NOW)


def test_limits_that_cannot_work() -> None:
    for wrong in (
        {"message_bytes": 0},
        {"handshake_seconds": 0},
        {"answer_seconds": -1},
        {"outgoing_bytes": 1},
        {"connections": 0},
    ):
        with pytest.raises(LocalError):
            ClassicLimits(**wrong)


def test_keys_of_another_kind_are_no_keys() -> None:
    for make in (RsaPublic, RsaPrivate):
        with pytest.raises(DecodeError):
            make(b"rubbish")
