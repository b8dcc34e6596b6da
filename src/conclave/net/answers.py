"""How the authority says no: every error as JSON with a word for programs, a text and a remedy for people."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware  # noqa: TC002 - one line is plainer than a block

from conclave.authority.limits import TooMany
from conclave.errors import ConclaveError, DecodeError, Refused, RemoteError, StorageError, VerificationError
from conclave.pki.names import quote

log = logging.getLogger("conclave.authority")

_STATUS: Final[dict[str, int]] = {
    "bad-credentials": 401,
    "credentials-required": 401,
    "certificate-required": 401,
    "not-enrolled": 401,
    "expired": 401,
    "not-yet-valid": 401,
    "bad-certificate": 401,
    "unknown-authority": 401,
    "revoked": 403,
    "suspended": 403,
    "token-used": 403,
    "invite-expired": 403,
    "other-handle": 403,
    "expelled-user": 403,
    "unknown-user": 404,
    "no-package": 404,
    "unknown-profile": 404,
    "key-used": 409,
    "device-unclear": 409,
    "stock-full": 409,
    "mailbox-full": 409,
    "too-large": 413,
    "package-size": 413,
    "envelope-size": 413,
    "too-many-requests": 429,
}
RETRY_SECONDS = 5
"""What ``Retry-After`` says where the disk refuses."""


def error_body(word: str, text: str, remedy: str = "") -> dict[str, str]:
    """The JSON of an error."""
    return {"error": word, "text": text, "remedy": remedy}


def _answer(status: int, word: str, text: str, remedy: str, headers: dict[str, str] | None = None) -> web.Response:
    body = json.dumps(error_body(word, text, remedy))
    return web.Response(status=status, text=body + "\n", content_type="application/json", headers=headers)


def answer_error(error: ConclaveError, realm: str) -> web.Response:
    """Translate an error of ours."""
    headers: dict[str, str] = {}
    match error:
        case TooMany():
            headers["Retry-After"] = str(error.wait)
            status, word = 429, error.reason
        case Refused():
            status, word = _STATUS.get(error.reason, 400), error.reason
        case VerificationError():  # of a certificate request; certificates are judged by ``admission``
            status, word = 400, "bad-signature"
        case DecodeError():
            status, word = 400, "malformed"
        case RemoteError():
            status, word = 400, "bad-request"
        case StorageError():
            headers["Retry-After"] = str(RETRY_SECONDS)
            status, word = 503, "storage"
        case _:
            status, word = 500, "internal"
    if status >= 500:
        log.error("%s: %s", word, error)
    if status == 401:
        headers["WWW-Authenticate"] = f'Basic realm="authority.{realm}", charset="UTF-8"'
    return _answer(status, word, str(error), error.remedy, headers)


_HTTP_WORDS: Final[dict[int, tuple[str, str, str]]] = {
    404: ("not-found", "there is nothing at this path", "see docs/protocol.md for the paths"),
    405: ("method-not-allowed", "this path does not take this method", "see docs/protocol.md"),
    413: ("too-large", "the body is larger than what is read", "send the certificate request alone"),
}


class _OneLine(logging.Filter):
    """What is no HTTP is a stranger's doing, at any rate they like: one short line, for who debugs."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is logged as it is."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return True
        log.debug("a connection spoke no HTTP: %s", quote(error.message))
        return False


http_log = logging.getLogger("conclave.authority.http")
"""What aiohttp's server logs to."""
http_log.addFilter(_OneLine())

Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


def errors_as_json(realm: str) -> Middleware:
    """A middleware that answers for whatever a handler raises."""

    @web.middleware
    async def middleware(request: web.Request, handler: Next) -> web.StreamResponse:
        try:
            return await handler(request)
        except ConclaveError as error:
            return answer_error(error, realm)
        except web.HTTPException as error:
            word, text, remedy = _HTTP_WORDS.get(error.status, ("http", error.reason.lower(), ""))
            allowed = error.headers.get("Allow")
            return _answer(error.status, word, text, remedy, {"Allow": allowed} if allowed else None)
        except TimeoutError:
            response = _answer(408, "too-slow", "the request did not arrive in time", "send it at once")
            response.force_close()
            return response
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception:
            log.exception("a request failed")
            return _answer(500, "internal", "the authority failed", "ask again; the authority's log says more")

    return middleware
