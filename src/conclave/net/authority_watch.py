"""What the authority tells over the presence connection, as events. Left out: the connection (``authority_client``).

Frames are JSON objects in text, of at most ``MESSAGE_BYTES``. Types that are not known are passed over, so that an
authority may learn more before its clients do.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from conclave.errors import ConclaveError, DecodeError, Refused, RemoteError
from conclave.net.authority_calls import REASON_CHARACTERS, read_json, words
from conclave.pki.address import Address, parse_address
from conclave.pki.names import Handle, parse_handle
from conclave.pki.revocation import CRL_BYTES, RevocationList
from conclave.pki.trust import Trust
from conclave.values import dataclass

MESSAGE_BYTES = CRL_BYTES * 4 // 3 + 1024
"""A revocation list in base64 is by far the largest."""
NAME_CHARACTERS = 200
COUNT_MOST = 1_000_000
SECONDS_LEAST, SECONDS_MOST = 1.0, 3600.0
"""Within these the authority may set heartbeat and silence."""


@dataclass(frozen=True, slots=True)
class User:
    """One entry of the directory. ``since``: online or away since (UNIX seconds, 0 for never)."""

    handle: Handle
    name: str
    online: bool
    address: Address | None
    since: float


@dataclass(frozen=True, slots=True)
class Online:
    """The connection stands. ``skew``: the authority's clock minus ours (seconds)."""

    heartbeat: float
    silence: float
    skew: float
    stock: int = 0
    """Our single-use key packages that the authority has."""
    mail: int = 0
    """Envelopes in our mailbox."""


@dataclass(frozen=True, slots=True)
class Offline:
    """The connection is gone, or could not be made; the next attempt is in ``retry`` seconds."""

    error: ConclaveError
    retry: float


@dataclass(frozen=True, slots=True)
class Presence:
    """Somebody came, went or moved."""

    handle: Handle
    online: bool
    address: Address | None
    since: float


@dataclass(frozen=True, slots=True)
class NewCrl:
    """A revocation list, verified; it may be one that is held already."""

    crl: RevocationList


@dataclass(frozen=True, slots=True)
class Expelled:
    """Somebody's certificates were revoked, or the account suspended."""

    handle: Handle
    reason: str


@dataclass(frozen=True, slots=True)
class StockLow:
    """Few of our single-use key packages are left: ``count``."""

    count: int


@dataclass(frozen=True, slots=True)
class MailWaits:
    """There are envelopes in our mailbox: ``count``."""

    count: int


WatchEvent = Online | Offline | Presence | NewCrl | Expelled | StockLow | MailWaits


def read_event(text: str, trust: Trust, now: float) -> WatchEvent | None:
    """Read one frame. None for a type that is not known.

    Raises ``Refused`` where the authority says that it refuses us, ``RemoteError`` for a frame that makes no sense.
    """
    frame = read_json(text)
    match frame.get("type"):
        case "welcome":
            skew, waiting = number(frame, "now") - now, (whole(frame, "stock"), whole(frame, "mail"))
            return Online(_seconds(frame, "heartbeat"), _seconds(frame, "silence"), skew, *waiting)
        case "presence":
            return Presence(handle_of(frame), _flag(frame), _address(frame), number(frame, "since"))
        case "crl":
            return NewCrl(trust.read_crl(bytes_of(frame, "der")))
        case "revoked":
            return Expelled(handle_of(frame), words(frame.get("reason"), REASON_CHARACTERS))
        case "stock":
            return StockLow(whole(frame, "count"))
        case "mail":
            return MailWaits(whole(frame, "count"))
        case "refused":
            reason = words(frame.get("reason"), REASON_CHARACTERS) or "refused"
            text = words(frame.get("text")) or "the authority refused this device"
            raise Refused(text, reason=reason, remedy=words(frame.get("remedy")))
        case _:
            return None


def read_user(value: object) -> User:
    """Read one entry of the directory. Raises ``RemoteError``."""
    if not isinstance(value, dict):
        raise _nonsense("user")
    name = words(value.get("name"), NAME_CHARACTERS)
    return User(handle_of(value), name, _flag(value), _address(value), number(value, "since"))


def number(frame: dict[str, Any], key: str) -> float:
    """Take a time out of JSON. Raises ``RemoteError``."""
    value = frame.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise _nonsense(key)
    return float(value)


def whole(frame: dict[str, Any], key: str, most: int = COUNT_MOST) -> int:
    """Take a whole number from 0 out of JSON; 0 where it is not there. Raises ``RemoteError``."""
    value = frame.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise _nonsense(key)
    return value


def handle_of(frame: dict[str, Any], key: str = "handle") -> Handle:
    """Take a handle out of JSON. Raises ``RemoteError`` or ``DecodeError``."""
    value = frame.get(key)
    if not isinstance(value, str):
        raise _nonsense(key)
    return parse_handle(value)


def bytes_of(frame: dict[str, Any], key: str) -> bytes:
    """Take bytes out of JSON. Raises ``RemoteError`` or ``DecodeError``."""
    value = frame.get(key)
    if not isinstance(value, str):
        raise _nonsense(key)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError(f"the authority sent {key!r} in something that is not base64") from error


def _seconds(frame: dict[str, Any], key: str) -> float:
    return min(max(number(frame, key), SECONDS_LEAST), SECONDS_MOST)


def _flag(frame: dict[str, Any]) -> bool:
    value = frame.get("online")
    if not isinstance(value, bool):
        raise _nonsense("online")
    return value


def _address(frame: dict[str, Any]) -> Address | None:
    value = frame.get("address")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _nonsense("address")
    return parse_address(value)


def _nonsense(key: str) -> RemoteError:
    return RemoteError(
        f"the authority sent {key!r} in a form that makes no sense", remedy="tell whoever runs the authority"
    )
