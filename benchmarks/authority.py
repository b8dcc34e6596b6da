"""The authority: enrolments a second, and look-ups in its directory a second.

It runs in a process of its own on uvloop, as ``conclave authority serve`` runs it: HTTPS on loopback, tokens,
certificate requests with their self-signatures, SQLite with ``synchronous = FULL``, the audit log. The clients share
the second core; they write prepared requests and read the answers' length, no more.

The floor of an enrolment: a certificate signed with P-256 by ``cryptography`` and committed alone to SQLite, with the
same pragmas on the same disk, nothing around it. Look-ups have no floor but a target: over kept connections
with mutual TLS, where each request asks the database whether the certificate still holds.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import itertools
import sqlite3
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from benchmarks._authority_end import PASSPHRASE
from benchmarks._ends import HERE
from benchmarks.rows import Row
from conclave.authority.accounts import invite
from conclave.authority.enrolment import Enrolment
from conclave.authority.settings import AuthoritySettings
from conclave.cli.office import Office, console, init, open_office
from conclave.net.contexts import authority_client_context
from conclave.pki.certificate import read_certificate
from conclave.pki.credentials import Credentials
from conclave.pki.invite import encode_base32
from conclave.pki.keys import generate_device_key
from conclave.pki.names import authority_name, parse_handle
from conclave.pki.profile import Profile
from conclave.pki.request import build_request, read_request

NAME = "authority"
CLIENTS = 32
"""Enrolling at once: fewer than may open connections from one address."""
READERS = 8
ENROLMENTS = 1_500
LOOK_UPS = 20_000
ROUNDS = 3


class Caller:
    """One kept connection to the authority: a request's bytes out, the answer's status back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, context: ssl.SSLContext, port: int, name: str) -> Caller:
        return cls(*await asyncio.open_connection(HERE, port, ssl=context, server_hostname=name))

    async def ask(self, request: bytes) -> None:
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await self.reader.readexactly(size)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(body.decode())

    async def close(self) -> None:
        self.writer.close()


