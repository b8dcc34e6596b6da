"""Enrolment over real HTTPS: who gets a certificate, and how everybody else is told no."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from conclave.authority.accounts import set_password
from conclave.authority.limits import Rate
from conclave.authority.revocation import revoke, suspend
from conclave.authority.settings import AuthoritySettings
from conclave.crypto.password import hash_password
from conclave.net.authority_client import AuthorityClient
from conclave.net.authority_enrol import enrol, fetch_trust
from conclave.net.contexts import authority_client_context, bootstrap_context
from conclave.pki.bundle import decode_bundle
from conclave.pki.credentials import Credentials
from conclave.pki.invite import Invite, decode_base32
from conclave.pki.keys import generate_device_key
from conclave.pki.names import Handle
from conclave.pki.policy import GrantSettings
from conclave.pki.profile import Profile
from conclave.pki.request import build_request, request_pem
from conclave.pki.revocation import Reason
from conclave.store.authority import AuthorityStore
from conclave.values import replace
from tests.authority.desk import CONSOLE
from tests.net.house import FAST, NAME, House, csr, open_house
from tests.pki.ward import make_ward, rsa_key

AYSE = Handle("ayse")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as made:
        yield made


async def test_from_invite_to_renewal_with_our_client(house: House) -> None:
    token = house.invite("ayse")
    root = house.ward.root.certificate.fingerprint
    line = Invite(AYSE, house.ward.trust.realm, (house.address,), root, decode_base32(token, 16, "token"), 2**31)
    trust = await fetch_trust(line)
    assert trust.realm == "ward-7.internal"
    held = {}
    for profile in Profile:
        key = rsa_key() if profile is Profile.CLASSIC else generate_device_key(profile)
        chain = await enrol(line.addresses, trust, profile, build_request(key, AYSE), AYSE, line.secret)
        held[profile] = Credentials(key, chain[0], chain[1:])
    async with AuthorityClient(line.addresses, trust, held[Profile.TLS]) as client:
        renewed = await client.renew(Profile.IM, build_request(generate_device_key(Profile.IM), AYSE))
        assert renewed[0].serial != held[Profile.IM].certificate.serial
        assert [user.handle for user in await client.users()] == ["ayse"]
        assert (await client.crl()).number == 1
    assert house.store.reads.devices("ayse") == ["d1"]
    assert [row[:2] for row in house.log("enrol", "renew")] == [*[("ayse", "enrol")] * 3, ("ayse", "renew")]


async def test_the_paths_for_everybody(house: House) -> None:
    for profile in Profile:
        answer = await house.ask("GET", f"/.well-known/est/{profile}/cacerts")
        assert answer.headers["Content-Type"] == "application/pkcs7-mime; smime-type=certs-only"
        assert answer.headers["Content-Transfer-Encoding"] == "base64"
        assert {c.der for c in decode_bundle(answer.body)} == {c.der for c in house.ward.trust.certificates}
        attributes = await house.ask("GET", f"/.well-known/est/{profile}/csrattrs")
        assert base64.b64decode(attributes.body).startswith(b"\x30")
    crl = await house.ask("GET", "/crl")
    assert house.ward.trust.read_crl(crl.body).number == 1
    assert crl.headers["Server"] == "conclave"


@pytest.mark.parametrize("form", ["base64", "one line", "der", "pem"])
async def test_the_forms_of_a_request(house: House, form: str) -> None:
    der = build_request(generate_device_key(Profile.TLS), AYSE)
    body = {"base64": base64.encodebytes(der), "one line": base64.b64encode(der), "der": der, "pem": request_pem(der)}
    answer = await house.simpleenroll("ayse", house.invite("ayse"), body[form])
    assert answer.status == 200
    assert {c.common_name for c in decode_bundle(answer.body)} == {"ayse", "Ward 7 issuing"}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer x",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"ayse:").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Basic " + base64.b64encode(b"ayse:" + b"A" * 26).decode(),
        "Basic " + base64.b64encode(b"Ay\x1bse:wrong password").decode(),
        "Basic " + "A" * 4000,
    ],
)
async def test_without_credentials(house: House, header: str) -> None:
    house.invite("ayse")
    headers = {"Authorization": header} if header else {}
    answer = await house.ask("POST", "/.well-known/est/tls/simpleenroll", data=csr(), headers=headers)
    assert answer.error[0] == 401
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="authority.ward-7.internal"')
    assert house.store.reads.issued_to("ayse") == []


async def test_used_expired_and_other(house: House) -> None:
    used, expired, other = house.invite("ayse"), house.invite("ayse", valid=5), house.invite("burak")
    assert (await house.simpleenroll("ayse", used)).status == 200
    house.ahead = 6
    assert (await house.simpleenroll("ayse", used)).error == (403, "token-used")
    assert (await house.simpleenroll("ayse", expired)).error == (403, "invite-expired")
    assert (await house.simpleenroll("ayse", other)).error == (403, "other-handle")
    assert (await house.simpleenroll("burak", other, csr("ayse"))).error == (403, "other-handle")
    assert [row[3] for row in house.log("enrol")] == [
        "done",
        "token-used",
        "invite-expired",
        "other-handle",
        "other-handle",
    ]


async def test_bad_requests(house: House) -> None:
    token = house.invite("ayse")
    der = build_request(generate_device_key(Profile.TLS), AYSE)
    forged = der[:-1] + bytes([der[-1] ^ 1])
    assert (await house.simpleenroll("ayse", token, base64.b64encode(forged))).error == (400, "bad-signature")
    for body in (b"", b"\x00", b"????", b"MIIB", b"-----BEGIN CERTIFICATE REQUEST-----\n", der[:100], der + b"\x00"):
        assert (await house.simpleenroll("ayse", token, body)).error == (400, "malformed")
    assert (await house.simpleenroll("ayse", token, csr(profile=Profile.CLASSIC))).error == (400, "unsuitable-key")
    assert (await house.simpleenroll("ayse", token, b"A" * 16_385)).error == (413, "too-large")
    assert (await house.simpleenroll("ayse", token, profile="admin")).error == (404, "unknown-profile")
    assert (await house.ask("GET", "/.well-known/est/tls/serverkeygen")).error == (404, "not-found")
    assert (await house.ask("GET", "/.well-known/est/tls/simpleenroll")).error == (405, "method-not-allowed")
    assert house.store.reads.issued_to("ayse") == []
    assert ("?'ayse'", "enrol", "tls: the certificate request's own signature does not hold", "bad-request") in [
        (*row[:2], row[2].partition(":")[0] + ":" + row[2].partition(":")[2].partition(": ")[0], row[3])
        for row in house.log("enrol")
    ]
    assert (await house.simpleenroll("ayse", token)).status == 200, "the token is not spent by what was refused"


async def test_the_same_request_again_gets_the_same_certificate(house: House) -> None:
    token, body = house.invite("ayse"), csr()
    answers = [await house.simpleenroll("ayse", token, body) for _ in range(2)]
    assert answers[0].body == answers[1].body
    assert len(house.store.reads.issued_to("ayse")) == 1


async def test_fifty_at_once_with_one_invite(tmp_path: Path) -> None:
    async with open_house(tmp_path, AuthoritySettings(token_rate=Rate(50, 1))) as house:
        token, session = house.invite("ayse"), house.session()
        bodies = [csr() for _ in range(50)]
        answers = await asyncio.gather(*(house.simpleenroll("ayse", token, body, session=session) for body in bodies))
        assert sorted(answer.status for answer in answers) == [200] + [403] * 49
        assert len(house.store.reads.issued_to("ayse")) == 1


async def test_fifty_people_at_once(house: House) -> None:
    session = house.session()
    people = [(f"p{n}", house.invite(f"p{n}")) for n in range(50)]
    answers = await asyncio.gather(*(house.simpleenroll(who, token, session=session) for who, token in people))
    assert {answer.status for answer in answers} == {200}
    assert {len(house.store.reads.issued_to(who)) for who, _ in people} == {1}


async def test_a_password_account(house: House) -> None:
    hashed = hash_password("correct horse battery", b"s" * 16)
    set_password(house.store, AYSE, "Ayse", hashed, house.clock(), CONSOLE).result()
    assert (await house.simpleenroll("ayse", "incorrect horse")).error == (401, "bad-credentials")
    assert (await house.simpleenroll("burak", "correct horse battery")).error == (401, "bad-credentials")
    trust = house.ward.trust
    for profile in (Profile.TLS, Profile.IM):
        request = build_request(generate_device_key(profile), AYSE)
        chain = await enrol((house.address,), trust, profile, request, AYSE, "correct horse battery")
        assert chain[0].common_name == "ayse"
    assert house.store.reads.devices("ayse") == ["d1"], "both profiles are for one device"
    assert [row[3] for row in house.log("enrol")] == ["bad-credentials", "bad-credentials", "done", "done"]


class TestRates:
    async def test_of_an_address(self, tmp_path: Path) -> None:
        async with open_house(tmp_path, AuthoritySettings(address_rate=Rate(3, 0.1))) as house:
            session = house.session()
            answers = [await house.ask("GET", "/crl", session) for _ in range(4)]
            assert [a.status for a in answers] == [200, 200, 200, 429]
            assert answers[-1].error == (429, "too-many-requests")
            assert answers[-1].headers["Retry-After"] == "10"
            house.ahead = 11
            assert (await house.ask("GET", "/crl", session)).status == 200

    async def test_of_a_token(self, tmp_path: Path) -> None:
        async with open_house(tmp_path, AuthoritySettings(token_rate=Rate(2, 0.01))) as house:
            token = house.invite("ayse")
            statuses = [(await house.simpleenroll("ayse", token, b"junk!")).status for _ in range(3)]
            assert statuses == [400, 400, 429]
            assert (await house.simpleenroll("burak", house.invite("burak"))).status == 200

    async def test_of_wrong_passwords(self, tmp_path: Path) -> None:
        async with open_house(tmp_path, AuthoritySettings(password_rate=Rate(2, 0.01))) as house:
            hashed = hash_password("correct horse battery", b"s" * 16)
            set_password(house.store, AYSE, "", hashed, house.clock(), CONSOLE).result()
            right = [await house.simpleenroll("ayse", "correct horse battery") for _ in range(3)]
            assert [a.status for a in right] == [200] * 3, "right ones do not count"
            wrong = [await house.simpleenroll("ayse", "incorrect horse") for _ in range(3)]
            assert [a.status for a in wrong] == [401, 401, 429]
            assert (await house.simpleenroll("ayse", "correct horse battery")).status == 429, "not even the right one"

    async def test_of_an_account(self, tmp_path: Path) -> None:
        rules = AuthoritySettings(account_rate=Rate(3, 0.1), renewal_rate=Rate(1, 0.1))
        async with open_house(tmp_path, rules) as house:
            session, other = house.session(house.enrol("ayse")), house.session(house.enrol("burak"))
            path = "/.well-known/est/tls/simplereenroll"
            assert [(await house.ask("POST", path, session, data=csr())).status for _ in range(2)] == [200, 429]
            assert [(await house.ask("GET", "/directory/users", session)).status for _ in range(2)] == [200, 429]
            assert (await house.ask("GET", "/directory/users", other)).status == 200


class TestCertificates:
    async def test_nothing_without_one(self, house: House) -> None:
        for method, path in (
            ("GET", "/directory/users"),
            ("GET", "/directory/users/ayse"),
            ("GET", "/presence"),
            ("POST", "/.well-known/est/tls/simplereenroll"),
        ):
            assert (await house.ask(method, path)).error == (401, "certificate-required")

    async def test_revoked_and_suspended_at_the_next_request(self, tmp_path: Path) -> None:
        """On a kept connection, before the revocation list has heard of it: another process has marked the row."""
        async with open_house(tmp_path, limits=replace(FAST, poll_seconds=60)) as house:
            ayse, burak = (house.session(house.enrol(name)) for name in ("ayse", "burak"))
            for session in (ayse, burak):
                assert (await house.ask("GET", "/directory/users", session)).status == 200
            other = AuthorityStore(tmp_path / "authority.db")
            revoke(other, "ayse", Reason.key_compromise, house.clock(), CONSOLE).result()
            suspend(other, Handle("burak"), "on leave", house.clock(), CONSOLE).result()
            other.close()
            for path in ("/directory/users", "/presence"):
                answer = await house.ask("GET", path, ayse)
                assert answer.error == (403, "revoked")
                assert "invite" in answer.json["remedy"]
            answer = await house.ask("POST", "/.well-known/est/tls/simplereenroll", burak, data=csr("burak"))
            assert answer.error == (403, "suspended")
            assert "on leave" in answer.json["text"]
            await house.logged("ayse", "access", "/presence", "revoked")

    async def test_expired_is_told_in_words(self, tmp_path: Path) -> None:
        """OpenSSL's clock says so, too: the handshake lets it in only to be told why it is refused."""
        async with open_house(tmp_path, AuthoritySettings(grant=GrantSettings(lifetime=60))) as house:
            session = house.session(house.enrol("ayse", now=house.clock() - 100))
            answer = await house.ask("GET", "/directory/users", session)
            assert answer.error == (401, "expired")
            assert "conclave join" in answer.json["remedy"]

    async def test_one_that_runs_out_while_connected(self, house: House) -> None:
        session = house.session(house.enrol("ayse"))
        assert (await house.ask("GET", "/directory/users", session)).status == 200
        house.ahead = 11 * 86_400
        assert (await house.ask("GET", "/directory/users", session)).error == (401, "expired")

    async def test_strangers_do_not_get_through_the_handshake(self, house: House) -> None:
        other = make_ward(now=house.clock())
        for credentials in (other.enrol("ayse", now=house.clock()), house.enrol("ayse", Profile.IM)):
            with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
                await house.ask("GET", "/crl", house.session(credentials))

    async def test_one_that_the_database_does_not_know(self, house: House) -> None:
        house.invite("ayse")
        session = house.session(house.ward.enrol("ayse", now=house.clock()))
        assert (await house.ask("GET", "/directory/users", session)).error == (401, "not-enrolled")


