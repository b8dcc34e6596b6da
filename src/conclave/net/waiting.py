"""What the routes to all that waits at the authority have at hand, be it key packages or mail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web  # noqa: TC002 - one line is plainer than a block

from conclave.authority.ports import Store
from conclave.net.admission import Admission
from conclave.net.authority_limits import ServerLimits
from conclave.net.bodies import parse_json, read_body
from conclave.net.presence import Presence
from conclave.net.tally import Tally


@dataclass(frozen=True, slots=True)
class Waiting:
    """``clock`` gives UNIX seconds."""

    store: Store
    admission: Admission
    presence: Presence
    tally: Tally
    limits: ServerLimits
    clock: Callable[[], float]

    async def asked(self, request: web.Request, most: int) -> dict[str, Any]:
        """The JSON object that a request of at most ``most`` bytes carries."""
        return parse_json(await read_body(request, most, self.limits.request_seconds))
