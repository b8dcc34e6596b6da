"""The node's door for fronts: JSON-RPC 2.0, one object a line, on a UNIX socket that only its owner may open.

The server hands each request to ``serve`` and sends its answer; a connection that asked to follow gets notices as
JSON-RPC notifications. Lines, connections and unsent bytes are bounded. Left out: what commands do
(``node.door.service``) and the fronts' end of the socket (``node.door.client``).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from conclave.errors import ConclaveError, NotReady, Refused, VerificationError
from conclave.node.door.client import LINE_BYTES
from conclave.node.door.commands import Command, Follow, parse
from conclave.node.paths import demand_private, socket_path

log = logging.getLogger(__name__)

CONNECTIONS = 64
"""Fronts connected at once."""
REQUESTS = 16
"""Requests of one connection under way at once; the next is read when one was answered, and the answer taken."""
UNSENT_BYTES = 4 << 20
"""A front that does not read is cut off once so much waits for it; it can read the history when it comes back."""

PARSE_ERROR, INVALID_REQUEST, INTERNAL_ERROR, FAILED = -32700, -32600, -32603, -32000

Serve = Callable[[Command], Awaitable[Any]]


def error_as_json(error: ConclaveError) -> dict[str, Any]:
    """The error object of an answer: ``data`` carries class, reason and remedy, so that a front can rebuild it."""
    data = {"class": type(error).__name__, "remedy": error.remedy}
    if isinstance(error, Refused | VerificationError):
        data["reason"] = error.reason
    return {"code": FAILED, "message": str(error), "data": data}


class SocketServer:
    """Listens, reads requests, answers, and tells notices to those who follow."""

    def __init__(self, home: Path, serve: Serve) -> None:
        self._home = home
        self._path = socket_path(home)
        self._serve = serve
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._following: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen. Raises ``LocalError`` where another node of this home is running."""
        parent = self._path.parent
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if parent != self._home:
            demand_private(parent)
        if self._path.exists():
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_unix_connection(str(self._path))
                writer.close()
                raise NotReady("this home's node is running already", remedy="conclave logout stops it")
            self._path.unlink(missing_ok=True)  # left behind by a node that was killed
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._connected, str(self._path), limit=LINE_BYTES)
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._writers):
            writer.close()
        self._path.unlink(missing_ok=True)

    def tell(self, notice: dict[str, Any]) -> None:
        """Send a notice to everyone who follows."""
        if not self._following:
            return
        line = _line({"jsonrpc": "2.0", "method": "notice", "params": notice})
        for writer in tuple(self._following):
            if writer.transport.get_write_buffer_size() > UNSENT_BYTES:
                log.warning("a front does not read: cut off")
                self._following.discard(writer)
                writer.transport.abort()
            else:
                writer.write(line)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._writers) >= CONNECTIONS:
            writer.close()
            return
        self._writers.add(writer)
        places = asyncio.Semaphore(REQUESTS)

        async def answer(line: bytes) -> None:
            try:
                await self._answer(line, writer)
            finally:
                places.release()

        try:
            async with asyncio.TaskGroup() as running:
                while line := await self._next_line(reader, writer):
                    await places.acquire()
                    running.create_task(answer(line))
        except* ConnectionError:
            pass
        finally:
            self._writers.discard(writer)
            self._following.discard(writer)
            writer.close()

    async def _next_line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        try:
            return await reader.readline()
        except ValueError:  # longer than the limit: what follows cannot be told from its rest
            writer.write(_line(_failure(None, PARSE_ERROR, f"a line has at most {LINE_BYTES} bytes")))
            return b""

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            writer.write(_line(_failure(None, PARSE_ERROR, "not JSON")))
            return
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            writer.write(_line(_failure(None, INVALID_REQUEST, "not a JSON-RPC 2.0 request")))
            return
        number = request.get("id")
        try:
            command = parse(request["method"], request.get("params"))
            if isinstance(command, Follow):
                self._following.add(writer)
            result = await self._serve(command)
        except ConclaveError as error:
            answer = {"jsonrpc": "2.0", "id": number, "error": error_as_json(error)}
        except Exception:  # a fault of ours: this front hears of it, the others do not
            log.exception("%s was not carried out", request["method"])
            answer = _failure(number, INTERNAL_ERROR, "your node failed at this: its log tells more")
        else:
            answer = {"jsonrpc": "2.0", "id": number, "result": result}
        if number is not None and not writer.is_closing():
            writer.write(_line(answer))
            with contextlib.suppress(ConnectionError):
                await writer.drain()


def _failure(number: object, code: int, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": text}}


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
