"""A file of 256 MB from one process to another over loopback; the receiver counts it when it is whole and in place.

Ours: two nodes' links, stores and ``Files``; every chunk is read, sealed, checked against its leaf, sent, checked
again, opened, written; the file is flushed to disk and linked to its name. The floor is bare TLS 1.3 by hand: read
the same file, write it to the socket, throw away what arrives. A second floor does with what arrives what anybody
must who wants a file: hashes it, writes it, flushes it. Words: round trips of a ping while the file is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from benchmarks._ends import HERE, Bare, Realm
from benchmarks._files_end import End
from benchmarks.rows import Row
from conclave.files.offer import Offered
from conclave.files.record import record_of
from conclave.node.files_commands import FileAccept
from conclave.node.notices import FileDone
from conclave.wire.files import CHUNK_BYTES

NAME = "files"
SIZE = 256 << 20
ROUNDS = 5
"""In turns, the best of each counts: other work on the machine can only slow either down."""


@contextmanager
def far_end(kind: str, folder: Path, realm: Realm, *words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks._files_end", kind, str(folder), *words]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdin is not None
        process.stdin.write(realm.dumps() + "\n")
        process.stdin.flush()
        yield process
    finally:
        process.communicate(timeout=30)


def floor(realm: Realm, folder: Path, size: int, *, kept: bool) -> float:
    with socket.create_server((HERE, 0)) as door:
        host, port = door.getsockname()
        with far_end("bare", folder, realm, host, str(port)):
            end = Bare(realm.server, door.accept()[0], server_side=True)
            while not end.shake():
                end.hear()
            start = time.perf_counter()
            if kept:
                keep(end, folder / "kept", size)
            else:
                left = size
                while left:
                    left -= end.read()
            seconds = time.perf_counter() - start
            end.sock.close()
    return size / seconds / 1e6


def keep(end: Bare, path: Path, size: int) -> None:
    """What must be done with a file that arrives, and no more."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        while file.tell() < size:
            end.hear()
            while end.incoming.pending:
                try:
                    data = end.tls.read(16_384)
                except ssl.SSLWantReadError:
                    break
                digest.update(data)
                file.write(data)
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


async def ours(realm: Realm, folder: Path, size: int) -> float:
    with far_end("serve", folder, realm) as process:
        assert process.stdout is not None
        loop = asyncio.get_running_loop()
        line = await loop.run_in_executor(None, process.stdout.readline)
        address, told, root, key = line.split()
        offered = Offered("source", int(told), CHUNK_BYTES, bytes.fromhex(root), bytes.fromhex(key))
        async with asyncio.TaskGroup() as group:
            end = End(realm, "ayse", "burak", folder / "ayse")
            into = folder / "got"
            into.mkdir(parents=True)
            end.home.mkdir()
            await end.start(group)
            record = record_of("@burak", "burak", bytes(16), offered, time.time())
            await end.files.heard(record)
            await end.peers.dial_at("burak", address)
            start = time.perf_counter()
            await end.files.serve(FileAccept(record.id.hex(), str(into)))
            done = await end.done
            seconds = time.perf_counter() - start
            assert isinstance(done, FileDone), done
            end.end()
        shutil.rmtree(end.home)
        shutil.rmtree(into)
    return size / seconds / 1e6


def run(*, quick: bool = False) -> list[Row]:
    realm = Realm.make()
    size = SIZE // 4 if quick else SIZE
    rounds = []
    with (
        tempfile.TemporaryDirectory() as name,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        folder = Path(name)
        with (folder / "source").open("wb") as file:
            for _ in range(size >> 20):
                file.write(os.urandom(1 << 20))
        for _ in range(2 if quick else ROUNDS):
            floors = (floor(realm, folder, size, kept=False), floor(realm, folder, size, kept=True))
            rounds.append((*floors, runner.run(ours(realm, folder, size))))
    bare, kept, rate = (max(values) for values in zip(*rounds, strict=True))
    what = f"a file of {size >> 20} MiB between two processes"
    return [
        Row(f"{what}, to bare TLS thrown away", rate, "MB/s", bare, 0.6),
        Row(f"{what}, to bare TLS hashed and kept", rate, "MB/s", kept, 0.6),
    ]
