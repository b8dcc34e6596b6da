"""The one place where a node is wired: vault, store, core, pump, links, directory, socket; and where it ends.

``Node`` can be given another store or another way to hand frames to links, which is how tests crash it at every
point. Left out: everything that is wired, and the process that it runs in (``node.process``).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from conclave.chat import views
from conclave.chat.deeds import HearFile, LookAtFile
from conclave.chat.desk import restore
from conclave.chat.events import (
    Arrived,
    Event,
    Expelled,
    JudgesChanged,
    Linked,
    OwnChanged,
    Readmitted,
    StockTold,
    Unlinked,
    Utter,
)
from conclave.chat.words.content import Offer
from conclave.chat.words.line import LineKind
from conclave.errors import StorageError, VerificationError
from conclave.files.offer import Offered
from conclave.mls.group import OwnKeyPackage
from conclave.net.backoff import chance
from conclave.net.dialling import dial
from conclave.net.listener import listen
from conclave.net.streams import LinkStream
from conclave.node.addresses import Addresses
from conclave.node.classic import identity as classic_identity
from conclave.node.classic.commands import ClassicCommand
from conclave.node.classic.pump import Classic
from conclave.node.classic.pump import Notice as ClassicNotice
from conclave.node.classic.service import ClassicService
from conclave.node.config import NodeSettings
from conclave.node.directory import Directory
from conclave.node.door.commands import Command
from conclave.node.door.export import export
from conclave.node.door.service import Service
from conclave.node.door.socket import SocketServer
from conclave.node.files.filing import Files
from conclave.node.files.ports import Conversations
from conclave.node.files.standing import by_line
from conclave.node.identity import Identity
from conclave.node.mail.mailroom import Mailroom
from conclave.node.notices import CertificateRenewed, LineMarked, LinkClosed, LinkOpened, Notice, Revoked
from conclave.node.peers import Peers
from conclave.node.pump import Links, Pump
from conclave.pki.address import Address, parse_address, parse_listen
from conclave.pki.profile import Profile
from conclave.pki.revocation import because, in_words
from conclave.store.ports import PeerStore
from conclave.wire.files import FileFrame
from conclave.wire.link import CloseReason

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
            addresses = Addresses(self._store, lambda records: self.pump.keep(records))  # noqa: PLW0108
            self.peers = Peers(
                me,
                dial=self._dial,
                find=self._address_of,
                spawn=self._spawn,
                put=self._put,
                drained=self._drained,
                tell=self._tell,
                jitter=chance,
                addresses=addresses,
            )
            self.pump = Pump(
                restore(
                    me,
                    self._store.states(),
                    self._store.posts,
                    self._settings.conversations(),
                    own=self._identity.own(),
                    judges=self._identity.judges(),
                    certificates=self._store.certificates,
                ),
                self._store,
                self._between(self.peers),
                self._tell,
                time.time,
                os.urandom,
                lambda deed: self.mailroom.do(deed),  # noqa: PLW0108 - the mailroom is made after the pump
                self._hear,
            )
            self.directory = Directory(
                self._identity,
                self._moved,
                self._revoked,
                self._crl_taken,
                self._tell,
                lambda event: self.mailroom.waits(event),  # noqa: PLW0108
                addresses,
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
            self.files = Files(
                me,
                self._home,
                self._store,
                self.peers,
                Conversations(self._offer, self._others, partial(by_line, self._store)),
                self._tell,
                self._settings.files,
                clock=time.time,
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
                self.files.serve,
                self.files.offered,
            )
            self.classic = self._make_classic() if self._settings.classic_on else None
            self.classic_service = ClassicService(
                me, self._store, self.directory, self._expelled, self._settings.classic, self.classic
            )
            self._socket = SocketServer(self._home, self.serve)
            await self._socket.start()
            try:
                await self._serve()
            finally:
                await self._socket.close()

    async def _serve(self) -> None:
        listener = await listen(
            *parse_listen(self._settings.listen),
            self._identity.server_context,
            self._identity.verify_anyone,
            self._settings.link,
            self.peers,
            None if self.classic is None else self.classic.accept,
        )
        host, port = listener.address
        self._listening = str(Address(host, port))
        pumping = [self._spawn(self.pump.run())]
        aside = [self._spawn(self.mailroom.run()), self._spawn(self.files.run())]
        if self.classic is not None:
            pumping.append(self._spawn(self.classic.run()))
        directory = self._spawn(self.directory.run(self._settings.announce or _announced(host, port)))
        self.pump.start()
        self._tell_front(
            {
                "notice": "node-started",
                "handle": self._identity.handle,
                "realm": self._identity.realm,
                "listen": self._listening,
                "kinds": self._settings.links,
            }
        )
        try:
            await self._ended.wait()
        finally:
            listener.close()
            self.peers.close()
            for task in (directory, *aside):
                task.cancel()
            await asyncio.wait([directory, *aside], timeout=END_SECONDS)
            for task in pumping:
                task.cancel()

    async def serve(self, command: Command) -> Any:
        """The answer to what a front asked. Raises ``ConclaveError``."""
        if isinstance(command, ClassicCommand):
            return await self.classic_service.serve(command)
        return await self.service.serve(command)

    def stop(self) -> None:
        """End the node in good order."""
        self._ended.set()

    def _make_classic(self) -> Classic:
        identity = self._identity
        classic_identity.demand_classic(identity)
        return Classic(
            identity.handle,
            self._store,
            self._settings.classic,
            own=classic_identity.own(identity),
            demand_valid=classic_identity.demand_valid(identity),
            verify=classic_identity.verifier(identity),
            find=self._address_of,
            expelled=self._expelled,
            busy=lambda: self.pump.desk.busy,
            tell=self._tell_classic,
            clock=time.time,
            random=os.urandom,
            spawn=self._spawn,
        )

    def _tell_classic(self, notice: ClassicNotice) -> None:
        self.classic_service.noticed(notice)
        self._tell(notice)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._tasks.create_task(work)

    def _put(self, event: Event) -> None:
        match event:
            case Arrived(peer, frame) if isinstance(frame, FileFrame):
                self.files.arrived(peer, frame)
                return
            case Linked(peer):
                self.files.linked(peer)
            case Unlinked(peer):
                self.files.unlinked(peer)
        self.pump.put(event)

    def _drained(self, peer: str) -> None:
        self.pump.drained(peer)
        self.files.drained()

    def _hear(self, deed: HearFile | LookAtFile) -> None:
        if isinstance(deed, LookAtFile) and not self.files.offered_in(deed.message):
            return  # as for nearly every line: whoever hears of one looks at its line itself
        self._spawn(self._heard(deed))

    async def _heard(self, deed: HearFile | LookAtFile) -> None:
        try:
            if isinstance(deed, HearFile):
                await self.files.heard(deed.record)
            else:
                await self.files.changed(deed.conversation, deed.message)
        except StorageError as error:  # its record and its line are on disk: the next start looks at both
            if self._ended.is_set():
                return
            log.error("what was said of a file is not heeded yet: %s", error)  # noqa: TRY400 - the text is for people

    async def _offer(self, conversation: str, message: bytes, offered: Offered) -> None:
        offer = Offer(offered.name, offered.size, offered.chunk, offered.root, offered.key)
        await self.pump.ask(Utter(conversation, message, offer))

    def _others(self, conversation: str) -> tuple[str, ...]:
        if conversation.startswith("@"):
            away = views.pair(self.pump.desk, conversation[1:]).ours in ("blocked", "rejected")
            return () if away else (conversation[1:],)
        view = views.lobby(self.pump.desk, conversation)
        me = self._identity.handle
        return tuple(one for one in view.roster if one != me) if view is not None and me in view.roster else ()

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
        shown = self.service.as_json(notice)
        if self.service.muted(shown.get("conversation", shown.get("lobby", ""))):
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
        held = in_words(reason) == "suspended"
        words = "suspended" if held else f"certificate revoked{because(reason)}"
        self._expelled[handle] = words
        self.peers.cut(handle, CloseReason.REVOKED, words)
        if self.classic is not None:
            self.classic.cut(handle, words)
        self.pump.put(Expelled(handle, words, self.directory.clock_offset))
        self._tell(Revoked(handle, words))

    def _moved(self, handle: str, address: str) -> None:
        """The directory says where somebody is (empty: offline). Who is online has a certificate that holds."""
        if address and (self._expelled.pop(handle, "") or handle in self.pump.desk.expelled):
            self.pump.put(Readmitted(handle))
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
                    self.peers.cut(peer.handle, CloseReason.REVOKED, str(error))
        if self.classic is not None:
            self.classic.recheck()

    def _describe(self) -> dict[str, Any]:
        return {
            **self._identity.describe(),
            "listen": self._listening,
            "kinds": self._settings.links,
            "legacy_links": self.classic_service.describe(),
            "authority": self.directory.describe(),
            "clock_offset": self.directory.clock_offset,
        }


def _announced(host: str, port: int) -> str:
    """What to tell the directory: listening everywhere, the address that the authority sees us come from."""
    return str(Address("" if host in ("0.0.0.0", "::") else host, port))  # noqa: S104 - recognised, not bound
