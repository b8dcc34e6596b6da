"""A front's end of the socket against nodes that fail: clear words, never a traceback, never a wait without end."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conclave.errors import ConclaveError, LocalError
from conclave.node.door.client import LINE_BYTES, NodeClient, NoNode, Unanswered
from conclave.node.door.commands import Command
from conclave.node.door.socket import SocketServer
from conclave.node.home import doctor
from conclave.node.paths import prepare_home, socket_path


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Callable[[bytes], Path]]:
    """A node that reads one line, answers with the given bytes, and is gone."""
    prepare_home(tmp_path)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(socket_path(tmp_path)))
    listening.listen()
    threads: list[threading.Thread] = []

    def serve(answer: bytes) -> None:
        one, _ = listening.accept()
        with one:
            one.recv(1 << 16)
            one.sendall(answer)

    def start(answer: bytes) -> Path:
        threads.append(threading.Thread(target=serve, args=(answer,)))
        threads[-1].start()
        return tmp_path

    yield start
    for thread in threads:
        thread.join(5)
    listening.close()


@pytest.mark.parametrize("answer", [b"", b'{"jsonrpc": "2.0", "id": 1, "res', b'{"id": 7, "result": {}}\n'])
def test_a_node_that_ends_before_it_has_answered(node: Callable[[bytes], Path], answer: bytes) -> None:
    with NodeClient(node(answer)) as client, pytest.raises(Unanswered, match="it may have done") as gone:
        client.call("status", patience=5)
    assert "conclave up" in gone.value.remedy


def test_a_node_that_is_gone_when_asked_again(node: Callable[[bytes], Path]) -> None:
    with NodeClient(node(b'{"id": 1, "result": {}}\n')) as client:
        assert client.call("status") == {}
        for _ in range(3):  # the first may still be taken by the kernel, the others are refused by it
            with pytest.raises((NoNode, Unanswered)):
                client.call("status", text="x" * 100_000)


def test_a_node_that_does_not_answer(node: Callable[[bytes], Path]) -> None:
    home = node(b'{"method": "notice", "params": {}}\n')
    with NodeClient(home) as client, pytest.raises(Unanswered, match="it may have done"):
        client.call("status", patience=0.2)


def test_a_node_that_does_not_answer_is_not_told_of_as_one_that_does_not_run(
    node: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "PATIENCE_SECONDS", 0.2)
    (check,) = doctor._node(node(b'{"method": "notice", "params": {}}\n'))
    assert not check.good
    assert "it may have done" in check.text


def test_what_is_too_long_for_a_line_is_said_before_it_is_sent(node: Callable[[bytes], Path]) -> None:
    with NodeClient(node(b"")) as client:
        with pytest.raises(LocalError, match="too long"):
            client.call("say", text="x" * LINE_BYTES)
        with pytest.raises(Unanswered):
            client.call("status")


async def test_a_fault_of_the_node_is_answered_and_the_connection_lives(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    faults = iter([ZeroDivisionError("secret of the node"), None])

    async def serve(_: Command) -> Any:
        if (fault := next(faults)) is not None:
            raise fault
        return {"fine": True}

    prepare_home(tmp_path)
    server = SocketServer(tmp_path, serve)
    await server.start()

    def talk() -> None:
        with NodeClient(tmp_path) as client:
            with pytest.raises(ConclaveError, match="failed at this") as failed:
                client.call("status")
            assert "secret" not in str(failed.value)
            assert client.call("status") == {"fine": True}

    await asyncio.to_thread(talk)
    await server.close()
    assert "status was not carried out" in caplog.text


async def test_json_without_a_bottom_is_junk(tmp_path: Path) -> None:
    async def serve(_: Command) -> Any:
        return {}

    prepare_home(tmp_path)
    server = SocketServer(tmp_path, serve)
    await server.start()
    reader, writer = await asyncio.open_unix_connection(str(socket_path(tmp_path)))
    writer.write(b"[" * 500_000 + b"\n" + b'{"id": 2, "method": "status"}\n')
    answers = [json.loads(await reader.readline()) for _ in range(2)]
    assert [answer.get("error", {}).get("code") for answer in answers] == [-32700, None]
    writer.close()
    await server.close()
