"""What the authority remembers, as data. Times are UNIX seconds. Left out: how it is kept (``ports``, ``store``)."""

from __future__ import annotations

from enum import StrEnum

from conclave.pki.names import Device, Handle
from conclave.pki.profile import Profile
from conclave.values import dataclass, field

OPERATOR = "operator"
"""Who acts when a command on the authority's own machine does."""
ANYONE = "-"
"""Who acts when nobody is authenticated; no handle is spelled so."""


@dataclass(frozen=True, slots=True)
class Account:
    """A person. ``password`` is an Argon2id string or empty; ``suspended`` says why, or is empty."""

    handle: Handle
    name: str
    created: float
    password: str = field(default="", repr=False)
    suspended: str = ""
    suspended_at: float = 0.0
    seen: float = 0.0
    """When the person was last online, or 0."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A single-use token, known only by its SHA-256. ``device`` is set when it is first spent."""

    token_hash: bytes
    handle: Handle
    created: float
    expires: float
    device: Device | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate of ours. ``public`` is the SHA-256 of its SubjectPublicKeyInfo (32 bytes)."""

    serial: int
    handle: Handle
    device: Device
    profile: Profile
    public: bytes
    not_before: float
    not_after: float
    der: bytes = field(repr=False)
    revoked: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Online:
    """A device that has announced itself, reachable at ``address`` (``host:port``) since ``since``."""

    handle: Handle
    device: Device
    address: str
    since: float


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A certificate that must not be trusted now, as it goes on the revocation list. ``reason`` as in RFC 5280."""

    serial: int
    handle: Handle
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Expelled:
    """A person who must not be among the members any more. ``reason`` as in RFC 5280."""

    handle: Handle
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Mail:
    """An envelope in a mailbox. ``at`` is when it came; what is in it, only its recipient can tell."""

    id: int
    recipient: Handle
    sender: Handle
    at: float
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Held:
    """How much mail waits."""

    envelopes: int
    bytes: int


class Action(StrEnum):
    """What the audit log speaks of."""

    INIT = "init"
    SERVE = "serve"
    STOP = "stop"
    INVITE = "invite"
    ACCOUNT = "account"
    ENROL = "enrol"
    RENEW = "renew"
    SIGN = "sign"
    REVOKE = "revoke"
    SUSPEND = "suspend"
    RESUME = "resume"
    CRL = "crl"
    LOGIN = "login"
    LOGOUT = "logout"
    ADDRESS = "address"
    ACCESS = "access"
    PACKAGES = "packages"
    MAIL = "mail"


DONE = "done"
"""The outcome of what succeeded; any other outcome is the reason of a refusal."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row of the log: who did what to whom, when, from where, and how it ended."""

    at: float
    who: str
    action: Action
    what: str
    origin: str
    outcome: str = DONE
    id: int = 0
    """Position in the log, from 1; 0 before it is written."""
