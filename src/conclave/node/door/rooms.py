"""Answers about lobbies, and about requests: opening, asking in, putting out, leaving, who is in and who has what.

Left out: words (``node.door.words``), people (``node.door.folk``).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from itertools import islice
from typing import Any

from conclave.chat import events as ev
from conclave.chat import groups, reading, views
from conclave.chat.notices import LineAdded, RollCalled
from conclave.chat.words.line import LineKind
from conclave.errors import LocalError
from conclave.node.door import attendance
from conclave.node.door import commands as ask
from conclave.node.door.known import LOOK_BACK, Known, handle_of
from conclave.node.notices import Notice
from conclave.pki.certificate import read_certificate
from conclave.wire.limits import ID_BYTES

NO_CERTIFICATE: dict[str, Any] = {"until": 0.0, "fingerprint": ""}
CHECK_DIGITS = 16
"""Of a lobby's hash, for people who compare by voice whether they were shown the same order (64 bits)."""

ENTER_SECONDS = 2.0
"""How long ``accept`` waits until we are let in, or not."""
LEAVE_SECONDS = 5.0
"""How long ``lobby leave`` waits for the commit that puts us out."""


class Rooms:
    """Lobbies and requests."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._rolls: dict[bytes, tuple[set[str], asyncio.Event]] = {}
        self._awaited: list[tuple[str, asyncio.Event]] = []  # who waits for something to happen in which lobby

    def noticed(self, notice: Notice) -> None:
        """Answers to roll calls of ours, and what happens in lobbies that we enter or leave."""
        if isinstance(notice, LineAdded):
            for label, told in self._awaited:
                if label == notice.conversation:
                    told.set()
        if isinstance(notice, RollCalled) and notice.nonce in self._rolls:
            present, changed = self._rolls[notice.nonce]
            present.update(notice.present)
            changed.set()

    # Requests.

    def requests(self) -> dict[str, Any]:
        """What waits for our answer."""
        return {"requests": [self._request(one) for one in views.requests(self._known.pump.desk)]}

    def _request(self, request: views.Request) -> dict[str, Any]:
        shown: dict[str, Any] = {"from": request.peer, "lobby": request.lobby, "text": "", "since": 0.0, "lines": 0}
        if request.lobby:
            shown["since"] = float(self._known.lobby(request.lobby).since)
        else:
            lines = self._known.store.lines(f"@{request.peer}", after=0, limit=1000)
            theirs = [stored.line for stored in lines if stored.line.sender == request.peer]
            if theirs:
                shown |= {"text": theirs[0].text, "since": theirs[0].sent, "lines": len(theirs)}
        return shown

    async def answer(self, command: ask.AnswerTo) -> dict[str, Any]:
        """Accept or reject, one thing or all that somebody asked."""
        pump, peer = self._known.pump, handle_of(command.peer)
        lobby = f"#{command.lobby.removeprefix('#')}" if command.lobby else ""
        waiting = [one for one in views.requests(pump.desk) if one.peer == peer and lobby in ("", one.lobby)]
        targets = [one.lobby for one in waiting]
        if not targets:
            if lobby:
                raise LocalError(f"{peer} has not invited you to {lobby}", remedy="conclave requests")
            await self._known.demand_known(peer)
            targets = [""]  # accept or block somebody ahead of any request
        if command.block and "" not in targets:
            targets.append("")
        for target in targets:
            await pump.ask(ev.AnswerRequest(peer, command.accept, target, command.block and not target))
        answered = []
        for target in targets:
            row = {"from": peer, "lobby": target, "accepted": command.accept}
            if not target:
                row["blocked"] = command.block
            elif command.accept:
                row["stage"] = await self._past(target, "joining", ENTER_SECONDS)
            answered.append(row)
        return {"answered": answered}

    # In and out.

    async def gather(self, command: ask.LobbyOpen | ask.LobbyInvite) -> dict[str, Any]:
        """Open a lobby, or ask more people in."""
        known = self._known
        invited = tuple(dict.fromkeys(handle_of(name) for name in command.invited))
        if known.me in invited:
            raise LocalError("you need not ask yourself in")
        for handle in invited:
            await known.demand_known(handle)
        if isinstance(command, ask.LobbyOpen):
            name = command.name.removeprefix("#")
            group = secrets.token_bytes(ID_BYTES)
            await known.pump.ask(ev.OpenLobby(name, group, invited))
            opened = known.pump.desk.lobbies.get(group)
            return {"lobby": opened.label if opened is not None else f"#{name}", "invited": invited}
        label = known.lobby(command.lobby).label
        await known.pump.ask(ev.InviteTo(label, invited))
        return {"lobby": label, "invited": invited}

    async def share(self, command: ask.LobbyShare) -> dict[str, Any]:
        """Show somebody who came in after us what was said before."""
        known = self._known
        label, member = known.lobby(command.lobby).label, handle_of(command.member)
        group = known.pump.desk.labels[label]
        lobby = known.pump.desk.lobbies.get(group)
        came = lobby.healing.since(member) if lobby is not None else 0
        said = list(islice(self._said_before(label, group, came), command.last)) if came else []
        words = list(reading.earlier(known.store, label, group, min(said), came)) if said else []
        count = sum(line for line, _ in words)
        await known.pump.ask(ev.ShareHistory(label, member, count, tuple(data for _, data in words)))
        return {"lobby": label, "member": member, "lines": count}

    def _said_before(self, label: str, group: bytes, seq: int) -> Iterator[int]:
        """Places of what was said in this lobby before entry ``seq`` and is to stay, the last one first."""
        before: int | None = None
        while page := self._known.store.lines(label, before=before, limit=LOOK_BACK):
            before = page[0].position
            for one in reversed(page):
                line = one.line
                said = line.kind in (LineKind.TEXT, LineKind.FILE) and not one.deleted and not line.expires
                if not said or not 0 < line.seq < seq:
                    continue
                if reading.of_group(self._known.store.original(label, line.sender, line.id), group):
                    yield line.seq  # else it is of an older lobby of the same name

    async def end(self, command: ask.LobbyLeave | ask.LobbyClose) -> dict[str, Any]:
        """Leave; or close for everybody."""
        label = self._known.lobby(command.lobby).label
        if isinstance(command, ask.LobbyClose):
            await self._known.pump.ask(ev.CloseLobby(label))
            return {"lobby": label}
        await self._known.pump.ask(ev.LeaveLobby(label))
        return {"lobby": label, "left": await self._past(label, "leaving", LEAVE_SECONDS) != "leaving"}

    async def _past(self, label: str, stage: str, seconds: float) -> str:
        """The stage of a lobby as soon as that is another than ``stage``, or after ``seconds``."""
        told = asyncio.Event()
        self._awaited.append((label, told))
        try:
            async with asyncio.timeout(seconds):
                while self._stage(label) == stage:
                    told.clear()
                    await told.wait()
        except TimeoutError:
            pass
        finally:
            self._awaited.remove((label, told))
        return self._stage(label)

    def _stage(self, label: str) -> str:
        view = views.lobby(self._known.pump.desk, label)
        return "" if view is None else view.stage

    async def remove(self, command: ask.LobbyRemove) -> dict[str, Any]:
        """Put somebody out."""
        label, member = self._known.lobby(command.lobby).label, handle_of(command.member)
        await self._known.pump.ask(ev.RemoveFrom(label, member, command.reason))
        return {"lobby": label, "member": member}

    async def deputies(self, command: ask.LobbyDeputies) -> dict[str, Any]:
        """Who leads first when the leader is gone; without names, who that is now."""
        view = self._known.lobby(command.lobby)
        if command.deputies is None:
            return {"lobby": view.label, "deputies": list(view.deputies)}
        deputies = tuple(dict.fromkeys(handle_of(name) for name in command.deputies))
        await self._known.pump.ask(ev.SetDeputies(view.label, deputies))
        return {"lobby": view.label, "deputies": list(deputies)}

    # Who is in.

    def list(self) -> dict[str, Any]:
        """The lobbies that we are in, or were asked into."""
        lobbies = (one for one in views.lobbies(self._known.pump.desk) if one.stage != "ended")
        return {"lobbies": [_row(one) | {"muted": self._known.muted(one.label)} for one in lobbies]}

    def who(self, command: ask.LobbyWho) -> dict[str, Any]:
        """Who is in, who is there now, and who has all up to where."""
        known = self._known
        view = known.lobby(command.lobby)
        members = [attendance.member(known, view, handle) for handle in (*view.roster, *view.invited)]
        return {
            "lobby": view.label,
            "leader": view.leader,
            "deputies": list(view.deputies),
            "members": members,
            "entries": view.seq,
            "said": view.words,
            "words": attendance.standing(view, members),
            "healing": view.healing,
            **known.timer(view.label),
            "check": view.hash.hex()[:CHECK_DIGITS],
            "group_check": view.authenticator.hex()[:CHECK_DIGITS],
            "protection": view.protection,
        }

    async def roll(self, command: ask.Roll) -> dict[str, Any]:
        """Ask everybody for a signed answer now, and wait for it."""
        known = self._known
        view = known.lobby(command.lobby)
        nonce = secrets.token_bytes(ID_BYTES)
        present, changed = self._rolls[nonce] = ({known.me}, asyncio.Event())
        try:
            await known.pump.ask(ev.CallRoll(view.label, nonce))
            try:
                async with asyncio.timeout(command.seconds):
                    while not present.issuperset(known.lobby(view.label).roster):
                        await changed.wait()
                        changed.clear()
            except TimeoutError:
                pass
        finally:
            del self._rolls[nonce]
        view = known.lobby(view.label)
        ends = self._certificates(view.label)
        members = [
            {"handle": one, "present": one in present, "me": one == known.me, **ends.get(one, NO_CERTIFICATE)}
            for one in view.roster
        ]
        here = sum(bool(one["present"]) for one in members)
        return {"lobby": view.label, "members": members, "present": here, "of": len(members)}

    def _certificates(self, label: str) -> dict[str, dict[str, Any]]:
        """Each member's certificate, as the group has it: when it ends, and its SHA-256."""
        desk = self._known.pump.desk
        state = desk.sessions.get(desk.labels[label])
        if state is None:
            return {}
        read = {
            handle: read_certificate(groups.certificate(state, leaf)) for handle, leaf in groups.roster(state).items()
        }
        return {
            handle: {"until": one.not_after, "fingerprint": one.fingerprint.hex()} for handle, one in read.items()
        }


def _row(view: views.LobbyView) -> dict[str, Any]:
    role = "leader" if view.stage == "leading" else view.stage
    return {"lobby": view.label, "leader": view.leader, "role": role, "members": len(view.roster)}
