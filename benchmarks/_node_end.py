"""One end of a pair chat, in a process of its own: ``python -m benchmarks._node_end KIND DATABASE ...``.

KIND is ``hear COUNT`` or ``say PORT COUNT FLYING`` (a node's pump, store and links, wired as in ``node.run``),
``bare-hear COUNT GROUP`` or ``bare-say PORT COUNT FLYING GROUP`` (the primitives that MLS needs for each message, the
same rows in the same groups by sqlcipher3 alone, the bytes over TLS by hand). The hearing ends tell their port, the
saying ends what they measured, as a line of JSON; ``hear`` ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import select
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import uvloop
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from benchmarks._ends import HERE, Bare, Realm
from conclave.chat import events as ev
from conclave.chat.desk import restore
from conclave.chat.effects import AddLine, Record
from conclave.chat.notices import LineMarked, RequestArrived
from conclave.chat.words.line import Status
from conclave.link.limits import LinkLimits
from conclave.net.dialling import dial
from conclave.net.listener import listen
from conclave.net.streams import LinkStream
from conclave.node.notices import Notice
from conclave.node.peers import Peers
from conclave.node.pump import Pump
from conclave.store.peer import PeerDatabase
from conclave.store.peer_schema import STEPS
from conclave.store.ports import LineName
from conclave.store.schema import migrate
from conclave.store.sqlcipher import connect

KIND, DATABASE = sys.argv[1], Path(sys.argv[2])
NUMBERS = [int(text) for text in sys.argv[3:]]
TEXT = "some ordinary words in a row, two hundred bytes in all; " * 3 + "and the last of them go here now"
assert len(TEXT) == 200
LIMITS = LinkLimits()
WARM_UP = 20
STATE_BYTES, POST_BYTES, FRAME_BYTES, ORIGINAL_BYTES = 292, 432, 462, 475
"""What the states of a pair, a post's body, its frame, and what its author signed come to with such a text."""


def tell(**values: object) -> None:
    print(json.dumps(values), flush=True)


class Counted(PeerDatabase):
    """Counts commits that bring new lines, and their lines."""

    groups = 0
    added = 0

    def commit(self, records: Sequence[Record]) -> frozenset[LineName]:
        stale = super().commit(records)
        added = sum(isinstance(record, AddLine) for record in records)
        self.groups += added > 0
        self.added += added
        return stale


class Node:
    """A pump with a database and links, and nothing else of a node."""

    def __init__(self, me: str, realm: Realm, tasks: asyncio.TaskGroup, notice: Callable[[Notice], None]) -> None:
        def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            return tasks.create_task(work)

        self.realm = realm
        self.port = 0
        self.store = Counted(DATABASE, os.urandom(32))
        self.peers = Peers(
            me,
            dial=self.dial,
            find=self.find,
            spawn=spawn,
            put=self.put,
            drained=self.drained,
            tell=notice,
            jitter=secrets.SystemRandom().random,
        )
        desk = restore(me, self.store.states(), self.store.posts, own=realm.own(me), judges=realm.judges())
        self.pump = Pump(desk, self.store, self.peers, notice, time.time, os.urandom)
        self.running = spawn(self.pump.run())

    def put(self, event: ev.Event) -> None:
        self.pump.put(event)

    def drained(self, peer: str) -> None:
        self.pump.drained(peer)

    async def find(self, handle: str) -> str:
        del handle
        return f"{HERE}:{self.port}"

    async def dial(self, address: str, handle: str) -> LinkStream:
        del handle
        host, _, port = address.partition(":")
        return await dial(host, int(port), self.realm.client, self.realm.verify, LIMITS, self.peers)

    def end(self) -> None:
        self.peers.close()
        self.running.cancel()


async def hear(realm: Realm, count: int) -> None:
    async with asyncio.TaskGroup() as tasks:

        def noticed(notice: Notice) -> None:
            if isinstance(notice, RequestArrived):
                node.put(ev.AnswerRequest(notice.peer, accept=True))

        node = Node("burak", realm, tasks, noticed)
        listener = await listen(HERE, 0, lambda: realm.server, realm.verify, LIMITS, node.peers)
        start = time.process_time()
        tell(port=listener.address[1])
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        tell(cpu=time.process_time() - start)
        listener.close()
        node.end()
    assert node.store.conversations()[0].count == count + WARM_UP


async def say(realm: Realm, port: int, count: int, flying: int) -> None:
    """``flying`` people at once say something and wait until it is on the other's disk, and we know that."""
    waiting: dict[bytes, asyncio.Future[None]] = {}
    todo = iter(range(count))

    def noticed(notice: Notice) -> None:
        if isinstance(notice, LineMarked) and notice.status is Status.DELIVERED:  # told after the mark is on disk
            waiting.pop(notice.id).set_result(None)

    async def one() -> None:
        identity = secrets.token_bytes(16)
        done = waiting[identity] = asyncio.get_running_loop().create_future()
        await node.pump.ask(ev.Say("@burak", identity, TEXT))
        await done

    async def person() -> None:
        for _ in todo:
            await one()

    async with asyncio.TaskGroup() as tasks:
        node = Node("ayse", realm, tasks, noticed)
        node.port = port
        for _ in range(WARM_UP):  # the first makes the link, and is the request that burak accepts
            await one()
        groups, added = node.store.groups, node.store.added
        start, cpu = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as people:
            for _ in range(flying):
                people.create_task(person())
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        node.end()
    marked = sum(
        stored.line.status is Status.DELIVERED for stored in node.store.lines("@burak", limit=count + WARM_UP)
    )
    assert marked == count + WARM_UP
    size = (node.store.added - added) / (node.store.groups - groups)
    tell(rate=count / seconds, group=size)
    tell(cpu=cpu)


