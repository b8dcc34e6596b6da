"""The mailbox: envelopes left a second, and fetched and acknowledged a second.

The authority runs in a process of its own on uvloop with its default limits, as ``conclave authority serve`` runs it:
HTTPS on loopback with mutual TLS on kept connections, quotas, SQLite with ``synchronous = FULL``. The clients share
the second core; they write requests that are ready, and read the answers' length. Envelopes are of the smallest size.

The floor of a deposit: one row of that size committed alone to SQLite, with the same pragmas on the same disk. That
of a fetch: a page of rows read from there, deleted, and that committed. Opening is measured apart: unsealing with the
hybrid suite, signature, and path validation of the certificate, against the bare primitives of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import ssl
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import uvloop

from benchmarks._authority_end import PASSPHRASE
from benchmarks.authority import Caller, House, served
from benchmarks.rows import Row
from conclave.authority.mailbox import FETCH_MOST
from conclave.cli.office import init, open_office
from conclave.crypto.hpke import Hpke
from conclave.crypto.signature import ED25519
from conclave.crypto.suite import HYBRID
from conclave.mls import group
from conclave.net.contexts import authority_client_context
from conclave.pki.credentials import Credentials
from conclave.pki.envelope import open_envelope, seal_envelope
from conclave.pki.names import Handle
from conclave.pki.profile import Profile
from tests.pki.ward import NOW, ward

NAME = "mailbox"
SENDERS = 32
RECIPIENTS = 16
EACH = 96
"""Envelopes of one sender in a round: all rounds together stay below its rate's burst."""
SIZE = 2_200
"""Bytes of the smallest envelope, about."""
ROUNDS = 3


def requests(name: str, sender: int, recipients: list[str]) -> list[bytes]:
    """What one sender's machine sends in a round."""
    made = []
    for number in range(EACH):
        path = f"/mail/to/{recipients[(sender + number) % len(recipients)]}"
        head = f"POST {path} HTTP/1.1\r\nHost: {name}\r\nContent-Length: {SIZE}\r\n\r\n"
        made.append(head.encode() + os.urandom(SIZE))
    return made


async def leave(callers: list[Caller], name: str, recipients: list[str]) -> float:
    """Envelopes left a second, by all senders at once."""
    todo = [requests(name, number, recipients) for number in range(len(callers))]

    async def sender(caller: Caller, mine: list[bytes]) -> None:
        for request in mine:
            await caller.ask(request)

    start = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for caller, mine in zip(callers, todo, strict=True):
            tasks.create_task(sender(caller, mine))
    return len(callers) * EACH / (time.perf_counter() - start)


async def fetch(callers: list[Caller], name: str) -> float:
    """Envelopes fetched and acknowledged a second, by all recipients at once, until no mail is left."""
    total = 0

    async def recipient(caller: Caller) -> None:
        nonlocal total
        while True:
            mail = json.loads(await ask(caller, f"GET /mail?limit={FETCH_MOST} HTTP/1.1\r\nHost: {name}\r\n\r\n"))
            ids = [each["id"] for each in mail["mail"]]
            if not ids:
                return
            body = json.dumps({"ids": ids})
            head = f"POST /mail/done HTTP/1.1\r\nHost: {name}\r\nContent-Length: {len(body)}\r\n\r\n"
            await ask(caller, head + body)
            total += len(ids)

    start = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for caller in callers:
            tasks.create_task(recipient(caller))
    return total / (time.perf_counter() - start)


