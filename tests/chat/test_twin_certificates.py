"""One key with two certificates: what was signed under it names one of them, and that one is kept.

Anybody makes another form of anybody's certificate that holds: of a signature (r, s) by ECDSA (r, n - s) is another.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from conclave.chat import events as ev
from conclave.chat.deeds import Recollect
from conclave.chat.reading import recollected
from conclave.chat.words.content import Content, History, Shared, Text, encode_content
from conclave.chat.words.originals import Signed, read_kept
from tests.chat.people import KNOWN, START, UNTIL
from tests.chat.room import Room


@pytest.fixture
def room() -> Room:
    return Room()


def twin(room: Room, handle: str) -> bytes:
    """Another certificate (DER) of the same key."""
    own = room.table.own[handle]
    first = x509.load_der_x509_certificate(own.credential.certificates[0])
    builder = (
        x509.CertificateBuilder()
        .subject_name(first.subject)
        .issuer_name(first.subject)
        .public_key(first.public_key())
        .serial_number(77)
        .not_valid_before(START)
        .not_valid_after(UNTIL - timedelta(days=1))
        .add_extension(first.extensions[0].value, critical=False)
    )
    der = builder.sign(Ed25519PrivateKey.from_private_bytes(own.signature_key), None).public_bytes(Encoding.DER)
    KNOWN[der] = handle
    return der


def with_twin(room: Room, handle: str, kept: bytes) -> bytes:
    """Signed words of ``handle`` on their way, with the other one."""
    original, _ = read_kept(kept)
    return Signed(original.content, original.signature, twin(room, handle)).encode()


def can_be_proven(room: Room, name: str, author: str, line: bytes) -> bool:
    """Whether ``name`` has words of the lobby with a certificate: to be exported, and given on."""
    answer = recollected(room.table.stores[name], Recollect(room.group, "#ops", ((author, line),)))
    return not answer.missing


def test_words_that_are_shared_under_another_certificate_can_be_given_on(room: Room) -> None:
    table = room.table
    content = Content(table.random(16), 0, table.now, Text("mine"))
    words = with_twin(room, "burak", room.seal(encode_content(content), room.next() + 5).original)
    room.submit(encode_content(Content(table.random(16), 0, table.now, Shared((words,)))))
    for name in ("ayse", "cem"):
        assert "mine" in table.words(name)
        assert can_be_proven(room, name, "burak", content.id)


def test_what_follows_words_that_are_shown_under_another_certificate_can_be_given_on() -> None:
    room = Room("deniz")
    table = room.table
    said = table.say("cem", "#ops", "before")
    for one in ("ayse", "burak", "cem"):
        table.link(one, "deniz")
    table.put("ayse", ev.InviteTo("#ops", ("deniz",)))
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
    table.wait(2.0)
    words = with_twin(room, "cem", table.stores["burak"].original("#ops", "cem", said) or b"")
    room.submit(encode_content(Content(table.random(16), 0, table.now, History("deniz", 1, (words,)))))
    later = table.say("cem", "#ops", "after")
    assert table.words("deniz")[-2:] == ["before", "after"]
    for line in (said, later):
        assert can_be_proven(room, "deniz", "cem", line)
