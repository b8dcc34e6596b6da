"""Joining, and joining again: who becomes whom, what stays, and what a failure in between leaves behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from conclave.authority.revocation import revoke
from conclave.errors import LocalError, NetworkError, NotEnrolled, Refused, VerificationError
from conclave.net import authority_enrol
from conclave.node.home import enrolment
from conclave.node.home.enrolment import STANDARD, Joined
from conclave.node.identity import Identity, keep_trust, read_trust
from conclave.node.paths import prepare_home, vault_path
from conclave.node.process import alone
from conclave.pki.address import parse_address
from conclave.pki.certificate import read_certificate
from conclave.pki.invite import Invite, decode_base32
from conclave.pki.issue import issue
from conclave.pki.names import Device, Handle
from conclave.pki.names import Identity as Name
from conclave.pki.policy import Grant
from conclave.pki.profile import Profile
from conclave.pki.request import read_request
from conclave.pki.revocation import Reason
from conclave.store import vault as vaults
from conclave.store.vault import VaultContent
from conclave.values import replace
from tests.authority.desk import CONSOLE
from tests.net.house import House, open_house
from tests.node.homes import CHEAP, PASSPHRASE
from tests.pki.ward import Ward, make_ward

DAY = 86_400.0
KEY = sha256(b"history").digest()
AYSE = Handle("ayse")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    folder = tmp_path / "authority"
    folder.mkdir()
    async with open_house(folder, ward=make_ward(now=time.time() - 60 * DAY)) as made:
        yield made


def quiet(_: str) -> None:
    pass


def content(home: Path) -> VaultContent:
    return vaults.unlock(vault_path(home), PASSPHRASE).content


def invite(house: House, handle: str = "ayse", ward: Ward | None = None) -> Invite:
    token = decode_base32(house.invite(handle), 16, "token")
    trust = (ward or house.ward).trust
    until = int(time.time()) + 3600
    return Invite(Handle(handle), trust.realm, (house.address,), trust.root.fingerprint, token, until)


def empty_home(home: Path, handle: str = "ayse") -> None:
    """As it is before anybody was asked, sealed at the least cost."""
    prepare_home(home)
    vaults.create(
        vault_path(home), PASSPHRASE, replace(enrolment._fresh(Handle(handle)), database_key=KEY), cost=CHEAP
    )


def enrolled_home(house: House, home: Path, *, ago: float = 0) -> None:
    """As it was ``ago`` seconds after enrolling."""
    at = time.time() - ago
    own = {profile: house.enrol("ayse", profile, now=at) for profile in STANDARD}
    empty_home(home)
    vault = vaults.unlock(vault_path(home), PASSPHRASE)
    profiles = tuple(
        vaults.Profile(p.value, held.key.der(), tuple(c.der for c in (held.certificate, *held.above)))
        for p, held in own.items()
    )
    trust = house.ward.trust
    known = replace(vault.content, realm=trust.realm, device="d1", authorities=(str(house.address),))
    vault.rewrite(replace(known, profiles=profiles, trust=keep_trust(trust)))


async def join(home: Path, line: Invite, *, again: bool = False) -> Joined:
    profiles = (Profile.TLS, Profile.IM)
    return await asyncio.to_thread(
        enrolment.join, home, line, line.secret, PASSPHRASE, profiles, quiet, again=again
    )  # fmt: skip


def losing(at: Profile, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """The answer for one profile is lost, after the authority has kept it. Gives the end of that."""
    real = authority_enrol.enrol

    async def enrol(addresses: Any, trust: Any, profile: Profile, *rest: Any) -> Any:
        answer = await real(addresses, trust, profile, *rest)
        if profile is at:
            raise NetworkError("the answer was lost")
        return answer

    monkeypatch.setattr(enrolment, "enrol", enrol)
    return lambda: monkeypatch.setattr(enrolment, "enrol", real)


async def test_a_first_enrolment(house: House, tmp_path: Path) -> None:
    home = tmp_path / "ayse"
    joined = await join(home, invite(house))
    kept = content(home)
    assert (joined.me.handle, joined.me.device, kept.device) == ("ayse", "d1", "d1")
    assert joined.root_sha256 == house.ward.trust.root.fingerprint
    assert [p.name for p in kept.profiles] == ["tls", "im"]
    assert kept.pending is None
    assert kept.authorities == (str(house.address),)
    assert Identity(vaults.unlock(vault_path(home), PASSPHRASE)).handle == "ayse"


async def test_an_expired_device_joins_again_and_keeps_its_history(house: House, tmp_path: Path) -> None:
    enrolled_home(house, tmp_path / "ayse", ago=11 * DAY)
    before = content(tmp_path / "ayse")
    joined = await join(tmp_path / "ayse", invite(house))
    after = content(tmp_path / "ayse")
    assert joined.me.not_after > time.time() + 9 * DAY
    assert after.database_key == before.database_key == KEY
    assert not {p.key for p in after.profiles} & {p.key for p in before.profiles}, "a key is of one device"
    assert [p.name for p in after.profiles] == [p.name for p in before.profiles]
    Identity(vaults.unlock(vault_path(tmp_path / "ayse"), PASSPHRASE)).demand_valid(time.time())


async def test_a_revoked_device_joins_again(house: House, tmp_path: Path) -> None:
    """It holds as far as is known at home: the authority is asked."""
    enrolled_home(house, tmp_path / "ayse")
    revoke(house.store, "ayse", Reason.superseded, house.clock(), CONSOLE).result()
    assert (await join(tmp_path / "ayse", invite(house))).me.device == "d3"
    assert content(tmp_path / "ayse").database_key == KEY


async def test_whose_certificate_holds_is_asked_to_say_so(house: House, tmp_path: Path) -> None:
    enrolled_home(house, tmp_path / "ayse")
    before, line = content(tmp_path / "ayse"), invite(house)
    with pytest.raises(LocalError, match="is enrolled here, as device d1 until") as caught:
        await join(tmp_path / "ayse", line)
    assert "--again" in caught.value.remedy
    with pytest.raises(LocalError, match="is enrolled here"):
        enrolment.write_requests(tmp_path / "ayse", tmp_path / "usb", AYSE, line, PASSPHRASE, STANDARD, quiet)
    assert content(tmp_path / "ayse") == before
    assert (await join(tmp_path / "ayse", line, again=True)).me.device == "d3"
    assert content(tmp_path / "ayse").database_key == KEY


async def test_another_person_or_authority_is_refused(house: House, tmp_path: Path) -> None:
    enrolled_home(house, tmp_path / "ayse", ago=11 * DAY)
    before = content(tmp_path / "ayse")
    with pytest.raises(LocalError, match=r"the home of ayse@ward-7\.internal, not of burak"):
        await join(tmp_path / "ayse", invite(house, "burak"), again=True)
    with pytest.raises(LocalError, match="trusts another authority"):
        await join(tmp_path / "ayse", invite(house, ward=make_ward(now=time.time())), again=True)
    assert content(tmp_path / "ayse") == before


async def test_a_home_in_which_nobody_was_enrolled_may_become_anothers(house: House, tmp_path: Path) -> None:
    line = replace(invite(house), addresses=(parse_address("127.0.0.1:9"),))
    with pytest.raises(NetworkError):
        await join(tmp_path / "home", line)
    with pytest.raises(LocalError, match="the home of ayse, not of burak") as caught:
        await join(tmp_path / "home", invite(house, "burak"))
    assert "or with --again this one" in caught.value.remedy
    joined = await join(tmp_path / "home", invite(house, "burak"), again=True)
    assert (joined.me.handle, content(tmp_path / "home").handle) == ("burak", "burak")


async def test_not_beside_a_running_node(house: House, tmp_path: Path) -> None:
    enrolled_home(house, tmp_path / "ayse", ago=11 * DAY)
    with alone(tmp_path / "ayse"), pytest.raises(LocalError, match="running"):
        await join(tmp_path / "ayse", invite(house))


@pytest.mark.parametrize("at", STANDARD)
@pytest.mark.parametrize("ago", [None, 11 * DAY], ids=["first", "again"])
async def test_a_lost_answer_is_harmless(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: Profile, ago: float | None
) -> None:
    """Who was somebody still is; the same invite goes on with the same keys."""
    home = tmp_path / "ayse"
    empty_home(home) if ago is None else enrolled_home(house, home, ago=ago)
    before, line = content(home), invite(house)
    restore = losing(at, monkeypatch)
    with pytest.raises(NetworkError):
        await join(home, line)
    between = content(home)
    assert replace(between, pending=None) == before
    assert between.pending is not None
    restore()
    issued = len(house.store.reads.issued_to("ayse"))
    await join(home, line)
    after = content(home)
    assert [p.key for p in after.profiles] == [p.key for p in between.pending.profiles]
    assert len(house.store.reads.issued_to("ayse")) == issued + (at is Profile.TLS), "what was granted is given again"
    assert after.pending is None


@pytest.mark.parametrize("ago", [None, 11 * DAY], ids=["first", "again"])
async def test_another_invite_after_half_an_enrolment(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ago: float | None
) -> None:
    """The keys of the first are another device's for ever."""
    home = tmp_path / "ayse"
    empty_home(home) if ago is None else enrolled_home(house, home, ago=ago)
    restore = losing(Profile.TLS, monkeypatch)
    with pytest.raises(NetworkError):
        await join(home, invite(house))
    if ago is None:
        with pytest.raises(NotEnrolled, match="not finished"):
            Identity(vaults.unlock(vault_path(home), PASSPHRASE))
    restore()
    joined = await join(home, invite(house))
    assert joined.me.device == content(home).device
    assert content(home).database_key == KEY


