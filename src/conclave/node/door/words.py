"""Answers about words: saying, changing, reading, and how far what was said has come.

Left out: lobbies and requests (``node.door.rooms``), people (``node.door.folk``).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.notices import LineMarked, Receipted
from conclave.chat.words.content import About, Body, Delete, Edit, Pin, Reaction, Timer
from conclave.chat.words.line import LineKind, Status
from conclave.chat.words.signs import is_sign
from conclave.errors import LocalError, Refused, UsageError
from conclave.files.record import FileRecord
from conclave.node.door import attendance, progress
from conclave.node.door import commands as ask
from conclave.node.door.known import Known, address_of
from conclave.node.door.progress import Progress, stands
from conclave.node.notices import Notice, line_as_json
from conclave.store.ports import StoredLine
from conclave.values import dataclass
from conclave.wire.limits import ID_BYTES

GRACE_SECONDS = 1.0
"""``say`` without ``wait`` answers after this long at most, so that it mostly can tell *delivered*."""
LOOK_SECONDS = 1.0
"""How often it is looked whether what is waited for is still there: a lobby's timer may be set meanwhile."""
DISAPPEARED = "disappeared"
"""What ``say`` tells instead of a status, of a line whose time was over before it had come so far."""
ALONE = "alone"
"""What it tells of a line in a lobby that nobody else is to have: it is in order, and will be delivered to nobody."""
ASK_SECONDS = 2.0
"""Whoever reads waits so long at most for what the authority says of somebody."""
_GOALS = {
    "sent": (Status.MAILED, Status.SENT, Status.DELIVERED, Status.READ, Status.FAILED),
    "delivered": (Status.DELIVERED, Status.READ, Status.FAILED),
}
QUOTED = 40
"""Letters of what a line answers that are shown with it."""
Offered = Callable[[str, str, bytes], FileRecord | None]
"""Gives the file that a line offers, by conversation, sender and id."""


@dataclass(slots=True)
class _Waiting:
    """Somebody waits until a line of ours has come so far."""

    goal: tuple[Status, ...]
    done: asyncio.Future[Progress]


