"""Commands carried out: what a front asked, answered from the core, the store, the links and the directory.

Whatever changes a conversation goes through the pump; whatever only looks is answered at once. Answers are plain
JSON values. Left out: the answers by subject (``node.door.words``, ``node.door.rooms``, ``node.door.folk``), the
socket (``node.door.socket``), what commands exist (``node.door.commands``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from conclave.chat import events as ev
from conclave.chat import views
from conclave.errors import NotReady
from conclave.node.classic.commands import ClassicCommand
from conclave.node.directory import Directory
from conclave.node.door import commands as ask
from conclave.node.door.folk import Folk
from conclave.node.door.known import Known, handle_of
from conclave.node.door.preferences import Preferences
from conclave.node.door.rooms import Rooms
from conclave.node.door.words import Offered, Words
from conclave.node.files.commands import FileCommand, FileOffer
from conclave.node.notices import LineAdded, Notice, as_json
from conclave.node.peers import Peers
from conclave.node.pump import Pump
from conclave.store.ports import PeerStore

SPEAKING = (
    ask.Say, ask.Edit, ask.Delete, ask.React, ask.Pin, ask.Timer, FileOffer, ask.LobbyOpen, ask.LobbyInvite,
    ask.LobbyShare, ask.LobbyRemove, ask.LobbyDeputies, ask.LobbyClose,
)  # fmt: skip
"""What would reach nobody from a device that the authority shut out: refused, rather than kept and called sent."""


class Service:
    """One node's commands.

    The wiring gives ``describe`` (part of ``status``), ``stop``, ``export``, ``files``, and ``offered`` (of a line).
    """

    def __init__(
        self,
        me: str,
        pump: Pump,
        store: PeerStore,
        peers: Peers,
        directory: Directory,
        expelled: Mapping[str, str],
        describe: Callable[[], dict[str, Any]],
        stop: Callable[[], None],
        export: Callable[[str, Path], dict[str, Any]],
        files: Callable[[FileCommand], Awaitable[dict[str, Any]]],
        offered: Offered,
    ) -> None:
        preferences = Preferences(store, pump)
        self._known = Known(me, pump, store, peers, directory, expelled, preferences)
        self._words = Words(self._known, offered)
        self._rooms = Rooms(self._known)
        self._folk = Folk(self._known)
        self._describe = describe
        self._stop = stop
        self._export = export
        self._files = files

    def muted(self, conversation: str) -> bool:
        """Whether nothing is to ring for a conversation."""
        return self._known.muted(conversation)

    def noticed(self, notice: Notice) -> None:
        """Every notice passes here, for whoever waits for one."""
        self._words.noticed(notice)
        self._rooms.noticed(notice)

    def as_json(self, notice: Notice) -> dict[str, Any]:
        """A notice as fronts get it; a line in it as history shows it."""
        shown = as_json(notice)
        if isinstance(notice, LineAdded):
            shown["line"] = self._words.filled(notice.conversation, shown["line"])
        return shown

    async def serve(self, command: ask.Command) -> Any:
        """The answer to ``command``. Raises ``ConclaveError`` that says what is wrong and what to do."""
        if isinstance(command, ClassicCommand):
            raise NotReady("legacy links are not served here", remedy="conclave up --links tls,classic")
        if isinstance(command, SPEAKING) and self._known.directory.standing is not None:
            raise self._known.directory.standing
        if isinstance(command, ask.OfWords):
            return await self._of_words(command)
        if isinstance(command, ask.InLobbies):
            return await self._in_lobbies(command)
        if isinstance(command, FileCommand):
            return await self._files(self._named(command))
        match command:
            case ask.Follow():
                return {}
            case ask.Export():
                return await asyncio.to_thread(self._export, command.conversation, Path(command.path))
            case ask.Unblock():
                peer = handle_of(command.peer)
                await self._known.pump.ask(ev.Unblock(peer))
                return {"peer": peer}
            case ask.Busy():
                await self._known.pump.ask(ev.SetBusy(command.on))
                return {"busy": command.on}
            case ask.Status():
                return self._status()
            case ask.Stop():
                self._stop()
                return {}
            case ask.Who():
                return await self._folk.who(command)
            case ask.Find():
                return await self._folk.find(command)
            case ask.Verify():
                return await self._folk.verify(command)
            case ask.Requests():
                return self._rooms.requests()
            case ask.AnswerTo():
                return await self._rooms.answer(command)

    def _named(self, command: FileCommand) -> FileCommand:
        """The same command, with its conversation as it is called here."""
        if isinstance(command, FileOffer):
            to = self._known.conversation(command.to)
            self._known.demand_in(to)
            return replace(command, to=to)
        if not command.conversation:
            return command
        return replace(command, conversation=self._known.conversation(command.conversation))

    async def _of_words(self, command: ask.OfWords) -> dict[str, Any]:
        words = self._words
        match command:
            case ask.Say():
                return await words.say(command)
            case ask.Edit() | ask.Delete() | ask.React() | ask.Pin():
                return await words.utter(command)
            case ask.Timer():
                return await words.timer(command)
            case ask.Lines():
                return words.lines(command) | await words.unknown(command.conversation)
            case ask.Pins():
                return words.pins(command) | await words.unknown(command.conversation)
            case ask.Read():
                return await words.read(command)
            case ask.Receipts():
                return words.receipts(command) | await words.unknown(command.conversation)
            case ask.Conversations():
                return words.conversations()
            case ask.Search():
                return words.search(command)
            case ask.Mute():
                return await words.mute(command)

    async def _in_lobbies(self, command: ask.InLobbies) -> dict[str, Any]:
        rooms = self._rooms
        match command:
            case ask.LobbyOpen() | ask.LobbyInvite():
                return await rooms.gather(command)
            case ask.LobbyShare():
                return await rooms.share(command)
            case ask.LobbyLeave() | ask.LobbyClose():
                return await rooms.end(command)
            case ask.LobbyRemove():
                return await rooms.remove(command)
            case ask.LobbyDeputies():
                return await rooms.deputies(command)
            case ask.LobbyList():
                return rooms.list()
            case ask.LobbyWho():
                return rooms.who(command)
            case ask.Roll():
                return await rooms.roll(command)

    def _status(self) -> dict[str, Any]:
        known = self._known
        return {
            **self._describe(),
            "links": [{"peer": peer, "address": address} for peer, address in known.peers.linked().items()],
            "waiting": views.queued(known.pump.desk),
            "unmailed": views.unmailed(known.pump.desk),
            "busy": known.pump.desk.busy,
            "now": time.time(),
        }
