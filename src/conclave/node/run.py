"""The one place where a node is wired: vault, store, core, pump, links, directory, socket; and where it ends.

``run_node`` is what ``conclave up`` calls. ``Node`` can be given another store or another way to hand frames to
links, which is how tests crash it at every point. Left out: everything that is wired.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from conclave.chat.desk import restore
from conclave.chat.effects import LineKind
from conclave.chat.events import Expelled, JudgesChanged, OwnChanged, StockTold
from conclave.errors import ConclaveError, LocalError, NotEnrolled, StorageError, VerificationError
from conclave.mls.group import OwnKeyPackage
from conclave.net.dialling import dial
from conclave.net.listener import listen
from conclave.net.streams import LinkStream
from conclave.node.config import NodeSettings, load
from conclave.node.directory import Directory
from conclave.node.export import export
from conclave.node.identity import Identity
from conclave.node.mailroom import Mailroom
from conclave.node.notices import CertificateRenewed, LineMarked, LinkClosed, LinkOpened, Notice, Revoked, as_json
from conclave.node.paths import database_path, lock_path, vault_path
from conclave.node.peers import Peers
from conclave.node.pump import Links, Pump
from conclave.node.service import Service
from conclave.node.socket import SocketServer
from conclave.pki.invite import parse_address
from conclave.pki.profile import Profile
from conclave.store.peer import PeerDatabase
from conclave.store.ports import PeerStore
from conclave.store.vault import unlock
from conclave.wire.frames import CloseReason

log = logging.getLogger(__name__)

Tell = Callable[[dict[str, Any]], None]
END_SECONDS = 3.0
"""How long goodbyes may take."""


class Node:
    """One user's node on one home. ``run`` returns when it is stopped."""

    def __init__(
        self,
        home: Path,
        identity: Identity,
        store: PeerStore,
        settings: NodeSettings,
        tell: Tell,
        links: Callable[[Links], Links] = lambda peers: peers,
    ) -> None:
        """``links`` may stand between the pump and the links: it is given the one's hands to the other."""
        self._home = home
        self._identity = identity
        self._store = store
        self._settings = settings
        self._tell_front = tell
        self._between = links
        self._ended = asyncio.Event()
        self._expelled: dict[str, str] = {}  # until they link again, with a certificate that holds
        self._listening = ""

    async def run(self) -> None:
        """Be reachable, send what waits, keep what arrives, until ``stop``."""
        me = self._identity.handle
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self.peers = Peers(
                me,
                dial=self._dial,
                find=self._address_of,
                spawn=self._spawn,
                put=self._put,
                drained=lambda peer: self.pump.drained(peer),  # noqa: PLW0108 - the pump is made after the peers
                tell=self._tell,
                jitter=lambda: secrets.randbelow(1 << 30) / (1 << 30),
            )
            self.pump = Pump(
                restore(
                    me,
                    self._store.states(),
                    self._store.posts,
                    own=self._identity.own(),
                    judges=self._identity.judges(),
                ),
                self._store,
                self._between(self.peers),
                self._tell,
                time.time,
                os.urandom,
                lambda deed: self.mailroom.do(deed),  # noqa: PLW0108 - the mailroom is made after the pump
            )
            self.directory = Directory(
                self._identity,
                self._moved,
                self._revoked,
                self._crl_taken,
                self._tell,
                lambda event: self.mailroom.waits(event),  # noqa: PLW0108
            )
            self.mailroom = Mailroom(
                self._identity,
                self.directory.client,
                self._last_packages,
                self.pump.put,
                self._tell,
                time.time,
                lambda: self.directory.clock_offset,
                os.urandom,
            )
            self.service = Service(
                me,
                self.pump,
                self._store,
                self.peers,
                self.directory,
                self._expelled,
                self._describe,
                self.stop,
                partial(export, self._store, self._identity),
            )
            self._socket = SocketServer(self._home, self.service.serve)
            await self._socket.start()
            try:
                await self._serve()
            finally:
                await self._socket.close()

    async def _serve(self) -> None:
        where = parse_listen(self._settings.listen)
        listener = await listen(
            *where, self._identity.server_context, self._identity.verify_anyone, self._settings.link, self.peers
        )
        host, port = listener.address
        self._listening = _join(host, port)
        pumping = self._spawn(self.pump.run())
        mailroom = self._spawn(self.mailroom.run())
        directory = self._spawn(self.directory.run(self._settings.announce or _announced(host, port)))
        self.pump.start()
        self._tell_front(
            {
                "notice": "node-started",
                "handle": self._identity.handle,
                "realm": self._identity.realm,
                "listen": self._listening,
            }
        )
        try:
            await self._ended.wait()
        finally:
            listener.close()
            self.peers.close()
            mailroom.cancel()
            directory.cancel()
            await asyncio.wait([directory, mailroom], timeout=END_SECONDS)
            pumping.cancel()

    def stop(self) -> None:
        """End the node in good order."""
        self._ended.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._tasks.create_task(work)

    def _put(self, event: Any) -> None:
        self.pump.put(event)

    def _tell(self, notice: Notice) -> None:
        self.service.noticed(notice)
        match notice:
            case CertificateRenewed(Profile.IM.value):
                self.pump.put(OwnChanged(self._identity.own()))
                self.pump.put(StockTold(0))  # key packages of the old one are replaced, however many there are
            case LinkOpened(peer):
                self._expelled.pop(peer, None)
            case LinkClosed(reason=CloseReason.DUPLICATE.word):
                return
            case LineMarked(conversation, identity) if not self._is_line(conversation, identity):
                return
        shown = as_json(notice)
        if shown.get("conversation", shown.get("lobby")) in self.service.muted:
            shown["muted"] = True
        self._socket.tell(shown)
        self._tell_front(shown)

    def _is_line(self, conversation: str, identity: bytes) -> bool:
        """Whether people see it: receipts and edits have names too."""
        stored = self._store.line(conversation, self._identity.handle, identity)
        return stored is not None and stored.line.kind is not LineKind.ABOUT

    async def _dial(self, address: str, handle: str) -> LinkStream:
        where = parse_address(address)
        identity = self._identity
        identity.demand_valid(time.time())
        return await dial(
            where.host,
            where.port,
            identity.client_context(),
            identity.verify_only(handle),
            self._settings.link,
            self.peers,
        )

    async def _address_of(self, handle: str) -> str:
        person = await self.directory.find(handle)
        return person.address if person is not None and person.online else ""

    def _revoked(self, handle: str, reason: str) -> None:
        """The authority took a certificate back; it may tell so by a list, by word, or by both."""
        if handle in self._expelled:
            return
        words = "suspended" if reason == "suspended" else "certificate revoked"
        if reason and reason not in (words, "unspecified"):
            words = f"{words}: {reason}"
        self._expelled[handle] = words
        self.peers.cut(handle, CloseReason.REVOKED, words)
        self.pump.put(Expelled(handle, words))
        self._tell(Revoked(handle, words))

    def _moved(self, handle: str, address: str) -> None:
        """The directory says where somebody is (empty: offline). Who is online has a certificate that holds."""
        if address:
            self._expelled.pop(handle, None)
        self.peers.at(handle, address)

    def _last_packages(self) -> list[OwnKeyPackage]:
        desk = self.pump.desk
        return [package for one in desk.last if (package := desk.packages.get(one)) is not None]

    def _crl_taken(self) -> None:
        """Judge by the new list, every open link again too; whoever has another certificate comes back with it."""
        self.pump.put(JudgesChanged(self._identity.judges()))
        for peer in self.peers.verified():
            try:
                self._identity.verify_again(peer, time.time())
            except VerificationError as error:
                if error.reason == "revoked":
                    self.peers.cut(peer.handle, CloseReason.REVOKED, "certificate revoked")

    def _describe(self) -> dict[str, Any]:
        return {
            **self._identity.describe(),
            "listen": self._listening,
            "authority": self.directory.describe(),
            "clock_offset": self.directory.clock_offset,
        }


