"""MLS groups whose members are the authority's certificates: who gets in, and who is the same member."""

from __future__ import annotations

import pytest

from conclave.crypto.suite import CLASSICAL
from conclave.errors import LocalError, VerificationError
from conclave.mls import group
from conclave.node.authentication import members, verifier
from conclave.pki.credentials import Credentials
from conclave.pki.policy import DAY
from conclave.pki.profile import Profile
from conclave.pki.revocation import Revoked, make_crl
from tests.mls.world import seeded
from tests.pki.ward import NOW, make_ward, ward

VERIFY = verifier(ward().trust)
random = seeded("authentication")


def credential(whose: Credentials) -> group.Credential:
    return group.Credential.x509((whose.certificate.der, whose.above[0].der))


def package(whose: Credentials, now: float = NOW) -> group.OwnKeyPackage:
    lifetime = (int(now) - 3600, int(now) + 86400)
    return group.OwnKeyPackage.create(CLASSICAL, credential(whose), whose.key.raw(), lifetime, random)


def found(whose: Credentials, verify: group.Verify = VERIFY) -> group.State:
    return group.create(package(whose), b"ops", verify=verify, now=NOW, random=random)


def add(
    state: group.State, joins: group.OwnKeyPackage, verify: group.Verify = VERIFY, now: float = NOW
) -> tuple[group.State, bytes]:
    staged = group.commit(state, [group.Add(joins.package)], verify=verify, now=now, random=random)
    return group.merge(state, staged), staged.welcome


AYSE, BURAK = ward().enrol("ayse", Profile.IM), ward().enrol("burak", Profile.IM)


def test_a_members_identity_is_its_handle() -> None:
    assert VERIFY(credential(AYSE), b"", NOW) == b"ayse"
    own = package(BURAK)
    state, welcome = add(found(AYSE), own)
    joined = group.join(welcome, own, verify=VERIFY, now=NOW)
    for each in (state, joined):
        assert sorted(member.identity for member in group.members(each).values()) == [b"ayse", b"burak"]


def test_a_renewed_certificate_is_the_same_member() -> None:
    own = package(BURAK)
    ayses, welcome = add(found(AYSE), own)
    buraks = group.join(welcome, own, verify=VERIFY, now=NOW)
    later = NOW + 7 * DAY
    renewed = ward().enrol("burak", Profile.IM, now=later)
    staged = group.commit(
        buraks,
        verify=VERIFY,
        now=later,
        random=random,
        credential=credential(renewed),
        signature_key=renewed.key.raw(),
    )
    taken = group.process(ayses, staged.message, verify=VERIFY, now=later)
    assert isinstance(taken, group.Staged)
    after = group.members(group.merge(ayses, taken))
    assert [(m.identity, m.signature_key) for m in after.values()] == [
        (b"ayse", AYSE.key.public[-32:]),
        (b"burak", renewed.key.public[-32:]),
    ]


def test_nobody_becomes_somebody_else() -> None:
    own = package(BURAK)
    ayses, welcome = add(found(AYSE), own)
    buraks = group.join(welcome, own, verify=VERIFY, now=NOW)
    cem = ward().enrol("cem", Profile.IM)

    def blind(_: group.Credential, __: bytes, ___: float) -> bytes:
        return b"burak"

    staged = group.commit(
        buraks,
        verify=blind,
        now=NOW,
        random=random,
        credential=credential(cem),
        signature_key=cem.key.raw(),
    )
    with pytest.raises(group.RuleError):
        group.process(ayses, staged.message, verify=VERIFY, now=NOW)


def test_a_second_member_of_one_handle_is_refused() -> None:
    with pytest.raises(LocalError):
        add(found(AYSE), package(ward().enrol("ayse", Profile.IM)))


def test_a_bare_name_is_nobody() -> None:
    lifetime = (int(NOW) - 3600, int(NOW) + 86400)
    bare = group.Credential.basic(b"burak")
    own = group.OwnKeyPackage.create(CLASSICAL, bare, BURAK.key.raw(), lifetime, random)
    with pytest.raises(LocalError, match="cannot be committed"):
        add(found(AYSE), own)
    with pytest.raises(VerificationError, match="bare name"):
        VERIFY(bare, b"", NOW)


def test_the_certificate_is_the_one_of_the_key() -> None:
    """MLS itself holds a leaf's key against its certificate."""
    lifetime = (int(NOW) - 3600, int(NOW) + 86400)
    own = group.OwnKeyPackage.create(CLASSICAL, credential(BURAK), AYSE.key.raw(), lifetime, random)
    with pytest.raises(LocalError, match="certificate's key"):
        add(found(AYSE), own)


@pytest.mark.parametrize("whose", [ward().enrol("cem", Profile.TLS), make_ward("Other").enrol("cem", Profile.IM)])
def test_another_profile_and_another_realm(whose: Credentials) -> None:
    with pytest.raises(LocalError, match="not accepted"):
        add(found(AYSE), package(whose))


def test_revoked_before_and_after() -> None:
    crl = make_crl(ward().issuing, [Revoked(BURAK.certificate.serial, NOW, "key-compromise")], NOW)
    newer = verifier(ward().trust.with_crl(crl))
    own = package(BURAK)
    state, welcome = add(found(AYSE), own)
    with pytest.raises(LocalError, match="revoked"):
        add(found(AYSE), package(BURAK), newer)
    with pytest.raises(group.RuleError, match="revoked"):
        group.join(welcome, own, verify=newer, now=NOW)
    assert state


def test_neither_time_nor_revocation_makes_anything_else_of_who_is_in() -> None:
    crl = make_crl(ward().issuing, [Revoked(AYSE.certificate.serial, NOW, "key-compromise")], NOW)
    judge = members(ward().trust.with_crl(crl))
    end = AYSE.certificate.not_after
    for now in (0.0, AYSE.certificate.not_before - DAY, NOW, end + 15 * DAY, end + 3650 * DAY):
        assert judge(credential(AYSE), b"", now) == b"ayse"
    stranger = make_ward("Other").enrol("ayse", Profile.IM)
    for other in (
        credential(stranger),
        credential(ward().enrol("ayse", Profile.TLS)),
        group.Credential.basic(b"ayse"),
    ):
        with pytest.raises(VerificationError):
            judge(other, b"", NOW)


def test_grace_lets_members_be_away_and_nobody_in_for_ever() -> None:
    ended = AYSE.certificate.not_after + DAY
    own = package(BURAK, ended)
    with pytest.raises(LocalError, match="expired"):
        add(found(AYSE), own, VERIFY, ended)
    patient = verifier(ward().trust, 2 * DAY)
    assert add(found(AYSE), own, patient, ended)
    with pytest.raises(LocalError, match="expired"):
        add(found(AYSE), package(BURAK, ended + 2 * DAY), patient, ended + 2 * DAY)
