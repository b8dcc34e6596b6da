"""Two who send a file, one of whom kills itself: a program that forks them, so that hundreds of lives cost little.

It reads one JSON object a line: ``{"folder": …, "who": …, "point": …, "size": …, "links": …}``, forks ayse, who
offers a file and sends it, and burak, who fetches it. The one named by ``who`` kills itself (SIGKILL) at its
``point``-th point: before and after every commit and every call that changes something on disk; or once it would
have written more than ``size`` bytes. It is then started again, without points. Without ``links`` the disk has no
hard links.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from conclave.chat.effects import Record
from conclave.files.offer import Offered
from conclave.files.record import Stage, record_of
from conclave.node.notices import FileProgress
from conclave.store.peer import PeerDatabase
from conclave.store.ports import LineName
from conclave.wire.files import CHUNK_BYTES
from tests.link.identities import usual
from tests.node.filing import Filer

LIFE_SECONDS = 20.0
NEVER = 1 << 30
TOUCHES = ("pwritev", "fdatasync", "fsync", "link", "ftruncate", "unlink", "replace")


class Fuse:
    """Counts points and bytes written, and kills the process at one of them."""

    def __init__(self, point: int, size: int) -> None:
        self.point = point
        self.passed = 0
        self.size = size

    def burn(self) -> None:
        self.passed += 1
        if self.passed == self.point or self.size < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def fit(self, real: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(real)
        def fused(*arguments: Any, **more: Any) -> Any:
            if real.__name__ == "pwritev":
                self.size -= sum(map(len, arguments[1]))
            self.burn()
            result = real(*arguments, **more)
            self.burn()
            return result

        return fused


class FusedStore(PeerDatabase):
    """The real store, with a point before and after every commit."""

    fuse: Fuse

    def commit(self, records: Sequence[Record]) -> frozenset[LineName]:
        self.fuse.burn()
        stale = super().commit(records)
        self.fuse.burn()
        return stale


class Crasher(Filer):
    """Says an offer by a file that the other one reads."""

    async def say(self, conversation: str, message: bytes, offered: Offered) -> None:
        said = {"size": offered.size, "root": offered.root.hex(), "key": offered.key.hex(), "id": message.hex()}
        (self.home.parent / "said.new").write_text(json.dumps(said))
        (self.home.parent / "said.new").rename(self.home.parent / "said")


def read_when_there(path: Path) -> str:
    return path.read_text() if path.exists() else ""


async def live(folder: Path, who: str, fuse: Fuse) -> None:
    store = FusedStore(folder / f"{who}.db", b"k" * 32)
    store.fuse = fuse
    one = Crasher(who, folder / who, {}, store=store)
    other = "burak" if who == "ayse" else "ayse"
    async with one.running(), asyncio.timeout(LIFE_SECONDS):
        (folder / f"{who}.new").write_text(one.address)
        (folder / f"{who}.new").rename(folder / f"{who}.at")
        if who == "ayse":
            if not (folder / "said").exists():
                await one.offer("@burak", folder / "report.pdf")
            (folder / "ayse.passed").write_text(str(fuse.passed))
            while not (folder / "burak.done").exists():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            (folder / "ayse.passed").write_text(str(fuse.passed))
            return
        while not (said := read_when_there(folder / "said")):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        told = json.loads(said)
        offered = Offered("report.pdf", told["size"], CHUNK_BYTES, *(bytes.fromhex(told[n]) for n in ("root", "key")))
        record = record_of("@ayse", "ayse", bytes.fromhex(told["id"]), offered, time.time())
        await one.files.heard(record)
        if one.files._records[record.id].stage is Stage.OFFERED:
            await one.accept(record.id)
        while one.files._records[record.id].stage is not Stage.HERE or one.files._downloads._tasks:
            address = read_when_there(folder / f"{other}.at")
            if address:
                one.peers.at(other, address)
            await asyncio.sleep(0.005)
        progress = [notice.done for notice in one.told(FileProgress)]
        (folder / "burak.first").write_text(str(progress[0] if progress else 0))
        (folder / "burak.passed").write_text(str(fuse.passed))
        (folder / "burak.done").write_text(one.files._records[record.id].path)


def no_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def fork(folder: Path, who: str, point: int, size: int, *, links: bool) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        sys.stdout = sys.stderr
        if not links:
            os.link = no_links
        fuse = Fuse(point, size)
        for name in TOUCHES:
            setattr(os, name, fuse.fit(getattr(os, name)))
        asyncio.run(live(folder, who, fuse))
        status = 0
    except BaseException:  # noqa: BLE001 - the file is how the test hears of it
        import traceback

        (folder / f"{who}.failed").write_text(traceback.format_exc())
    finally:
        os._exit(status)


def perform(folder: Path, who: str, point: int, size: int, *, links: bool) -> dict[str, object]:
    """One file from the beginning to the end, with one death on its way."""
    fuses = {one: (point, size) if one == who else (NEVER, NEVER) for one in ("ayse", "burak")}
    lives = {fork(folder, one, *fuse, links=links): one for one, fuse in fuses.items()}
    failed: list[str] = []
    died = False
    end = time.monotonic() + 2 * LIFE_SECONDS
    while lives:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            if time.monotonic() > end:
                for late in lives:
                    os.kill(late, signal.SIGKILL)
            time.sleep(0.002)
            continue
        one = lives.pop(pid)
        if os.waitstatus_to_exitcode(status) == -signal.SIGKILL and one == who and not died:
            died = True
            lives[fork(folder, one, NEVER, NEVER, links=links)] = one
        elif status:
            failed.append(one)
    return {"died": died, "failed": failed, "passed": int(read_when_there(folder / f"{who}.passed") or 0)}


def main() -> None:
    for who in ("ayse", "burak"):  # certificates are made once, before anybody is forked
        for server in (True, False):
            usual(who, server=server)
    for line in sys.stdin:
        task = json.loads(line)
        answer = perform(Path(task["folder"]), task["who"], task["point"], task["size"], links=task["links"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
