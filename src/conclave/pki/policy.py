"""What may be granted: for how long, to whom, and when it is due again. The only way from a request to a ``Grant``.

The name comes from the authenticated account and never from the request; a request that *claims* somebody else is
refused rather than corrected, since its sender is mistaken or lying. Left out: who is authenticated
(``authority``).
"""

from __future__ import annotations

from conclave.errors import Refused, UsageError
from conclave.pki.names import Identity, quote
from conclave.pki.profile import Profile
from conclave.pki.request import ProvenRequest
from conclave.values import dataclass

DAY = 86_400.0
LIFETIME = 10 * DAY
"""Default and, unless the settings say otherwise, longest life of a device's certificate (seconds)."""
BACKDATE = 300.0
"""How far back ``notBefore`` lies, for peers whose clock is behind (seconds)."""
RENEWED_BACKDATE = 0.1
"""How far back it lies in a renewed certificate, as a share of its life: a day at most, not before the certificate
that it renews. The device was certified then too; who believed that believes this, be its clock hours behind."""
RENEWAL_SPREAD = 0.1
"""Renewals are spread over this share of the life around two thirds of it, so that a team does not renew at once."""


@dataclass(frozen=True, slots=True)
class GrantSettings:
    """How long certificates live and how far back they start (seconds)."""

    lifetime: float = LIFETIME
    backdate: float = BACKDATE

    def __post_init__(self) -> None:
        if not 60 <= self.lifetime <= 366 * DAY:
            raise UsageError(
                f"a certificate life of {self.lifetime:.0f} seconds is out of range",
                remedy="choose between one minute and 366 days; 10 days is the default",
            )
        if not 0 <= self.backdate <= DAY:
            raise UsageError("notBefore can lie at most one day back", remedy="choose 300 seconds, the default")


@dataclass(frozen=True, slots=True)
class Grant:
    """What the authority has decided to certify; ``issue`` takes nothing else. Times are UNIX seconds."""

    identity: Identity
    profile: Profile
    public: bytes
    not_before: float
    not_after: float


def judge(
    request: ProvenRequest,
    identity: Identity,
    now: float,
    settings: GrantSettings | None = None,
    *,
    renewed: float | None = None,
) -> Grant:
    """Decide on a proven request of the account and device that ``identity`` names.

    ``renewed`` is the ``notBefore`` (UNIX seconds) of the certificate by which the device asks for another.
    Raises ``Refused`` (``other-handle``) where the request claims a handle that is not the account's.
    """
    rules = settings or GrantSettings()
    if request.claimed and request.claimed != identity.handle:
        raise Refused(
            f"the certificate request claims to be {quote(request.claimed)}, but the account is {identity.handle!r}",
            reason="other-handle",
            remedy="make the request with your own handle as common name, or with none",
        )
    since = now - rules.backdate
    if renewed is not None:
        since = min(since, max(renewed, now - min(DAY, RENEWED_BACKDATE * rules.lifetime)))
    return Grant(identity, request.profile, request.public, since, now + rules.lifetime)


def made_at(not_before: float) -> float:
    """When a certificate with this ``notBefore`` was made at the earliest (UNIX seconds both).

    A renewed one may have been made a day later (``RENEWED_BACKDATE``).
    """
    return not_before + BACKDATE


def renewal_due(not_before: float, not_after: float, spread: float) -> float:
    """Tell when to renew (UNIX seconds): at two thirds of the life, give or take; ``spread`` is random in [0, 1)."""
    share = 2 / 3 + RENEWAL_SPREAD * (spread - 0.5)
    return not_before + (not_after - not_before) * share
