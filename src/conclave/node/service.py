"""Commands carried out: what a front asked, answered from the core, the store, the links and the directory.

Whatever changes a conversation goes through the pump; whatever only looks is answered at once. Answers are plain
JSON values. Left out: the socket (``node.socket``), what commands exist (``node.commands``).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.effects import Status
from conclave.chat.notices import LineMarked
from conclave.errors import ConclaveError, LocalError, NetworkError, Refused
from conclave.node import commands as ask
from conclave.node.directory import Directory, Person
from conclave.node.notices import Notice, line_as_json
from conclave.node.peers import Peers
from conclave.node.pump import Pump
from conclave.pki.names import parse_handle
from conclave.store.ports import PeerStore
from conclave.wire.frames import ID_BYTES

GRACE_SECONDS = 1.0
"""``say`` without ``wait`` answers after this long at most, so that it mostly can tell *delivered*."""


CHECK_DIGITS = 16
"""Of a lobby's hash, for people who compare by voice whether they were shown the same order (64 bits)."""


class Service:
    """One node's commands. The wiring gives ``describe``, its part of ``status``; ``stop``; and ``export``."""

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
    ) -> None:
        self._me = me
        self._pump = pump
        self._store = store
        self._peers = peers
        self._directory = directory
        self._expelled = expelled
        self._describe = describe
        self._stop = stop
        self._export = export
        self._waiting: dict[tuple[str, bytes], asyncio.Future[Status]] = {}

    def noticed(self, notice: Notice) -> None:
        """Every notice passes here, so that ``say`` can wait for its own message."""
        if isinstance(notice, LineMarked) and notice.status is not Status.WAITING:
            waiting = self._waiting.get((notice.conversation, notice.id))
            if waiting is not None and not waiting.done():
                waiting.set_result(notice.status)

    async def serve(self, command: ask.Command) -> Any:
        """The answer to ``command``. Raises ``ConclaveError`` that says what is wrong and what to do."""
        match command:
            case ask.Say():
                return await self._say(command)
            case ask.Lines():
                return self._lines(command)
            case ask.Conversations():
                return self._conversations()
            case ask.Search():
                found = self._store.search(command.text, command.limit)
                return {
                    "lines": [{"conversation": f.conversation, **line_as_json(f.line, f.position)} for f in found]
                }
            case ask.Export():
                return await asyncio.to_thread(self._export, command.conversation, Path(command.path))
            case ask.Follow():
                return {}
            case ask.Requests():
                return {"requests": [self._request(r) for r in views.requests(self._pump.desk)]}
            case ask.AnswerTo():
                return await self._answer(command)
            case ask.Unblock():
                peer = _handle(command.peer)
                await self._pump.ask(ev.Unblock(peer))
                return {"peer": peer}
            case ask.Busy():
                await self._pump.ask(ev.SetBusy(command.on))
                return {"busy": command.on}
            case ask.LobbyOpen() | ask.LobbyInvite():
                return await self._gather(command)
            case ask.LobbyLeave():
                return await self._end(command.lobby, ev.LeaveLobby)
            case ask.LobbyClose():
                return await self._end(command.lobby, ev.CloseLobby)
            case ask.LobbyList():
                return {
                    "lobbies": [self._lobby(view) for view in views.lobbies(self._pump.desk) if view.stage != "ended"]
                }
            case ask.LobbyWho():
                return self._lobby_who(command)
            case ask.Who():
                return await self._who(command.query)
            case ask.Find():
                return await self._find(_handle(command.handle))
            case ask.Status():
                return self._status()
            case ask.Stop():
                self._stop()
                return {}

    # Words.

    async def _say(self, command: ask.Say) -> dict[str, Any]:
        conversation = self._conversation(command.to)
        if conversation.startswith("@"):
            peer = conversation[1:]
            if peer == self._me:
                raise LocalError("that is you", remedy="conclave who lists the others")
            if peer in self._expelled:
                raise Refused(
                    f"nothing is sent to {peer}: {self._expelled[peer]}",
                    reason="revoked",
                    remedy="speak to whoever runs the authority",
                )
            if command.at:
                await self._peers.dial_at(peer, command.at)
            else:
                await self._demand_known(peer)
        identity = secrets.token_bytes(ID_BYTES)
        key = (conversation, identity)
        self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            await self._pump.ask(ev.Say(conversation, identity, command.text))
            stored = self._store.line(conversation, self._me, identity)
            status = stored.line.status if stored is not None else Status.WAITING
            if status is Status.WAITING:
                patience = command.timeout if command.wait else GRACE_SECONDS
                try:
                    async with asyncio.timeout(patience):
                        status = await self._waiting[key]
                except TimeoutError:
                    pass
        finally:
            del self._waiting[key]
        answer = {"conversation": conversation, "id": identity.hex(), "status": status.value}
        answer["protection"] = self._protection(conversation)
        if status is Status.WAITING:
            answer["why"] = self._why_waiting(conversation)
        return answer

    def _why_waiting(self, conversation: str) -> str:
        if conversation.startswith("#"):
            leader = self._view(conversation).leader
            return "" if leader in self._peers.linked() else f"{leader}, who leads {conversation}, is away"
        peer = conversation[1:]
        if views.pair(self._pump.desk, peer).theirs == "busy":
            return f"{peer} is busy"
        if peer in self._peers.linked():
            return f"{peer} has not confirmed yet"
        return self._peers.why_not(peer) or f"{peer} is not linked yet"

    async def _demand_known(self, peer: str) -> None:
        """Refuse a handle that nobody has; where the authority is out of reach, anybody may exist."""
        if self._pump.desk.peers.get(peer) is not None:
            return
        try:
            person = await self._directory.find(peer)
        except (NetworkError, Refused):
            return
        if person is None:
            raise Refused(f"nobody is called {peer}", reason="not-found", remedy="conclave who")

    def _lines(self, command: ask.Lines) -> dict[str, Any]:
        conversation = self._conversation(command.conversation)
        stored = self._store.lines(
            conversation, before=command.before, after=command.after, limit=command.limit
        )  # fmt: skip
        return {
            "conversation": conversation,
            "protection": self._protection(conversation),
            "lines": [line_as_json(s.line, s.position) for s in stored],
        }

    def _conversations(self) -> dict[str, Any]:
        return {
            "conversations": [
                {"conversation": c.name, "lines": c.count, "last": line_as_json(c.last.line, c.last.position)}
                for c in self._store.conversations()
            ]
        }

    # Requests and lobbies.

    def _request(self, request: views.Request) -> dict[str, Any]:
        shown: dict[str, Any] = {"from": request.peer, "lobby": request.lobby, "text": "", "since": 0.0, "lines": 0}
        if not request.lobby:
            lines = self._store.lines(f"@{request.peer}", after=0, limit=1000)
            theirs = [stored.line for stored in lines if stored.line.sender == request.peer]
            if theirs:
                shown |= {"text": theirs[0].text, "since": theirs[0].stored, "lines": len(theirs)}
        return shown

    async def _answer(self, command: ask.AnswerTo) -> dict[str, Any]:
        peer = _handle(command.peer)
        lobby = f"#{command.lobby.removeprefix('#')}" if command.lobby else ""
        waiting = [r for r in views.requests(self._pump.desk) if r.peer == peer and lobby in ("", r.lobby)]
        targets = [r.lobby for r in waiting]
        if not targets:
            if lobby:
                raise LocalError(f"{peer} has not invited you to {lobby}", remedy="conclave requests")
            targets = [""]  # accept or block somebody ahead of any request
        for target in targets:
            await self._pump.ask(ev.AnswerRequest(peer, command.accept, target, command.block and not target))
        if command.block and "" not in targets:
            await self._pump.ask(ev.AnswerRequest(peer, accept=False, block=True))
        return {"answered": [{"from": peer, "lobby": target, "accepted": command.accept} for target in targets]}

    async def _gather(self, command: ask.LobbyOpen | ask.LobbyInvite) -> dict[str, Any]:
        invited = tuple(dict.fromkeys(_handle(name) for name in command.invited))
        if self._me in invited:
            raise LocalError("you need not ask yourself in")
        for handle in invited:
            await self._demand_known(handle)
        if isinstance(command, ask.LobbyOpen):
            name = command.name.removeprefix("#")
            group = secrets.token_bytes(ID_BYTES)
            await self._pump.ask(ev.OpenLobby(name, group, invited))
            opened = self._pump.desk.lobbies.get(group)
            return {"lobby": opened.label if opened is not None else f"#{name}", "invited": invited}
        label = self._label(command.lobby)
        await self._pump.ask(ev.InviteTo(label, invited))
        return {"lobby": label, "invited": invited}

    async def _end(self, lobby: str, event: type[ev.LeaveLobby | ev.CloseLobby]) -> dict[str, Any]:
        label = self._label(lobby)
        await self._pump.ask(event(label))
        return {"lobby": label}

    def _lobby(self, view: views.LobbyView) -> dict[str, Any]:
        role = "leader" if view.stage in ("leading", "closing") else view.stage
        return {"lobby": view.label, "leader": view.leader, "role": role, "members": len(view.roster)}

    def _lobby_who(self, command: ask.LobbyWho) -> dict[str, Any]:
        view = self._view(command.lobby)
        linked = self._peers.linked()
        members = []
        for handle in (*view.roster, *view.invited):
            person = self._directory.remembered(handle)
            online = handle == self._me or handle in linked or (person is not None and person.online)
            state = "invited" if handle in view.invited else "online" if online else "away"
            role = "leader" if handle == view.leader else "member"
            members.append(
                {"handle": handle, "role": role, "state": state, "linked": handle in linked, "me": handle == self._me}
            )  # fmt: skip
        return {
            "lobby": view.label,
            "leader": view.leader,
            "members": members,
            "entries": view.seq,
            "check": view.hash.hex()[:CHECK_DIGITS],
            "protection": view.protection,
        }

    # People and the node.

    async def _who(self, query: str) -> dict[str, Any]:
        query = query.removeprefix("@")
        try:
            people, source = await self._directory.people(query), "authority"
        except NetworkError:
            people, source = self._directory.remembered_people(query), "memory"
        return {"source": source, "users": [self._person(person) for person in people]}

    async def _find(self, handle: str) -> dict[str, Any]:
        person = await self._directory.find(handle)
        if person is None:
            return {"handle": handle, "found": False, "online": False, "address": ""}
        return {"found": True, **self._person(person)}

    def _person(self, person: Person) -> dict[str, Any]:
        return {
            "handle": person.handle,
            "name": person.name,
            "online": person.online,
            "address": person.address,
            "since": person.since,
            "linked": person.handle in self._peers.linked(),
            "me": person.handle == self._me,
        }

    def _status(self) -> dict[str, Any]:
        return {
            **self._describe(),
            "links": [{"peer": peer, "address": address} for peer, address in self._peers.linked().items()],
            "waiting": {peer: count for peer, (_, _, count) in self._store.outbox().items()},
            "busy": self._pump.desk.busy,
            "now": time.time(),
        }

    # Names.

    def _conversation(self, text: str) -> str:
        if text.startswith("#"):
            return self._label(text)
        if text.startswith("@"):
            return f"@{_handle(text)}"
        raise LocalError(
            f"{text!r} is neither a peer nor a lobby", remedy=f"@{text} for a peer, '#{text}' for a lobby"
        )  # fmt: skip

    def _label(self, text: str) -> str:
        return self._view(text).label

    def _view(self, text: str) -> views.LobbyView:
        view = views.lobby(self._pump.desk, text)
        if view is None:
            raise LocalError(f"you are in no lobby {text!r}", remedy="conclave lobby list; conclave requests")
        return view

    def _protection(self, conversation: str) -> str:
        if conversation.startswith("#"):
            return self._view(conversation).protection
        return views.pair(self._pump.desk, conversation[1:]).protection


def _handle(text: str) -> str:
    try:
        return parse_handle(text.removeprefix("@"))
    except ConclaveError as error:
        raise LocalError(str(error), remedy=error.remedy) from error
