"""The authority's settings, with their defaults. Left out: where they are read from (``cli``)."""

from __future__ import annotations

from conclave.authority.limits import Rate
from conclave.errors import UsageError
from conclave.pki.policy import DAY, GrantSettings
from conclave.pki.verify import GRACE_SECONDS
from conclave.values import dataclass, field

ADDRESS_RATE = Rate(burst=300, per_second=10.0)
ACCOUNT_RATE = Rate(burst=2000, per_second=200.0)
SEARCH_RATE = Rate(burst=60, per_second=5.0)
RENEWAL_RATE = Rate(burst=30, per_second=0.1)
ANNOUNCE_RATE = Rate(burst=20, per_second=0.2)
PASSWORD_RATE = Rate(burst=10, per_second=1 / 30)
TOKEN_RATE = Rate(burst=20, per_second=0.1)
PUBLISH_RATE = Rate(burst=10, per_second=1 / 30)
DEPOSIT_RATE = Rate(burst=1000, per_second=50.0)
TAKE_RATE = Rate(burst=300, per_second=1.0)
TAKEN_RATE = Rate(burst=60, per_second=1 / 60)
TAKE_FROM_RATE = Rate(burst=3, per_second=1 / 600)
MIB = 1024 * 1024


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
    publish_rate: Rate = PUBLISH_RATE
    """Publications of key packages by an account."""
    deposit_rate: Rate = DEPOSIT_RATE
    """Deposits of an account in mailboxes."""
    take_rate: Rate = TAKE_RATE
    """Single-use key packages that an account is given; beyond this and the next two, it is the last-resort one."""
    taken_rate: Rate = TAKEN_RATE
    """Single-use key packages of an account that are given away."""
    take_from_rate: Rate = TAKE_FROM_RATE
    """Single-use key packages of one account that one other is given."""
    package_seconds: float = 30 * DAY
    """How long a key package is kept after it was published: longer than its certificate lives."""
    mail_seconds: float = GRACE_SECONDS
    """How long an envelope waits, at most ``GRACE_SECONDS``: later nobody would believe its certificate."""
    mail_envelopes: int = 2000
    """Most envelopes in one mailbox; a third of it from one sender."""
    mail_bytes: int = 32 * MIB
    """Most bytes in one mailbox; a third of it from one sender."""
    mail_sender_bytes: int = 256 * MIB
    """Most bytes that one sender has waiting, in all mailboxes together."""
    mail_total_bytes: int = 4096 * MIB
    """Most bytes in all mailboxes: the disk has an end."""

    def __post_init__(self) -> None:
        if not 0 < self.heartbeat < self.silence:
            raise UsageError(
                "the heartbeat must be shorter than the silence after which a peer is dropped",
                remedy="choose 60 and 200 seconds, the defaults",
            )
        if not 0 < self.mail_seconds <= GRACE_SECONDS:
            raise UsageError(
                f"mail is kept for at most {GRACE_SECONDS / DAY:.0f} days: later its senders are not believed",
                remedy="choose 14d, the default, or less",
            )
        if min(self.mail_envelopes, self.mail_bytes, self.mail_sender_bytes, self.mail_total_bytes) < 1:
            raise UsageError("a quota of the mailbox is not positive", remedy="choose at least 1")
        if self.package_seconds <= 0 or self.invite_seconds <= 0 or self.crl_seconds <= 0 or self.search_limit < 1:
            raise UsageError("a setting of the authority is not positive")
