"""Known answers: the kept vectors of the classic suite, in straight lines and through our machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from conclave.classic.events import Answer, Opened
from conclave.classic.handshake import Own, Receiver, Sender
from conclave.classic.keys import derive_keys
from conclave.classic.limits import ClassicLimits
from conclave.classic.machine import ClassicLink
from conclave.crypto.classic import RsaPrivate
from conclave.errors import DecodeError
from tests.classic.people import NOW, Known
from tests.vectors.__main__ import main
from tests.vectors.classic import bodies, check, private

FILE = Path(__file__).parents[1] / "vectors" / "classic.json"
CASES: list[dict[str, Any]] = json.loads(FILE.read_text())
CURRENT = CASES[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"version-{case['version']}")
def test_each_value_follows_in_straight_lines_and_in_ours(case: dict[str, Any]) -> None:
    assert check(case) == 1


def test_version_1_is_read_in_vectors_only() -> None:
    old = CASES[1]
    assert old["version"] == 1
    assert len(bytes.fromhex(old["nonce"])) == 12
    with pytest.raises(DecodeError):
        derive_keys(bytes.fromhex(old["secret"]), bytes.fromhex(old["nonce"]))


def test_the_entrance_runs_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(FILE)]) == 0
    assert "1 passed, 0 failed" in capsys.readouterr().out
    assert main(["--classic-version", "1", str(FILE)]) == 0
    assert "1 passed, 0 failed" in capsys.readouterr().out
    assert main(["--classic-version", "3", str(FILE)]) == 2


def trusting(pem: bytes, now: float) -> Known:
    read = x509.load_pem_x509_certificate(pem)
    handle = str(read.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    return Known(handle, now + 10, read.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def own(role: str, certificate: bytes) -> Own:
    key = private(CURRENT["handshake"][f"{role}_key"])
    return Own(certificate, RsaPrivate(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())))


def replayed(link: ClassicLink, frames: list[str]) -> None:
    for frame in frames:
        link.receive(bytes.fromhex(frame), NOW)
    if any(not isinstance(event, Opened) for event in link.events()):
        link.answer(Answer.OK, NOW)


def test_our_machines_replay_the_transcript_in_both_roles() -> None:
    secret, nonce = bytes.fromhex(CURRENT["secret"]), bytes.fromhex(CURRENT["nonce"])
    said = bodies(CURRENT)
    frames = {
        who: [one["frame"] for one in CURRENT["handshake"]["frames"] if one["from"] == who]
        for who in ("sender", "receiver")
    }
    sender = ClassicLink(Sender(own("sender", said[2]), trusting, secret), ClassicLimits(), NOW)
    receiver = ClassicLink(Receiver(own("receiver", said[4]), trusting, nonce), ClassicLimits(), NOW)
    replayed(sender, frames["receiver"])
    replayed(receiver, frames["sender"])
    sender.data_to_send(), receiver.data_to_send()
    message = bytes.fromhex(CURRENT["chain"][0]["message"])
    receiver.send(message)
    assert receiver.data_to_send().hex() == "".join(CURRENT["chain"][0]["fragments"])
    first = CURRENT["records"][6]
    sender.send(bytes(at % 251 for at in range(first["length"])))
    assert sender.data_to_send().hex() == "".join(first["fragments"])
