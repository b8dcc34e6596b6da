"""Key packages over HTTP: a device publishes its own, others take them (``authority.packages``).

Who takes more than a rate allows is given the last-resort one, so that nobody uses up somebody's stock.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass

from aiohttp import web

from conclave.authority.packages import PACKAGE_BYTES, STOCK_LOW, STOCK_MOST, peek, publish, take
from conclave.errors import DecodeError
from conclave.net.bodies import take_base64
from conclave.net.waiting import Waiting

BODY_BYTES = (STOCK_MOST + 1) * (PACKAGE_BYTES * 4 // 3 + 16) + 1024
"""A full stock of the largest, and a last-resort one, in base64."""


@dataclass(frozen=True, slots=True)
class Packages(Waiting):
    """The routes."""

    def routes(self) -> list[web.RouteDef]:
        """What the server adds."""
        return [
            web.post("/packages", self.publish),
            web.post("/packages/{handle}/take", self.take),
            web.get("/packages/{handle}/last", self.last),
        ]

    async def publish(self, request: web.Request) -> web.Response:
        """``{packages: [...], last, replace}``; the answer is ``{count}``, how many are in stock."""
        member = self.admission.member(request)
        self.admission.publishing(member)
        asked = await self.asked(request, BODY_BYTES)
        packages, last, replace = asked.get("packages", []), asked.get("last", ""), asked.get("replace", False)
        if not isinstance(packages, list) or len(packages) > STOCK_MOST or not isinstance(replace, bool):
            raise DecodeError(
                f"packages is a list of at most {STOCK_MOST}, last is one, and replace is true or false"
            )
        found = [take_base64(package) for package in packages]
        now, origin = self.clock(), self.admission.origin(request)
        future = publish(self.store, member, found, take_base64(last), now, origin, replace=replace)
        return web.json_response({"count": await asyncio.wrap_future(future)})

    async def take(self, request: web.Request) -> web.Response:
        """``{package, last}``: ``last`` says that it is the last-resort one."""
        member, owner = self.admission.member(request), request.match_info["handle"]
        single = self.admission.spares(member, owner)
        taken = await asyncio.wrap_future(take(self.store, member, owner, single=single))
        self.tally.count("last-resort key packages given" if taken.last else "key packages given")
        if single and taken.left < STOCK_LOW:
            self.presence.tell_owner(taken.owner, "stock", taken.left)
        return web.json_response({"package": base64.b64encode(taken.data).decode(), "last": taken.last})

    async def last(self, request: web.Request) -> web.Response:
        """``{package}``: the last-resort one, to seal something to."""
        self.admission.member(request)
        data = peek(self.store.reads, request.match_info["handle"])
        return web.json_response({"package": base64.b64encode(data).decode()})
