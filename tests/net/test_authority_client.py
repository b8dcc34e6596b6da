"""The client against the authority itself, over real sockets; and against servers that mean it harm."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from conclave.authority.accounts import invite
from conclave.authority.audit import Actor
from conclave.authority.revocation import revoke, suspend
from conclave.authority.settings import AuthoritySettings
from conclave.errors import ConclaveError, DecodeError, NetworkError, Refused, RemoteError, VerificationError
from conclave.net.authority_calls import CallLimits
from conclave.net.authority_client import AuthorityClient
from conclave.net.authority_enrol import enrol, fetch_trust
from conclave.net.authority_limits import ServerLimits
from conclave.net.authority_server import AuthorityServer
from conclave.net.authority_watch import Expelled, NewCrl, Offline, Online, Presence, WatchEvent
from conclave.net.backoff import Backoff
from conclave.net.contexts import authority_server_context
from conclave.pki.address import Address
from conclave.pki.bundle import encode_bundle
from conclave.pki.credentials import Credentials
from conclave.pki.invite import Invite, encode_base32
from conclave.pki.keys import generate_device_key
from conclave.pki.names import Handle, parse_realm
from conclave.pki.policy import GrantSettings
from conclave.pki.profile import Profile
from conclave.pki.request import build_request
from conclave.pki.revocation import Reason
from conclave.store.authority import AuthorityStore
from conclave.values import replace
from tests.pki.ward import Ward, make_ward

AYSE, BURAK = Handle("ayse"), Handle("burak")
ACTOR = Actor("operator", "test")
QUICK = CallLimits(connect_seconds=2, call_seconds=5)


@dataclass
class Place:
    """An authority that runs."""

    ward: Ward
    store: AuthorityStore
    server: AuthorityServer

    async def invite(self, handle: Handle, token: bytes) -> Invite:
        made = invite(self.store, handle, handle.title(), token, time.time(), 60, ACTOR)
        await asyncio.wrap_future(made)
        trust = self.ward.trust
        return Invite(
            handle, trust.realm, (self.server.address,), trust.root.fingerprint, token, int(time.time()) + 60
        )

    async def enrol(self, handle: Handle, number: int = 1) -> Credentials:
        """The whole way: invite, trust, key, certificate."""
        invitation = await self.invite(handle, bytes([*handle.encode()[:4], number]) + bytes(11))
        trust = await fetch_trust(invitation, QUICK)
        key = generate_device_key(Profile.TLS)
        request = build_request(key, handle)
        chain = await enrol(
            invitation.addresses, trust, Profile.TLS, request, handle, invitation.secret, limits=QUICK
        )
        return Credentials(key, chain[0], chain[1:])

    def client(self, credentials: Credentials) -> AuthorityClient:
        return AuthorityClient([self.server.address], self.ward.trust, credentials, QUICK)


@asynccontextmanager
async def running(
    tmp_path: Path, ward: Ward, port: int = 0, settings: AuthoritySettings | None = None
) -> AsyncIterator[Place]:
    store = AuthorityStore(tmp_path / "authority.db")
    limits = ServerLimits(poll_seconds=0.05, sweep_seconds=0.1, stop_seconds=0.5)
    server = AuthorityServer(
        store,
        ward.issuing,
        ward.trust,
        settings or AuthoritySettings(),
        limits,
        time.time,
        host="127.0.0.1",
        port=port,
    )
    try:
        async with server:
            yield Place(ward, store, server)
    finally:
        store.close()


@pytest.fixture(scope="module")
def ward() -> Ward:
    return make_ward(now=time.time())


@pytest.fixture
async def place(tmp_path: Path, ward: Ward) -> AsyncIterator[Place]:
    async with running(tmp_path, ward) as it:
        yield it


def backoff() -> Backoff:
    return Backoff(lambda: 0.5, first=0.05, most=0.2)


async def until(
    events: AsyncGenerator[WatchEvent], wanted: Callable[[WatchEvent], bool], seconds: float = 5
) -> list[WatchEvent]:
    """Events up to and including the wanted one."""
    seen: list[WatchEvent] = []
    async with asyncio.timeout(seconds):
        async for event in events:
            seen.append(event)
            if wanted(event):
                return seen
    raise AssertionError(f"ended after {seen}")


async def test_from_invite_to_certificate(place: Place) -> None:
    credentials = await place.enrol(AYSE)
    assert credentials.certificate.common_name == "ayse"
    assert credentials.above == (place.ward.issuing.certificate,)


async def test_a_lost_answer_is_harmless(place: Place) -> None:
    invitation = await place.invite(AYSE, b"a" * 16)
    request = build_request(generate_device_key(Profile.TLS), AYSE)
    args = (invitation.addresses, place.ward.trust, Profile.TLS, request, AYSE, invitation.secret)
    assert await enrol(*args, limits=QUICK) == await enrol(*args, limits=QUICK)


async def test_one_invite_serves_each_profile_once(place: Place) -> None:
    invitation = await place.invite(AYSE, b"b" * 16)
    for profile in (Profile.TLS, Profile.IM):
        request = build_request(generate_device_key(profile), AYSE)
        await enrol(invitation.addresses, place.ward.trust, profile, request, AYSE, invitation.secret, limits=QUICK)
    again = build_request(generate_device_key(Profile.TLS), AYSE)
    with pytest.raises(Refused) as caught:
        await enrol(invitation.addresses, place.ward.trust, Profile.TLS, again, AYSE, invitation.secret, limits=QUICK)
    assert caught.value.reason == "token-used"
    assert caught.value.remedy


async def test_the_authoritys_words_reach_the_caller(place: Place) -> None:
    request = build_request(generate_device_key(Profile.TLS), AYSE)
    at = [place.server.address]
    with pytest.raises(Refused) as caught:
        await enrol(at, place.ward.trust, Profile.TLS, request, AYSE, encode_base32(b"x" * 16), limits=QUICK)
    assert caught.value.reason == "bad-credentials"
    assert "token" in str(caught.value)


async def test_an_impostor_is_not_believed(place: Place) -> None:
    """Same names, same address, another root: only the fingerprint tells."""
    invitation = await place.invite(AYSE, b"c" * 16)
    with pytest.raises(VerificationError, match="fingerprint") as caught:
        await fetch_trust(replace(invitation, root_sha256=bytes(32)), QUICK)
    assert caught.value.reason == "unknown-authority"
    other = make_ward(now=time.time()).trust
    request = build_request(generate_device_key(Profile.TLS), AYSE)
    with pytest.raises(VerificationError, match="not our authority") as caught:
        await enrol(invitation.addresses, other, Profile.TLS, request, AYSE, invitation.secret, limits=QUICK)
    assert caught.value.reason == "unknown-authority"


async def test_an_invite_for_another_realm_is_refused(place: Place) -> None:
    invitation = await place.invite(AYSE, b"d" * 16)
    with pytest.raises(VerificationError, match="ward-8"):
        await fetch_trust(replace(invitation, realm=parse_realm("ward-8.internal")), QUICK)


async def test_nobody_there(place: Place) -> None:
    dead = Address("127.0.0.1", 1)
    invitation = await place.invite(AYSE, b"e" * 16)
    with pytest.raises(NetworkError, match="cannot be reached") as caught:
        await fetch_trust(replace(invitation, addresses=(dead,)), QUICK)
    assert "authority serve" in caught.value.remedy
    assert await fetch_trust(replace(invitation, addresses=(dead, place.server.address)), QUICK) == place.ward.trust


async def test_renewal(place: Place) -> None:
    credentials = await place.enrol(AYSE)
    async with place.client(credentials) as client:
        key = generate_device_key(Profile.TLS)
        chain = await client.renew(Profile.TLS, build_request(key, AYSE))
        assert chain[0].serial != credentials.certificate.serial
        assert chain[0].public == key.public
        im = generate_device_key(Profile.IM)
        assert (await client.renew(Profile.IM, build_request(im, AYSE)))[0].public == im.public
        with pytest.raises(Refused) as caught:
            await client.renew(Profile.TLS, build_request(generate_device_key(Profile.TLS), BURAK))
        assert caught.value.reason == "other-handle"


async def test_directory(place: Place) -> None:
    credentials = await place.enrol(AYSE)
    await place.enrol(BURAK)
    async with place.client(credentials) as client:
        user = await client.look_up(BURAK)
        assert (user.handle, user.name, user.online, user.address) == (BURAK, "Burak", False, None)
        assert [u.handle for u in await client.users()] == [AYSE, BURAK]
        assert [u.handle for u in await client.users("bur")] == [BURAK]
        assert await client.users(online=True) == ()
        with pytest.raises(Refused) as caught:
            await client.look_up(Handle("nobody"))
        assert caught.value.reason == "unknown-user"


async def test_crl(place: Place) -> None:
    credentials = await place.enrol(AYSE)
    async with place.client(credentials) as client:
        crl = await client.crl()
        assert credentials.certificate.serial not in crl.entries
        assert place.ward.trust.with_crl(crl).crl_time == crl.this_update


async def test_presence_tells_who_comes_and_goes(place: Place) -> None:
    async with place.client(await place.enrol(AYSE)) as ayse, place.client(await place.enrol(BURAK)) as burak:
        async with aclosing(ayse.watch("127.0.0.1:7001", backoff())) as seen:
            first = await until(seen, lambda e: isinstance(e, Presence))
            assert [type(e) for e in first] == [Online, NewCrl, Presence]
            assert isinstance(first[0], Online)
            assert (first[0].heartbeat, first[0].silence) == (60, 200)
            assert abs(first[0].skew) < 5
            async with aclosing(burak.watch(":7002", backoff())) as other:
                await until(other, lambda e: isinstance(e, Presence) and e.handle == BURAK)
                came = (await until(seen, lambda e: isinstance(e, Presence)))[-1]
                assert isinstance(came, Presence)
                assert (came.handle, came.online, came.address) == (BURAK, True, Address("127.0.0.1", 7002))
                assert (await ayse.look_up(BURAK)).address == Address("127.0.0.1", 7002)
            went = (await until(seen, lambda e: isinstance(e, Presence)))[-1]
            assert isinstance(went, Presence)
            assert (went.handle, went.online, went.address) == (BURAK, False, None)
        assert [u.handle for u in await burak.users(online=True)] == []


@pytest.mark.parametrize("ping", [30.0, 0.3])
async def test_heartbeats_keep_us_online(
    ping: float, tmp_path: Path, ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conclave.net.authority_client.PING_SECONDS", ping)  # answered, it is no sign of us there
    settings = AuthoritySettings(heartbeat=1, silence=1.8)
    async with (
        running(tmp_path, ward, settings=settings) as place,
        place.client(await place.enrol(AYSE)) as client,
        aclosing(client.watch("127.0.0.1:7001", backoff())) as seen,
    ):
        await until(seen, lambda e: isinstance(e, Presence))
        with pytest.raises(TimeoutError):
            await until(seen, lambda e: isinstance(e, Offline), seconds=2.5)


async def test_the_connection_comes_back_by_itself(tmp_path: Path, ward: Ward) -> None:
    async with running(tmp_path, ward) as place:
        client = place.client(await place.enrol(AYSE))
        port = place.server.address.port
        seen = client.watch("127.0.0.1:7001", backoff())
        await until(seen, lambda e: isinstance(e, Presence))
    away = (await until(seen, lambda e: isinstance(e, Offline)))[-1]
    assert isinstance(away, Offline)
    assert isinstance(away.error, NetworkError)
    assert 0 < away.retry <= 0.2
    async with running(tmp_path, ward, port):
        await until(seen, lambda e: isinstance(e, Online), seconds=10)
        await seen.aclose()
        await client.close()


async def test_revocation_reaches_everybody_and_ends_the_revoked(place: Place) -> None:
    bad = await place.enrol(BURAK)
    async with place.client(await place.enrol(AYSE)) as ayse, place.client(bad) as burak:
        async with (
            aclosing(ayse.watch("127.0.0.1:7001", backoff())) as seen,
            aclosing(burak.watch("127.0.0.1:7002", backoff())) as other,
        ):
            await until(other, lambda e: isinstance(e, Presence))
            await until(seen, lambda e: isinstance(e, Presence) and e.handle == BURAK)
            done = revoke(place.store, "burak", Reason.key_compromise, time.time(), ACTOR)
            await asyncio.wrap_future(done)
            told = await until(seen, lambda e: isinstance(e, Expelled))
            lists = [e.crl for e in told if isinstance(e, NewCrl)]
            assert bad.certificate.serial in lists[-1].entries
            assert told[-1] == Expelled(BURAK, "keyCompromise")
            with pytest.raises(Refused) as caught:
                await until(other, lambda e: isinstance(e, Offline))
            assert caught.value.reason == "revoked"
        with pytest.raises(Refused) as caught:
            await burak.look_up(AYSE)
        assert caught.value.reason == "revoked"
        with pytest.raises(Refused) as caught:  # refused before the WebSocket opens: the words come all the same
            await until(burak.watch("127.0.0.1:7002", backoff()), lambda e: True)
        assert caught.value.reason == "revoked"
        assert caught.value.remedy


async def test_a_suspended_account_is_told(place: Place) -> None:
    async with place.client(await place.enrol(AYSE)) as client:
        await asyncio.wrap_future(suspend(place.store, AYSE, "on leave", time.time(), ACTOR))
        with pytest.raises(Refused, match="on leave") as caught:
            await client.users()
        assert caught.value.reason == "suspended"


async def test_an_expired_certificate_is_told(place: Place) -> None:
    old = place.ward.enrol("ayse", now=time.time() - 100, settings=GrantSettings(60, 0))
    async with place.client(old) as client:
        with pytest.raises(Refused, match="expired") as caught:
            await client.users()
        assert caught.value.reason == "expired"


async def test_a_strangers_certificate_is_told(place: Place) -> None:
    stranger = make_ward("Other", now=time.time()).enrol("ayse", now=time.time())
    async with place.client(stranger) as client:
        with pytest.raises(NetworkError, match="hung up") as caught:
            await client.users()
        assert "certificate" in caught.value.remedy


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def hostile(
    ward: Ward, handler: Handler, context: ssl.SSLContext | None = None
) -> AsyncIterator[AuthorityClient]:
    """A client of an authority that answers as ``handler`` wants: the right certificate, the wrong words."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    own = context or authority_server_context(ward.server(now=time.time()), ward.trust)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=own)
    await site.start()
    try:
        port = runner.addresses[0][1]
        credentials = ward.enrol("ayse", now=time.time())
        limits = CallLimits(connect_seconds=1, call_seconds=0.5)
        async with AuthorityClient([Address("127.0.0.1", port)], ward.trust, credentials, limits) as client:
            yield client
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b"[" * 5000, b"\xff", b"null", b'{"users": 1}', b'{"users": [1]}',
        b'{"users": [{"handle": "Ayse", "name": "", "online": true, "address": null, "since": 1}]}',
        b'{"users": [{"handle": "ayse", "name": "", "online": 1, "address": null, "since": 1}]}',
        b'{"users": [{"handle": "ayse", "name": "", "online": true, "address": "x", "since": 1}]}',
        b'{"users": [{"handle": "ayse", "name": "", "online": true, "address": null, "since": NaN}]}',
        b'{"users": [' + b",".join([b"1"] * 6000) + b"]}",
    ],
)  # fmt: skip
async def test_nonsense_from_the_authority(ward: Ward, body: bytes) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body)

    async with hostile(ward, handler) as client:
        with pytest.raises(RemoteError):
            await client.users()
        with pytest.raises(ConclaveError):
            await client.crl()


