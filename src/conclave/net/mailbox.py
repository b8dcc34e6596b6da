"""Mailboxes over HTTP: members leave envelopes for each other, and fetch and acknowledge their own."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from conclave.authority import mailbox
from conclave.authority.records import Mail
from conclave.authority.settings import AuthoritySettings
from conclave.errors import DecodeError, Refused
from conclave.net.bodies import read_body
from conclave.net.waiting import Waiting
from conclave.pki.envelope import SEALED_BYTES

DONE_BYTES = 16 * 1024
ID_MOST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Mailbox(Waiting):
    """The routes, and what is too old."""

    settings: AuthoritySettings

    def routes(self) -> list[web.RouteDef]:
        """What the server adds; ``done`` comes first, and is no handle's."""
        return [
            web.post("/mail/done", self.done),
            web.post("/mail/to/{handle}", self.deposit),
            web.get("/mail", self.fetch),
        ]

    async def deposit(self, request: web.Request) -> web.Response:
        """The body is an envelope; the answer is ``{id, seconds}``: for how long it waits."""
        member = self.admission.member(request)
        self.admission.depositing(member)
        data = await read_body(request, SEALED_BYTES, self.limits.request_seconds)
        future = mailbox.deposit(self.store, member, request.match_info["handle"], data, self.clock(), self.settings)
        try:
            left = await asyncio.wrap_future(future)
        except Refused as refused:
            if refused.reason == "mailbox-full":
                self.tally.count("envelopes refused for want of room")
            raise
        self.tally.count("envelopes left")
        self.presence.tell_owner(left.recipient, "mail", left.count)
        return web.json_response({"id": left.id, "seconds": int(self.settings.mail_seconds)})

    async def fetch(self, request: web.Request) -> web.Response:
        """``{mail: [{id, sender, at, data}, ...]}``, the owner's after ``after``, oldest first."""
        member = self.admission.member(request)
        after, limit = _number(request, "after", 0, ID_MOST), _number(request, "limit", mailbox.FETCH_MOST, 1 << 16)
        found = mailbox.fetch(self.store.reads, member, after, limit, self.clock(), self.settings)
        return web.json_response({"mail": [_envelope(mail) for mail in found]})

    async def done(self, request: web.Request) -> web.Response:
        """``{ids: [...]}`` lie on the owner's disk; the answer is ``{count}``, how many are left."""
        member = self.admission.member(request)
        ids = (await self.asked(request, DONE_BYTES)).get("ids")
        if not isinstance(ids, list) or len(ids) > mailbox.DONE_MOST or not all(map(_is_id, ids)):
            raise DecodeError(f"ids is a list of at most {mailbox.DONE_MOST} whole numbers")
        dropped, left = await asyncio.wrap_future(mailbox.acknowledge(self.store, member, ids))
        self.tally.count("envelopes fetched", dropped)
        return web.json_response({"count": left})

    async def sweep(self) -> None:
        """Drop what nobody fetched in time. Raises ``StorageError``."""
        now, settings = self.clock(), self.settings
        while self.store.reads.has_expired(now - settings.mail_seconds, now - settings.package_seconds):
            dropped = await asyncio.wrap_future(mailbox.purge(self.store, now, settings))
            self.tally.count("envelopes dropped as too old", dropped)


def _number(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > most:
        raise DecodeError(f"{name} is a whole number of at most {most}")
    return int(text)


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= ID_MOST


def _envelope(mail: Mail) -> dict[str, Any]:
    data = base64.b64encode(mail.data).decode()
    return {"id": mail.id, "sender": mail.sender, "at": int(mail.at), "data": data}
