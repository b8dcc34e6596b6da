"""A file of 256 MB from one process to another over loopback; the receiver counts it when it is whole and in place.

Ours: two nodes' links, stores and ``Files``; every chunk is read, sealed, checked by its tag, sent, checked against
its leaf, written sealed, read, opened, written; the file is flushed to disk and linked to its name. The floor is bare
TLS 1.3 by hand: read the same file, write it to the socket, throw away what arrives. A second floor does with what
arrives what anybody must who wants a file: hashes it, writes it, flushes it. Words: round trips of a ping while the
file is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import uvloop

from benchmarks._ends import HERE, Bare, Realm
from benchmarks._files_end import End
from benchmarks.rows import Row
from conclave.files.offer import Offered
from conclave.files.record import record_of
from conclave.node.files.commands import FileAccept
from conclave.node.notices import FileDone
from conclave.wire.files import CHUNK_BYTES

NAME = "files"
SIZE = 256 << 20
ROUNDS = 5
"""In turns, the best of each counts: other work on the machine can only slow either down."""


class Rates(NamedTuple):
    """MB for each second, and for each second of this process's CPU: what others on the machine do moves it less."""

    wall: float
    cpu: float


class Watch:
    """Starts when it is made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def rates(self, size: int) -> Rates:
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return Rates(size / wall / 1e6, size / cpu / 1e6)


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


def floor(realm: Realm, folder: Path, size: int, *, kept: bool) -> Rates:
    with socket.create_server((HERE, 0)) as door:
        host, port = door.getsockname()
        with far_end("bare", folder, realm, host, str(port)):
            end = Bare(realm.server, door.accept()[0], server_side=True)
            while not end.shake():
                end.hear()
            watch = Watch()
            if kept:
                keep(end, folder / "kept", size)
            else:
                left = size
                while left:
                    left -= end.read()
            rates = watch.rates(size)
            end.sock.close()
    return rates


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


async def ours(realm: Realm, folder: Path, size: int, times: list[float] | None = None) -> Rates:
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
            words = None if times is None else group.create_task(end.words(times))
            watch = Watch()
            await end.files.serve(FileAccept(record.id.hex(), str(into)))
            done = await end.done
            rates = watch.rates(size)
            assert isinstance(done, FileDone), done
            if words is not None:
                words.cancel()
            end.end()
        shutil.rmtree(end.home)
        shutil.rmtree(into)
    return rates


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
        times: list[float] = []
        runner.run(ours(realm, folder, size, times))
    bare, kept, rate = (Rates(*map(max, zip(*each, strict=True))) for each in zip(*rounds, strict=True))
    what = f"a file of {size >> 20} MiB between two processes"
    return [
        Row(f"{what}, to bare TLS thrown away", rate.wall, "MB/s", bare.wall, 0.6),
        Row("the same, to bare TLS hashed and kept", rate.wall, "MB/s", kept.wall, 0.6),
        Row("the same, for the receiver's CPU, to thrown away", rate.cpu, "MB/CPU s", bare.cpu),
        Row("the same, for the receiver's CPU, to hashed and kept", rate.cpu, "MB/CPU s", kept.cpu, 0.6),
        Row(
            "a word there and back meanwhile, median", statistics.median(times) * 1e3, "ms", target=250, better="less"
        ),
        Row("the slowest word", max(times) * 1e3, "ms"),
    ]