async def test_answers_are_bounded_in_size(ward: Ward) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:  # the client hangs up
            await response.write(bytes(65536))
            await asyncio.sleep(0)

    async with hostile(ward, handler) as client:
        with pytest.raises(RemoteError, match="more than"):
            await client.users()


async def test_answers_are_bounded_in_time(ward: Ward) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(30):
            await asyncio.sleep(0.1)
            await response.write(b" ")
        return response

    async with hostile(ward, handler) as client:
        began = time.monotonic()
        with pytest.raises(NetworkError, match="in time"):
            await client.users()
        assert time.monotonic() - began < 2


async def test_redirects_are_not_followed_and_errors_are_tamed(ward: Ward) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/crl":
            body = json.dumps({"error": "x" * 999, "text": "\x1b]2;boo\x07" + "y" * 2000, "remedy": 7})
            return web.Response(status=429, text=body, headers={"Retry-After": "12"})
        return web.Response(status=302, headers={"Location": "https://127.0.0.1:1/"})

    async with hostile(ward, handler) as client:
        with pytest.raises(Refused) as caught:
            await client.users()
        assert caught.value.reason == "http-302"
        with pytest.raises(Refused) as caught:
            await client.crl()
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) <= 500
        assert len(caught.value.reason) <= 64
        assert caught.value.remedy == "try again in 12 seconds"