async def test_the_directory(house: House) -> None:
    session = house.session(house.enrol("ayse"))
    house.invite("burak")
    answer = await house.ask("GET", "/directory/users?query=bu", session)
    assert answer.json == {"users": [{"handle": "burak", "name": "", "online": False, "address": None, "since": 0}]}
    assert (await house.ask("GET", "/directory/users?online=1", session)).json == {"users": []}
    assert (await house.ask("GET", "/directory/users/burak", session)).json["handle"] == "burak"
    assert (await house.ask("GET", "/directory/users/eve", session)).error == (404, "unknown-user")
    assert (await house.ask("GET", "/directory/users?query=" + "x" * 65, session)).error == (400, "query-too-long")


async def test_a_full_disk(house: House) -> None:
    people = [(f"p{n}", house.invite(f"p{n}"), csr(f"p{n}")) for n in range(20)]
    writer = house.store._writer
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages + 2}")
    answers = [await house.simpleenroll(*person) for person in people]
    full = [person for person, answer in zip(people, answers, strict=True) if answer.status != 200]
    assert full
    assert answers[-1].error == (503, "storage")
    assert answers[-1].headers["Retry-After"]
    assert all(house.store.reads.issued_to(who) == [] for who, _, _ in full), "nothing half done"
    writer.execute("PRAGMA max_page_count = 100000")
    assert {(await house.simpleenroll(*person)).status for person in people} == {200}
    assert {len(house.store.reads.issued_to(who)) for who, _, _ in people} == {1}


