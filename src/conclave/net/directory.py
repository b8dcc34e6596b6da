"""The directory and the revocation list over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from conclave.authority import directory
from conclave.authority.ports import Store
from conclave.authority.presence import Roster
from conclave.authority.settings import AuthoritySettings
from conclave.net.admission import Admission
from conclave.pki.revocation import RevocationList

_YES = frozenset({"1", "true", "yes"})


class Directory:
    """The routes. ``crl`` gives the revocation list that stands."""

    def __init__(
        self,
        store: Store,
        roster: Roster,
        admission: Admission,
        settings: AuthoritySettings,
        crl: Callable[[], RevocationList],
    ) -> None:
        self._store = store
        self._roster = roster
        self._admission = admission
        self._settings = settings
        self._crl = crl

    def routes(self) -> list[web.RouteDef]:
        """What the server adds."""
        return [
            web.get("/directory/users", self.users),
            web.get("/directory/users/{handle}", self.user),
            web.get("/crl", self.crl),
        ]

    async def users(self, request: web.Request) -> web.Response:
        """Search: ``query`` and ``online`` are optional."""
        self._admission.searching(self._admission.member(request))
        found = directory.search(
            self._store.reads,
            self._roster,
            request.query.get("query", ""),
            online=request.query.get("online", "").lower() in _YES,
            limit=self._settings.search_limit,
        )
        return web.json_response({"users": [_user(entry) for entry in found]})

    async def user(self, request: web.Request) -> web.Response:
        """One user."""
        self._admission.member(request)
        return web.json_response(
            _user(directory.look_up(self._store.reads, self._roster, request.match_info["handle"]))
        )

    async def crl(self, request: web.Request) -> web.Response:
        """The revocation list (DER, RFC 2585 section 4.2), for everybody."""
        self._admission.stranger(request)
        return web.Response(body=self._crl().der, content_type="application/pkix-crl")


def _user(entry: directory.Entry) -> dict[str, Any]:
    return {
        "handle": entry.handle,
        "name": entry.name,
        "online": entry.online,
        "address": entry.address or None,
        "since": int(entry.since),
    }
