"""A front's end of the node's socket: call a command, or follow the notices. Synchronous, standard library alone.

The command line uses it as it is; a screen runs it in a thread. Left out: what the commands mean
(``node.door.commands``).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from conclave import errors
from conclave.node.paths import demand_private, socket_path

LINE_BYTES = 1 << 20
"""The longest request; answers may be longer."""
ANSWER_SECONDS = 30.0
"""How long a front waits for a node that is there but does not answer."""


class NoNode(errors.NotReady):
    """No node runs on this home."""


class Unanswered(errors.NotReady):
    """The node ended, or is silent, before it answered: it may have done what was asked."""


class NodeClient:
    """One connection to a running node. Raises ``NoNode`` where there is none."""

    def __init__(self, home: Path) -> None:
        path = socket_path(home)
        if path.parent != home and path.parent.exists():
            demand_private(path.parent)
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise NoNode("your node is not running", remedy="start it in another terminal: conclave up") from error
        self._lines = self._socket.makefile("rb")
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()

    def call(self, method: str, *, patience: float = ANSWER_SECONDS, **params: object) -> Any:
        """The result of a command; waits at most ``patience`` seconds. Raises what the node refused it with."""
        self._number += 1
        request = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        line = json.dumps(request).encode() + b"\n"
        if len(line) > LINE_BYTES:
            raise errors.UsageError("that is too long to be handed to your node", remedy="split it")
        self._socket.settimeout(patience)
        try:
            self._send(line)
            while True:
                answer = self._read()
                if answer.get("id") == self._number:
                    break
        except TimeoutError as error:
            raise Unanswered(
                "your node does not answer: it may have done what you asked",
                remedy="see what it prints, or restart it; look before you ask again",
            ) from error
        except NoNode as error:
            why = f"{error}: it may have done what you asked"
            raise Unanswered(why, remedy=f"{error.remedy}; then look before you ask again") from error
        if "error" in answer:
            raise _rebuilt(answer["error"])
        return answer["result"]

    def notices(self, timeout: float | None = None) -> Iterator[dict[str, Any]]:
        """Every notice from now on (``call("follow")`` first), until the node ends or is quiet for ``timeout``."""
        self._socket.settimeout(timeout)
        while True:
            try:
                message = self._read()
            except (TimeoutError, NoNode):
                return
            if message.get("method") == "notice":
                yield message["params"]

    def _send(self, line: bytes) -> None:
        try:
            self._socket.sendall(line)
        except TimeoutError:
            raise
        except OSError as error:
            raise _gone() from error

    def _read(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except TimeoutError:
            raise
        except OSError as error:
            raise _gone() from error
        if not line.endswith(b"\n"):  # it ended, perhaps in the middle of an answer
            raise _gone()
        message: dict[str, Any] = json.loads(line)
        return message


def _gone() -> NoNode:
    return NoNode("your node went away", remedy="start it again: conclave up")


def _rebuilt(error: dict[str, Any]) -> errors.ConclaveError:
    data = error.get("data") or {}
    kind = getattr(errors, data.get("class", ""), errors.ConclaveError)
    text, remedy = error["message"], data.get("remedy", "")
    if isinstance(kind, type) and issubclass(kind, errors.Refused | errors.VerificationError):
        return kind(text, reason=data.get("reason", ""), remedy=remedy)
    if isinstance(kind, type) and issubclass(kind, errors.ConclaveError):
        return kind(text, remedy=remedy)
    return errors.ConclaveError(text, remedy=remedy)
