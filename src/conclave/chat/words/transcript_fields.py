"""A line of a record as it is read: written in the one way, and with the fields of its kind and no others.

Whatever stands in a line is proven or counted, so there is no place for words beside it. Left out: what a line proves
(``transcript_proof``).
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from typing import TypeVar

from conclave.chat.words.content import LATEST
from conclave.chat.words.transcript import LINE_BYTES, Object, canonical
from conclave.errors import DecodeError

WHOLE_DIGITS = 20
"""The longest whole number, in digits: a file may be said to have any size in 64 bits."""
CHAIN = frozenset({"kind", "line", "previous", "hash"})
"""What every line has."""
PROOF = {"author": str, "order": int, "content": str, "signature": str, "certificate": str}
"""What a message has besides what was said."""
_UNSIGNED = {"author": str, "order": int, "id": str, "said": int}
FIELDS: dict[str, dict[str, type[str | int | list[object]]]] = {
    "transcript": {
        "format": int, "conversation": str, "realm": str, "groups": list, "exporter": str, "certificate": str,
        "made": int, "root_sha256": str, "issuing": list,
    },
    "certificate": {"der": str},
    "notice": _UNSIGNED | {"words": str},
    "deleted": _UNSIGNED,
    "unproven": _UNSIGNED | {"words": str},
    "end": {"lines": int, "gaps": list, "signed": str},
}  # fmt: skip
_CONVERSATION = re.compile(r"@[a-z0-9-]{1,63}|#[a-z0-9][a-z0-9._-]{0,31}(@[a-z0-9-]{1,600})?", re.ASCII)
"""A pair, or a lobby as it is called by who exports it: where its name was taken, with its inviter and group."""

T = TypeVar("T", bound="str | int | list[object]")


def read_line(data: bytes) -> Object:
    """A line as it was written: canonical, so that nothing can hide beside what is read. Raises ``ValueError``."""
    if len(data) > LINE_BYTES:
        raise ValueError("too long")
    line = json.loads(data, parse_int=_whole)
    if not isinstance(line, dict) or canonical(line) != data.rstrip(b"\n"):
        raise ValueError("not canonical")
    return line


def _whole(digits: str) -> int:
    if len(digits) > WHOLE_DIGITS:
        raise ValueError("a number that is too long")
    return int(digits)


def demand_fields(line: Object, kind: str) -> None:
    """Assert that a line has what one of its kind has, and of those that are not signed nothing else.

    Raises ``DecodeError``.
    """
    known = FIELDS.get(kind, PROOF)
    for name, of in known.items():
        get(line, name, of)
    other = sorted(line.keys() - known.keys() - CHAIN) if kind in FIELDS else ()
    if other:
        raise DecodeError(f"it has what no line of its kind has ({', '.join(other)[:80]})")


def get(line: Object, name: str, kind: type[T]) -> T:
    """A field of that type. Raises ``DecodeError``."""
    value = line.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise DecodeError(f"{name!r} is not there, or is no {kind.__name__}")
    return value


def get_bytes(line: Object, name: str) -> bytes:
    """A field in base64. Raises ``DecodeError``."""
    return from_base64(get(line, name, str))


def from_base64(value: object) -> bytes:
    """Bytes. Raises ``DecodeError``."""
    try:
        return b64decode(str(value), validate=True)
    except ValueError as error:
        raise DecodeError("what should be base64 is not") from error


def from_hex(value: object) -> bytes:
    """Bytes. Raises ``DecodeError``."""
    try:
        return bytes.fromhex(str(value))
    except ValueError as error:
        raise DecodeError("what should be hexadecimal is not") from error


def made(header: Object) -> float:
    """When the record was written (UNIX seconds). Raises ``DecodeError``."""
    when = get(header, "made", int)
    if not 0 <= when <= LATEST:
        raise DecodeError("'made' is no time")
    return when / 1000


def conversation(header: Object) -> str:
    """Of what the record is. Raises ``DecodeError``."""
    name = get(header, "conversation", str)
    if _CONVERSATION.fullmatch(name) is None:
        raise DecodeError("'conversation' is neither a pair nor a lobby")
    return name
