from __future__ import annotations

import pytest

from conclave.authority import revocation
from conclave.authority.revocation import KEPT_SECONDS, RevocationLists, expelled, resume, revoke, suspend
from conclave.errors import LocalError, Refused
from conclave.pki.names import Handle
from conclave.pki.policy import DAY
from conclave.pki.profile import Profile
from conclave.pki.revocation import Reason
from conclave.pki.verify import GRACE_SECONDS
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


def test_what_expired_leaves_the_list_when_nobody_takes_it_any_more(desk: Desk) -> None:
    """What a list forgets, grace would bring back to life, and nobody would put out of a lobby."""
    serial = enrol(desk)
    revoke(desk.store, "ayse", Reason.superseded, NOW, CONSOLE).result()
    assert KEPT_SECONDS > GRACE_SECONDS + DAY
    end = NOW + 10 * DAY + KEPT_SECONDS
    assert serial in lists(desk).current(end - 1).result().entries
    assert serial not in lists(desk).current(end + 1).result().entries


def test_expelled_is_who_has_no_device_left(desk: Desk) -> None:
    def told(now: float) -> list[tuple[str, str]]:
        return [(one.handle, one.reason) for one in expelled(desk.store.reads, now)]

    def serials(device: str) -> list[int]:
        return [c.serial for c in desk.store.reads.issued_to("ayse") if c.device == device]

    enrol(desk)
    im = enrol(desk, profile=Profile.IM)
    desk.invite("ayse", b"u" * 16)
    enrol(desk, token=b"u" * 16)
    revoke(desk.store, f"{im:x}", Reason.superseded, NOW, CONSOLE).result()
    assert told(NOW) == [], "another purpose's certificate"
    revoke(desk.store, "ayse/d1", Reason.superseded, NOW + 1, CONSOLE).result()
    assert told(NOW + 1) == [], "another device"
    assert told(NOW + 20 * DAY) == [], "which expires without a word against its owner"
    (last,) = serials("d2")
    revoke(desk.store, f"{last:x}", Reason.key_compromise, NOW + 2, CONSOLE).result()
    enrol(desk, "burak", b"b" * 16)
    suspend(desk.store, Handle("burak"), "on leave", NOW + 3, CONSOLE).result()
    assert told(NOW + 3) == [("burak", "certificateHold"), ("ayse", "keyCompromise")]
    assert told(NOW + 31 * DAY) == [("burak", "certificateHold")]
    desk.invite("ayse", b"v" * 16)
    enrol(desk, token=b"v" * 16)
    resume(desk.store, Handle("burak"), NOW + 4, CONSOLE).result()
    assert told(NOW + 4) == []


def test_the_expelled_are_bounded_and_looked_up_by_index(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for handle in ("ayse", "burak", "cem"):
        enrol(desk, handle, handle.encode().ljust(16))
        revoke(desk.store, handle, Reason.superseded, NOW + len(handle), CONSOLE).result()
    monkeypatch.setattr(revocation, "EXPELLED_MOST", 2)
    assert [one.handle for one in expelled(desk.store.reads, NOW)] == ["burak", "ayse"]
    ran: list[str] = []
    connection = desk.store.reads._connection
    connection.set_trace_callback(ran.append)
    expelled(desk.store.reads, NOW)
    connection.set_trace_callback(None)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {ran[0]}")]
    tables = ("SCAN accounts", "SCAN certificates")
    assert not [step for step in plan if step.startswith(tables) and "INDEX accounts_suspended" not in step], plan