def _announced(host: str, port: int) -> str:
    """What to tell the directory: listening everywhere, the address that the authority sees us come from."""
    return _join("" if host in ("0.0.0.0", "::") else host, port)  # noqa: S104 - recognised, not bound


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_listen(text: str) -> tuple[str, int]:
    """``host:port`` where port 0 is allowed. Raises ``LocalError``."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 0xFFFF:
        raise LocalError(f"{text!r} is not of the form host:port", remedy="--listen 0.0.0.0:7443; port 0 picks one")
    return host.strip("[]"), int(port)


def run_node(home: Path, passphrase: str, flags: dict[str, str | None], tell: Tell) -> None:
    """Run the node of ``home`` until it is stopped. Raises ``ConclaveError`` where it cannot start."""
    settings = load(home, **flags)
    logging.basicConfig(
        level=settings.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if not vault_path(home).exists():
        raise NotEnrolled(f"nobody is enrolled in {home}", remedy="conclave join '<invite>'")
    with alone(home):
        identity = Identity(unlock(vault_path(home), passphrase), settings.authority)
        store = PeerDatabase(database_path(home), identity.database_key)
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(_until_signal(lambda: Node(home, identity, store, settings, tell)))
        except* ConclaveError as group:
            raise _first(group) from None
        finally:
            store.close()


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Be the only node of ``home``, whatever is started at the same moment. Raises ``LocalError``."""
    try:
        file = lock_path(home).open("ab")
    except OSError as error:
        raise StorageError(f"{home} cannot be written: {error.strerror}", remedy="make the home yours") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system lets go of it however this process ends
        except OSError as error:
            raise LocalError("this home's node is running already", remedy="conclave logout stops it") from error
        yield


async def _until_signal(make: Callable[[], Node]) -> None:
    node = make()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, node.stop)
    await node.run()


def _first(group: BaseExceptionGroup[ConclaveError]) -> ConclaveError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, ConclaveError):  # pragma: no cover - except* chose it
        raise error
    return error


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
