"""Handles, device labels, realms, and the two names that a certificate carries for one device.

Everything here is ASCII and lower case, so that two names are the same person exactly when their bytes are: no
confusables, no case folding, no normalisation. A handle and a device are DNS labels (RFC 5890 section 2.3.1), a
realm is a DNS name. Left out: who may have which handle (``authority``).
"""

from __future__ import annotations

import re
from typing import NewType

from conclave.errors import DecodeError
from conclave.values import dataclass

Handle = NewType("Handle", str)
Device = NewType("Device", str)
Realm = NewType("Realm", str)

HANDLE_CHARACTERS = 32
"""Longest handle and device label; ``wire.limits`` leaves room for a whole DNS label of 63."""
REALM_CHARACTERS = 180
"""Longest realm: with device, handle and dots a DNS name of at most 253 characters (RFC 1035) comes out."""
QUOTED_CHARACTERS = 80
"""How much of a stranger's text an error repeats."""

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)
_NUMBERED = re.compile(r"d([1-9][0-9]*)", re.ASCII)


def quote(text: str) -> str:
    """Repeat somebody's text in an error: ASCII only, control characters escaped, cut short."""
    cut = text[:QUOTED_CHARACTERS]
    return ascii(cut) + ("..." if len(text) > len(cut) else "")


def _label(text: str, noun: str, limit: int) -> str:
    if not text:
        raise DecodeError(f"the {noun} is empty", remedy=f"use 1 to {limit} of the characters a-z, 0-9 and hyphen")
    if len(text) > limit:
        raise DecodeError(
            f"the {noun} {quote(text)} has {len(text)} characters", remedy=f"use at most {limit} characters"
        )
    if not text.isascii():
        odd = next(c for c in text if not c.isascii())
        raise DecodeError(
            f"the {noun} {quote(text)} contains U+{ord(odd):04X}, which is not a plain letter or digit",
            remedy="type it anew: names are a-z, 0-9 and hyphen only, so that no two of them look alike",
        )
    if not text.isprintable():
        raise DecodeError(
            f"the {noun} {quote(text)} contains a control character", remedy="type it anew, without line breaks"
        )
    if _LABEL.fullmatch(text) is None:
        if _LABEL.fullmatch(text.lower()):
            raise DecodeError(f"the {noun} {quote(text)} has upper-case letters", remedy=f"write it {text.lower()!r}")
        if _LABEL.fullmatch(text.strip("-")):
            raise DecodeError(f"the {noun} {quote(text)} starts or ends with a hyphen", remedy="leave it out")
        raise DecodeError(
            f"the {noun} {quote(text)} has characters other than a-z, 0-9 and hyphen",
            remedy="use a-z, 0-9 and hyphen, and start and end with a letter or digit",
        )
    if text.startswith("xn--"):  # RFC 5890: an A-label is shown as other letters than it is written with
        raise DecodeError(f"the {noun} {quote(text)} starts with 'xn--'", remedy="choose one that does not")
    return text


def parse_handle(text: str) -> Handle:
    """Read a handle: 1 to 32 of ``a-z 0-9 -``. Raises ``DecodeError`` that explains."""
    return Handle(_label(text, "handle", HANDLE_CHARACTERS))


def parse_device(text: str) -> Device:
    """Read a device label: same rule as a handle. Raises ``DecodeError``."""
    return Device(_label(text, "device label", HANDLE_CHARACTERS))


def device_label(number: int) -> Device:
    """What the authority calls an account's ``number``-th device, from 1: d1, d2, ..."""
    return Device(f"d{number}")


def device_number(label: str) -> int:
    """Which device of its account a label names; 0 where the authority gave it no number.

    The newest device has the greatest one, and the chats.
    """
    found = _NUMBERED.fullmatch(label) if len(label) <= HANDLE_CHARACTERS else None
    return int(found[1]) if found is not None else 0


def parse_realm(text: str) -> Realm:
    """Read a realm: a DNS name of two labels or more, e.g. ``ward-7.internal``. Raises ``DecodeError``."""
    if len(text) > REALM_CHARACTERS:
        raise DecodeError(
            f"the realm has {len(text)} characters", remedy=f"use at most {REALM_CHARACTERS} characters"
        )
    labels = text.split(".")
    if len(labels) < 2:
        raise DecodeError(
            f"the realm {quote(text)} is a single label", remedy="write a DNS name, such as ward-7.internal"
        )
    for label in labels:
        _label(label, "realm's label", 63)
    if labels[-1].isdigit():
        raise DecodeError(f"the realm {quote(text)} looks like an address", remedy="write a DNS name")
    return Realm(text)


def realm_from_name(name: str) -> Realm:
    """Make the default realm of an organisation: ``Ward 7`` gives ``ward-7.internal``. Raises ``DecodeError``.

    ``.internal`` is reserved for private use and never delegated (ICANN board resolution of 2024-07-29).
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-")
    if not slug or not name.isascii():
        raise DecodeError(
            f"no realm can be made from the name {quote(name)}",
            remedy="give the realm as well, such as --realm ward-7.internal",
        )
    return parse_realm(f"{slug}.internal")


def authority_name(realm: Realm) -> str:
    """Name the authority's own server: the DNS name that every client checks, whatever address it dials."""
    return f"authority.{realm}"


@dataclass(frozen=True, slots=True)
class Identity:
    """One device of one person in one realm: what a certificate says."""

    handle: Handle
    device: Device
    realm: Realm

    @property
    def uri(self) -> str:
        """The person: an ``im`` URI (RFC 3860)."""
        return f"im:{self.handle}@{self.realm}"

    @property
    def dns(self) -> str:
        """The device: a DNS name, which the stock host name check of TLS can compare."""
        return f"{self.device}.{self.handle}.{self.realm}"


def parse_identity(uri: str, dns: str) -> Identity:
    """Read the two names of a certificate, which must agree. Raises ``DecodeError``."""
    scheme, _, rest = uri.partition(":")
    handle_text, at, realm_text = rest.partition("@")
    if scheme != "im" or not at:
        raise DecodeError(f"the name {quote(uri)} is not of the form im:handle@realm")
    identity_realm, handle = parse_realm(realm_text), parse_handle(handle_text)
    device_text, dot, above = dns.partition(".")
    if not dot or above != f"{handle}.{identity_realm}":
        raise DecodeError(f"the names {quote(uri)} and {quote(dns)} do not agree")
    return Identity(handle, parse_device(device_text), identity_realm)
