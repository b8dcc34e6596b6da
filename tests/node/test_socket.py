"""The node's socket: a real one, spoken to by the real client and by strangers' bytes."""

import asyncio
import contextlib
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from conclave.errors import LocalError, Refused, VerificationError
from conclave.node.door import commands
from conclave.node.door.client import LINE_BYTES, NodeClient, NoNode
from conclave.node.door.socket import REQUESTS, SocketServer
from conclave.node.paths import prepare_home, socket_path


async def serve(command: commands.Command) -> Any:
    match command:
        case commands.Find("nobody"):
            raise Refused("nobody is called that", reason="not-found", remedy="conclave who")
        case commands.Find("mallory"):
            raise VerificationError("somebody else answered", reason="unexpected-handle")
        case commands.Find(handle):
            return {"handle": handle}
        case _:
            return {}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SocketServer]:
    prepare_home(tmp_path)
    server = SocketServer(tmp_path, serve)
    await server.start()
    yield server
    await server.close()


async def test_only_the_owner_may_open_it(server: SocketServer, tmp_path: Path) -> None:
    assert stat.S_IMODE(socket_path(tmp_path).stat().st_mode) == 0o600


async def test_a_call_is_answered_and_a_refusal_comes_back_whole(server: SocketServer, tmp_path: Path) -> None:
    def talk() -> None:
        with NodeClient(tmp_path) as node:
            assert node.call("find", handle="burak") == {"handle": "burak"}
            with pytest.raises(Refused, match="nobody") as refused:
                node.call("find", handle="nobody")
            assert (refused.value.reason, refused.value.remedy) == ("not-found", "conclave who")
            with pytest.raises(VerificationError) as unverified:
                node.call("find", handle="mallory")
            assert unverified.value.reason == "unexpected-handle"
            with pytest.raises(LocalError, match="no command"):
                node.call("shout")

    await asyncio.to_thread(talk)


async def test_notices_reach_those_who_follow(server: SocketServer, tmp_path: Path) -> None:
    with await asyncio.to_thread(NodeClient, tmp_path) as node:
        await asyncio.to_thread(node.call, "follow")
        server.tell({"notice": "presence-changed", "handle": "burak"})
        notice = await asyncio.to_thread(next, node.notices(timeout=5))
    assert notice == {"notice": "presence-changed", "handle": "burak"}


async def test_without_a_node_the_client_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoNode) as missing:
        NodeClient(tmp_path)
    assert "conclave up" in missing.value.remedy


async def test_a_second_node_of_the_same_home_is_refused(server: SocketServer, tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="running already"):
        await SocketServer(tmp_path, serve).start()


async def test_a_socket_left_behind_by_a_killed_node_is_replaced(tmp_path: Path) -> None:
    dead = await asyncio.start_unix_server(lambda _r, _w: None, str(socket_path(tmp_path)))
    dead.close()
    await dead.wait_closed()
    server = SocketServer(tmp_path, serve)
    await server.start()
    await server.close()


@pytest.mark.parametrize(
    ("line", "code"),
    [(b"nonsense\n", -32700), (b"[]\n", -32600), (b'{"method": 3, "id": 1}\n', -32600), (b"\xff\xfe\n", -32700)],
)
async def test_junk_is_answered_and_the_connection_lives(
    server: SocketServer, tmp_path: Path, line: bytes, code: int
) -> None:
    reader, writer = await asyncio.open_unix_connection(str(socket_path(tmp_path)))
    writer.write(line)
    assert json.loads(await reader.readline())["error"]["code"] == code
    writer.write(b'{"jsonrpc": "2.0", "id": 5, "method": "find", "params": {"handle": "cem"}}\n')
    assert json.loads(await reader.readline())["result"] == {"handle": "cem"}
    writer.close()


async def test_a_line_without_end_closes_its_own_connection_only(server: SocketServer, tmp_path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(str(socket_path(tmp_path)))
    writer.write(b"x" * (LINE_BYTES + 70_000))
    assert json.loads(await reader.readline())["error"]["code"] == -32700
    with contextlib.suppress(ConnectionResetError):  # what we sent beyond the limit was not read
        assert await reader.read() == b""
    writer.close()

    def talk() -> None:
        with NodeClient(tmp_path) as node:
            assert node.call("find", handle="cem") == {"handle": "cem"}

    await asyncio.to_thread(talk)


def test_a_home_too_deep_for_a_socket_gets_a_private_one_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/0")
    deep = tmp_path / ("deep" * 30)
    assert len(os.fsencode(socket_path(deep))) <= 100
    assert socket_path(deep) != socket_path(tmp_path / ("deep" * 31))


@pytest.mark.parametrize("trap", ["open to others", "a link"])
def test_a_shared_folder_that_somebody_prepared_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trap: str
) -> None:
    with TemporaryDirectory(dir="/tmp") as shared:
        monkeypatch.setenv("XDG_RUNTIME_DIR", shared)
        home = tmp_path / ("deep" * 30)
        folder = socket_path(home).parent
        assert folder.parent == Path(shared)
        if trap == "a link":
            (tmp_path / "theirs").mkdir(mode=0o700)
            folder.symlink_to(tmp_path / "theirs")
        else:
            folder.mkdir()
            folder.chmod(0o777)
        with pytest.raises(LocalError, match="private"):
            NodeClient(home)
        with pytest.raises(LocalError, match="private"):
            asyncio.run(SocketServer(home, serve).start())


async def test_requests_of_one_connection_are_bounded(tmp_path: Path) -> None:
    going, most = 0, 0

    async def slow(_command: commands.Command) -> Any:
        nonlocal going, most
        going += 1
        most = max(most, going)
        await asyncio.sleep(0.01)
        going -= 1
        return {}

    server = SocketServer(tmp_path, slow)
    await server.start()
    reader, writer = await asyncio.open_unix_connection(str(socket_path(tmp_path)))
    writer.write(b'{"jsonrpc": "2.0", "id": 1, "method": "status"}\n' * 100)
    for _ in range(100):
        assert json.loads(await reader.readline())["result"] == {}
    writer.close()
    await server.close()
    assert most == REQUESTS
