"""Bodies of requests, bounded in size and time, and the JSON that members send. What is in them, others judge."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from typing import Any

from aiohttp import web  # noqa: TC002 - one line is plainer than a block

from conclave.errors import DecodeError, Refused


async def read_body(request: web.Request, most: int, seconds: float) -> bytes:
    """Read a body of at most ``most`` bytes within ``seconds``.

    Raises ``Refused`` (``too-large``) before more is read, and ``TimeoutError``.
    """
    if (request.content_length or 0) > most:
        raise _too_large(most)
    body = bytearray()
    async with asyncio.timeout(seconds):
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > most:
                raise _too_large(most)
    return bytes(body)


def parse_json(body: bytes) -> dict[str, Any]:
    """Read a JSON object. Raises ``DecodeError``."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DecodeError("the body is not JSON") from error
    if not isinstance(value, dict):
        raise DecodeError("the body is not a JSON object")
    return value


def take_base64(value: object) -> bytes:
    """Bytes from base64. Raises ``DecodeError``."""
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError("what should be bytes is not base64") from error


def _too_large(most: int) -> Refused:
    return Refused(f"the body is larger than {most} bytes", reason="too-large", remedy="send less at once")
