"""What waits at the authority for people who are away, as a member calls for it: key packages and mail.

Nothing of it is believed here: whose a key package is, and who sent an envelope, is proven by what is inside.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import quote as percent

from conclave.authority.mailbox import FETCH_BYTES, FETCH_MOST
from conclave.authority.packages import PACKAGE_BYTES
from conclave.errors import RemoteError
from conclave.net.authority_calls import Caller, read_json
from conclave.net.authority_watch import bytes_of, handle_of, number, whole
from conclave.pki.envelope import SEALED_BYTES
from conclave.pki.names import Handle
from conclave.values import dataclass, field

ID_MOST = (1 << 63) - 1
COUNT_BYTES = 1024
_PACKAGE_ANSWER = PACKAGE_BYTES * 4 // 3 + 1024
_MAIL_ANSWER = (FETCH_BYTES + SEALED_BYTES) * 4 // 3 + FETCH_MOST * 256
_JSON = {"Content-Type": "application/json"}
_SEALED = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class GivenPackage:
    """Somebody's key package, nothing of it proven. ``last``: the last-resort one, which others get too."""

    data: bytes = field(repr=False)
    last: bool


class LeftEnvelope(NamedTuple):
    """An envelope that we left in somebody's mailbox, and for how many seconds it waits there (0: not told)."""

    id: int
    seconds: int


@dataclass(frozen=True, slots=True)
class WaitingEnvelope:
    """An envelope of our mailbox, sealed. ``sender`` and ``at`` (UNIX seconds) are the authority's word only."""

    id: int
    sender: Handle
    at: float
    data: bytes = field(repr=False)


class WaitingCalls:
    """The calls, for whoever has a ``Caller`` with a member's certificate. All raise as ``Caller.call`` does."""

    _caller: Caller

    async def publish_packages(self, packages: Sequence[bytes], last: bytes = b"", *, replace: bool = False) -> int:
        """Add single-use key packages to our stock, and set the last-resort one unless it is empty.

        ``replace``: drop what was in stock. Publishing the same again does no harm. How many are in stock then.
        Raises ``Refused`` (``stock-full``, ``package-size``).
        """
        asked = {"packages": [_base64(each) for each in packages], "last": _base64(last), "replace": replace}
        return whole(await self._post("/packages", asked), "count")

    async def take_package(self, handle: Handle) -> GivenPackage:
        """Take one of somebody's key packages. Raises ``Refused`` (``no-package``, ``unknown-user``, ...)."""
        path = f"/packages/{percent(handle, safe='')}/take"
        answer = read_json(await self._caller.call("POST", path, limit=_PACKAGE_ANSWER))
        return GivenPackage(bytes_of(answer, "package"), answer.get("last") is True)

    async def last_package(self, handle: Handle) -> bytes:
        """Look at somebody's last-resort key package. Raises ``Refused`` (``no-package``, ``unknown-user``, ...)."""
        path = f"/packages/{percent(handle, safe='')}/last"
        return bytes_of(read_json(await self._caller.call("GET", path, limit=_PACKAGE_ANSWER)), "package")

    async def deposit(self, handle: Handle, sealed: bytes) -> LeftEnvelope:
        """Leave an envelope in somebody's mailbox. Raises ``Refused`` (``mailbox-full``, ...)."""
        path = f"/mail/to/{percent(handle, safe='')}"
        answer = await self._caller.call("POST", path, limit=COUNT_BYTES, body=sealed, headers=_SEALED)
        left = read_json(answer)
        return LeftEnvelope(whole(left, "id", ID_MOST), whole(left, "seconds", ID_MOST))

    async def mail(self, after: int = 0, limit: int = FETCH_MOST) -> tuple[WaitingEnvelope, ...]:
        """Envelopes of our mailbox with an id above ``after``, oldest first; none where there are no more."""
        asked = {"after": str(after), "limit": str(limit)}
        answer = read_json(await self._caller.call("GET", "/mail", limit=_MAIL_ANSWER, query=asked))
        found = answer.get("mail")
        if not isinstance(found, list) or len(found) > limit:
            raise RemoteError("the mailbox's answer holds no list of envelopes, or too long a one")
        mail = tuple(_envelope(each) for each in found)
        ids = [after, *(each.id for each in mail)]
        if any(later <= earlier for earlier, later in pairwise(ids)):
            raise RemoteError("the mailbox's answer is out of order", remedy="tell whoever runs the authority")
        return mail

    async def mail_done(self, ids: Sequence[int]) -> int:
        """Have envelopes dropped that are on our disk, 256 at most; how many are left in the mailbox."""
        return whole(await self._post("/mail/done", {"ids": list(ids)}), "count")

    async def _post(self, path: str, value: object) -> dict[str, object]:
        body = json.dumps(value).encode()
        return read_json(await self._caller.call("POST", path, limit=COUNT_BYTES, body=body, headers=_JSON))


def _envelope(value: object) -> WaitingEnvelope:
    if not isinstance(value, dict):
        raise RemoteError("the mailbox's answer holds something else than envelopes")
    id_, data = whole(value, "id", ID_MOST), bytes_of(value, "data")
    if len(data) > SEALED_BYTES:
        raise RemoteError(f"the authority sent an envelope of {len(data)} bytes")
    return WaitingEnvelope(id_, handle_of(value, "sender"), number(value, "at"), data)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
