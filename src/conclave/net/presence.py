"""The presence connection: a WebSocket on which members announce themselves and hear who comes, goes or is revoked.

Text frames of JSON. Logins and changes of address are in the log before anybody is told. A reader that falls behind
by ``queue_frames``, or takes nothing for ``write_seconds``, is dropped; so is who says nothing for ``silence``. Left
out: who is admitted (``admission``), and what an announcement changes (``authority.presence``).
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any, Final

from aiohttp import WSCloseCode, WSMsgType, web

from conclave.authority.audit import Actor, entry
from conclave.authority.limits import TooMany
from conclave.authority.members import Member, admit
from conclave.authority.ports import Store, Transaction
from conclave.authority.presence import Announced, Roster, Sighting
from conclave.authority.records import DONE, OPERATOR, Action, Expelled, Online
from conclave.authority.revocation import expelled
from conclave.authority.settings import AuthoritySettings
from conclave.errors import ConclaveError, DecodeError, Refused
from conclave.net.admission import Admission, complain
from conclave.net.authority_limits import ServerLimits
from conclave.pki.address import Address, parse_address
from conclave.pki.names import Handle
from conclave.pki.revocation import RevocationList
from conclave.pki.verify import VerifiedPeer
from conclave.values import dataclass, field

_END: Final = ()
"""In a queue: close after what stands before."""
_LIVING: Final = "closed"
"""Why a session ends, as long as nothing else is known: its connection was closed."""
_UNSPECIFIED: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - recognised, not bound


@dataclass(slots=True, eq=False)
class Session:
    """One connection of one member."""

    id: int
    member: Member
    peer: VerifiedPeer
    origin: str
    socket: web.WebSocketResponse
    request: web.Request
    heard: float
    queue: asyncio.Queue[tuple[str, ...]]
    announced: bool = False
    why: str = _LIVING
    """How its end stands in the log."""
    newest: dict[str, str] = field(default_factory=dict)
    """Frames of which only the newest counts, by kind; the kind stands in the queue."""

    def post(self, *frames: str) -> None:
        """Send frames soon; drop who has not taken the earlier ones."""
        try:
            self.queue.put_nowait(frames)
        except asyncio.QueueFull:
            self.drop("too-slow")

    def post_newest(self, kind: str, frame: str) -> None:
        """Send a frame soon, in place of one of its kind that was not sent yet."""
        waits = kind in self.newest
        self.newest[kind] = frame
        if not waits:
            self.post(kind)

    def drop(self, why: str) -> None:
        """End the connection without a word."""
        self.why = why
        if self.request.transport is not None:
            self.request.transport.abort()

    def refuse(self, reason: str, text: str, remedy: str = "") -> None:
        """Say why, then close."""
        self.why = reason
        self.post(_frame("refused", reason=reason, text=text, remedy=remedy))
        self.post(*_END)

    async def write(self, seconds: float) -> None:
        """Send what is queued, in order."""
        try:
            while frames := await self.queue.get():
                for text in frames:
                    async with asyncio.timeout(seconds):
                        await self.socket.send_str(self.newest.pop(text, text))
            async with asyncio.timeout(seconds):
                await self.socket.close(code=WSCloseCode.POLICY_VIOLATION)
        except (TimeoutError, ConnectionError, RuntimeError):
            self.drop("too-slow" if self.why == _LIVING else self.why)


class Presence:
    """All presence connections."""

    def __init__(
        self,
        store: Store,
        roster: Roster,
        admission: Admission,
        settings: AuthoritySettings,
        limits: ServerLimits,
        clock: Callable[[], float],
        crl: Callable[[], RevocationList],
    ) -> None:
        self._store = store
        self._roster = roster
        self._admission = admission
        self._settings = settings
        self._limits = limits
        self._clock = clock
        self._crl = crl
        self._sessions: dict[int, Session] = {}
        self._ids = count(1)
        self._of: dict[Handle, dict[int, Session]] = {}
        self._places: Counter[Handle] = Counter()

    def routes(self) -> list[web.RouteDef]:
        """What the server adds."""
        return [web.get("/presence", self.handle)]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One connection, from its request to its end."""
        member = self._admission.member(request)
        with self._place(member.handle):
            return await self._serve(request, member)

    @contextmanager
    def _place(self, handle: Handle) -> Iterator[None]:
        """One of an account's connections, from before it is opened until it is gone. Raises ``TooMany``."""
        if self._places[handle] >= self._limits.sessions_per_account:
            raise TooMany("presence connections of this account", self._limits.write_seconds)
        self._places[handle] += 1
        try:
            yield
        finally:
            self._places[handle] -= 1
            if not self._places[handle]:
                del self._places[handle]

    async def _serve(self, request: web.Request, member: Member) -> web.StreamResponse:
        socket = web.WebSocketResponse(
            max_msg_size=self._limits.message_bytes, timeout=self._limits.stop_seconds, compress=False
        )
        if not socket.can_prepare(request).ok:
            raise Refused(
                "this path speaks WebSocket", reason="websocket-wanted", remedy="send an Upgrade: websocket"
            )
        await socket.prepare(request)
        peer, origin = self._admission.verified(request), self._admission.origin(request)
        now = self._clock()
        queue: asyncio.Queue[tuple[str, ...]] = asyncio.Queue(self._limits.queue_frames)
        session = Session(next(self._ids), member, peer, origin, socket, request, now, queue)
        times = {"heartbeat": self._settings.heartbeat, "silence": self._settings.silence}
        try:
            self._end_oldest(member)
            self._sessions[session.id] = session
            self._of.setdefault(member.handle, {})[session.id] = session
            waiting = {
                "stock": self._store.reads.stock(member.handle),
                "mail": self._store.reads.held(recipient=member.handle).envelopes,
            }
            session.post(_frame("welcome", **times, now=int(now), **waiting))
            session.post(_crl_frame(self._crl()), *map(_revoked_frame, expelled(self._store.reads, now)))
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(session.write(self._limits.write_seconds))
                await self._read(session)
                if session.why not in {_LIVING, "goodbye"} and not writing.done():
                    await asyncio.wait([writing], timeout=self._limits.write_seconds)
                writing.cancel()
        finally:
            self._sessions.pop(session.id, None)
            own = self._of.get(member.handle, {})
            own.pop(session.id, None)
            if not own:
                self._of.pop(member.handle, None)
            self._leave(session)
        return socket

    def _end_oldest(self, member: Member) -> None:
        """Make room for one more connection of a device: who comes anew is more likely to be alive."""
        whose = (member.handle, member.device)
        own = [s for s in self._sessions.values() if (s.member.handle, s.member.device) == whose]
        living = [session for session in own if session.why == _LIVING]
        for session in living[: max(0, len(living) + 1 - self._limits.sessions_per_device)]:
            session.refuse("replaced", "the same device has connected again")
            self._leave(session)

    async def _read(self, session: Session) -> None:
        async for message in session.socket:
            if session.why != _LIVING:
                continue  # refused: what it still says does not count
            try:
                self._admission.frame(session.member)
                if message.type is not WSMsgType.TEXT:
                    raise DecodeError("text frames of JSON are spoken here")
                if not await self._take(session, _parse(message.data)):
                    await session.socket.close()
                    return
            except ConclaveError as error:
                reason = error.reason if isinstance(error, Refused) else "malformed"
                session.refuse(reason, str(error), error.remedy)
                return
            session.heard = self._clock()

    async def _take(self, session: Session, message: dict[str, Any]) -> bool:
        """Act on one message; false for goodbye."""
        match message:
            case {"type": "announce", "address": str(address)}:
                self._admission.announcing(session.member)
                await self._announce(session, _reachable(address, session.origin))
            case {"type": "heartbeat"}:
                pass
            case {"type": "goodbye"}:
                session.why = "goodbye"
                return False
            case _:
                raise DecodeError("a message is announce, heartbeat or goodbye")
        return True

    async def _announce(self, session: Session, address: str) -> None:
        member, now = session.member, self._clock()
        before = self._roster.find(member.handle)
        change = self._roster.announce(member.handle, member.device, session.id, address, now)
        if change.login or change.moved:
            try:
                await asyncio.wrap_future(self._store.decide(_arrival(session, address, change, now)))
            except ConclaveError:
                self._roster.leave(member.handle, member.device, session.id, now)
                raise
        if change.replaced is not None and change.replaced in self._sessions:
            self._sessions[change.replaced].refuse("replaced", "the same device has connected again")
        if session.why != _LIVING:
            return  # cut in the meantime
        if not session.announced:
            session.announced = True
            session.post(*(_presence_frame(sighting) for sighting in self._roster.everyone()))
        if change.sighting is not None and change.sighting != before:
            self._tell(_presence_frame(change.sighting), but=session)

    def _leave(self, session: Session) -> None:
        member, now = session.member, self._clock()
        sighting = self._roster.leave(member.handle, member.device, session.id, now)
        if sighting is None:
            return
        outcome = DONE if session.why in {_LIVING, "goodbye", "going-away"} else session.why
        row = entry(Actor(member.handle, session.origin), Action.LOGOUT, member.device, now, outcome)

        def decision(transaction: Transaction) -> None:
            transaction.set_offline(member.handle, member.device, now)
            transaction.record(row)

        self._store.decide(decision).add_done_callback(complain)
        self._tell(_presence_frame(sighting))

    def _tell(self, frame: str, but: Session | None = None) -> None:
        for session in list(self._sessions.values()):
            if session is not but:
                session.post(frame)

    def tell_owner(self, handle: Handle, kind: str, count: int) -> None:
        """Tell all devices of somebody how many there are of what waits: ``stock`` or ``mail``."""
        for session in self._of.get(handle, {}).values():
            if session.why == _LIVING:
                session.post_newest(kind, _frame(kind, count=count))

    def sweep(self) -> None:
        """Drop who has been silent too long, or whose certificate has run out."""
        now = self._clock()
        for session in list(self._sessions.values()):
            if session.why != _LIVING:
                continue
            if now - session.heard > self._settings.silence:
                session.refuse("silent", f"nothing was heard for {self._settings.silence:.0f} seconds")
                self._leave(session)
            elif now > session.peer.not_after:
                session.refuse("expired", "the certificate has expired", "enrol this device again")

    def withdrawn(self, crl: RevocationList, shut_out: Iterable[Expelled]) -> None:
        """Tell everybody a new list and who has lost the last certificate; cut whose own is on it."""
        for session in list(self._sessions.values()):
            if session.why != _LIVING:
                continue
            try:
                admit(self._store.reads, session.peer)
            except Refused as refused:
                session.refuse(refused.reason, str(refused), refused.remedy)
                self._leave(session)
        self._tell(_crl_frame(crl))
        for person in shut_out:
            self._tell(_revoked_frame(person))

    async def close(self) -> None:
        """End all connections in order, and log everybody out."""
        sessions = list(self._sessions.values())
        for session in sessions:
            session.why = "going-away"
            self._leave(session)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.stop_seconds):
                closing = (s.socket.close(code=WSCloseCode.GOING_AWAY) for s in sessions)
                await asyncio.gather(*closing, return_exceptions=True)
        for session in sessions:
            session.drop("going-away")

    async def forget_all(self) -> None:
        """Log out whom an earlier server left online when it was killed."""
        now = self._clock()

        def decision(transaction: Transaction) -> None:
            for online in transaction.online():
                transaction.set_offline(online.handle, online.device, now)
                actor = Actor(online.handle, OPERATOR)
                transaction.record(entry(actor, Action.LOGOUT, online.device, now, "server-restarted"))

        await asyncio.wrap_future(self._store.decide(decision))