class House:
    """An authority's folder with people, their tokens and their requests."""

    def __init__(self, folder: Path, office: Office) -> None:
        self.folder = folder
        self.office = office
        self.name = authority_name(office.realm)
        self.numbers = itertools.count(1)

    def enrolments(self, count: int) -> list[bytes]:
        """As many people, invited, and what their machines send."""
        requests, waiting = [], []
        for _ in range(count):
            number = next(self.numbers)
            handle, token = parse_handle(f"person-{number}"), number.to_bytes(16)
            waiting.append(invite(self.office.store, handle, "", token, time.time(), 3600, console()))
            body = base64.b64encode(build_request(generate_device_key(Profile.TLS), handle))
            basic = base64.b64encode(f"{handle}:{encode_base32(token)}".encode()).decode()
            head = (
                f"POST /.well-known/est/tls/simpleenroll HTTP/1.1\r\nHost: {self.name}\r\n"
                f"Authorization: Basic {basic}\r\nContent-Type: application/pkcs10\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            requests.append(head.encode() + body)
        for future in waiting:
            future.result()
        return requests

    def member(self) -> Credentials:
        """Somebody with a certificate."""
        number = next(self.numbers)
        handle, token, now = parse_handle(f"person-{number}"), number.to_bytes(16), time.time()
        invite(self.office.store, handle, "", token, now, 3600, console()).result()
        key = generate_device_key(Profile.TLS)
        issuer = self.office.issuer(PASSPHRASE)
        enrolment = Enrolment(self.office.store, issuer, AuthoritySettings())
        request = read_request(build_request(key, handle), Profile.TLS)
        issued = enrolment.by_token(request, handle, token, now, HERE).result()
        return Credentials(key, read_certificate(issued.der), (issuer.certificate,))


@contextmanager
def served(home: Path) -> Iterator[int]:
    """The authority's process; its port."""
    command = [sys.executable, "-m", "benchmarks._authority_end", str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
            process.communicate(timeout=30)
        except BaseException:
            process.kill()
            raise


async def enrol(house: House, port: int, requests: Sequence[bytes], *, kept: bool) -> float:
    """Enrolments a second of ``CLIENTS`` at once, each on its kept connection or on a fresh one every time."""
    context = authority_client_context(house.office.trust)
    todo = iter(requests)

    async def client() -> None:
        caller: Caller | None = None
        for request in todo:
            caller = caller or await Caller.open(context, port, house.name)
            await caller.ask(request)
            if not kept:
                await caller.close()
                caller = None
        if caller is not None:
            await caller.close()

    start = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(CLIENTS):
            tasks.create_task(client())
    return len(requests) / (time.perf_counter() - start)


async def look_up(house: House, port: int, member: Credentials, count: int) -> float:
    """Look-ups a second over ``READERS`` kept connections with mutual TLS."""
    context = authority_client_context(house.office.trust, member)
    callers = [await Caller.open(context, port, house.name) for _ in range(READERS)]
    request = f"GET /directory/users/person-1 HTTP/1.1\r\nHost: {house.name}\r\n\r\n".encode()

    async def reader(caller: Caller) -> None:
        for _ in range(count // READERS):
            await caller.ask(request)

    start = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for caller in callers:
            tasks.create_task(reader(caller))
    seconds = time.perf_counter() - start
    for caller in callers:
        await caller.close()
    return count / seconds


def floor(folder: Path, count: int) -> float:
    """Bare signing, and one commit each."""
    database = sqlite3.connect(folder / f"floor-{time.monotonic_ns()}.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE certificates (serial TEXT PRIMARY KEY, der BLOB NOT NULL)")
    issuer, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ayse")])
    names = x509.SubjectAlternativeName([x509.DNSName("d1.ayse.ward-7.internal")])
    keys = [ed25519.Ed25519PrivateKey.generate().public_key() for _ in range(count)]
    start = time.perf_counter()
    for key in keys:
        builder = x509.CertificateBuilder(subject, subject, key, x509.random_serial_number())
        builder = builder.not_valid_before(now).not_valid_after(now + dt.timedelta(days=10))
        certificate = builder.add_extension(names, critical=False).sign(issuer, hashes.SHA256())
        database.execute("BEGIN IMMEDIATE")
        database.execute(
            "INSERT INTO certificates VALUES (?, ?)",
            (f"{certificate.serial_number:x}", certificate.public_bytes(Encoding.DER)),
        )
        database.execute("COMMIT")
    seconds = time.perf_counter() - start
    database.close()
    return count / seconds


def run(*, quick: bool = False) -> list[Row]:
    rounds, parts = (1, 4) if quick else (ROUNDS, 1)
    count, look_ups = ENROLMENTS // parts, LOOK_UPS // parts
    kept, fresh, read, bare = [], [], [], []
    with tempfile.TemporaryDirectory(prefix="conclave-") as name:
        folder = Path(name)
        init(folder, "Ward 7", "", PASSPHRASE, time.time())
        with (
            open_office(folder) as office,
            served(folder) as port,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            house = House(folder, office)
            member = house.member()
            runner.run(enrol(house, port, house.enrolments(100), kept=True))
            for _ in range(rounds):
                bare.append(floor(folder, count))
                kept.append(runner.run(enrol(house, port, house.enrolments(count), kept=True)))
                fresh.append(runner.run(enrol(house, port, house.enrolments(count), kept=False)))
                read.append(runner.run(look_up(house, port, member, look_ups)))
    base = statistics.median(bare)
    return [
        Row(f"enrolments of {CLIENTS} clients, to signing and a commit", statistics.median(kept), "per s", base, 0.3),
        Row("the same, with a TLS handshake each, which the floor has not", statistics.median(fresh), "per s", base),
        Row("directory look-ups on kept connections", statistics.median(read), "per s", None, 2_000),
    ]
