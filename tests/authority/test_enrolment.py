from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from conclave.authority.accounts import hash_token, invite, set_password
from conclave.authority.members import Member, admit
from conclave.authority.records import Issued
from conclave.authority.revocation import revoke, suspend
from conclave.errors import ConclaveError, DecodeError, LocalError, Refused
from conclave.pki.invite import encode_base32
from conclave.pki.keys import generate_device_key
from conclave.pki.names import Device, Handle
from conclave.pki.policy import DAY
from conclave.pki.profile import Profile
from conclave.pki.revocation import Reason
from conclave.pki.verify import VerifiedPeer, verify_peer
from conclave.store.authority import AuthorityStore
from tests.authority.desk import CONSOLE, HERE, Desk, ask
from tests.pki.ward import NOW

AYSE = Handle("ayse")


def refused(future: Future[Any]) -> str:
    with pytest.raises(Refused) as caught:
        future.result(10)
    assert caught.value.remedy
    return caught.value.reason


def by_token(desk: Desk, token: bytes, *, handle: str = "ayse", now: float = NOW, **kwargs: Any) -> Future[Issued]:
    return desk.enrolment.by_token(ask(handle, **kwargs), handle, token, now, HERE)


def verified(desk: Desk, issued: Issued) -> VerifiedPeer:
    return verify_peer(issued.der, desk.ward.trust, NOW, issued.profile, issued.handle)


def test_one_invite_enrols_one_device_in_every_profile(desk: Desk) -> None:
    token = desk.invite("ayse")
    peers = [verified(desk, by_token(desk, token, profile=profile).result()) for profile in Profile]
    assert [(p.handle, p.device, p.profile) for p in peers] == [(AYSE, "d1", profile) for profile in Profile]
    second = desk.invite("ayse", b"u" * 16)
    assert by_token(desk, second).result().device == "d2"
    assert desk.log() == [
        ("operator", "invite", "done"),
        *[("ayse", "enrol", "done")] * 3,
        ("operator", "invite", "done"),
        ("ayse", "enrol", "done"),
    ]


def test_the_same_token_and_key_get_the_same_certificate(desk: Desk) -> None:
    token, key = desk.invite("ayse", valid=60), generate_device_key(Profile.TLS)
    first = by_token(desk, token, key=key).result()
    late = by_token(desk, token, key=key, now=NOW + 5000).result()  # after the invite ran out, too
    assert late == first
    assert len(desk.store.reads.issued_to("ayse")) == 1


def test_another_key_gets_nothing(desk: Desk) -> None:
    token = desk.invite("ayse")
    by_token(desk, token).result()
    assert refused(by_token(desk, token)) == "token-used"
    assert len(desk.store.reads.issued_to("ayse")) == 1
    assert desk.log()[-1] == ("?'ayse'", "enrol", "token-used")


def test_a_token_is_only_for_its_handle_and_time(desk: Desk) -> None:
    token = desk.invite("ayse", valid=60)
    assert refused(by_token(desk, b"x" * 16)) == "bad-credentials"
    assert refused(by_token(desk, token, handle="burak")) == "other-handle"
    assert refused(desk.enrolment.by_token(ask("burak"), "ayse", token, NOW, HERE)) == "other-handle"
    assert refused(desk.enrolment.by_token(ask("ayse"), "burak", token, NOW, HERE)) == "other-handle"
    assert refused(by_token(desk, token, now=NOW + 61)) == "invite-expired"
    assert desk.store.reads.issued_to("ayse") == []
    assert by_token(desk, token, now=NOW + 60).result().handle == AYSE


def test_the_store_keeps_no_token(desk: Desk, tmp_path: Path) -> None:
    token = desk.invite("ayse", bytes(range(100, 116)))
    by_token(desk, token).result()
    assert desk.store.reads.invitation(hash_token(token)) is not None
    for file in tmp_path.iterdir():
        data = file.read_bytes()
        assert token not in data
        assert encode_base32(token).encode() not in data


def test_a_key_serves_one_device_and_purpose(desk: Desk) -> None:
    token, key = desk.invite("ayse"), generate_device_key(Profile.TLS)
    by_token(desk, token, key=key).result()
    assert refused(by_token(desk, token, profile=Profile.IM, key=key)) == "key-used"
    assert refused(by_token(desk, desk.invite("burak", b"u" * 16), handle="burak", key=key)) == "key-used"
    assert refused(by_token(desk, desk.invite("ayse", b"v" * 16), key=key)) == "key-used"
    assert desk.store.reads.devices("burak") == []  # a refusal leaves nothing behind