class Words:
    """What MLS cannot do without for a message, by the library's own objects, keys ready beforehand."""

    def __init__(self) -> None:
        self.key = ed25519.Ed25519PrivateKey.generate()
        self.public = self.key.public_key()
        self.signature = self.key.sign(bytes(400))
        self.aead = AESGCM(bytes(16))
        self.sealed = [(self.aead.encrypt(bytes(12), bytes(size), b"")) for size in (320, 12)]

    def _derive(self) -> None:
        for _ in range(5):
            HKDFExpand(SHA256(), 32, bytes(24)).derive(bytes(32))

    def protect(self) -> None:
        self.key.sign(bytes(400))
        self._derive()
        for size in (320, 12):
            self.aead.encrypt(bytes(12), bytes(size), b"")

    def open(self) -> None:
        self._derive()
        for sealed in self.sealed:
            self.aead.decrypt(bytes(12), sealed, b"")
        self.public.verify(self.signature, bytes(400))


class Rows:
    """What the core stores at either end, for the bare driver."""

    def __init__(self) -> None:
        self.db = connect(DATABASE, os.urandom(32))
        migrate(self.db, STEPS)
        self.db.execute("INSERT INTO conversations (name) VALUES ('@burak')")

    def commit(self, numbers: Sequence[int], status: str, delivered: Sequence[int] = ()) -> None:
        db, now = self.db, time.time()
        db.execute("BEGIN IMMEDIATE")
        db.execute(
            "INSERT INTO states VALUES ('peer/burak', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (bytes(STATE_BYTES),),
        )
        db.executemany(
            "INSERT INTO lines (conversation, sender, id, kind, text, sent, stored, status, seq, original) "
            "VALUES (1, 'ayse', ?, 'text', ?, ?, ?, ?, 0, ?)",
            [(number.to_bytes(16), TEXT, now, now, status, bytes(ORIGINAL_BYTES)) for number in numbers],
        )
        db.executemany(
            "UPDATE lines SET status = 'delivered' WHERE conversation = 1 AND sender = 'ayse' AND id = ?",
            [(number.to_bytes(16),) for number in delivered],
        )
        if status == "waiting":
            db.executemany(
                "INSERT INTO posts VALUES ('burak', ?, 1, ?, NULL)",
                [(number, bytes(POST_BYTES)) for number in numbers],
            )
        if delivered:
            db.execute("DELETE FROM posts WHERE peer = 'burak' AND number <= ?", (delivered[-1],))
        db.execute("COMMIT")


def bare_end(realm: Realm, sock: socket.socket, *, server_side: bool) -> Bare:
    end = Bare(realm.server if server_side else realm.client, sock, server_side=server_side)
    while not end.shake():
        end.hear()
    return end


def bare_hear(realm: Realm, count: int, group: int) -> None:
    rows, words = Rows(), Words()
    with socket.create_server((HERE, 0)) as door:
        tell(port=door.getsockname()[1])
        end = bare_end(realm, door.accept()[0], server_side=True)
    number = had = 0
    start = time.process_time()
    while number < count:
        had += end.read()
        while had >= FRAME_BYTES * group:
            had -= FRAME_BYTES * group
            for _ in range(group):
                words.open()
            rows.commit(range(number, number + group), "received")
            number += group
            end.write(bytes(16))
    tell(cpu=time.process_time() - start)


def bare_say(realm: Realm, port: int, count: int, flying: int, group: int) -> None:
    rows, words = Rows(), Words()
    end = bare_end(realm, socket.create_connection((HERE, port)), server_side=False)
    sent = acknowledged = delivered = 0
    data = bytes(FRAME_BYTES * group)
    start, cpu = time.perf_counter(), time.process_time()
    while delivered < count:
        fresh = range(sent, sent + group) if sent < min(count, delivered + flying) else range(0)
        if not fresh or select.select([end.sock], [], [], 0)[0]:
            acknowledged += end.read() // 16 * group
        for _ in fresh:
            words.protect()
        rows.commit(fresh, "waiting", range(delivered, acknowledged))
        delivered = acknowledged
        if fresh:
            sent += group
            end.write(data)
    tell(rate=count / (time.perf_counter() - start))
    tell(cpu=time.process_time() - cpu)
    end.sock.close()


def main() -> None:
    realm = Realm.loads(sys.stdin.readline())
    if KIND == "bare-hear":
        bare_hear(realm, *NUMBERS)
    elif KIND == "bare-say":
        bare_say(realm, *NUMBERS)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(hear(realm, *NUMBERS) if KIND == "hear" else say(realm, *NUMBERS))


main()