async def test_a_certificate_that_does_not_hold_is_not_taken(ward: Ward) -> None:
    """What comes back from enrolment is verified like a peer's: the key, the handle, the authority."""
    key = generate_device_key(Profile.TLS)
    request = build_request(key, AYSE)
    now = time.time()
    answers = {
        "0 certificates for this device's key": ward.enrol("ayse", now=now),
        "burak's, where ayse's was expected": ward.enrol("burak", now=now, key=key),
        "not our authority's": make_ward(now=now).enrol("ayse", now=now, key=key),
        "expired": ward.enrol("ayse", now=now - 100, key=key, settings=GrantSettings(60, 0)),
    }
    for says, credentials in answers.items():
        body = encode_bundle((credentials.certificate, *credentials.above))

        async def handler(_: web.Request, body: bytes = body) -> web.StreamResponse:
            return web.Response(body=body)

        async with hostile(ward, handler) as client:
            with pytest.raises((VerificationError, DecodeError)) as caught:
                await client.renew(Profile.TLS, request)
        assert says in str(caught.value)


@pytest.mark.parametrize(
    "frames",
    [
        ["hello"],
        ['{"type": "welcome"}'],
        ['{"type": "crl", "der": "AAAA"}'],
        ['{"type": "stock", "count": -1}'],
        ['{"type": "mail", "count": "many"}'],
        ['{"type": "mail", "count": 1e99}'],
        ['{"type": "welcome", "heartbeat": 9, "silence": 99, "now": 1, "mail": true}'],
        ['{"type": "crl", "der": "!"}'],
        ['{"type": "presence", "handle": "a b", "online": true, "address": null, "since": 1}'],
        [],
    ],
)
async def test_nonsense_on_the_presence_connection(ward: Ward, frames: list[str]) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for frame in frames:
            await socket.send_str(frame)
        async for _ in socket:
            pass
        return socket

    async with hostile(ward, handler) as client, aclosing(client.watch("127.0.0.1:1", backoff())) as seen:
        for _ in range(2):
            event = (await until(seen, lambda e: True))[-1]
            assert isinstance(event, Offline)
            assert isinstance(event.error, RemoteError | NetworkError)


