"""A running authority for tests: real sockets, TLS and SQLite; its clock can be moved on."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from conclave.authority.accounts import invite
from conclave.authority.enrolment import Enrolment
from conclave.authority.settings import AuthoritySettings
from conclave.net.authority_limits import ServerLimits
from conclave.net.authority_server import AuthorityServer
from conclave.net.contexts import authority_client_context
from conclave.pki.address import Address
from conclave.pki.certificate import read_certificate
from conclave.pki.credentials import Credentials
from conclave.pki.invite import encode_base32
from conclave.pki.keys import PrivateKey, generate_device_key
from conclave.pki.names import Handle
from conclave.pki.profile import Profile
from conclave.pki.request import build_request, read_request
from conclave.store.authority import AuthorityStore
from tests.authority.desk import CONSOLE
from tests.pki.ward import Ward, make_ward, rsa_key

NAME = "authority.ward-7.internal"
FAST = ServerLimits(sweep_seconds=0.05, poll_seconds=0.05, request_seconds=2.0, stop_seconds=0.5)


@dataclass
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        """Status and word; text and remedy must be there for a person."""
        assert self.headers["Content-Type"].startswith("application/json")
        assert self.json["text"]
        assert set(self.json) == {"error", "text", "remedy"}
        return self.status, self.json["error"]


@dataclass
class House:
    ward: Ward
    store: AuthorityStore
    folder: Path
    settings: AuthoritySettings
    server: AuthorityServer
    ahead: float = 0.0
    tokens: int = 0
    sessions: list[aiohttp.ClientSession] = field(default_factory=list)
    sockets: list[aiohttp.ClientWebSocketResponse] = field(default_factory=list)

    def clock(self) -> float:
        return time.time() + self.ahead

    @property
    def address(self) -> Address:
        return self.server.address

    @property
    def base(self) -> str:
        return f"https://{self.address}"

    def invite(self, handle: str, valid: float = 3600) -> str:
        """A fresh token in base32."""
        self.tokens += 1
        token = self.tokens.to_bytes(16)
        invite(self.store, Handle(handle), "", token, self.clock(), valid, CONSOLE).result()
        return encode_base32(token)

    def enrol(self, handle: str, profile: Profile = Profile.TLS, *, now: float = 0) -> Credentials:
        """Enrol without the network."""
        self.invite(handle)
        key = generate_device_key(profile)
        request = read_request(build_request(key, Handle(handle)), profile)
        enrolment = Enrolment(self.store, self.ward.issuing, self.settings)
        issued = enrolment.by_token(
            request, handle, self.tokens.to_bytes(16), now or self.clock(), "192.0.2.7"
        ).result()
        return Credentials(key, read_certificate(issued.der), (self.ward.issuing.certificate,))

    def session(self, credentials: Credentials | None = None) -> aiohttp.ClientSession:
        """A client of our own making, as strict as ours."""
        context = authority_client_context(self.ward.trust, credentials)
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context), timeout=aiohttp.ClientTimeout(total=20)
        )
        self.sessions.append(session)
        return session

    async def ask(
        self, method: str, path: str, session: aiohttp.ClientSession | None = None, **kwargs: Any
    ) -> Answer:
        client = session or self.session()
        async with client.request(method, self.base + path, server_hostname=NAME, **kwargs) as response:
            return Answer(response.status, await response.read(), response.headers)

    async def simpleenroll(
        self, user: str, secret: str, body: bytes | None = None, profile: str = "tls", **kwargs: Any
    ) -> Answer:
        basic = base64.b64encode(f"{user}:{secret}".encode()).decode()
        return await self.ask(
            "POST",
            f"/.well-known/est/{profile}/simpleenroll",
            data=csr(user) if body is None else body,
            headers={"Authorization": f"Basic {basic}", "Content-Type": "application/pkcs10"},
            **kwargs,
        )

    async def watch(self, credentials: Credentials) -> Watcher:
        socket = await self.session(credentials).ws_connect(
            f"wss://{self.address}/presence",
            server_hostname=NAME,
            compress=0,
            max_msg_size=0,
            timeout=aiohttp.ClientWSTimeout(ws_close=0.5),
        )
        self.sockets.append(socket)
        return Watcher(socket)

    async def leave(self) -> None:
        """Close every client."""
        for closing in (self.sockets, self.sessions):
            await asyncio.gather(*(one.close() for one in closing))
            closing.clear()

    def log(self, *actions: str) -> list[tuple[str, str, str, str]]:
        rows = self.store.reads.audit(0, 100_000)
        return [(r.who, r.action, r.what, r.outcome) for r in rows if not actions or r.action in actions]

    async def logged(self, *row: str) -> None:
        """Wait until a row is in the log."""
        async with asyncio.timeout(5):
            while row not in self.log():  # noqa: ASYNC110 - the log is a table, it wakes nobody
                await asyncio.sleep(0.01)


@dataclass
class Watcher:
    """The client's end of a presence connection."""

    socket: aiohttp.ClientWebSocketResponse
    seen: list[dict[str, Any]] = field(default_factory=list)

    async def say(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps(message))

    async def announce(self, address: str = "127.0.0.1:7000") -> None:
        await self.say(type="announce", address=address)

    async def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next frame of a kind with these fields; none once the connection has ended."""
        async with asyncio.timeout(5):
            while True:
                message = await self.socket.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    raise AssertionError(f"ended ({message.type!r}) after {self.seen}")
                frame: dict[str, Any] = json.loads(message.data)
                self.seen.append(frame)
                if frame["type"] == kind and fields.items() <= frame.items():
                    return frame

    async def end(self) -> list[dict[str, Any]]:
        """Everything up to the end."""
        async with asyncio.timeout(5):
            async for message in self.socket:
                self.seen.append(json.loads(message.data))
        return self.seen


def csr(handle: str = "ayse", key: PrivateKey | None = None, profile: Profile = Profile.TLS) -> bytes:
    """A request as EST wants it: base64."""
    own = key or (rsa_key() if profile is Profile.CLASSIC else generate_device_key(profile))
    return base64.encodebytes(build_request(own, Handle(handle)))


@asynccontextmanager
async def open_house(
    folder: Path,
    settings: AuthoritySettings | None = None,
    limits: ServerLimits = FAST,
    ward: Ward | None = None,
    port: int = 0,
) -> AsyncIterator[House]:
    """An authority that serves on loopback."""
    realm = ward or make_ward(now=time.time())
    rules = settings or AuthoritySettings()
    store = AuthorityStore(folder / "authority.db")
    house: House

    def clock() -> float:
        return house.clock()

    server = AuthorityServer(store, realm.issuing, realm.trust, rules, limits, clock, host="127.0.0.1", port=port)
    house = House(realm, store, folder, rules, server)
    try:
        async with server:
            try:
                yield house
            finally:
                await house.leave()
    finally:
        store.close()
