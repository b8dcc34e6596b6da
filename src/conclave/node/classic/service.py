"""The classic suite's commands carried out. Answers are plain JSON values, each of which says *legacy link*.

Left out: the conversations themselves (``node.classic.pump``), what commands exist (``node.classic.commands``).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from conclave.chat.words.line import LineKind, Status
from conclave.classic import happenings as ev
from conclave.classic.calls import LEGACY, Stage
from conclave.classic.limits import ClassicLimits
from conclave.errors import ConclaveError, LocalError, NetworkError, NotReady, Refused, UsageError
from conclave.lobby.names import check_name
from conclave.node.classic import commands as ask
from conclave.node.classic.pump import Classic
from conclave.node.classic.pump import Notice as ClassicNotice
from conclave.node.directory import Directory
from conclave.node.notices import LineAdded, LineMarked, line_as_json
from conclave.pki.address import parse_address
from conclave.pki.names import parse_handle
from conclave.store.ports import PeerStore
from conclave.wire.limits import ID_BYTES

GRACE_SECONDS = 1.0
"""``say`` without ``wait`` answers after this long at most, so that it mostly can tell *sent*."""
PROTECTION = "legacy link, classic suite"
OFF = "conclave up --links tls,classic, at both ends; conclave identity add classic gives you the certificate for it"


class ClassicService:
    """One node's classic commands. Without ``classic`` the suite is off, and each says so."""

    def __init__(
        self,
        me: str,
        store: PeerStore,
        directory: Directory,
        expelled: Mapping[str, str],
        limits: ClassicLimits,
        classic: Classic | None = None,
    ) -> None:
        self._me = me
        self._store = store
        self._directory = directory
        self._expelled = expelled
        self._limits = limits
        self._classic = classic
        self._waiting: dict[bytes, asyncio.Future[Status]] = {}
        self._words: dict[str, str] = {}  # the latest notice of each conversation in which somebody waits

    def noticed(self, notice: ClassicNotice) -> None:
        """Every notice passes here, so that ``say`` can wait for its own text, and tell why it was not sent."""
        match notice:
            case LineMarked(_, line_id, status) if status is not Status.WAITING:
                waiting = self._waiting.get(line_id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(status)
            case LineAdded(conversation, line) if line.kind is LineKind.NOTICE and self._waiting:
                self._words[conversation] = line.text

    def describe(self) -> list[dict[str, Any]]:
        """What ``status`` tells of legacy links."""
        if self._classic is None:
            return []
        shown = []
        for stream in self._classic.streams.values():
            if stream.peer is not None and stream.open:
                call = self._classic.desk.calls.get(stream.number)
                lobby = f"#{call.lobby}" if call is not None and call.lobby else ""
                shown.append(
                    {"peer": stream.peer.handle, "address": stream.address, "proven": stream.proven, "lobby": lobby}
                )
        return shown

    async def serve(self, command: ask.ClassicCommand) -> Any:
        """The answer to ``command``. Raises ``ConclaveError`` that says what is wrong and what to do."""
        if isinstance(command, ask.ClassicLines):
            return self._lines(command)
        if self._classic is None:
            if isinstance(command, ask.ClassicRequests):
                return {"requests": []}
            raise NotReady("the classic suite is off here", remedy=OFF)
        match command:
            case ask.ClassicSay():
                return await self._say(self._classic, command)
            case ask.ClassicRequests():
                calls = [call for call in self._classic.desk.calls.values() if call.stage is Stage.ASKING]
                plain = {"lobby": "", "text": "", "lines": 0, "link": "classic"}  # the others' fields, and which link
                asking = [{"from": call.peer, "since": call.since, **plain} for call in calls]
                return {"requests": sorted(asking, key=lambda one: str(one["from"]))}
            case ask.ClassicAnswer():
                peer = _handle(command.peer)
                await self._classic.ask(ev.AnswerCall(peer, command.accept, command.block))
                return {"from": peer, "accepted": command.accept, "protection": PROTECTION}
            case ask.ClassicUnblock():
                peer = _handle(command.peer)
                await self._classic.ask(ev.Unblock(peer))
                return {"peer": peer}
            case ask.ClassicGather():
                return await self._gather(self._classic, command)
            case ask.ClassicClose():
                name = _name(command.lobby)
                await self._classic.ask(ev.CloseLobby(name))
                return {"lobby": f"#{name}", "protection": PROTECTION}
            case ask.ClassicHangUp():
                peer = _handle(command.peer)
                await self._classic.ask(ev.HangUp(peer))
                return {"peer": peer, "protection": PROTECTION}
            case ask.ClassicWho():
                return {"lobbies": self._lobbies(self._classic), "protection": PROTECTION}

    async def _say(self, classic: Classic, command: ask.ClassicSay) -> dict[str, Any]:
        to = _target(command.to)
        try:
            size = len(command.text.encode())
        except UnicodeEncodeError as error:
            raise UsageError("a text that is not Unicode cannot be sent", remedy="type it anew") from error
        if size > self._limits.message_bytes:
            raise UsageError(f"a text of {size} bytes is too long", remedy=f"split it: {self._limits.message_bytes}")
        if to.startswith("@"):
            await self._demand_good(classic, to[1:], command.at)
        conversation, line_id = LEGACY + to, secrets.token_bytes(ID_BYTES)
        self._waiting[line_id] = asyncio.get_running_loop().create_future()
        try:
            await classic.ask(ev.Say(to, line_id, command.text))
            stored = self._store.line(conversation, self._me, line_id)
            status = stored.line.status if stored is not None else Status.WAITING
            if status is Status.WAITING:
                try:
                    async with asyncio.timeout(command.timeout if command.wait else GRACE_SECONDS):
                        status = await self._waiting[line_id]
                except TimeoutError:
                    pass
        finally:
            del self._waiting[line_id]
            why = self._words.pop(conversation, "")
        answer: dict[str, Any] = {"conversation": conversation, "id": line_id.hex(), "status": status.value}
        answer["protection"] = PROTECTION
        if to.startswith("@"):
            link, _ = classic.desk.call_of(to[1:])
            stream = classic.streams.get(link)
            answer["proven"] = stream is not None and stream.proven
        if status is Status.WAITING:
            answer["why"] = f"{to[1:]} has not answered yet"
        elif status is Status.FAILED:
            answer["why"] = why
        return answer

    async def _demand_good(self, classic: Classic, peer: str, at: str) -> None:
        """Refuse who was shut out, and a handle that nobody has; remember the address that a person gave."""
        if peer in self._expelled:
            raise Refused(
                f"nothing is sent to {peer}: {self._expelled[peer]}",
                reason="revoked",
                remedy="speak to whoever runs the authority",
            )
        if at:
            classic.hints[peer] = str(parse_address(at))
        elif classic.desk.call_of(peer)[1] is None and peer not in classic.hints:
            try:
                person = await self._directory.find(peer)
            except (NetworkError, Refused):
                return  # where the authority is out of reach, anybody may exist
            if person is None:
                raise Refused(f"nobody is called {peer}", reason="not-found", remedy="conclave who")

    async def _gather(self, classic: Classic, command: ask.ClassicGather) -> dict[str, Any]:
        name = _name(command.lobby)
        there = name in classic.desk.lobbies
        if there and command.opening:
            raise LocalError(f"you lead #{name} already", remedy=f"conclave lobby invite --link classic {name} @…")
        if not there and not command.opening:
            raise LocalError(
                f"you lead no legacy lobby #{name}", remedy=f"conclave lobby open --link classic {name} @PEER…"
            )
        invited = tuple(dict.fromkeys(_handle(peer) for peer in command.invited))
        for peer in invited:
            await self._demand_good(classic, peer, "")
        await classic.ask(ev.Gather(name, invited))
        return {"lobby": f"#{name}", "invited": invited, "protection": PROTECTION}

    def _lobbies(self, classic: Classic) -> list[dict[str, Any]]:
        asked = [call for call in classic.desk.calls.values() if call.lobby and call.stage is not Stage.OPEN]
        return [
            {
                "lobby": f"#{name}",
                "leader": self._me,
                "members": lobby.members,
                "asked": [call.peer for call in asked if call.lobby == name],
            }
            for name, lobby in sorted(classic.desk.lobbies.items())
        ]

    def _lines(self, command: ask.ClassicLines) -> dict[str, Any]:
        conversation = LEGACY + _target(command.conversation.removeprefix(LEGACY))
        stored = self._store.lines(
            conversation, before=command.before, after=command.after, limit=command.limit
        )  # fmt: skip
        return {
            "conversation": conversation,
            "protection": PROTECTION,
            "lines": [line_as_json(s.line, s.position) for s in stored],
        }


def _target(text: str) -> str:
    if text.startswith("#"):
        return f"#{_name(text)}"
    if text.startswith("@"):
        return f"@{_handle(text)}"
    raise UsageError(
        f"{text[:80]!r} is neither a peer nor a lobby", remedy=f"@{text[:80]} for a peer, '#{text[:80]}' for a lobby"
    )


def _handle(text: str) -> str:
    try:
        return parse_handle(text.removeprefix("@"))
    except ConclaveError as error:
        raise UsageError(str(error), remedy=error.remedy) from error


def _name(text: str) -> str:
    try:
        return check_name(text.removeprefix("#"))
    except ConclaveError as error:
        raise UsageError(str(error), remedy=error.remedy) from error