async def test_unknown_types_are_passed_over(ward: Ward) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str('{"type": "weather"}')
        await socket.send_str('{"type": "welcome", "heartbeat": 0, "silence": 1e9, "now": 1}')
        async for _ in socket:
            pass
        return socket

    async with hostile(ward, handler) as client, aclosing(client.watch("127.0.0.1:1", backoff())) as seen:
        event = (await until(seen, lambda e: True))[-1]
        assert isinstance(event, Online)
        assert (event.heartbeat, event.silence) == (1, 3600)
        with pytest.raises(TimeoutError):  # the time limit of calls is none of this connection's
            await until(seen, lambda e: True, seconds=0.8)


async def test_an_alert_about_our_certificate_is_put_in_words(ward: Ward) -> None:
    """By a server that sends the alert and lets it arrive; asyncio's servers just hang up."""
    context = authority_server_context(ward.server(now=time.time()), ward.trust)
    stranger = make_ward("Other", now=time.time()).enrol("ayse", now=time.time())
    old = ward.enrol("ayse", now=time.time() - 100, settings=GrantSettings(60, 0))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        while data := await reader.read(4096):
            incoming.write(data)
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
            except ssl.SSLCertVerificationError:
                writer.write(outgoing.read())
                writer.write_eof()
                await reader.read()  # else a reset would overtake the alert
                break
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        at = Address("127.0.0.1", server.sockets[0].getsockname()[1])
        for credentials, reason in ((stranger, "unknown-authority"), (old, "expired")):
            async with AuthorityClient([at], ward.trust, credentials, QUICK) as client:
                with pytest.raises(Refused) as caught:
                    await client.users()
            assert caught.value.reason == reason
