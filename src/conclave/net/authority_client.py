"""The authority as a member calls it: renewal, the directory, revocation lists, presence; and what waits there.

Everything goes over mutual TLS with the member's certificate. A client holds one certificate: after a renewal make
a new one, since TLS contexts are never changed. Answers are bounded in size, count and time. Left out: what to do
with what is learnt (``node``).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote as percent

import aiohttp

from conclave.errors import ConclaveError, NetworkError, Refused, RemoteError
from conclave.net.authority_calls import UNREACHABLE, Caller, CallLimits, read_json, translate, words
from conclave.net.authority_enrol import BODY, est_path, read_chain
from conclave.net.authority_waiting import WaitingCalls
from conclave.net.authority_watch import MESSAGE_BYTES, Offline, Online, User, WatchEvent, read_event, read_user
from conclave.net.backoff import Backoff
from conclave.net.contexts import authority_client_context
from conclave.pki.address import Address
from conclave.pki.bundle import BUNDLE_BYTES, encode_base64
from conclave.pki.certificate import Certificate
from conclave.pki.credentials import Credentials
from conclave.pki.names import Handle, authority_name, parse_handle
from conclave.pki.profile import Profile
from conclave.pki.revocation import CRL_BYTES, RevocationList
from conclave.pki.trust import Trust

USER_BYTES = 4 * 1024
USERS_BYTES = 1024 * 1024
USERS_MOST = 5_000
PING_SECONDS = 30.0
"""How often a silent presence connection is probed; no answer within half of it ends it."""
GOODBYE_SECONDS = 2.0

FINAL: Final = frozenset(
    {
        "revoked",
        "suspended",
        "expired",
        "not-enrolled",
        "unknown-authority",
        "bad-certificate",
        "certificate-required",
        "replaced",
    }
)
"""Reasons of a refusal that asking again does not change."""


class AuthorityClient(WaitingCalls):
    """A member's calls to the authority. Use it as ``async with``. All raise as ``Caller.call`` does."""

    def __init__(
        self,
        addresses: Sequence[Address],
        trust: Trust,
        credentials: Credentials,
        limits: CallLimits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``credentials`` are those of the device's ``tls`` profile; ``clock`` gives UNIX seconds."""
        self._trust = trust
        self._handle = parse_handle(credentials.certificate.common_name)
        self._limits = limits or CallLimits()
        self._clock = clock
        context = authority_client_context(trust, credentials)
        self._caller = Caller(addresses, context, authority_name(trust.realm), self._limits)

    async def __aenter__(self) -> Self:
        """Open nothing yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._caller.close()

    async def renew(self, profile: Profile, request: bytes) -> tuple[Certificate, ...]:
        """Get a new certificate of any profile for this device (EST simplereenroll); leaf first, verified.

        ``request`` is PKCS#10 DER, for a new key or the old one.
        """
        body = await self._caller.call(
            "POST",
            est_path(profile, "simplereenroll"),
            limit=BUNDLE_BYTES,
            body=encode_base64(request),
            headers=BODY,
        )
        return read_chain(body, self._trust, profile, request, self._handle, self._clock())

    async def look_up(self, handle: Handle) -> User:
        """Find one user. Raises ``Refused`` (``unknown-user``) where nobody has the handle."""
        path = f"/directory/users/{percent(handle, safe='')}"
        return read_user(read_json(await self._caller.call("GET", path, limit=USER_BYTES)))

    async def users(self, query: str = "", *, online: bool = False) -> tuple[User, ...]:
        """Search handles and names; ``online``: only who is online. At most 5,000 are taken."""
        asked = {"query": query} | ({"online": "true"} if online else {})
        answer = read_json(await self._caller.call("GET", "/directory/users", limit=USERS_BYTES, query=asked))
        found = answer.get("users")
        if not isinstance(found, list) or len(found) > USERS_MOST:
            raise RemoteError("the directory's answer holds no list of users, or too long a one")
        return tuple(read_user(user) for user in found)

    async def crl(self) -> RevocationList:
        """Fetch the newest revocation list, verified."""
        return self._trust.read_crl(await self._caller.call("GET", "/crl", limit=CRL_BYTES))

    async def watch(self, announce: str, backoff: Backoff) -> AsyncGenerator[WatchEvent]:
        """Be online at ``announce`` (``host:port``; for an empty host the authority takes the one seen) and listen.

        Reconnects by itself, telling ``Offline`` each time. Ends by raising ``Refused`` where the reason is final.
        Close the generator (``contextlib.aclosing``) to say goodbye.
        """
        while True:
            began = asyncio.get_running_loop().time()
            patience = PING_SECONDS
            try:
                async with aclosing(self._listen(announce)) as events:
                    async for event in events:
                        if isinstance(event, Online):
                            patience = event.heartbeat
                        yield event
                error: ConclaveError = NetworkError("the authority ended the connection", remedy=UNREACHABLE)
            except Refused as refused:
                if refused.reason in FINAL:
                    raise
                error = refused
            except ConclaveError as failed:
                error = failed
            if asyncio.get_running_loop().time() - began > patience:
                backoff.reset()  # it stood for a while: an authority that hangs up at once is not pressed
            delay = backoff.delay()
            yield Offline(error, delay)
            await asyncio.sleep(delay)

    async def _listen(self, announce: str) -> AsyncGenerator[WatchEvent]:
        address, socket = await self._caller.web_socket(
            "/presence", message_bytes=MESSAGE_BYTES, ping_seconds=PING_SECONDS, close_seconds=GOODBYE_SECONDS
        )
        loop = asyncio.get_running_loop()
        heartbeat = self._limits.call_seconds  # until the welcome, which must have come by then
        welcome = False
        try:
            await _say(socket, address, {"type": "announce", "address": announce})
            due = loop.time() + heartbeat
            while True:
                try:
                    async with asyncio.timeout_at(max(due, loop.time() + 0.001)):  # its own begins anew at each pong
                        message = await socket.receive()
                except TimeoutError as error:
                    if not welcome:
                        raise translate(error, address) from error
                    await _say(socket, address, {"type": "heartbeat"})
                    due = loop.time() + heartbeat
                    continue
                event = self._read(message, socket, address)
                if isinstance(event, Online):
                    welcome, heartbeat = True, event.heartbeat
                    due = loop.time() + heartbeat
                if event is not None:
                    yield event
        finally:
            with suppress(ConclaveError, aiohttp.ClientError, OSError, TimeoutError):
                async with asyncio.timeout(GOODBYE_SECONDS):
                    if not socket.closed:
                        await _say(socket, address, {"type": "goodbye"})
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                await socket.close()

    def _read(
        self, message: aiohttp.WSMessage, socket: aiohttp.ClientWebSocketResponse, address: Address
    ) -> WatchEvent | None:
        if message.type is aiohttp.WSMsgType.TEXT:
            return read_event(message.data, self._trust, self._clock())
        if message.type is aiohttp.WSMsgType.BINARY:
            raise RemoteError("the authority sent bytes where text belongs")
        if message.type is aiohttp.WSMsgType.ERROR:
            raise translate(socket.exception() or ConnectionError("connection lost"), address)
        why = words(message.extra) or "connection closed"
        raise NetworkError(f"the authority at {address} ended the connection: {why}", remedy=UNREACHABLE)


async def _say(socket: aiohttp.ClientWebSocketResponse, address: Address, frame: dict[str, str]) -> None:
    try:
        await socket.send_str(json.dumps(frame))
    except (aiohttp.ClientError, OSError) as error:
        raise translate(error, address) from error