class Words:
    """What is said, and what became of it."""

    def __init__(self, known: Known, offered: Offered = lambda *_: None) -> None:
        self._known = known
        self._offered = offered
        self._waiting: dict[tuple[str, bytes], _Waiting] = {}

    def noticed(self, notice: Notice) -> None:
        """Every notice passes here, so that ``say`` can wait for its own message."""
        match notice:
            case LineMarked(conversation, identity, _):
                self._look(conversation, identity)
            case Receipted(conversation):
                for where, identity in list(self._waiting):
                    if where == conversation:
                        self._look(conversation, identity)

    def _look(self, conversation: str, identity: bytes) -> None:
        waiting = self._waiting.get((conversation, identity))
        if waiting is None or waiting.done.done():
            return
        how = self._own(conversation, identity)
        if how.status in waiting.goal or how.alone:
            waiting.done.set_result(how)

    def _own(self, conversation: str, identity: bytes) -> Progress:
        stored = self._known.store.line(conversation, self._known.me, identity)
        if stored is None:
            return Progress(Status.WAITING, Status.WAITING.value, 0, 0, {})
        return self._progress(conversation, stored)

    def _progress(self, conversation: str, stored: StoredLine) -> Progress:
        known = self._known
        if conversation.startswith("#"):
            return progress.in_lobby(known.lobby(conversation), stored, known.me)
        peer = conversation[1:]
        return progress.in_pair(stored, peer, known.me, views.pair(known.pump.desk, peer).read)

    # Saying.

    async def say(self, command: ask.Say) -> dict[str, Any]:
        """New words, and how far they came within the time that they were waited for."""
        known = self._known
        conversation = known.conversation(command.to)
        await self._demand_open(conversation, command.at)
        reply = None
        if command.reply:
            line = known.line(conversation, command.reply).line
            reply = About(line.sender, line.id)
        identity = secrets.token_bytes(ID_BYTES)
        waiting = _Waiting(
            _GOALS[command.goal if command.wait else "sent"], asyncio.get_running_loop().create_future()
        )  # fmt: skip
        self._waiting[conversation, identity] = waiting
        try:
            await known.pump.ask(ev.Say(conversation, identity, command.text, reply, command.expires))
            self._look(conversation, identity)
            await self._wait(waiting.done, conversation, identity, command.timeout if command.wait else GRACE_SECONDS)
        finally:
            del self._waiting[conversation, identity]
        answer: dict[str, Any] = {"conversation": conversation, "id": identity.hex()}
        answer["protection"] = known.protection(conversation)
        there = self._there(conversation, known.me, identity) is not None
        if not (there or waiting.done.done()):
            return answer | {"status": DISAPPEARED, "words": "it has disappeared"}
        how = self._own(conversation, identity) if there else waiting.done.result()
        status = ALONE if how.alone else how.status.value
        answer |= {"status": status, "words": how.words, "have": how.have, "of": how.of}
        if how.status is Status.WAITING:
            answer["why"] = self._why_waiting(conversation)
            away = known.lobby(conversation).leader if conversation.startswith("#") else conversation[1:]
            if not (known.directory.reached or away in known.peers.linked()):
                answer["remedy"] = f"conclave say @{away} TEXT --at HOST:PORT dials {away} without the authority"
        elif how.status is Status.FAILED:
            answer["why"], answer["remedy"] = self._why_not_sent(conversation)
        elif conversation.startswith("#") and (full := self._unmailed(known.lobby(conversation).roster)):
            answer["why"] = full
        return answer

    def _there(self, conversation: str, sender: str, identity: bytes) -> StoredLine | None:
        stored = self._known.store.line(conversation, sender, identity)
        return stored if stored is not None and stands(stored.line) else None

    async def _wait(self, done: asyncio.Future[Progress], conversation: str, identity: bytes, seconds: float) -> None:
        """Until a line of ours has come far enough, is gone because its time was over, or ``seconds`` are."""
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        while not done.done() and (left := end - clock()) > 0:
            stored = self._there(conversation, self._known.me, identity)
            if stored is None:
                return
            expires = stored.line.expires
            gone = max(0.02, expires - time.time()) if expires else LOOK_SECONDS
            await asyncio.wait([done], timeout=min(left, gone, LOOK_SECONDS))

    async def _demand_open(self, conversation: str, at: str = "") -> None:
        known, peer = self._known, conversation[1:]
        if conversation.startswith("#"):
            known.demand_in(conversation)
            return
        if peer == known.me:
            raise LocalError("that is you", remedy="conclave who lists the others")
        if peer in known.expelled:
            raise Refused(
                f"nothing is sent to {peer}: {known.expelled[peer]}",
                reason="revoked",
                remedy="speak to whoever runs the authority",
            )
        if at:
            await known.peers.dial_at(peer, address_of(at))
        else:
            await known.demand_known(peer)

    def _why_waiting(self, conversation: str) -> str:
        known = self._known
        if conversation.startswith("#"):
            leader = known.lobby(conversation).leader
            if leader in known.peers.linked():
                return ""
            why = f"{leader}, who leads {conversation}, is away"
            if trouble := known.peers.trouble(leader):
                why = f"no link to {leader}, who leads {conversation}: {trouble}"
            return "; ".join(filter(None, (why, self._unmailed([leader]))))
        peer = conversation[1:]
        pair = views.pair(known.pump.desk, peer)
        if pair.theirs == "busy":
            return f"{peer} is busy"
        if peer in known.peers.linked():
            return f"{peer} has not confirmed yet"
        why = known.peers.why_not(peer) or f"{peer} is not linked yet"
        why = "; ".join(filter(None, (why, self._unmailed([peer]))))
        return why if pair.protection == views.SEALED else f"{why}, and no keys for {peer} could be had yet"

    def _why_not_sent(self, conversation: str) -> tuple[str, str]:
        """Why what was said goes nowhere, and what to do."""
        known, peer = self._known, conversation[1:]
        if conversation.startswith("#"):
            if known.lobby(conversation).stage == "ended":
                return f"you are not in {conversation} any more", "ask somebody who is in it to invite you"
            return "", "say it again"
        if views.pair(known.pump.desk, peer).theirs == "rejected":
            return f"{peer} does not want to chat with you", f"wait until {peer} writes to you or accepts you"
        return f"{peer} does not take it", f"ask {peer} in another way"

    def _unmailed(self, people: Iterable[str]) -> str:
        """In whose mailbox nothing can be left, in words."""
        why = views.unmailed(self._known.pump.desk)
        return "; ".join(why[one] for one in people if one in why)

    async def utter(
        self, command: ask.Edit | ask.Delete | ask.React | ask.Pin
    ) -> dict[str, Any]:  # fmt: skip
        """Something about a line: other words, a deletion, a sign, a pin."""
        known = self._known
        conversation = known.conversation(command.conversation)
        await self._demand_open(conversation)
        stood = known.line(conversation, command.line, own=isinstance(command, ask.Edit | ask.Delete))
        if stood.deleted and not isinstance(command, ask.Delete):
            raise LocalError("that line was deleted", remedy=f"conclave read '{conversation}' --ids")
        line = stood.line
        about = About(line.sender, line.id)
        body: Body
        match command:
            case ask.Edit(text=text):
                if line.kind is not LineKind.TEXT:
                    raise LocalError("only words can be edited", remedy="delete it, and offer another")
                body = Edit(line.id, text)
            case ask.Delete():
                body = Delete(line.id)
            case ask.React(sign=sign, on=on):
                if on and not is_sign(sign):
                    raise UsageError(f"{sign!r} is not one emoji", remedy=f"conclave react '{conversation}' last 👍")
                body = Reaction(about, sign, on)
            case ask.Pin(on=on):
                body = Pin(about, on)
        await known.pump.ask(ev.Utter(conversation, secrets.token_bytes(ID_BYTES), body))
        stored = known.store.line(conversation, line.sender, line.id)
        return {"conversation": conversation, **self.shown(conversation, stored)} if stored else {}

    async def timer(self, command: ask.Timer) -> dict[str, Any]:
        """How long what anybody says there from now on is kept, on every device."""
        known = self._known
        conversation = known.conversation(command.conversation)
        await self._demand_open(conversation)
        await known.pump.ask(ev.Utter(conversation, secrets.token_bytes(ID_BYTES), Timer(command.seconds)))
        return {"conversation": conversation, "seconds": command.seconds}

    # Reading.

    def shown(self, conversation: str, stored: StoredLine) -> dict[str, Any]:
        """A line as fronts get it."""
        return self.filled(conversation, progress.shown(stored, self._progress(conversation, stored)))

    def filled(self, conversation: str, row: dict[str, Any]) -> dict[str, Any]:
        """A line with the beginning of what it answers, and with size and id of the file that it offers.

        ``reply`` has ``text`` where that line is here and not deleted, else ``gone``: *deleted* or *not here*.
        """
        if reply := row.get("reply"):
            stored = self._there(conversation, reply["from"], bytes.fromhex(reply["id"]))
            if stored is None or stored.deleted:
                row["reply"] = reply | {"gone": "not here" if stored is None else "deleted"}
            else:
                row["reply"] = reply | {"text": shorten(stored.line.text)}
        if row["kind"] == LineKind.FILE:
            record = self._offered(conversation, row["from"], bytes.fromhex(row["id"]))
            if record is not None:
                row["file"] = {"id": record.id.hex(), "size": record.offered.size, "status": record.stage.word}
        return row

    async def unknown(self, text: str) -> dict[str, str]:
        """Refuse to read what is with nobody. Why it is not known whether it is, and what to do, or nothing."""
        known = self._known
        conversation = known.conversation(text)
        peer = conversation[1:]
        if conversation.startswith("#") or known.store.lines(conversation, limit=1):
            return {}
        if peer == known.me:
            raise LocalError("that is you", remedy="conclave read lists your conversations")
        if known.directory.remembered(peer) is not None:
            return {}
        with suppress(TimeoutError):
            async with asyncio.timeout(ASK_SECONDS):
                if await known.demand_known(peer):
                    return {}
        return {
            "outside": f"nothing is known of {peer} here, and the authority cannot be asked",
            "remedy": "conclave who",
        }

    def lines(self, command: ask.Lines) -> dict[str, Any]:
        """A part of the history."""
        known = self._known
        conversation = known.conversation(command.conversation)
        stored = known.store.lines(
            conversation, before=command.before, after=command.after, limit=command.limit
        )  # fmt: skip
        why, remedy = known.outside(conversation)
        return {
            "conversation": conversation,
            "protection": known.protection(conversation),
            **known.timer(conversation),
            **({"outside": why, "remedy": remedy} if why else {}),
            "lines": [self.shown(conversation, one) for one in stored if stands(one.line)],
        }

    def pins(self, command: ask.Pins) -> dict[str, Any]:
        """What is pinned."""
        conversation = self._known.conversation(command.conversation)
        stored = self._known.store.pinned(conversation)
        return {
            "conversation": conversation,
            "lines": [self.shown(conversation, one) for one in stored if stands(one.line)],
        }

    async def read(self, command: ask.Read) -> dict[str, Any]:
        """Our person has read a conversation, up to a line or all of it."""
        known = self._known
        conversation = known.conversation(command.conversation)
        if command.line:
            lines = [known.line(conversation, command.line)]
        else:
            lines = known.store.lines(conversation, limit=LOOK_AT)
        counted = [one.line.seq for one in lines if conversation.startswith("#") or one.line.sender != known.me]
        seq = max(counted, default=0)
        if seq:
            await known.pump.ask(ev.MarkRead(conversation, seq))
        return {"conversation": conversation, "seq": seq}

    def receipts(self, command: ask.Receipts) -> dict[str, Any]:
        """For each line of ours, or the one that is named: who has it, who read it."""
        known = self._known
        conversation = known.conversation(command.conversation)
        if command.line:
            lines = [known.line(conversation, command.line)]
        else:
            kept = [one for one in known.store.lines(conversation, limit=LOOK_AT) if stands(one.line)]
            lines = [one for one in kept if one.line.sender == known.me and one.line.kind is not LineKind.NOTICE]
            lines = lines[-command.limit :]
        answer = []
        view = known.lobby(conversation) if conversation.startswith("#") else None
        members = [attendance.member(known, view, handle) for handle in view.roster] if view is not None else []
        for one in lines:
            how = self._progress(conversation, one)
            row = self.filled(conversation, progress.shown(one, how))
            row["summary"] = attendance.of_line(how, one.line.seq, members) if view is not None else _of_pair(how)
            row["members"] = [{"handle": handle, "state": word} for handle, word in how.members.items()]
            answer.append(row)
        return {"conversation": conversation, "lines": answer}

    def conversations(self) -> dict[str, Any]:
        """Everything with history."""
        known, rows = self._known, []
        for one in known.store.conversations():
            found = [one.last] if stands(one.last.line) else known.store.lines(one.name, limit=LOOK_AT)
            if last := next((each for each in reversed(found) if stands(each.line)), None):
                shown = line_as_json(last.line, last.position) | ({"deleted": True} if last.deleted else {})
                row = {"conversation": one.name, "lines": one.count, "muted": known.muted(one.name), "last": shown}
                rows.append(row)
        return {"conversations": rows}

    def search(self, command: ask.Search) -> dict[str, Any]:
        """Lines that have these words."""
        found = self._known.store.search(command.text, command.limit)
        return {
            "lines": [
                {
                    "conversation": one.conversation,
                    **self.filled(one.conversation, line_as_json(one.line, one.position)),
                }
                for one in found
                if stands(one.line)
            ]
        }

    async def mute(self, command: ask.Mute) -> dict[str, Any]:
        """Ring no more for a conversation, or again."""
        conversation = self._known.conversation(command.conversation)
        if command.on and conversation.startswith("@"):
            await self._known.demand_known(conversation[1:])
        await self._known.mute(conversation, on=command.on)
        return {"conversation": conversation, "muted": command.on}


def shorten(text: str) -> str:
    """The beginning of somebody's words, on one line."""
    words = " ".join(text.split())
    return words if len(words) <= QUOTED else words[: QUOTED - 1].rstrip() + "…"


def _of_pair(how: Progress) -> str:
    [(peer, state)] = how.members.items()
    said = {"read": f"{peer} has read it", "delivered": f"{peer} has it"}
    return said.get(state, how.words)


LOOK_AT = 500
"""``read`` and ``receipts`` look at so many of a conversation's last lines."""
