"""A node that knows files alone, for the command line's tests: ``python -m tests.node.files_node``.

Two people in one process, each with a real socket for fronts: what is said is told to the other directly. Writes
``ready`` when both are there, and ends when its input ends.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from conclave.errors import LocalError
from conclave.node.door.commands import Command, Follow
from conclave.node.door.socket import SocketServer
from conclave.node.files.commands import FileCommand
from conclave.node.notices import Notice, as_json
from conclave.node.paths import prepare_home
from tests.node.filing import Filer, filers


async def main(folder: Path) -> None:
    ayse, burak = (Filer(me, folder / me, {}) for me in ("ayse", "burak"))
    sockets: list[SocketServer] = []
    async with filers(ayse, burak):
        for one in (ayse, burak):
            sockets.append(door(one))
            await sockets[-1].start()
        print("ready", flush=True)  # noqa: T201
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        for socket in sockets:
            await socket.close()


def door(one: Filer) -> SocketServer:
    async def serve(command: Command) -> Any:
        if isinstance(command, FileCommand):
            return await one.files.serve(command)
        if isinstance(command, Follow):
            return {}
        raise LocalError("this node knows files alone")

    prepare_home(one.home)
    one.home.chmod(0o700)
    socket = SocketServer(one.home, serve)

    def tell(notice: Notice) -> None:
        one.notices.append(notice)
        socket.tell(as_json(notice))

    one.tell = tell
    return socket


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