async def test_a_used_invite_leaves_everything_as_it_is(house: House, tmp_path: Path) -> None:
    line = invite(house)
    await join(tmp_path / "first", line)
    enrolled_home(house, tmp_path / "ayse", ago=11 * DAY)
    before = content(tmp_path / "ayse")
    with pytest.raises(Refused) as caught:
        await join(tmp_path / "ayse", line)
    assert caught.value.reason == "token-used"
    assert replace(content(tmp_path / "ayse"), pending=None) == before


def granted(ward: Ward, requests: Path, folder: Path) -> Path:
    """What an authority writes for the requests in a folder."""
    folder.mkdir()
    now = time.time()
    for profile in STANDARD:
        request = read_request((requests / f"{profile}.csr.pem").read_bytes(), profile)
        name = Name(AYSE, Device("d1"), ward.trust.realm)
        leaf = issue(Grant(name, profile, request.public, now - 300, now + 10 * DAY), ward.issuing)
        (folder / f"{profile}.pem").write_bytes(leaf.pem + ward.issuing.certificate.pem)
    (folder / "root.pem").write_bytes(ward.trust.root.pem)
    (folder / "issuing.pem").write_bytes(ward.issuing.certificate.pem)
    return folder


def by_file(home: Path, usb: Path) -> Path:
    enrolment.write_requests(home, usb, AYSE, None, PASSPHRASE, STANDARD, quiet, again=True)
    return usb


