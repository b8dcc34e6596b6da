"""The invite: one line of text that brings a person in, and names the authority so that no impostor can pass for it.

``conclave://ayse@ward-7.internal/?at=127.0.0.1:8443&root=<base32>&token=<base32>&expires=<unix>``: the handle and
realm, where the authority listens (``at`` may come several times), the SHA-256 of its root, a single-use token of
128 bits, and when it runs out. Without ``token`` and ``expires`` it is the way to an account with a password.
Base32 is RFC 4648 without padding, in either case. The token is a secret: whoever has the line first has the
account.
"""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import parse_qsl, urlencode, urlsplit

from conclave.errors import DecodeError, Refused
from conclave.pki.address import Address, parse_address
from conclave.pki.certificate import moment
from conclave.pki.names import Handle, Realm, parse_handle, parse_realm, quote
from conclave.values import dataclass, field

SCHEME = "conclave"
TOKEN_BYTES = 16
ROOT_BYTES = 32
INVITE_CHARACTERS = 2048
ADDRESSES_MOST = 8
_REMEDY = "copy the whole line again, from conclave:// to its end, or ask for a new invite"
_DIGITS = re.compile(r"[0-9]{1,12}", re.ASCII)


def encode_base32(data: bytes) -> str:
    """Write base32 without padding (RFC 4648 section 6)."""
    return base64.b32encode(data).decode().rstrip("=")


def decode_base32(text: str, size: int, noun: str) -> bytes:
    """Read base32 of exactly ``size`` bytes, without padding, in either case. Raises ``DecodeError``."""
    try:
        data = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError) as error:
        raise DecodeError(f"the {noun} is not base32", remedy=_REMEDY) from error
    if len(data) != size or encode_base32(data) != text.upper():
        raise DecodeError(f"the {noun} is not {size} bytes of base32: something is missing", remedy=_REMEDY)
    return data


@dataclass(frozen=True, slots=True)
class Invite:
    """Who is invited where. ``token``: none for an account with a password. ``expires``: UNIX seconds, 0 never."""

    handle: Handle
    realm: Realm
    addresses: tuple[Address, ...]
    root_sha256: bytes
    token: bytes | None = field(default=None, repr=False)
    expires: int = 0

    def __str__(self) -> str:
        """Write the one line. Mind the token in it."""
        fields = [("at", str(address)) for address in self.addresses]
        fields.append(("root", encode_base32(self.root_sha256)))
        if self.token is not None:
            fields.append(("token", encode_base32(self.token)))
        if self.expires:
            fields.append(("expires", str(self.expires)))
        return f"{SCHEME}://{self.handle}@{self.realm}/?{urlencode(fields, safe=':[]')}"

    @property
    def secret(self) -> str:
        """The token as it goes into HTTP Basic and into challengePassword, or empty."""
        return "" if self.token is None else encode_base32(self.token)

    def demand_fresh(self, now: float) -> None:
        """Assert that the invite has not run out. Raises ``Refused`` (``invite-expired``)."""
        if self.expires and now > self.expires:
            raise Refused(
                f"the invite for {self.handle} ran out on {moment(self.expires)}",
                reason="invite-expired",
                remedy="ask whoever runs the authority for a new one",
            )


def parse_invite(text: str) -> Invite:
    """Read an invite. Raises ``DecodeError`` that says which part is wrong."""
    line = text.strip()
    if len(line) > INVITE_CHARACTERS:
        raise DecodeError(f"the invite has {len(line)} characters; at most {INVITE_CHARACTERS} are read")
    if not line.isascii() or not line.isprintable() or " " in line:
        raise DecodeError("the invite contains blanks, line breaks or letters that do not belong", remedy=_REMEDY)
    try:
        parts = urlsplit(line)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True, max_num_fields=ADDRESSES_MOST + 3)
    except ValueError as error:
        raise DecodeError("the invite cannot be read", remedy=_REMEDY) from error
    if parts.scheme != SCHEME:
        raise DecodeError("an invite starts with conclave://", remedy=_REMEDY)
    handle, at, realm = parts.netloc.partition("@")
    if not at or parts.path not in {"", "/"} or parts.fragment:
        raise DecodeError("an invite has the form conclave://handle@realm/?...", remedy=_REMEDY)
    fields: dict[str, list[str]] = {"at": [], "root": [], "token": [], "expires": []}
    for key, value in pairs:
        if key not in fields:
            raise DecodeError(
                f"the invite has an unknown part {quote(key)}", remedy="update Conclave, then try again"
            )
        fields[key].append(value)
    if not 0 < len(fields["at"]) <= ADDRESSES_MOST or len(fields["root"]) != 1:
        raise DecodeError("the invite lacks the authority's address or its fingerprint", remedy=_REMEDY)
    if len(fields["token"]) > 1 or len(fields["expires"]) > 1 or len(fields["token"]) != len(fields["expires"]):
        raise DecodeError("an invite has one token and one expiry, or neither", remedy=_REMEDY)
    expires = fields["expires"][0] if fields["expires"] else "0"
    if _DIGITS.fullmatch(expires) is None:
        raise DecodeError("the invite's expiry is not a number", remedy=_REMEDY)
    return Invite(
        parse_handle(handle),
        parse_realm(realm),
        tuple(parse_address(a) for a in fields["at"]),
        decode_base32(fields["root"][0], ROOT_BYTES, "fingerprint"),
        decode_base32(fields["token"][0], TOKEN_BYTES, "token") if fields["token"] else None,
        int(expires),
    )
