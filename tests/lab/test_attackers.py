"""The attackers' own tools are right, or their failing would prove nothing."""

from __future__ import annotations

import os

import pytest

from conclave.classic.keys import derive_keys
from conclave.classic.records import Writer
from conclave.crypto.aead import AES_128_GCM
from conclave.crypto.classic import hkdf
from conclave.crypto.kdf import SHA256
from conclave.errors import VerificationError
from conclave.lab.classic_secrets import _key
from conclave.lab.judging import fooled, told
from conclave.lab.report_reader import BadMac, BadPadding, ReportReader
from conclave.lab.tls13 import Sealer, expand_label


def test_the_key_schedule_of_tls_13() -> None:
    """RFC 8448 section 3: early secret, and what is derived from it."""
    early = SHA256.extract(bytes(32), bytes(32))
    assert early.hex() == "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a"
    derived = expand_label(SHA256, early, "derived", SHA256.hash(b""), 32)
    assert derived.hex() == "6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba"


def test_records_of_tls_13_open_in_their_place_only() -> None:
    sealer = Sealer(SHA256, AES_128_GCM, bytes(range(32)))
    record = sealer.seal(b"words", 23, 7)
    assert sealer.open(record, 7) == (23, b"words")
    for number in (6, 8):
        with pytest.raises(VerificationError):
            sealer.open(record, number)


def test_the_fast_derivation_is_hkdf() -> None:
    material, salt = os.urandom(8), os.urandom(16)
    assert _key(material, salt) == hkdf(material, salt, 32)


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 32, 38, 1000])
def test_the_reports_reader_reads_what_the_shipped_writer_writes(length: int) -> None:
    keys = derive_keys(os.urandom(32), os.urandom(16))
    writer, reader = Writer(keys.sender), ReportReader(keys.sender, ())
    for message in (os.urandom(length), b"and another"):
        assert list(reader.read(writer.seal(message))) == [message]
    assert not reader.within


def test_the_reports_reader_tells_what_was_wrong() -> None:
    keys = derive_keys(os.urandom(32), os.urandom(16))
    good = Writer(keys.sender).seal(b"0123456789")
    with pytest.raises(BadMac):
        ReportReader(keys.sender, ()).open(good[:13] + bytes([good[13] ^ 1]) + good[14:])
    with pytest.raises(BadPadding):
        ReportReader(keys.sender, ()).open(good[:44] + bytes([good[44] ^ 0x80]) + good[45:])


class Somebody:
    name = "burak"
    end = ""

    def __init__(self, texts: list[str], *, alarmed: bool) -> None:
        self.texts = texts
        self.ended = self.alarmed = alarmed


@pytest.mark.parametrize(
    ("texts", "alarmed", "verdict"),
    [
        (["a", "b"], False, False),
        (["a"], True, False),
        ([], True, False),
        (["a"], False, True),
        (["b"], True, True),
        (["b", "a"], True, True),
        (["a", "b", "b"], True, True),
        (["a", "x"], True, True),
    ],
)
def test_who_counts_as_fooled(texts: list[str], alarmed: bool, verdict: bool) -> None:
    assert fooled(Somebody(texts, alarmed=alarmed), ["a", "b"]) is verdict


def test_what_was_shown_is_told_in_short() -> None:
    assert told([]) == "nothing"
    assert told(["a", "b"]) == "“a”, “b”"
    assert told(["x" * 2000, "a", "b", "c", "d"]) == "2,000 characters, “a”, “b” and 2 more"