def _arrival(session: Session, address: str, change: Announced, now: float) -> Callable[[Transaction], None]:
    member = session.member
    action = Action.LOGIN if change.login else Action.ADDRESS
    row = entry(Actor(member.handle, session.origin), action, f"{member.device} at {address}", now)

    def decision(transaction: Transaction) -> None:
        transaction.set_online(Online(member.handle, member.device, address, change.since))
        transaction.record(row)

    return decision


def _parse(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DecodeError("the frame is not JSON") from error
    if not isinstance(message, dict):
        raise DecodeError("the frame is not a JSON object")
    return message


def _reachable(text: str, observed: str) -> str:
    """The address that others dial: as announced, or with the host as observed. Raises ``DecodeError``."""
    host, colon, port = text.rpartition(":")
    if colon and host.strip("[]") in _UNSPECIFIED:
        seen = Address(observed.partition("%")[0].removeprefix("::ffff:"), 1)
        text = f"{str(seen).rpartition(':')[0]}:{port}"
    return str(parse_address(text))


def _frame(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, **fields})


def _presence_frame(sighting: Sighting) -> str:
    return _frame(
        "presence",
        handle=sighting.handle,
        online=sighting.online,
        address=sighting.address or None,
        since=int(sighting.since),
    )


def _revoked_frame(person: Expelled) -> str:
    return _frame("revoked", handle=person.handle, reason=person.reason)


def _crl_frame(crl: RevocationList) -> str:
    return _frame("crl", der=base64.b64encode(crl.der).decode())
