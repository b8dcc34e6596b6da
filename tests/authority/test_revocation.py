from __future__ import annotations

import pytest

from conclave.authority.revocation import RevocationLists, resume, revoke, suspend
from conclave.errors import LocalError, Refused
from conclave.pki.names import Handle
from conclave.pki.profile import Profile
from conclave.pki.revocation import Reason
from tests.authority.desk import CONSOLE, HERE, Desk, ask
from tests.pki.ward import NOW

AYSE = Handle("ayse")


def lists(desk: Desk) -> RevocationLists:
    return RevocationLists(desk.store, desk.ward.issuing, desk.enrolment.settings)


def enrol(desk: Desk, handle: str = "ayse", token: bytes = b"t" * 16, profile: Profile = Profile.TLS) -> int:
    if not desk.store.reads.account(handle):
        desk.invite(handle, token)
    return desk.enrolment.by_token(ask(handle, profile), handle, token, NOW, HERE).result().serial


def test_revoke_by_serial_device_and_handle(desk: Desk) -> None:
    one, two = enrol(desk), enrol(desk, profile=Profile.IM)
    desk.invite("ayse", b"u" * 16)
    three = desk.enrolment.by_token(ask("ayse"), "ayse", b"u" * 16, NOW, HERE).result().serial
    colons = ":".join(f"{one:040x}"[i : i + 2] for i in range(0, 40, 2))
    revoked = revoke(desk.store, colons, Reason.superseded, NOW, CONSOLE).result()
    assert [c.serial for c in revoked] == [one]
    assert [c.serial for c in revoke(desk.store, "ayse/d1", Reason.superseded, NOW, CONSOLE).result()] == [two]
    assert [c.serial for c in revoke(desk.store, "ayse", Reason.superseded, NOW, CONSOLE).result()] == [three]
    for target, reason in (("ayse", "nothing-to-revoke"), ("deniz", "unknown-target"), ("dead", "unknown-target")):
        with pytest.raises(Refused) as caught:
            revoke(desk.store, target, Reason.superseded, NOW, CONSOLE).result()
        assert caught.value.reason == reason
    assert [row for row in desk.log() if row[1] == "revoke"] == [
        *[("operator", "revoke", "done")] * 3,
        ("operator", "revoke", "nothing-to-revoke"),
        *[("operator", "revoke", "unknown-target")] * 2,
    ]


def test_a_hold_is_a_suspension(desk: Desk) -> None:
    with pytest.raises(LocalError):
        revoke(desk.store, "ayse", Reason.certificate_hold, NOW, CONSOLE)


def test_the_list_follows_the_database(desk: Desk) -> None:
    serial = enrol(desk)
    first = lists(desk).current(NOW).result()
    assert (first.number, dict(first.entries)) == (1, {})
    assert lists(desk).current(NOW + 1).result().der == first.der
    revoke(desk.store, "ayse", Reason.key_compromise, NOW, CONSOLE).result()
    second = lists(desk).current(NOW).result()
    assert (second.number, second.entries[serial].reason) == (2, "keyCompromise")
    assert second.this_update > first.this_update, "two lists of one second are told apart"
    assert desk.ward.trust.with_crl(first).with_crl(second).revoked(desk.ward.issuing.certificate, serial)


def test_the_list_is_made_anew_every_hour(desk: Desk) -> None:
    first = lists(desk).current(NOW).result()
    assert lists(desk).current(NOW + 3599).result().number == first.number
    assert lists(desk).current(NOW + 3600).result().number == first.number + 1
    assert lists(desk).current(NOW + 3601, renew=True).result().number == first.number + 2


def test_a_clock_that_steps_back_makes_no_older_list(desk: Desk) -> None:
    first = lists(desk).current(NOW).result()
    back = lists(desk).current(NOW - 86_400, renew=True).result()
    assert back.this_update > first.this_update


def test_suspension_is_a_hold_that_ends(desk: Desk) -> None:
    serial = enrol(desk)
    suspend(desk.store, AYSE, "lost badge", NOW, CONSOLE).result()
    assert lists(desk).current(NOW).result().entries[serial].reason == "certificateHold"
    resume(desk.store, AYSE, NOW, CONSOLE).result()
    assert not lists(desk).current(NOW).result().entries
    with pytest.raises(Refused, match="no account"):
        suspend(desk.store, Handle("deniz"), "", NOW, CONSOLE).result()


def test_what_expired_leaves_the_list_a_day_later(desk: Desk) -> None:
    serial = enrol(desk)
    revoke(desk.store, "ayse", Reason.superseded, NOW, CONSOLE).result()
    end = NOW + 10 * 86_400
    assert serial in lists(desk).current(end + 86_000).result().entries
    assert serial not in lists(desk).current(end + 86_401).result().entries