async def ask(caller: Caller, request: str) -> bytes:
    caller.writer.write(request.encode())
    head = await caller.reader.readuntil(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = await caller.reader.readexactly(size)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(body.decode())
    return body


def floors(folder: Path, count: int) -> tuple[float, float]:
    """Bare rows a second: committed one by one; read and deleted by pages, each a commit."""
    database = sqlite3.connect(folder / f"floor-{time.monotonic_ns()}.db", isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("CREATE TABLE mail (id INTEGER PRIMARY KEY, data BLOB NOT NULL)")
    rows = [os.urandom(SIZE) for _ in range(count)]
    start = time.perf_counter()
    for row in rows:
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO mail (data) VALUES (?)", (row,))
        database.execute("COMMIT")
    left = count / (time.perf_counter() - start)
    start, after = time.perf_counter(), 0
    while page := database.execute(f"SELECT id, data FROM mail WHERE id > {after} LIMIT {FETCH_MOST}").fetchall():
        after = page[-1][0]
        database.execute("BEGIN IMMEDIATE")
        database.executemany("DELETE FROM mail WHERE id = ?", [(id_,) for id_, _ in page])
        database.execute("COMMIT")
    fetched = count / (time.perf_counter() - start)
    database.close()
    return left, fetched


def opening(count: int) -> tuple[float, float]:
    """Envelopes opened a second, and the floor: unsealing and one signature alone."""
    random = os.urandom
    sender, own = ward().enrol("ayse", Profile.IM), ward().enrol("burak", Profile.IM)
    package = _package(own)
    seal = partial(_seal, package.package)
    sealed = seal_envelope(sender, Handle("burak"), (random(200),), NOW, seal)
    keys = [partial(group.open_with, package)]
    start = time.perf_counter()
    for _ in range(count):
        open_envelope(sealed, Handle("burak"), ward().trust, NOW, keys)
    ours = count / (time.perf_counter() - start)
    hpke: Hpke = HYBRID.hpke
    enc, ciphertext = hpke.seal(package.package.leaf.encryption_key, b"", bytes(1024), random)
    signature = ED25519.sign(sender.key.raw(), bytes(1024))
    public = sender.certificate.public[-32:]
    start = time.perf_counter()
    for _ in range(count):
        hpke.open(package.encryption_key, b"", enc, ciphertext)
        ED25519.verify(public, bytes(1024), signature)
    return ours, count / (time.perf_counter() - start)


def _package(own: Credentials) -> group.OwnKeyPackage:
    chain = group.Credential.x509((own.certificate.der,))
    return group.OwnKeyPackage.create(HYBRID, chain, own.key.raw(), (int(NOW) - 60, int(NOW) + 86_400), os.urandom)


def _seal(package: group.KeyPackage, label: bytes, context: bytes, plain: bytes) -> bytes:
    return group.seal_to(package, label, context, plain, os.urandom)


def run(*, quick: bool = False) -> list[Row]:
    rounds = 1 if quick else ROUNDS
    left: list[float] = []
    fetched: list[float] = []
    bare_left: list[float] = []
    bare_fetched: list[float] = []
    with tempfile.TemporaryDirectory(prefix="conclave-") as folder_name:
        folder = Path(folder_name)
        init(folder, "Ward 7", "", PASSPHRASE, time.time())
        with (
            open_office(folder) as office,
            served(folder) as port,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            house = House(folder, office)
            people = [house.member() for _ in range(SENDERS + RECIPIENTS)]
            contexts = [authority_client_context(office.trust, each) for each in people]
            names = [each.certificate.common_name for each in people[SENDERS:]]

            async def opened_all(some: list[ssl.SSLContext]) -> list[Caller]:
                return [await Caller.open(context, port, house.name) for context in some]

            async def rest(callers: list[Caller]) -> None:
                for caller in callers:
                    await caller.close()

            for _ in range(rounds):
                floor_left, floor_fetched = floors(folder, 2_000)
                bare_left.append(floor_left)
                bare_fetched.append(floor_fetched)
                senders = runner.run(opened_all(contexts[:SENDERS]))
                left.append(runner.run(leave(senders, house.name, names)))
                recipients = runner.run(opened_all(contexts[SENDERS:]))
                fetched.append(runner.run(fetch(recipients, house.name)))
                runner.run(rest([*senders, *recipients]))
    opened, primitives = opening(500 if quick else 2_000)
    floor_left, floor_fetched = statistics.median(bare_left), statistics.median(bare_fetched)
    return [
        Row(
            f"envelopes left by {SENDERS} senders, each on disk when answered",
            statistics.median(left),
            "per s",
            floor_left,
            0.3,
        ),
        Row(
            f"envelopes fetched and acknowledged by {RECIPIENTS}", statistics.median(fetched), "per s", floor_fetched
        ),
        Row("envelopes opened and proven, against unsealing and one signature", opened, "per s", primitives, 0.25),
    ]
