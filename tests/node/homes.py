"""Enrolled homes without an authority, and nodes on them: in this process, or as ``conclave up``.

Certificates are made with ``conclave.pki`` directly; vaults are sealed at the least cost. The authority that they
name is not there, so peers are found by ``--at`` only, and everything must go on without it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from conclave.chat import events as ev
from conclave.chat import views
from conclave.classic.limits import ClassicLimits
from conclave.crypto.seal import Cost
from conclave.files.limits import FileLimits
from conclave.link.limits import LinkLimits
from conclave.node.config import NodeSettings
from conclave.node.door.commands import Command
from conclave.node.identity import Identity, keep_trust
from conclave.node.paths import database_path, prepare_home, vault_path
from conclave.node.pump import Links
from conclave.node.run import Node
from conclave.pki.credentials import Credentials
from conclave.pki.profile import Profile
from conclave.pki.revocation import RevocationList, Revoked, make_crl
from conclave.store import vault as vaults
from conclave.store.peer import PeerDatabase
from conclave.store.ports import PeerStore, StoredLine
from tests.pki.ward import Ward, make_ward

CHEAP = Cost(memory_kib=8, passes=1, lanes=1)
PASSPHRASE = "a passphrase of the tests"
NOBODY = "127.0.0.1:9"
"""Where the authority would be: port 9, which nothing listens on."""
PATIENCE = 15.0
DAY = 86_400.0
SOURCE = Path(__file__).parents[2]


@cache
def realm() -> Ward:
    return make_ward(now=time.time() - 60 * DAY)


@cache
def stranger_realm() -> Ward:
    """Another authority that calls itself the same."""
    return make_ward(now=time.time() - 60 * DAY)


def database_key(handle: str) -> bytes:
    return sha256(handle.encode()).digest()


def make_home(
    home: Path,
    handle: str,
    *,
    ward: Ward | None = None,
    enrolled: float = 0.0,
    crl: RevocationList | None = None,
    authority: str = NOBODY,
) -> Credentials:
    """A home in which ``handle`` enrolled, ``enrolled`` seconds from now. Gives its TLS credentials."""
    ward = ward or realm()
    own = {profile: ward.enrol(handle, profile, now=time.time() + enrolled) for profile in (Profile.TLS, Profile.IM)}
    trust = ward.trust if crl is None else ward.trust.with_crl(crl)
    content = vaults.VaultContent(
        database_key=database_key(handle),
        handle=handle,
        realm=ward.trust.realm,
        device="laptop",
        authorities=(authority,),
        profiles=tuple(
            vaults.Profile(p.value, held.key.der(), tuple(c.der for c in (held.certificate, *held.above)))
            for p, held in own.items()
        ),
        trust=keep_trust(trust),
    )
    prepare_home(home)
    vaults.create(vault_path(home), PASSPHRASE, content, cost=CHEAP)
    return own[Profile.TLS]


def revoking(*revoked: Credentials) -> RevocationList:
    entries = [Revoked(one.certificate.serial, time.time() - 1) for one in revoked]
    return make_crl(realm().issuing, entries, time.time())


def open_store(home: Path, handle: str) -> PeerDatabase:
    return PeerDatabase(database_path(home), database_key(handle))


class Running:
    """A node in this process."""

    def __init__(self, node: Node, identity: Identity, store: PeerStore) -> None:
        self.node = node
        self.identity = identity
        self.store = store
        self.notices: list[dict[str, Any]] = []
        self.changed = asyncio.Event()

    @property
    def me(self) -> str:
        return self.identity.handle

    @property
    def address(self) -> str:
        return self.node._listening

    def tell(self, notice: dict[str, Any]) -> None:
        self.notices.append(notice)
        self.changed.set()

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [notice for notice in self.notices if notice["notice"] == kind]

    async def until(self, true: Callable[[], object], patience: float = PATIENCE) -> None:
        pause = 0.005
        async with asyncio.timeout(patience):
            while not true():
                await asyncio.sleep(pause)
                pause = min(1.2 * pause, 0.05)  # many read the disk to know

    async def serve(self, command: Command) -> Any:
        return await self.node.serve(command)

    async def ask(self, command: ev.Command) -> None:
        await self.node.pump.ask(command)

    def meets(self, other: Running) -> None:
        """Each knows where the other listens, as presence would tell."""
        self.node.peers.at(other.me, other.address)
        other.node.peers.at(self.me, self.address)

    def texts(self, conversation: str, sender: str | None = None) -> list[str]:
        return [s.line.text for s in self.lines(conversation) if sender in (None, s.line.sender)]

    def lines(self, conversation: str) -> list[StoredLine]:
        return [s for s in self.store.lines(conversation, limit=10_000) if s.line.kind.value == "text"]

    def waiting(self) -> int:
        return sum(views.queued(self.node.pump.desk).values())

    def requested(self) -> list[str]:
        return [request.peer for request in views.requests(self.node.pump.desk)]

    async def say(self, conversation: str, text: str, identity: bytes | None = None) -> None:
        await self.ask(ev.Say(conversation, identity or os.urandom(16), text))


def settings(
    *, kinds: str = "tls", classic: ClassicLimits | None = None, read_receipts: bool = True, **link: Any
) -> NodeSettings:
    return NodeSettings.model_construct(
        listen="127.0.0.1:0",
        announce="",
        authority="",
        log_level="warning",
        links=kinds,
        link=LinkLimits(**link),
        classic=classic or ClassicLimits(),
        files=FileLimits(),
        read_receipts=read_receipts,
    )


@asynccontextmanager
async def running(
    home: Path,
    *,
    store: PeerStore | None = None,
    wrap: Callable[[PeerDatabase], PeerStore] | None = None,
    links: Callable[[Links], Links] | None = None,
    **link: Any,
) -> AsyncIterator[Running]:
    """The node of ``home``, up and listening; ended in good order at the end."""
    identity = Identity(vaults.unlock(vault_path(home), PASSPHRASE))
    if store is None:
        database = open_store(home, identity.handle)
        store = wrap(database) if wrap is not None else database
    told: list[Callable[[dict[str, Any]], None]] = []
    node = Node(home, identity, store, settings(**link), lambda n: told[0](n), **({"links": links} if links else {}))
    one = Running(node, identity, store)
    told.append(one.tell)
    try:
        async with asyncio.TaskGroup() as tasks:
            run = tasks.create_task(node.run())
            await one.until(lambda: one.told("node-started") or run.done())
            try:
                yield one
            finally:
                node.stop()
    finally:
        store.close()


async def befriend(one: Running, other: Running) -> None:
    """A pair chat that both accepted, over one link, with nothing waiting."""
    one.meets(other)
    await one.say(f"@{other.me}", "may I?")
    await other.until(lambda: one.me in other.requested())
    await other.ask(ev.AnswerRequest(one.me, accept=True))
    await one.until(lambda: not one.waiting() and not other.waiting())


class Process:
    """``conclave up`` as it is started by people."""

    def __init__(self, home: Path, *words: str, **environment: str) -> None:
        self.home = home
        self.errors = home.parent / f"{home.name}.errors"
        with self.errors.open("ab") as errors:
            self.popen = subprocess.Popen(
                [*command(home), "up", "--listen", "127.0.0.1:0", "--json", *words],
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                env=os.environ | environment,
            )
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line, self.errors.read_text()
        self.started: dict[str, Any] = json.loads(line)

    @property
    def address(self) -> str:
        return str(self.started["listen"])

    def end(self, number: int = signal.SIGINT) -> int:
        """Signal it, wait, and give its exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        try:
            code = self.popen.wait(PATIENCE)
        finally:
            self.popen.kill()
            if self.popen.stdout is not None:
                self.popen.stdout.close()
        return code


def passphrase_file(home: Path) -> Path:
    file = home.parent / "passphrase"
    if not file.exists():
        file.write_text(PASSPHRASE + "\n")
    return file


def command(home: Path) -> list[str]:
    return [sys.executable, "-m", "conclave", "--home", str(home), "--passphrase-file", str(passphrase_file(home))]
