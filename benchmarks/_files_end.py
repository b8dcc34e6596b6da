"""One end of the file benchmark, in its own process: ``python -m benchmarks._files_end KIND FOLDER [HOST PORT]``.

KIND is ``serve`` (ours: offers FOLDER/source and sends it), or ``bare`` (TLS by hand: reads the file and writes it to
the socket that it dials). Keys and certificates come on standard input.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from pathlib import Path

import uvloop

from benchmarks._ends import HERE, MANY, Bare, Realm
from conclave.chat.events import Arrived, Event, Linked, Unlinked
from conclave.errors import LocalError
from conclave.files.limits import FileLimits
from conclave.files.offer import Offered
from conclave.net.dialling import dial
from conclave.net.listener import listen
from conclave.net.streams import LinkStream
from conclave.node.files.filing import Files
from conclave.node.files.ports import Conversations
from conclave.node.notices import Notice
from conclave.node.peers import Peers
from conclave.store.memory import MemoryStore
from conclave.wire.files import CHUNK_BYTES, FileFrame
from conclave.wire.frames import encode_frame
from conclave.wire.order import Have


class End:
    """A node, as far as files need one; its conversation is whatever the benchmark says."""

    def __init__(self, realm: Realm, me: str, other: str, home: Path) -> None:
        self.realm, self.me, self.other, self.home = realm, me, other, home
        self.done: asyncio.Future[Notice] = asyncio.get_running_loop().create_future()
        self.said: list[Offered] = []
        self.heard = asyncio.Event()

    async def start(self, group: asyncio.TaskGroup) -> str:
        self.peers = Peers(
            self.me,
            dial=self._dial,
            find=self._find,
            spawn=group.create_task,
            put=self._put,
            drained=lambda _: self.files.drained(),
            tell=lambda _: None,
            jitter=lambda: 0.5,
        )
        conversations = Conversations(self._say, lambda _: (self.other,))
        self.files = Files(
            self.me, self.home, MemoryStore(), self.peers, conversations, self._tell, FileLimits(), clock=time.time
        )  # fmt: skip
        self.listener = await listen(HERE, 0, lambda: self.realm.server, self.realm.verify, MANY, self.peers)
        self.running = group.create_task(self.files.run())
        await asyncio.sleep(0)
        return "{}:{}".format(*self.listener.address)

    async def words(self, times: list[float]) -> None:
        """Say something every 20 ms, and note how long it takes to come back (seconds)."""
        word = encode_frame(Have(bytes(16), 1))
        while True:
            self.heard.clear()
            start = time.perf_counter()
            self.peers.send(self.other, word)
            await self.heard.wait()
            times.append(time.perf_counter() - start)
            await asyncio.sleep(0.02)

    def end(self) -> None:
        self.listener.close()
        self.peers.close()
        self.running.cancel()

    async def _say(self, conversation: str, message: bytes, offered: Offered) -> None:
        del conversation, message
        self.said.append(offered)

    async def _dial(self, address: str, handle: str) -> LinkStream:
        del handle
        host, _, port = address.rpartition(":")
        return await dial(host, int(port), self.realm.client, self.realm.verify, MANY, self.peers)

    async def _find(self, handle: str) -> str:
        raise LocalError(handle)

    def _put(self, event: Event) -> None:
        match event:
            case Arrived(peer, frame) if isinstance(frame, FileFrame):
                self.files.arrived(peer, frame)
            case Arrived(peer, frame) if self.me == "burak":  # words: sent back as they are
                self.peers.send(peer, encode_frame(frame))
            case Arrived():
                self.heard.set()
            case Linked(peer):
                self.files.linked(peer)
            case Unlinked(peer):
                self.files.unlinked(peer)

    def _tell(self, notice: Notice) -> None:
        if type(notice).__name__ in ("FileDone", "FileFailed") and not self.done.done():
            self.done.set_result(notice)


async def serve(realm: Realm, folder: Path) -> None:
    from conclave.node.files.commands import FileOffer

    async with asyncio.TaskGroup() as group:
        end = End(realm, "burak", "ayse", folder / "burak")
        end.home.mkdir(exist_ok=True)
        address = await end.start(group)
        await end.files.serve(FileOffer("@ayse", str(folder / "source")))
        [offered] = end.said
        print(address, offered.size, offered.root.hex(), offered.key.hex(), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        end.end()


def bare(realm: Realm, folder: Path, host: str, port: int) -> None:
    end = Bare(realm.client, socket.create_connection((host, port)), server_side=False)
    while not end.shake():
        end.hear()
    descriptor = os.open(folder / "source", os.O_RDONLY)
    at = 0
    while data := os.pread(descriptor, CHUNK_BYTES, at):
        end.write(data)
        at += len(data)
    end.sock.recv(1)


def main() -> None:
    kind, folder = sys.argv[1], Path(sys.argv[2])
    realm = Realm.loads(sys.stdin.readline())
    if kind == "bare":
        bare(realm, folder, sys.argv[3], int(sys.argv[4]))
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(realm, folder))


if __name__ == "__main__":
    main()
