"""From a verified certificate to a member: the database has the last word at every request, whatever a list says."""

from __future__ import annotations

from conclave.authority.ports import Reads
from conclave.authority.records import Account
from conclave.errors import Refused
from conclave.pki.names import HANDLE_CHARACTERS, Device, Handle, quote
from conclave.pki.revocation import because
from conclave.pki.verify import VerifiedPeer
from conclave.values import dataclass

NEW_INVITE = "ask whoever runs the authority for a new invite, then: conclave join '<invite>'"


@dataclass(frozen=True, slots=True)
class Member:
    """A person with a certificate that is good now."""

    handle: Handle
    device: Device
    serial: int
    name: str


def demand_active(account: Account | None) -> Account:
    """Assert that an account is there and not suspended. Raises ``Refused`` (``not-enrolled``, ``suspended``)."""
    if account is None:
        raise Refused("there is no such account here", reason="not-enrolled", remedy=NEW_INVITE)
    if account.suspended:
        raise Refused(
            f"the account {account.handle} is suspended: {account.suspended}",
            reason="suspended",
            remedy="ask whoever runs the authority to resume it",
        )
    return account


def admit(reads: Reads, peer: VerifiedPeer) -> Member:
    """Ask the database about a verified certificate.

    Raises ``Refused``: ``not-enrolled`` for a serial that was never issued, ``revoked``, ``suspended``.
    """
    issued = reads.issued(peer.serial)
    if issued is None or issued.der != peer.der:
        raise Refused("the authority has no record of this certificate", reason="not-enrolled", remedy=NEW_INVITE)
    if issued.revoked is not None:
        raise Refused(
            f"{issued.handle}'s certificate was revoked{because(issued.reason)}",
            reason="revoked",
            remedy=NEW_INVITE,
        )
    account = demand_active(reads.account(issued.handle))
    return Member(issued.handle, issued.device, issued.serial, account.name)


def find_member(reads: Reads, handle: str) -> Handle:
    """Somebody for whom things may wait here: known, and neither suspended nor without a device.

    Raises ``Refused`` (``unknown-user``, ``expelled-user``).
    """
    account = reads.account(handle) if len(handle) <= HANDLE_CHARACTERS else None
    if account is None:
        raise Refused(
            f"nobody here is called {quote(handle)}", reason="unknown-user", remedy="search: conclave find TEXT"
        )
    if reads.is_expelled(handle):
        raise Refused(
            f"{account.handle} is not among the members now: revoked or suspended",
            reason="expelled-user",
            remedy="ask whoever runs the authority",
        )
    return account.handle
