"""One HTTP call to the authority: bounded in size and time, its errors in our words. What is asked is not known here.

Every call dials the invite's addresses in turn until one answers, and checks the name ``authority.<realm>``
whatever it dialled. No redirects, cookies, proxies or compression: nothing that the authority sends makes us talk
to another, and no answer grows after its size was checked.
"""

from __future__ import annotations

import errno
import json
import ssl
import time
from collections.abc import Mapping, Sequence
from io import BytesIO
from types import TracebackType
from typing import Any, Self

import aiohttp

from conclave.errors import ConclaveError, NetworkError, NotReady, Refused, RemoteError, VerificationError
from conclave.pki.address import Address
from conclave.pki.certificate import moment
from conclave.values import dataclass

TEXT_CHARACTERS = 500
"""Longest text of an error that is passed on."""
REASON_CHARACTERS = 64
ERROR_BYTES = 8 * 1024
UNREACHABLE = "check that the authority runs there (conclave authority serve) and that no firewall is in between"
HUNG_UP = (
    "try again; if this stays so, the authority does not accept this device's certificate, or has no room for more"
    " connections: ask whoever runs it"
)

_HUNG_UP = frozenset({errno.ECONNRESET, errno.EPIPE})


@dataclass(frozen=True, slots=True)
class CallLimits:
    """How long the authority may take (seconds)."""

    connect_seconds: float = 10.0
    call_seconds: float = 20.0
    """For a whole call, connecting and a slow password check included."""


class Caller:
    """Calls to one authority over one TLS context. Use it as ``async with``."""

    def __init__(
        self,
        addresses: Sequence[Address],
        context: ssl.SSLContext,
        name: str | None,
        limits: CallLimits | None = None,
    ) -> None:
        """``name``: the server name to check; none only for the unverified first call."""
        if not addresses:
            raise NotReady("no address of the authority is known", remedy="join with an invite")
        self._addresses = list(addresses)
        self._context = context
        self._name = name
        self._limits = limits or CallLimits()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open nothing yet: connections are made by the calls."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self.close()

    async def close(self) -> None:
        """Close every connection. Closing twice does no harm."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            limits = self._limits
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._context, limit=8),
                timeout=aiohttp.ClientTimeout(total=limits.call_seconds, sock_connect=limits.connect_seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity", "User-Agent": "conclave"},
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    async def call(
        self,
        method: str,
        path: str,
        *,
        limit: int,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> bytes:
        """Ask, and give the body of an answer of status 200, of at most ``limit`` bytes.

        Raises ``Refused`` with the authority's own reason, ``NetworkError`` where none of the addresses answers,
        ``VerificationError`` where what answers is not the authority, ``RemoteError`` for an answer that is too large
        or makes no sense.
        """

        async def ask(address: Address) -> bytes:
            async with self._open().request(
                method,
                f"https://{address}{path}",
                data=None if body is None else BytesIO(body),
                headers=headers,
                params=query,
                server_hostname=self._name,
                allow_redirects=False,
            ) as response:
                if response.status == 200:
                    return await _read(response, limit)
                raise refusal(response.status, await _read(response, ERROR_BYTES), response.headers)

        errors: list[ConclaveError] = []
        for address in tuple(self._addresses):
            try:
                answer = await ask(address)
            except (aiohttp.ClientError, OSError, ssl.SSLError, TimeoutError) as error:
                errors.append(translate(error, address))
                continue
            self.prefer(address)
            return answer
        raise errors[0]

    async def web_socket(
        self, path: str, *, message_bytes: int, ping_seconds: float, close_seconds: float
    ) -> tuple[Address, aiohttp.ClientWebSocketResponse]:
        """Open a WebSocket. Raises as ``call`` does; a refusal's words are asked for by a plain call."""
        errors: list[ConclaveError] = []
        for address in tuple(self._addresses):
            try:
                socket = await self._open().ws_connect(
                    f"wss://{address}{path}",
                    server_hostname=self._name,
                    max_msg_size=message_bytes,
                    heartbeat=ping_seconds,
                    compress=0,
                    timeout=aiohttp.ClientWSTimeout(ws_close=close_seconds),
                )
            except aiohttp.WSServerHandshakeError as error:
                await self.call("GET", path, limit=ERROR_BYTES)
                raise RemoteError(f"the authority does not open {path}: HTTP status {error.status}") from error
            except (aiohttp.ClientError, OSError, ssl.SSLError, TimeoutError) as error:
                errors.append(translate(error, address))
                continue
            self.prefer(address)
            return address, socket
        raise errors[0]

    def prefer(self, address: Address) -> None:
        """Dial this address first from now on: it answered."""
        self._addresses.remove(address)
        self._addresses.insert(0, address)


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > limit:
            response.close()
            raise RemoteError(
                f"the authority's answer has more than {limit} bytes", remedy="tell whoever runs the authority"
            )
    return bytes(body)


