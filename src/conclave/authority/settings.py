"""The authority's settings, with their defaults. Left out: where they are read from (``cli``)."""

from __future__ import annotations

from dataclasses import dataclass, field

from conclave.authority.limits import Rate
from conclave.errors import LocalError
from conclave.pki.policy import GrantSettings

ADDRESS_RATE = Rate(burst=300, per_second=10.0)
ACCOUNT_RATE = Rate(burst=2000, per_second=200.0)
SEARCH_RATE = Rate(burst=60, per_second=5.0)
RENEWAL_RATE = Rate(burst=30, per_second=0.1)
ANNOUNCE_RATE = Rate(burst=20, per_second=0.2)
PASSWORD_RATE = Rate(burst=10, per_second=1 / 30)
TOKEN_RATE = Rate(burst=20, per_second=0.1)


@dataclass(frozen=True, slots=True)
class AuthoritySettings:
    """Times in seconds. Raises ``LocalError`` for values that cannot work together."""

    grant: GrantSettings = field(default_factory=GrantSettings)
    invite_seconds: float = 24 * 3600.0
    """How long an invite may be spent."""
    password_device_seconds: float = 600.0
    """For how long a device that a password opened may ask for its remaining profiles with the password."""
    crl_seconds: float = 3600.0
    """A revocation list is made anew at this age, even where nothing changed."""
    heartbeat: float = 60.0
    silence: float = 200.0
    """A device that says nothing for so long is dropped from presence."""
    search_limit: int = 1000
    """Most users in one answer of the directory."""
    address_rate: Rate = ADDRESS_RATE
    """Requests of an address, without a good certificate; an IPv6 address counts as its /64."""
    account_rate: Rate = ACCOUNT_RATE
    """Requests of an account, authenticated by certificate."""
    search_rate: Rate = SEARCH_RATE
    """Searches of the directory by an account: each reads all of it."""
    renewal_rate: Rate = RENEWAL_RATE
    """Renewals of an account."""
    announce_rate: Rate = ANNOUNCE_RATE
    """Announcements of an account."""
    password_rate: Rate = PASSWORD_RATE
    """Wrong passwords for an account."""
    token_rate: Rate = TOKEN_RATE
    """Requests with one token."""

    def __post_init__(self) -> None:
        if not 0 < self.heartbeat < self.silence:
            raise LocalError(
                "the heartbeat must be shorter than the silence after which a peer is dropped",
                remedy="choose 60 and 200 seconds, the defaults",
            )
        if self.invite_seconds <= 0 or self.crl_seconds <= 0 or self.search_limit < 1:
            raise LocalError("a setting of the authority is not positive")