def test_by_file_and_again_by_file(tmp_path: Path) -> None:
    ours, evil = make_ward(now=time.time() - DAY), make_ward(now=time.time() - DAY)
    home, usb = tmp_path / "ayse", tmp_path / "usb"
    empty_home(home)
    joined = enrolment.take_certificates(home, granted(ours, by_file(home, usb), tmp_path / "1"), PASSPHRASE, None)
    assert joined.root_sha256 == ours.trust.root.fingerprint
    first = content(home)
    with pytest.raises(LocalError, match="is enrolled here"):
        enrolment.write_requests(home, usb, AYSE, None, PASSPHRASE, STANDARD, quiet)

    requests = by_file(home, usb)
    assert content(home).profiles == first.profiles, "the old certificates stand until the new ones are there"
    another = granted(evil, requests, tmp_path / "evil")
    with pytest.raises(VerificationError, match="fingerprint"):
        enrolment.take_certificates(home, another, PASSPHRASE, None)
    assert replace(content(home), pending=None) == first
    enrolment.take_certificates(home, granted(ours, requests, tmp_path / "2"), PASSPHRASE, None)
    second = content(home)
    assert second.pending is None
    assert not {p.key for p in second.profiles} & {p.key for p in first.profiles}
    assert second.database_key == KEY

    named = evil.trust.root.fingerprint
    another = granted(evil, by_file(home, usb), tmp_path / "evil again")
    assert enrolment.take_certificates(home, another, PASSPHRASE, named).root_sha256 == named
    assert read_trust(content(home).trust).root.fingerprint == named
    assert read_certificate(content(home).trust.root).der == evil.trust.root.der


def test_the_invite_names_the_root_for_files_too(tmp_path: Path) -> None:
    ours, evil = make_ward(now=time.time() - DAY), make_ward(now=time.time() - DAY)
    home, usb = tmp_path / "ayse", tmp_path / "usb"
    empty_home(home)
    line = Invite(AYSE, ours.trust.realm, (), ours.trust.root.fingerprint, b"t" * 16, 1)
    enrolment.write_requests(home, usb, AYSE, line, PASSPHRASE, STANDARD, quiet)
    with pytest.raises(VerificationError, match="fingerprint"):
        enrolment.take_certificates(home, granted(evil, usb, tmp_path / "evil"), PASSPHRASE, None)
    enrolment.take_certificates(home, granted(ours, usb, tmp_path / "1"), PASSPHRASE, None)


@pytest.mark.parametrize("name", ["root.pem", "tls.pem", "crl.pem"])
def test_no_link_is_read_or_written_through(tmp_path: Path, name: str) -> None:
    ward, home, usb = make_ward(now=time.time() - DAY), tmp_path / "ayse", tmp_path / "usb"
    empty_home(home)
    usb.mkdir()
    (tmp_path / "precious").write_text("precious")
    (usb / "tls.csr.pem").symlink_to(tmp_path / "precious")
    folder = granted(ward, by_file(home, usb), tmp_path / "granted")
    assert (tmp_path / "precious").read_text() == "precious"
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(tmp_path / "precious")
    with pytest.raises(LocalError, match="it is a link"):
        enrolment.take_certificates(home, folder, PASSPHRASE, None)