def words(value: object, limit: int = TEXT_CHARACTERS) -> str:
    """Take text out of JSON: cut short, without control characters; empty where it is no text."""
    return "".join(c for c in value[:limit] if c.isprintable()) if isinstance(value, str) else ""


def read_json(body: bytes | str) -> dict[str, Any]:
    """Read an object. Raises ``RemoteError``."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RemoteError("the authority's answer is not JSON", remedy="tell whoever runs the authority") from error
    if not isinstance(value, dict):
        raise RemoteError("the authority's answer is not a JSON object", remedy="tell whoever runs the authority")
    return value


def refusal(status: int, body: bytes, headers: Mapping[str, str]) -> ConclaveError:
    """Give the error for an answer that is not 200, in the authority's words where it has some."""
    try:
        answer = read_json(body)
    except RemoteError:
        answer = {}
    reason = words(answer.get("error"), REASON_CHARACTERS) or f"http-{status}"
    text = words(answer.get("text")) or f"the authority answered with HTTP status {status}"
    remedy = words(answer.get("remedy"))
    wait = headers.get("Retry-After", "")
    if not remedy and wait.isascii() and wait.isdigit() and len(wait) < 7:
        remedy = f"try again in {wait} seconds"
    return Refused(text, reason=reason, remedy=remedy)


_ALERTS = {
    "CERTIFICATE_EXPIRED": ("expired", "it has expired"),
    "CERTIFICATE_REVOKED": ("revoked", "it was revoked"),
    "UNKNOWN_CA": ("unknown-authority", "another authority issued it"),
    "CERTIFICATE": ("bad-certificate", "it does not hold"),  # bad, unknown, unsupported certificate
}
"""Parts of OpenSSL's names of alerts, the more exact first."""


_TIMES = {"not yet valid": "is not valid yet", "expired": "is not valid any more"}


def translate(error: BaseException, address: Address) -> ConclaveError:
    """Give our error for one of aiohttp, ``ssl`` or the operating system."""
    for inner in (getattr(error, "certificate_error", None), getattr(error, "os_error", None), error.__cause__):
        if isinstance(inner, ssl.SSLError) and inner is not error:
            return translate(inner, address)
    if isinstance(error, ssl.SSLCertVerificationError):
        for part, what in _TIMES.items():
            if part in error.verify_message:
                return VerificationError(
                    f"this machine's clock says {moment(time.time())}, when the certificate of the authority at "
                    f"{address} {what}",
                    reason="expired",
                    remedy="set this machine's clock; if it is right, tell whoever runs the authority",
                )
        return VerificationError(
            f"what answers at {address} is not our authority: {error.verify_message}",
            reason="unknown-authority",
            remedy="check the address; if it is right, somebody is in the way: tell whoever runs the authority",
        )
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        for part, (reason, what) in _ALERTS.items():
            if part in (error.reason or ""):
                return Refused(
                    f"the authority at {address} refused this device's certificate: {what}",
                    reason=reason,
                    remedy="check the clock of this machine; if it is right, ask for a new invite and join again",
                )
    if isinstance(error, aiohttp.ServerDisconnectedError) or getattr(error, "errno", None) in _HUNG_UP:
        # Thus, too, where the certificate shown is another authority's and the server's reset overtook its alert.
        return NetworkError(f"the authority at {address} hung up without an answer", remedy=HUNG_UP)
    if isinstance(error, TimeoutError):
        return NetworkError(f"the authority at {address} did not answer in time", remedy=UNREACHABLE)
    return NetworkError(f"the authority at {address} cannot be reached: {_cause(error)}", remedy=UNREACHABLE)


def _cause(error: BaseException) -> str:
    number = getattr(error, "strerror", None)
    return words(str(number or error), 200) or type(error).__name__