class TestConnections:
    async def test_are_bounded_per_address(self, tmp_path: Path) -> None:
        async with open_house(tmp_path, limits=replace(FAST, connections_per_address=3, request_seconds=30)) as house:
            at = (house.address.host, house.address.port)
            open_ones = [await asyncio.open_connection(*at) for _ in range(3)]
            await asyncio.sleep(0.1)
            reader, writer = await asyncio.open_connection(*at)
            assert await closed(reader), "a fourth is closed at once"
            writer.close()
            for _, one in open_ones:
                one.close()
            await asyncio.sleep(0.1)
            assert (await house.ask("GET", "/crl")).status == 200, "there is room again"

    @pytest.mark.parametrize("half", [b"", b"GET /crl HTTP/1.1\r\nHost: x\r\nX-Slow: "])
    async def test_that_dawdle_are_closed(self, tmp_path: Path, half: bytes) -> None:
        async with open_house(tmp_path, limits=replace(FAST, request_seconds=0.2, idle_seconds=60)) as house:
            context = bootstrap_context()
            reader, writer = await asyncio.open_connection(house.address.host, house.address.port, ssl=context)
            writer.write(half)
            assert await closed(reader)
            writer.close()

    async def test_kept_ones_are_closed_when_idle(self, tmp_path: Path) -> None:
        async with open_house(tmp_path, limits=replace(FAST, idle_seconds=0.2)) as house:
            context = bootstrap_context()
            reader, writer = await asyncio.open_connection(house.address.host, house.address.port, ssl=context)
            writer.write(b"GET /crl HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            assert await closed(reader)
            writer.close()

    async def test_a_handshake_that_never_ends(self, tmp_path: Path) -> None:
        async with open_house(tmp_path, limits=replace(FAST, request_seconds=0.2)) as house:
            reader, writer = await asyncio.open_connection(house.address.host, house.address.port)
            writer.write(b"\x16\x03\x01")
            assert await closed(reader)
            writer.close()

    async def test_garbage_instead_of_tls_and_http(self, house: House) -> None:
        for context, junk in ((None, b"GET / HTTP/1.1\r\n\r\n"), (bootstrap_context(), b"\x00\xff" * 500)):
            reader, writer = await asyncio.open_connection(house.address.host, house.address.port, ssl=context)
            writer.write(junk)
            assert await closed(reader)
            writer.close()
        assert (await house.ask("GET", "/crl")).status == 200

    async def test_a_body_that_never_comes(self, tmp_path: Path) -> None:
        async with open_house(tmp_path, limits=replace(FAST, request_seconds=0.2)) as house:
            basic = base64.b64encode(f"ayse:{house.invite('ayse')}".encode())
            reader, writer = await asyncio.open_connection(
                house.address.host, house.address.port, ssl=bootstrap_context()
            )
            head = b"POST /.well-known/est/tls/simpleenroll HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n"
            writer.write(head + b"Authorization: Basic " + basic + b"\r\n\r\nMIIB")
            assert (await reader.readline()).startswith(b"HTTP/1.1 408")
            assert await closed(reader)
            writer.close()


async def closed(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(5):
        with suppress(OSError):
            await reader.read()
    return True


HEADS = [
    b"GET /crl HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    b"\x16\x03\x01 / HTTP/9\r\n\r\n",
    b"GET /crl HTTP/1.1\r\nHost\x00: a\r\n\r\n",
    b"GET /crl HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST /crl HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"GET /crl HTTP/1.1\r\nHost: a\r\n\r\n\x00\x00\x00\x00 /\r\n\r\n",
]


@pytest.mark.parametrize("raw", HEADS)
async def test_what_is_no_http_leaves_no_traceback(
    house: House, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A stranger must not fill the disk by it: nothing at the level that is logged, one line for who debugs."""
    caplog.set_level(logging.DEBUG, "conclave.authority")
    context = authority_client_context(house.ward.trust)
    address = house.address
    reader, writer = await asyncio.open_connection(address.host, address.port, ssl=context, server_hostname=NAME)
    writer.write(raw)
    async with asyncio.timeout(5):
        while not re.match(rb"HTTP/1\.\d 4", answer := await reader.readline()):
            assert answer
    writer.close()
    await asyncio.sleep(0.05)
    told = [record for record in caplog.records if not record.name.startswith("asyncio")]
    assert all(record.levelno == logging.DEBUG and not record.exc_info for record in told), told
    assert len(told) == 1
    assert "\n" not in told[0].getMessage()
    assert len(told[0].getMessage()) < 200