def race(count: int, act: Any) -> list[str]:
    """Do ``act(n)`` at once from ``count`` threads; how each ended."""
    ready, outcomes = Barrier(count), []

    def run(n: int) -> None:
        ready.wait()
        try:
            outcomes.append(f"done {act(n)}")
        except ConclaveError as error:
            outcomes.append(error.reason if isinstance(error, Refused) else type(error).__name__)

    threads = [Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_fifty_keys_race_for_one_invite(desk: Desk) -> None:
    token = desk.invite("ayse")
    requests = [ask("ayse") for _ in range(50)]
    outcomes = race(50, lambda n: desk.enrolment.by_token(requests[n], "ayse", token, NOW, HERE).result().device)
    assert sorted(outcomes) == ["done d1", *["token-used"] * 49]
    assert len(desk.store.reads.issued_to("ayse")) == 1


def test_fifty_invites_race_for_one_handle(desk: Desk) -> None:
    tokens = [bytes([n]) * 16 for n in range(50)]
    requests = [ask("ayse") for _ in range(50)]

    def act(n: int) -> Device:
        invite(desk.store, AYSE, "", tokens[n], NOW, 60, CONSOLE).result()
        return desk.enrolment.by_token(requests[n], "ayse", tokens[n], NOW, HERE).result().device

    assert sorted(race(50, act)) == sorted(f"done d{n}" for n in range(1, 51))
    assert [a.handle for a in desk.store.reads.accounts("", 100)] == [AYSE]
    serials = {issued.serial for issued in desk.store.reads.issued_to("ayse")}
    assert len(serials) == 50


def test_two_processes_race_for_one_invite(desk: Desk, tmp_path: Path) -> None:
    """Another connection to the same file stands for another process."""
    token = desk.invite("ayse")
    other = AuthorityStore(tmp_path / "authority.db")
    try:
        doors = [desk.enrolment, type(desk.enrolment)(other, desk.ward.issuing, desk.enrolment.settings)]
        requests = [ask("ayse") for _ in range(10)]
        outcomes = race(10, lambda n: doors[n % 2].by_token(requests[n], "ayse", token, NOW, HERE).result().device)
    finally:
        other.close()
    assert sorted(outcomes) == ["done d1", *["token-used"] * 9]


def test_a_password_opens_one_device_for_all_profiles(desk: Desk) -> None:
    set_password(desk.store, AYSE, "Ayse", "$argon2id$...", NOW, CONSOLE).result()
    key = generate_device_key(Profile.TLS)
    got = [desk.enrolment.by_password(ask("ayse", key=key), AYSE, NOW, HERE).result()]
    got += [
        desk.enrolment.by_password(ask("ayse", p), AYSE, NOW, HERE).result() for p in (Profile.IM, Profile.CLASSIC)
    ]
    assert [(c.device, c.profile) for c in got] == [("d1", profile) for profile in Profile]
    assert desk.enrolment.by_password(ask("ayse", key=key), AYSE, NOW + 900, HERE).result() == got[0]
    assert desk.enrolment.by_password(ask("ayse"), AYSE, NOW, HERE).result().device == "d2"
    assert desk.enrolment.by_password(ask("ayse"), AYSE, NOW, HERE).result().device == "d3"
    assert refused(desk.enrolment.by_password(ask("ayse", Profile.IM), AYSE, NOW, HERE)) == "device-unclear"
    assert desk.enrolment.by_password(ask("ayse", Profile.IM), AYSE, NOW + 601, HERE).result().device == "d4"
    expired = desk.enrolment.by_password(ask("ayse", key=key), AYSE, NOW + 11 * 86_400, HERE).result()
    assert (expired.device, expired.serial != got[0].serial) == ("d1", True)


def enrolled(desk: Desk, handle: str = "ayse", token: bytes = b"t" * 16) -> tuple[Member, Issued]:
    issued = by_token(desk, desk.invite(handle, token), handle=handle).result()
    return admit(desk.store.reads, verified(desk, issued)), issued


def test_renewal_keeps_the_device(desk: Desk) -> None:
    member, issued = enrolled(desk)
    new = desk.enrolment.renew(ask("ayse"), member, NOW + 60, HERE).result()
    assert (new.handle, new.device, new.serial != issued.serial) == (AYSE, "d1", True)
    assert new.not_before == issued.not_before
    later = desk.enrolment.renew(ask("ayse"), member, NOW + 3 * DAY, HERE).result()
    assert later.not_before == NOW + 2 * DAY  # peers whose clocks are behind believe it too
    first_im = desk.enrolment.renew(ask("ayse", Profile.IM), member, NOW, HERE).result()
    assert first_im.device == "d1"
    assert refused(desk.enrolment.renew(ask("burak"), member, NOW, HERE)) == "other-handle"
    assert desk.log()[-1] == ("ayse", "renew", "other-handle")


def test_the_revoked_and_suspended_get_nothing(desk: Desk) -> None:
    member, issued = enrolled(desk)
    _, other = enrolled(desk, "burak", b"u" * 16)
    revoke(desk.store, f"{issued.serial:x}", Reason.key_compromise, NOW, CONSOLE).result()
    assert refused(desk.enrolment.renew(ask("ayse"), member, NOW, HERE)) == "revoked"
    assert refused(by_token(desk, b"t" * 16, profile=Profile.IM)) == "revoked"  # what is left of its invite
    with pytest.raises(Refused, match="its key was stolen or lost"):
        admit(desk.store.reads, verified(desk, issued))
    suspend(desk.store, Handle("burak"), "on leave", NOW, CONSOLE).result()
    with pytest.raises(Refused, match="on leave"):
        admit(desk.store.reads, verified(desk, other))
    assert refused(invite(desk.store, Handle("burak"), "", b"w" * 16, NOW, 60, CONSOLE)) == "suspended"


def test_a_revoked_certificate_is_not_handed_out_again(desk: Desk) -> None:
    token, key = desk.invite("ayse"), generate_device_key(Profile.TLS)
    issued = by_token(desk, token, key=key).result()
    revoke(desk.store, f"{issued.serial:x}", Reason.superseded, NOW, CONSOLE).result()
    assert refused(by_token(desk, token, key=key)) == "revoked"


def test_a_certificate_that_was_never_issued_is_not_admitted(desk: Desk) -> None:
    """The issuing key signed it, but the database does not know it: a copy of the key was used elsewhere."""
    desk.invite("ayse")
    forged = desk.ward.enrol("ayse").certificate
    peer = verify_peer(forged.der, desk.ward.trust, NOW, Profile.TLS)
    with pytest.raises(Refused) as caught:
        admit(desk.store.reads, peer)
    assert caught.value.reason == "not-enrolled"


class TestByFile:
    def test_the_operator_vouches(self, desk: Desk) -> None:
        signed = desk.enrolment.by_file([ask("ayse"), ask("ayse", Profile.IM)], None, NOW, CONSOLE).result()
        assert [(s.issued.handle, s.issued.device, s.vouched, s.account_made) for s in signed] == [
            (AYSE, "d1", True, True),
            (AYSE, "d1", True, False),
        ]
        assert desk.log() == [("operator", "sign", "done")] * 2

    def test_a_token_in_the_request_is_spent(self, desk: Desk) -> None:
        challenge = encode_base32(desk.invite("ayse"))
        key = generate_device_key(Profile.TLS)
        request = ask("ayse", key=key, challenge=challenge)
        signed = desk.enrolment.by_file([request], None, NOW, CONSOLE).result()
        assert (signed[0].vouched, signed[0].issued.handle) == (False, AYSE)
        assert desk.enrolment.by_file([request], None, NOW, CONSOLE).result()[0].issued == signed[0].issued
        used = desk.enrolment.by_file([ask("ayse", challenge=challenge)], None, NOW, CONSOLE)
        assert refused(used) == "token-used"

    def test_a_given_handle_overrides(self, desk: Desk) -> None:
        signed = desk.enrolment.by_file([ask("eve", challenge="x")], Handle("cem"), NOW, CONSOLE).result()
        assert (signed[0].issued.handle, signed[0].vouched) == ("cem", True)

    def test_all_or_none(self, desk: Desk) -> None:
        with pytest.raises(DecodeError):
            desk.enrolment.by_file([ask("ayse"), ask("Not A Handle")], None, NOW, CONSOLE).result()
        assert desk.store.reads.accounts("", 10) == []

    def test_a_known_key_stays_with_its_device(self, desk: Desk) -> None:
        key = generate_device_key(Profile.TLS)
        first = desk.enrolment.by_file([ask("ayse", key=key)], None, NOW, CONSOLE).result()[0].issued
        later = desk.enrolment.by_file([ask("ayse", key=key)], None, NOW + 86_400, CONSOLE).result()[0].issued
        assert (later.device, later.serial != first.serial) == (first.device, True)


def test_odd_names_and_tokens(desk: Desk) -> None:
    with pytest.raises(LocalError):
        invite(desk.store, AYSE, "Ay\x1b]2;se", b"t" * 16, NOW, 60, CONSOLE).result()
    with pytest.raises(LocalError):
        invite(desk.store, AYSE, "", b"short", NOW, 60, CONSOLE)
